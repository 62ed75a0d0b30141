"""`heapster shrink` goes on with what is kept, ours or a stranger's, and keeps what comes of it."""

import shutil
from pathlib import Path

import pytest

import heapster
from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.describe import describe as describe_foreign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions, remember
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.findings.describe import describe
from heapster.checkers.findings.store import Store
from heapster.checkers.lockstep.run_trace import on_source
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import make_for, resolve
from heapster.checkers.targets.target import SIM, folder
from heapster.cli import main
from heapster.model.trace import parse

ZOO = Path(__file__).parent / "zoo"
LONG = "; ".join((*(f"a{n} = malloc({n})" for n in range(40)), *(f"free(a{n})" for n in range(40)), "z = calloc(3, 9)"))


@pytest.fixture
def store(empty_folder: Path) -> Store:
    """A store in a folder of the test's own."""
    return Store(empty_folder / ".heapster", print)


def kept_of_a_stranger(store: Store) -> str:
    """A finding that was not shrunk: its id."""
    options = ForeignOptions(grammar.parse(str(ZOO / "calloc_zeroes_one.c")))
    target = resolve(options)
    with Judge(judge_program(target.bits), target) as judge:
        finding = describe_foreign(judge, parse(LONG), learn(judge, None).promises, frozenset(), shrunk=False)
    store.keep(finding, options.target)
    remember(store.folder / finding.id, options, 1, (0, 0, 0))
    return finding.id


def test_a_strangers_finding_is_shrunk_in_its_place(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    before = kept_of_a_stranger(store)
    assert main(["shrink", before[:5]]) == 1
    (kept,) = store.all()
    assert (kept.finding.code, len(kept.finding.trace), kept.finding.shrunk) == ("not_zeroed", 3, True)
    assert f"{before} -> {kept.finding.id}: 81 steps to 3" in capsys.readouterr().out
    assert main(["replay", kept.finding.id]) == 1


def test_without_replays_it_says_so(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    identity = kept_of_a_stranger(store)
    assert main(["shrink", identity, "--replays", "1"]) == 1
    said = capsys.readouterr().out
    assert f"not shrunk (81 steps): heapster shrink {identity} goes on" in said
    assert "still 81 steps, after 0 replays: no replays left" in said


def test_a_finding_of_ours_is_shrunk(store: Store, empty_folder: Path) -> None:
    broken = empty_folder / "broken"
    shutil.copytree(Path(heapster.__file__).parent / "impl", broken)
    block = broken / "block.py"
    text = block.read_text()
    block.write_text(text.replace("(OWNER_MASK | PREV_USED)", "OWNER_MASK"))
    assert block.read_text() != text
    make = make_for(grammar.parse(str(broken)))
    trace = parse("a = malloc(100); b = malloc(30); free(a); c = malloc(8); d = malloc(50)")
    found = describe(trace, "flags_agree_with_neighbours", make, folder(broken))
    store.keep(found, folder(broken))
    assert main(["shrink", found.id]) == 1
    (kept,) = store.all()
    assert kept.finding.trace == ("a = malloc(0)",)


def test_what_no_longer_fails_is_told_and_left(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    found = describe(parse("a = malloc(8)"), "overlap", on_source(), SIM)
    store.keep(found, SIM)
    assert main(["shrink", found.id]) == 0
    assert f"overlap {found.id} on sim does not fail any more" in capsys.readouterr().out
    assert [kept.finding.id for kept in store.all()] == [found.id]


def test_an_unknown_id_is_one_line(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    del store
    assert main(["shrink", "abcdef"]) == 2
    assert capsys.readouterr().err == "heapster: abcdef is no finding that is kept in .heapster\n"
