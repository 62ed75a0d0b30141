"""Where every word and every bit of the heap lives. Constants only; sizes and offsets in bytes.

A block. Its header is one word; a used block has no footer, so a used block costs 8 bytes:

    b          b+8      b+16                        b+size-8   b+size
    | header   | payload                                       |      while used
    | header   | next   | prev   |                  | footer   |      while free

    header:  bit 0 USED   bit 1 PREV_USED   bit 2 MAPPED   bits 4-47 size   bits 48-53 owner   bits 54-62 checksum

The checksum is keyed: see `block.checksum`. Nobody who does not know the key forges a header, or moves one.

A region is memory got from the system in one piece (one `mmap`, or adjacent `sbrk` calls):

    r        r+8    r+16    r+24    r+32   r+40                   f         f+8     f+16
    | next   | prev | start | bytes | kind | first block ... last | fence   | r     |

The fence is the header of a used block of size 0, without a checksum. `start` and `bytes` are what the system gave: up
to 15 bytes before `r` and after `f+16` are lost to alignment.

A mapped block has a mapping of its own. Its node lies on a list as a free block's does:

    start    ...   b-32     b-24   b-16   b-8    b        b+8           start+bytes
    | (alignment)  | seal   | next | prev | lead | header | payload     |

Here the header's size is that of the whole mapping, lead = b - start, and
seal = KEY - b - header - lead while the block is used, the header taken without its checksum.

When it is freed its pages may be kept. A kept mapping has no block; it begins with a node:

    k        k+8    k+16   k+24                                     k+length
    | length | next | prev | mark | what was there, header included |

The mark is NEW, AGED at the end of the first epoch, and PURGED at the end of the second, when all but the first
page was purged; REFUSED if it is no longer kept, but the system did not take it back.

A cached block is used as far as its arena can see, but waits for its thread's next request of its size,
or on a remote list for the arena's owner. Its payload p = b + 8 makes it part of a stack:

    b        p      p+8
    | header | link | mark | ... |

    link:  the word that led here before        mark:  KEY - link - p, which is below 0

They are there from when it starts to wait until it is handed out, or its arena takes it back, and then zero. A block
that is freed with a mark that agrees is looked for where it may be waiting. What a caller wrote after the first free
may hide it; but then the mark does not agree, which is seen before the link is followed, or the block handed out.

The word that leads to the top of a stack is the top's payload, bits 0-47, and the number of blocks on it,
bits 48-62; 0 is the empty stack. The key is drawn at the start, so that nobody can write a link with its mark.

While HARDENED, no block has a header. Blocks of a class are the slots of spans, larger ones have mappings:

    start      base                                         base+length   start+bytes
    | (guard)  | slot | slot | ...  | (rest, under a slot)  | (guard)     |    a span
    | (guard)  | payload                                    | (guard)     |    a mapping

    | payload              | canary |  a used slot        | 0 ...                  |  any other slot, all of it

What they are stands elsewhere, in records that pages without access surround, as is all of the vault:

    vault, vault+ROOT, vault+KEEPS: its own words; the root of the address table; what waits in each arena, a page each

The table leads from an address to the record of what lies there, in three steps, by bits 35-47, 23-34 and 12-22. It
has all pages of a span, and the first of a mapping.
"""

NULL = 0
WORD = 8                            # bytes
ALIGN_SHIFT = 4
ALIGN = 1 << ALIGN_SHIFT            # payloads start at multiples of this; block sizes are multiples
PAGE = 4096
MAX_WORD = (1 << 63) - 1            # PTRDIFF_MAX
LEAST_WORD = -1 - MAX_WORD          # what 2**63 arrives as
MAX_REQUEST = 1 << 46               # no 64-bit system of today maps more than 47 bits of addresses

LEAST_PAYLOAD = (1 << 16) + ALIGN   # no program has memory at or below 1 << 16 (vm.mmap_min_addr)
ADDRESS_BITS = 48                   # nor so far above that
NO_PAYLOAD = -(1 << ADDRESS_BITS) + ALIGN - 1       # bits that the distance from there has of no payload

