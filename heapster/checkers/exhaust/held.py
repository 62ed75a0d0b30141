"""A lockstep held as bytes, so that a call can be taken back: nothing is run twice."""

import io
import pickle
from hashlib import blake2b
from typing import Any

from heapster.checkers.lockstep.decode import decode
from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.machine.simulated import Simulated
from heapster.results import UsageError

MACHINE, SOURCE = "machine", "source"       # what is not copied with the rest
LEFT_OUT = frozenset({"calls"})             # fields of a heap that count, and decide nothing


class _HeapPickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, lockstep: Lockstep) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._machine, self._source = lockstep.m, lockstep.source

    def persistent_id(self, value: Any) -> str | None:
        """Of the machine and of the source: a name in their stead."""
        return MACHINE if value is self._machine else SOURCE if value is self._source else None


class _HeapUnpickler(pickle.Unpickler):
    def __init__(self, data: bytes, machine: Simulated, source: Any) -> None:
        super().__init__(io.BytesIO(data))
        self._named = {MACHINE: machine, SOURCE: source}

    def persistent_load(self, name: str) -> Any:
        """The object that the name stands for."""
        return self._named[name]


class HeldLockstep:
    """A lockstep at one moment; UsageError if its machine cannot be copied."""

    def __init__(self, lockstep: Lockstep) -> None:
        if not isinstance(lockstep.m, Simulated):
            raise UsageError("exhaust takes calls back, which real memory does not allow: name sim")
        data = io.BytesIO()
        _HeapPickler(data, lockstep).dump(lockstep)
        self._data, self._machine, self._source = data.getvalue(), lockstep.m.twin(), lockstep.source

    def again(self) -> Lockstep:
        """The lockstep as it was."""
        # What was just written: no stranger's bytes are read.
        lockstep: Lockstep = _HeapUnpickler(self._data, self._machine.twin(), self._source).load()
        return lockstep


def digest(lockstep: Lockstep) -> int:
    """Of the heap as it lies in memory, and of what the caller holds of it."""
    heap = lockstep.heap or decode(lockstep.m)
    held = [(block.pointer, block.request, block.alignment) for block in lockstep.live]
    return int.from_bytes(blake2b(repr((_decisive(heap), held)).encode(), digest_size=8).digest()) | 1


def _decisive(value: Any) -> Any:
    """The value without what only counts."""
    if isinstance(value, tuple):
        names = getattr(value, "_fields", None)
        parts = value if names is None else [part for name, part in zip(names, value, strict=True)
                                             if name not in LEFT_OUT]
        return tuple(map(_decisive, parts))
    return value
