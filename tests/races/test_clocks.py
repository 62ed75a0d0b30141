"""Happens-before, access by access."""

from collections.abc import Callable, Sequence

import pytest

from heapster.checkers.races.clocks import Clocks
from heapster.machine.orders import ACQUIRE, RELAXED, RELEASE
from heapster.machine.traced import Broken

WORD, LOCK = 0x10400, 0x10000


Act = Callable[[Clocks], None]


def between(first: Sequence[Act], second: Sequence[Act]) -> Clocks:
    """What thread 0 and then thread 1 did."""
    clocks = Clocks(2)
    for act in first:
        act(clocks)
    clocks.turn(1)
    for act in second:
        act(clocks)
    return clocks


def on(word: int, act: Callable[[Clocks, int], None]) -> Act:
    return lambda clocks: act(clocks, word)


READ, WRITE = on(WORD, Clocks.read), on(WORD, Clocks.write)
READ_NEXT, WRITE_NEXT = on(WORD + 8, Clocks.read), on(WORD + 8, Clocks.write)


def read_atomic(clocks: Clocks, word: int) -> None:
    clocks.load(word, clocks.may_read(word, ACQUIRE, 0)[0], ACQUIRE)


def write_atomic(clocks: Clocks, word: int) -> None:
    clocks.store(word, 1, clocks.may_write(word, RELEASE, 0)[0], RELEASE)


def read_relaxed(clocks: Clocks, word: int) -> None:
    clocks.load(word, clocks.may_read(word, RELAXED, 0)[0], RELAXED)


SOFT_READ, SOFT_WRITE, RELAXED_READ = on(WORD, read_atomic), on(WORD, write_atomic), on(WORD, read_relaxed)
LOCKS, UNLOCKS = on(LOCK, Clocks.acquire), on(LOCK, Clocks.release)


@pytest.mark.parametrize("pair", [(READ, WRITE), (WRITE, READ), (WRITE, WRITE), (READ, SOFT_WRITE),
                                  (SOFT_READ, WRITE), (SOFT_WRITE, READ), (WRITE, SOFT_READ), (SOFT_WRITE, WRITE)])
def test_unordered_accesses_race_if_one_writes_and_one_is_plain(pair: tuple[Act, Act]) -> None:
    with pytest.raises(Broken) as caught:
        between(pair[:1], pair[1:])
    assert (caught.value.code, caught.value.address, caught.value.other) == ("data_race", WORD, 0)


@pytest.mark.parametrize("pair", [(READ, READ), (SOFT_READ, SOFT_WRITE), (SOFT_WRITE, SOFT_READ),
                                  (SOFT_WRITE, SOFT_WRITE), (READ, SOFT_READ)])
def test_readers_and_atomics_do_not_race(pair: tuple[Act, Act]) -> None:
    between(pair[:1], pair[1:])


def test_an_unlock_and_the_lock_after_it_order() -> None:
    between([WRITE, UNLOCKS], [LOCKS, WRITE])


def test_a_write_after_the_unlock_is_not_ordered() -> None:
    with pytest.raises(Broken):
        between([UNLOCKS, WRITE], [LOCKS, READ])


def test_an_atomic_write_orders_what_was_before_it_for_who_reads_it() -> None:
    between([WRITE_NEXT, SOFT_WRITE], [SOFT_READ, READ_NEXT])


def test_a_relaxed_read_orders_nothing() -> None:
    with pytest.raises(Broken):
        between([WRITE_NEXT, SOFT_WRITE], [RELAXED_READ, READ_NEXT])


def test_a_plain_write_is_after_all_atomic_ones_and_ends_what_is_known_of_them() -> None:
    clocks = between([SOFT_WRITE, SOFT_WRITE, UNLOCKS], [LOCKS, WRITE, UNLOCKS])
    assert [write.value for write in clocks.may_read(WORD, ACQUIRE, 7)] == [7]


def test_every_reader_is_remembered() -> None:
    clocks = Clocks(3)
    clocks.read(WORD)
    clocks.turn(1)
    clocks.read(WORD)
    clocks.release(LOCK)
    clocks.turn(2)
    clocks.acquire(LOCK)
    with pytest.raises(Broken) as caught:
        clocks.write(WORD)
    assert caught.value.other == 0


def test_giving_memory_back_is_a_write_to_all_of_it() -> None:
    with pytest.raises(Broken):
        between([READ], [lambda c: c.unmap(WORD, WORD + 64)])


@pytest.mark.parametrize("other", [READ, WRITE, SOFT_READ, SOFT_WRITE])
def test_a_range_is_written_as_each_of_its_words(other: Act) -> None:
    def whole(clocks: Clocks) -> None:
        clocks.write_range(WORD - 8, 24)

    for first, second in ((whole, other), (other, whole)):
        with pytest.raises(Broken) as caught:
            between([first], [second])
        assert (caught.value.code, caught.value.address) == ("data_race", WORD)
    between([lambda c: c.write_range(WORD + 8, 24)], [other])


def test_memory_that_came_again_is_new() -> None:
    clocks = Clocks(2)
    clocks.write(WORD)
    clocks.unmap(WORD, WORD + 64)
    clocks.turn(1)
    clocks.write(WORD)


def test_locks_that_nest_both_ways_are_a_cycle() -> None:
    clocks = Clocks(1)
    clocks.locked(2, [1])
    clocks.locked(3, [2])
    with pytest.raises(Broken) as caught:
        clocks.locked(1, [3])
    assert caught.value.code == "lock_order"
