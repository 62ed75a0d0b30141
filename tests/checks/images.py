"""Memory that describes a heap, and memory that was tampered with: what decoding must make of either."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from heapster.checkers.lockstep import decode as decoding
from heapster.checkers.lockstep.decode import decode
from heapster.checkers.lockstep.lockstep import KEY, Lockstep
from heapster.checkers.lockstep.undecodable import Undecodable
from heapster.impl import layout
from heapster.impl.layout import NEXT, OWNER_SHIFT, PREV
from heapster.machine.checked_memory import THREADS
from heapster.machine.protocol import MachineFault
from heapster.machine.simulated import Simulated
from heapster.model.heap import Block, Heap
from heapster.model.trace import parse

TRACES = (
    "stats",
    "a = malloc(40)",
    ("growth 4096; threshold 100000; a = malloc(40); b = malloc(5000); foreign_sbrk(16); c = malloc(9000); free(a); "
    "d = malloc(30000); free(b); e = malloc(8)"),
    "policy next_fit; a = malloc(100); b = malloc(40); free(a); c = malloc(100)",
    "policy next_fit; a = malloc(40); b = malloc(40); c = malloc(40); free(a); d = malloc(50); free(c); free(b)",
    ("policy segregated_fit; a = malloc(40); b = malloc(600); c = malloc(24); d = malloc(2000); e = malloc(24); "
    "f = malloc(70000); g = malloc(24); h = malloc(40); i = malloc(24); free(a); free(b); free(d); free(f); free(h)"),
    "policy worst_fit; arenas 3; a = malloc(100); thread 1; b = malloc(100); thread 2; c = malloc(100); free(b)",
    ("threshold 4096; keep 100000; a = malloc(9000); b = malloc(20000); c = malloc(30000); d = malloc(9000); "
    "e = malloc(5000); free(b); free(d)"),
    ("threshold 4096; keep 100000; a = malloc(9000); b = malloc(20000); c = malloc(5000); free(b); "
    "fail munmap 1; keep 0"),
    ("cache 64; a = malloc(40); b = malloc(40); thread 1; c = malloc(40); free(a); free(b); free(c); d = malloc(40); "
    "e = malloc(1000); free(e)"),
    ("cache 64; a = malloc(40); b = malloc(24); free(b); thread 1; free(a); c = malloc(24); free(c); thread 0; "
    "d = malloc(40)"),
    "cache 1000; " + "; ".join(f"a{n} = malloc(24); b{n} = malloc(100)" for n in range(9)) + "; "
    + "; ".join(f"free(a{n}); free(b{n})" for n in range(9)),
    "policy best_fit; a = malloc(0); finalize",
    "threshold 4096; a = malloc(9000); b = malloc(9000); c = malloc(100); fail munmap 1; finalize; d = calloc(1, 9000)",
    ("arenas 2; cache 1000; a = malloc(40); thread 1; b = malloc(40); c = malloc(40); free(a); free(c); stats; "
    "threshold 4096; keep 100000; d = malloc(9000); e = malloc(9000); free(d); stats; fork; thread_end; stats"),
    ("cache 18446744073709551615; keep 18446744073709551615; cache 0; keep 0; cache 1048577; "
    "keep 70368744177665; growth 0"),
    "growth 4096; a = malloc(3000); b = malloc(1016); stats; usable_size(a)",
    "keep 0; a = malloc(200000); fail munmap 1; free(a); stats",
    "free(NULL); a = realloc(NULL, 10); usable_size(NULL); b = realloc(a, 0); c = malloc(8); d = reallocarray(c, 0, 5)",
    "growth 4096; a = malloc(40); b = malloc(40); usable_size(b); free(a + 48)",
    ("threshold 8192; a = malloc(40); b = malloc(40); fail mmap 1; fail sbrk 1; fail mmap 2; "
    "c = realloc(a, 900000); free(a)"),
)
TAMPERED_WITH = (TRACES[2], TRACES[5], TRACES[7], TRACES[9], TRACES[11])
SMALL, CLASSES, MAPPED, CACHED, BINS = range(len(TAMPERED_WITH))


class Image(NamedTuple):
    """What decoding needs of a machine, as it was at one time."""

    words: dict[int, int]
    base: int
    locks: tuple[int, ...] = ()
    extents: tuple[tuple[int, int], ...] = ()

    def reader(self) -> Callable[[int], int]:
        return self.words.__getitem__

    def peek(self, address: int) -> int | None:
        return self.words.get(address)

    def statics(self) -> int:
        return self.base

    def held(self) -> tuple[int, ...]:
        return self.locks

    def system(self) -> tuple[tuple[int, int], ...]:
        return self.extents

    def with_words(self, words: dict[int, int | None]) -> "Image":
        """The same memory, but for these words; None was never written."""
        changed = {**self.words, **words}
        return self._replace(words={address: word for address, word in changed.items() if word is not None})


@cache
def taken(text: str) -> tuple[Image, Heap]:
    """Memory after a trace, and the heap that the reference has then."""
    lockstep = Lockstep(Simulated())
    for step in parse(text):
        assert lockstep.take(step) == []
    m: Any = lockstep.m
    return Image(dict(m.words), m.statics(), (7,), ((1, 2),)), lockstep.reference.heap()


class Tampering(NamedTuple):
    """Words that are not as they should be."""

    how: str
    image: int                                              # of TAMPERED_WITH
    words: Callable[[Heap, int], dict[int, int | None]]     # of the heap there, and the address of its statics
    said: str = ""                                          # what it is undecodable for; nothing: `found` holds
    found: Callable[[Heap], bool] = lambda _: True


def blocks(heap: Heap) -> tuple[Block, ...]:
    """Those of the first arena's newest region."""
    return heap.arenas[0].regions[0].blocks


