"""The sizes and distances that the specification of our heap fixes, in bytes, and what they mean.

These repeat the layout of the implementation on purpose: a wrong number there must not hide itself
here. A test holds the two lists equal.
"""

WORD = 8
ALIGN = 16                      # payloads start at multiples of this; block sizes are multiples of it
PAGE = 4096
HEADER = 8                      # before each payload; all that a used block costs
MIN_BLOCK = 32                  # room for a free block's header, two links and footer
FIRST_BLOCK = 40                # a region's own record, before its first block
FENCE = 16                      # after a region's last block
REGION_OVERHEAD = FIRST_BLOCK + FENCE + 2 * ALIGN   # record, fence, and what alignment may lose
MAPPED_LEAD = 40                # before the header of a block with its own mapping, at least

PTRDIFF_MAX = (1 << 63) - 1
SIZE_MAX = (1 << 64) - 1
MAX_REQUEST = 1 << 46           # a larger request is refused unseen

DEFAULT_THRESHOLD = 128 * 1024  # requests of at least this many bytes are mapped
MIN_THRESHOLD = PAGE
DEFAULT_GROWTH = 128 * 1024     # an arena asks the system for at least this much at a time
DEFAULT_ARENAS = 8
MAX_ARENAS = 64

MOST_CACHED = 9 << 13           # the largest block that a thread keeps when it is freed
MOST_COUNTED = 1 << 14          # blocks that a bin may hold, at most
SMALL_BIN = 1 << 14             # bytes up to which a bin gets room whenever it is empty or full
MOST_MOVED = 1 << 13            # bytes that a bin gets or gives up at once, if they are not one block
MOST_REMOTE = 256               # blocks on a remote list from which on whoever would add some drains it before
MOST_SENT = 64                  # blocks that go on a remote list at once, at most
MAX_CACHE = 1 << 20             # bytes that a bin may hold, at most

EXACT = 512                     # below, each size is a class of its own
STEPS = 8                       # from there, classes for each doubling
CLASS_COUNT = 111               # the last is for all that is left
LARGEST_CLASS = 1 << 19         # bytes from which on all are of it
LONG_RUN = 64                   # blocks that are carved at once: the longest that there are have 256
MANY = 64                       # blocks that are live at once: more than a run of any workload but a crowd has
PROBES = 8                      # blocks of its own class that segregated fit looks at before larger ones
MAX_RETAINED = 16               # freed mappings that are retained, at most
EPOCH = 256                     # changes of what mapped blocks have, after which what was used before is forgotten
SLACK_SHIFT = 2                 # a quarter more than was used lately may be held
ARENA_EPOCH = 2048              # blocks that became free in an arena, and their pages, until idle pages are looked at
MOST_PATIENCE = 7               # a step for each time that much of what was purged is used again, and beyond
FORGIVEN = 4                    # so many each makes that eight times as long
LEAST_PURGED = 1 << 15          # bytes of a free block whose pages are purged then
IDLE_SHIFT = 4                  # a sixteenth of the free bytes may stay
IDLE_GROWTHS = 16               # and so many times the growth
SPARE_SHIFT = 2                 # a kept mapping may be used whole if it is a quarter too large

RUN = 1 << 16                   # bytes of a run, where there are spans
RESERVE = 1 << 34               # that are reserved for all runs, at a multiple of RUN: so RUN more are asked for
BEFORE_RUNS = 293 * RUN         # of them, before the first run
MOST_SLOT = 1024                # the largest slot
MOST_POOLED = 64                # runs that nobody has and that keep their pages, beside as many as arenas have
LONGER = ALIGN                  # by which a block is larger than the slots of the class that it serves

ENOMEM = 12
EINVAL = 22
REFUSED = -1                    # what the system answers when it says no

CALLS = ("malloc", "calloc", "realloc", "aligned", "free")     # what a ledger counts, in its order
MALLOC, CALLOC, REALLOC, ALIGNED, FREE = range(len(CALLS))