# A header's bits.
USED = 1 << 0                       # 1: belongs to the caller
PREV_USED = 1 << 1                  # 1: the left neighbour is used, so it has no footer
MAPPED = 1 << 2                     # 1: has a mapping of its own, and no neighbours
LOST = 1 << 3                       # 1, in a record's head: a child of a fork does not know its state; see `lifecycle`
OWNER_SHIFT = 48
OWNER_ONE = 1 << OWNER_SHIFT        # the owner is the index of the arena the block came from
SIZE_MASK = OWNER_ONE - ALIGN       # clears flags and owner
CHECKSUM_SHIFT = 54
CHECKSUM_ONE = 1 << CHECKSUM_SHIFT
CHECKSUM_MASK = (1 << 63) - CHECKSUM_ONE
OWNER_MASK = CHECKSUM_ONE - OWNER_ONE   # clears flags, size and checksum
NOT_CHECKSUM = CHECKSUM_ONE - 1     # clears the checksum
NOT_USED = -1 - USED                # clears USED
LEAST_LARGE = 1 << 17               # bytes from which on a size has bits that no cached block's has
PLAIN_BITS = LEAST_WORD + OWNER_ONE - LEAST_LARGE + LOST + MAPPED + USED
                                    # of an intact header: USED alone, if the block may be cached
NOT_PREV_USED = -1 - PREV_USED
SUMMED = NOT_CHECKSUM - PREV_USED     # of a header, what its checksum is of: the left neighbour has no part in it

# A block's words.
NEXT = 8                            # while on a list
PREV = 16
PAYLOAD = 8
FOOTER = -8                         # from the block's end: its size, while free
MIN_BLOCK = 32

# A region's words.
REGION_NEXT = 0
REGION_PREV = 8
REGION_START = 16
REGION_LENGTH = 24
REGION_KIND = 32
FIRST_BLOCK = 40
FENCE_REGION = 8                    # from the fence: the region it ends
FENCE_BYTES = 16
REGION_OVERHEAD = FIRST_BLOCK + FENCE_BYTES + 2 * ALIGN     # at most, alignment losses included
FROM_SBRK = 1
FROM_MMAP = 2

# A mapped block's words, from its header.
NODE = -32                          # where its list node starts, as if it were a block
LEAD = -8
MAPPED_LEAD = 40                    # bytes before the header, at least

# A kept mapping's words. Its length is the first.
KEPT_MARK = 24
NEW = 0
AGED = 1
PURGED = 2

# An arena's words. Its list head is a used block of size 0 whose owner is the arena's index.
ARENA_LOCK = 0                      # 64 bytes, for a mutex
HEAD = 64
CURSOR = 88                         # where next fit resumes: a block on the list, or the head
REGIONS = 96                        # newest region, or NULL
TOP = 104                           # the region that ends at the break, or NULL
BREAK = 112                         # the break as this arena last moved it
HELD_BYTES = 120                    # got from the system
USED_BYTES = 128                    # in used blocks, headers included
USED_BLOCKS = 136
FREE_BYTES = 144                    # in free blocks
FREE_BLOCKS = 152
CALLS = 160                         # successful calls, a word for each kind
SEGREGATED = 200                    # not 0: free blocks are on a list for each class of sizes, none on that of HEAD
PEAK = 208                          # the most bytes that used blocks had since free pages were last purged, and in
                                    # the bits below: whether they were since it last rose far, and the patience
RECENT = 216                        # and in this epoch
TURNOVER = 224                      # of this epoch: blocks that became free, neighbours at once, and their pages
CLASS_MAP = 232                     # which classes have blocks: CLASS_BITS of them in each word, from bit 0
CLASSES = 264                       # first and last of each class; see `class_head`
REMOTE = 2040                       # stack of blocks that other threads freed, on a cache line of its own
ARENA_SHIFT = 11
ARENA_BYTES = 1 << ARENA_SHIFT

# Classes of sizes: one for each size below EXACT, from there so many for each doubling, the last for all above.
EXACT = 512                         # bytes
EXACT_CLASSES = 30
STEPS_SHIFT = 3
STEPS = 1 << STEPS_SHIFT            # classes for each doubling
FIRST_STEP_SHIFT = 6
FIRST_STEP = 1 << FIRST_STEP_SHIFT  # bytes that the first of them are wide
TOP_CLASS = 1 << 19                 # bytes from which on all sizes are of the last class
CLASS_COUNT = 111
MAP_SHIFT = 5
CLASS_BITS = 1 << MAP_SHIFT         # classes that a word of the map has
CLASS_SHIFT = 4                     # a class takes two words in the arena's record
PROBES = 8                          # blocks of a request's own class that are looked at before larger classes

# Kinds of calls.
CALL_MALLOC = 0
CALL_CALLOC = 1
CALL_REALLOC = 2
CALL_ALIGNED = 3
CALL_FREE = 4
CALL_KINDS = 5

