"""What the scheduler of C targets and we share in memory; C's declarations of it are made from here."""

import ctypes
from enum import IntEnum, auto
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from heapster.model.system import SYSTEM_CALL_NAMES
from heapster.native import shared_structs
from heapster.native.shared_structs import I32, I64, U8, U16, U32, U64, enum, enum_of, packing, structs, structure

MOST_LANES, MOST_OPS, MOST_SEGMENTS, MOST_ROWS, MOST_STACK = 8, 64, 2048, 1 << 14, 8
MOST_MUTED, MOST_OLD = 64, 256
MOST_THREADS = 16               # those of the program, with those that the target starts
HUB = MOST_THREADS - 1          # the thread that starts the target and the lanes, and looks at what is left
PATH_BYTES, NAME_BYTES, MESSAGE_BYTES = 4096, 128, 512
VERBS = ("malloc", "calloc", "aligned_alloc", "realloc", "free", "usable_size", "init")
CODES = ("", "data_race", "deadlock", "lost_unlock", "lock_order", "overlap", "misaligned", "contents_damaged",
         "prefix_lost", "not_zeroed", "spurious_null", "fault_hang", "crash", "fault_relock", "fault_stranger_unlock",
         "exit", "fork_unsafe", "lost_block", "heap_growth", "unusable")
MEET = "meet"                   # an atomic that could meet more than the newest write
KINDS = ("start", "load", "store", "load_atomic", "store_atomic", "update", "fence", "lock", "try_lock", "unlock",
         "read_lock", "wait", "cond_wait", "signal", "once", "join", "create", "yield", *SYSTEM_CALL_NAMES[:3],
         "barrier", "fork", MEET, "end")
ASKED = (
    "strategy", "seed", "gap", "depth", "length", "count", "recording", "lanes", "alignment", "segments_in",
    "muted_count", "old_in",
    "drain",                    # blocks that are asked for in the end
    "expects_all",              # all blocks must be back then
    "rounds")
ANSWERED = ("code", "address", "pc", "other_pc", "thread", "other", "steps", "calls", "segments_out", "rows_out",
            "events_out", "ran", "total_steps", "total_calls", "preempted", "waited", "failed_seed", "cpu_us",
            "unmanaged", "base", "waits_out", "finished", "was_preempted", "questions", "old_out", "weak",
            "unended", "drained", "rounds_open")


class Strategy(IntEnum):
    """How the next thread is chosen."""

    FOLLOW = 0
    BY_CHANCE = auto()
    BY_PRIORITY = auto()


class ProgramOp(NamedTuple):
    """A call of the program."""

    code: U32                   # a letter of programs.py
    block: I32
    numbers: Annotated[tuple[int, int], ctypes.c_uint64 * 2]
    waits: U32                  # for its block before
    gives: U32                  # its block after


class RanSegment(NamedTuple):
    """A thread and how many switch points it passes; 0: until it ended or had to wait."""

    thread: U32
    points: U32


class OldWrite(NamedTuple):
    """Which of the atomics that could meet an old write, and how far back from the newest it met."""

    question: U32
    back: U32


class RowRecord(NamedTuple):
    """A decision, or an access while a run is recorded."""

    target: U64
    pc: U64
    state: U64                  # a digest of who has done what in which order
    step: U32
    begun: U32
    segments: U32
    enabled: U32                # of a meeting: how many writes could be met, and `chosen`: which
    thread: U8
    kind: U8
    chosen: U8
    order: U8                   # of an atomic, as compilers number them
    depth: U16
    old: U16                    # it met an older write than the newest
    stack: Annotated[tuple[int, ...], ctypes.c_uint64 * MOST_STACK]    # return addresses, innermost first


class EventRecord(NamedTuple):
    """A call, as its caller saw it."""

    lane: U32
    code: U32
    start: U32
    end: U32
    numbers: Annotated[tuple[int, int], ctypes.c_uint64 * 2]
    pointer: U64
    result: U64
    lost: I64
    dirty: I64


ROW, EVENT = packing(RowRecord), packing(EventRecord)
STRUCTURES: dict[str, Any] = {name: structure(record) for name, record in (
    ("op", ProgramOp), ("segment", RanSegment), ("old", OldWrite), ("row", RowRecord), ("event", EventRecord))}

FIELDS: list[tuple[str, Any]] = [
    *((name, ctypes.c_uint64) for name in ASKED),
    ("lane_start", ctypes.c_uint64 * (MOST_LANES + 2)),         # the prologue first, and then the lanes, in `ops`
    ("muted", ctypes.c_uint64 * 2 * MOST_MUTED),                # pairs of places whose race is known
    ("ops", STRUCTURES["op"] * MOST_OPS), ("asked", STRUCTURES["segment"] * MOST_SEGMENTS),
    ("asked_old", STRUCTURES["old"] * MOST_OLD), ("path", ctypes.c_char * PATH_BYTES),
    ("names", ctypes.c_char * NAME_BYTES * len(VERBS)),
    *((name, ctypes.c_uint64) for name in ANSWERED),
    ("last", ctypes.c_uint64 * MOST_LANES), ("message", ctypes.c_char * MESSAGE_BYTES),
    ("segments", STRUCTURES["segment"] * MOST_SEGMENTS), ("old", STRUCTURES["old"] * MOST_OLD),
    ("events", STRUCTURES["event"] * (MOST_OPS * 2)), ("rows", STRUCTURES["row"] * MOST_ROWS)]


class SchedulerShared(ctypes.Structure):
    """What is asked, and what is answered."""

    _fields_ = FIELDS


def headers_folder() -> Path:
    """A folder with `schedule.h`, for the compiler to look in."""
    return shared_structs.folder(headers())


def headers() -> dict[str, str]:
    """It, by its name."""
    constants = ("MOST_LANES", "MOST_OPS", "MOST_SEGMENTS", "MOST_ROWS", "MOST_STACK", "MOST_MUTED", "MOST_OLD",
                 "MOST_THREADS", "HUB", "MESSAGE_BYTES")
    return {"schedule.h": shared_structs.header("schedule.h", "heapster/checkers/races/compiled/shared.py", [
        *enum("", [(name, globals()[name]) for name in constants]),
        *enum("code", [((code or "nothing").upper(), number) for number, code in enumerate(CODES)]),
        *enum("kind", [(f"K_{kind.upper()}", number) for number, kind in enumerate(KINDS)]),
        *enum_of("strategy", Strategy),
        *structs(STRUCTURES | {"shared": SchedulerShared}),
    ])}
