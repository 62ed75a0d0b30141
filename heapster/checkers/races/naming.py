"""Names for addresses, so that findings read the same wherever they were made."""

import re

from heapster.impl import layout
from heapster.impl.layout import ARENA_BYTES, ARENAS, CALLS, HEAD, MAPPINGS, NEXT, PREV, STATICS_BYTES, WORD
from heapster.machine.simulated import BREAK, STATICS
from heapster.machine.simulated import MAPPINGS as MAPPED_MEMORY
from heapster.machine.traced import BREAK_OBJECT, MAPPINGS_OBJECT, WAIT_OBJECT

ADDRESS = re.compile(r"0x[0-9a-f]{5,}")
FIELDS = {
    layout.ARENA_LOCK: "lock", HEAD: "list head", HEAD + NEXT: "list's first", HEAD + PREV: "list's last",
    layout.CURSOR: "cursor", layout.REGIONS: "regions", layout.TOP: "top", layout.BREAK: "break",
    layout.HELD_BYTES: "held bytes", layout.USED_BYTES: "used bytes", layout.USED_BLOCKS: "used blocks",
    layout.FREE_BYTES: "free bytes", layout.FREE_BLOCKS: "free blocks",
    **{CALLS + kind * WORD: f"count of {name} calls" for kind, name in
       enumerate(("malloc", "calloc", "realloc", "aligned", "free"))},
}
STATIC_FIELDS = {
    layout.ATTACH_LOCK: "the attach lock", layout.POLICY: "the policy", layout.THRESHOLD: "the threshold",
    layout.GROWTH: "the growth", layout.ARENA_LIMIT: "the number of arenas", layout.NEXT_ARENA: "the next arena",
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
    if address >= MAPPED_MEMORY:
        return f"mapped memory + {address - MAPPED_MEMORY}"
    return f"heap + {address - BREAK}"


def _static(offset: int) -> str:
    if offset in STATIC_FIELDS:
        return STATIC_FIELDS[offset]
    if offset >= ARENAS:
        index, field = divmod(offset - ARENAS, ARENA_BYTES)
        return f"arena {index}'s {FIELDS.get(field, f'word {field}')}"
    if offset >= MAPPINGS:
        return f"the mapped blocks' {FIELDS.get(offset - MAPPINGS, f'word {offset - MAPPINGS}')}"
    return f"statics + {offset}"


def named(text: str) -> str:
    """The text with its addresses named."""
    return ADDRESS.sub(lambda match: f"[{name(int(match[0], 16))}]", text)
