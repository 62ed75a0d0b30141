"""The judge as a process: a C program that runs each case in a child of its own, and our end of it."""

import ctypes
import mmap
import os
import re
import signal
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select
from types import TracebackType
from typing import Any, NamedTuple

from heapster import children
from heapster.checkers.blackbox.protocol import (
    ASKED,
    EDGE,
    EVENT,
    HEADER_BYTES,
    IN_FULL,
    MOST_EDGES,
    MOST_EVENTS,
    MOST_OPS,
    NONE,
    OBSERVED,
    OUTCOMES,
    QUIET,
    RESULT,
    STEPPED,
    WORD,
    Ended,
    Guard,
    JudgeHeader,
    Mode,
    Observation,
    Phase,
    Suspicion,
    TargetEvent,
)
from heapster.checkers.blackbox.target import VERB_NUMBER, ForeignTarget
from heapster.files import shared_memory
from heapster.model.operation import NO_HANDLE, Step
from heapster.model.operations import CALLS, NUMBER, OPERATIONS, ROWS
from heapster.model.trace import handle_name
from heapster.native.operations_header import HARNESS_FAULT, OP
from heapster.results import HarnessError, TargetError
from heapster.wording import printed

STEPS = frozenset({*CALLS, "fail", "foreign_sbrk"})        # what a case can be made of
COUNT = struct.Struct("<Q")     # before the events, and before the edges
EVENTS_AT = HEADER_BYTES + MOST_OPS * (OP.size + RESULT.size)
EDGES_AT = EVENTS_AT + COUNT.size + MOST_EVENTS * EVENT.size
LEARNT = (                      # of the header: what a twin takes over
    "limit_ms", "granule", "check_means", "has", "guarded", "spared", "observed")
LIMIT = 400                     # ms that a case may work, or twice what it may sleep
STATIC_TLS = "glibc.rtld.optional_static_tls=65536"     # some allocators want much of it, and are loaded late
DRAWN_LAYOUT, FIRST_LAYOUT = 0, 1    # addresses that the system draws anew for each process; the same in each
OUR_NAME = re.compile(r"^judge-[0-9a-f]{16}: ")     # what assert() begins its words with
PATIENCE, BUSY = 40, 10         # seconds, and times a case's own limit, before the judge itself is given up


class Ending(NamedTuple):
    """How a case ended, and where."""

    ended: Ended
    code: int                   # signal or exit status
    current: int                # index of the last operation begun
    phase: Phase
    suspicion: Suspicion
    done_ops: int
    init_failed: bool
    output: str                 # the first of what it printed
    stray: int = 0              # it died of touching memory outside of its own: how far from the edge
    fault: int = 0              # the address that it died of, 0 if of none

    @property
    def died(self) -> bool:
        """It did not come back by itself, and that says something of it."""
        return self.ended not in (Ended.RETURNED, Ended.TIRED)


class StartError(TargetError):
    """The target dies as it is loaded or started; `events` are what it did, if it is instrumented."""

    def __init__(self, message: str, events: list[TargetEvent]) -> None:
        super().__init__(message)
        self.events = events

    def __reduce__(self) -> tuple[type["StartError"], tuple[str, list[TargetEvent]]]:
        """A job tells it to whoever has many, who then looks for the line: without this it would be another error."""
        return StartError, (str(self), self.events)


