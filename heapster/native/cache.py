"""Artefacts that take long to make, kept in the user's cache directory under a digest of all they depend on.

An entry is a directory. It is made elsewhere and moved into place in one step, so that nobody sees half of
one; it lists the checksums of its files, so that a damaged one is noticed and made again.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from heapster.files import exhausted
from heapster.results import TargetError

CHECKSUMS = "checksums.json"


def directory() -> Path:
    """Where the user's cache is: $XDG_CACHE_HOME or ~/.cache, and in it our own."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".cache"
    return base / "heapster"


def digest(*parts: str | bytes) -> str:
    """A name for these parts that no other parts have."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big") + data)
    return state.hexdigest()[:32]


def entry(name: str, make: Callable[[Path], None]) -> Path:
    """The directory of that name; `make` fills it if it is missing or damaged.

    Several processes may ask at once: one makes it, the others wait and use what it made.
    """
    path = directory() / name
    if is_intact(path):
        return path
    with opened(path.parent), locked(path.with_suffix(".lock")):
        if not is_intact(path):
            _replace(path, make)
    return path


@contextmanager
def opened(folder: Path) -> Iterator[Path]:
    """The folder of the cache, made if it is not there; TargetError for what the system refuses in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        reason = exhausted(error) or error.strerror or str(error)
        raise TargetError(f"cannot use the cache {folder}: {reason} (XDG_CACHE_HOME chooses another)") from None


def is_intact(path: Path) -> bool:
    """Whether the entry is there, with the contents it was made with."""
    try:
        expected = json.loads((path / CHECKSUMS).read_bytes())
        return bool(expected) and all(_checksum(path / name) == sum_ for name, sum_ in expected.items())
    except (OSError, ValueError, AttributeError):
        return False


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """In here nobody else is who asks for the same lock."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace(path: Path, make: Callable[[Path], None]) -> None:
    fresh = Path(tempfile.mkdtemp(prefix=".making-", dir=path.parent))
    try:
        make(fresh)
        sums = {file.name: _checksum(file) for file in sorted(fresh.iterdir()) if file.is_file()}
        (fresh / CHECKSUMS).write_text(json.dumps(sums, indent=1))
        if path.exists():
            path.rename(fresh / "damaged")
        fresh.rename(path)
        shutil.rmtree(path / "damaged", ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
