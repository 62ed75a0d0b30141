"""Whole heaps of a few blocks: any shape, any sizes; built as the drawings say, and read back by them.

Shapes are chosen: how many regions, from where, which blocks in them are used, the order of the free
list, where the cursor is. Addresses, sizes, settings and totals are unknown words.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from heapster.checkers.proofs.callee_contracts import Listed
from heapster.checkers.proofs.heap_reading import Classes, Shapeless, read, set_up
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    ARENA_RECORD,
    FENCE_BYTES,
    FENCE_REGION,
    FIRST_BLOCK,
    FOOTER,
    MAX_REQUEST,
    MIN_BLOCK,
    MOST,
    NEXT,
    PAGE,
    PREV,
    REGION,
    SBRK,
    STATICS,
    STATICS_BYTES,
    TOTALS,
    draw_key,
    header,
)
from heapster.machine.symbolic import HIGHEST, LOWEST
from heapster.model.heap import Block, Heap
from heapster.model.invariants import ALWAYS
from heapster.model.placement import POLICIES

REGISTERED = 24                       # in a thread's storage: not 0 where it has a cache
SEGREGATED = list(POLICIES).index("segregated_fit")     # the policies before it have one list
OTHER_ARENA = 5                     # stands for every arena but the main one
# These two sort addresses, which would be a path for each order; `is_accounted_for` says the same unsorted.
UNSORTED = ("regions_do_not_overlap", "memory_is_accounted_for")


class BuiltBlock(NamedTuple):
    """A block as built."""

    b: Any
    size: Any
    used: bool


class Built(NamedTuple):
    """A region as built."""

    start: Any
    record: Any
    end: Any
    kind: int
    places: tuple[BuiltBlock, ...]


def patterns(most: int) -> Iterator[tuple[tuple[bool, ...], ...]]:
    """Regions of used and free blocks, no two neighbours free, at most so many blocks in all."""
    yield ()
    for count in range(1, most + 1):
        for bits in range(1 << count):
            region = tuple(bool(bits >> place & 1) for place in range(count))
            if all(left or right for left, right in pairwise(region)):
                yield from ((region, *others) for others in patterns(most - count))


@cache
def _shapes(most: tuple[int, ...]) -> list[tuple[tuple[bool, ...], ...]]:
    """Of at most so many blocks in one region, so many in two, and so on."""
    return [shape for shape in patterns(max(most)) if len(shape) <= len(most)
            and (not shape or sum(map(len, shape)) <= most[len(shape) - 1])]


class Small:
    """A heap of a few blocks in one arena, on a machine."""

    def __init__(self, path: Any, most: Sequence[int], *, listed: bool = False,
                 classes: Classes | None = None, lists: Listed | None = None) -> None:
        """Of at most so many blocks in a region, so many in two, and so on.

        With `listed`, a heap that need not grow: some block is free, and its arena is the main one; and the
        policy is any that has one list. Otherwise the policy is the first: what is to hold of each is proved by
        their contract, see `choosing`. With `classes`, free blocks are on the lists of those, and the policy is
        the one that searches them; with `lists`, they are on those, and memory knows nothing of it.
        """
        self.path, self._listed, self.classes, self._lists = path, listed, classes, lists
        self.statics = path.word("statics", LOWEST, HIGHEST, ALIGN)
        self.thread = path.word("thread", LOWEST, HIGHEST, ALIGN)
        self.m = path.machine(self.statics, self.thread)
        draw_key(self.m)
        self.m.break_unit = ALIGN           # `region.new_region` is proved for every other start
        self._reserve(self.statics, STATICS_BYTES)
        self._reserve(self.thread, 64)
        shapes = [shape for shape in _shapes(tuple(most)) if not listed or not all(map(all, shape))]
        self.shape = shapes[path.choose(len(shapes))]
        # Which region is the top; -1 for none, and the number of regions for an arena that is not the main one.
        top = 0 if listed else path.choose(len(self.shape) + 2) - 1
        self.main = top < len(self.shape)
        self.index = 0 if self.main else OTHER_ARENA
        self.arena = self.statics + STATICS["arenas"] + self.index * ARENA_BYTES
        self.head = self.at("head")
        self.regions = [self._region(number, pattern, number == top) for number, pattern in enumerate(self.shape)]
        self.m.put(self.thread, self.arena, "my arena")
        self.m.put(self.thread + REGISTERED, 0, "the thread keeps nothing")
        self._record(top if self.main else -1)
        self._settings(listed=listed)
        self.m.reader = lambda m: set_up(self._read(m), m, self.statics)

    def at(self, name: str) -> Any:
        """Where the arena's record has this."""
        return self.arena + ARENA_RECORD[name]

    def _reserve(self, start: Any, length: Any) -> None:
        self.path.require(start + length, "<=", HIGHEST)
        for other, count in self.m.spans:
            self.path.apart(start, length, other, count)
        self.m.spans.append((start, length))

    def _region(self, number: int, pattern: tuple[bool, ...], is_top: bool) -> Built:
        path = self.path
        kind = SBRK if is_top or self.main and path.choose(2) else 2
        sizes = [path.word(f"size{number}{place}", MIN_BLOCK, MOST, ALIGN) for place in range(len(pattern))]
        total: Any = FIRST_BLOCK + FENCE_BYTES
        for size in sizes:
            total = total + size
        if kind == SBRK:
            record = path.word(f"region{number}", LOWEST, HIGHEST, ALIGN)
            start = record - path.word(f"before{number}", 0, ALIGN - 1)
            end = record + total + path.word(f"after{number}", 0, ALIGN - 1)
        else:
            record = start = path.word(f"region{number}", LOWEST, HIGHEST, PAGE)
            length = path.word(f"length{number}", PAGE, MOST, PAGE)
            path.require(length, "==", total + 8)       # a page holds two words more than whole blocks and the rest
            end = start + length
        self._reserve(start, end - start)
        places, b = [], record + FIRST_BLOCK
        for size, used in zip(sizes, pattern, strict=True):
            places.append(BuiltBlock(b, size, used))
            b = b + size
        return Built(start, record, end, kind, tuple(places))

    def _record(self, top: int) -> None:
        m, path = self.m, self.path
        newest = [region.record for region in self.regions]
        for place, region in enumerate(self.regions):
            self._write_region(region)
            m.put(region.record + REGION["next"], newest[place + 1] if place + 1 < len(newest) else 0, "next")
            m.put(region.record + REGION["prev"], newest[place - 1] if place else 0, "prev")
        free = [block for region in self.regions for block in region.places if not block.used]
        used = [block for region in self.regions for block in region.places if block.used]
        self.free = free if self._lists else _ordered(path, free)
        self._write_list()
        words = {
            "regions": newest[0] if newest else 0,
            "top": self.regions[top].record if top >= 0 else 0,
            "break": self.regions[top].end if top >= 0 else 0,
            "held": sum([region.end - region.start for region in self.regions]),
            "used_bytes": sum([block.size for block in used]), "used_blocks": len(used),
            "free_bytes": sum([block.size for block in free]), "free_blocks": len(free),
        }
        for name, word in words.items():
            m.put(self.at(name), word, name)
        for kind in range(5):
            calls = path.word("calls", len(used) + 1, 1 << 50) if kind == 0 else 0
            m.put(self.at("calls") + 8 * kind, calls, "calls")
        m.put_lazily(self.at("recent"), lambda: path.word("recent", 0, TOTALS, ALIGN), "recent")
        m.put_lazily(self.at("peak"), lambda: path.word("peak", 0, TOTALS, ALIGN) + path.word("beside the peak", 0, 15),
                     "peak")
        if top >= 0:
            m.brk = self.regions[top].end

    def _write_region(self, region: Built) -> None:
        m, left_used, b = self.m, 1, region.record + FIRST_BLOCK
        for b, size, used in region.places:
            m.put(b, header(size, self.index, int(used), left_used), "header")
            if not used:
                m.put(b + size + FOOTER, size, "footer")
            left_used = int(used)
        fence = region.places[-1].b + region.places[-1].size
        m.put(fence, header(0, self.index, 1, left_used), "header of the fence")
        m.put(fence + FENCE_REGION, region.record, "region of the fence")
        for name, word in (("start", region.start), ("length", region.end - region.start), ("kind", region.kind)):
            m.put(region.record + REGION[name], word, name)

    def _write_list(self) -> None:
        m, path = self.m, self.path
        m.put(self.head, header(0, self.index), "header of the head")
        m.put(self.at("segregated"), int(self.classes is not None), "segregated")
        if self.classes or self._lists:
            self._circle(self.head, [])
            m.put(self.at("cursor"), self.head, "cursor")
        if self.classes:
            self._write_classes(self.classes)
        if self._lists:
            self._lists.blocks = [(block.b, block.size) for block in self.free]
        if self.classes or self._lists:
            return
        around = self._circle(self.head, self.free)
        m.put_lazily(self.at("cursor"), lambda: around[path.choose(len(around) - 1)], "cursor")

    def _write_classes(self, classes: Classes) -> None:
        of: dict[int, list[BuiltBlock]] = {}
        for block in self.free:
            of.setdefault(classes.of(block.size), []).append(block)
        for index, blocks in of.items():
            self._circle(classes.head(self.arena, index), blocks)
        for word in classes.words:
            self.m.put(self.at("class_map") + 8 * word, classes.bits(word, of), "map")

    def _circle(self, head: Any, blocks: Sequence[BuiltBlock]) -> list[Any]:
        around = [head, *(block.b for block in blocks), head]
        for u, v in pairwise(around):
            self.m.put(u + NEXT, v, "next")
            self.m.put(v + PREV, u, "prev")
        return around

    def _settings(self, *, listed: bool) -> None:
        m, path, s = self.m, self.path, self.statics
        m.put_lazily(s + STATICS["policy"],
                     lambda: SEGREGATED if self.classes else path.choose(SEGREGATED) if listed else 0, "policy")
        m.put_lazily(s + STATICS["growth"], lambda: path.word("growth", PAGE, MAX_REQUEST, PAGE), "growth")
        m.put(s + STATICS["cache"], 0, "threads keep nothing")
        m.put_lazily(s + STATICS["threshold"], lambda: path.word("threshold", PAGE, MAX_REQUEST), "threshold")
        if self.shape:                      # larger requests do not look at the arena, unless mmap is refused
            m.cells[-1].now = m.cells[-1].was = 1 << 60
        mappings = s + STATICS["mappings"]
        m.put(mappings + ARENA_RECORD["next"], 0, "first mapping")
        for name in ("kept", "untaken"):
            m.put(s + STATICS[name] + NEXT, 0, f"first {name} mapping")
            m.put(s + STATICS[name] + PREV, 0, f"last {name} mapping")
        for name in ("keep", "used_lately", "used_before", "steps"):
            m.put(s + STATICS[name], 0, name)
        for name in ("held", "used_bytes", "used_blocks", "free_bytes", "free_blocks", "calls", "head"):
            for place in range(5 if name == "calls" else 1):
                m.put(mappings + ARENA_RECORD[name] + 8 * place, 0, f"{name} of the mappings")

    def openings(self) -> list[Any]:
        """The words that open the lists of mappings, which no caller sees."""
        head = self.statics + STATICS["mappings"] + ARENA_RECORD["head"]
        idle = [self.statics + STATICS[name] for name in ("kept", "untaken")]
        return [head, head + NEXT, head + PREV, head - ARENA_RECORD["head"] + ARENA_RECORD["cursor"],
                *(each + link for each in idle for link in (NEXT, PREV))]

    def serve(self, request: Any) -> None:
        """Some free block, or none if the heap must grow, is large enough for `request` bytes."""
        first = self.path.choose(len(self.free)) if self._listed else len(self.free)    # that is, in list order
        for block in self.free[:first]:
            self.path.require(block.size, "<", request + 8)
        for block in self.free[first:first + 1]:
            self.path.require(request + 8, "<=", block.size)

    def used(self) -> list[BuiltBlock]:
        """The blocks that belong to the caller."""
        return [block for region in self.regions for block in region.places if block.used]

    # Afterwards.

    def violations(self) -> list[str]:
        """How the heap, as it is now, breaks the invariants of the model."""
        try:
            heap = self._read(self.m)
        except Shapeless as error:
            return [f"undecodable: {error}"]
        if self._lists:
            listed = tuple(b for b, _ in self._lists.blocks)
            heap = heap._replace(arenas=(heap.arenas[0]._replace(forward=listed, backward=listed[::-1]),))
        found = [f"{invariant.__name__}: {message}" for invariant in ALWAYS
                 if invariant.__name__ not in UNSORTED for message in invariant(heap)]
        if self.classes:
            found += self.classes.violations(self.m, self.arena)
        if self._lists:
            found += self._lists.violations(self.m)
        return found + ([] if self.is_accounted_for(heap) else ["memory_is_accounted_for"])

    def _read(self, m: Any) -> Heap:
        return read(m, self.statics, self.arena, self.index, self.classes, linked=not self._lists)

    def blocks(self) -> list[Block]:
        """The blocks that there are now."""
        try:
            heap = self._read(self.m)
        except Shapeless:
            return []
        return [block for region in heap.arenas[0].regions for block in region.blocks]

    def is_accounted_for(self, heap: Heap) -> bool:
        """Whether regions and mappings are just what the system gave and has not back."""
        held = [(region.start, region.end) for region in heap.arenas[0].regions] if heap.arenas else []
        held += [(mapped.start, mapped.start + mapped.length) for mapped in heap.mapped]
        given = [[start, start + length] for start, length in self.m.spans[2:]]
        for start, length in self.m.gone:
            for piece in given:
                if piece[1] == start + length and piece[0] <= start:
                    piece[1] = start
                    break
            else:
                return False
        given = [piece for piece in given if piece[0] < piece[1]]
        for start, end in held:
            if not _take(given, start, end):
                return False
        return not given

    def spares(self, *but: Any) -> bool:
        """Whether no word in a payload of a block of before changed, but in these."""
        others = [block for block in self.used() if not any(block.b is b for b in but)]
        written = [cell.address for cell in self.m.written()]
        written += [target for target, _, count in self.m.copies if count != 0]
        written += [target for target, _, count in self.m.fills if count != 0]
        return not any(address >= b + 8 and address < b + size for b, size, _ in others for address in written
                       if not self.m.elsewhere(address, b))


def _take(given: list[list[Any]], start: Any, end: Any) -> bool:
    """Take [start, end) out of what was given: one piece, or several that follow each other."""
    piece = next((piece for piece in given if piece[0] == start), None)
    if piece is None:
        return False
    given.remove(piece)
    return bool(piece[1] == end) or bool(piece[1] < end and _take(given, piece[1], end))


def _ordered(path: Any, items: list[Any]) -> list[Any]:
    """The items in any order."""
    left, order = list(items), []
    while left:
        order.append(left.pop(path.choose(len(left))))
    return order


# Reading, by the drawings alone; on unknown words, and on plain ones for pictures.
