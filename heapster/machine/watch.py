"""Who chooses how threads that take turns go on, and who hears of what they do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from .sc_order import Write

if TYPE_CHECKING:
    from .traced import Traced


class Chooser(Protocol):
    """Who goes on, and what atomic accesses meet."""

    def choose(self, m: "Traced", me: int, kind: str, target: int) -> int:
        """A thread of `m.enabled()`; `me` is about to do `kind` to `target`, or NOBODY has ended."""

    def pick(self, m: "Traced", number: int) -> int:
        """Which of so many writes, the newest first, the access meets that the running thread is doing."""


class Watch(Protocol):
    """Who hears of all that threads do."""

    def read(self, address: int) -> None:
        """The running thread reads a word."""

    def write(self, address: int) -> None:
        """The running thread writes a word."""

    def write_range(self, start: int, count: int) -> None:
        """The running thread writes each word of `count` bytes."""

    def may_read(self, address: int, order: int, value: int) -> Sequence[Write]:
        """The writes that an atomic load may read, newest first; `value` is in memory, if it is not known yet."""

    def may_write(self, address: int, order: int, value: int) -> Sequence[Write]:
        """The writes that an atomic store may come next after."""

    def may_swap(self, address: int, orders: tuple[int, int], value: int, expected: int | None) -> Sequence[Write]:
        """The writes that a read-modify-write may read; a compare-and-swap that finds no expected value is a load."""

    def load(self, address: int, write: Write, order: int) -> int:
        """The running thread reads what that write wrote."""

    def store(self, address: int, value: int, after: Write, order: int) -> bool:
        """The running thread writes next after another write; whether it is the newest."""

    def swap(self, address: int, value: int, found: Write, order: int) -> bool:
        """The running thread reads a write and writes next after it; whether it is the newest."""

    def acquire(self, target: int) -> None:
        """The running thread is now after the last release of `target`."""

    def release(self, target: int) -> None:
        """Order the running thread's steps before the next acquisition of `target`."""

    def locked(self, mutex: int, held: Sequence[int]) -> None:
        """The running thread locks `mutex` while it holds others."""

    def unmap(self, start: int, end: int) -> None:
        """The running thread gives memory back."""

    def turn(self, thread: int) -> None:
        """Another thread runs from here on."""
