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
PIECE = 1 << 20


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """The file at `path`, open at its beginning, unpacked if gzip or zstd packed it; OSError if it cannot be read."""
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic.startswith(GZIP):
            with gzip.GzipFile(fileobj=file) as plain:
                yield cast(BinaryIO, plain)
        elif magic == ZSTANDARD:
            with tempfile.TemporaryFile() as plain_file:
                _unpack(path, plain_file)
                plain_file.seek(0)
                yield plain_file
        else:
            yield file


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
