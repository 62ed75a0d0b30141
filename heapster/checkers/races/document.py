"""`docs/races.md`, made from what it describes: `python -m heapster.checkers.races.document docs/races.md`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from heapster.checkers.mutation.fault import Fault
from heapster.checkers.mutation.hunt_races import hunt
from heapster.checkers.mutation.race_faults import FAULTS
from heapster.checkers.mutation.stress_faults import SHOWN_BY
from heapster.checkers.races.corpus import SHIPPED, WITH_SPANS, WRITTEN
from heapster.checkers.races.litmus import outcomes
from heapster.checkers.races.litmus_tests import LITMUS
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
pause to the next, then 1 KiB, nothing, and 32 KiB. In each of its patterns one thread forks now and then while others
own the locks of streams and of the loader, and child and parent go on; at each pause every block is given back, and
memory that grows from pause to pause after the warm-up, and in a longer run as well, is a finding
(`memory_never_returned`). Made by `python -m heapster.checkers.races.document docs/races.md`.

A replay string holds a program and a schedule: `r1:n1,m24/f0|m24;s:0*3,1*2,0`. Before the slash stands
what thread 0 does first; then a lane for each thread. `m24` is malloc(24), `c` calloc, `a64:24`
aligned_alloc, `r0:48` realloc of block 0, `f0` free, `b0` free_sized, `i0` free of a block
into which its caller wrote the mark of one that waits to be used again, `u0` usable size, `t` threshold, `g` growth,
`n` arenas, `h` bytes of a size that a cache holds, `e` the end of the thread, after which another
goes on in its lane, `q3` three blocks of thread 0's arena that wait on its remote list, `l` bytes of freed
mappings that may be kept, `d0` malloc_trim, `v0:9` nine reallocs of block 0 to its own size, `s` statistics,
`y` those of all arenas, `w` status, `k` fork, `z` finalize, `R0` that all other slots of block 0's run were handed out
and came back, and its class has another run to cut. A policy goes by its number:
{POLICIES}.
`o` sets what ships ({SHIPPED}); `j`, before all else, hardens the heap.
Each written program is run as it stands, and so.
The first such call from here is refused: {REFUSALS}.
Blocks are numbered as they are allocated, from left to right. The schedule `0*3` is three switch points of thread 0;
`1` runs thread 1 until it ends or has to wait. After it may stand `;o:2*1`: the second atomic access that could meet
an old write met the one before the newest; and `;v:0123abcd`, the version of the source that it was found in.

The tests of all planted faults alone, those of `stress` too: `pytest -m faults tests/races tests/stress`.
"""


TARGETS = """\
## Any C or C++ allocator

`heapster races mm.c` puts the threads of a C source under a scheduler of ours, or of an object that is built with
`-fsanitize=thread` and linked without it (`cc -g -O1 -fPIC -fsanitize=thread -c mm.c; cc -shared mm.o -o mm.so`). Each
schedule runs in a child, at fixed addresses; time, random numbers, `sbrk` and `mmap` answer the same each time. Switch
points are loads, stores and atomics, pthread's and C11's locks, conditions, once, keys, barriers, semaphores, threads,
`sched_yield`, futexes and the calls that change memory. Who spins is set aside until what it looks at has changed.
Found are data races by happens-before, with C11's orders, also of two calls of `sbrk`; deadlocks, cycles in the order
of locks, locks that a call leaves; blocks that overlap, or lose contents; answers that no order of the calls explains;
crashes and loops. Blocks that never come back once all threads have ended are found by asking for more, from fresh
threads, than it takes to have all back when the lanes run one after the other, in any order; growth by rounds more of
such a run, in which threads end and free all, until the system is asked for more, while the same calls by one thread
use what there is. At the end what was left to `atexit` runs, and then a malloc and a free. A search goes on after a
finding, to four of different kinds.
In the strings, `a64:24`, `c`, `f0`, `m24`, `r0:48` and `u0` mean what they mean above; at the end of a lane `e` is a
destructor of the program's own that allocates after those of the target; `k` forks, where the target registers handlers
for it or is the process's malloc; threads from 8 on are the target's own; `;v:` is the version of the source.

`heapster races native` is the compiled library in the settings that ship: each load, store and atomic of the lowering
is told, or done, by a hook of the order that the lowering gives it.

Not seen: inline assembly (named with its line), threads that a library starts, loads that meet old writes.
"""

