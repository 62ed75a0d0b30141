"""Shared objects that refuse to be loaded as ours are, though nothing in them hinders it."""

import struct
from hashlib import sha256
from pathlib import Path

from heapster.checkers.blackbox.build import cache_folder
from heapster.files import whole_file

ELF_64 = b"\x7fELF\x02\x01"            # little-endian, as all that run here are
HEADERS_AT, HEADER_SIZE_AND_COUNT = 32, 54
PT_DYNAMIC = 2
DT_FLAGS_1, DF_1_NOOPEN = 0x6FFFFFFB, 0x40
ENTRY = struct.Struct("<qQ")


def loadable(path: Path) -> Path:
    """The object; of one that was linked with -z nodlopen a copy without that mark, the same but for one bit."""
    data = bytearray(path.read_bytes())
    if data[:6] != ELF_64:
        return path
    marked = False
    try:
        for at in range(*_dynamic(data), ENTRY.size):
            tag, flags = ENTRY.unpack_from(data, at)
            if tag == DT_FLAGS_1 and flags & DF_1_NOOPEN:
                ENTRY.pack_into(data, at, tag, flags & ~DF_1_NOOPEN)
                marked = True
    except struct.error:                # a damaged one: whoever reads its symbols says so
        return path
    if not marked:
        return path
    copy = cache_folder() / f"{path.stem}-{sha256(data).hexdigest()[:12]}.so"
    if not copy.exists():
        with whole_file(copy) as file:
            file.write(data)
    return copy


def _dynamic(data: bytearray) -> tuple[int, int]:
    """Where in the file the dynamic section starts and ends."""
    first, = struct.unpack_from("<Q", data, HEADERS_AT)
    size, count = struct.unpack_from("<HH", data, HEADER_SIZE_AND_COUNT)
    for header in range(first, first + size * count, size or 1):        # of a damaged one: no headers
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", data, header)
        if kind == PT_DYNAMIC:
            return offset, offset + length
    return 0, 0
