"""The compiled allocator on a long trace: a child that runs it, its answers, and its memory to look at."""

import os
import shutil
import signal
import struct
from array import array
from collections.abc import Callable
from mmap import mmap
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from heapster import children
from heapster.checkers.blackbox.build import SOURCES as SHARED
from heapster.checkers.blackbox.judge import check_harness
from heapster.checkers.diff.records import records
from heapster.checkers.traces.compact import Compact
from heapster.files import shared_memory
from heapster.machine import protocol
from heapster.machine.lowering import WATCHING
from heapster.machine.protocol import Call, MachineFault
from heapster.model.misuse import abort_name
from heapster.model.placement import POLICY_NAMES
from heapster.model.system import SYSTEM_CALLS
from heapster.native import cache, shared_structs, toolchain
from heapster.native.headers import generated
from heapster.native.library import core
from heapster.native.shared_structs import I64, U64, enum, packing, structs
from heapster.results import TargetError

SOURCES = Path(__file__).parent / "c"
FILES = (SOURCES / "replay.c", SHARED / "account.h", SHARED / "driver.h", SHARED / "operation.h")
PROGRAM = "replay"
ANSWER = struct.Struct("<q")
CALLS_AN_OP, CALLS_BESIDES = 4, 4096      # room for system calls
WORD = 8
PAGE = 4096


class DriverShared(NamedTuple):
    """The driver's progress; it is asked with `handles`."""

    done: U64 = 0
    calls: U64 = 0
    nanoseconds: U64 = 0
    statics: U64 = 0
    aborted: U64 = 0
    abort_address: U64 = 0
    handles: U64 = 0
    misused: U64 = 0


class Logged(NamedTuple):
    """A system call."""

    op: U64
    name: U64
    a: I64
    b: I64
    c: I64
    answer: I64


HEAD, CALL = packing(DriverShared), packing(Logged)


def _headers() -> dict[str, str]:
    """What the driver includes and nobody has written, by their names."""
    replay = shared_structs.header("replay.h", "heapster/checkers/diff/native.py", [
        *enum("", [("CALLS_AN_OP", CALLS_AN_OP), ("CALLS_BESIDES", CALLS_BESIDES)]),
        *structs({"shared": DriverShared, "call": Logged})])
    return {**generated(), "replay.h": replay}


def program(*, spans: bool) -> Path:
    """The driver with the allocator in it, compiled if it is not yet."""
    compiled = core(variant=WATCHING, spans=spans)
    parts: list[str | bytes] = [*_headers().values(), *(path.read_bytes() for path in FILES)]
    name = f"replay-{cache.digest(*parts, compiled.parent.name, toolchain.compiler_version())}"
    return cache.entry(name, lambda out: _make(out, compiled)) / PROGRAM


def _make(out: Path, compiled: Path) -> None:
    sources = out / "sources"
    sources.mkdir()
    for name, text in _headers().items():
        (sources / name).write_text(text)
    for file in FILES:
        shutil.copyfile(file, sources / file.name)
    object_ = toolchain.compile_c(sources / "replay.c", sources / "replay.o")
    wrap = [f"-Wl,--wrap={name}" for name in protocol.SYSTEM_CALLS.values()]
    toolchain.run([toolchain.compiler(), "-o", out / PROGRAM, object_, compiled, *wrap, "-lpthread"])
    shutil.rmtree(sources)


class NativeDied(NamedTuple):
    """How the child ended before its time."""

    at: int                     # index of the step that it was in
    code: str
    words: str


