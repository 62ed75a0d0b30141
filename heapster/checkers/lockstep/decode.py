"""Memory to model, by layout constants alone: a wrong accessor in `impl` cannot hide itself here."""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Protocol

from heapster.checkers.lockstep.decode_runs import decode_runs
from heapster.checkers.lockstep.undecodable import Undecodable
from heapster.impl import layout
from heapster.impl.layout import (
    ARENA_BYTES,
    ARENAS,
    CALL_KINDS,
    CALLS,
    FENCE_REGION,
    FIRST_BLOCK,
    HEAD,
    MAX_ARENAS,
    NEXT,
    NODE,
    NULL,
    PREV,
    PREV_USED,
    SIZE_MASK,
    USED,
    WORD,
)
from heapster.machine.protocol import MachineFault
from heapster.model.geometry import CACHED_SIZES
from heapster.model.heap import (
    AGED,
    NEW,
    PURGED,
    UNTAKEN,
    Arena,
    Bin,
    Block,
    Cache,
    Heap,
    Idle,
    Lately,
    Ledger,
    Mapped,
    Region,
    Stack,
)
from heapster.model.placement import POLICY_NAMES

KEPT_MARKS = {layout.NEW: NEW, layout.AGED: AGED, layout.PURGED: PURGED}
UNTAKEN_MARKS = {layout.REFUSED: UNTAKEN}
KINDS = {layout.FROM_SBRK: "sbrk", layout.FROM_MMAP: "mmap"}
TOTALS = (layout.HELD_BYTES, layout.USED_BYTES, layout.USED_BLOCKS, layout.FREE_BYTES, layout.FREE_BLOCKS)
CALL_WORDS = tuple(range(CALLS, CALLS + CALL_KINDS * WORD, WORD))
assert len(CACHED_SIZES) == layout.BIN_COUNT, "one bin each, least first"
NEVER_WRITTEN = -1
STRAY = layout.ALIGN - 1 & ~(USED | PREV_USED)      # header bits that a block in an arena never has
BODY = (1 << 54) - 1                # of a header, all but its checksum
SUMMED = BODY & ~PREV_USED
CHECKSUM = (1 << 63) - (1 << 54)
MOST_NODES = 1 << 20                # no list that a checker makes is longer

Load = Callable[[int], int]
_new = tuple.__new__            # as a NamedTuple's own, without its call


class Decodable(Protocol):
    """A machine that can be decoded."""

    def reader(self) -> Load:
        """Reads words; LookupError or Fault where there is none."""

    def peek(self, address: int) -> int | None:
        """The word there, None if there is none."""

    def statics(self) -> int:
        """Address of the statics."""

    def held(self) -> tuple[int, ...]:
        """Mutexes that are locked."""

    def system(self) -> tuple[tuple[int, int], ...]:
        """[start, end) of all that the allocator holds."""


def decode(m: Decodable, *, spans: bool = False) -> Heap:
    """The heap that the machine's memory describes, with its runs where there are spans; Undecodable if it has none."""
    try:
        return _heap(m, spans=spans)
    except MachineFault as fault:
        raise Undecodable(f"walking the heap: {fault}") from fault
    except LookupError as error:
        raise Undecodable("walking the heap leads to a word that was never written") from error


