"""The needs of a piece of work on another machine: Heapster as it is here, and the files of its target.

Files lie below the folder in which the command runs, and below a folder of their own there: so a target has the same
name in both places, and a finding the same id.
"""

import platform
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import heapster
from heapster.files import whole_file
from heapster.native.cache import directory
from heapster.results import HarnessError, UsageError

SOURCES = frozenset({".c", ".h", ".cpp", ".hpp", ".cc", ".hh", ".cxx", ".hxx", ".inc", ".toml", ".mk", ".trace", ".py"})
BUILDS = frozenset({"Makefile", "makefile", "GNUmakefile", "CMakeLists.txt", "meson.build"})
MOST = 64 << 20                 # bytes that travel
BINARY = b"\x7fELF"


class Goods(NamedTuple):
    """Files that travel with the work."""

    files: dict[str, bytes]     # by their path below the folder
    digest: str
    machine: str                # that objects among them are for; "": there are none

    def unpacked(self) -> Path:
        """The folder in which they lie on this machine; HarnessError if they are not what was sent, or cannot run."""
        if digest_of(self.files) != self.digest:
            raise HarnessError("the files of the target that came here are not those that were sent (digests differ)")
        if self.machine and self.machine != machine():
            raise HarnessError(f"the target is an object for {self.machine}, and a worker is {machine()}: give its C "
                               "sources, which are compiled where they run")
        folder = directory() / "travel" / self.digest[:24]
        for name, data in self.files.items():
            path = folder / name
            if not path.is_file() or path.read_bytes() != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                with whole_file(path) as file:
                    file.write(data)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def packed(paths: Iterable[Path], here: Path) -> Goods:
    """The files that these need, of what lies below `here`. UsageError for what lies elsewhere, or is too much."""
    return goods_of((path for one in paths for path in _needed(one, here)), here.resolve())


def goods_of(paths: Iterable[Path], root: Path) -> Goods:
    """These files below `root`. UsageError if they are too much."""
    files = {str(path.relative_to(root)): path.read_bytes() for path in paths}
    size = sum(map(len, files.values()))
    if size > MOST:
        raise UsageError(f"--scheduler: {size >> 20} MiB would have to travel, and at most {MOST >> 20} do: start in a "
                         "smaller folder, or name a file")
    objects = any(data.startswith(BINARY) for data in files.values())
    return Goods(files, digest_of(files), machine() if objects else "")


def _needed(path: Path, here: Path) -> Iterator[Path]:
    """The file and the sources beside it; of a folder all sources in it."""
    if not path.exists():
        return
    whole = path.resolve()
    if not whole.is_relative_to(here.resolve()) or path.is_absolute():
        raise UsageError(f"--scheduler: {path} does not lie below this folder, and so cannot travel: start Heapster "
                         "where it lies, and name it from there")
    yield from (one for one in sorted(whole.rglob("*") if path.is_dir() else whole.parent.iterdir())
                if one.is_file() and (one.suffix in SOURCES or one.name in BUILDS))
    if path.is_file():
        yield whole


def digest_of(files: dict[str, bytes]) -> str:
    """A digest that tells these files from others."""
    whole = sha256()
    for name in sorted(files):
        whole.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return whole.hexdigest()


def machine() -> str:
    """The platform of compiled code."""
    return f"{platform.machine()} with {' '.join(platform.libc_ver()) or 'another libc'}"


@lru_cache
def version() -> str:
    """Which Heapster this is: its number, and a digest of its source."""
    folder = Path(heapster.__file__).parent
    files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
             if path.suffix in (".py", ".c", ".h") and path.is_file()}
    return f"{heapster.__version__} ({digest_of(files)[:10]})"
