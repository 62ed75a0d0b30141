"""What counts as the same fault again, and what the search keeps clear of."""

from heapster.checkers.foreign.known import LEAK, MOST_IN_VOLUME, Known, KnownFaults
from heapster.checkers.foreign.traces import tags
from heapster.model.trace import parse


def known(*faults: Known) -> KnownFaults:
    """Those that are known."""
    all_of_them = KnownFaults()
    for fault in faults:
        all_of_them.add(fault)
    return all_of_them


NULL = Known("crash", "free", frozenset({"free", "null"}))
HUGE = Known("crash", "realloc", frozenset({"malloc", "realloc", "huge"}))
LARGE = Known("crash", "malloc", frozenset({"malloc", "free", "large"}))


def test_what_needs_null_is_not_what_fails_without() -> None:
    assert known(NULL).again("crash", "free", frozenset({"free", "null", "malloc"}))
    assert not known(NULL).again("crash", "free", frozenset({"free", "malloc", "small"}))
    assert known(NULL).ends_at_null("free")
    assert not known(NULL).ends_at_null("realloc")


def test_volume_is_kept_below_the_sizes_that_fail_and_asks_for_nothing_huge() -> None:
    assert known(NULL, HUGE).most_in_volume() == MOST_IN_VOLUME
    assert known(NULL, HUGE).in_volume() == []
    assert known(LARGE).most_in_volume() == 8192
    assert known(LARGE._replace(tags=frozenset({"malloc", "tiny"}))).most_in_volume() == 0


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
