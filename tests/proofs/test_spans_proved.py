"""What is built with spans is proved: theorems of it alone, and of either build; each says of which it is."""

import json
from pathlib import Path

import pytest

from heapster.checkers.mutation.fault import one_edit
from heapster.checkers.proofs.builds import PLAIN_ALONE, Build, build_of
from heapster.checkers.proofs.catalogue import PROOFS, selected
from heapster.checkers.proofs.counterexample import parse, replays
from heapster.checkers.proofs.layout_spec import LAYOUT, RUNS
from heapster.checkers.proofs.runner import Proved, Runner
from heapster.checkers.proofs.source import WITHOUT_RESERVATION, opened
from heapster.checkers.targets import grammar
from heapster.cli import main
from heapster.impl import run_layout
from heapster.results import UsageError

LATE = one_edit("", "runs", "    add(m, base + RUN_USED, -1)\n", "", "")     # a run that is given up counts as used


def test_the_command_proves_them_of_either_target(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what ships as with what is built without spans; and says which each theorem is of."""
    for target, words in (("sim", ()), ("sim:spans=0", ("sim:spans=0",))):
        assert main(["prove", *words, "runs.run_of", "block.split", "--fresh", "--json", "p.json"]) == 0
        run = json.loads(Path("p.json").read_text(encoding="utf-8"))
        assert run["target"] == target
        assert {row["of"]: row["spans"] for row in run["theorems"]} == {"runs.run_of": True, "block.split": False}
        assert {row["verdict"] for row in run["theorems"]} == {"PROVED"}
    assert "any heap, with spans" in capsys.readouterr().out


def test_what_is_proved_of_the_same_code_is_said_again(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`split` is the same with spans, the way from a payload to its arena is not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(empty_folder / "cache"))
    kept: dict[tuple[str, ...], list[dict[str, bool]]] = {}
    for words in (("sim:spans=0",), (), ()):
        main(["prove", *words, "split_conserves_bytes", "a_block_leads_to_its_arena", "--json", "p.json"])
        rows = json.loads(Path("p.json").read_text(encoding="utf-8"))["theorems"]
        kept[words] = kept.get(words, []) + [{row["of"]: row["kept"] for row in rows}]
    assert kept[()] == [{"block.split": True, "thread_cache.owner_arena": False},
                        {"block.split": True, "thread_cache.owner_arena": True}]


def test_a_theorem_that_does_not_hold_with_spans_is_not_proved_of_them() -> None:
    with pytest.raises(UsageError, match="does not hold with spans: name sim:spans=0"):
        selected(("a_request_has_the_class_of_its_block",), thorough=False, spans=True)
    [proof] = selected(("classes.class_for_request",), thorough=False, spans=True)
    assert proof.spans


@pytest.mark.parametrize("stays", sorted(PLAIN_ALONE))
def test_what_is_of_the_other_build_alone_does_not_hold(stays: str) -> None:
    """Each is refuted with spans, or none of it would be left out; one takes too long to say."""
    [proof] = [proof for proof in PROOFS if proof.stays == stays]
    [done] = Runner(timeout=5.0, spans=True).each([proof])
    assert any(outcome.verdict is not Proved.PROVED for outcome in done.outcomes)


def test_a_fault_where_there_are_spans_is_replayed_there() -> None:
    found = [outcome for outcomes in Runner(origin=LATE).run(selected(("runs.pool_run",), thorough=False))
             for outcome in outcomes if outcome.finding]
    assert found and found[0].finding and "replayed on the simulated machine" in found[0].finding.details
    shown = parse(found[0].finding.counterexample)
    for target in ("sim", "sim:spans=0"):
        [(proof, path)] = replays([shown], grammar.parse(target))
        assert (proof.of, path.failed) == ("runs.pool_run", {})        # of what ships it holds


def test_each_build_reads_the_source_as_it_says() -> None:
    with opened(build=Build.PLAIN) as plain, opened(build=Build.RUNS) as runs:
        assert (plain.run_layout.SPANS, runs.run_layout.SPANS) == (0, 1)
        assert runs.malloc.is_reserved is runs.runs.is_reserved
    with opened(build=Build.BLOCKS) as blocks:
        assert blocks.run_layout.SPANS == 1
        assert blocks.malloc.is_reserved(None, 0) is False
        homes = blocks.runs, blocks.run_totals, blocks.lifecycle
        assert all(any(hasattr(home, name) for home in homes) for name in WITHOUT_RESERVATION)
    assert build_of(PROOFS[0], spans=False) is Build.PLAIN


def test_every_constant_of_runs_is_drawn() -> None:
    drawn = set(RUNS) | set(LAYOUT)
    assert [name for name in vars(run_layout) if name.isupper() and name not in drawn] == []