def _heap(m: Decodable, *, spans: bool) -> Heap:
    load, s = m.reader(), m.statics()
    mappings = s + layout.MAPPINGS
    policy, key = load(s + layout.POLICY), load(s + layout.KEY)
    if not 0 <= policy < len(POLICY_NAMES):
        raise Undecodable(f"the policy is {policy}")
    return Heap(
        arenas=tuple(_arena(load, i, record, key)
                     for i, record in enumerate(range(s + ARENAS, s + ARENAS + MAX_ARENAS * ARENA_BYTES, ARENA_BYTES))
                     if load(record + HEAD + NEXT) and not load(record + HEAD) & layout.LOST),
        mapped=(*(_mapped(load, node - NODE, key) for node in _nodes(load, mappings + HEAD, NEXT)),
                *(_kept(load, k, KEPT_MARKS) for k in _nodes(load, s + layout.RETAINED_LIST, NEXT)),
                *(_kept(load, k, UNTAKEN_MARKS) for k in _nodes(load, s + layout.UNTAKEN, NEXT))),
        mapped_backward=(*(node - NODE for node in _nodes(load, mappings + HEAD, PREV)),
                         *_nodes(load, s + layout.RETAINED_LIST, PREV), *_nodes(load, s + layout.UNTAKEN, PREV)),
        mapped_ledger=_ledger(load, mappings),
        policy=POLICY_NAMES[policy],
        threshold=load(s + layout.THRESHOLD) or layout.DEFAULT_THRESHOLD,
        growth=load(s + layout.GROWTH) or layout.DEFAULT_GROWTH,
        cache=load(s + layout.CACHE_BYTES),
        caches=tuple(_cache(load, thread, s) for thread in _nodes(load, s + layout.CACHING, NEXT)),
        attached=tuple([(i, threads) for i in range(MAX_ARENAS) if (threads := load(s + layout.ATTACHED + i * WORD))]),
        keep=load(s + layout.KEEP_BYTES),
        lately=Lately(load(s + layout.USED_LATELY), load(s + layout.USED_BEFORE), load(s + layout.USED_STEPS)),
        runs=decode_runs(m) if spans else None,
        held_locks=m.held(),
        system=m.system(),
    )


def _arena(load: Load, index: int, record: int, key: int) -> Arena:
    cursor = load(record + layout.CURSOR)
    classes = _marked(load, record) if load(record + layout.SEGREGATED) else None
    heads = [record + HEAD, *[_class_head(record, i) for i in classes or ()]]
    lists = [_nodes(load, head, NEXT) for head in heads]
    backward = [_nodes(load, head, PREV) for head in reversed(heads)]
    return Arena(
        index=index,
        regions=tuple(_region(load, r, key) for r in _regions(load, record)),
        forward=tuple(chain(*lists)),
        backward=tuple(chain(*backward)),
        cursor=0 if cursor == record + HEAD else cursor,
        top=load(record + layout.TOP),
        brk=load(record + layout.BREAK),
        ledger=_ledger(load, record),
        remote=_stack(load, load(record + layout.REMOTE)),
        classes=None if classes is None else tuple(zip(classes, map(len, lists[1:]), strict=True)),
        idle=_idle(load(record + layout.PEAK), load(record + layout.RECENT), load(record + layout.TURNOVER)),
    )


def _idle(peak: int, recent: int, turnover: int) -> Idle:
    return Idle(peak & layout.PEAK_MASK, recent, turnover, peak & layout.PATIENCE_MASK, peak & layout.WAS_PURGED != 0)


def _marked(load: Load, record: int) -> list[int]:
    """The classes that the map says have blocks; of the others' lists nothing can be said."""
    first = range(0, layout.CLASS_COUNT, layout.CLASS_BITS)
    words = [load(record + layout.CLASS_MAP + i * WORD) for i in range(len(first))]
    return [start + bit for start, word in zip(first, words, strict=True) for bit in range(word.bit_length())
            if word >> bit & 1]


def _class_head(record: int, index: int) -> int:
    """The node of which only the links exist, two words for each class."""
    return record + layout.CLASSES + 2 * WORD * index - NEXT


def _stack(load: Load, word: int) -> Stack:
    """The stack that the word leads to, with the count that its top word claims."""
    counted, payloads = word >> layout.COUNT_SHIFT, []
    while word:
        payloads.append(word & layout.TOP_MASK)
        if len(payloads) > MOST_NODES:
            raise Undecodable("a stack of cached blocks has no end")
        word = load(payloads[-1])
    return Stack(counted, tuple(payloads))


