"""The system's answers, as recorded from a run: what the reference is asked to agree with."""

from collections.abc import Sequence
from typing import Protocol


class Recorded(Protocol):
    """A system call that the allocator made."""

    @property
    def name(self) -> str:
        """One of sbrk, mmap, munmap, remap and purge."""

    @property
    def arguments(self) -> tuple[int, ...]:
        """What it was called with."""

    @property
    def answer(self) -> int:
        """What the system answered; -1 refuses."""


class Divergence(Exception):
    """The allocator called the system otherwise than the reference predicts."""


class System:
    """Answers the reference's calls with what the allocator was answered to the same calls."""

    __slots__ = ("_calls", "_next")

    def __init__(self, calls: Sequence[Recorded] = ()) -> None:
        self._calls = calls
        self._next = 0

    def sbrk(self, delta: int) -> int:
        """The old break, or REFUSED."""
        return self._answer("sbrk", (delta,))

    def mmap(self, length: int) -> int:
        """The address of a new mapping, or REFUSED."""
        return self._answer("mmap", (length,))

    def munmap(self, address: int, length: int) -> int:
        """0, or REFUSED."""
        return self._answer("munmap", (address, length))

    def remap(self, address: int, length: int, longer: int) -> int:
        """Where the longer mapping is, or REFUSED."""
        return self._answer("remap", (address, length, longer))

    def purge(self, address: int, length: int) -> int:
        """0, or REFUSED."""
        return self._answer("purge", (address, length))

    def done(self) -> None:
        """Divergence unless every recorded call was predicted."""
        if self._next < len(self._calls):
            call = self._calls[self._next]
            actual = _show(call.name, call.arguments)
            raise Divergence(f"predicted no further call, the allocator called {actual}")

    def _answer(self, name: str, arguments: tuple[int, ...]) -> int:
        if self._next >= len(self._calls):
            raise Divergence(f"predicted {_show(name, arguments)}, the allocator called nothing")
        call = self._calls[self._next]
        if call.name != name or call.arguments != arguments:
            raise Divergence(_difference(name, arguments, call))
        self._next += 1
        return call.answer


def gained(name: str, arguments: tuple[int, ...]) -> int:
    """How many bytes more are held after a call that was granted."""
    if name == "remap":
        return arguments[2] - arguments[1]
    if name == "purge":
        return 0
    return -arguments[1] if name == "munmap" else arguments[0]


def _difference(name: str, arguments: tuple[int, ...], call: Recorded) -> str:
    predicted, actual = _show(name, arguments), _show(call.name, call.arguments)
    if predicted == actual:
        actual += f" at {call.arguments[0] - arguments[0]:+} bytes from there"
    return f"predicted {predicted}, the allocator called {actual}"


def _show(name: str, arguments: tuple[int, ...]) -> str:
    """A call in words; the last argument is its size, and addresses mean nothing to people."""
    return f"{name}({arguments[-1]})" if len(arguments) == 1 else f"{name}(..., {arguments[-1]})"
