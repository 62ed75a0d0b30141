"""How a heap differs from the predicted one, in words that say what is elsewhere."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from heapster.checkers.lockstep.heap_diff import difference
from heapster.checkers.lockstep.run_trace import on_source, rerun
from heapster.model.geometry import CALLS
from heapster.model.heap import Heap, Stack
from heapster.model.trace import parse

Change = Callable[[Any], Any]
TRACE = ("growth 4096; arenas 2; threshold 8192; cache 100; a = malloc(40); b = malloc(100); c = malloc(40); "
         "d = malloc(24); e = malloc(9000); f = malloc(20000); policy next_fit; cache 0; free(b); free(d); "
         "thread 1; g = malloc(40); free(c); cache 100; h = malloc(24); i = malloc(24); free(h)")


@cache
def heap() -> Heap:
    """Two arenas, blocks that wait on a remote list and in bins, two mappings."""
    after = rerun(parse(TRACE), on_source()).after
    assert after is not None
    return after


def arena(change: Change) -> Heap:
    """The heap, its first arena changed."""
    return heap()._replace(arenas=(change(heap().arenas[0]), *heap().arenas[1:]))


def region(change: Change) -> Heap:
    """Its region changed."""
    return arena(lambda a: a._replace(regions=(change(a.regions[0]),)))


def block(number: int, **fields: Any) -> Heap:
    """One of its blocks changed."""
    return region(lambda r: r._replace(blocks=(
        *r.blocks[:number], r.blocks[number]._replace(**fields), *r.blocks[number + 1:])))


def cached(change: Change) -> Heap:
    """The cache of the second thread changed."""
    return heap()._replace(caches=(*heap().caches[:-1], change(heap().caches[-1])))


def ledger(value: Any, **fields: Any) -> Any:
    return value._replace(ledger=value.ledger._replace(**fields))


FIRST = heap().arenas[0]
A, B, C, D = (block.address for block in FIRST.regions[0].blocks)
WAITING = Stack(2, (A + 8, C + 8))

SAID = [
    (heap()._replace(policy="best_fit"), "the policy is best_fit, predicted next_fit"),
    (heap()._replace(threshold=4096), "the threshold is 4096, predicted 8192"),
    (heap()._replace(growth=8192), "the growth is 8192, predicted 4096"),
    (heap()._replace(cache=0), "the cache is 0, predicted 100"),
    (heap()._replace(keep=1), "the keep is 1, predicted 0"),
    (heap()._replace(arenas=heap().arenas[:1]), "arenas are open that should not be, or the contrary"),
    (heap()._replace(arenas=(*heap().arenas, FIRST)), "arenas are open that should not be, or the contrary"),
    (heap()._replace(arenas=(FIRST, heap().arenas[1]._replace(index=2))),
     "arenas are open that should not be, or the contrary"),
    (arena(lambda a: a._replace(regions=())), "arena 0: its regions are none, predicted sbrk:4096"),
    (arena(lambda a: a._replace(regions=(*a.regions, a.regions[0]))),
     "arena 0: its regions are sbrk:4096 sbrk:4096, predicted sbrk:4096"),
    (region(lambda r: r._replace(kind="mmap")), "arena 0: its regions are mmap:4096, predicted sbrk:4096"),
    (region(lambda r: r._replace(end=r.end + 16)), "arena 0: its regions are sbrk:4112, predicted sbrk:4096"),
    (region(lambda r: r._replace(fence_region=0)), "arena 0: the fence names another region"),
    (region(lambda r: r._replace(fence=r.fence._replace(prev_used=True))),
     ("arena 0: the block at +4072 is 0 bytes used, left used, owner 0, "
     "predicted 0 bytes used, left free, owner 0")),
    (region(lambda r: r._replace(blocks=r.blocks[:-1])),
     ("arena 0: the block at +280 is 0 bytes used, left free, owner 0, "
     "predicted 3792 bytes free, left used, owner 0")),
    (region(lambda r: r._replace(blocks=(*r.blocks, r.blocks[0]))),
     ("arena 0: the block at +4072 is 48 bytes used, left used, owner 0, "
     "predicted 0 bytes used, left free, owner 0")),
    (block(0, size=64),
     ("arena 0: the block at +40 is 64 bytes used, left used, owner 0, "
     "predicted 48 bytes used, left used, owner 0")),
    (block(0, owner=1),
     ("arena 0: the block at +40 is 48 bytes used, left used, owner 1, "
     "predicted 48 bytes used, left used, owner 0")),
    (block(1, used=True, footer=None),
     ("arena 0: the block at +88 is 160 bytes used, left used, owner 0, "
     "predicted 160 bytes free, left used, owner 0")),
    (block(1, footer=16),
     ("arena 0: the block at +88 is 160 bytes free, left used, owner 0, footer 16, "
     "predicted 160 bytes free, left used, owner 0")),
    (block(3, prev_used=False),
     ("arena 0: the block at +280 is 3792 bytes free, left free, owner 0, "
     "predicted 3792 bytes free, left used, owner 0")),
    (arena(lambda a: a._replace(forward=a.forward[::-1])),
     "arena 0: the free list forward is +280 +88, predicted +88 +280"),
    (arena(lambda a: a._replace(forward=())), "arena 0: the free list forward is empty, predicted +88 +280"),
    (arena(lambda a: a._replace(backward=(D, 16))),
     "arena 0: the free list backward is +280 elsewhere, predicted +280 +88"),
    (arena(lambda a: a._replace(cursor=B)), "arena 0: the cursor is at +88, predicted its head"),
    (arena(lambda a: a._replace(remote=WAITING)), "arena 0: its remote list is +40 +248, predicted empty"),
    (arena(lambda a: a._replace(idle=a.idle._replace(peak=64))),
     ("arena 0: it is Idle(peak=64, recent=240, turnover=2, patience=0, purged=False), "
     "predicted Idle(peak=0, recent=240, turnover=2, patience=0, purged=False)")),
    (arena(lambda a: ledger(a, held=0)), "arena 0: bytes held are 0, predicted 4096"),
    (arena(lambda a: ledger(a, used_blocks=3)), "arena 0: used blocks are 3, predicted 2"),
    (arena(lambda a: ledger(a, calls=(5, 0, 0, 0, 2))),
     f"arena 0: calls of {CALLS} are (5, 0, 0, 0, 2), predicted (4, 0, 0, 0, 2)"),
    (arena(lambda a: a._replace(brk=a.brk + 16)),
     "arena 0: the break it remembers is +16 bytes off, or its top region is another"),
    (arena(lambda a: a._replace(top=0)),
     "arena 0: the break it remembers is +0 bytes off, or its top region is another"),
    (heap()._replace(attached=((3, 2),)), "threads at each arena are 3: 2, predicted 0: 1, 1: 1"),
    (heap()._replace(caches=heap().caches[1:]), "1 thread with caches, predicted 2"),
    (cached(lambda c: c._replace(arena=1)), "cache 1 is of a thread of arena 1, predicted 0"),
    (cached(lambda c: c._replace(calls=(0, 0, 0, 0, 2))),
     f"cache 1: calls of {CALLS} are (0, 0, 0, 0, 2), predicted (0, 0, 0, 0, 1)"),
    (cached(lambda c: c._replace(bins=c.bins[:1])),
     "cache 1: a bin is absent, predicted of 48 bytes, 0 of 2 blocks: empty"),
    (cached(lambda c: c._replace(bins=(*c.bins, c.bins[0]))),
     "cache 1: a bin is of 32 bytes, 1 of 2 blocks: +248, predicted absent"),
    (cached(lambda c: c._replace(bins=(c.bins[0]._replace(overflowed=True), c.bins[1]))),
     "cache 1: a bin is of 32 bytes, 1 of 2 blocks, was full: +248, predicted of 32 bytes, 1 of 2 blocks: +248"),
    (cached(lambda c: c._replace(bins=(c.bins[0]._replace(stack=Stack(0, ())), c.bins[1]))),
     "cache 1: a bin is of 32 bytes, 0 of 2 blocks: empty, predicted of 32 bytes, 1 of 2 blocks: +248"),
    (heap()._replace(mapped=heap().mapped[:1]),
     "mapped blocks are [(20480, True, 0)], predicted [(20480, True, 0), (12288, True, 0)]"),
    (heap()._replace(mapped=(heap().mapped[0]._replace(address=16), heap().mapped[1])),
     "a mapped block starts elsewhere than predicted"),
    (heap()._replace(mapped_ledger=heap().mapped_ledger._replace(free_bytes=16)),
     "mapped blocks: free bytes are 16, predicted 0"),
    (heap()._replace(mapped_backward=()), "the list of mapped blocks differs along its prev links"),
    (heap()._replace(lately=heap().lately._replace(steps=3)),
     "mapped blocks had (32768, 0, 3) lately, predicted (32768, 0, 2)"),
]


@pytest.mark.parametrize(("actual", "said"), SAID, ids=[said for _, said in SAID])
def test_what_differs_is_said_and_what_was_predicted(actual: Heap, said: str) -> None:
    assert difference(heap(), actual) == said


def test_a_place_names_its_region_where_there_are_several() -> None:
    """They count as the arena lists them."""
    trace = parse("growth 4096; a = malloc(5000); foreign_sbrk(16); b = malloc(9000); free(a)")
    several = rerun(trace, on_source()).after
    assert several is not None
    (one,) = several.arenas
    cut = several._replace(arenas=(one._replace(forward=one.forward[:1]),))
    assert difference(several, cut) == "arena 0: the free list forward is 1:+40, predicted 1:+40 0:+9048"


def test_mapped_blocks_differ_by_their_lengths_or_by_where_they_start() -> None:
    one, *others = heap().mapped
    longer = heap()._replace(mapped=(one._replace(length=one.length + 4096), *others))
    assert difference(heap(), longer) == (
        "mapped blocks are [(24576, True, 0), (12288, True, 0)], predicted [(20480, True, 0), (12288, True, 0)]")
