"""A heap as someone sees it who cannot see its bytes: frozen values, addresses in bytes."""

from typing import NamedTuple

from heapster.model.geometry import RUN
from heapster.model.runs import NO_RUNS, Runs


class Block(NamedTuple):
    """A block as its header describes it."""

    address: int                # of the header
    size: int                   # bytes, header included
    used: bool
    prev_used: bool             # what the header says of the left neighbour
    owner: int                  # index of the arena that the header names
    footer: int | None          # the last word of a free block; None for a used one


class Region(NamedTuple):
    """Memory that an arena got from the system in one piece, cut into blocks."""

    address: int                # of the region's header
    start: int                  # what the system gave: [start, end)
    end: int
    kind: str                   # "sbrk" or "mmap"
    blocks: tuple[Block, ...]   # in address order
    fence: Block                # the used block of size 0 that ends the region
    fence_region: int           # the region that the fence names


class Ledger(NamedTuple):
    """An arena's running totals."""

    held: int                   # bytes got from the system
    used_bytes: int             # in used blocks, headers included
    used_blocks: int
    free_bytes: int
    free_blocks: int
    calls: tuple[int, ...]      # malloc, calloc, realloc, aligned, free


class Stack(NamedTuple):
    """Blocks that wait in a cache or on a remote list."""

    counted: int                # how many, as the word that leads to the top says
    payloads: tuple[int, ...]   # top first


NO_STACK = Stack(0, ())


class Bin(NamedTuple):
    """The blocks of one size in a thread's cache."""

    size: int                   # bytes of its blocks
    limit: int                  # blocks that it may hold now
    overflowed: bool            # it was full since it last got room
    stack: Stack


class Cache(NamedTuple):
    """A thread's cache."""

    arena: int                  # index of the arena that the thread sticks to
    bins: tuple[Bin, ...]       # those that hold or may hold something, by size
    calls: tuple[int, ...]      # that it served


class Idle(NamedTuple):
    """The bytes of used blocks that an arena had lately: they decide when free pages are purged."""

    peak: int = 0               # the most bytes since pages were last purged
    recent: int = 0             # and in this epoch, as far as blocks became free
    turnover: int = 0           # of this epoch
    patience: int = 0           # how long epochs are
    purged: bool = False        # pages were, since the peak last rose far


class Arena(NamedTuple):
    """One arena at rest."""

    index: int                  # type: ignore[assignment]  # hides tuple.index, which nobody needs
    regions: tuple[Region, ...]     # newest first
    forward: tuple[int, ...]        # the free list along its next links, head first
    backward: tuple[int, ...]       # along its prev links, from the tail
    cursor: int                     # where next fit resumes: a block, or 0 for the head
    top: int                        # address of the region that ends at the break, or 0
    brk: int                        # the break as the arena last moved it, or 0
    ledger: Ledger
    remote: Stack = NO_STACK        # blocks of its own that other threads freed
    classes: tuple[tuple[int, int], ...] | None = None      # if it has a list for each class of sizes:
                                    # those that are marked, and how many of `forward` each has
    idle: Idle = Idle()


NEW, AGED, PURGED = 0, 1, 2     # kept in this epoch, in the last too, and before: what it held is the system's
UNTAKEN = -1                    # kept no more, but the system did not take it back


class Mapped(NamedTuple):
    """A block with a mapping of its own, or a mapping that is kept."""

    address: int                # of the header; of a kept mapping, its start
    start: int                  # the mapping is [start, start + length)
    length: int
    used: bool                  # False: freed, and kept
    mark: int = NEW             # of a kept mapping


class Lately(NamedTuple):
    """The bytes of mapped blocks of late: they decide how much is retained."""

    now: int = 0                # the most bytes in this epoch
    before: int = 0             # and in the last
    steps: int = 0              # of this epoch

    @property
    def most(self) -> int:
        """The most bytes in both epochs."""
        return max(self.now, self.before)


class Heap(NamedTuple):
    """All of it at rest, as decoded from memory or predicted by the reference."""

    arenas: tuple[Arena, ...]           # those that are open, by index
    mapped: tuple[Mapped, ...]          # the used, newest first, then the kept, then the untaken, likewise
    mapped_backward: tuple[int, ...]    # their addresses along the prev links, from the tail of each list
    mapped_ledger: Ledger
    policy: str
    threshold: int
    growth: int
    cache: int = 0                      # bytes that a bin may hold; 0: nothing is cached
    caches: tuple[Cache, ...] = ()      # of the threads that have any, newest first
    attached: tuple[tuple[int, int], ...] = ()      # how many threads each arena has, of those that have any
    keep: int = 0                       # bytes of freed mappings that may be kept
    lately: Lately = Lately()
    runs: Runs | None = None            # where there are spans
    # What only the machine knows; empty in a prediction.
    held_locks: tuple[int, ...] = ()
    system: tuple[tuple[int, int], ...] = ()     # [start, end) of all that the allocator holds

    @property
    def has_spans(self) -> bool:
        """Whether it is built with spans, whatever it has of runs."""
        return self.runs is not None


def place(heap: Heap, address: int) -> str:
    """Where an address lies, in words that hold on every machine: regions count from the oldest."""
    for arena in heap.arenas:
        for number, region in enumerate(reversed(arena.regions)):
            if region.start <= address < region.end:
                which = f" region {number}" if len(arena.regions) > 1 else ""
                return f"arena {arena.index}{which} +{address - region.start}"
    for number, mapped in enumerate(reversed(heap.mapped)):
        if mapped.start <= address < mapped.start + mapped.length:
            return f"mapping {number} +{address - mapped.start}"
    runs = heap.runs or NO_RUNS
    if runs.holds(address):
        run = address & -RUN
        return f"run +{runs.offset(run)} +{address - run}"
    return "NULL" if address == 0 else "outside the heap"


def stacks(heap: Heap) -> list[Stack]:
    """Every bin and every remote list."""
    return [bin_.stack for cache in heap.caches for bin_ in cache.bins] + [arena.remote for arena in heap.arenas]


def waiting(heap: Heap) -> set[int]:
    """The payloads of the blocks that are freed, but used as far as their arenas can see."""
    return {payload for stack in stacks(heap) for payload in stack.payloads}


def extents(heap: Heap) -> list[tuple[int, int]]:
    """[start, end) of every region and mapping that the heap knows of."""
    regions = [(region.start, region.end) for arena in heap.arenas for region in arena.regions]
    return regions + [(mapped.start, mapped.start + mapped.length) for mapped in heap.mapped]
