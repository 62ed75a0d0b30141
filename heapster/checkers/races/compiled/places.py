"""Names for addresses of a target: lines of its source, its variables, blocks, what the system gave."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from heapster import children
from heapster.machine.traced import BREAK_OBJECT, FORK_OBJECT, MAPPINGS_OBJECT, WAIT_OBJECT

LIMIT = 60                      # seconds that a tool of binutils may take
ADDRESS = re.compile(r"0x[0-9a-f]+")
BREAK, MAPPINGS, STACKS, ABOVE = 0x100000000000, 0x200000000000, 0x300000000000, 0x400000000000
OBJECTS = {BREAK_OBJECT: "the break", MAPPINGS_OBJECT: "the mappings", FORK_OBJECT: "all memory"}
MOST_BYTES = 1 << 30            # of a target's code
MOST_OBJECT = 64                # whatever lies as low is no memory


class Places:
    """Of one target, loaded at `base`."""

    def __init__(self, path: Path, base: int) -> None:
        self._path, self._base = path, base
        self._lines: dict[int, tuple[str, str]] = {}
        self.blocks: Mapping[int, str] = {}         # payload: its name, in the run at hand

    def learn(self, pcs: Iterable[int]) -> None:
        """Look up the lines of return addresses, all at once."""
        new = sorted({pc for pc in pcs if 0 < pc - self._base < MOST_BYTES and pc not in self._lines})
        if not new:
            return
        said = _tool("addr2line", "-f", "-C", "-e", str(self._path), *(f"{pc - 1 - self._base:#x}" for pc in new))
        lines = said.splitlines() + ["??"] * (2 * len(new))
        for number, pc in enumerate(new):
            function, where = lines[2 * number], lines[2 * number + 1].split(" (")[0]
            self._lines[pc] = ("" if function == "??" else function, Path(where).name)

    def line(self, pc: int) -> str:
        """`mm.c:12 my_malloc`; nothing for what is none of the target's."""
        self.learn([pc])
        function, where = self._lines.get(pc, ("", ""))
        return f"{where} {function}".strip() if function and not where.startswith("??") else function

    def name(self, address: int) -> str:
        """What lies at an address."""
        if address in OBJECTS:
            return OBJECTS[address]
        if WAIT_OBJECT <= address < WAIT_OBJECT + MOST_OBJECT:
            return f"block {address - WAIT_OBJECT}, handed over"
        return self._block(address) or self._variable(address) or _region(address)

    def named(self, text: str) -> str:
        """The text with its addresses named."""
        return ADDRESS.sub(lambda match: f"[{self.name(int(match[0], 16))}]", text)

    def _block(self, address: int) -> str:
        near = max((payload for payload in self.blocks if payload <= address < payload + 64), default=None)
        if near is not None:
            return f"{self.blocks[near]}{_plus(address - near)}"
        below = min((payload for payload in self.blocks if address < payload <= address + 16), default=None)
        return f"{self.blocks[below]}-{below - address}" if below is not None else ""

    @cached_property
    def _symbols(self) -> list[tuple[int, int, str]]:
        found = []
        for line in _tool("nm", "-S", "-C", "--defined-only", str(self._path)).splitlines():
            words = line.split(maxsplit=3)
            if len(words) == 4 and words[2] in "bBdDrR":
                found.append((int(words[0], 16), int(words[1], 16), words[3]))
        return sorted(found)

    def _variable(self, address: int) -> str:
        offset = address - self._base
        at = bisect_right(self._symbols, (offset, 1 << 64, "")) - 1
        if at < 0 or offset >= self._symbols[at][0] + self._symbols[at][1]:
            return ""
        return f"{self._symbols[at][2]}{_plus(offset - self._symbols[at][0])}"


def _plus(offset: int) -> str:
    return f"+{offset}" if offset else ""


def _region(address: int) -> str:
    if BREAK <= address < MAPPINGS:
        return f"the heap{_plus(address - BREAK)}"
    if MAPPINGS <= address < STACKS:
        return f"the mappings{_plus(address - MAPPINGS)}"
    if STACKS <= address < ABOVE:
        return "a thread's own memory"
    return f"{address:#x}"


def _tool(*command: str) -> str:
    """What a tool of binutils says; nothing without it: then addresses stay numbers."""
    try:
        done = children.run(command, capture_output=True, text=True, errors="replace", timeout=LIMIT)
    except (OSError, children.TimeoutExpired):
        return ""
    return str(done.stdout)
