"""The two engines themselves: what they pass over, and what they make of each other's suspicions."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.protocol import Ended, Mode, Suspicion
from heapster.checkers.blackbox.racing import run_threads
from heapster.checkers.blackbox.reproducer import Reproducer, prove
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.blackbox.target import VERBS
from heapster.checkers.blackbox.volume import still_grows
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.spec import Promises
from heapster.model.trace import parse

HERE = Path(__file__).parent
TAKES_HUGE = """
#define TOO_LARGE(size) 0
#define ROUND(size) ((size) > PTRDIFF_MAX ? 64 : ((size) + 15) & ~(size_t)15)
#include "firstfit.h"
"""


def judging(target: Path) -> Judge:
    """A judge of it."""
    found = resolve(ForeignOptions(grammar.parse(str(target))))
    return Judge(judge_program(found.bits), found)


def test_blocks_of_8_bytes_side_by_side_do_not_overlap() -> None:
    with judging(HERE / "correct" / "dense.c") as judge:
        assert learn(judge, None).promises.small_blocks
        header = judge.header
        header.seed, header.masked, header.verbs = 1, 0, (1 << len(VERBS)) - 1
        header.most_live, header.most_size, header.live_budget = 256, 1000, 1 << 20
        ending = judge.run(Mode.GENERATE, 20_000)
        assert (ending.suspicion, ending.done_ops) == (Suspicion.NOTHING, 20_000)


def test_after_a_realloc_that_should_have_failed_its_old_block_is_nobodys(tmp_path: Path) -> None:
    source = tmp_path / "huge.c"
    source.write_text(TAKES_HUGE)
    (tmp_path / "firstfit.h").write_text((HERE / "zoo" / "firstfit.h").read_text())
    with judging(source) as judge:
        promises = learn(judge, None).promises
        trace = parse("a = malloc(24); b = realloc(a, SIZE_MAX - 8); c = malloc(24); d = malloc(24)")
        assert run_trace(judge, trace, promises).code == "huge_accepted"
        masked = frozenset({("huge_accepted", "realloc")})
        assert run_trace(judge, trace, promises, masked).code == ""


@pytest.mark.parametrize("dally", ["for (;;) ;", "for (;;) pause();"], ids=["works", "sleeps"])
def test_a_call_that_does_not_come_back_is_given_up(tmp_path: Path, dally: str) -> None:
    source = tmp_path / "slow.c"
    source.write_text(f'#include <unistd.h>\n#define ON_MALLOC(size) if ((size) == 7) {dally}\n#include "firstfit.h"\n')
    (tmp_path / "firstfit.h").write_text((HERE / "zoo" / "firstfit.h").read_text())
    with judging(source) as judge:
        judge.header.limit_ms = 100
        ending = judge.run(Mode.PRECISE, judge.set_steps(parse("a = malloc(6); b = malloc(7); c = malloc(8)")))
        assert (ending.ended, ending.current) == (Ended.TIMED_OUT, 1)


def test_a_call_may_take_time_for_the_bytes_that_it_touches(tmp_path: Path) -> None:
    (tmp_path / "firstfit.h").write_text((HERE / "zoo" / "firstfit.h").read_text().replace(
        "    return b + 1;", "    return memset(b + 1, 0, b->size);"))
    (tmp_path / "clears.c").write_text('#include "firstfit.h"\n')
    with judging(tmp_path / "clears.c") as judge:
        judge.header.limit_ms, judge.patient = 400, False
        outcome = run_trace(judge, parse(f"a = malloc({1 << 30}); b = malloc(24)"), Promises())
        assert (outcome.code, outcome.steps) == ("", 2)


def test_memory_that_was_asked_for_does_not_run_away(tmp_path: Path) -> None:
    (tmp_path / "firstfit.h").write_text((HERE / "zoo" / "firstfit.h").read_text().replace(
        "    return b + 1;", "    return memset(b + 1, 0, size == 24 ? 0 : b->size);").replace(
        "ON_MALLOC(size);\n    if", "if (size == 24) size = (size_t)1 << 31;\n    if"))
    (tmp_path / "wastes.c").write_text('#include "firstfit.h"\n')
    with judging(tmp_path / "wastes.c") as judge:
        judge.header.memory_limit = 1 << 27
        ending = judge.run(Mode.PRECISE, judge.set_steps(parse(f"a = malloc({1 << 31})")))
        assert (ending.ended, ending.died) == (Ended.TIRED, False)
        ending = judge.run(Mode.PRECISE, judge.set_steps(parse("a = malloc(24)")))
        assert ending.ended is Ended.TOO_BIG


def test_a_block_is_named_by_who_holds_it_not_by_who_held_its_place(tmp_path: Path) -> None:
    (tmp_path / "firstfit.h").write_text((HERE / "zoo" / "firstfit.h").read_text())
    (tmp_path / "dirty.c").write_text((HERE / "zoo" / "calloc_zeroes_one.c").read_text())
    with judging(tmp_path / "dirty.c") as judge:
        outcome = run_trace(judge, parse("a = malloc(8); free(a); b = calloc(2, 1)"), learn(judge, None).promises)
        assert (outcome.code, dict(outcome.names)[outcome.answered]) == ("not_zeroed", 1)


def test_of_a_block_whose_alignment_is_illegal_nothing_is_asked(tmp_path: Path) -> None:
    (tmp_path / "firstfit.h").write_text((HERE / "zoo" / "firstfit.h").read_text())
    (tmp_path / "odd.c").write_text((HERE / "zoo" / "bad_alignment.c").read_text())
    trace = parse("z = malloc(8); a = posix_memalign(24, 24); b = realloc(a, 20); free(b)")
    with judging(tmp_path / "odd.c") as judge:
        promises = learn(judge, None).promises
        assert run_trace(judge, trace, promises).code == "bad_alignment_accepted"
        masked = frozenset({("bad_alignment_accepted", "posix_memalign")})
        assert run_trace(judge, trace, promises, masked).code == ""


def test_null_that_ends_free_hides_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "mine.c"
    source.write_text('#define FREE_OF_NULL(p)\n#define COPIED(old, size) ((old) / 2)\n#include "firstfit.h"\n')
    (tmp_path / "firstfit.h").write_text((HERE / "zoo" / "firstfit.h").read_text())
    with judging(source) as judge:
        run = Campaign(judge, 10, 1)
        for text in ("free(NULL); a = malloc(24)", "a = malloc(40); free(NULL); b = realloc(a, 400); free(b)"):
            run.judge_trace(parse(text))
    assert [shown.finding.code for shown in run.shown] == ["crash", "prefix_lost"]


def test_null_that_ends_free_does_not_keep_volume_from_being_tried(tmp_path: Path) -> None:
    source = tmp_path / "mine.c"
    source.write_text("#define FREE_OF_NULL(p)\n#define ON_FREE(b) if ((b)->size < 999) { UNLOCK(); return; }\n"
                      '#include "firstfit.h"\n')
    (tmp_path / "firstfit.h").write_text((HERE / "zoo" / "firstfit.h").read_text())
    with judging(source) as judge:
        run = Campaign(judge, 20, 1)
        next(shown for shown in run.found() if shown.finding.code == "memory_never_returned")
    assert {"crash", "memory_never_returned"} <= {shown.finding.code for shown in run.shown}


def test_the_generator_never_runs_out_of_things_to_do() -> None:
    with judging(HERE / "correct" / "classes.c") as judge:
        learn(judge, None)
        header = judge.header
        header.masked, header.verbs, header.limit_ms = 0, (1 << len(VERBS)) - 1, 1000
        header.most_live, header.most_size, header.live_budget = 4096, 1 << 16, 1 << 18
        for seed in range(5):
            judge.header.seed = seed
            ending = judge.run(Mode.GENERATE, 30_000)
            assert (ending.ended, ending.done_ops) == (Ended.RETURNED, 30_000)


def test_a_program_shows_what_happens_when_the_system_refuses(tmp_path: Path) -> None:
    source = tmp_path / "mine.c"
    source.write_text('#define FAILS() (*(volatile int *)0 = 1, NULL)\n#include "firstfit.h"\n')
    (tmp_path / "firstfit.h").write_text((HERE / "zoo" / "firstfit.h").read_text())
    target, trace = resolve(ForeignOptions(grammar.parse(str(source)))), parse("fail mmap 1; a = malloc(24)")
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, None).promises
        assert run_trace(judge, trace, promises).code == "crash"
    assert prove(Reproducer(target, trace, "crash", promises, "").program(tmp_path), tmp_path, target, Compiler())


def test_what_a_run_may_take_is_as_before_after_another_kind_of_run() -> None:
    with judging(HERE / "correct" / "classes.c") as judge:
        learn(judge, None)
        before = judge.header.limit_ms
        assert not still_grows(judge, parse("a = malloc(24)"), 200)
        assert judge.header.limit_ms == before
        run_threads(judge, 2, 100, 1)
        assert judge.header.limit_ms == before


def test_the_compiled_checks_ask_for_the_alignment_that_was_asked_for() -> None:
    with judging(HERE / "zoo" / "alignment_between.c") as judge:
        learn(judge, None)
        header = judge.header
        header.seed, header.masked, header.verbs = 1, 0, (1 << len(VERBS)) - 1
        header.most_live, header.most_size, header.live_budget = 64, 200, 1 << 20
        assert judge.run(Mode.GENERATE, 20_000).suspicion is Suspicion.MISALIGNED


def test_a_slow_target_ends_what_is_generated_before_it_is_late(tmp_path: Path) -> None:
    source = tmp_path / "slow.c"
    source.write_text("static volatile int spun;\n#define ON_MALLOC(size) for (int n = 0; n < 100000; n++) spun++\n"
                      '#include "firstfit.h"\n')
    (tmp_path / "firstfit.h").write_text((HERE / "zoo" / "firstfit.h").read_text())
    with judging(source) as judge:
        learn(judge, None)
        header = judge.header
        header.seed, header.masked, header.verbs, header.spend_ms = 1, 0, 1, 100
        header.most_live, header.most_size, header.live_budget = 64, 200, 1 << 20
        ending = judge.run(Mode.GENERATE, 600_000)
        assert ending.ended is Ended.RETURNED
        assert 0 < ending.done_ops < 600_000
