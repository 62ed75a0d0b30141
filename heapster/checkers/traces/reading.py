"""Files of traces: which format one has is told by its content."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from heapster.checkers.traces.binary import MAGIC, read_binary
from heapster.checkers.traces.compact import MOST_STEPS, Compact, dense
from heapster.checkers.traces.errors import TraceFileError
from heapster.checkers.traces.heaptrack import is_heaptrack, read_heaptrack
from heapster.checkers.traces.logs import READERS as LOGS
from heapster.checkers.traces.profiles import profile
from heapster.checkers.traces.protobuf import is_tracefile, read_protobuf
from heapster.checkers.traces.rep import is_rep, read_rep, requests_in
from heapster.checkers.traces.unpacking import unpacked
from heapster.model.trace import TraceError, parse_lines, statements_in
from heapster.results import UsageError

LOOK = 4096                             # bytes that tell the format
MOST_LINE = 1 << 20                     # bytes
SHIPPED = Path(__file__).parent / "recorded"
FORMATS = {"text": "the text of `replay`", "binary": "Heapster's binary form", "rep": "CS:APP's malloc lab",
           "protobuf": "malloc-bench's Tracefile", "mtrace": "a log of mtrace(3)",
           "valgrind": "valgrind's output with --trace-malloc=yes", "ltrace": "a log of ltrace",
           "heaptrack": "heaptrack's file"}
LINES = {"rep": read_rep, "heaptrack": read_heaptrack, **{kind: reader for kind, (_, reader) in LOGS.items()}}
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def shipped() -> dict[str, Path]:
    """The recorded traces of real programs that come with Heapster, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.trace"))}


def find_trace(name: str) -> Path:
    """The file of that name, or the shipped trace; UsageError if there is neither."""
    path = Path(name)
    if path.is_file():
        return path
    if name in shipped():
        return shipped()[name]
    if path.is_dir():
        raise UsageError(f"{name} is a folder, not a trace")
    if path.exists():
        raise UsageError(f"{name} is no regular file")
    raise UsageError(f"{name}: no such file, and no shipped trace ({', '.join(shipped())})")


def read_trace(path: Path) -> Compact:
    """The trace in a file; UsageError with file and line if there is none."""
    return read_as(path)[1]


def read_as(path: Path) -> tuple[str, Compact]:
    """The format of a file, one of FORMATS, and the trace in it."""
    try:
        with unpacked(path) as file:
            kind = _format(file.read(LOOK), path)
            file.seek(0)
            trace = _read(kind, file, path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TraceFileError(path, "byte 0", f"the trace is damaged: {error}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    except TraceError as error:
        raise TraceFileError(path, f"line {error.line}", error.message) from None
    if not len(trace):
        raise TraceFileError(path, "line 1", "; ".join(
            ["there is no step in this trace", *[warning.removeprefix(f"{path}: ") for warning in trace.warnings]]))
    if trace.is_full:
        raise TraceFileError(path, f"step {MOST_STEPS:,}", "there are more steps than a trace may have: cut it")
    return kind, dense(trace) if trace.handles() > 2 * len(trace) else trace


def where(path: Path, index: int) -> str:
    """Where in a file that was read the step stands, in words: its line, if each step has one."""
    with unpacked(path) as file:
        kind = _format(file.read(LOOK), path)
        file.seek(0)
        if kind not in ("text", "rep"):
            return f"step {index + 1}"
        count = requests_in if kind == "rep" else statements_in
        left = index
        for number, line in enumerate(file, 1):
            left -= count(line.decode("utf-8-sig", errors="replace"))
            if left < 0:
                return f"line {number}"
    return f"step {index + 1}"


def _format(start: bytes, path: Path) -> str:
    """One of FORMATS; TraceFileError for what is known to hold no trace."""
    if start.startswith(MAGIC):
        return "binary"
    if start.startswith(WIDE):
        raise TraceFileError(path, "line 1", "this is UTF-16: convert it, with `iconv -f UTF-16 -t UTF-8`")
    if what := profile(start):
        raise TraceFileError(path, "line 1", what)
    if is_heaptrack(start):
        return "heaptrack"
    for kind, (is_kind, _) in LOGS.items():
        if is_kind(start):
            return kind
    if is_tracefile(start):
        return "protobuf"
    return "rep" if is_rep(start.removeprefix(codecs.BOM_UTF8)) else "text"


def _read(kind: str, file: BinaryIO, path: Path) -> Compact:
    if kind == "binary":
        file.seek(len(MAGIC))
        return read_binary(file, path)
    if kind == "protobuf":
        return read_protobuf(file, path)
    if kind in LINES:
        return LINES[kind](_lines(file), path)
    trace = Compact()
    for step in parse_lines(_text(file)):
        trace.append(step)
        if trace.is_full:
            break
    return trace


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, without a byte order mark; TraceError where one is too long."""
    for number, line in enumerate(iter(lambda: file.readline(MOST_LINE), b""), 1):
        if len(line) == MOST_LINE:
            raise TraceError(number, "this line is too long for a trace")
        yield line.removeprefix(codecs.BOM_UTF8) if number == 1 else line


def _text(file: BinaryIO) -> Iterator[str]:
    """The lines of a text; TraceError where it is none."""
    for number, line in enumerate(_lines(file), 1):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            raise TraceError(number, "this is not text (UTF-8)") from None
