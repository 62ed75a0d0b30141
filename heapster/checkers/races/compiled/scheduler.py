"""The scheduler as a process: a C program that loads a target and runs each schedule in a child, and our end of it."""

import ctypes
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from select import select
from typing import Any, NamedTuple

from heapster import children
from heapster.checkers.races.programs import NO_BLOCK, Op, Program, handovers
from heapster.files import shared_memory
from heapster.machine.traced import Old, Segment
from heapster.model.system import SYSTEM_CALL_NAMES
from heapster.results import TargetError
from heapster.wording import printed

LANES, OPS, SEGMENTS, ROWS, MUTED, OLD = 8, 64, 2048, 1 << 14, 64, 256
HUB = 15                        # the thread that starts the others, as a number
CODES = ("", "data_race", "deadlock", "lost_unlock", "lock_order", "overlap", "misaligned", "contents_damaged",
         "prefix_lost", "not_zeroed", "spurious_null", "fault_hang", "crash", "fault_relock", "fault_stranger_unlock",
         "exit", "fork_unsafe", "lost_block", "heap_growth", "unusable")
KINDS = ("start", "load", "store", "load_atomic", "store_atomic", "update", "fence", "lock", "try_lock", "unlock",
         "read_lock", "wait", "cond_wait", "signal", "once", "join", "create", "yield", *SYSTEM_CALL_NAMES[:3],
         "barrier", "fork", "meet", "end")
ORDERS = ("relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst")      # as compilers number them
FOLLOW, BY_CHANCE, BY_PRIORITY = range(3)
VERBS = ("malloc", "calloc", "aligned_alloc", "realloc", "free", "usable_size", "init")
ROW = struct.Struct("<QQQIIIIBBBBHH8Q")
EVENT = struct.Struct("<IIIIQQQQqq")
PATIENCE = 200                  # seconds until a batch is given up
ASKED = ("strategy", "seed", "gap", "depth", "length", "count", "recording", "lanes", "alignment", "segments_in",
         "muted_count", "old_in", "drain", "expects_all", "rounds")
ANSWERED = ("code", "address", "pc", "other_pc", "thread", "other", "steps", "calls", "segments_out", "rows_out",
            "events_out", "ran", "total_steps", "total_calls", "preempted", "waited", "failed_seed", "cpu_us",
            "unmanaged", "base", "waits_out", "finished", "was_preempted", "questions", "old_out", "weak",
            "unended", "drained", "rounds_open")


class _Op(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint32), ("block", ctypes.c_int32), ("numbers", ctypes.c_uint64 * 2),
                ("waits", ctypes.c_uint32), ("gives", ctypes.c_uint32))


class _Segment(ctypes.Structure):
    _fields_ = (("thread", ctypes.c_uint32), ("points", ctypes.c_uint32))


class _Old(ctypes.Structure):
    _fields_ = (("question", ctypes.c_uint32), ("back", ctypes.c_uint32))


FIELDS: list[tuple[str, Any]] = [
    *((name, ctypes.c_uint64) for name in ASKED),
    ("lane_start", ctypes.c_uint64 * (LANES + 2)), ("muted", ctypes.c_uint64 * 2 * MUTED), ("ops", _Op * OPS),
    ("asked", _Segment * SEGMENTS), ("asked_old", _Old * OLD),
    ("path", ctypes.c_char * 4096), ("names", ctypes.c_char * 128 * 8),
    *((name, ctypes.c_uint64) for name in ANSWERED),
    ("last", ctypes.c_uint64 * LANES), ("message", ctypes.c_char * 512), ("segments", _Segment * SEGMENTS),
    ("old", _Old * OLD), ("events", ctypes.c_char * (EVENT.size * OPS * 2)),
    ("rows", ctypes.c_char * (ROW.size * ROWS))]


class SchedulerShared(ctypes.Structure):
    """`struct shared` of scheduler.h."""

    _fields_ = FIELDS


class RowRecord(NamedTuple):
    """`struct row`: a decision, or an access while a run is recorded."""

    target: int
    pc: int
    state: int
    step: int
    begun: int
    segments: int
    enabled: int
    thread: int
    kind: int
    chosen: int
    order: int
    depth: int
    old: int
    stack: tuple[int, ...]


class EventRecord(NamedTuple):
    """`struct event`: a call, as its caller saw it."""

    lane: int
    code: int
    start: int
    end: int
    numbers: tuple[int, int]
    pointer: int
    result: int


