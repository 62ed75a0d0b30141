"""Shared objects that cannot be loaded as ours are as they stand: what hinders it is changed in a copy."""

import struct
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from heapster.checkers.blackbox.build import cache_folder
from heapster.checkers.blackbox.sanitizing import STARTS
from heapster.files import whole_file

ELF_64 = b"\x7fELF\x02\x01"            # little-endian, as all that run here are
HEADERS_AT, HEADER_SIZE_AND_COUNT = 32, 54
PT_DYNAMIC = 2
DT_FLAGS_1, DF_1_NOOPEN = 0x6FFFFFFB, 0x40
DT_NULL, DT_SYMBOLIC, DT_RELACOUNT = 0, 16, 0x6FFFFFF9     # the last tells the loader what it sees for itself
ENTRY = struct.Struct("<qQ")
NODLOPEN = "linked with -z nodlopen: a copy without that mark is loaded"
SANITIZED = "built with AddressSanitizer, whose runtime is loaded first: a copy is that calls its own functions"


def loadable(path: Path) -> tuple[Path, tuple[str, ...]]:
    """The object, or a copy that can be loaded, the same but for a few bits; and of that, why it is needed."""
    data = bytearray(path.read_bytes())
    try:
        why = tuple(_changed(data)) if data[:6] == ELF_64 else ()
    except struct.error:                # a damaged one: whoever reads its symbols says so
        return path, ()
    if not why:
        return path, ()
    copy = cache_folder() / f"{path.stem}-{sha256(data).hexdigest()[:12]}.so"
    if not copy.exists():
        with whole_file(copy) as file:
            file.write(data)
    return copy, why


def _changed(data: bytearray) -> Iterator[str]:
    """Change what hinders it from being loaded, and say what that was."""
    entries = {at: ENTRY.unpack_from(data, at) for at in range(*_dynamic(data), ENTRY.size)}
    for at, (tag, flags) in entries.items():
        if tag == DT_FLAGS_1 and flags & DF_1_NOOPEN:
            ENTRY.pack_into(data, at, tag, flags & ~DF_1_NOOPEN)
            yield NODLOPEN
    spare = [at for at, (tag, _) in entries.items() if tag == DT_NULL][:-1]       # the last ends them
    spare += [at for at, (tag, _) in entries.items() if tag == DT_RELACOUNT]
    if f"\0{STARTS}\0".encode() in data and spare and all(tag != DT_SYMBOLIC for tag, _ in entries.values()):
        ENTRY.pack_into(data, spare[0], DT_SYMBOLIC, 0)
        yield SANITIZED


def _dynamic(data: bytearray) -> tuple[int, int]:
    """Where in the file the dynamic section starts and ends."""
    first, = struct.unpack_from("<Q", data, HEADERS_AT)
    size, count = struct.unpack_from("<HH", data, HEADER_SIZE_AND_COUNT)
    for header in range(first, first + size * count, size or 1):        # of a damaged one: no headers
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", data, header)
        if kind == PT_DYNAMIC:
            return offset, offset + length
    return 0, 0
