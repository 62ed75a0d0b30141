"""What the judge and Python share: one mapping of a header, of operations and of what came of each.

`protocol.h` is made of it. Every field is of fixed width, so that a judge of 32 bits serves a Python of 64. All
addresses and sizes are those of the child that runs the target.
"""

import ctypes
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from heapster.checkers.blackbox.target import VERBS
from heapster.model.operations import OPERATIONS, ROWS
from heapster.native import shared_structs
from heapster.native.operations_header import OPERATIONS_H, operations_header
from heapster.native.shared_structs import I32, I64, U16, U32, U64, enum, enum_of, packing, structs

WORD, HEADER_BYTES = 8, 16384
NONE = (1 << 64) - 1            # of an offset or a usable size: not observed
MOST_OPS = 1 << 20
MOST_EVENTS = 1 << 18           # that are kept: the first half, and the last ones
MOST_EDGES = 1 << 16
SAMPLES = 64                    # of the footprint
NAME_BYTES, MESSAGE_BYTES, OUTPUT_BYTES, PATH_BYTES = 96, 512, 4096, 4096
MOST_WAYS = 1 << 16             # to answer, that a case of EXHAUST tells
MOST_CALLS, MOST_ALPHABET = 16, 1024   # of a program of EXHAUST; calls with their numbers to choose from
OPERAND_AT, REFUSE_AT = 16, 24  # bits of a move: below them its call; 1 + its operand's handle; the system refuses
QUIET = 64                      # places of the target whose breaches are known
OBSERVED, IN_FULL, LOADS, STEPPED = 1, 2, 4, 8  # a target that calls the hooks is held to the map; all that it does is
                                    # written down; it tells of loads that may decide something; one that does not call
                                    # them is taken an instruction at a time
OUTCOMES = ("gave", "refused", "resized")       # a block, none, a block in place of another


class Mode(IntEnum):
    """What a case runs."""

    LOADED, PRECISE, FAST, GENERATE, THREADS, VOLUME, GENERATIONS, EXHAUST = range(8)


class Phase(IntEnum):
    """Where in a step a child was."""

    STARTING, CALLING, FILLING, CHECKING, OWN_CHECK, ENDING, FORKED = range(7)


class Guard(IntEnum):
    """How far a target that is confined to some memory is held to it."""

    UNBOUNDED, BOUNDED, GUARDED = range(3)


class Status(IntEnum):
    """How far an operation got."""

    UNREACHED, BEGUN, DONE, SKIPPED = range(4)


class Ended(IntEnum):
    """How a child ended. LOST: what it told is not what we read; TIRED: slow, and nothing is said."""

    RETURNED, SIGNALLED, EXITED, TIMED_OUT, TOO_BIG, LOST, TIRED = range(7)


class Suspicion(IntEnum):
    """What the compiled checks notice."""

    (NOTHING, MISALIGNED, OVERLAP, CONTENTS, PREFIX, DIRTY, ERRNO, USABLE, NULL, OWN_CHECK, HUGE, OUTSIDE,
     STRAY, HARM, FORK, BREACH) = range(16)


class Breach(IntEnum):
    """How an access of an observed target breaks the map of whose each byte is; the severest first."""

    (UNBROKEN, WRITES_LIVE, WRITES_OUTSIDE, GIVES_OUTSIDE, READS_OUTSIDE, COPIES_LIVE, UNDEFINED, MISALIGNED,
     READS_UNWRITTEN, READS_LIVE) = range(10)


class Went(IntEnum):
    """How a program of EXHAUST went at its last call. SPOILT: what would come of a longer one is no news."""

    ON, SPOILT, DIED = range(3)


class EventKind(IntEnum):
    """Of what an observed target did."""

    ACCESS, ATOMIC, ENTER, EXIT, CALL, RETURN, GAINED, LOST, UNDEFINED, BREACH = range(10)


ASKED = (
    "mode", "ops", "seed", "repeat", "limit_ms", "alignment", "small_blocks", "wants_errno", "zero_keeps",
    "granule",                          # bytes that all blocks were seen to be aligned to
    "masked",                           # a bit for each suspicion that is known already
    "verbs",                            # a bit for each verb that may be generated
    "most_live", "most_size", "live_budget", "heap_limit", "threads", "memory_limit", "check_means", "init_answers",
    "guarded",                          # a Guard
    "spend_ms",                         # of processor time, after which what is generated ends; 0: no matter
    "least_size",                       # bytes of a request that is generated, at least
    "forks",                            # that the first thread makes while the others work
    "choice",                           # of a target that is compiled with variants: which
    "spared", "spared_of",              # bytes at the end of a block that nobody writes; 1 + its handle, or 0: of all
    "observed", "salt",                 # of a target that calls the hooks; what unwritten memory holds
    "low",                              # memlib's memory lies where addresses have 31 bits
    "alphabet", "depth",                # of EXHAUST: calls to choose from, and how many each program has
    "first", "first_move",              # the program to begin with, and the first of its moves;
    "first_spoilt",                     # how many of those before it ended it
    "refuses",                          # the system may refuse memory, from any call on
    "closed",                           # the target takes memory from where it can be seen: see c/snapshot.h
    "states")                           # what the heap is after each program is told, for longer ones
ANSWERED = (
    "current", "phase", "finished", "suspicion", "live_bytes", "samples", "mapped", "done_ops",
    "call_bytes",                       # that the call which is under way may have to touch
    "init_failed", "outcome", "code", "has", "tasks", "output_length", "unshadowed", "child",
    "records", "classes",               # of EXHAUST: what it wrote of each
    "runs", "refusals", "by_forks",     # programs that were run; how often the system refused; children that took one
    "move", "word",                     # the one under way, by its place among the program's, and as a word
    "spoilt",                           # how many of the program's moves before it ended it
    "root",                             # the digest of the heap before any call
    "strayed")                          # the target's memory is not where it was said to be: children must run it