class Judge:
    """A running judge of one target. Use it as a context, so that nothing stays behind."""

    def __init__(self, program: Path, target: ForeignTarget, limit_ms: int = LIMIT, layout: int = FIRST_LAYOUT) -> None:
        self.program, self.target, self.limit_ms, self.layout = program, target, limit_ms, layout
        self.cases = 0
        self.patient = True                 # a case that is late is run once more, for longer
        size = EDGES_AT + COUNT.size + MOST_EDGES * EDGE.size
        self._fd = shared_memory("judge", size)
        self._map = mmap.mmap(self._fd, size)
        self.header = JudgeHeader()              # a copy: what is shared, a target may overwrite
        self._prepare()
        self._send()
        inherited = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        environment = {**inherited, **target.environment, "GLIBC_TUNABLES": STATIC_TLS}
        try:
            self._process = children.start(
                target.started([program, str(self._fd), target.path, str(layout)]), stdin=children.PIPE, bufsize=0,
                stdout=children.PIPE, env=environment, pass_fds=(self._fd,))
        except OSError as error:            # its loader may be missing
            os.close(self._fd)
            raise TargetError(f"{target.name}: programs of {target.bits} bits do not run on this machine "
                              f"({error.strerror})") from None
        try:
            self._await()
            self._check_loaded()
        except BaseException:
            self.close()
            raise

    def twin(self, layout: int) -> "Judge":
        """Another judge of the same target, in a process of its own; what was learnt of the target holds for it."""
        other = Judge(self.program, self.target, self.limit_ms, layout)
        other.learn_from(self)
        return other

    def learn_from(self, other: "Judge") -> None:
        """Take over what was learnt of the target, by a judge of the same allocator."""
        self.learn(other.learnt())

    def learnt(self) -> dict[str, Any]:
        """What was learnt of the target, by name."""
        return {"patient": self.patient, **{name: getattr(self.header, name) for name in LEARNT}}

    def learn(self, learnt: dict[str, Any]) -> None:
        """Take over what `learnt` says."""
        self.patient = learnt["patient"]
        for name in LEARNT:
            setattr(self.header, name, learnt[name])

    def __enter__(self) -> "Judge":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the judge and whatever it runs."""
        children.dismiss(self._process)
        with suppress(OSError):
            os.close(self._fd)

    def _prepare(self) -> None:
        header, target = self.header, self.target
        header.limit_ms, header.alignment, header.heap_limit = 4 * self.limit_ms, target.alignment, target.heap_limit
        header.memory_limit, header.check_means = children.resident_limit(), target.check_means
        header.init_answers, header.guarded, header.low = target.init_answers, Guard.GUARDED, target.low
        header.observed = self._at_start()
        header.adapted = str(target.code).encode() if target.code else b""
        for verb, symbol in target.symbols.items():
            header.names[VERB_NUMBER[verb]].value = symbol.encode()

    def _at_start(self) -> int:
        """How the target's start is watched."""
        return OBSERVED | IN_FULL | (STEPPED if self.target.stepped else 0) if self.target.is_watched else 0

    def _await(self) -> None:
        out = self._process.stdout
        assert out is not None
        ready, _, _ = select([out], [], [], BUSY * self.header.limit_ms / 1000 + PATIENCE)
        if not ready or out.read(1) != b".":
            raise TargetError(f"{self.target.name} brings down whatever loads it")

    def _check_loaded(self) -> None:
        """TargetError unless the target can be loaded and started."""
        self._receive()
        header, name = self.header, self.target.name
        message = printed(header.message)
        if message:
            raise TargetError(f"{name} cannot be loaded: {message}")
        ending = self._ending()
        if ending.ended is not Ended.RETURNED:
            init = "init" if self.target.shape == "described" else self.target.symbols.get("init")
            where = f"its {init}" if ending.phase is Phase.CALLING else "loading it"
            raise StartError(f"{name}: {where} {how_it_died(ending)}{last_words(ending.output)}", self.events())
        if ending.init_failed:
            raise TargetError(f"{name}: {self.target.symbols['init']} fails on a fresh heap")
        header.limit_ms, header.observed = self.limit_ms, OBSERVED if self.target.is_watched else 0

    def quieten(self, place: int) -> None:
        """Say nothing more of that place of an observed target, as far as there is room for it."""
        quiet = self.header.quiet
        free = next((n for n in range(QUIET) if quiet[n] in (0, place)), QUIET)
        if free < QUIET:
            quiet[free] = place

    @property
    def spent(self) -> float:
        """Seconds that the judge and its children worked so far, or slept by themselves."""
        microseconds: int = self.header.spent_us
        return microseconds / 1e6

    def run(self, mode: Mode, ops: int) -> Ending:
        """Run a case in a child; `ops` operations have been set."""
        assert self._process.stdin is not None
        self.header.mode, self.header.ops = mode, ops
        self.cases += 1
        self._send()
        try:
            self._process.stdin.write(b"r")
        except BrokenPipeError:
            raise TargetError(f"{self.target.name} brought the judge down") from None
        self._await()
        self._receive()
        return self._ending()

    @contextmanager
    def limited(self, limit_ms: int) -> Iterator[None]:
        """Another limit meanwhile. Each run brings a new header: what holds the old one sets nothing."""
        before, self.header.limit_ms = self.header.limit_ms, limit_ms
        try:
            yield
        finally:
            self.header.limit_ms = before

    def _send(self) -> None:
        self._map[:ctypes.sizeof(JudgeHeader)] = bytes(self.header)

    def _receive(self) -> None:
        """Take over what was answered; what was asked, and what the target has, only we may change."""
        ours, length = bytes(self.header), len(ASKED) * WORD
        has, names, quiet = self.header.has, JudgeHeader.names, JudgeHeader.quiet
        answer = bytearray(self._map[:ctypes.sizeof(JudgeHeader)])
        answer[:length] = ours[:length]
        told = slice(names.offset, quiet.offset + quiet.size)
        answer[told] = ours[told]
        self.header = JudgeHeader.from_buffer(answer)
        self.header.has = has or self.header.has

    def _ending(self) -> Ending:
        header = self.header
        if header.outcome == Ended.EXITED:
            check_harness(header.code, header.misused)
        output = printed(bytes(header.output[:header.output_length]))
        ended = Ended(header.outcome)
        told = ended is Ended.RETURNED      # else this is what was found on the board, which a target may overwrite
        suspicion = Suspicion(header.suspicion) if told else Suspicion.NOTHING
        phase = Phase(header.phase) if header.phase < len(Phase) else Phase.CALLING
        return Ending(ended, header.code, header.current, phase, suspicion, header.done_ops if told else
                      min(header.done_ops, header.current + 1), told and bool(header.init_failed), output,
                      *((header.stray, header.fault) if ended is Ended.SIGNALLED else ()))

    def calls(self) -> Iterator[tuple[str, str, int]]:
        """Function, outcome and number of the calls that the last case made, step by step ones and others."""
        for verb, outcomes in zip(OPERATIONS, self.header.calls, strict=True):
            for outcome, times in zip(OUTCOMES, outcomes, strict=True):
                if times:
                    yield verb, outcome, times

    def set_steps(self, steps: Iterable[Step]) -> int:
        """Put the steps in place; how many there are."""
        return self.set_records(b"".join(map(packed, steps)))

    def set_records(self, records: bytes) -> int:
        """Put operations in place that are packed already; how many there are."""
        self._map[HEADER_BYTES:HEADER_BYTES + len(records)] = records
        return len(records) // OP.size

    def records(self, count: int) -> bytes:
        """The first operations, as they lie in the journal."""
        return self._map[HEADER_BYTES:HEADER_BYTES + count * OP.size]

    def events(self) -> list[TargetEvent]:
        """What the target did in the last case, if all was written down; of very much, the first and the last."""
        count, half = COUNT.unpack_from(self._map, EVENTS_AT)[0], MOST_EVENTS // 2
        kept = (*range(min(count, half)), *(half + number % half for number in range(max(half, count - half), count)))
        start = EVENTS_AT + COUNT.size
        return [TargetEvent(*EVENT.unpack_from(self._map, start + number * EVENT.size)) for number in kept]

    def met(self, count: int) -> bytes:
        """Of a target that is compiled with variants: a byte for each number, set where it was come by; cleared."""
        start = EDGES_AT + COUNT.size
        found = self._map[start:start + count]
        self._map[start:start + count] = bytes(count)
        return found

    def observed(self, count: int) -> list[Observation]:
        """What was seen of the first operations."""
        start = HEADER_BYTES + MOST_OPS * OP.size
        return [Observation(*fields) for fields in RESULT.iter_unpack(self._map[start:start + count * RESULT.size])]

    def told(self, size: int) -> bytes:
        """What a case of EXHAUST has told of its programs: so many bytes."""
        start = HEADER_BYTES + MOST_OPS * OP.size
        return self._map[start:start + size]

    def noted(self, size: int) -> bytes:
        """What it has noted of ways to answer: so many bytes."""
        start = EVENTS_AT + COUNT.size
        return self._map[start:start + size]

    def edges(self) -> dict[int, int]:
        """The edges that the last case took, in that order: the index of the operation which took each first."""
        start = EDGES_AT + COUNT.size
        count = min(MOST_EDGES, *COUNT.unpack(self._map[EDGES_AT:start]))
        return dict(EDGE.iter_unpack(self._map[start:start + count * EDGE.size]))