# The statics. All of them zero is a legal start: zero stands for the default.
ATTACH_LOCK = 0                     # 64 bytes, for a mutex
POLICY = 64
THRESHOLD = 72                      # requests of at least this many bytes are mapped
GROWTH = 80                         # bytes got from the system at a time, at least
ARENA_LIMIT = 88                    # arenas that threads are spread over
CACHE_BYTES = 104                   # what a thread may keep of blocks of one size; 0: nothing
CACHING = 112                       # head of the list of threads that have caches
ATTACHED = 136                      # how many threads each arena has, a word for each; CROWDED in one that is lost
KEEP_BYTES = 648                    # of freed mappings that may be kept; 0: nothing
RETAINED_LIST = 656                 # head of the list of retained mappings, newest first
USED_LATELY = 680                   # the most bytes that mapped blocks had in this epoch
USED_BEFORE = 688                   # and in the last
USED_STEPS = 696                    # of this epoch: mapped blocks made, freed and resized
UNTAKEN = 704                       # head of the list of mappings that the system did not take back, newest first
KEEPING_END = 728
KEY = 736                           # what nobody knows: drawn once, before any block waits
HARDENED = 744                      # -1 if there are spans and nothing else, from the first request on; else 0
VAULT = 752                         # the vault, or NULL
UNGUARDED = 760                     # not 0: the system refused a guard, which was said
MAX_ARENAS = 64
CROWDED = 1 << 32                   # more threads than there can be
ARENAS = 768
MAPPINGS = ARENAS + MAX_ARENAS * ARENA_BYTES        # an arena's record for the mapped blocks
STATICS_BYTES = MAPPINGS + ARENA_BYTES

# A thread's words. NEXT and PREV hold its place on the list of threads that have caches; others change them.
MY_ARENA = 0
REGISTERED = 24                       # not 0: the thread is on that list
MY_CALLS = 32                       # calls that its cache served, a word for each kind
ENDED = 72                          # not 0: the thread has ended its cache and gets no other
BINS = 80                           # stacks of cached blocks, one for each class up to that of MOST_CACHED
BIN_SHIFT = 4                       # a bin takes two words
LIMIT = 8                           # from a bin: the most blocks it may hold now, shifted as a stack's count
OVERFLOWED = 1                      # beside that: it was full since it last got room
MOST_CACHED = 9 << 13               # the largest block that is cached: for 64 KiB, rounded up to a class's size
BIN_COUNT = 88
THREAD_BYTES = BINS + (BIN_COUNT << BIN_SHIFT)

# A stack.
COUNT_SHIFT = 48
COUNT_ONE = 1 << COUNT_SHIFT
TOP_MASK = COUNT_ONE - 1
MARK = 8                            # from the payload of a cached block
KEY_MASK = (MAX_WORD >> 2) - 1      # of a key, the bits that are drawn; all keys are odd
LEAST_KEY = LEAST_WORD + (1 << 62) + (1 << 50) + 1  # so that no mark is too large for a word, and all are below 0
MOST_COUNTED = 1 << 14              # blocks in a bin, at most
SMALL_BIN = 1 << 14                 # bytes up to which a bin gets room when it is empty or full; beyond, both in turn
MOST_MOVED = 1 << 13                # bytes that come into a bin or leave it at once, if they are not one block
MOST_REMOTE = 256                   # blocks on a remote list from which on whoever would add some drains it before
MOST_SENT = 64                      # blocks that go on a remote list at once

# Free pages of arenas.
PAGE_SHIFT = 12
ARENA_EPOCH = 2048                  # of turnover; eight times as long for each step of patience beyond FORGIVEN
PEAK_MASK = -ALIGN                  # clears what is beside the peak
PATIENCE_MASK = 7
MOST_PATIENCE = 7                   # one step for each time that much of what was purged is used again
FORGIVEN = 4
WAS_PURGED = 1 << 3
LEAST_PURGED = 1 << 15              # bytes of a free block whose pages are purged at an epoch's end
IDLE_SHIFT = 4                      # a sixteenth of the free bytes may stay, and
IDLE_GROWTHS_SHIFT = 4              # sixteen times the growth

# Kept mappings.
MAX_RETAINED = 16
EPOCH = 256                         # steps
SLACK_SHIFT = 2                     # a quarter more than was used lately may be held
SPARE_SHIFT = 2                     # a mapping that is used again may be a quarter larger than it must

