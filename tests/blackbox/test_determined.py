"""A seed determines a run; what depends on addresses or on chance is said to."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox import judge as judging
from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.confirming import Confirmation, confirm
from heapster.checkers.blackbox.fuzzing import fuzz_foreign
from heapster.checkers.blackbox.judge import DRAWN_LAYOUT, FIRST_LAYOUT, Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.protocol import Mode
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.findings.store import Store
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse

ZOO = Path(__file__).parent / "zoo"
TRACE = parse("a = malloc(7)")
# Crashes where it lies as it did when it was asked first; or each other time.
WHERE = """
#include <fcntl.h>
#include <unistd.h>
static void asked(unsigned long size)
{
    static int here;
    unsigned long now = (unsigned long)&here, before = 0;
    int file = size == 7 ? open(FILE_NAME, O_RDWR | O_CREAT, 0600) : -1;
    if (file < 0)
        return;
    long n = read(file, &before, sizeof before);
    lseek(file, 0, SEEK_SET);
    before = COMES;
    n = write(file, &before, sizeof before);
    (void)n;
    close(file);
    if (FAILS_NOW)
        __builtin_trap();
}
#define ON_MALLOC(size) asked(size)
#include "firstfit.h"
"""
BY_ADDRESS = ("before ? before : now", "before == now")
BY_CHANCE = ("before + 1", "before % 2")


def confirmed(folder: Path, comes: str, fails_now: str) -> Confirmation:
    """How the trace fails of a target whose faults depend on where it lies, or on how often it was asked."""
    source = folder / "where.c"
    source.write_text(WHERE.replace("COMES", comes).replace("FAILS_NOW", fails_now)
                      .replace("FILE_NAME", f'"{folder}/state"'))
    (folder / "firstfit.h").write_text((ZOO / "firstfit.h").read_text())
    target = resolve(ForeignOptions(grammar.parse(str(source)), compiler=Compiler("cc", ("-O1",))))
    with Judge(judge_program(target.bits), target) as judge:
        if judge.header.addresses_vary:
            pytest.skip("the system does not let a process choose its addresses (personality is refused)")
        promises = learn(judge, None).promises
        (folder / "state").unlink(missing_ok=True)
        run_trace(judge, TRACE, promises)
        return confirm(judge, lambda other: run_trace(other, TRACE, promises).code != "")


def test_what_depends_on_addresses_fails_in_each_process_that_has_them(tmp_path: Path) -> None:
    found = confirmed(tmp_path, *BY_ADDRESS)
    assert (found.same, found.other) == (found.of_same, 0)
    assert found.dependence == ": it depends on addresses (at others than these 0 of 4 times)"
    assert found.words == f"confirmed 6 of 10 times, in 7 processes{found.dependence}"


def test_what_depends_on_chance_is_said_to(tmp_path: Path) -> None:
    assert "it depends on time or chance" in confirmed(tmp_path, *BY_CHANCE).words


def test_layouts_differ_and_are_the_same_in_each_process() -> None:
    target = resolve(ForeignOptions(grammar.parse("libc")))
    lies = []
    for layout in (FIRST_LAYOUT, FIRST_LAYOUT, 2, 2, DRAWN_LAYOUT):
        with Judge(judge_program(target.bits), target, layout=layout) as judge:
            if judge.header.addresses_vary:
                pytest.skip("the system does not let a process choose its addresses (personality is refused)")
            lies.append(run_trace(judge, parse("a = malloc(1000000); b = malloc(5)"), learn(judge, None).promises)
                        .seen[0].pointer)
    assert lies[0] == lies[1] != lies[2] == lies[3]


def findings(seconds: float) -> list[tuple[str, tuple[str, ...]]]:
    """What a run finds, in order."""
    target = resolve(ForeignOptions(grammar.parse(str(ZOO / "merges_used.c"))))
    with Judge(judge_program(target.bits), target) as judge:
        run = Campaign(judge, seconds, 7)
        list(run.found())
    return [(shown.finding.code, shown.finding.trace) for shown in run.shown]


def test_a_shorter_run_finds_the_first_of_what_a_longer_one_does() -> None:
    short, long = findings(0.5), findings(1.5)
    assert short
    assert long[:len(short)] == short


def test_where_addresses_cannot_be_chosen_it_is_said(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = judging.Judge.run

    def refused(judge: Judge, mode: Mode, ops: int) -> judging.Ending:
        ending = original(judge, mode, ops)
        judge.header.addresses_vary = 1
        return ending

    monkeypatch.setattr(judging.Judge, "run", refused)
    run = fuzz_foreign(ForeignOptions(grammar.parse(str(ZOO.parent / "correct" / "classes.c")), 0.2), lambda _: None,
                       lambda *_: None, Store(empty_folder / ".heapster", print), empty_folder)
    claims = run.extra["not_checked"]
    assert any("personality(2)" in claim for claim in claims)
