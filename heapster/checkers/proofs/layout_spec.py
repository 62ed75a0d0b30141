"""The drawings of `impl/layout.py`, repeated on purpose: a wrong constant there must not hide itself.

Proofs build heaps and read them by these numbers alone, never by the source's.
"""

from collections.abc import Callable
from typing import Any

from heapster.machine.symbolic import HIGHEST, LOWEST, MisuseAbort
from heapster.model.placement import POLICY_NAMES

WORD, ALIGN, PAGE, MIN_BLOCK, MAX_REQUEST = 8, 16, 4096, 32, 1 << 46
MAX_WORD = (1 << 63) - 1
LEAST_KEY = (1 << 50) - (1 << 62) + 1
MOST = 1 << 44                      # bytes of any block in a proof; sixty-four make a legal heap of 2**50
USED, PREV_USED, MAPPED = 1, 2, 4
OWNER_PLACE, CHECKSUM_PLACE = 48, 54    # bits 48-53 and 54-62 of a header
OWNERS = 1 << 6
ALL_SIZE_BITS, ALL_OWNER_BITS, ALL_CHECKSUM_BITS = (1 << 48) - 16, (1 << 54) - (1 << 48), (1 << 63) - (1 << 54)
CHECKSUM = 1 << CHECKSUM_PLACE      # that of every header in a proof, see `constant_checksums`
NEXT, PREV, PAYLOAD, FOOTER = 8, 16, 8, -8
REGION = {"next": 0, "prev": 8, "start": 16, "length": 24, "kind": 32}
FIRST_BLOCK, FENCE_REGION, FENCE_BYTES = 40, 8, 16
SBRK, MMAP = 1, 2
DOUBLE_FREE, INVALID_POINTER, CORRUPT_HEADER, CORRUPT_LIST, WRONG_SIZE = 1, 2, 3, 4, 5     # what aborts say
USE_AFTER_FREE = 8
LEAD, NODE, MAPPED_LEAD = -8, -32, 40
LOST, CROWDED = 8, 1 << 32
ARENA_RECORD = {"lock": 0, "head": 64, "next": 72, "prev": 80, "cursor": 88, "regions": 96, "top": 104,
                "break": 112, "held": 120, "used_bytes": 128, "used_blocks": 136, "free_bytes": 144,
                "free_blocks": 152, "calls": 160, "segregated": 200, "peak": 208, "recent": 216, "turnover": 224,
                "class_map": 232, "classes": 264, "remote": 2040}
STATICS = {"attach_lock": 0, "policy": 64, "threshold": 72, "growth": 80, "arena_limit": 88,
           "cache": 104, "caching": 112, "attached": 136, "keep": 648, "kept": 656, "used_lately": 680,
           "used_before": 688, "steps": 696, "untaken": 704, "key": 736,
           "hardened": 744, "vault": 752, "mappings": 768 + 64 * 2048, "arenas": 768}
KEPT = {"mark": 24, "most": 16, "epoch": 256, "slack_shift": 2, "spare_shift": 2}
IDLE = {"most_patience": 7, "forgiven": 4, "was_purged": 8, "epoch": 2048, "least": 1 << 15, "shift": 4,
        "growths_shift": 4}
CACHE = {"most_cached": 9 << 13, "least_large": 1 << 17,
         "max_cache": 1 << 20, "most_moved": 1 << 13, "small_bin": 1 << 14, "bins": 80,
         "thread_bytes": 1488, "registered": 24, "my_calls": 32, "ended": 72}
CLASS = {"count": 111, "exact": 30, "steps": 8, "first_step": 512, "bits": 32, "cached": 88}
ARENA_BYTES, MAX_ARENAS = 2048, 64
STATICS_BYTES = 768 + 65 * 2048
SPANS = {"base": 24, "slot": 40, "reciprocal": 48, "slots": 56, "most_slot": 9 << 13, "root": 4096, "keeps": 69632}
CALL_KINDS = 5
TOTALS = 1 << 55                    # no running total of a proof's heap exceeds it