def up(size: int, unit: int) -> int:
    """The least multiple of `unit`, a power of two, that is at least `size`."""
    return (size + unit - 1) & -unit


def signed(word: int) -> int:
    """A size_t, read as a signed word."""
    return word - (1 << 64) if word > PTRDIFF_MAX else word


def block_size(request: int) -> int:
    """Bytes of block that serve `request` bytes."""
    return max(MIN_BLOCK, up(request + HEADER, ALIGN))


def class_of(size: int) -> int:
    """The class of blocks of so many bytes: by the size itself, or by its highest bit and the three after it."""
    if size < EXACT:
        return (size - MIN_BLOCK) // ALIGN
    octave = size.bit_length() - EXACT.bit_length()
    below = (EXACT - MIN_BLOCK) // ALIGN
    return min(below + STEPS * octave + (size >> size.bit_length() - 4) % STEPS, CLASS_COUNT - 1)


def least_of_class(size: int) -> int:
    """The least size from this one on that is the least of its class: what is asked for where blocks are cached."""
    return size if size < EXACT else up(size, (1 << size.bit_length() - 1) // STEPS)


CACHED_SIZES = tuple(sorted({least_of_class(size) for size in range(MIN_BLOCK, MOST_CACHED + 1, ALIGN)}))


def bin_size(request: int, *, spans: bool) -> int:
    """The size of the bin that serves the request: where there are spans, slots have no header."""
    return least_of_class(block_size(request - HEADER if spans else request))


def could_serve(total: int, request: int, alignment: int = ALIGN, *, spans: bool = False) -> bool:
    """Whether a request could have got a block of so many bytes in an arena.

    That has what it needs, or that rounded up where blocks are cached, and less than a block more.
    """
    want = block_size(request)
    cached = bin_size(request, spans=spans) + (LONGER if spans else 0)
    sizes = {want} if alignment > ALIGN or want > MOST_CACHED else {want, cached}
    return any(size <= total < size + MIN_BLOCK for size in sizes)


def growth_for(want: int, growth: int) -> int:
    """Bytes to ask of the system so that a block of `want` bytes fits."""
    return up(max(want + REGION_OVERHEAD, growth), PAGE)


def region_at(start: int) -> int:
    """Where the record of a region lies whose memory starts at `start`."""
    return up(start, ALIGN)


def fence_before(end: int) -> int:
    """Where the fence of a region lies whose memory stops at `end`."""
    return ((end - FENCE - HEADER) & -ALIGN) + HEADER


def lead_before(block: int, alignment: int) -> int:
    """Bytes to leave free at `block` so that the payload of the rest is aligned: 0, or a whole block."""
    lead = up(block + HEADER, alignment) - (block + HEADER)
    return lead + alignment if 0 < lead < MIN_BLOCK else lead


def mapping_length(request: int, alignment: int) -> int:
    """Bytes of a mapping that holds `request` bytes, at least one, at any multiple of `alignment`."""
    front = MAPPED_LEAD + HEADER
    slack = alignment if alignment > PAGE else up(front, alignment) - front
    return up(front + max(request, 1) + slack, PAGE)


def retained_capacity(keep: int, lately: int, used: int) -> int:
    """How many bytes of freed mappings may be kept while `used` are used, of which there were `lately` at times."""
    return min(keep, lately + (lately >> SLACK_SHIFT) - used)


def most_idle(lately: int, free: int, growth: int) -> int:
    """How many bytes more than it used lately an arena may have had at its peak, and no idle page is purged."""
    return (lately >> SLACK_SHIFT) + (free >> IDLE_SHIFT) + IDLE_GROWTHS * growth


def pages_within(start: int, size: int) -> tuple[int, int]:
    """[first, last) of the whole pages between the links and the footer of a free block; empty if last <= first."""
    return up(start + HEADER + 2 * WORD, PAGE), (start + size - WORD) & -PAGE


def is_power_of_two(number: int) -> bool:
    """True of 1, 2, 4, ..."""
    return number > 0 and number & (number - 1) == 0