AFTERWARDS = (
    "misused",                          # 1 + the handle that we used though it held nothing: our own fault
    "spent_us",                         # all that the judge and its children worked, or slept by themselves
    "addresses_vary")                   # the system does not let us choose where things lie

FIELDS: list[tuple[str, Any]] = [
    *((name, ctypes.c_uint64) for name in (*ASKED, *ANSWERED)),
    ("stray", ctypes.c_int64),          # it died of touching memory outside of its own: how far from the edge
    ("fault", ctypes.c_uint64),         # the address that it died of, 0 if of none
    ("calls", ctypes.c_uint64 * len(OUTCOMES) * len(ROWS)),     # that were made and judged, by their outcome
    *((name, ctypes.c_uint64) for name in AFTERWARDS),
    ("footprint", ctypes.c_uint64 * SAMPLES),
    ("names", ctypes.c_char * NAME_BYTES * len(VERBS)),         # symbols of the target; empty: it has none
    ("adapted", ctypes.c_char * PATH_BYTES),    # of the object whose code it is, if that is not the one that is loaded
    ("quiet", ctypes.c_uint64 * QUIET),                         # places whose breach is known; the first 0 ends them
    ("message", ctypes.c_char * MESSAGE_BYTES), ("output", ctypes.c_char * OUTPUT_BYTES)]


class JudgeHeader(ctypes.Structure):
    """What is asked, and what is answered."""

    _fields_ = FIELDS


class Observation(NamedTuple):
    """What came of an operation."""

    pointer: U64
    usable: U64
    error: I32                          # what it set errno to; 0: it left it alone
    returned: I32
    damaged: I32                        # handle of a live block whose contents changed
    status: I32
    damaged_at: U64
    prefix_lost: U64
    dirty: U64
    out_changed: U32
    own_check_failed: U32
    low: U64 = 0                        # what the target is confined to, after the call; 0 and 0: it is not
    high: U64 = 0
    stray: I64 = 0                      # bytes outside of that were changed: how far from its edge, or 0
    harmed: U64 = 0                     # what became of a stranger's memory
    found: U64 = 0                      # the word that is where it is damaged or dirty
    breach_at: U64 = 0                  # the first access of the severest kind; its place in the object
    breach_size: U64 = 0
    breach_pc: U64 = 0
    breach: U64 = 0


class TargetEvent(NamedTuple):
    """Something that an observed target did."""

    address: U64
    pc: U64
    value: U64
    size: U64
    step: U32                           # UINT32_MAX: in its init
    kind: U16
    flags: U16


class Edge(NamedTuple):
    """An edge of the target's code, and the operation that took it first."""

    number: U32
    op: U32


class Reached(NamedTuple):
    """A program of EXHAUST that was run: one that was given, and a move more."""

    digest: U64                         # of the heap that it leaves
    program: U32
    move: U32                           # see c/exhaust.c
    went: U32                           # a Went
    live: U32                           # blocks that it leaves


class WayRecord(NamedTuple):
    """A way to answer, of which no other of the same case was met before."""

    key: U64                            # of all that the specification asks about it
    program: U32
    move: U32
    suspicion: U32                      # a Suspicion
    went: U32


RESULT, EVENT, EDGE = packing(Observation), packing(TargetEvent), packing(Edge)


def headers_folder() -> Path:
    """A folder with `protocol.h` and `operations.h`, for the compiler to look in."""
    return shared_structs.folder(headers())


def headers() -> dict[str, str]:
    """These, by their names."""
    constants = ("HEADER_BYTES", "MOST_OPS", "MOST_EVENTS", "MOST_EDGES", "SAMPLES", "NAME_BYTES",
                 "OUTPUT_BYTES", "QUIET", "MOST_WAYS", "MOST_CALLS", "MOST_ALPHABET", "OPERAND_AT", "REFUSE_AT")
    protocol = shared_structs.header("protocol.h", "heapster/checkers/blackbox/protocol.py", [
        f'#include "{OPERATIONS_H}"',
        "#define NONE UINT64_MAX",
        *enum("", [(name, globals()[name]) for name in constants]),
        *enum("verb", [(verb.upper(), number) for number, verb in enumerate(VERBS) if verb not in OPERATIONS]
              + [("VERBS", len(VERBS))]),
        *enum("", [(name.upper(), number) for number, name in enumerate((*OUTCOMES, "outcomes"))]),
        *enum("", [("OBSERVED", OBSERVED), ("OBSERVED_IN_FULL", IN_FULL), ("OBSERVED_LOADS", LOADS),
                   ("OBSERVED_STEPPED", STEPPED)]),
        *(line for kind in (Mode, Phase, Status, Guard, Breach, Went) for line in enum_of(kind.__name__.lower(), kind)),
        *enum_of("event", EventKind, lambda kind: f"EVENT_{kind.name}"),
        *enum_of("outcome", Ended),
        *enum_of("suspicion", Suspicion, lambda one: f"SUSPECT_{one.name}" if one else "NOTHING"),
        *structs({"result": Observation, "event_record": TargetEvent, "edge": Edge, "reached": Reached,
                   "way": WayRecord, "header": JudgeHeader}),
    ])
    return {OPERATIONS_H: operations_header(), "protocol.h": protocol}
