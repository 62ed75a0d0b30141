"""What counts as the same fault again, and what the search keeps clear of."""

from random import Random
from typing import Any

from heapster.checkers.blackbox.generator import Mood, tags
from heapster.checkers.blackbox.known_faults import LEAK, Known, KnownFaults
from heapster.model.trace import parse


def known(*faults: Known) -> KnownFaults:
    """Those that are known."""
    all_of_them = KnownFaults()
    for fault in faults:
        all_of_them.add(fault)
    return all_of_them


EVERYTHING = frozenset({"malloc", "free", "calloc", "realloc", "aligned_alloc"})
NULL = Known("crash", "free", frozenset({"free", "null"}))
HUGE = Known("crash", "realloc", frozenset({"malloc", "realloc", "huge"}))
LARGE = Known("crash", "malloc", frozenset({"malloc", "free", "large"}))


def test_what_needs_null_is_not_what_fails_without() -> None:
    assert known(NULL).again("crash", "free", frozenset({"free", "null", "malloc"}))
    assert not known(NULL).again("crash", "free", frozenset({"free", "malloc", "small"}))
    assert known(NULL).ends_at_null("free")
    assert not known(NULL).ends_at_null("realloc")


def mood(**changes: Any) -> Mood:
    """One that may meet everything."""
    return Mood(EVERYTHING, (0, 1, 2, 3, 4, 5), zero=True, huge=True, refusals=True, length=9)._replace(**changes)


def cleared(faults: KnownFaults, start: Mood) -> list[Mood | None]:
    """What twenty cases make of the mood."""
    return [faults.clear_of(start, Random(seed)) for seed in range(20)]


def test_of_a_trigger_each_part_is_left_out_in_some_cases() -> None:
    fault = Known.of("crash", parse("a = malloc(100); b = realloc(a, 33554432)"), frozenset({"malloc", "realloc"}))
    moods = [one for one in cleared(known(fault), mood()) if one]
    assert len(moods) == 20
    assert not any(fault.provoked_by(one) for one in moods)
    assert any("realloc" in one.verbs and one.most == (1 << 25) - 1 for one in moods)
    assert any("realloc" not in one.verbs and one.most == 1 << 25 for one in moods)


def test_sizes_below_a_trigger_are_not_masked() -> None:
    assert cleared(known(LARGE._replace(most=40_000, least=40_000)), mood(most=39_999)) == [mood(most=39_999)] * 20


def test_what_needs_least_of_all_cannot_be_left_out() -> None:
    tiny = Known("crash", "malloc", frozenset({"malloc", "tiny"}), least=1, most=1)
    assert cleared(known(tiny), mood(most=64)) == [None] * 20
    assert all(one and one.least > 16 for one in cleared(known(tiny), mood()))


def test_what_needs_null_or_the_huge_is_not_met_without() -> None:
    assert cleared(known(NULL, HUGE), mood(huge=False)) == [mood(huge=False)] * 20


def test_only_the_harmless_is_masked() -> None:
    assert known(NULL, Known("not_zeroed", "calloc", frozenset({"calloc"}))).masked == {("not_zeroed", "calloc")}


def test_another_leak_is_looked_for_where_the_known_one_cannot_be() -> None:
    faults = known(Known(LEAK, "malloc", frozenset({"malloc", "page"})))
    assert faults.leaks(parse("a = calloc(1, 5000)"))
    assert not faults.leaks(parse("a = malloc(100); b = realloc(a, 1000)"))
    assert faults.same_shape(Known(LEAK, "malloc", frozenset({"malloc", "small"})))


def test_running_dry_is_no_news_where_memory_is_lost() -> None:
    long = parse("; ".join(f"a{n} = malloc(9)" for n in range(50)))
    assert known(Known(LEAK, "free", tags(long))).leaked_away("spurious_null", long)
    assert not known(LARGE).leaked_away("spurious_null", long)


def test_a_hang_is_met_again_by_what_it_needs() -> None:
    trace = parse("a = malloc(200000)")
    assert known(LARGE._replace(code="hang", tags=frozenset({"malloc", "giant"}), hung=True)).hangs(trace)
    assert not known(LARGE).hangs(trace)
