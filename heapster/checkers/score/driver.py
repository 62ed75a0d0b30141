"""A trace on any allocator, in children: checked, timed, and measured where that tells more."""

import ctypes
import os
import signal
from dataclasses import dataclass, field
from enum import IntEnum
from mmap import mmap
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from heapster import children
from heapster.checkers.blackbox import protocol
from heapster.checkers.blackbox.judge import STATIC_TLS, check_harness
from heapster.checkers.blackbox.protocol import HEADER_BYTES, MOST_OPS, Guard, JudgeHeader, Suspicion
from heapster.checkers.blackbox.target import VERB_NUMBER, ForeignTarget
from heapster.checkers.diff.records import records
from heapster.checkers.targets.instrumented import FOLDER, HOOK_HEADERS
from heapster.checkers.targets.target import Target
from heapster.checkers.traces.compact import VERBS, Compact, frugal
from heapster.files import shared_memory
from heapster.model.operations import OPERATIONS, ROWS
from heapster.model.spec import Promises
from heapster.native import cache, shared_structs, toolchain
from heapster.native.operations_header import OP
from heapster.native.shared_structs import U64, enum, enum_of, packing, structs
from heapster.results import TargetError, UsageError
from heapster.wording import counted, printed

SOURCES = Path(__file__).parent / "c"
JUDGE = Path(__file__).parents[1] / "blackbox" / "c"
UNOBSERVED = JUDGE.parent / "adapter" / "unobserved.c"
SHARED_SOURCES = ("executor.c", "pattern.c", "shadow.c", "target.c", "memlib.c", "fence.c", "strangers.c",
                  "counters.c", "edges.c", "refusing.c")
PROGRAM = "score"
FLAGS = ("-std=gnu11", "-O2", "-rdynamic")
IS_CALL = bytes(row.is_call for row in ROWS)    # by a verb's number
SECONDS_A_MILLION = 60                  # of operations, before a pass is given up; and as many in any case
TICK, HANGS = 1.0, 30                   # seconds between looks, and in one step before it counts as hanging
SLOW = "too slow"                       # how a problem begins that says nothing of right and wrong
POINTS = 512                            # of the heap over time
MOST_TIMED, ENOUGH_SECONDS = 5, 0.2     # a trace is timed again until it took that long in all; the least counts
RESERVES = 16 << 20                     # bytes of address space that an allocator may take and not touch
MASKED = (Suspicion.ERRNO, Suspicion.NULL, Suspicion.HUGE, Suspicion.USABLE)    # no driver's business
WORDS = {
    Suspicion.MISALIGNED: "the block is not aligned", Suspicion.OVERLAP: "the block overlaps another",
    Suspicion.CONTENTS: "the contents of a live block changed", Suspicion.PREFIX: "realloc lost contents",
    Suspicion.DIRTY: "calloc gave memory that is not zero",
    Suspicion.OUTSIDE: "the block ends beyond {end}", Suspicion.STRAY: "bytes before {start} or beyond {end} changed"}


class Pass(IntEnum):
    """What a child does."""

    CHECKED, MEASURED, TIMED = range(3)


class Figures(ctypes.Structure):
    """What a pass is asked, `count` and `handles`, and what it answers; `refused`: 1 + the step that was given NULL."""

    _fields_ = [(name, ctypes.c_uint64) for name in (
        "count", "handles", "done", "skipped", "refused", "peak_live", "nanoseconds", "address_space", "resident",
        "lab_heap", "final_space", "moves", "pages_moved", "points")]


class Weighed(NamedTuple):
    """The heap after a step, as the child has it: bytes live, in all, and resident."""

    step: U64
    live: U64
    space: U64
    resident: U64


POINT = packing(Weighed)


class Point(NamedTuple):
    """The heap after a step, in bytes."""

    step: int                   # index
    live: int
    heap: int


@dataclass(frozen=True)
class Contestant:
    """What is scored."""

    named: Target
    target: ForeignTarget
    promises: Promises = field(default_factory=Promises)
    granule: int = 16           # bytes that all its blocks are aligned to

    @property
    def name(self) -> str:
        """As the user has it."""
        return str(self.named)

    @property
    def key(self) -> str:
        """As tables of the JSON have it."""
        return self.named.key


class Score(NamedTuple):
    """How a trace went."""

    problem: str                # what was wrong, or that it took too long; empty: nothing
    at: int                     # index of the step where it was noticed
    skipped: int                # steps that the target has no function for
    peak_live: int              # bytes
    heap: int                   # bytes, at its largest
    reserves: bool              # `heap` is what became resident, or was live, as address space does not tell
    seconds: float

    @property
    def slow(self) -> bool:
        """It was given up before its end, though nothing was wrong."""
        return self.problem.startswith(SLOW)