LAYOUT = {
    "NULL": 0, "WORD": 8, "ALIGN": 16, "PAGE": 4096, "MAX_WORD": MAX_WORD, "LEAST_WORD": -1 - MAX_WORD,
    "MAX_REQUEST": 1 << 46,
    "LEAST_PAYLOAD": (1 << 16) + 16, "ADDRESS_BITS": 48,
    "USED": 1, "PREV_USED": 2, "MAPPED": 4, "OWNER_SHIFT": 48, "OWNER_ONE": 1 << 48,
    "SIZE_MASK": ALL_SIZE_BITS, "OWNER_MASK": ALL_OWNER_BITS, "NOT_USED": -2, "NOT_PREV_USED": -3,
    "CHECKSUM_SHIFT": 54, "CHECKSUM_ONE": 1 << 54, "CHECKSUM_MASK": ALL_CHECKSUM_BITS, "NOT_CHECKSUM": (1 << 54) - 1,
    "SUMMED": (1 << 54) - 3,
    "NEXT": 8, "PREV": 16, "PAYLOAD": 8, "FOOTER": -8, "MIN_BLOCK": 32,
    "REGION_NEXT": 0, "REGION_PREV": 8, "REGION_START": 16, "REGION_LENGTH": 24, "REGION_KIND": 32,
    "FIRST_BLOCK": 40, "FENCE_REGION": 8, "FENCE_BYTES": 16, "REGION_OVERHEAD": 88, "FROM_SBRK": 1,
    "FROM_MMAP": 2, "NODE": -32, "LEAD": -8, "MAPPED_LEAD": 40, "ARENA_LOCK": 0, "HEAD": 64, "CURSOR": 88,
    "REGIONS": 96, "TOP": 104, "BREAK": 112, "HELD_BYTES": 120, "USED_BYTES": 128, "USED_BLOCKS": 136,
    "FREE_BYTES": 144, "FREE_BLOCKS": 152, "CALLS": 160, "ARENA_SHIFT": 11, "ARENA_BYTES": 2048,
    "CALL_MALLOC": 0, "CALL_CALLOC": 1, "CALL_REALLOC": 2, "CALL_ALIGNED": 3, "CALL_FREE": 4, "CALL_KINDS": 5,
    "ATTACH_LOCK": 0, "POLICY": 64, "THRESHOLD": 72, "GROWTH": 80, "ARENA_LIMIT": 88,
    "MAPPINGS": STATICS["mappings"], "ARENAS": STATICS["arenas"], "MAX_ARENAS": 64, "CROWDED": CROWDED,
    "STATICS_BYTES": STATICS_BYTES, "MY_ARENA": 0,
    "DEFAULT_THRESHOLD": 131072, "DEFAULT_GROWTH": 131072, "DEFAULT_ARENAS": 8, "MIN_THRESHOLD": 4096,
    "DOUBLE_FREE": DOUBLE_FREE, "INVALID_POINTER": INVALID_POINTER, "CORRUPT_HEADER": CORRUPT_HEADER,
    "CORRUPT_LIST": CORRUPT_LIST, "WRONG_SIZE": WRONG_SIZE, "USE_AFTER_FREE": USE_AFTER_FREE,
    "POLICY_COUNT": len(POLICY_NAMES), "DEFAULT_POLICY": 4,
    **{name.upper(): number for number, name in enumerate(POLICY_NAMES)},
    "SEGREGATED": 200, "PEAK": 208, "RECENT": 216, "TURNOVER": 224,
    "CLASS_MAP": 232, "CLASSES": 264, "LOST": LOST, "REMOTE": 2040, "CLASS_COUNT": 111, "EXACT": 512,
    "EXACT_CLASSES": 30, "STEPS": 8, "TOP_CLASS": 1 << 19, "CLASS_BITS": 32,
    "ENOMEM": 12, "EINVAL": 22, "REFUSED": -1,
    "ALIGN_SHIFT": 4, "STEPS_SHIFT": 3, "FIRST_STEP_SHIFT": 6, "FIRST_STEP": 64, "MAP_SHIFT": 5, "CLASS_SHIFT": 4,
    "PROBES": 8,
    "LEAST_LARGE": CACHE["least_large"], "NO_PAYLOAD": (-1 << 48) + 15, "PLAIN_BITS": 0x8000FFFFFFFE000D - (1 << 64),
    "CACHE_BYTES": 104, "CACHING": 112, "ATTACHED": 136, "REGISTERED": 24, "MY_CALLS": 32, "ENDED": 72,
    "BINS": CACHE["bins"], "BIN_SHIFT": 4, "LIMIT": 8, "MOST_CACHED": CACHE["most_cached"], "BIN_COUNT": 88,
    "THREAD_BYTES": CACHE["thread_bytes"], "COUNT_SHIFT": 48, "COUNT_ONE": 1 << 48, "TOP_MASK": (1 << 48) - 1,
    "MARK": 8, "KEY_MASK": (1 << 61) - 2, "KEY": 736, "LEAST_KEY": LEAST_KEY, "MOST_COUNTED": 16384,
    "MOST_MOVED": CACHE["most_moved"],
    "SMALL_BIN": CACHE["small_bin"], "OVERFLOWED": 1, "MOST_REMOTE": 256, "MOST_SENT": 64, "DEFAULT_CACHE": 1 << 18,
    "MAX_CACHE": CACHE["max_cache"],
    "BLOCKS_TILE_THEIR_REGION": 17, "SIZES_ARE_LEGAL": 18,
    "NO_TWO_FREE_NEIGHBOURS": 19, "BOUNDARY_TAGS_AGREE": 20, "FLAGS_AGREE_WITH_NEIGHBOURS": 21,
    "OWNERS_ARE_RIGHT": 22, "FENCES_END_THEIR_REGIONS": 23, "THE_TOP_REGION_ENDS_AT_THE_BREAK": 24,
    "FREE_LIST_IS_EXACTLY_THE_FREE_BLOCKS": 25, "FREE_LIST_IS_LINKED_BOTH_WAYS": 26, "CURSOR_IS_ON_THE_LIST": 27,
    "LEDGERS_EQUAL_RECOMPUTED_TOTALS": 28, "MAPPED_LIST_IS_LINKED_BOTH_WAYS": 29,
    "MAPPED_BLOCKS_FIT_THEIR_MAPPINGS": 30, "BINS_HOLD_BLOCKS_OF_THEIR_SIZE": 31, "STACKS_COUNT_THEIR_BLOCKS": 32,
    "FREE_BLOCKS_ARE_IN_THEIR_CLASS": 33, "CLASSES_ARE_MARKED_WHILE_THEY_HAVE_BLOCKS": 34, "STAT_HELD": 0,
    "STAT_USED_BYTES": 8, "STAT_USED_BLOCKS": 16, "STAT_FREE_BYTES": 24, "STAT_FREE_BLOCKS": 32,
    "STAT_LARGEST_FREE": 40, "STAT_CACHED_BYTES": 48, "STAT_CACHED_BLOCKS": 56, "STAT_CALLS": 64, "STATS_BYTES": 104,
    "NEW": 0, "AGED": 1, "PURGED": 2, "KEPT_MARK": KEPT["mark"], "KEEP_BYTES": STATICS["keep"],
    "RETAINED_LIST": STATICS["kept"],
    "USED_LATELY": STATICS["used_lately"], "USED_BEFORE": STATICS["used_before"], "USED_STEPS": STATICS["steps"],
    "UNTAKEN": STATICS["untaken"], "KEEPING_END": 728, "MAX_RETAINED": KEPT["most"], "EPOCH": KEPT["epoch"],
    "SLACK_SHIFT": KEPT["slack_shift"], "SPARE_SHIFT": KEPT["spare_shift"], "DEFAULT_KEEP": 1 << 28,
    "PEAK_MASK": -16, "PATIENCE_MASK": 7, "MOST_PATIENCE": IDLE["most_patience"], "FORGIVEN": IDLE["forgiven"],
    "WAS_PURGED": IDLE["was_purged"],
    "PAGE_SHIFT": 12, "ARENA_EPOCH": IDLE["epoch"], "LEAST_PURGED": IDLE["least"], "IDLE_SHIFT": IDLE["shift"],
    "IDLE_GROWTHS_SHIFT": IDLE["growths_shift"],
    "KEPT_MAPPINGS_KEEP_TO_THEIR_BOUNDS": 48,
    "ALL_ARENAS": -1, "ONLY_MAPPINGS": -2, "SHOW_ARENA": 1, "SHOW_REGION": 2, "SHOW_BLOCK": 3, "SHOW_MAPPED": 4,
}
HARDENED = {
    "HARDENED": 744, "VAULT": 752, "UNGUARDED": 760, "FREE_RECORDS": 0, "FRESH_RECORD": 8, "CHUNKS": 16, "DRAWN": 24,
    "MAPPINGS_TURN": 32, "MAPPINGS_WAIT": 64, "WAITING_MAPPINGS": 32, "ROOT": SPANS["root"], "ROOT_SHIFT": 35,
    "ROOT_COUNT": 8192, "MIDDLE_SHIFT": 23, "MIDDLE_COUNT": 4096, "LEAF_COUNT": 2048, "KEEPS": SPANS["keeps"],
    "VAULT_BYTES": 331776, "VAULT_GUARD": 65536, "RECORD_SHIFT": 8, "RECORD_BYTES": 256, "KIND": 0, "NO_RECORD": 0,
    "SPAN": 1, "MAPPING": 2, "FREED_MAPPING": 3, "LAST_RECORD": 4, "UNFOUND": 5,
    "BASE": SPANS["base"], "LENGTH": 88, "MAPPING_START": 96, "MAPPING_BYTES": 104, "SPAN_OWNER": 32, "SPAN_CLASS": 80,
    "CHOSEN": 72, "NONE_CHOSEN": -1, "SLOT": SPANS["slot"],
    "RECIPROCAL": SPANS["reciprocal"], "SLOTS": SPANS["slots"], "SPAN_FREE": 64, "TAKEN": 128, "WAITING": 136,
    "SLOT_STRIDE": 16,
    "CHUNK_RECORDS": 256, "CHUNK_BYTES": 65536, "MOST_SLOTS": 256, "SLOT_BITS_SHIFT": 5, "SLOT_BITS": 32,
    "ALL_SLOTS": (1 << 32) - 1, "SPAN_WORDS_MASK": 7, "MOST_SPAN": 65536, "LEAST_SLOTS": 4,
    "MOST_SLOT": SPANS["most_slot"], "RECIPROCAL_SHIFT": 35, "GUARD_MASK": 15, "GROWN_SHIFT": 3, "KEEP_DRAWN": 0,
    "KEEP_TURNS": 8, "KEEP_EMPTY": 32, "KEEP_POOLS": 2048, "KEEP_GROUPS": 3, "WAITING_SLOTS": 128, "WAITING_SHIFT": 2,
    "MOST_EMPTY": 1 << 24, "LOOKED_AT": 1024, "PIECES": 40, "MOST_GUARDED": 24576,
    "SPARES": 48, "SPARE_MAPPINGS": 320, "MOST_SPARES": 32, "MOST_SPARE": 1 << 24,
    "DRAW_STEP": 0x1E3779B97F4A7C15, "MIX_FIRST": 0x3F58476D1CE4E5B9, "MIX_SECOND": 0x14D049BB133111EB,
    "OVERFLOW": 6, "WRITE_AFTER_FREE": 7, "THE_TABLE_LEADS_TO_EACH_RECORD": 49, "SLOTS_ARE_COUNTED": 50,
    "WAITING_SLOTS_ARE_TAKEN": 51, "SHOW_UNGUARDED": 5, "SHOW_RUN": 6,
}
LAYOUT |= HARDENED
RUNS = {                            # of what is built with spans
    "SPANS": 1, "SHORT": 8, "LONGER": 16, "RUNS_AT": 96, "RUNS_ASKED": 728, "FAR": 1 << 47,
    "RUN_SHIFT": 16, "RUN_BYTES": 1 << 16, "RESERVE_SHIFT": 34, "RESERVED": (1 << 34) + (1 << 16), "RUN_COUNT": 1 << 18,
    "RUN_RECORD_SHIFT": 6, "RUN_RECORDS": 1 << 21, "RUN_PLACES": 9 << 21, "PLACES_SHIFT": 12, "RUN_POOL": 73 << 18,
    "RUN_NEXT": (73 << 18) + 8, "RUN_POOLED": (73 << 18) + 16, "RUN_USED": (73 << 18) + 24,
    "RUN_START": (73 << 18) + 32, "RUN_HEADER": (73 << 18) + PAGE, "FIRST_RUN": 293,
    "INVERSE_SHIFT": 32, "INVERSE_DROPPED": 3, "RUN_CLASS_MASK": 4095, "RUN_OWNER_MASK": 63 << 12,
    "RUN_FREE": 0, "RUN_FRESH": 32, "RUN_LIVE": 40, "RUN_PURGED": 48, "RUN_ROOM": 0, "RUN_CARVED": 8,
    "MOST_RUN_SLOT": 1024, "MOST_POOLED": 64,
}


