"""Where runs have their words, in libraries that are built with spans. Constants only; sizes and offsets in bytes.

Small sizes come from runs there: aligned pieces of one reservation, each cut into slots of one class, which have no
header, from its end back:

    base    base+RUN_RECORDS   base+RUN_PLACES   base+RUN_POOL   base+FIRST_RUN*RUN_BYTES
    | table | records          | places          | own words     | run | run | ...

    run     run+first                                   fresh                     run+RUN_BYTES
    | rest  | slots that were handed out at some time   | and those that never were |

The table has a word for each run, 0 for what nobody has; so it is known of any address in which run it lies, and where
in that: bits 0-11 the place of its class, 12-17 its owner's index, 32-62 the reciprocal of its slots' size.

What is built with spans differs in the word SPANS, and in nothing else.
"""

from .layout import (
    ALIGN,
    ALIGN_SHIFT,
    ARENA_LIMIT,
    BIN_COUNT,
    BIN_SHIFT,
    CACHE_BYTES,
    KEEPING_END,
    KEY,
    MAX_ARENAS,
    MOST_COUNTED,
    PAGE,
    RECIPROCAL_SHIFT,
    WORD,
)

SPANS = 0                           # 1 where there are spans
SHORT = SPANS * WORD                # bytes of header that slots lack, and that what a class holds is more by therefore
LONGER = SPANS * ALIGN              # bytes by which a block is larger than the slots of the class that it serves

# Statics.
RUNS_AT = 96                        # where the reservation begins, less FAR; 0 while there is none
RUNS_ASKED = 728                    # 1 since the system was asked for it
FAR = 1 << 47                       # no program has memory there

# The reservation.
RUN_SHIFT = 16
RUN_BYTES = 1 << RUN_SHIFT
RESERVE_SHIFT = 34
RESERVED = (1 << RESERVE_SHIFT) + RUN_BYTES     # bytes, so that it can be aligned
RUN_COUNT = 1 << RESERVE_SHIFT - RUN_SHIFT
RUN_RECORD_SHIFT = 6
RUN_RECORDS = RUN_COUNT * WORD
RUN_PLACES = RUN_RECORDS + (RUN_COUNT << RUN_RECORD_SHIFT)      # for each arena two words for each class
PLACES_SHIFT = 12
RUN_POOL = RUN_PLACES + (MAX_ARENAS << PLACES_SHIFT)            # records of runs that nobody has, by their NEXT
RUN_NEXT = RUN_POOL + 8             # number of the next run that nobody ever had
RUN_POOLED = RUN_POOL + 16          # how many of the pool have pages
RUN_USED = RUN_POOL + 24            # how many runs arenas have
RUN_START = RUN_POOL + 32           # where begins what the system gave
RUN_HEADER = RUN_POOL + PAGE        # bytes before the first run may begin
FIRST_RUN = (RUN_HEADER + RUN_BYTES - 1) >> RUN_SHIFT

# A word of the table.
INVERSE_SHIFT = 32                  # 1 << this, divided by the size of a slot, is from this bit on
INVERSE_DROPPED = RECIPROCAL_SHIFT - INVERSE_SHIFT
RUN_CLASS_MASK = (1 << PLACES_SHIFT) - 1
RUN_OWNER_MASK = MAX_ARENAS - 1 << PLACES_SHIFT

# A record's words. NEXT and PREV hold its place on the list of its class's runs that got slots back, or in the pool.
RUN_FREE = 0                        # stack of the slots that it got back
RUN_FRESH = 32                      # its first slot that was never handed out
RUN_LIVE = 40                       # slots that are out
RUN_PURGED = 48                     # 1 if its pages went back

# A place's words.
RUN_ROOM = 0                        # the first run on that list
RUN_CARVED = 8                      # the run whose slots are handed out for the first time

MOST_RUN_SLOT = 1024                # bytes
MOST_POOLED = 64                    # runs of the pool that keep their pages, beside as many as are used

assert ARENA_LIMIT + WORD <= RUNS_AT < CACHE_BYTES
assert KEEPING_END <= RUNS_ASKED < KEY
assert RUN_BYTES & (PAGE - 1) == 0, "runs are whole pages, whatever a page is up to their size"
assert BIN_COUNT + 1 << BIN_SHIFT <= 1 << PLACES_SHIFT
assert RUN_CLASS_MASK | RUN_OWNER_MASK < 1 << INVERSE_SHIFT
assert INVERSE_DROPPED >= 0
assert RUN_PURGED + WORD <= 1 << RUN_RECORD_SHIFT
assert RUN_BYTES >> ALIGN_SHIFT < MOST_COUNTED