class HeapMeasures(NamedTuple):
    """What the heap did meanwhile."""

    final: int                  # bytes
    moves: int                  # of realloc
    pages_moved: int
    points: tuple[Point, ...]


def program() -> Path:
    """The driver, compiled if it is not yet."""
    files = [*_sources(), *sorted(JUDGE.rglob("*.h")), *HOOK_HEADERS]
    texts: list[str | bytes] = [*_headers().values(), *(file.read_bytes() for file in files)]
    name = f"score-{cache.digest(*texts, *FLAGS, toolchain.compiler_version())}"
    return cache.entry(name, _make) / PROGRAM


def _make(out: Path) -> None:
    places = [f"-I{JUDGE}", f"-I{FOLDER}", f"-I{shared_structs.folder(_headers())}"]
    toolchain.run([toolchain.compiler(), *FLAGS, *places, "-o", out / PROGRAM, *_sources(), "-ldl", "-lpthread"])


def _headers() -> dict[str, str]:
    """What the driver includes and nobody has written, by their names."""
    figures = shared_structs.header("figures.h", "heapster/checkers/score/driver.py", [
        *enum("", [("POINTS", POINTS)]), *enum_of("pass", Pass), *structs({"figures": Figures, "point": Weighed})])
    return {**protocol.headers(), "figures.h": figures}


def _sources() -> list[Path]:
    return [SOURCES / "score.c", *(JUDGE / name for name in SHARED_SOURCES), UNOBSERVED, FOLDER / "interpose.c"]