def a_free(heap: Heap) -> Block:
    return next(block for block in blocks(heap) if not block.used)


def a_used(heap: Heap) -> Block:
    return next(block for block in blocks(heap) if block.used)


def header(block: Block) -> int:
    """The word that describes it."""
    summed = block.size | layout.USED * block.used | block.owner << OWNER_SHIFT
    return summed | layout.PREV_USED * block.prev_used | checksum(block.address, summed)


def checksum(address: int, summed: int) -> int:
    """Of the product of a header, with its place added, and the key, bits 54 to 62; a fence has none."""
    key = layout.LEAST_KEY + (KEY & layout.KEY_MASK)
    return (address + summed) * key % (1 << 63) >> 54 << 54 if summed & layout.SIZE_MASK else 0


def record(s: int) -> int:
    """Of the first arena."""
    return s + layout.ARENAS


def of_used(heap: Heap, bits: int) -> dict[int, int | None]:
    """A used block with other bits in its header."""
    return {a_used(heap).address: header(a_used(heap)) ^ bits}


def mapped(heap: Heap, *, used: bool) -> int:
    return next(m.address for m in heap.mapped if m.used == used)


TAMPERINGS = (
    Tampering("no policy", SMALL, lambda _, s: {s + layout.POLICY: 5}, "the policy is 5"),
    Tampering("a policy below the first", SMALL, lambda _, s: {s + layout.POLICY: -1}, "the policy is -1"),
    Tampering("a word that nobody wrote", SMALL, lambda h, _: {blocks(h)[0].address: None}, "a word that was never"),
    Tampering("a list that comes back to its third", SMALL, lambda h, _: {
        h.arenas[0].forward[-1] + NEXT: h.arenas[0].forward[1]}, "goes round"),
    Tampering("a list that comes back to its first", SMALL, lambda h, _: {
        h.arenas[0].forward[-1] + NEXT: h.arenas[0].forward[0]}, "goes round"),
    Tampering("a list backward that goes round", SMALL, lambda h, _: {
        h.arenas[0].backward[-1] + PREV: h.arenas[0].backward[0]}, "goes round"),
    Tampering("a list that is cut", SMALL, lambda h, _: {h.arenas[0].forward[0] + NEXT: 0},
              found=lambda h: len(h.arenas[0].forward) == 1),
    Tampering("a region that the next does not know", SMALL, lambda h, _: {
        h.arenas[0].regions[1].address + layout.REGION_PREV: 0}, "not linked both ways"),
    Tampering("a newest region that has a newer", SMALL, lambda h, _: {
        h.arenas[0].regions[0].address + layout.REGION_PREV: h.arenas[0].regions[1].address}, "not linked both ways"),
    Tampering("regions in a circle", SMALL, lambda h, s: {
        h.arenas[0].regions[-1].address + layout.REGION_NEXT: h.arenas[0].regions[0].address,
        h.arenas[0].regions[0].address + layout.REGION_PREV: 0}, "not linked both ways"),
    Tampering("a region that leads to itself", SMALL, lambda h, s: {
        record(s) + layout.REGIONS: h.arenas[0].regions[-1].address,
        h.arenas[0].regions[-1].address + layout.REGION_PREV: 0,
        h.arenas[0].regions[-1].address + layout.REGION_NEXT: h.arenas[0].regions[-1].address}, "not linked both ways"),
    Tampering("a region of no kind", SMALL, lambda h, _: {
        h.arenas[0].regions[0].address + layout.REGION_KIND: 3}, "a region is of kind 3"),
    Tampering("the flag of mapped blocks", SMALL, lambda h, _: of_used(h, layout.MAPPED), "has bits that no block"),
    Tampering("the highest stray bit", SMALL, lambda h, _: of_used(h, 8), "has bits that no block"),
    Tampering("a last block that is too large", SMALL, lambda h, _: {
        blocks(h)[-1].address: header(blocks(h)[-1]._replace(size=blocks(h)[-1].size + 32))}, "bytes past its end"),
    Tampering("a region that ends where its fence starts", SMALL, lambda h, _: {
        h.arenas[0].regions[0].address + layout.REGION_LENGTH:
            h.arenas[0].regions[0].fence.address - h.arenas[0].regions[0].start}, "run 0 bytes past its end"),
    Tampering("the last arena as the owner", SMALL, lambda h, _: {
        a_used(h).address: header(a_used(h)._replace(owner=63))},
              found=lambda h: a_used(h).owner == 63),
    Tampering("the least bit of a checksum", SMALL, lambda h, _: of_used(h, 1 << 54), "has not the checksum"),
    Tampering("the highest bit of a checksum", SMALL, lambda h, _: of_used(h, 1 << 62), "has not the checksum"),
    Tampering("a fence with a checksum", SMALL, lambda h, _: {
        h.arenas[0].regions[0].fence.address: header(h.arenas[0].regions[0].fence) | 1 << 54}, "has not the checksum"),
    Tampering("a left neighbour that is said to be free", SMALL, lambda h, _: of_used(h, layout.PREV_USED),
              found=lambda h: a_used(h).prev_used is not a_used(taken(TAMPERED_WITH[SMALL])[1]).prev_used),
    Tampering("a footer that nobody wrote", SMALL, lambda h, _: {a_free(h).address + a_free(h).size - 8: None},
              found=lambda h: a_free(h).footer == decoding.NEVER_WRITTEN),
    Tampering("a footer that lies", SMALL, lambda h, _: {a_free(h).address + a_free(h).size - 8: 16},
              found=lambda h: a_free(h).footer == 16),
    Tampering("a fence that names another region", SMALL, lambda h, _: {
        h.arenas[0].regions[0].fence.address + layout.FENCE_REGION: 16},
              found=lambda h: h.arenas[0].regions[0].fence_region == 16),
    Tampering("a ledger that lies", SMALL, lambda _, s: {record(s) + layout.FREE_BLOCKS: 77},
              found=lambda h: h.arenas[0].ledger.free_blocks == 77),
    Tampering("an arena whose state a child of a fork does not know", SMALL, lambda _, s: {
        record(s) + layout.HEAD: layout.LOST | layout.USED | layout.PREV_USED}, found=lambda h: h.arenas == ()),
    Tampering("what was used between purges", SMALL, lambda _, s: {
        record(s) + layout.PEAK: 80 * 16 | layout.WAS_PURGED | 1, record(s) + layout.RECENT: 78,
        record(s) + layout.TURNOVER: 79},
              found=lambda h: tuple(h.arenas[0].idle) == (80 * 16, 78, 79, 1, True)),
    Tampering("a class that has no blocks", CLASSES, lambda _, s: {record(s) + layout.CLASS_MAP + 8: 1 << 31},
              found=lambda h: (63, 0) in (h.arenas[0].classes or ())),
    Tampering("a mapped block that is free", MAPPED, lambda h, _: {
        mapped(h, used=True): 12288 | layout.MAPPED | layout.PREV_USED}, "a mapped block's header is"),
    Tampering("a mapped block without a checksum", MAPPED, lambda h, _: {
        mapped(h, used=True): 12288 | layout.MAPPED | layout.PREV_USED | layout.USED}, "has not the checksum"),
    Tampering("a kept mapping with no mark", MAPPED, lambda h, _: {
        mapped(h, used=False) + layout.KEPT_MARK: 9}, "a kept mapping is marked 0x9"),
    Tampering("a mapped block that starts elsewhere", MAPPED, lambda h, _: {mapped(h, used=True) + layout.LEAD: 4136},
              found=lambda h: h.mapped[0].start == h.mapped[0].address - 4136),
    Tampering("the last arena is open", SMALL, lambda _, s: {
        record(s) + 63 * layout.ARENA_BYTES + layout.HEAD + link: record(s) + 63 * layout.ARENA_BYTES + layout.HEAD
        for link in (NEXT, PREV)}, found=lambda h: [arena.index for arena in h.arenas] == [0, 63]),
    Tampering("a bin that has blocks and no room", BINS, lambda _, s: {THREADS + layout.BINS + layout.LIMIT: 0},
              found=lambda h: [bin_.limit for bin_ in h.caches[0].bins] == [0, 8]),
    Tampering("a thread whose arena is beside an arena's record", BINS, lambda _, s: {
        THREADS + layout.MY_ARENA: record(s) + 8}, "a thread's arena is not where"),
    Tampering("a stack that goes round", CACHED, lambda h, _: {
        h.arenas[0].remote.payloads[-1]: h.arenas[0].remote.payloads[0]}, "has no end"),
    Tampering("a stack that is counted otherwise", CACHED, lambda h, s: {
        record(s) + layout.REMOTE: h.arenas[0].remote.payloads[0] | 9 << layout.COUNT_SHIFT},
              found=lambda h: h.arenas[0].remote.counted == 9),
)


