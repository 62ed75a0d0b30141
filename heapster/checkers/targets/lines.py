"""Places of a shared object as file, line and function, by its debug information."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from heapster import children
from heapster.results import TargetError

TOOLS = ("llvm-addr2line", "addr2line")     # the second takes a header for the source that includes it (2.40, DWARF 5)
SYMBOL_TOOLS = ("nm", "llvm-nm")
TABLES = ((), ("-D",))          # all symbols; what is left in a stripped object
SYMBOL = re.compile(r"^([0-9a-f]+) ([0-9a-f]+) [TtWwi] (.+)$", re.MULTILINE)
AT_A_TIME = 500                 # places that one command is asked for
UNKNOWN = "??"
ARTIFICIAL = "<artificial>"     # what one of the tools calls a file of an object that was optimised as it was linked
PLACE = re.compile(r"(.*):(\d+|\?)(?: \(discriminator \d+\))?")


class Frame(NamedTuple):
    """A place in the source: of an inlined function too. `line` is 0 where nothing is known of it."""

    function: str
    file: str
    line: int
    offset: int = 0             # in the function, or in the object where that has no name
    address: int = 0            # in the object

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.function}, {Path(self.file).name}:{self.line}" if self.line else self.named

    @property
    def named(self) -> str:
        """The function, and how far in it where no line says that."""
        return self.function if self.line else f"{self.function or 'a function without a name'}+{self.offset:#x}"


class Lines:
    """The lines of one object, asked for many places at a time and remembered."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[int, tuple[Frame, ...]] = {}
        self._functions: list[tuple[int, int, str]] | None = None       # start, size and name, in order

    def at(self, place: int) -> tuple[Frame, ...]:
        """The frames of a return address, innermost first: the call or access is the instruction before it."""
        self.look_up([place])
        return self._known[place]

    def look_up(self, places: Iterable[int]) -> None:
        """Ask for all of them at once."""
        wanted = sorted(set(places) - self._known.keys())
        if not wanted:
            return
        for first in range(0, len(wanted), AT_A_TIME):
            some = wanted[first:first + AT_A_TIME]
            self._known.update({place: (Frame("", "", 0, place - 1),) for place in some})
            self._known.update(self._ask(some))
            self._known.update({place: self._named(place) for place in some if not self._known[place][0].line})

    def _named(self, place: int) -> tuple[Frame, ...]:
        """A place without a line, by the symbols."""
        if self._functions is None:
            self._functions = functions_of(self._path)
        before = bisect_right(self._functions, place - 1, key=lambda function: function[0])
        start, size, name = self._functions[before - 1] if before else (0, 0, "")
        known = place - 1 < start + size
        return (Frame(name if known else "", "", 0, place - 1 - (start if known else 0), place - 1),)

    def _ask(self, places: list[int]) -> dict[int, tuple[Frame, ...]]:
        found: dict[int, tuple[Frame, ...]] = {}
        for tool in TOOLS:
            try:
                done = children.run([tool, "-a", "-f", "-i", "-C", "-e", self._path,
                                     *(f"{max(0, place - 1):#x}" for place in places)],
                                    capture_output=True, text=True, errors="replace")
            except OSError:
                continue
            if done.returncode == 0:
                found = dict(zip(places, _frames(done.stdout, places), strict=True))
            if found and ARTIFICIAL not in done.stdout:
                break
        return found


def _frames(said: str, places: list[int]) -> Iterator[tuple[Frame, ...]]:
    """The frames of each address: after it, a line with the function and one with the place, for each frame."""
    found: list[list[Frame]] = []
    lines = iter(said.splitlines())
    for line in lines:
        if line.startswith("0x"):
            found.append([])
            continue
        match = PLACE.fullmatch(next(lines, ""))
        file, number = (match[1], match[2]) if match else ("", "?")
        known = number.isdigit() and file != UNKNOWN and not file.endswith(ARTIFICIAL)
        found[-1].append(Frame("" if line == UNKNOWN else line, file if known else "", int(number) if known else 0,
                               address=places[len(found) - 1] - 1))
    return (tuple(frames) for frames in found)


def functions_of(path: Path) -> list[tuple[int, int, str]]:
    """Start, size and name of the functions that an object has symbols of, in order."""
    for tool in SYMBOL_TOOLS:
        for table in TABLES:
            try:
                said = children.run([tool, "-S", "-C", "--defined-only", *table, path], capture_output=True, text=True,
                                    errors="replace").stdout
            except OSError:
                break
            if found := sorted((int(start, 16), int(size, 16), name) for start, size, name in SYMBOL.findall(said)):
                return found
    return []


def has_lines(path: Path) -> bool:
    """Whether the object says of its places which lines they are."""
    try:
        return b".debug_line" in path.read_bytes()
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}") from None
