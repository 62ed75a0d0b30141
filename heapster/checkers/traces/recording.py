"""Recording a program: run it with the recorder preloaded, then turn what it wrote into traces."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from heapster import children
from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.raw import Image, Stacks, headers, image, trace_of
from heapster.native import cache, shared_structs, toolchain
from heapster.results import TargetError

SOURCES = Path(__file__).parent / "c"
RECORDER, NAMER = "recorder.so", "namer"
SHARED = ("recorder", "stacks")         # the recorder's sources
PREFIX = "image"
UNWINDABLE = "-fasynchronous-unwind-tables"       # so that stacks are read through the recorder


class Recording(NamedTuple):
    """A program that was run, and the trace of its last image."""

    exit_code: int              # as a shell has it: 128 and the signal's number, if one ended it
    trace: Compact
    process: int
    others: tuple[Compact, ...]     # of the other processes, as they began
    unread: int                 # how many those are, if they were not asked for
    stacks: Stacks              # of `trace`; empty if they were not asked for


def compiled() -> Path:
    """The folder with the library that records and the program that reads it, compiled if they are not yet."""
    toolchain.check_platform()
    sources = [file.read_bytes() for file in sorted(SOURCES.iterdir())]
    parts: list[str | bytes] = [UNWINDABLE, *headers().values(), *sources]
    return cache.entry(f"recorder-{cache.digest(*parts, toolchain.compiler_version())}", _make)


def _make(out: Path) -> None:
    include = f"-I{shared_structs.folder(headers())}"
    for name in SHARED:
        toolchain.compile_c(SOURCES / f"{name}.c", out / f"{name}.o", include, UNWINDABLE)
    toolchain.link_shared([out / f"{name}.o" for name in SHARED], out / RECORDER)
    for name in SHARED:
        (out / f"{name}.o").unlink()
    toolchain.run([toolchain.compiler(), "-std=gnu11", "-O2", include, "-o", out / NAMER,
                   SOURCES / "resolver.c"])


def record(command: Sequence[str], program: Path, preload: Path | None, settings: Mapping[str, str], *,
           everyone: bool, stacks: bool = False, folder: Path | None = None) -> Recording:
    """Run the command and record it, served by `preload`, or by libc; TargetError if nothing was recorded.

    With `stacks`, where its blocks come from, too: that is slower.

    What is recorded lies in `folder` meanwhile, else where temporary files do.
    """
    place = Path(tempfile.mkdtemp(prefix="heapster-record-", dir=folder))
    try:
        wanted = {**settings, "HEAPSTER_RECORD_STACKS": str(int(stacks))}
        process = _run(command, program, preload, wanted, place)
        images = sorted((image(path) for path in place.glob(f"{PREFIX}.*") if path.stat().st_size), key=_began)
        mine = [found for found in images if found.process == process.pid]
        if not mine:
            raise TargetError(f"{command[0]} ran without the recorder: it cannot be preloaded")
        others = [other for other in images if other is not mine[-1]]
        trace, found = _trace_of(mine[-1], images)
        return Recording(
            children.exit_code(process), trace, process.pid,
            tuple(_trace_of(other, images)[0] for other in others) if everyone else (),
            0 if everyone else len(others), found)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _trace_of(found: Image, images: Sequence[Image]) -> tuple[Compact, Stacks]:
    return trace_of(lineage(found, images), compiled() / NAMER)


def _run(command: Sequence[str], program: Path, preload: Path | None, settings: Mapping[str, str],
         place: Path) -> children.Child:
    """Run it to its end."""
    libraries = [str(compiled() / RECORDER), *([str(preload)] if preload else []), os.environ.get("LD_PRELOAD", "")]
    environment = {**os.environ, **settings, "LD_PRELOAD": ":".join(filter(None, libraries)),
                   "HEAPSTER_RECORD": str(place / PREFIX)}
    try:
        return children.watched(command, executable=program.absolute(), env=environment)
    except OSError as error:
        raise TargetError(f"cannot run {command[0]}: {error.strerror}") from None


def _began(found: Image) -> tuple[int, int, int]:
    """Sorts images of one process by their order."""
    return found.path.stat().st_mtime_ns // 10**9, found.process, int(found.path.suffix[1:])


def lineage(found: Image, images: Sequence[Image]) -> list[tuple[Image, int]]:
    """The images whose heap this one inherited, each with the place where it was forked off, and itself."""
    chain = [(found, 0)]
    while chain[0][0].forked_at:
        child = chain[0][0]
        parents = [other for other in images if other.process == child.parent]
        if not parents:
            break
        chain.insert(0, (parents[-1], child.forked_at))
    return chain
