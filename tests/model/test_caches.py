"""What the model has a thread keep: limits that grow by doubling, within bounds, and what moves at once."""

import pytest

from heapster.model.caches import CacheState
from heapster.model.geometry import MAX_CACHE, MOST_COUNTED, MOST_MOVED
from heapster.model.heap import Bin, Cache, Stack


@pytest.mark.parametrize(("size", "most", "enough", "limits"), [
    (64, 1000, 1000, [2, 4, 8, 8]),                     # 16 of them are more than 1000 bytes
    (64, 1 << 20, 512, [2, 4, 8, 8]),                   # and more than enough
    (64, 1024, 1024, [2, 4, 8, 16, 16]),
    (2048, 1024, 1024, [0, 0]),                         # not one fits
    (600, 1024, 1024, [1, 1])])
def test_a_limit_doubles_as_far_as_both_bounds_allow(size: int, most: int, enough: int, limits: list[int]) -> None:
    thread = CacheState()
    assert [thread.grow_limit(size, most, enough) for _ in limits] == limits
    assert thread.limit(size) == limits[-1]


def test_no_bin_has_more_blocks_than_can_be_counted() -> None:
    thread = CacheState()
    for _ in range(20):
        thread.grow_limit(32, MAX_CACHE, MAX_CACHE)
    assert thread.limit(32) == MOST_COUNTED


def test_a_limit_is_lowered_to_what_is_allowed_now() -> None:
    thread = CacheState()
    for _ in range(4):
        thread.grow_limit(64, 1024, 1024)
    assert [thread.grow_limit(64, most, most) for most in (1023, 256, 63, 0)] == [8, 4, 0, 0]


def test_only_another_limit_forgets_that_the_bin_was_full() -> None:
    thread = CacheState()
    thread.grow_limit(64, 128, 128)
    thread.overflowed.add(64)
    thread.grow_limit(64, 128, 128)
    assert thread.overflowed == {64}
    thread.grow_limit(64, 256, 256)
    assert thread.overflowed == set()


@pytest.mark.parametrize(("size", "limit", "moved"), [
    (64, 0, 0), (64, 1, 1), (64, 2, 1), (64, 3, 2), (64, 16, 8), (MOST_MOVED, 9, 1), (MOST_MOVED // 2, 8, 2),
    (MOST_MOVED // 3, 16, 2), (2 * MOST_MOVED, 4, 1)])
def test_half_of_a_bin_moves_at_once_but_not_too_many_bytes(size: int, limit: int, moved: int) -> None:
    thread = CacheState()
    thread.limits[size] = limit
    assert thread.batch_size(size) == moved


def test_what_it_looks_like_at_rest() -> None:
    """Bins that hold something or may, by size; the last to come on top."""
    thread = CacheState()
    thread.bin(64).extend((0x100, 0x200))
    thread.limits.update({64: 2, 32: 0, 48: 1})
    thread.overflowed.add(64)
    thread.calls[0] = 7
    assert thread.value(3) == Cache(3, (Bin(48, 1, False, Stack(0, ())), Bin(64, 2, True, Stack(2, (0x200, 0x100)))),
                                    (7, 0, 0, 0, 0))
    thread.clear()
    assert (thread.value(0), thread.overflowed) == (Cache(0, (), (0,) * 5), set())
