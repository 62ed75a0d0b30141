"""The function that an allocator with a prefix wants to be called before all others: by its name, and what it takes."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from heapster.checkers.blackbox.signatures import Prototype, signature

WHOLE = r"(?:malloc|allocator|alloc|heap|memory|mem|pools?|arenas?)"
BEGIN = r"(?:initialize|initialise|init|setup)"
ENDS = r"(?:deinit|destroy|finalize|finalise|shutdown|fini|cleanup|teardown|exit)"


class Start(NamedTuple):
    """A function that starts an allocator."""

    symbol: str
    takes: Prototype | None     # None: nothing says

    @property
    def is_plain(self) -> bool:
        """Whether it takes nothing, so that it can be called."""
        return self.takes == ()

    @property
    def wants_memory(self) -> bool:
        """Whether it takes a size, or memory and a size: what nobody can guess."""
        return any(one.kind == "i" for one in self.takes or ())

    @property
    def written(self) -> str:
        """As C writes it."""
        return f"{self.symbol}()" if self.takes is None or self.is_plain else signature(self.symbol, self.takes)


def start_of(prefix: str, functions: Iterable[str]) -> str:
    """The function that starts an allocator with the prefix, the plainest name first; empty if it has none."""
    return _named(prefix, functions, BEGIN)


def words(prefix: str, start: Start, functions: Iterable[str]) -> str:
    """What is done with the function that starts it, for people."""
    if not start.is_plain:
        why = "it takes what only its author knows" if start.takes else "nothing says what it takes (-g, or a header)"
        return f"{start.written} is not called: {why}"
    end = _named(prefix, functions, ENDS)
    return f"{start.written} is called first{f', {end}() never: each case ends its process' if end else ''}"


def _named(prefix: str, functions: Iterable[str], does: str) -> str:
    stem = re.escape(prefix.rstrip("_"))
    pattern = re.compile(rf"{stem}(?:_?{WHOLE})?_?{does}(?:_{WHOLE})?|{does}_{stem}(?:_?{WHOLE})?")
    return min((name for name in functions if stem and pattern.fullmatch(name)), key=lambda name: (len(name), name),
               default="")