# The vault's words.
FREE_RECORDS = 0                    # records that were given up, by their NEXT
FRESH_RECORD = 8                    # the next record that was never used, or its chunk's end
CHUNKS = 16                         # first record of the newest chunk, or NULL
DRAWN = 24                          # of the random numbers for mappings: how many were drawn, in steps
MAPPINGS_TURN = 32                  # which of the mappings that wait is the oldest, in bytes
PIECES = 40                         # spans and mappings that have pages
SPARES = 48                         # mappings that have waited, and are there for others
MAPPINGS_WAIT = 64                  # ring of the records of freed mappings
WAITING_MAPPINGS = 32
SPARE_MAPPINGS = MAPPINGS_WAIT + WAITING_MAPPINGS * WORD    # records of those that are spare, SPARES of them
MOST_SPARES = 32                    # a power of two
MOST_SPARE = 1 << 24                # bytes of one, guards included
ROOT = PAGE
ROOT_SHIFT = 35                     # bits of an address below those that the root is indexed by
ROOT_COUNT = 1 << ADDRESS_BITS - ROOT_SHIFT
MIDDLE_SHIFT = 23
MIDDLE_COUNT = 1 << ROOT_SHIFT - MIDDLE_SHIFT
LEAF_COUNT = 1 << MIDDLE_SHIFT - PAGE_SHIFT
KEEPS = ROOT + ROOT_COUNT * WORD
VAULT_BYTES = KEEPS + MAX_ARENAS * PAGE
VAULT_GUARD = 1 << 16               # bytes on either side of what belongs to the vault

# A record's words.
RECORD_SHIFT = 8
RECORD_BYTES = 1 << RECORD_SHIFT
KIND = 0                            # NEXT and PREV hold a span's place on the list of those of its class with room
NO_RECORD = 0
SPAN = 1
MAPPING = 2
FREED_MAPPING = 3                   # its pages have no access any more: it waits, or is spare
LAST_RECORD = 4                     # the end of a chunk: NEXT is the first record of the chunk before, or NULL
UNFOUND = 5                         # its pages are nobody's: no table leads to them, and the system did not take them
BASE = 24                           # first slot, or payload
SPAN_OWNER = 32                     # the arena, or the record of the mapped blocks: whose lock is the record's
SLOT = 40                           # bytes of a slot
RECIPROCAL = 48                     # 1 << RECIPROCAL_SHIFT, divided by those, rounded up
SLOTS = 56                          # all that each free asks for lies on one cache line, and a slot's bits on another
SPAN_FREE = 64                      # slots that are not taken
CHOSEN = 72                         # the slot that is taken next, chosen at random; or NONE_CHOSEN
SPAN_CLASS = 80
LENGTH = 88                         # bytes of pages from BASE
MAPPING_START = 96                  # what the system gave, guards included
MAPPING_BYTES = 104
TAKEN = 128                         # a bit for each slot that is used, waits, or does not exist; SLOT_BITS in a word
WAITING = 136                       # a bit for each that waits, and is taken therefore
NONE_CHOSEN = -1
SLOT_STRIDE = 16                    # bytes from such a word to the next of its kind: they lie in turn
CHUNK_RECORDS = 256                 # the last of which is LAST_RECORD
CHUNK_BYTES = CHUNK_RECORDS << RECORD_SHIFT

# Spans.
MOST_SLOTS = 256
SLOT_BITS_SHIFT = 5
SLOT_BITS = 1 << SLOT_BITS_SHIFT
ALL_SLOTS = (1 << SLOT_BITS) - 1
SPAN_WORDS_MASK = (MOST_SLOTS >> SLOT_BITS_SHIFT) - 1
MOST_SPAN = 1 << 16                 # bytes, unless LEAST_SLOTS need more
LEAST_SLOTS = 4
MOST_SLOT = MOST_CACHED             # bytes
RECIPROCAL_SHIFT = 35
GUARD_MASK = 15                     # guards have 1 to 16 pages
MOST_GUARDED = 3 << 13              # PIECES with guards: two mappings each of the 65,530 that a process may have
GROWN_SHIFT = 3                     # a mapping that realloc makes has an eighth more than it must