def _cache(load: Load, thread: int, s: int) -> Cache:
    start = thread + layout.BINS
    words = list(map(load, range(start, start + 2 * WORD * len(CACHED_SIZES), WORD)))
    bins = [Bin(size, limit >> layout.COUNT_SHIFT, limit & layout.OVERFLOWED != 0, _stack(load, top))
            for size, top, limit in zip(CACHED_SIZES, words[::2], words[layout.LIMIT // WORD::2], strict=True)
            if top or limit]
    calls = tuple([load(thread + layout.MY_CALLS + kind * WORD) for kind in range(CALL_KINDS)])
    arena, beside = divmod(load(thread + layout.MY_ARENA) - (s + ARENAS), ARENA_BYTES)
    if beside:
        raise Undecodable("a thread's arena is not where an arena's record is")
    return Cache(arena, tuple(bins), calls)


def _ledger(load: Load, record: int) -> Ledger:
    held, used_bytes, used_blocks, free_bytes, free_blocks = [load(record + word) for word in TOTALS]
    calls = tuple([load(record + word) for word in CALL_WORDS])
    return Ledger(held, used_bytes, used_blocks, free_bytes, free_blocks, calls)


def _nodes(load: Load, head: int, link: int) -> list[int]:
    found: list[int] = []
    node = load(head + link)
    while node not in (head, NULL):
        found.append(node)
        if len(found) > MOST_NODES or found[len(found) // 2] == node and len(found) > 2:
            raise Undecodable("a list goes round without passing its head")
        node = load(node + link)
    return found


def _regions(load: Load, record: int) -> list[int]:
    found: list[int] = []
    region, newer = load(record + layout.REGIONS), NULL
    while region != NULL:
        if load(region + layout.REGION_PREV) != newer:      # so no region comes twice: which would it name?
            raise Undecodable("the list of regions is not linked both ways")
        found.append(region)
        region, newer = load(region + layout.REGION_NEXT), region
    return found


def _region(load: Load, r: int, key: int) -> Region:
    start = load(r + layout.REGION_START)
    end = start + load(r + layout.REGION_LENGTH)
    kind = load(r + layout.REGION_KIND)
    if kind not in KINDS:
        raise Undecodable(f"a region is of kind {kind}")
    blocks = _blocks(load, r + FIRST_BLOCK, end, key)
    fence = blocks.pop()
    return Region(r, start, end, KINDS[kind], tuple(blocks), fence, load(fence.address + FENCE_REGION))


def _blocks(load: Load, b: int, end: int, key: int) -> list[Block]:
    """The blocks from `b` on, up to and with the fence. This loop is most of what checking costs."""
    blocks: list[Block] = []
    size = 1
    while size:
        header = load(b)
        size = header & SIZE_MASK
        used = header & USED != 0
        if header & STRAY:
            raise Undecodable(f"a block's header, {header:#x}, has bits that no block in an arena has")
        if (header ^ ((header & SUMMED) + b) * key * (size != 0)) & CHECKSUM:
            raise Undecodable(f"a block's header, {header:#x}, has not the checksum of its place and key")
        footer = None if used else _footer(load, b + size - WORD)
        blocks.append(_new(Block, (b, size, used, header & PREV_USED != 0, (header & BODY) >> 48, footer)))
        b += size
        if b >= end:
            raise Undecodable(f"the blocks of a region run {b - end} bytes past its end")
    return blocks


def _footer(load: Load, address: int) -> int:
    """The word there; NEVER_WRITTEN, which no size is, where none was written."""
    try:
        return load(address)
    except LookupError:
        return NEVER_WRITTEN


def has_checksum(header: int, b: int, key: int) -> bool:
    """Whether the header has the checksum that belongs to one at `b`."""
    return not (header ^ ((header & SUMMED) + b) * key) & CHECKSUM


def _mapped(load: Load, b: int, key: int) -> Mapped:
    header = load(b)
    if header & ~SIZE_MASK & ~CHECKSUM != layout.MAPPED | PREV_USED | USED:
        raise Undecodable(f"a mapped block's header is {header:#x}")
    if not has_checksum(header, b, key):
        raise Undecodable(f"a mapped block's header, {header:#x}, has not the checksum of its place and key")
    return Mapped(b, b - load(b + layout.LEAD), header & SIZE_MASK, True)


def _kept(load: Load, k: int, marks: Mapping[int, int]) -> Mapped:
    mark = load(k + layout.KEPT_MARK)
    if mark not in marks:
        raise Undecodable(f"a kept mapping is marked {mark:#x}")
    return Mapped(k, k, load(k), False, marks[mark])
