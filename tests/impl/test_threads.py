"""A thread that ended and asks for more, as destructors of its other data may, is counted once, and keeps nothing."""

import pytest

from heapster.checkers.lockstep.decode import decode
from heapster.impl import api, layout, settings, thread_cache
from heapster.machine.simulated import Simulated
from heapster.model.invariants import violations


def attached(m: Simulated) -> list[int]:
    """How many threads the first two arenas have."""
    return [m.load(settings.attached_at(m.statics(), index)) for index in range(2)]


@pytest.mark.parametrize("cache", [0, 1 << 15])
def test_a_thread_that_ended_and_asks_for_more_is_counted_as_one(cache: int) -> None:
    m = Simulated()
    settings.set_cache(m, cache)
    for _ in range(3):
        block = api.malloc(m, 40)
        assert attached(m) == [1, 0]
        api.free(m, block)
        thread_cache.thread_end(m)
        assert attached(m) == [0, 0]
        assert m.load(m.thread() + layout.MY_ARENA) == layout.NULL
        heap = decode(m)
        assert (heap.caches, heap.arenas[0].ledger.used_blocks, violations(heap)) == ((), 0, [])


def test_it_keeps_nothing_from_then_on() -> None:
    m = Simulated()
    settings.set_cache(m, 1 << 15)
    api.free(m, api.malloc(m, 40))
    assert decode(m).arenas[0].ledger.used_blocks > 0       # it waits in a bin
    thread_cache.thread_end(m)
    api.free(m, api.malloc(m, 40))
    assert decode(m).arenas[0].ledger.used_blocks == 0


def test_threads_that_end_make_room_for_others() -> None:
    """In the arena that has the fewest."""
    m = Simulated()
    settings.set_arenas(m, 2)
    for thread in range(4):
        m.on_thread(thread)
        api.malloc(m, 40)
    assert attached(m) == [2, 2]
    for thread in (1, 3):
        m.on_thread(thread)
        thread_cache.thread_end(m)
    assert attached(m) == [2, 0]
    m.on_thread(5)
    api.malloc(m, 40)
    assert attached(m) == [2, 1]