# What waits in an arena: for slots of up to 256, 2048 and more bytes each a pool and a ring of as many words.
KEEP_DRAWN = 0                      # as DRAWN
KEEP_TURNS = 8                      # of each ring, its oldest, in bytes
KEEP_EMPTY = 32                     # bytes of pages of the arena's spans of which no slot is taken
KEEP_POOLS = 2048                   # of the first group; of each other at a quarter of that before
KEEP_GROUPS = 3
WAITING_SLOTS = 128                 # in the first pool; in each other a quarter of that before
WAITING_SHIFT = 2
MOST_EMPTY = 1 << 24                # bytes of pages that an arena's empty spans have, but for one of each class
LOOKED_AT = 1024                    # records that are looked at when the program ends
DRAW_STEP = 0x1E3779B97F4A7C15      # random numbers have 63 bits
MIX_FIRST = 0x3F58476D1CE4E5B9
MIX_SECOND = 0x14D049BB133111EB

DEFAULT_THRESHOLD = 128 * 1024
DEFAULT_GROWTH = 128 * 1024
DEFAULT_ARENAS = 8
DEFAULT_POLICY = 4                  # segregated fit, in the native library
DEFAULT_CACHE = 1 << 18             # bytes a bin, in the native library
MAX_CACHE = 1 << 20
DEFAULT_KEEP = 1 << 28              # bytes of mappings, in the native library
MIN_THRESHOLD = PAGE

# Placement policies.
FIRST_FIT = 0
NEXT_FIT = 1
BEST_FIT = 2
WORST_FIT = 3
SEGREGATED_FIT = 4
POLICY_COUNT = 5

# What the machine is told when it must abort.
DOUBLE_FREE = 1
INVALID_POINTER = 2
CORRUPT_HEADER = 3
CORRUPT_LIST = 4
WRONG_SIZE = 5
OVERFLOW = 6
WRITE_AFTER_FREE = 7
USE_AFTER_FREE = 8

# What `verify` tells it: the invariant that does not hold, named as the model names it.
BLOCKS_TILE_THEIR_REGION = 17
SIZES_ARE_LEGAL = 18
NO_TWO_FREE_NEIGHBOURS = 19
BOUNDARY_TAGS_AGREE = 20
FLAGS_AGREE_WITH_NEIGHBOURS = 21
OWNERS_ARE_RIGHT = 22
FENCES_END_THEIR_REGIONS = 23
THE_TOP_REGION_ENDS_AT_THE_BREAK = 24
FREE_LIST_IS_EXACTLY_THE_FREE_BLOCKS = 25
FREE_LIST_IS_LINKED_BOTH_WAYS = 26
CURSOR_IS_ON_THE_LIST = 27
LEDGERS_EQUAL_RECOMPUTED_TOTALS = 28
MAPPED_LIST_IS_LINKED_BOTH_WAYS = 29
MAPPED_BLOCKS_FIT_THEIR_MAPPINGS = 30
BINS_HOLD_BLOCKS_OF_THEIR_SIZE = 31
STACKS_COUNT_THEIR_BLOCKS = 32
FREE_BLOCKS_ARE_IN_THEIR_CLASS = 33
CLASSES_ARE_MARKED_WHILE_THEY_HAVE_BLOCKS = 34
KEPT_MAPPINGS_KEEP_TO_THEIR_BOUNDS = 48
THE_TABLE_LEADS_TO_EACH_RECORD = 49
SLOTS_ARE_COUNTED = 50
WAITING_SLOTS_ARE_TAKEN = 51

# errno, the same on every Linux.
ENOMEM = 12
EINVAL = 22

REFUSED = -1                        # what the machine answers when the system says no

# What `stats` writes, a word each.
STAT_HELD = 0
STAT_USED_BYTES = 8
STAT_USED_BLOCKS = 16
STAT_FREE_BYTES = 24
STAT_FREE_BLOCKS = 32
STAT_LARGEST_FREE = 40
STAT_CACHED_BYTES = 48              # of the used: in caches and on remote lists
STAT_CACHED_BLOCKS = 56
STAT_CALLS = 64
STATS_BYTES = STAT_CALLS + CALL_KINDS * WORD
ALL_ARENAS = -1
ONLY_MAPPINGS = -2

SHOW_ARENA = 1                      # what a line of the status dump shows
SHOW_REGION = 2
SHOW_BLOCK = 3
SHOW_MAPPED = 4
SHOW_UNGUARDED = 5                  # no status: said once
SHOW_RUN = 6