def header(size: Any, owner: Any = 0, used: int = 1, prev_used: int = 1) -> Any:
    """The word that heads a block of an arena; of size 0 that of a fence or a list, which have no checksum."""
    is_block = not (isinstance(size, int) and size == 0)
    return size + (owner << OWNER_PLACE) + used * USED + prev_used * PREV_USED + is_block * CHECKSUM


def mapped_header(length: Any, used: int = 1) -> Any:
    """The word that heads a block with a mapping of its own, of so many bytes."""
    return length + MAPPED + PREV_USED + used * USED + CHECKSUM


def owner_in(word: Any) -> Any:
    """The index of the arena whose block the header is of."""
    return (word & ALL_OWNER_BITS) >> OWNER_PLACE


def is_summed(word: Any, size: Any) -> Any:
    """Whether the header has the checksum that it must have, of a block or, where the size is 0, of a fence."""
    return word & ALL_CHECKSUM_BITS == (0 if size == 0 else CHECKSUM)


def draw_key(m: Any) -> Any:
    """Let memory have any key; the memory."""
    most = LEAST_KEY + LAYOUT["KEY_MASK"]
    m.put_lazily(m.statics() + STATICS["key"], lambda: m.path.word("key", LEAST_KEY, most), "key")
    return m


def key_of(m: Any) -> Any:
    """The key of marks and seals."""
    return m.load(m.statics() + STATICS["key"])


