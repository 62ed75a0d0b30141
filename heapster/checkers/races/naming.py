"""Names for addresses, so that findings read the same wherever they were made."""

import re

from heapster.impl import layout
from heapster.impl.layout import (
    ALIGN,
    ARENA_BYTES,
    ARENAS,
    BINS,
    CALLS,
    HEAD,
    MAPPINGS,
    MIN_BLOCK,
    NEXT,
    PREV,
    STATICS_BYTES,
    WORD,
)
from heapster.machine.checked_memory import MAPPINGS as MAPPED_MEMORY
from heapster.machine.checked_memory import OUTSIDE, STATICS, THREAD_STRIDE, THREADS
from heapster.machine.simulated import BREAK
from heapster.machine.traced import BREAK_OBJECT, MAPPINGS_OBJECT, WAIT_OBJECT

ADDRESS = re.compile(r"0x[0-9a-f]{5,}")
CALL_NAMES = ("malloc", "calloc", "realloc", "aligned", "free")
FIELDS = {
    layout.ARENA_LOCK: "lock", HEAD: "list head", HEAD + NEXT: "list's first", HEAD + PREV: "list's last",
    layout.CURSOR: "cursor", layout.REGIONS: "regions", layout.TOP: "top", layout.BREAK: "break",
    layout.HELD_BYTES: "held bytes", layout.USED_BYTES: "used bytes", layout.USED_BLOCKS: "used blocks",
    layout.FREE_BYTES: "free bytes", layout.FREE_BLOCKS: "free blocks", layout.REMOTE: "remote list",
    **{CALLS + kind * WORD: f"count of {name} calls" for kind, name in enumerate(CALL_NAMES)},
}
STATIC_FIELDS = {
    layout.ATTACH_LOCK: "the attach lock", layout.POLICY: "the policy", layout.THRESHOLD: "the threshold",
    layout.GROWTH: "the growth", layout.ARENA_LIMIT: "the number of arenas",
    layout.CACHE_BYTES: "the cache's bytes", layout.CACHING + NEXT: "the first thread with a cache",
    layout.CACHING + PREV: "the last thread with a cache",
    layout.KEEP_BYTES: "what may be kept", layout.RETAINED_LIST + NEXT: "the newest kept mapping",
    layout.RETAINED_LIST + PREV: "the oldest kept mapping", layout.USED_LATELY: "the most used in this epoch",
    layout.USED_BEFORE: "the most used in the last epoch", layout.USED_STEPS: "the steps of this epoch",
}
THREAD_FIELDS = {
    layout.MY_ARENA: "arena", NEXT: "place among threads with caches", PREV: "place among threads with caches",
    layout.REGISTERED: "enrolment", layout.ENDED: "end",
    **{layout.MY_CALLS + kind * WORD: f"count of {name} calls" for kind, name in enumerate(CALL_NAMES)},
}


def name(address: int) -> str:
    """What lies at an address: a field, or a place in the memory that the system gave."""
    if address == BREAK_OBJECT:
        return "the break"
    if address == MAPPINGS_OBJECT:
        return "the mappings"
    if WAIT_OBJECT <= address < STATICS:
        return f"block {address - WAIT_OBJECT}, handed over"
    offset = address - STATICS
    if 0 <= offset < STATICS_BYTES:
        return _static(offset)
    if THREADS <= address < OUTSIDE:
        return _storage(*divmod(address - THREADS, THREAD_STRIDE))
    if address >= MAPPED_MEMORY:
        return f"mapped memory + {address - MAPPED_MEMORY}"
    return f"heap + {address - BREAK}"


def _static(offset: int) -> str:
    if offset in STATIC_FIELDS:
        return STATIC_FIELDS[offset]
    if offset >= MAPPINGS:
        return f"the mapped blocks' {FIELDS.get(offset - MAPPINGS, f'word {offset - MAPPINGS}')}"
    if offset >= ARENAS:
        index, field = divmod(offset - ARENAS, ARENA_BYTES)
        return f"arena {index}'s {FIELDS.get(field, f'word {field}')}"
    return f"statics + {offset}"


def _storage(thread: int, offset: int) -> str:
    if offset in THREAD_FIELDS:
        return f"thread {thread}'s {THREAD_FIELDS[offset]}"
    which, rest = divmod(offset - BINS, ALIGN)
    return f"thread {thread}'s {'limit' if rest else 'bin'} of blocks of {MIN_BLOCK + which * ALIGN} bytes"


def named(text: str) -> str:
    """The text with its addresses named."""
    return ADDRESS.sub(lambda match: f"[{name(int(match[0], 16))}]", text)
