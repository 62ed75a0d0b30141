"""What a library is excused for by name is what it does: a C program that was run shows it."""

import os
from pathlib import Path

import pytest

from heapster.checkers.bench.targets import NamedTarget, find_targets
from heapster.checkers.blackbox.baseline import DEVIATIONS, Deviation, deviations
from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.reproducer import Reproducer, prove
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.blackbox.volume import still_grows
from heapster.checkers.targets import grammar
from heapster.checkers.targets.installed import PEERS
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import format_steps, parse
from heapster.results import Finding

DOC = Path(__file__).parents[2] / "docs" / "known-deviations.md"
INSTALLED = {Path(target.library).name.partition(".so")[0].removesuffix("_minimal"): target.library
             for target in find_targets(map(NamedTarget, map(grammar.parse, PEERS))).targets if target.library}
SEEN = [known for known in DEVIATIONS if known.library in INSTALLED]


def test_libraries_are_excused_by_their_names_alone() -> None:
    assert {known.library for known in DEVIATIONS} == {"libjemalloc", "libmimalloc", "libtcmalloc"}
    target = resolve(ForeignOptions(grammar.parse("libc")))
    assert deviations(target) == ()


@pytest.mark.parametrize("known", SEEN, ids=lambda known: f"{known.library}-{known.code}-{known.shows}")
def test_a_c_program_shows_it(known: Deviation, tmp_path: Path) -> None:
    target, trace = resolve(ForeignOptions(grammar.parse(INSTALLED[known.library]))), parse(known.shows)
    assert known in deviations(target)
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, None).promises
        if known.rounds > 1:
            assert still_grows(judge, trace, known.rounds)
        else:
            outcome = run_trace(judge, trace, promises)
            assert outcome.code == known.code
            at = outcome.last
            assert known.fits(Finding("", known.code, "", format_steps(trace), "", at, at))
            trace = trace[:at + 1]
    program = Reproducer(target, trace, known.code, promises, known.why).program(tmp_path, known.rounds)
    assert prove(program, tmp_path, target, Compiler(os.environ.get("CC") or "cc"))


def test_the_page_lists_them_all() -> None:
    text = DOC.read_text(encoding="utf-8")
    rows = [line.strip(" |").split(" | ") for line in text.splitlines() if line.startswith("| lib") and "`" in line]
    assert rows == [[known.library, f"`{known.code}`", known.why, known.against, f"`{known.shows}`"]
                    for known in DEVIATIONS]
