"""A small heap read off its words by the drawings alone; on unknown words, and on plain ones for pictures."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from heapster.checkers.proofs.classes import COUNT, PER_WORD
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ALL_SIZE_BITS,
    ARENA_RECORD,
    FENCE_REGION,
    FIRST_BLOCK,
    FOOTER,
    LEAD,
    MIN_BLOCK,
    MOST,
    NEXT,
    NODE,
    PAGE,
    PREV,
    PREV_USED,
    REGION,
    STATICS,
    USED,
    is_summed,
    owner_in,
)
from heapster.model.heap import NEW, UNTAKEN, Arena, Block, Heap, Lately, Ledger, Mapped, Region
from heapster.model.placement import POLICIES
from heapster.results import HeapsterError

KINDS = {1: "sbrk", 2: "mmap"}
MOST_NODES = 12                     # no list or region of a small heap is longer


class Shapeless(HeapsterError):
    """The words do not describe a heap."""


class Classes:
    """Any division of sizes into a few classes: where the edges are is left open.

    That is what `impl.classes.class_of` is proved to be; of classes, only their order matters to what calls it.
    """

    words = range(COUNT // PER_WORD + 1)

    def __init__(self, path: Any, count: int) -> None:
        self.indices = (3, 40, 57)[:count]
        self._edges = [path.word("edge", MIN_BLOCK, MOST, ALIGN) for _ in self.indices[1:]]
        for one, other in pairwise(self._edges):
            path.require(one, "<=", other)

    def of(self, total: Any) -> int:
        """The class of a size."""
        return next((index for index, edge in zip(self.indices, self._edges, strict=False) if total < edge),
                    self.indices[-1])

    @staticmethod
    def head(arena: Any, index: int) -> Any:
        """The head of a class's list."""
        return arena + ARENA_RECORD["classes"] + 16 * index - NEXT

    @staticmethod
    def bits(word: int, marked: Iterable[int]) -> int:
        """A word of the map in which these classes are marked."""
        return sum(1 << index % PER_WORD for index in marked if index // PER_WORD == word)

    def _marked(self, m: Any, arena: Any) -> list[int]:
        words = [m.load(arena + ARENA_RECORD["class_map"] + 8 * word) for word in self.words]
        return [index for index in self.indices if words[index // PER_WORD] & 1 << index % PER_WORD != 0]

    def marked(self, m: Any, arena: Any) -> list[Any]:
        """The heads of the lists of those that are marked."""
        return [self.head(arena, index) for index in self._marked(m, arena)]

    def violations(self, m: Any, arena: Any) -> Iterator[str]:
        """What is wrong about the lists of classes and the map."""
        marked = self._marked(m, arena)
        for index in marked:
            head = self.head(arena, index)
            listed = list(_chain(m, m.load(head + NEXT), NEXT, head))
            if not listed:
                yield f"classes_are_marked_while_they_have_blocks: class {index} is empty"
            if any(self.of(m.load(b) & ALL_SIZE_BITS) != index for b in listed):
                yield f"free_blocks_are_in_their_class: one in class {index} is of another"
        if any(m.load(arena + ARENA_RECORD["class_map"] + 8 * word) != self.bits(word, marked) for word in self.words):
            yield "classes_are_marked_while_they_have_blocks: a class of no size is marked"
        if m.load(arena + ARENA_RECORD["next"]) != arena + ARENA_RECORD["head"]:
            yield "free_blocks_are_in_their_class: one is on the list of all"


def read(m: Any, statics: Any, arena: Any, index: int, classes: Classes | None = None, *, linked: bool = True) -> Heap:
    """The heap that memory describes; Shapeless if it describes none. If nothing is linked, free blocks are listed."""
    def at(name: str) -> Any:
        return m.load(arena + ARENA_RECORD[name])

    regions = tuple(_read_region(m, record) for record in _chain(m, at("regions"), REGION["next"], 0))
    head = arena + ARENA_RECORD["head"]
    heads = [head, *(classes.marked(m, arena) if classes else ())]
    forward = tuple(b for each in heads for b in _chain(m, m.load(each + NEXT), NEXT, each))
    backward = tuple(b for each in reversed(heads) for b in _chain(m, m.load(each + PREV), PREV, each))
    if not linked:
        forward = tuple(block.address for region in regions for block in region.blocks if not block.used)
        backward = forward[::-1]
    cursor = at("cursor")
    value = Arena(index, regions, forward, backward, 0 if cursor == head else _null_or(cursor),
                  _null_or(at("top")), at("break"), _ledger(m, arena))
    mappings = statics + STATICS["mappings"]
    nodes, back = _both_ways(m, mappings + ARENA_RECORD["head"])
    kept, kept_back = _both_ways(m, statics + STATICS["kept"])
    aside, aside_back = _both_ways(m, statics + STATICS["untaken"])
    mapped = [_read_mapped(m, node - NODE) for node in nodes]
    mapped += [Mapped(k, k, m.load(k), False, NEW) for k in kept]
    mapped += [Mapped(k, k, m.load(k), False, UNTAKEN) for k in aside]
    lately = Lately(*[m.load(statics + STATICS[name]) for name in ("used_lately", "used_before", "steps")])
    return Heap((value,), tuple(mapped), (*[node - NODE for node in back], *kept_back, *aside_back),
                _ledger(m, mappings), "first_fit", PAGE, PAGE, keep=m.load(statics + STATICS["keep"]), lately=lately,
                held_locks=tuple(m.held))


def _both_ways(m: Any, head: Any) -> tuple[list[Any], list[Any]]:
    """The nodes of a list, which may not be open, along either link."""
    first = m.load(head + NEXT)
    if first == 0:
        return [], []
    return list(_chain(m, first, NEXT, head)), list(_chain(m, m.load(head + PREV), PREV, head))


def set_up(heap: Heap, m: Any, statics: int) -> Heap:
    """The heap with its settings as plain memory has them; proofs about blocks do not ask for them."""
    policy, threshold, growth = (m.load(statics + STATICS[name]) for name in ("policy", "threshold", "growth"))
    return heap._replace(policy=list(POLICIES)[policy], threshold=threshold or heap.threshold,
                         growth=growth or heap.growth)


def _null_or(address: Any) -> Any:
    """An address that may be asked for its truth."""
    return 0 if address == 0 else Present(address)


class Present:
    """An address that is not NULL: true, and compared as what it is."""

    __hash__ = None     # type: ignore[assignment]

    def __init__(self, address: Any) -> None:
        self._address = address

    def __eq__(self, other: object) -> bool:
        return bool(self._address == other)


def _chain(m: Any, first: Any, link: int, end: Any) -> Iterator[Any]:
    node, count = first, 0
    while node != end:
        yield node
        count += 1
        if count > MOST_NODES:
            raise Shapeless("a list has no end")
        node = m.load(node + link)


def _ledger(m: Any, record: Any) -> Ledger:
    figures = [m.load(record + ARENA_RECORD[name])
               for name in ("held", "used_bytes", "used_blocks", "free_bytes", "free_blocks")]
    held, used_bytes, used_blocks, free_bytes, free_blocks = figures
    calls = tuple(m.load(record + ARENA_RECORD["calls"] + 8 * kind) for kind in range(5))
    return Ledger(held, used_bytes, used_blocks, free_bytes, free_blocks, calls)


def _read_region(m: Any, record: Any) -> Region:
    start, length, kind = (m.load(record + REGION[name]) for name in ("start", "length", "kind"))
    kind = kind if isinstance(kind, int) else m.path.settled(kind)
    if kind not in KINDS:
        raise Shapeless(f"a region of kind {kind}")
    blocks: list[Block] = []
    b = record + FIRST_BLOCK
    block = _read_block(m, b)
    while block.size != 0:
        blocks.append(block)
        if len(blocks) > MOST_NODES or b + block.size >= start + length:
            raise Shapeless("the blocks of a region run past its end")
        b = b + block.size
        block = _read_block(m, b)
    return Region(record, start, start + length, KINDS[kind], tuple(blocks), block, m.load(b + FENCE_REGION))


def _read_block(m: Any, b: Any) -> Block:
    word = m.load(b)
    if word & ALIGN - 1 & ~(USED | PREV_USED) != 0 or word < 0:
        raise Shapeless("a header has bits that no block has")
    size, used = word & ALL_SIZE_BITS, word & USED != 0
    if not is_summed(word, size):
        raise Shapeless("a header has not the checksum that it must have")
    footer = None if used or size == 0 else m.load(b + size + FOOTER)
    return Block(b, size, used, word & PREV_USED != 0, owner_in(word), footer)


def _read_mapped(m: Any, b: Any) -> Mapped:
    word = m.load(b)
    if word & ALIGN - 1 & ~USED != 6:
        raise Shapeless("a mapped block's header is none")
    return Mapped(b, b - m.load(b + LEAD), word & ALL_SIZE_BITS, word & USED != 0)
