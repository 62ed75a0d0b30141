"""How long lines are looked for, and what comes of a search that is cut short."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox import explaining, line_budget, repairing
from heapster.checkers.blackbox.alternatives import are_a_word_apart
from heapster.checkers.blackbox.battery import Battery, filling
from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.explaining import Explainer
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.line_budget import IN_VAIN, LEAST, OF_TRIES, SHARE, LineBudget
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.repairing import compiled_repairs
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.spec import Promises
from heapster.results import TargetError

POOL = Path(__file__).parent / "correct"
SIZE_OF_A_VARIABLE = """\
#include <stddef.h>
static char heap[1 << 16];
static size_t used;
static void wiped(char **ptr) { for (size_t n = 0; n < sizeof(ptr); n++) ((char *)ptr)[n] = 0; }
static size_t rounded(size_t n)
{
    n = n + 7;
    n = n - n % 8;
    n = n + 8;
    n = n + 16 - 8;
    n = n - 8 + 0;
    n = n + 0 - 8;
    return n;
}
void *malloc(size_t size)
{
    char *block = heap + used;
    used += rounded(size);
    if (size > 8)
        wiped((char **)(void *)block);
    return used > sizeof heap ? NULL : block;
}
void free(void *p) { (void)p; }
"""


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that says what it is set to."""
    now = [100.0]
    monkeypatch.setattr(line_budget, "processor_seconds", lambda: now[0])
    return now


def _target(path: Path) -> ForeignTarget:
    return resolve(ForeignOptions(grammar.parse(str(path))))


def test_the_time_grows_with_that_of_the_run() -> None:
    assert LineBudget(20, lambda: 0).seconds == 20 * SHARE > LineBudget(6, lambda: 0).seconds
    assert LineBudget(3.5, lambda: 0).seconds == LEAST and LineBudget(1, lambda: 0).seconds == LEAST


def test_only_what_lines_take_counts_and_judges_count_too(hours: list[float]) -> None:
    judges = [0.0]
    budget = LineBudget(20, lambda: judges[0])
    hours[0] += 1000
    with budget.counted():
        assert not budget.is_up()
        hours[0] += 30
    with budget.counted():
        assert not budget.is_up()
        judges[0] = 20
        assert budget.is_up() and "40 seconds" in budget.words() and "--seconds 40" in budget.words()


def test_however_long_variants_compile_some_time_is_left_to_try_them(hours: list[float]) -> None:
    budget = LineBudget(20, lambda: 0)
    with budget.counted():
        with budget.compiling():
            hours[0] += 41
            assert budget.is_up()
        hours[0] += OF_TRIES * budget.seconds - 1
        assert not budget.is_up()
        hours[0] += 2
        assert budget.is_up()


def test_a_search_that_finds_nothing_ends_sooner_and_compiling_does_not_count_for_that(hours: list[float]) -> None:
    budget = LineBudget(20, lambda: 0)
    with budget.counted():
        with budget.compiling():
            hours[0] += IN_VAIN * budget.seconds + 1
        assert not budget.is_in_vain()
    hours[0] += 1000
    with budget.counted():          # another finding
        assert not budget.is_in_vain() and not budget.has_ended
        hours[0] += IN_VAIN * budget.seconds + 1
        assert budget.is_in_vain() and budget.has_ended


def test_tries_that_ended_are_told_with_how_to_have_more() -> None:
    told = LineBudget(6, lambda: 0).words_of_tries(900)
    assert told.endswith("900 were tried (fuzz --seconds 12 tries twice as many)")


def test_variants_that_do_not_compile_are_compiled_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path, asked = tmp_path / "small.c", list[str]()
    path.write_text(SIZE_OF_A_VARIABLE)

    def never(target: ForeignTarget, *_: object) -> None:
        asked.append(target.name)
        raise TargetError("no")

    monkeypatch.setattr(explaining, "compiled_repairs", never)
    target = _target(path)
    with Judge(judge_program(target.bits), target) as judge:
        explainer = Explainer(target, Promises(), judge, 20)
        assert explainer._searching() == explainer._searching() == [] and asked == [target.name]
        explainer.close()


def test_what_names_a_variable_of_another_function_is_left_out_at_once(monkeypatch: pytest.MonkeyPatch,
                                                                       tmp_path: Path) -> None:
    """A compiler tells of it once in each function: rounds went by for every line, and no variant was left."""
    monkeypatch.setattr(repairing, "ROUNDS", 3)
    path = tmp_path / "small.c"
    path.write_text(SIZE_OF_A_VARIABLE)
    repairs = compiled_repairs(_target(path))[0].repairs
    assert {one.variant.line for one in repairs} >= set(range(7, 13))
    assert all("ptr" not in one.variant.after for one in repairs if one.function == "rounded")


def test_a_pool_that_makes_less_of_its_region_is_filled_all_the_same(tmp_path: Path) -> None:
    """Its last block lies over its own head: with blocks of half the size random calls do not come to it."""
    assert filling(0) == ()
    for right, wrong, fails in (("", "", False), ("memory + 64", "memory + 0", True)):
        (tmp_path / "pool.c").write_text((POOL / "pool.c").read_text().replace(right, wrong))
        (tmp_path / "pool.h").write_text((POOL / "pool.h").read_text().replace("256", "128"))
        (tmp_path / "pool.toml").write_text((POOL / "pool.toml").read_text())
        target = _target(tmp_path / "pool.toml")
        with Judge(judge_program(target.bits), target) as judge:
            battery = Battery(judge, learn(judge, None).promises)
            assert battery.fails(filling(target.region)) == fails


@pytest.mark.parametrize(("number", "other", "apart"), [
    ("1", "9", True), ("3", "11", True), ("10u", "2u", True), ("16", "8", False), ("15", "7", False),
    ("0", "8", False), ("1", "2", False)])
def test_what_is_no_size_of_anything_is_seldom_a_word_too_small(number: str, other: str, *, apart: bool) -> None:
    assert are_a_word_apart(number, other) == apart
