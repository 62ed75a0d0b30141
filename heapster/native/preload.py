"""`heapster run`: any program, on this allocator instead of libc's."""

import os
import shutil
import stat
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from heapster.native.guard.build import guard_library
from heapster.native.library import DEFAULTS, PRELOAD, VERIFYING, Options, libraries
from heapster.results import TargetError, UsageError

SPANS = "HEAPSTER_SPANS"            # 1 for the library that is built with spans, 0 for that without
ELF = b"\x7fELF"
ELF_64 = 2
PROGRAM_HEADERS, HEADER_SIZE_AND_COUNT = 32, 54     # offsets in a 64-bit ELF header
ELF_HEADER = 64                     # bytes of one
PT_INTERP = 3
MOST_INTERPRETERS = 4               # Linux follows no more lines of #!


class Wishes(NamedTuple):
    """Settings of the program's heap."""

    policy: str | None = None
    arenas: int | None = None
    threshold: int | None = None    # bytes
    stats: bool = False             # a table on stderr at exit
    stats_file: Path | None = None  # JSON, at exit
    verify: int = 0                 # walk the whole heap every so many operations; 0: never
    guard: int = 0                  # one allocation in so many has pages of its own and guards around; 0: none


def execute(command: Sequence[str], wishes: Wishes) -> NoReturn:
    """Become the command, with the library preloaded; UsageError or TargetError if that cannot be."""
    program = find(command[0])
    check(program)
    library = libraries(_built()) / (VERIFYING if wishes.verify else PRELOAD)
    guards = [guard_library()] if wishes.guard else []
    environment = {**os.environ, **settings(wishes, *guards, library)}
    try:
        os.execve(program, list(command), environment)          # noqa: S606  # no shell is wanted
    except OSError as error:
        raise UsageError(f"cannot run {command[0]}: {error.strerror}") from None


def _built() -> Options:
    """How the library is built: as what ships is, unless the environment says otherwise."""
    asked = os.environ.get(SPANS) or str(int(DEFAULTS.spans))
    if asked not in ("0", "1"):
        raise UsageError(f"{SPANS}={asked}: give 1 for the library with spans, 0 for that without")
    return Options(spans=asked == "1")


def find(name: str) -> Path:
    """The program of that name, as a shell finds it."""
    found = shutil.which(name)
    if found is None:
        there = Path(name).exists() and "/" in name
        why = "it is not executable" if there else "no such program" if name else "a program's name is empty"
        raise UsageError(f"cannot run {name or 'nothing'}: {why}")
    return Path(found)


def settings(wishes: Wishes, *libraries: Path) -> dict[str, str]:
    """The environment that carries the wishes, with the libraries preloaded in their order."""
    for library in libraries:
        if any(character in str(library) for character in " :"):
            raise TargetError(f"LD_PRELOAD cannot name {library}, for its blank or colon: set XDG_CACHE_HOME")
    already = os.environ.get("LD_PRELOAD", "")
    wanted = {
        "LD_PRELOAD": ":".join([*map(str, libraries), *([already] if already else [])]),
        "HEAPSTER_POLICY": wishes.policy,
        "HEAPSTER_ARENAS": wishes.arenas,
        "HEAPSTER_MMAP_THRESHOLD": wishes.threshold,
        "HEAPSTER_VERIFY": wishes.verify or None,
        "HEAPSTER_GUARD_SAMPLE": wishes.guard or None,
        "HEAPSTER_STATS": os.getpid() if wishes.stats else None,
        "HEAPSTER_STATS_FILE": wishes.stats_file and wishes.stats_file.absolute(),
    }
    return {name: str(value) for name, value in wanted.items() if value is not None}


# Programs that cannot be served.

def check(program: Path, depth: int = 0) -> None:
    """TargetError if the system would not load the library into this program, saying why."""
    mode = program.stat().st_mode
    if mode & (stat.S_ISUID | stat.S_ISGID):
        raise TargetError(f"{program} is setuid or setgid: the system would ignore the preloaded library")
    try:
        with program.open("rb") as file:
            start = file.read(4096)
    except OSError:
        return                      # readable or not is for execve to say
    if start[:2] == b"#!" and depth < MOST_INTERPRETERS:
        interpreter = start[2:].partition(b"\n")[0].split()
        if interpreter and Path(os.fsdecode(interpreter[0])).exists():
            check(Path(os.fsdecode(interpreter[0])), depth + 1)
    elif start[:4] == ELF and len(start) >= ELF_HEADER:
        check_elf(program, start)


def check_elf(program: Path, start: bytes) -> None:
    """TargetError for programs without a dynamic linker, or of another word size."""
    if start[4] != ELF_64:
        raise TargetError(f"{program} is no 64-bit program: the library cannot be loaded into it")
    offset, = struct.unpack_from("<Q", start, PROGRAM_HEADERS)
    size, count = struct.unpack_from("<HH", start, HEADER_SIZE_AND_COUNT)
    kinds = [struct.unpack_from("<I", start, offset + i * size)[0] for i in range(count)
             if offset + i * size + 4 <= len(start)]
    if PT_INTERP not in kinds:
        raise TargetError(f"{program} is statically linked: the system would ignore the preloaded library")
