"""A trace on any allocator, three times in children: checked, measured and timed."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from mmap import mmap
from pathlib import Path
from typing import NamedTuple

from heapster.checkers.diffing.records import OP, records
from heapster.checkers.foreign.judge import HEADER_BYTES, VERB_NUMBER, Header, Suspicion
from heapster.checkers.foreign.target import VERBS, ForeignTarget
from heapster.checkers.traces.compact import VERBS as TRACE_VERBS
from heapster.checkers.traces.compact import Compact
from heapster.native import cache, toolchain
from heapster.results import TargetError

SOURCES = Path(__file__).parent / "c"
JUDGE = Path(__file__).parents[1] / "foreign" / "c"
SHARED_SOURCES = ("executor.c", "pattern.c", "shadow.c", "target.c", "memlib.c")
PROGRAM = "score"
FLAGS = ("-std=gnu11", "-O2", "-rdynamic")
FIRST_SETTING = VERBS.index("init")     # of the verbs: those before are calls of an allocator
SECONDS_A_MILLION = 60                  # of operations, before a pass is given up; and as many in any case
MOST_TIMED, ENOUGH_SECONDS = 5, 0.2     # a trace is timed again until it took that long in all; the least counts
RESERVES = 16 << 20                     # bytes of address space that an allocator may take and not touch
MASKED = (Suspicion.ERRNO, Suspicion.NULL, Suspicion.HUGE, Suspicion.USABLE)    # no driver's business
WORDS = {
    Suspicion.MISALIGNED: "the block is not aligned", Suspicion.OVERLAP: "the block overlaps another",
    Suspicion.CONTENTS: "the contents of a live block changed", Suspicion.PREFIX: "realloc lost contents",
    Suspicion.DIRTY: "calloc gave memory that is not zero"}


class Pass(IntEnum):
    """What a child does."""

    CHECKED, MEASURED, TIMED = range(3)


class Figures(ctypes.Structure):
    """`struct figures` of score.c."""

    _fields_ = [(name, ctypes.c_uint64) for name in (
        "count", "handles", "done", "skipped", "refused", "peak_live", "nanoseconds", "address_space", "resident",
        "lab_heap", "verb")] + [("unused", ctypes.c_uint64 * 5)]


@dataclass(frozen=True)
class Contestant:
    """What is scored."""

    name: str
    target: ForeignTarget
    environment: Mapping[str, str] = field(default_factory=dict)


class Score(NamedTuple):
    """How a trace went."""

    problem: str                # what was wrong; empty: nothing
    at: int                     # index of the step where it was noticed
    skipped: int                # steps that the target has no function for
    peak_live: int              # bytes
    heap: int                   # bytes, at its largest
    reserves: bool              # `heap` is what was resident, as far more was reserved
    seconds: float


def program() -> Path:
    """The driver, compiled if it is not yet."""
    files = [SOURCES / "score.c", *sorted(JUDGE.rglob("*.h")), *(JUDGE / name for name in SHARED_SOURCES)]
    name = f"score-{cache.digest(*[file.read_bytes() for file in files], *FLAGS, toolchain.compiler_version())}"
    return cache.entry(name, _make) / PROGRAM


def _make(out: Path) -> None:
    sources = [SOURCES / "score.c", *(JUDGE / name for name in SHARED_SOURCES)]
    toolchain.run([toolchain.compiler(), *FLAGS, f"-I{JUDGE}", "-o", out / PROGRAM, *sources, "-ldl", "-lpthread"])


class Course:
    """A trace, ready to be run on any number of allocators. A context."""

    def __init__(self, trace: Compact) -> None:
        ops = records(trace)
        self.steps, self._handles = len(trace), trace.handles()
        self._fd = os.memfd_create("heapster-score")
        os.ftruncate(self._fd, HEADER_BYTES + len(ops))
        self._map = mmap(self._fd, HEADER_BYTES + len(ops))
        self._map[HEADER_BYTES:] = ops
        self._calls = sum(verb < FIRST_SETTING for verb in trace.columns.verbs)

    def __enter__(self) -> "Course":
        return self

    def __exit__(self, *_: object) -> None:
        self._map.close()
        os.close(self._fd)

    @property
    def calls(self) -> int:
        """Steps that call the allocator."""
        return self._calls

    def run(self, contestant: Contestant) -> Score:
        """Score the contestant; the later passes only if it is right."""
        problem, checked = self._pass(contestant, Pass.CHECKED)
        if problem:
            return Score(problem, checked.done, checked.skipped, 0, 0, False, 0.0)
        problem, measured = self._pass(contestant, Pass.MEASURED)
        times: list[float] = []
        while not problem and (not times or len(times) < MOST_TIMED and sum(times) < ENOUGH_SECONDS):
            problem, timed = self._pass(contestant, Pass.TIMED)
            times.append(timed.nanoseconds / 1e9)
        if problem:
            return Score(problem, measured.done, checked.skipped, 0, 0, False, 0.0)
        heap, reserves = self._heap(contestant.target, measured)
        return Score("", self.steps, checked.skipped, measured.peak_live, heap, reserves, min(times))

    @staticmethod
    def _heap(target: ForeignTarget, measured: Figures) -> tuple[int, bool]:
        if target.shape == "malloc-lab" and measured.lab_heap:
            return measured.lab_heap, False
        if measured.address_space > 2 * measured.resident + RESERVES:
            return measured.resident, True
        return measured.address_space, False

    def _pass(self, contestant: Contestant, which: Pass) -> tuple[str, Figures]:
        """What was wrong, and the figures."""
        self._prepare(contestant.target)
        limit = SECONDS_A_MILLION * (1 + self.steps / 1e6)
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        command: list[str | Path] = [program(), str(self._fd), contestant.target.path, str(which.value)]
        try:
            done = subprocess.run(command, env={**environment, **contestant.environment}, pass_fds=(self._fd,),
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            return f"it was still at step {self._figures().done + 1} after {limit:.0f} s", self._figures()
        header, figures = Header.from_buffer_copy(self._map[:ctypes.sizeof(Header)]), self._figures()
        if done.returncode in (2, 4):
            said = header.message.decode(errors="replace") or "the driver cannot run it"
            raise TargetError(f"{contestant.name} cannot be loaded: {said}")
        return _problem(done.returncode, header, figures), figures

    def _prepare(self, target: ForeignTarget) -> None:
        header, figures = Header(), Figures(count=self.steps, handles=self._handles)
        header.alignment, header.heap_limit, header.check_means = target.alignment, target.heap_limit, 0
        header.masked = sum(1 << suspicion for suspicion in MASKED)
        for verb, symbol in target.symbols.items():
            header.names[VERB_NUMBER[verb]].value = symbol.encode()
        self._map[:HEADER_BYTES] = bytes(header).ljust(HEADER_BYTES - ctypes.sizeof(Figures), b"\0") + bytes(figures)

    def _figures(self) -> Figures:
        return Figures.from_buffer_copy(self._map[HEADER_BYTES - ctypes.sizeof(Figures):HEADER_BYTES])


def _problem(code: int, header: Header, figures: Figures) -> str:
    verb = TRACE_VERBS[figures.verb] if figures.verb < len(TRACE_VERBS) else "?"
    where = f"step {figures.done + 1}, {verb}" if figures.done < figures.count else "freeing what is left at the end"
    if code < 0:
        return f"{where}: {signal.Signals(-code).name}"
    if header.init_failed:
        return "its init fails on a fresh heap"
    if header.suspicion:
        return f"{where}: {WORDS.get(Suspicion(header.suspicion), 'it answers wrongly')}"
    if not header.finished:
        return f"{where}: it ends the process with {code}"
    if figures.refused:
        return f"step {figures.refused}: it gives NULL"
    return ""


assert VERBS[:FIRST_SETTING] == TRACE_VERBS[:FIRST_SETTING], "the judge and traces number verbs alike"
assert OP.size == 32
