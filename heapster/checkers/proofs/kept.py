"""Proofs that went through, kept in the user's cache under all that they depend on.

Only a proof all of whose theorems were proved is kept: nothing else saves anyone a look. A file for each proof
(`dependencies.key`) holds a few entries: what of `impl` the proof read, and the digest of what that said then. It
is said again of a source on which that digest is the same.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from heapster.checkers.mutation.fault import Origin
from heapster.checkers.proofs import Proof
from heapster.checkers.proofs.builds import Build
from heapster.checkers.proofs.dependencies import Names, Sources, Unkeyed, changed_since, key
from heapster.checkers.proofs.source import opened
from heapster.files import write_whole
from heapster.native.cache import digest, directory
from heapster.native.spans import SHIPPED

MOST = 8                            # sources of which a proof is kept, the last first


def _process_start() -> float:
    """When this process began, in seconds since the epoch: before it loaded any module."""
    ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age


STARTED = _process_start()


class KeptProof(NamedTuple):
    """A proof that went through, on one source."""

    names: Names                    # what it read of the source
    digest: str                     # of what that said
    file: str                       # digest of the file that the proof is of
    paths: int
    encoding: str


class KeptProofs:
    """What was proved of a source, and what now is."""

    def __init__(self, sources: Sources, with_spans: Sources | None = None, *, fresh: bool = False,
                 folder: Path | None = None) -> None:
        """Of the source as it is asked about, and as it is built with spans, if that is another."""
        self._sources, self._with_spans = sources, with_spans or sources
        self._fresh = fresh
        self._folder = folder or directory() / "proofs"
        self.trouble = ""           # why nothing can be kept

    def find(self, proof: Proof) -> KeptProof | None:
        """How it went, if all that it depends on is as it was then."""
        entries = self._entries(proof)
        sources = self._read_by(proof)
        return None if self._fresh else next((entry for entry in entries if _is_same(entry, sources)), None)

    def changed_first(self, proofs: Sequence[Proof]) -> list[Proof]:
        """The proofs, those first that were proved of a file that has changed."""
        return sorted(proofs, key=lambda proof: not self._has_changed(proof))

    def keep(self, proof: Proof, names: Names, paths: int, encoding: str) -> None:
        """Note that it went through; what cannot be kept is proved again, as what was edited meanwhile."""
        if not self._read_by(proof).are_current() or changed_since(proof, STARTED):
            return
        try:
            entry = KeptProof(names, self._read_by(proof).digest_of(names), self._file(proof), paths, encoding)
        except Unkeyed:
            return
        others = [other for other in self._entries(proof) if other.digest != entry.digest]
        rows = [_row(one) for one in (entry, *others[:MOST - 1])]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._path(proof), json.dumps({"of": proof.of, "entries": rows, "sum": _sum(rows)}))
        except OSError as error:
            self.trouble = f"what is proved cannot be kept in {self._folder}: {error.strerror or error}"

    def _read_by(self, proof: Proof) -> Sources:
        return self._with_spans if proof.spans else self._sources

    def _has_changed(self, proof: Proof) -> bool:
        return any(entry.file != self._file(proof) for entry in self._entries(proof)[:1])

    def _file(self, proof: Proof) -> str:
        return self._read_by(proof).file_of(proof.of.partition(".")[0])

    def _path(self, proof: Proof) -> Path:
        return self._folder / f"{key(proof)}.json"

    def _entries(self, proof: Proof) -> list[KeptProof]:
        """What is kept of the proof, the last first; nothing of a file that is damaged."""
        try:
            kept = json.loads(self._path(proof).read_bytes())
            rows = kept["entries"]
            return [_entry(row) for row in rows] if kept["sum"] == _sum(rows) else []
        except (OSError, ValueError, KeyError, TypeError):
            return []


@contextmanager
def kept_proofs(origin: Origin = None, *, spans: bool = SHIPPED, fresh: bool = False) -> Iterator[KeptProofs]:
    """What was proved of the source as it is built so, while that is open."""
    with opened(origin, Build.RUNS if spans else Build.PLAIN) as source, opened(origin, Build.RUNS) as runs:
        yield KeptProofs(Sources(source), Sources(runs), fresh=fresh)



def _is_same(entry: KeptProof, sources: Sources) -> bool:
    try:
        return sources.digest_of(entry.names) == entry.digest
    except Unkeyed:
        return False


def _row(entry: KeptProof) -> dict[str, Any]:
    return entry._asdict() | {"names": sorted(map(list, entry.names))}


def _entry(row: dict[str, Any]) -> KeptProof:
    return KeptProof(**row | {"names": frozenset((module, name) for module, name in row["names"])})


def _sum(rows: list[dict[str, Any]]) -> str:
    return digest(json.dumps(rows))
