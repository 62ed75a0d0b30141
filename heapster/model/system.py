"""The system's answers, as recorded from a run: what the reference is asked to agree with."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol


class SystemCall(NamedTuple):
    """A system call that the allocator may make."""

    operands: tuple[str, ...]
    gains: Callable[..., int]       # of the operands: bytes more that are held once it is granted
    letter: str                     # that stands for it where programs are written in short


SYSTEM_CALLS: dict[str, SystemCall] = {         # in the order of their numbers in the drivers of C
    "sbrk": SystemCall(("delta",), lambda delta: delta, "b"),
    "mmap": SystemCall(("length",), lambda length: length, "m"),
    "munmap": SystemCall(("address", "length"), lambda _, length: -length, "u"),
    "remap": SystemCall(("address", "length", "longer"), lambda _, length, longer: longer - length, "r"),
    "purge": SystemCall(("address", "length"), lambda *_: 0, "p"),
    "protect": SystemCall(("address", "length"), lambda *_: 0, "g"),
    "unprotect": SystemCall(("address", "length"), lambda *_: 0, "o"),
}
SYSTEM_CALL_NAMES = tuple(SYSTEM_CALLS)
HARDENED_ONLY = frozenset({"protect", "unprotect"})
USUAL_CALL_NAMES = tuple(name for name in SYSTEM_CALLS if name not in HARDENED_ONLY)    # of a heap that is not hardened


class Recorded(Protocol):
    """A system call that the allocator made."""

    @property
    def name(self) -> str:
        """A key of SYSTEM_CALLS."""

    @property
    def arguments(self) -> tuple[int, ...]:
        """Its operands."""

    @property
    def answer(self) -> int:
        """The system's answer; -1 refuses."""


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
    return SYSTEM_CALLS[name].gains(*arguments)


def _difference(name: str, arguments: tuple[int, ...], call: Recorded) -> str:
    predicted, actual = _show(name, arguments), _show(call.name, call.arguments)
    if predicted == actual:
        actual += f" at {call.arguments[0] - arguments[0]:+} bytes from there"
    return f"predicted {predicted}, the allocator called {actual}"


def _show(name: str, arguments: tuple[int, ...]) -> str:
    """A call in words; the last argument is its size, and addresses mean nothing to people."""
    return f"{name}({arguments[-1]})" if len(arguments) == 1 else f"{name}(..., {arguments[-1]})"