def check_harness(status: int, misused: int) -> None:
    """HarnessError if a driver has ended because it was about to use a handle that holds nothing."""
    if status == HARNESS_FAULT and misused:
        raise HarnessError(f"a driver of ours used {handle_name(misused - 1)}, which holds nothing: "
                           "that is no fault of the target's")


def packed(step: Step) -> bytes:
    """A step as `struct op`."""
    numbers = (*step.numbers, 0, 0)
    return OP.pack(NUMBER[step.verb], step.result, step.operand, 0, numbers[0] & NONE, numbers[1])


def unpacked(records: bytes) -> Iterator[Step]:
    """The steps of packed operations. Handles that are defined anew become new handles."""
    fresh, named = 0, {NO_HANDLE: NO_HANDLE}
    for number, result, operand, _, first, second in OP.iter_unpack(records):
        taken = named.get(operand)
        if taken is None or number >= len(ROWS) or ROWS[number].name not in STEPS:
            continue                                # the latter two a target has written, as it may
        row = ROWS[number]
        if result != NO_HANDLE:
            named[result], fresh = fresh, fresh + 1
        if row.name == "fail":
            yield Step("fail", (1,), name="mmap")
        elif row.name == "foreign_sbrk":
            yield Step(row.name, (first - (first >> 63 << 64),))
        else:
            yield Step(row.name, (first, second)[:len(row.numbers)], named.get(result, NO_HANDLE), taken)


def how_it_died(ending: Ending) -> str:
    """In words, with a verb."""
    if ending.ended is Ended.SIGNALLED:
        return f"dies of {signal.Signals(ending.code).name}" if ending.code < 32 else f"dies of signal {ending.code}"
    if ending.ended is Ended.EXITED:
        return f"ends the process with exit status {ending.code}"
    if ending.ended is Ended.TOO_BIG:
        return "takes more memory than it may"
    if ending.ended is Ended.LOST:
        return "changes the record of its own run"
    return "does not come back"


def last_words(output: str) -> str:
    """The last line that was printed, for the end of a sentence, without the name of the program, which is ours."""
    lines = [OUR_NAME.sub("", line.strip()) for line in output.splitlines() if line.strip()]
    return f": {lines[-1][:160]}" if lines else ""
