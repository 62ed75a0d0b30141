"""The written and generated programs as a target can run them: of its own functions, without settings of ours."""

from collections.abc import Iterator, Mapping

from heapster.checkers.races.corpus import WRITTEN, Written
from heapster.checkers.races.generated import generated as drawn
from heapster.checkers.races.programs import NO_BLOCK, Op, Program, lanes_of, parse_program, wrong

NEEDS = {"m": "malloc", "c": "calloc", "a": "aligned_alloc", "r": "realloc", "f": "free", "u": "usable_size"}
FORK, LATE = "k", "e"            # LATE: at the thread's end a destructor of the program's own allocates
MOST_FORKS = 1                  # preemptions worth exploring where threads fork
FIRST = (                       # before those for our own source
    Written("two mallocs at once", "m24|m24"),
    Written("two mallocs want one block", "m24,m24,f0/m24|m24"),
    Written("a malloc meets a free", "m24,m24/f0|m24"),
    Written("two frees at once", "m24,m24/f0|f1"),
    Written("each thread allocates and frees", "m24,f0|m24,f1"),
    Written("a block is freed by another thread", "m24,m40|f0,m24"),
    Written("a block that another frees is wanted again", "m24/f0,m24|m24,f2,m24"),
    Written("the top of a list is taken, given back and taken", "m24,m24,f0,f1/m24|m24,m24,f3"),
    Written("two threads want what one that ends has kept", "m24/f0|m24|m24"),
    Written("blocks are kept by threads that end", "m24,m24,m24/f0|f1|m24,m24"),
    Written("two frees to one heap, and a malloc", "m24,m24/f0|f1|m24"),
    Written("two larger blocks at once", "m200|m200|m200"),
    Written("small blocks by three threads", "m24|m24|m24"),
    Written("a destructor allocates as its thread ends", "m24,f0,e|m24,f1,e"),
    Written("a destructor allocates, and another thread begins", "m24,f0,e|m24,m40,f1"),
    Written("a fork amid a malloc", "m24/k,m24|m24,f2"),
    Written("a fork amid a free", "m24,m24/k|f0,f1"),
)


def corpus(symbols: Mapping[str, str], *, forks: bool) -> Iterator[tuple[Program, int]]:
    """Each program once, of what the target can do; with the preemptions worth exploring. `forks`: it can fork."""
    seen: set[Program] = set()
    for each in (*FIRST, *WRITTEN):
        program = fitted(parse_program(each.text), symbols, forks=forks)
        if program is not None and program not in seen:
            seen.add(program)
            has_forks = any(op.code == FORK for _, op in lanes_of(program))
            yield program, min(each.most or 2, MOST_FORKS if has_forks else 2)


def generated(symbols: Mapping[str, str], number: int, threads: int, ops: int, seed: int) -> list[Program]:
    """Generated programs, as far as the target can run them; none forks."""
    fitting = (fitted(program, symbols, forks=False) for program in drawn(number, threads, ops, seed))
    return list(dict.fromkeys(program for program in fitting if program is not None))


def fitted(program: Program, symbols: Mapping[str, str], *, forks: bool) -> Program | None:
    """The program without what the target has not; None if no two threads are left that do anything."""
    lanes = [tuple(_kept(lane, symbols, forks=forks)) for lane in (program.prologue, *program.lanes)]
    made = {op.block for lane in lanes for op in lane if op.code in "mca"}
    lanes = [tuple(op for op in lane if op.block in made or op.block == NO_BLOCK) for lane in lanes]
    smaller = Program(lanes[0], tuple(lane for lane in lanes[1:] if any(op.code != LATE for op in lane)))
    return smaller if len(smaller.lanes) > 1 and not wrong(smaller) else None


def _kept(lane: tuple[Op, ...], symbols: Mapping[str, str], *, forks: bool) -> Iterator[Op]:
    """What the target can do; the end of a thread is the end of its lane."""
    for index, op in enumerate(lane):
        if op.code in NEEDS and NEEDS[op.code] in symbols:
            yield _simple(op)
        elif op.code == FORK and forks or op.code == LATE and index == len(lane) - 1:
            yield op


def _simple(op: Op) -> Op:
    """A request of nothing may answer NULL: a byte instead."""
    return op._replace(numbers=(*op.numbers[:-1], op.numbers[-1] or 1)) if op.code in "mcar" else op
