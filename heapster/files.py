"""Files: written whole or not at all, and read with a limit; what cannot be is said in one line."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

MAX_TOML, MAX_JSON = 1 << 20, 1 << 30           # bytes
UNPRINTED: list[str] = []                       # why results could not be printed, if any could not
EXHAUSTED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE,
                       errno.EAGAIN, errno.EIO})


class Unwritable(OSError):
    """A file that cannot be written; `filename` is what it was to be called."""

    def __str__(self) -> str:
        return f"{self.filename} cannot be written: {self.strerror}"


class Unreadable(ValueError):
    """A file does not hold what it should. Its words go on where the file's name ends."""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which is `path` at the end: whoever reads that sees the old content or the new.

    What is no regular file, as a pipe or /dev/stdout, is written to; a link stays a link. Raises Unwritable.
    """
    named, path = path, path.resolve()
    try:
        import tempfile  # noqa: PLC0415  with all archives that shutil knows, loaded where files are written
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
            Path(temporary).chmod(_mode(path))
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Unwritable(error.errno, error.strerror or str(error), str(named)) from None


def write_whole(path: Path, text: str) -> None:
    """Make `text` the content of `path`, whole or not at all. Raises Unwritable."""
    data = text.encode("utf-8")
    with whole_file(path) as file:
        file.write(data)


def _mode(path: Path) -> int:
    """The mode that `open` would have given or left the file."""
    if path.exists():
        return path.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a file. Raises OSError, and Unreadable saying what is wrong."""
    import tomllib  # noqa: PLC0415  help is there without it
    def table(text: bytes) -> dict[str, Any]:
        return tomllib.loads(text.decode("utf-8"))

    value: dict[str, Any] = _read(path, "TOML", table, MAX_TOML)
    return value


def read_json(path: Path) -> Any:
    """The value in a file. Raises OSError, and Unreadable saying what is wrong."""
    import json  # noqa: PLC0415  likewise
    def value(text: bytes) -> Any:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise Unreadable(f", line {error.lineno}: this is not JSON: {error.msg}") from None

    return _read(path, "JSON", value, MAX_JSON)


def _read(path: Path, kind: str, parse: Callable[[bytes], Any], limit: int) -> Any:
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Unreadable(f" is larger than {limit >> 20} MiB: is it one of ours?")
    try:
        return parse(data)
    except Unreadable:
        raise
    except UnicodeDecodeError:
        raise Unreadable(f" is not {kind}: it is not text (UTF-8)") from None
    except RecursionError:
        raise Unreadable(" is nested too deeply") from None
    except ValueError as error:
        raise Unreadable(f" is not {kind}: {error}") from None


def shared_memory(name: str, size: int) -> int:
    """A descriptor of memory that children can map. Raises OSError."""
    descriptor = os.memfd_create(f"heapster-{name}")
    try:
        os.ftruncate(descriptor, size)
    except OSError as error:
        os.close(descriptor)
        raise OSError(error.errno, f"{error.strerror}: {size >> 20} MiB to share with a child (ulimit -f)") from None
    return descriptor


def exhausted(error: BaseException) -> str:
    """The resource that the system has run out of, in words; empty for an error that is of another kind."""
    copying = getattr(sys.modules.get("shutil"), "Error", ())      # what is out may be descriptors: nothing is loaded
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, Unwritable):
        return str(error)
    if isinstance(error, copying):
        return f"files cannot be copied: {error.args[0][0][2] if error.args and error.args[0] else error}"
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return str(error.strerror)      # no folder for temporary files
    if isinstance(error, OSError) and error.errno in EXHAUSTED:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return ""
