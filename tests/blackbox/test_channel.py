"""What a verdict rests on is not the target's to say: it may write over all that it shares with its judge."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heapster import children
from heapster.checkers.blackbox.build import Compiler, compile_object, judge_program
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.protocol import Ended, Mode, Phase, Suspicion
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.cli import main
from heapster.model.spec import Promises
from heapster.model.trace import parse
from tests.hunts import first_hunted

LIAR = Path(__file__).parent / "liar.c"
LIES = ("BOARD", "OPERATIONS", "RESULTS", "LEAVE", "CLOSE", "FORGE", "FOR_EVER", "EAT")
TRACE = parse("; ".join(f"{name} = malloc(8); free({name})" for name in "abcdefgh").replace("; ", "\n"))
ENDINGS = {                     # how a run ends that is lied about: never as one that came back with nothing wrong
    "OPERATIONS": Ended.SIGNALLED, "RESULTS": Ended.LOST, "LEAVE": Ended.EXITED, "CLOSE": Ended.LOST,
    "FORGE": Ended.LOST, "FOR_EVER": Ended.TIMED_OUT, "EAT": Ended.TOO_BIG}


@contextmanager
def judging(lie: str, tmp_path: Path) -> Iterator[Judge]:
    made = tmp_path / f"{lie}.so"
    compile_object([str(LIAR)], made, Compiler("cc", (f"-DLIE={lie}",)))
    found = resolve(ForeignOptions(grammar.parse(str(made))))
    with Judge(judge_program(found.bits), found) as judge:
        judge.patient = False
        yield judge


@pytest.mark.parametrize("lie", ENDINGS)
def test_a_lie_is_told(lie: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "RESIDENT", 1 << 28)
    with judging(lie, tmp_path) as judge:
        outcome = run_trace(judge, TRACE, Promises())
        assert outcome.ending is not None and outcome.ending.ended is ENDINGS[lie]
        assert outcome.code == {"OPERATIONS": "crash", "LEAVE": "exit", "FOR_EVER": "hang",
                                "EAT": "runaway_memory"}.get(lie, "record_changed")


def test_writing_over_the_board_changes_nothing(tmp_path: Path) -> None:
    with judging("BOARD", tmp_path) as judge:
        ending = judge.run(Mode.PRECISE, judge.set_steps(TRACE))
        assert (ending.ended, ending.done_ops, ending.phase) == (Ended.RETURNED, len(TRACE), Phase.ENDING)
        assert not judge.header.init_failed


@pytest.mark.parametrize("lie", ["BOARD", "LEAVE"])
def test_what_compiled_checks_notice_cannot_be_taken_back(lie: str, tmp_path: Path) -> None:
    with judging(lie, tmp_path) as judge:
        header = judge.header
        header.granule = header.alignment = 8
        header.seed, header.masked, header.verbs = 1, 0, 1
        header.most_live, header.most_size, header.live_budget = 256, 1000, 1 << 20
        ending = judge.run(Mode.GENERATE, 20_000)
        assert ending.died or ending.suspicion in (Suspicion.OVERLAP, Suspicion.CONTENTS)


@pytest.mark.parametrize("lie", first_hunted(["LEAVE", "BOARD", "RESULTS"]))
def test_no_liar_passes(lie: str, empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = empty_folder / "liar.so"
    compile_object([str(LIAR)], made, Compiler("cc", (f"-DLIE={lie}",)))
    assert main(["fuzz", str(made), "--seconds", "3", "--seed", "1"]) == 1
    assert "FAILED" in capsys.readouterr().out
