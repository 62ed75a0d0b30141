"""No data race: each plain access of a thread is to what it owns, all else that it touches it touches atomically.

A thread owns its storage, but for the links by which others list it, and the payload of a block that its caller or its
bin has; not the header, in which others note whether the left neighbour is used. What it shows to others, its bins'
tops and its counts of calls, nobody else writes: so it may read that plainly, and writes it atomically. Nobody writes
the key of marks any more. A block that is handed over by a compare-and-swap is no longer its own from there on. As all
that is claimed of each call is claimed of any heap, two threads that keep to it have no conflicting accesses of which
one is plain: so what is proved of words that come one after the other holds of the compiled code (C11, 5.1.2.4).
"""

from collections.abc import Sequence
from typing import Any

from heapster.checkers.proofs.layout_spec import CACHE, CALL_KINDS, CLASS, NEXT, PAYLOAD, PREV, STATICS, WORD

Pieces = Sequence[tuple[Any, Any]]          # start and bytes of each


class OwningThread:
    """The machine as the calling thread uses it: plain accesses to what it does not own are noted."""

    def __init__(self, m: Any, *blocks: tuple[Any, Any]) -> None:
        """Of each block that it owns, the payload and the bytes of the whole block."""
        thread = m.thread()
        self._m = m
        self._storage = ((thread, NEXT), (thread + PREV + WORD, CACHE["thread_bytes"] - PREV - WORD))
        self._calls = (thread + CACHE["my_calls"], CALL_KINDS * WORD)
        self._bins = (thread + CACHE["bins"], 2 * WORD * CLASS["cached"])
        self._constant = ((m.statics() + STATICS["key"], WORD),)
        self._blocks = [(p, size - PAYLOAD) for p, size in blocks]
        self.strays: list[Any] = []         # addresses of what others may be touching

    def __getattr__(self, name: str) -> Any:
        return getattr(self._m, name)

    def races(self) -> str:
        """What is accessed plainly that others may be touching."""
        return ", ".join(f"a plain access at {address}" for address in self.strays)

    def _reads(self, address: Any, count: Any = WORD) -> None:
        if not self._lies_in(address, count, (*self._storage, *self._blocks, *self._constant)):
            self.strays.append(address)

    def _writes(self, address: Any, count: Any = WORD) -> None:
        if not self._lies_in(address, count, self._blocks) and (
                not self._lies_in(address, count, self._storage) or self._is_shown(address)):
            self.strays.append(address)

    def _is_shown(self, address: Any) -> bool:
        """Whether it counts calls, or is the top of a bin, which comes before its limit."""
        return self._lies_in(address, WORD, (self._calls,)) or (
            self._lies_in(address, WORD, (self._bins,)) and bool((address - self._bins[0]) & 2 * WORD - 1 == 0))

    def _lies_in(self, address: Any, count: Any, pieces: Pieces) -> bool:
        return any(not self._m.elsewhere(address, start) and address >= start and address + count <= start + length
                   for start, length in pieces)

    def load(self, address: Any) -> Any:
        """See `Machine.load`."""
        self._reads(address)
        return self._m.load(address)

    load_any = load

    def store(self, address: Any, value: Any) -> None:
        """See `Machine.store`."""
        self._writes(address)
        self._m.store(address, value)

    def fill(self, target: Any, byte: int, count: Any) -> None:
        """See `Machine.fill`."""
        self._writes(target, count)
        self._m.fill(target, byte, count)

    def cas_release(self, address: Any, expected: Any, value: Any) -> Any:
        """See `Machine.cas_release`: if it stores, whoever looks there has the blocks."""
        found = self._m.cas_release(address, expected, value)
        if found == expected:
            self._blocks.clear()
        return found
