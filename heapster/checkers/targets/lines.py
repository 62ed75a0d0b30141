"""Places of a shared object as file, line and function, by its debug information."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from heapster import children
from heapster.results import TargetError

TOOLS = ("addr2line", "llvm-addr2line")
AT_A_TIME = 500                 # places that one command is asked for
UNKNOWN = "??"
PLACE = re.compile(r"(.*):(\d+|\?)(?: \(discriminator \d+\))?")


class Frame(NamedTuple):
    """A place in the source: of an inlined function too. `line` is 0 where nothing is known of it."""

    function: str
    file: str
    line: int
    offset: int = 0             # in the object, for what has no debug information

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.function}, {Path(self.file).name}:{self.line}" if self.line else (
            f"{self.function or 'unknown function'}+{self.offset:#x}")


class Lines:
    """The lines of one object, asked for many places at a time and remembered."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[int, tuple[Frame, ...]] = {}

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
            self._known.update({place: (Frame("", "", 0, place),) for place in some})
            self._known.update(self._ask(some))

    def _ask(self, places: list[int]) -> dict[int, tuple[Frame, ...]]:
        for tool in TOOLS:
            try:
                done = children.run([tool, "-a", "-f", "-i", "-C", "-e", self._path,
                                     *(f"{max(0, place - 1):#x}" for place in places)],
                                    capture_output=True, text=True, errors="replace")
            except OSError:
                continue
            if done.returncode == 0:
                return dict(zip(places, _frames(done.stdout, places), strict=True))
        return {}


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
        known = number.isdigit() and file != UNKNOWN
        found[-1].append(Frame("" if line == UNKNOWN else line, file if known else "", int(number) if known else 0,
                               places[len(found) - 1]))
    return (tuple(frames) for frames in found)


def has_lines(path: Path) -> bool:
    """Whether the object says of its places which lines they are."""
    try:
        return b".debug_line" in path.read_bytes()
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}") from None