def waits(m: Any, p: Any, word: Any) -> bool:
    """Whether the payload `p` waits, above what `word` leads to."""
    return bool(m.load(p) == word and m.load(p + WORD) == key_of(m) - word - p)


def let_wait(m: Any, p: Any, word: Any) -> None:
    """Let the payload `p` wait, above what `word` leads to."""
    m.put(p, word, "link")
    m.put(p + WORD, key_of(m) - word - p, "mark")


def seal(m: Any, b: Any, lead: Any, head: Any) -> Any:
    """What seals the mapped block with this lead and header."""
    return key_of(m) - b - (head - CHECKSUM) - lead


def put_mapped(m: Any, b: Any, lead: Any, head: Any) -> None:
    """Let memory have a mapped block with this lead and header, sealed."""
    m.put(b, head, "header of b")
    m.put(b + LEAD, lead, "lead of b")
    m.put(b + NODE, seal(m, b, lead, head), "seal of b")


def a_block(path: Any, name: str = "b") -> Any:
    """The address of some block's header."""
    return path.word(name, LOWEST, HIGHEST, ALIGN, ALIGN - PAYLOAD)


def a_size(path: Any, name: str = "size", low: int = MIN_BLOCK) -> Any:
    """Bytes of some block."""
    return path.word(name, low, MOST, ALIGN)


