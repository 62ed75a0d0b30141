"""`docs/races.md`, made from what it describes: `python -m heapster.checkers.races.document docs/races.md`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from heapster.checkers.mutation.hunt_races import hunt
from heapster.checkers.mutation.race_faults import FAULTS, Fault
from heapster.checkers.races.corpus import SHIPPED, WRITTEN
from heapster.checkers.stress.patterns import PATTERNS
from heapster.model.placement import POLICY_NAMES
from heapster.model.system import SYSTEM_CALLS
from heapster.results import HeapsterError

POLICIES = ", ".join(f"`p{number}` {name}" for number, name in enumerate(POLICY_NAMES))
REFUSALS = ", ".join(f"`x{call.letter}1` {name}" for name, call in SYSTEM_CALLS.items())
INTRODUCTION = f"""\
# Threads

`heapster races` runs small programs of several threads on the traced machine: every shared access is a
switch point, and schedules are chosen depth first within a bound of preemptions, by PCT, or by chance.
`heapster stress` runs real threads on a compiled allocator; ours keeps 64 bytes of a size for a thread from one
pause to the next, then 1 KiB, nothing, and 32 KiB. Made by `python -m heapster.checkers.races.document docs/races.md`.

A replay string holds a program and a schedule: `r1:n1,m24/f0|m24;s:0*3,1*2,0`. Before the slash stands
what thread 0 does first; then a lane for each thread. `m24` is malloc(24), `c` calloc, `a64:24`
aligned_alloc, `r0:48` realloc of block 0, `f0` free, `i0` free of a block
into which its caller wrote the mark of one that waits to be used again, `u0` usable size, `t` threshold, `g` growth,
`n` arenas, `h` bytes of a size that a cache holds, `e` the end of the thread, after which another
goes on in its lane, `q3` three blocks of thread 0's arena that wait on its remote list, `l` bytes of freed
mappings that may be kept, `d0` malloc_trim, `v0:9` nine reallocs of block 0 to its own size, `s` statistics,
`y` those of all arenas, `w` status, `k` fork, `z` finalize. A policy goes by its number:
{POLICIES}.
`o` sets what ships ({SHIPPED}).
Each written program is run as it stands, and so.
The first such call from here is refused: {REFUSALS}.
Blocks are numbered as they are allocated, from left to right. The schedule `0*3` is three switch points of thread 0;
`1` runs thread 1 until it ends or has to wait.

The tests of the slow faults and of `stress` on planted faults alone: `pytest -m slow tests/races tests/stress`.
"""


def document() -> Iterator[str]:
    """The page, line by line; finds every planted fault anew."""
    yield INTRODUCTION
    yield "## Planted faults\n"
    yield "Each is found in a copy of `impl`, shrunk, and found again by its replay (`heapster mutate --by races`)."
    yield "Those with a pattern are found by real threads too (`heapster mutate --by stress`).\n"
    yield "| planted fault | found as | replay | also by the pattern |\n|---|---|---|---|"
    for fault in FAULTS:
        code, replay = found_as(fault)
        yield f"| {fault.name} | `{code}` | `{replay.replace('|', chr(92) + '|')}` | {fault.stress} |"
    yield "\n## The written programs\n\n| what meets | program |\n|---|---|"
    for written in WRITTEN:
        yield f"| {written.about} | `{written.text.replace('|', chr(92) + '|')}` |"
    yield "\n## The patterns of stress\n\n| pattern | what threads do |\n|---|---|"
    for name, about in PATTERNS.items():
        yield f"| {name} | {about} |"


def found_as(fault: Fault) -> tuple[str, str]:
    """The code that a planted fault is found as, and its replay string."""
    found = hunt(fault)
    if found is None:
        raise HeapsterError(f"'{fault.name}' is not found")
    return found


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("\n".join(document()) + "\n", encoding="utf-8")
