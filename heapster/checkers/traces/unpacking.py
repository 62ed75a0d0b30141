"""Files as they were before they were compressed, and how much of one is believed."""

import gzip
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from heapster import children
from heapster.checkers.traces.errors import TraceFileError

GZIP, ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
MAX_BYTES = 1 << 33             # of a file that zstd unpacks
MAX_INFLATED, MAX_RATIO = 1 << 24, 200      # bytes that gzip may always inflate a file to, and times its size
PIECE = 1 << 20


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """The file at `path`, open at its beginning, unpacked if gzip or zstd packed it; OSError if it cannot be read."""
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic.startswith(GZIP):
            with _Bounded(path, file) as plain:
                yield cast(BinaryIO, plain)
        elif magic == ZSTANDARD:
            with tempfile.TemporaryFile() as plain_file:
                _unpack(path, plain_file)
                plain_file.seek(0)
                yield plain_file
        else:
            yield file


class _Bounded(gzip.GzipFile):
    """A gzipped file that is believed up to a size; what inflates beyond it is no trace."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._most = path, max(MAX_INFLATED, MAX_RATIO * path.stat().st_size)
        super().__init__(fileobj=file, mode="rb")

    def read(self, size: int | None = -1) -> bytes:
        return self._believed(super().read(size))

    def readline(self, size: int | None = -1) -> bytes:
        return self._believed(super().readline(size if size is not None else -1))

    def _believed(self, data: bytes) -> bytes:
        if self.tell() > self._most:
            why = f"it inflates to more than {MAX_RATIO} times its size: if it is a trace, unpack it with gunzip first"
            raise TraceFileError(self._path, f"byte {self._most}", why)
        return data


def _unpack(path: Path, plain: BinaryIO) -> None:
    """Write to `plain` what zstd packed in the file at `path`."""
    if shutil.which("zstd") is None:
        raise TraceFileError(path, "byte 0", "zstd packed this file and is not installed here: install it, or "
                                             "unpack the file with `zstd -d` elsewhere")
    with children.started(["zstd", "-dcq", "--", path], stdout=children.PIPE, stderr=children.DEVNULL) as process:
        assert process.stdout is not None
        left = MAX_BYTES
        while left > 0 and (piece := process.stdout.read(PIECE)):
            plain.write(piece)
            left -= len(piece)
        if left <= 0:
            raise TraceFileError(path, "byte 0", f"it unpacks to more than {MAX_BYTES >> 30} GiB: cut it")
        code = process.wait()
    if code:
        raise TraceFileError(path, "byte 0", "it is damaged: zstd cannot unpack it")