assert ALIGN & (ALIGN - 1) == 0
assert PAGE == MIN_THRESHOLD == 1 << PAGE_SHIFT
assert (USED | PREV_USED | MAPPED | LOST) & (SIZE_MASK | OWNER_MASK) == 0
assert SIZE_MASK & OWNER_MASK == 0 == CHECKSUM_MASK & (SIZE_MASK | OWNER_MASK)
assert SIZE_MASK | OWNER_MASK | CHECKSUM_MASK | 15 == MAX_WORD
assert OWNER_MASK >> OWNER_SHIFT == MAX_ARENAS - 1, "each owner is an arena's index"
assert DEFAULT_POLICY == SEGREGATED_FIT < POLICY_COUNT
assert MIN_BLOCK == 4 * WORD == 2 * ALIGN
assert FIRST_BLOCK & (ALIGN - 1) == ALIGN - PAYLOAD, "the first payload is aligned"
assert MAPPED_LEAD & (ALIGN - 1) == ALIGN - PAYLOAD
assert -MAPPED_LEAD <= NODE < NODE + NEXT < NODE + PREV < LEAD
assert CALLS + CALL_KINDS * WORD <= SEGREGATED < PEAK < RECENT < TURNOVER < CLASS_MAP
assert EXACT_CLASSES == (EXACT - MIN_BLOCK) >> ALIGN_SHIFT
assert STEPS * FIRST_STEP == EXACT
assert TOP_CLASS == EXACT << ((CLASS_COUNT - 1 - EXACT_CLASSES) >> STEPS_SHIFT)
assert CLASS_COUNT >> MAP_SHIFT == 3, "the bit of CLASS_COUNT is in the last word of the map"
assert CLASS_MAP + 4 * WORD <= CLASSES
assert CLASSES + (CLASS_COUNT << CLASS_SHIFT) <= REMOTE < ARENA_BYTES
assert CACHING + PREV < ATTACHED
assert ATTACHED + MAX_ARENAS * WORD <= KEEP_BYTES < RETAINED_LIST < RETAINED_LIST + PREV < USED_LATELY
assert MOST_PATIENCE <= PATIENCE_MASK < WAS_PURGED < ALIGN
assert USED_STEPS < UNTAKEN < UNTAKEN + PREV < KEEPING_END <= KEY < ARENAS
assert KEPT_MARK + WORD <= MAPPED_LEAD, "the header of a block that was there stays"
assert MY_ARENA < NEXT < PREV < REGISTERED < MY_CALLS
assert MY_CALLS + CALL_KINDS * WORD <= ENDED < BINS
assert LIMIT + WORD == 1 << BIN_SHIFT
assert MOST_CACHED == (STEPS + 1) << (FIRST_STEP_SHIFT + ((BIN_COUNT - 2 - EXACT_CLASSES) >> STEPS_SHIFT)), \
    "it is the least size of the last class that has a bin"
assert MOST_CACHED < LEAST_LARGE < TOP_CLASS
assert PLAIN_BITS & (PREV_USED | LEAST_LARGE - ALIGN | OWNER_MASK | CHECKSUM_MASK) == 0
assert PAYLOAD + MARK < MIN_BLOCK + FOOTER
assert MOST_REMOTE + MOST_SENT <= MOST_COUNTED
assert LEAST_KEY + KEY_MASK < 0
assert LEAST_KEY - (MOST_COUNTED << COUNT_SHIFT) - 2 * TOP_MASK >= LEAST_WORD
assert MAX_ARENAS <= 1 << 15
assert MAX_REQUEST + PAGE < OWNER_ONE
assert UNGUARDED + WORD <= ARENAS
assert PIECES < SPARES < MAPPINGS_WAIT < SPARE_MAPPINGS <= ROOT - MOST_SPARES * WORD
assert VAULT_BYTES & (PAGE - 1) == 0
assert PREV < BASE < SLOTS < MAPPING_BYTES < TAKEN == RECORD_BYTES - (MOST_SLOTS >> SLOT_BITS_SHIFT) * SLOT_STRIDE
assert TAKEN + WORD == WAITING == TAKEN + SLOT_STRIDE - WORD
assert MOST_SLOTS <= RECORD_BYTES, "a record's address and a slot's number are one word"
assert LEAST_SLOTS * MOST_SLOT * MOST_SLOT <= 1 << RECIPROCAL_SHIFT, "reciprocals are exact enough"
assert KEEP_TURNS + KEEP_GROUPS * WORD <= KEEP_EMPTY < KEEP_POOLS >> (KEEP_GROUPS - 1) * WAITING_SHIFT
assert KEEP_POOLS == 2 * WAITING_SLOTS * WORD == PAGE - KEEP_POOLS, "each group's pool and ring end before the next"
assert DRAW_STEP & MIX_FIRST & MIX_SECOND & 1 == 1