WEAK_MEMORY = """\
## Weak memory

Atomic accesses meet a weak memory, RC11 (Lahav, Vafeiadis, Kang, Hur and Dreyer, "Repairing sequential consistency in
C/C++11", PLDI 2017): a load may answer any write that its thread's view allows, and a store may come before one that
was made earlier. Which, is a choice of the scheduler: depth first takes all, with at most as many old writes as
preemptions; PCT and chance draw them; a finding has the fewest that show it. There is no load buffering: no load
answers a store that is yet to come. Release sequences are those of C++20. Plain accesses have no choice to make, since
what they could read but the newest write is a data race, by happens-before with the orders that atomics have.

The orders stand in one table (`heapster/machine/orders.py`), of which the traced machine and the compiled code are
both made. Every one in `impl` that is not relaxed is needed: each is weakened by a planted fault below. Of those of a
hardened heap two are, which the status walks by; the others only those would meet who ask for what was never theirs.
What is relaxed was found to be enough by all that is explored. One walk is not: who frees a block that carries the mark
of a cached one, which chance alone does not write, looks through bins whose owners may be using the blocks.

A finding that needs an old write may never show on x86-64, which orders more; on aarch64 it can.

### Litmus tests

Explored to the end, each has every outcome but those that RC11 forbids (a dot stands for any value), by views, by the
axioms, and as a C program under the scheduler of targets. `rlx`, `acq`, `rel`, `ar` and `sc` are the orders; `a=x`
reads, `x=1` writes, `|` parts threads.

| test | program | observed | never | outcomes |
|---|---|---|---|---|"""


def litmus_rows() -> Iterator[str]:
    """A row for each litmus test, explored anew."""
    for each in LITMUS:
        found = len(outcomes(each.lanes, each.observed))
        never = ", ".join(f"`{pattern}`" for pattern in each.never.split())
        yield f"| {each.name} | `{_escaped(each.text)}` | `{each.observed}` | {never} | {found} |"


def _escaped(text: str) -> str:
    return text.replace("|", chr(92) + "|")


def document() -> Iterator[str]:
    """The page, line by line; finds every planted fault anew."""
    yield INTRODUCTION
    yield TARGETS
    yield WEAK_MEMORY
    yield from litmus_rows()
    yield ""
    yield "## Planted faults\n"
    yield "Each is found in a copy of `impl`, shrunk, and found again by its replay (`heapster mutate --by races`):"
    yield "those in runs with spans, all others without (`heapster replay REPLAY --target COPY:spans=0`)."
    yield "Those with a pattern are found by real threads too (`heapster mutate --by stress`).\n"
    yield "| planted fault | found as | replay | also by the pattern |\n|---|---|---|---|"
    for fault in FAULTS:
        code, replay = found_as(fault)
        yield f"| {fault.title} | `{code}` | `{_escaped(replay)}` | {SHOWN_BY.get(fault.title, '')} |"
    yield "\n## The written programs\n\n| what meets | program |\n|---|---|"
    for written in WRITTEN:
        yield f"| {written.about} | `{_escaped(written.text)}` |"
    yield "\nBeside them, of what is built with spans:\n"
    yield "| what meets | program |\n|---|---|"
    for written in WITH_SPANS:
        yield f"| {written.about} | `{_escaped(written.text)}` |"
    yield "\n## The patterns of stress\n\n| pattern | what threads do |\n|---|---|"
    for name, about in PATTERNS.items():
        yield f"| {name} | {about} |"


def found_as(fault: Fault) -> tuple[str, str]:
    """The code that a planted fault is found as, and its replay string."""
    kill = hunt(fault)
    if not kill.as_expected:
        raise HeapsterError(f"'{fault.title}' is found as {kill.found or 'nothing'}")
    return fault.caught_by, kill.shown[0]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("\n".join(document()) + "\n", encoding="utf-8")