class Course:
    """A trace, ready to be run on any number of allocators. A context."""

    def __init__(self, trace: Compact) -> None:
        if trace.handles() > MOST_OPS:          # the executor's room for blocks
            trace = frugal(trace)
        if trace.handles() > MOST_OPS:
            raise UsageError(f"{counted(trace.handles(), 'block')} live at once in this trace, more than the "
                             f"{MOST_OPS:,} that are kept watch over")
        ops = records(trace)
        self.steps, self._handles, self._verbs = len(trace), trace.handles(), trace.columns.verbs
        self._points = HEADER_BYTES + len(ops)
        size = self._points + POINTS * POINT.size
        self._fd = shared_memory("score", size)
        self._map = mmap(self._fd, size)
        self._map[HEADER_BYTES:self._points] = ops
        self._calls = sum(IS_CALL[verb] for verb in self._verbs)

    def __enter__(self) -> "Course":
        return self

    def __exit__(self, *_: object) -> None:
        self._map.close()
        os.close(self._fd)

    @property
    def calls(self) -> int:
        """Steps that call the allocator."""
        return self._calls

    def lacking(self, contestant: Contestant) -> tuple[str, ...]:
        """What the trace calls and the target has not; those calls are passed over, and what takes their answers."""
        called = {VERBS[verb] for verb in set(self._verbs) if IS_CALL[verb]}
        verbs = contestant.target.verbs
        return tuple(sorted(verb for verb in called if not verbs & {verb, OPERATIONS[verb].instead}))

    def run(self, contestant: Contestant) -> Score:
        """Score the contestant; the later passes only if it is right."""
        problem, checked = self._pass(contestant, Pass.CHECKED)
        if problem:
            return Score(problem, checked.done, checked.skipped, 0, 0, False, 0.0)
        times: list[float] = []
        while not problem and (not times or len(times) < MOST_TIMED and sum(times) < ENOUGH_SECONDS):
            problem, timed = self._pass(contestant, Pass.TIMED)
            times.append(timed.nanoseconds / 1e9)
        if not problem and not checked.peak_live <= timed.address_space <= 2 * checked.peak_live + RESERVES:
            problem, timed = self._pass(contestant, Pass.MEASURED)
        if problem:
            return Score(problem, timed.done, checked.skipped, 0, 0, False, 0.0)
        heap, reserves = _heap(timed, contestant.target.shape == "malloc-lab")
        if heap < checked.peak_live:            # it had room from the start
            heap, reserves = checked.peak_live, True
        return Score("", self.steps, checked.skipped, checked.peak_live, heap, reserves, min(times))

    def shape(self, contestant: Contestant, reserves: bool) -> HeapMeasures:
        """What the heap of a contestant that is right does over time."""
        _, measured = self._pass(contestant, Pass.MEASURED)
        data = self._map[self._points:self._points + measured.points * POINT.size]
        points = tuple(Point(step, live, resident if reserves else space)
                       for step, live, space, resident in POINT.iter_unpack(data))
        final = points[-1].heap if reserves else measured.final_space
        return HeapMeasures(final, measured.moves, measured.pages_moved, points)

    def _pass(self, contestant: Contestant, which: Pass) -> tuple[str, Figures]:
        """What was wrong, and the figures."""
        self._prepare(contestant, which)
        environment = {**os.environ, "GLIBC_TUNABLES": STATIC_TLS}
        environment.pop("LD_PRELOAD", None)
        command: list[str | Path] = [program(), str(self._fd), contestant.target.path, str(which.value)]
        with children.started(command, env={**environment, **contestant.target.environment}, pass_fds=(self._fd,),
                              stdin=children.DEVNULL, stdout=children.DEVNULL, stderr=children.DEVNULL) as child:
            late = self._wait(child)
        header, figures = JudgeHeader.from_buffer_copy(self._map[:ctypes.sizeof(JudgeHeader)]), self._figures()
        if late:
            return late, figures
        if child.returncode in (2, 4):
            said = printed(header.message) or "the driver cannot run it"
            raise TargetError(f"{contestant.name} cannot be loaded: {said}")
        check_harness(child.returncode, header.misused)
        return self._problem(child.returncode, header, figures, contestant.target.edges), figures

    def _wait(self, child: children.Child) -> str:
        """Wait for its end, and end it if it hangs or is too slow: what to say of it then."""
        began = advanced = monotonic()
        done, limit = 0, SECONDS_A_MILLION * (1 + self.steps / 1e6)
        try:
            while True:
                try:
                    child.wait(TICK)
                    return ""
                except children.TimeoutExpired:
                    pass
                now, before, done = monotonic(), done, self._figures().done
                if done != before:
                    advanced = now
                if now - advanced > HANGS:
                    return f"step {done + 1}: it does not return within {HANGS} s"
                if now - began > limit:
                    return f"{SLOW}: it was at step {done + 1} after {limit:.0f} s"
        finally:
            child.kill()

    def _prepare(self, contestant: Contestant, which: Pass) -> None:
        header, figures = JudgeHeader(), Figures(count=self.steps, handles=self._handles)
        target, promises = contestant.target, contestant.promises
        header.alignment, header.small_blocks = promises.alignment, promises.small_blocks
        header.zero_keeps, header.granule = promises.realloc_zero == "keeps", contestant.granule
        header.heap_limit, header.check_means = target.heap_limit, 0
        header.guarded = Guard.GUARDED if which is Pass.CHECKED else Guard.UNBOUNDED
        header.masked = sum(1 << suspicion for suspicion in MASKED)
        for verb, symbol in target.symbols.items():
            header.names[VERB_NUMBER[verb]].value = symbol.encode()
        self._map[:HEADER_BYTES] = bytes(header).ljust(HEADER_BYTES - ctypes.sizeof(Figures), b"\0") + bytes(figures)

    def _problem(self, code: int, header: JudgeHeader, figures: Figures, edges: tuple[str, str]) -> str:
        where = "freeing what is left at the end"
        if figures.done < self.steps:
            where = f"step {figures.done + 1}, {VERBS[self._verbs[figures.done]]}"
        if code < 0 and header.stray:
            return f"{where}: it reads or writes beyond {edges[header.stray > 0]}"
        if code < 0:
            return f"{where}: {signal.Signals(-code).name}"
        if header.init_failed:
            return "its init fails on a fresh heap"
        if header.suspicion:
            word = WORDS.get(Suspicion(header.suspicion), "it answers wrongly")
            return f"{where}: {word.format(start=edges[0], end=edges[1])}"
        if not header.finished:
            return f"{where}: it ends the process with {code}"
        if figures.refused:
            return f"step {figures.refused}: it gives NULL"
        return ""

    def _figures(self) -> Figures:
        return Figures.from_buffer_copy(self._map[HEADER_BYTES - ctypes.sizeof(Figures):HEADER_BYTES])


def _heap(figures: Figures, lab: bool) -> tuple[int, bool]:
    """Bytes at the largest; what became resident if far more was reserved, or the heap was there from the start."""
    if lab and figures.lab_heap:
        return figures.lab_heap, False
    if figures.resident and not figures.peak_live <= figures.address_space <= 2 * figures.resident + RESERVES:
        return figures.resident, True
    return figures.address_space, False


assert OP.size == 32
