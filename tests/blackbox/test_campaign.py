"""A campaign: every kind of case from the start, and what one fault must not hide."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.target import VERB_BITS
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse

HERE = Path(__file__).parent
SECONDS = 60.0                  # of a campaign that is stopped as soon as it has found what it must
LARGE_REALLOC_DIES = "#define BEFORE_NEW_BLOCK(p) if (size >= 33554432) abort()\n"
SMALL_REALLOC_FORGETS = """
#define IN_PLACE(b, size) (((b)->size == 80 && (size) == 13) ? (memset(p, 0, 1), 1) : (b)->size >= (size))
"""
AN_ODD_SIZE_DIES = "#define ON_MALLOC(size) if ((size) == 33) abort()\n"


def target(folder: Path, *faults: str) -> Judge:
    """A judge of an allocator with these faults."""
    source = folder / "mine.c"
    source.write_text("#include <stdlib.h>\n" + "".join(faults) + '#include "firstfit.h"\n')
    (folder / "firstfit.h").write_text((HERE / "zoo" / "firstfit.h").read_text())
    found = resolve(ForeignOptions(grammar.parse(str(source))))
    return Judge(judge_program(found.bits), found)




def test_every_kind_of_case_has_its_turn_soon() -> None:
    found = resolve(ForeignOptions(grammar.parse(str(HERE / "correct" / "firstfit.c"))))
    with Judge(judge_program(found.bits), found) as judge:
        run = Campaign(judge, SECONDS, 1, threads=2)
        for _ in range(120):
            run.take_turn()
    done = {kind.name: kind.done for kind in run.schedule.kinds}
    assert set(done) == {"basics", "random", "compiled", "repeated", "extremes", "threads"}
    assert min(done.values()) >= 1
    assert done["random"] > 10
    assert run.shown == []


def test_a_fault_of_large_requests_hides_none_of_small_ones(tmp_path: Path) -> None:
    with target(tmp_path, LARGE_REALLOC_DIES, SMALL_REALLOC_FORGETS) as judge:
        run = Campaign(judge, SECONDS, 1)
        run.judge_trace(parse("a = malloc(100); b = realloc(a, 40000000)"))
        assert [shown.finding.trace[0] for shown in run.shown] == ["a = malloc(0)"]
        next(shown for shown in run.found() if shown.finding.code == "prefix_lost")
    assert {shown.finding.code for shown in run.shown} >= {"abort", "prefix_lost"}


def test_what_looks_like_a_known_fault_is_shrunk_before_it_counts_as_one(tmp_path: Path) -> None:
    with target(tmp_path, AN_ODD_SIZE_DIES, LARGE_REALLOC_DIES) as judge:
        run = Campaign(judge, SECONDS, 1)
        run.judge_trace(parse("a = malloc(100); b = realloc(a, 40000000)"))
        run.judge_trace(parse("a = malloc(100); b = malloc(30000000); c = realloc(a, 200); d = malloc(33)"))
    assert [len(shown.finding.trace) for shown in run.shown] == [2, 1]
    assert run.shown[1].finding.trace == ("a = malloc(33)",)


def test_usable_sizes_are_used_again_when_they_were_not_to_blame(tmp_path: Path) -> None:
    with target(tmp_path, AN_ODD_SIZE_DIES) as judge:
        run = Campaign(judge, SECONDS, 1)
        run.judge_trace(parse("a = malloc(33)"))
        assert [shown.finding.code for shown in run.shown] == ["abort"]
        assert judge.header.has & VERB_BITS["usable_size"]


@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_what_was_found_before_is_tried_however_little_time_there_is(tmp_path: Path, seconds: float) -> None:
    with target(tmp_path, AN_ODD_SIZE_DIES) as judge:
        run = Campaign(judge, seconds, 1, first=[parse("a = malloc(33)")])
        list(run.found())
    assert run.shown[0].finding.trace == ("a = malloc(33)",)


@pytest.mark.parametrize(("body", "answers"), [("return 0;", "NULL"), ("return p;", "its argument")])
def test_a_stub_of_realloc_is_one_finding_and_said(tmp_path: Path, body: str, answers: str) -> None:
    text = (HERE / "correct" / "mm.c").read_text().replace("mm_realloc(", "unused_realloc(")
    (tmp_path / "mm.c").write_text(f"{text}\nvoid *mm_realloc(void *p, size_t size)\n{{\n    {body}\n}}\n")
    found = resolve(ForeignOptions(grammar.parse(str(tmp_path / "mm.c"))))
    with Judge(judge_program(found.bits), found) as judge:
        campaign = Campaign(judge, 1, 1)
        for trace in ("a = realloc(NULL, 24)", "a = malloc(24); b = malloc(24); c = realloc(a, 4000)",
                      "a = malloc(24); b = malloc(24); c = realloc(a, 40)", "a = malloc(40); b = realloc(a, 1e15)"):
            campaign.judge_trace(parse(trace.replace("1e15", str(1 << 60))))
    assert len(campaign.shown) == 1
    assert f"realloc is a stub, which always answers {answers}: that is told once" in campaign.learnt.words