@contextmanager
def short_lists(most: int) -> Iterator[None]:
    """Lists count as endless a little sooner."""
    before = decoding.MOST_NODES
    decoding.MOST_NODES = most
    try:
        yield
    finally:
        decoding.MOST_NODES = before


def is_decoded(text: str) -> None:
    """What decoding finds is what the reference has, and what the machine knows."""
    image, heap = taken(text)
    found = decode(image)
    assert (found.held_locks, found.system) == ((7,), ((1, 2),))
    assert found._replace(held_locks=(), system=()) == heap


def is_told(tampering: Tampering) -> None:
    """Memory that was tampered with is undecodable, or what was changed is in the heap that is found."""
    image, heap = taken(TAMPERED_WITH[tampering.image])
    changed = image.with_words(tampering.words(heap, image.statics()))
    assert changed.words != image.words, tampering.how
    if tampering.said:
        is_undecodable(changed, 1000, tampering.said)
    else:
        with short_lists(1000):
            assert tampering.found(decode(changed)), tampering.how


def is_undecodable(image: Image, most: int, said: str) -> None:
    """Where lists have at most so many nodes."""
    try:
        with short_lists(most):
            decode(image)
    except Undecodable as error:
        assert said in str(error), str(error)       # noqa: PT017  it is run with what it tests changed, and no pytest
    else:
        raise AssertionError(said)


def long_lists_end() -> None:
    """As many nodes as may be, and no more."""
    image, heap = taken(TAMPERED_WITH[SMALL])
    nodes = len(heap.arenas[0].forward)
    with short_lists(nodes):
        decode(image)
    is_undecodable(image, nodes - 1, "goes round")
    image, heap = taken(TAMPERED_WITH[BINS])
    blocks_ = max(len(bin_.stack.payloads) for bin_ in heap.caches[0].bins)
    with short_lists(blocks_):
        decode(image)
    is_undecodable(image, blocks_ - 1, "has no end")


class _Faulting(Image):
    def reader(self) -> Callable[[int], int]:
        raise MachineFault("unmapped", "nothing there", 0)


def faults_are_told() -> None:
    """A machine that faults where an onlooker looks."""
    is_undecodable(_Faulting({}, 0), 1, "walking the heap: ")
