"""Heaps that are not as they should be: what a test of invariants begins with."""

from collections.abc import Callable
from typing import Any

from heapster.model.geometry import HEADER
from heapster.model.heap import UNTAKEN, Arena, Bin, Block, Cache, Heap, Lately, Region, Stack
from heapster.model.sketch import heap

Breaking = Callable[[Heap], Heap]


def arena(heap_: Heap, **changes: Any) -> Heap:
    """The heap with its first arena changed."""
    return heap_._replace(arenas=(heap_.arenas[0]._replace(**changes), *heap_.arenas[1:]))


def region(heap_: Heap, **changes: Any) -> Heap:
    """The heap with the oldest region of its first arena changed."""
    newer, oldest = heap_.arenas[0].regions[:-1], heap_.arenas[0].regions[-1]
    return arena(heap_, regions=(*newer, oldest._replace(**changes)))


def block(index: int, **changes: Any) -> Breaking:
    """Change one block of the first arena's oldest region."""
    def change(heap_: Heap) -> Heap:
        blocks = list(heap_.arenas[0].regions[-1].blocks)
        blocks[index] = blocks[index]._replace(**changes)
        return region(heap_, blocks=tuple(blocks))
    return change


def fence(**changes: Any) -> Breaking:
    """Change the fence of the first arena's oldest region."""
    return lambda heap_: region(heap_, fence=heap_.arenas[0].regions[-1].fence._replace(**changes))


def payload(heap_: Heap, index: int, of: int = 0) -> int:
    """The payload of a block of an arena's oldest region."""
    arena_ = next(a for a in heap_.arenas if a.index == of)
    return arena_.regions[-1].blocks[index].address + HEADER


def remote(heap_: Heap, payloads: list[int]) -> Heap:
    """The heap with these on the first arena's remote list."""
    return arena(heap_, remote=Stack(len(payloads), tuple(payloads)))


def cached(heap_: Heap, size: int, payloads: list[int], limit: int = 8) -> Heap:
    """The heap with one cache of one bin."""
    bin_ = Bin(size, limit, False, Stack(len(payloads), tuple(payloads)))
    return heap_._replace(caches=(Cache(0, (bin_,), (0, 0, 0, 0, 0)),))


def ledger(**changes: Any) -> Breaking:
    """Change the first arena's totals."""
    return lambda heap_: arena(heap_, ledger=heap_.arenas[0].ledger._replace(**changes))


def shift(value: Block | Region, by: int) -> Any:
    """The same, elsewhere."""
    return value._replace(address=value.address + by)


def misalign(_: Heap) -> Heap:
    """A heap whose only region starts 8 bytes later than it should, with all that is in it."""
    heap_ = heap("#64 #32")
    old = heap_.arenas[0].regions[0]
    blocks = tuple(shift(b, 8) for b in old.blocks)
    moved = old._replace(address=old.address + 8, blocks=blocks, fence=shift(old.fence, 8),
                         fence_region=old.address + 8, end=old.end + 8)
    size = moved.end - moved.start
    found = heap_.arenas[0].ledger._replace(held=size)
    return arena(heap_, regions=(moved,), top=moved.address, brk=moved.end, ledger=found)._replace(
        system=((moved.start, moved.end),))


def overlap(_: Heap) -> Heap:
    """A mapping within a region."""
    heap_ = heap("#64 .8192 ; .4096")
    start = heap_.arenas[0].regions[0].start
    (moved,) = (mapped._replace(start=start, address=start + 40) for mapped in heap_.mapped)
    return heap_._replace(mapped=(moved,), mapped_backward=(moved.address,), system=heap_.system[:1])


def twice(heap_: Heap) -> Heap:
    """A free block listed twice, both ways."""
    listed = heap_.arenas[0].forward
    return arena(heap_, forward=(*listed, listed[0]), backward=(listed[0], *listed[::-1]))


def unlisted(heap_: Heap) -> Heap:
    """A free block that is not on the list."""
    listed = heap_.arenas[0].forward
    return arena(heap_, forward=listed[1:], backward=listed[:0:-1])