class Scheduler:
    """A running scheduler of one target. Use it as a context, so that nothing stays behind."""

    def __init__(self, program: Path, path: Path, symbols: dict[str, str], alignment: int) -> None:
        size = ctypes.sizeof(SchedulerShared)
        self.name = path.name
        self.unmanaged = False      # a thread has run that is none of ours
        self._fd = shared_memory("scheduler", size)
        self._map = mmap.mmap(self._fd, size)
        self.shared = SchedulerShared.from_buffer(self._map)
        self.shared.alignment = alignment
        self.shared.path = str(path).encode()
        for number, verb in enumerate(VERBS):
            self.shared.names[number].value = symbols.get(verb, "").encode()
        self._process = children.start([program, str(self._fd)], stdin=children.PIPE, stdout=children.PIPE, bufsize=0,
                                       env={"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=65536"},
                                       pass_fds=(self._fd,))
        try:
            if self._answer() != b".":
                raise TargetError(f"{path.name} cannot be loaded: {printed(self.shared.message)}")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the scheduler and whatever it runs."""
        children.dismiss(self._process)
        with suppress(OSError):
            os.close(self._fd)

    def _answer(self) -> bytes:
        out = self._process.stdout
        assert out is not None
        ready, _, _ = select([out], [], [], PATIENCE)
        return out.read(1) or b"" if ready else b""

    def load(self, program: Program) -> None:
        """The program whose schedules are run from here on."""
        shared, links = self.shared, handovers(program)
        at = 0
        for lane, ops in enumerate((program.prologue, *program.lanes)):
            shared.lane_start[lane] = at
            for index, op in enumerate(ops):
                awaited, given = links.get((lane - 1, index), ((), ()))
                _put(shared.ops[at], op, bool(awaited), bool(given))
                at += 1
        shared.lanes = len(program.lanes)
        for lane in range(len(program.lanes) + 1, LANES + 2):
            shared.lane_start[lane] = at

    def expect_back(self, blocks: int, *, expects_all: bool, rounds: int) -> None:
        """Ask for so many blocks after each run from here on; a run in order goes on for so many rounds."""
        self.shared.drain, self.shared.expects_all, self.shared.rounds = blocks, expects_all, rounds

    def mute(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Races between these places are known, and are passed over."""
        for number, pair in enumerate(pairs[:MUTED]):
            self.shared.muted[number][0], self.shared.muted[number][1] = pair
        self.shared.muted_count = min(len(pairs), MUTED)

    def follow(self, segments: Sequence[Segment], old: Sequence[Old] = (), *, recording: bool = False) -> None:
        """Run one written schedule."""
        shared = self.shared
        for number, each in enumerate(old[:OLD]):
            shared.asked_old[number].question, shared.asked_old[number].back = each.question, each.back
        shared.old_in = min(len(old), OLD)
        for number, segment in enumerate(segments[:SEGMENTS]):
            shared.asked[number].thread, shared.asked[number].points = segment.thread, segment.points or 0
        shared.segments_in, shared.recording = min(len(segments), SEGMENTS), recording
        self._run(FOLLOW, 1, 0)
        shared.recording = 0

    def by_chance(self, number: int, seed: int, gap: int) -> None:
        """Run random walks until one fails."""
        self.shared.gap = gap
        self._run(BY_CHANCE, number, seed)

    def by_priority(self, number: int, seed: int, depth: int, length: int) -> None:
        """Run schedules by PCT until one fails."""
        self.shared.depth, self.shared.length = depth, length
        self._run(BY_PRIORITY, number, seed)

    def _run(self, strategy: int, count: int, seed: int) -> None:
        shared = self.shared
        shared.strategy, shared.count, shared.seed = strategy, count, seed
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"r")
        except BrokenPipeError:
            raise TargetError(f"{self.name} brought the scheduler down") from None
        if self._answer() != b".":
            raise TargetError(f"{self.name} brought the scheduler down")
        self.unmanaged |= bool(shared.unmanaged)

    @property
    def seconds(self) -> float:
        """Processor time of it and of its children."""
        return int(self.shared.cpu_us) / 1e6

    def segments(self) -> tuple[Segment, ...]:
        """The schedule that was run last."""
        taken = self.shared.segments[:min(self.shared.segments_out, SEGMENTS)]
        return tuple(Segment(each.thread, each.points or None) for each in taken)

    def old(self) -> tuple[Old, ...]:
        """The atomics of it that met an older write than the newest."""
        return tuple(Old(each.question, each.back) for each in self.shared.old[:self.shared.old_out])

    def rows(self) -> Iterator[RowRecord]:
        """What was decided in it, or all accesses."""
        at = SchedulerShared.rows.offset
        for fields in ROW.iter_unpack(self._map[at:at + ROW.size * min(self.shared.rows_out, ROWS)]):
            yield RowRecord._make((*fields[:13], fields[13:13 + fields[11]]))

    def events(self) -> Iterator[EventRecord]:
        """The calls of it that have come back."""
        at = SchedulerShared.events.offset
        for fields in EVENT.iter_unpack(self._map[at:at + EVENT.size * min(self.shared.events_out, OPS * 2)]):
            yield EventRecord._make((*fields[:4], (fields[4], fields[5]), fields[6], fields[7]))


def _put(slot: _Op, op: Op, waits: bool, gives: bool) -> None:
    slot.code, slot.block = ord(op.code), op.block if op.block != NO_BLOCK else -1
    slot.numbers[0], slot.numbers[1] = (*op.numbers, 0, 0)[:2]
    slot.waits, slot.gives = waits, gives
