"""A lockstep held as bytes, so that a call can be taken back: nothing is run twice."""

import io
import marshal
import pickle
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from heapster.checkers.lockstep.decode import decode
from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.machine.simulated import Simulated
from heapster.results import UsageError

MACHINE, SOURCE = "machine", "source"       # what is not copied with the rest
WITHOUT_SHARING = 2             # marshal's version of which equal values are equal bytes
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


class _Undoable(dict[int, int]):
    """Words of which it is noted what they were before they were changed."""

    def __init__(self, words: dict[int, int]) -> None:
        super().__init__(words)
        self._before: dict[int, int | None] = {}

    def _note(self, addresses: Iterable[int]) -> None:
        before = self._before
        before.update({address: self.get(address) for address in addresses if address not in before})

    def __setitem__(self, address: int, word: int) -> None:
        if address not in self._before:
            self._before[address] = self.get(address)
        super().__setitem__(address, word)

    def __delitem__(self, address: int) -> None:
        self._note((address,))
        super().__delitem__(address)

    def update(self, words: dict[int, int]) -> None:    # type: ignore[override]  # as machines call it
        """See `dict.update`."""
        self._note(words)
        super().update(words)

    def pop(self, address: int, *default: Any) -> Any:
        """See `dict.pop`."""
        self._note((address,))
        return super().pop(address, *default)

    def undo(self) -> None:
        """All words as they were when this was last asked, or at first."""
        for address, word in self._before.items():
            if word is None:
                super().pop(address, None)
            else:
                super().__setitem__(address, word)
        self._before.clear()


class HeldLockstep:
    """A lockstep at one moment, whose machine it takes; UsageError if that cannot be put back."""

    def __init__(self, lockstep: Lockstep) -> None:
        if not isinstance(lockstep.m, Simulated):
            raise UsageError("exhaust takes calls back, which real memory does not allow: name sim")
        lockstep.heap = None                    # it is decoded anew
        data = io.BytesIO()
        _HeapPickler(data, lockstep).dump(lockstep)
        self._data, self._machine, self._source = data.getvalue(), lockstep.m, lockstep.source
        self._words = self._machine.words = _Undoable(lockstep.m.words)
        self._fields = {name: value for name, value in vars(self._machine).items() if value is not self._words}
        self._keep()

    def _keep(self) -> None:
        """Give the machine copies, so that what is held stays."""
        vars(self._machine).update({name: value.copy() if isinstance(value, dict | set | list) else value
                                    for name, value in self._fields.items()})

    def again(self) -> Lockstep:
        """The lockstep as it was; the one that this gave before is of no use any more."""
        self._words.undo()
        self._keep()
        # What was just written: no stranger's bytes are read.
        lockstep: Lockstep = _HeapUnpickler(self._data, self._machine, self._source).load()
        return lockstep


def digest(lockstep: Lockstep) -> int:
    """Of the heap as it lies in memory, and of what the caller holds of it."""
    heap = lockstep.heap or decode(lockstep.m)
    held = [(block.pointer, block.request, block.alignment) for block in lockstep.live]
    told = marshal.dumps((_decisive(heap), held), WITHOUT_SHARING)
    return int.from_bytes(blake2b(told, digest_size=8).digest()) | 1


def _decisive(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """The value without what only counts, all in plain tuples."""
    return tuple([_decisive(part) if isinstance(part, tuple) else part
                  for part in map(value.__getitem__, _places(type(value), len(value)))])


@lru_cache(256)
def _places(kind: type[tuple[Any, ...]], length: int) -> Sequence[int]:
    """Where a tuple has what decides."""
    names = getattr(kind, "_fields", None)
    return range(length) if names is None else [place for place, name in enumerate(names) if name not in LEFT_OUT]
