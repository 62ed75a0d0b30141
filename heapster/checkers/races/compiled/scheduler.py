"""The scheduler as a process: a C program that loads a target and runs each schedule in a child, and our end of it."""

import ctypes
import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from select import select
from typing import Any

from heapster import children
from heapster.checkers.races.compiled.shared import (
    EVENT,
    MOST_LANES,
    MOST_MUTED,
    MOST_OLD,
    MOST_OPS,
    MOST_ROWS,
    MOST_SEGMENTS,
    ROW,
    VERBS,
    EventRecord,
    RowRecord,
    SchedulerShared,
    Strategy,
)
from heapster.checkers.races.programs import NO_BLOCK, Op, Program, handovers
from heapster.files import shared_memory
from heapster.machine.traced import Old, Segment
from heapster.results import TargetError
from heapster.wording import printed

ORDERS = ("relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst")      # as compilers number them
PATIENCE = 200                  # seconds until a batch is given up


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
        for lane in range(len(program.lanes) + 1, MOST_LANES + 2):
            shared.lane_start[lane] = at

    def expect_back(self, blocks: int, *, expects_all: bool, rounds: int) -> None:
        """Ask for so many blocks after each run from here on; a run in order goes on for so many rounds."""
        self.shared.drain, self.shared.expects_all, self.shared.rounds = blocks, expects_all, rounds

    def mute(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Races between these places are known, and are passed over."""
        for number, pair in enumerate(pairs[:MOST_MUTED]):
            self.shared.muted[number][0], self.shared.muted[number][1] = pair
        self.shared.muted_count = min(len(pairs), MOST_MUTED)

    def follow(self, segments: Sequence[Segment], old: Sequence[Old] = (), *, recording: bool = False) -> None:
        """Run one written schedule."""
        shared = self.shared
        for number, each in enumerate(old[:MOST_OLD]):
            shared.asked_old[number].question, shared.asked_old[number].back = each.question, each.back
        shared.old_in = min(len(old), MOST_OLD)
        for number, segment in enumerate(segments[:MOST_SEGMENTS]):
            shared.asked[number].thread, shared.asked[number].points = segment.thread, segment.points or 0
        shared.segments_in, shared.recording = min(len(segments), MOST_SEGMENTS), recording
        self._run(Strategy.FOLLOW, 1, 0)
        shared.recording = 0

    def by_chance(self, number: int, seed: int, gap: int) -> None:
        """Run random walks until one fails."""
        self.shared.gap = gap
        self._run(Strategy.BY_CHANCE, number, seed)

    def by_priority(self, number: int, seed: int, depth: int, length: int) -> None:
        """Run schedules by PCT until one fails."""
        self.shared.depth, self.shared.length = depth, length
        self._run(Strategy.BY_PRIORITY, number, seed)

    def _run(self, strategy: Strategy, count: int, seed: int) -> None:
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
        taken = self.shared.segments[:min(self.shared.segments_out, MOST_SEGMENTS)]
        return tuple(Segment(each.thread, each.points or None) for each in taken)

    def old(self) -> tuple[Old, ...]:
        """The atomics of it that met an older write than the newest."""
        return tuple(Old(each.question, each.back) for each in self.shared.old[:self.shared.old_out])

    def rows(self) -> Iterator[RowRecord]:
        """What was decided in it, or all accesses."""
        at = SchedulerShared.rows.offset
        for fields in ROW.iter_unpack(self._map[at:at + ROW.size * min(self.shared.rows_out, MOST_ROWS)]):
            yield RowRecord._make((*fields[:13], fields[13:13 + fields[11]]))

    def events(self) -> Iterator[EventRecord]:
        """The calls of it that have come back."""
        at = SchedulerShared.events.offset
        for fields in EVENT.iter_unpack(self._map[at:at + EVENT.size * min(self.shared.events_out, MOST_OPS * 2)]):
            yield EventRecord._make((*fields[:4], (fields[4], fields[5]), *fields[6:]))


def _put(slot: Any, op: Op, waits: bool, gives: bool) -> None:
    slot.code, slot.block = ord(op.code), op.block if op.block != NO_BLOCK else -1
    slot.numbers[0], slot.numbers[1] = (*op.numbers, 0, 0)[:2]
    slot.waits, slot.gives = waits, gives