def listed_used(heap_: Heap) -> Heap:
    """A used block on the list."""
    listed = (*heap_.arenas[0].forward, heap_.arenas[0].regions[-1].blocks[0].address)
    return arena(heap_, forward=listed, backward=listed[::-1])


def segregated(heap_: Heap, *classes: tuple[int, int]) -> Heap:
    """The heap with the first arena's free blocks, of 32, 64 and 96 bytes, listed by these classes."""
    first, last, middle, *others = heap_.arenas[0].forward
    listed = (first, middle, last, *others)
    return arena(heap_, forward=listed, backward=listed[::-1], classes=classes)


def gap(_: Heap) -> Heap:
    """Sixteen bytes that belong to no block."""
    heap_ = heap("#64 #32 #48")
    return block(1, address=heap_.arenas[0].regions[0].blocks[1].address + 16)(heap_)


def early_fence(heap_: Heap) -> Heap:
    """A fence before the last block's end, in a region that is as much smaller."""
    old = heap_.arenas[0].regions[-1]
    end = old.end - 16
    held = heap_.arenas[0].ledger._replace(held=heap_.arenas[0].ledger.held - 16)
    shorter = region(heap_, fence=shift(old.fence, -16), end=end)
    return arena(shorter, ledger=held)._replace(
        system=tuple((s, e - 16 if s == old.start else e) for s, e in heap_.system))


def slack(heap_: Heap) -> Heap:
    """A region that leaves 16 bytes behind its fence unused."""
    old = heap_.arenas[0].regions[-1]
    held = heap_.arenas[0].ledger._replace(held=heap_.arenas[0].ledger.held + 16)
    longer = region(heap_, end=old.end + 16)
    return arena(longer, ledger=held)._replace(
        system=tuple((s, e + 16 if s == old.start else e) for s, e in heap_.system))


def break_in_another_arena(heap_: Heap) -> Heap:
    """Arena 2 with a region from sbrk."""
    main, other = heap_.arenas
    wrong = other._replace(regions=(other.regions[0]._replace(kind="sbrk"),))
    return heap_._replace(arenas=(main, wrong))


def mapping(**changes: Any) -> Breaking:
    """Change the newest mapped block."""
    return lambda heap_: heap_._replace(mapped=(heap_.mapped[0]._replace(**changes), *heap_.mapped[1:]))


def short_lead(heap_: Heap) -> Heap:
    """A mapped block without room for its list node."""
    near = heap_.mapped[0].start + 24
    return mapping(address=near)(heap_)._replace(mapped_backward=(near, *heap_.mapped_backward[1:]))


def apart(_: Heap) -> Heap:
    """Two kept mappings side by side."""
    heap_ = heap("; .8192")
    (whole,) = heap_.mapped
    parts = whole._replace(length=4096), whole._replace(address=whole.start + 4096, start=whole.start + 4096,
                                                        length=4096)
    return heap_._replace(mapped=parts, mapped_backward=(parts[1].address, parts[0].address),
                          mapped_ledger=heap_.mapped_ledger._replace(free_blocks=2, calls=(2, 0, 0, 0, 2)))


def crooked(heap_: Heap) -> Heap:
    """Another order along the prev links."""
    return arena(heap_, backward=heap_.arenas[0].backward[::-1])


def mapped_at(heap_: Heap, lead: int) -> Heap:
    """The heap with its newest mapped block so many bytes into its mapping."""
    at = heap_.mapped[0].start + lead
    return mapping(address=at)(heap_)._replace(mapped_backward=(at, *heap_.mapped_backward[1:]))


def untaken(heap_: Heap, count: int) -> Heap:
    """The heap with its last `count` kept mappings on the list of those that the system did not take."""
    used = [m for m in heap_.mapped if m.used]
    kept = [m for m in heap_.mapped if not m.used]
    taken, left = kept[:-count], [m._replace(mark=UNTAKEN) for m in kept[-count:]]
    backward = [m.address for each in (used, taken, left) for m in reversed(each)]
    totals = heap_.mapped_ledger._replace(free_bytes=sum(m.length for m in taken), free_blocks=len(taken))
    return heap_._replace(mapped=(*used, *taken, *left), mapped_backward=tuple(backward), mapped_ledger=totals)


