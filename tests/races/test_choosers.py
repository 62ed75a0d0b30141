"""The explorer against closed forms: the number of schedules of small programs is known."""

from collections.abc import Callable, Sequence
from itertools import pairwise, permutations
from math import comb, factorial
from random import Random

import pytest

from heapster.checkers.races.clocks import Clocks
from heapster.checkers.races.schedulers.dfs import DepthFirst, Pruned
from heapster.checkers.races.schedulers.pct import ByPriority
from heapster.checkers.races.schedulers.replay import Follow
from heapster.machine.checked_memory import STATICS, WORD
from heapster.machine.simulated import Simulated
from heapster.machine.traced import Broken, Segment, Traced

Body = Callable[[Traced], None]
LOCKS = [STATICS + 64 * i for i in range(4)]
WORDS = [STATICS + 1024 + WORD * i for i in range(8)]


def run(bodies: Sequence[Body], chooser: DepthFirst | Follow | ByPriority) -> Traced:
    m = Traced(Simulated(), len(bodies), chooser, Clocks(len(bodies)))

    def started(body: Body) -> Callable[[], None]:
        return lambda: body(m)

    try:
        m.run([started(body) for body in bodies])
    finally:
        m.let_go()
    return m


def schedules(bodies: Sequence[Body], bound: int | None = None, reduce: bool = True) -> list[tuple[Segment, ...]]:
    """The schedules of all runs that were not cut short."""
    chooser = DepthFirst(bound, reduce, old=0)
    found: list[tuple[Segment, ...]] = []
    while chooser.more:
        chooser.begin()
        try:
            found.append(tuple(run(bodies, chooser).segments))
            chooser.end()
        except Pruned:
            chooser.end(cut=True)
    return found


def classes(bodies: Sequence[Body]) -> int:
    """How many runs can be told from each other."""
    chooser = DepthFirst(old=0)
    while chooser.more:
        chooser.begin()
        try:
            run(bodies, chooser)
            chooser.end()
        except Pruned:
            chooser.end(cut=True)
    return chooser.classes


def stores(count: int, word: int) -> Body:
    def body(m: Traced) -> None:
        for i in range(count):
            m.store_release(word, i + 1)

    return body


def loads(count: int, word: int) -> Body:
    def body(m: Traced) -> None:
        for _ in range(count):
            m.load_acquire(word)

    return body


def sections(count: int, mutex: int) -> Body:
    def body(m: Traced) -> None:
        for _ in range(count):
            m.lock(mutex)
            m.unlock(mutex)

    return body


def interleavings(counts: Sequence[int], bound: int) -> int:
    """Orders of that many steps of each thread in which at most `bound` unfinished threads are interrupted."""
    steps = [thread for thread, count in enumerate(counts) for _ in range(count)]
    total = 0
    for order in set(permutations(steps)):
        cuts = sum(a != b and a in order[i + 1:] for i, (a, b) in enumerate(pairwise(order)))
        total += cuts <= bound
    return total


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 1), (3, 2), (3, 3), (5, 4)])
def test_unreduced_two_threads_interleave_in_binomially_many_ways(a: int, b: int) -> None:
    assert len(schedules([stores(a, WORDS[0]), stores(b, WORDS[1])], reduce=False)) == comb(a + b, a)


def test_unreduced_three_threads_interleave_in_multinomially_many_ways() -> None:
    bodies = [stores(2, word) for word in WORDS[:3]]
    assert len(schedules(bodies, reduce=False)) == factorial(6) // 8


@pytest.mark.parametrize("bound", [0, 1, 2, 3])
@pytest.mark.parametrize("counts", [(2, 2), (3, 2), (2, 1, 2)])
def test_the_bound_counts_interrupted_threads(counts: tuple[int, ...], bound: int) -> None:
    bodies = [stores(count, WORDS[i]) for i, count in enumerate(counts)]
    assert len(schedules(bodies, bound, reduce=False)) == interleavings(counts, bound)