class NativeReplay:
    """A child that runs the trace, `interval` steps at a time. A context, so that nothing stays behind."""

    def __init__(self, trace: Compact, policy: str, interval: int, *, spans: bool) -> None:
        self.steps = len(trace)
        ops = records(trace)
        answers = HEAD.size + len(ops)
        self._answers, self._calls = answers, answers + ANSWER.size * self.steps
        size = self._calls + CALL.size * (CALLS_AN_OP * self.steps + CALLS_BESIDES)
        self._fd = shared_memory("replay", size)
        self._map = mmap(self._fd, size)
        self._map[:HEAD.size] = HEAD.pack(*DriverShared(handles=trace.handles()))
        self._map[HEAD.size:answers] = ops
        arguments = [str(self._fd), str(self.steps), str(interval), str(POLICY_NAMES.index(policy))]
        self._process = children.start([program(spans=spans), *arguments], stdin=children.PIPE, stdout=children.PIPE,
                                       pass_fds=(self._fd,), bufsize=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        children.dismiss(self._process)
        self._map.close()
        os.close(self._fd)

    def advance(self, first: bool) -> NativeDied | None:
        """Let it run the next steps; how it died, if it did."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if not first:
            self._process.stdin.write(b".")
        if self._process.stdout.read(1) == b".":
            return None
        code = self._process.wait()
        told = self._shared()
        check_harness(code, told.misused)
        if told.aborted:
            return NativeDied(told.done, f"aborted_{abort_name(told.aborted)}", "it aborts, with nothing misused")
        if code < 0:
            return NativeDied(told.done, "crashed", f"it ends with {signal.Signals(-code).name}")
        raise TargetError("the compiled allocator cannot be replayed: its memory is taken")

    def answers(self, start: int, end: int) -> "array[int]":
        """The answers of the steps from `start` up to `end`."""
        found = array("q")
        found.frombytes(self._map[self._answers + ANSWER.size * start:self._answers + ANSWER.size * end])
        return found

    def calls(self, start: int, count: int) -> list[tuple[int, Call]]:
        """System calls from the `start`th on, each with the step that made it."""
        place = self._calls + CALL.size * start
        data, names = self._map[place:place + CALL.size * count], tuple(SYSTEM_CALLS)
        return [(op, Call(names[number], tuple(arguments[:len(SYSTEM_CALLS[names[number]].operands)]), answer))
                for op, number, *arguments, answer in CALL.iter_unpack(data)]

    @property
    def called(self) -> int:
        """System calls so far."""
        return self._shared().calls

    @property
    def seconds(self) -> float:
        """That the steps took so far."""
        return self._shared().nanoseconds / 1e9

    def memory(self) -> "ChildMemory":
        """The child's memory, while it waits."""
        return ChildMemory(self._process.pid, self._shared().statics)

    def _shared(self) -> DriverShared:
        return DriverShared(*HEAD.unpack(self._map[:HEAD.size]))


class ChildMemory:
    """Another process's memory, as `decode` asks for it."""

    def __init__(self, process: int, statics: int) -> None:
        self._file = Path(f"/proc/{process}/mem").open("rb", buffering=0)  # noqa: SIM115  closed by close()
        self._statics = statics
        self._pages: dict[int, array[int]] = {}

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    def statics(self) -> int:
        """Address of the statics."""
        return self._statics

    def held(self) -> tuple[int, ...]:
        """Nothing: the model does not say either."""
        return ()

    def system(self) -> tuple[tuple[int, int], ...]:
        """Nothing, likewise."""
        return ()

    def reader(self) -> Callable[[int], int]:
        """Reads words; Fault where there is none."""
        def load(address: int) -> int:
            page = self._pages.get(address // PAGE)
            if page is None:
                page = self._page(address)
            return page[address % PAGE // WORD]
        return load

    def peek(self, address: int) -> int:
        """The word there; Fault if there is none."""
        return self.reader()(address)

    def _page(self, address: int) -> "array[int]":
        words = array("q")
        try:
            self._file.seek(address // PAGE * PAGE)
            words.frombytes(self._file.read(PAGE))
        except (OSError, ValueError, OverflowError):
            raise MachineFault("unmapped", f"{address:#x} is not mapped", address) from None
        self._pages[address // PAGE] = words
        return words