def resized_mapping(length: int) -> Heap:
    """A mapped block with a mapping of so many bytes."""
    heap_ = heap("; #8192")
    start = heap_.mapped[0].start
    changed = mapping(length=length)(heap_)
    totals = heap_.mapped_ledger._replace(held=length, used_bytes=length)
    return changed._replace(mapped_ledger=totals, system=((start, start + length),), lately=Lately(length))


def moved_mapping(by: int) -> Heap:
    """A mapped block whose mapping starts so many bytes into a page."""
    heap_ = heap("; #8192")
    old = heap_.mapped[0]
    moved = old._replace(start=old.start + by, address=old.address + by)
    return heap_._replace(mapped=(moved,), mapped_backward=(moved.address,),
                          system=((moved.start, moved.start + moved.length),))


def crooked_mappings(text: str) -> Heap:
    """Two mappings in one order along both links."""
    heap_ = heap(text)
    return heap_._replace(mapped_backward=heap_.mapped_backward[::-1])


def reaching(heap_: Heap, before: int, after: int = 0) -> Heap:
    """The oldest region with memory that starts and ends so many bytes later than it should."""
    old = heap_.arenas[0].regions[-1]
    totals = heap_.arenas[0].ledger._replace(held=heap_.arenas[0].ledger.held + after - before)
    pieces = tuple((s + before, e + after) if s == old.start else (s, e) for s, e in heap_.system)
    return arena(region(heap_, start=old.start + before, end=old.end + after), ledger=totals)._replace(system=pieces)


def nested(_: Heap) -> Heap:
    """A mapping with two others within it."""
    heap_ = heap("; .32768 .4096 .4096")
    outer = next(m for m in heap_.mapped if m.length == 32768)
    inner = [m._replace(start=outer.start + 4096 * n, address=outer.start + 4096 * n)
             for m, n in zip((m for m in heap_.mapped if m.length == 4096), (1, 3), strict=True)]
    kept = (outer, *inner)
    return heap_._replace(mapped=kept, mapped_backward=tuple(m.address for m in reversed(kept)),
                          system=((outer.start, outer.start + outer.length),))


def counted(text: str, calls: tuple[int, ...]) -> Heap:
    """A heap of one arena that counts these calls."""
    heap_ = heap(text)
    return arena(heap_, ledger=heap_.arenas[0].ledger._replace(calls=calls))


def owned_by(arena_: Arena, index: int) -> Arena:
    """The arena under another index, which its blocks name."""
    regions = tuple(r._replace(blocks=tuple(b._replace(owner=index) for b in r.blocks),
                               fence=r.fence._replace(owner=index)) for r in arena_.regions)
    return arena_._replace(index=index, regions=regions)


def binned(heap_: Heap, *bins: tuple[int, int]) -> Heap:
    """The heap with one cache of empty bins of these sizes and limits."""
    return heap_._replace(caches=(Cache(0, tuple(Bin(s, limit, False, Stack(0, ())) for s, limit in bins), (0,) * 5),))


def long_list(count: int) -> Heap:
    """A heap of so many blocks, all on the remote list."""
    heap_ = heap(" ".join(["#32"] * count))
    return remote(heap_, [b.address + HEADER for b in heap_.arenas[0].regions[0].blocks])


def beside(text: str, gap: int = 0) -> Heap:
    """Two mappings, the one right after the other, or a gap."""
    heap_ = heap(text)
    first, second = sorted(heap_.mapped, key=lambda m: m.start)
    by = first.start + first.length - second.start + gap
    moved = second._replace(start=second.start + by, address=second.address + by)
    return heap_._replace(
        mapped=tuple(moved if m == second else m for m in heap_.mapped),
        mapped_backward=tuple(a + by if a == second.address else a for a in heap_.mapped_backward),
        system=((first.start, first.start + first.length), (moved.start, moved.start + moved.length)))