def test_no_schedule_is_run_twice() -> None:
    found = schedules([stores(4, WORDS[0]), stores(3, WORDS[1])], reduce=False)
    assert len(set(found)) == len(found)


def test_reduced_independent_threads_have_one_schedule() -> None:
    assert classes([stores(4, WORDS[0]), stores(4, WORDS[1]), loads(4, WORDS[2])]) == 1


def test_reduced_readers_have_one_schedule() -> None:
    assert classes([loads(5, WORDS[0]), loads(5, WORDS[0])]) == 1


@pytest.mark.parametrize(("a", "b"), [(1, 1), (3, 2), (4, 4)])
def test_reduced_writers_of_one_word_keep_all_their_orders(a: int, b: int) -> None:
    assert classes([stores(a, WORDS[0]), stores(b, WORDS[0])]) == comb(a + b, a)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_reduced_one_writer_meets_a_reader_before_between_and_after(n: int) -> None:
    assert classes([stores(1, WORDS[0]), loads(n, WORDS[0])]) == n + 1


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 2), (3, 3)])
def test_reduced_critical_sections_are_ordered_as_wholes(a: int, b: int) -> None:
    assert classes([sections(a, LOCKS[0]), sections(b, LOCKS[0])]) == comb(a + b, a)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_reduced_one_section_of_each_thread_comes_in_any_order(n: int) -> None:
    assert classes([sections(1, LOCKS[0])] * n) == factorial(n)


def test_reduced_two_pairs_of_threads_on_two_mutexes_multiply() -> None:
    bodies = [sections(1, LOCKS[0]), sections(1, LOCKS[0]), sections(1, LOCKS[1]), sections(1, LOCKS[1])]
    assert classes(bodies) == 4


def test_reduced_local_steps_between_conflicts_cost_nothing() -> None:
    def body(mine: int) -> Body:
        def both(m: Traced) -> None:
            for i in range(3):
                m.store_release(mine, i)
                m.store_release(WORDS[0], i)
        return both

    assert classes([body(WORDS[1]), body(WORDS[2])]) == comb(6, 3)


def test_threads_that_wait_for_ever_are_a_deadlock() -> None:
    with pytest.raises(Broken, match="thread 0 waits for what another thread never gave it") as caught:
        run([lambda m: m.wait(0)], Follow(()))
    assert caught.value.code == "deadlock"


def test_a_thread_that_keeps_its_lock_stops_the_next() -> None:
    with pytest.raises(Broken, match="of thread 0") as caught:
        run([lambda m: m.lock(LOCKS[0]), sections(1, LOCKS[0])], Follow(()))
    assert caught.value.code == "deadlock"


def test_locks_in_opposite_orders_are_told_without_a_deadlock() -> None:
    def both(first: int, second: int) -> Body:
        def body(m: Traced) -> None:
            m.lock(first)
            m.lock(second)
            m.unlock(second)
            m.unlock(first)
        return body

    with pytest.raises(Broken) as caught:
        run([both(LOCKS[0], LOCKS[1]), both(LOCKS[1], LOCKS[0])], Follow(()))
    assert caught.value.code == "lock_order"


def test_follow_runs_the_schedule_that_it_is_given() -> None:
    wanted = (Segment(1, 2), Segment(0, 1), Segment(1, 1), Segment(0, None), Segment(1, None))
    m = run([stores(3, WORDS[0]), stores(4, WORDS[0])], Follow(wanted))
    assert tuple(m.segments) == wanted


def test_pct_finds_a_bug_of_depth_two_about_as_often_as_promised() -> None:
    """The second store must come between the two loads: at least 1 in n * length schedules."""
    hits = 0

    def reader(m: Traced) -> None:
        nonlocal hits
        hits += m.load_acquire(WORDS[0]) != m.load_acquire(WORDS[0])

    for seed in range(400):
        run([reader, stores(1, WORDS[0])], ByPriority(Random(seed), 2, 2, 3))
    assert hits >= 400 // (2 * 3) // 2