def an_owner(path: Any) -> Any:
    """The index of some arena."""
    return path.word("owner", 0, OWNERS - 1)


def only(m: Any, *addresses: Any) -> bool:
    """Whether no word but those at `addresses` changed."""
    allowed = [m.find(address) for address in addresses]
    return all(any(cell is each for each in allowed) or cell.now == cell.was for cell in m.written())


def aborts(m: Any, call: Callable[[], Any], address: Any) -> int:
    """The code with which the call aborts, naming the address, before it writes a word; 0 if it does not abort."""
    m.may_abort = True
    try:
        call()
    except MisuseAbort as ended:
        return ended.code if ended.address == address and only(m) else -1
    finally:
        m.may_abort = False
    return 0


def longer(source: Any) -> int:
    """Bytes by which a block is larger than what its bin serves: with spans, than a slot."""
    return RUNS["LONGER"] * int(source.run_layout.SPANS)


def beyond(source: Any) -> int:
    """Bytes that the least size of a class has beyond its largest request: those of a header, and of slots none."""
    return PAYLOAD - RUNS["SHORT"] * int(source.run_layout.SPANS)


def not_drawn(layout: Any) -> list[str]:
    """Constants of a layout that no drawing has."""
    return [name for name in vars(layout) if name.isupper() and name not in LAYOUT and name not in RUNS]
