"""Walks for tests: an engine on a target, and a walk over a small scope to its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.exhaust.called import CalledEngine, is_closed
from heapster.checkers.exhaust.layers import AnswerWay
from heapster.checkers.exhaust.scope import scope
from heapster.checkers.exhaust.walking import ScopeWalk, run_all
from heapster.checkers.jobs.local import Local
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve

ALLOCATORS = Path(__file__).parent.parent / "blackbox"
MM = ALLOCATORS / "correct" / "mm.c"
# It never gives an address twice, and counts what was freed: heaps that look alike from outside need not be.
BUMP = """
#include <stddef.h>
static _Alignas(16) char memory[1 << 20];
static size_t next, freed;
void *malloc(size_t size)
{
    size_t need = (size + 15) & ~(size_t)15, at = next + 16 * freed;
    if (size == 0 || size > sizeof memory - at - 16)
        return NULL;
    next = at + need;
    return memory + at;
}
void free(void *p) { freed += p != NULL; }
"""


@contextmanager
def engine(target: Path, calls: int, sizes: tuple[int, ...], *, closed: bool | None = None,
           refusals: bool = False) -> Iterator[CalledEngine]:
    """The compiled engine on a target; `closed` if it is to take snapshots, None if it can."""
    options = ForeignOptions(grammar.parse(str(target)))
    found = resolve(options)
    with Judge(judge_program(found.bits), found) as judge:
        promises = learn(judge, None).promises
        made = scope(calls, sizes, found.verbs, refusals=refusals)
        yield CalledEngine(judge, made, promises, options, closed=is_closed(found) if closed is None else closed)


def walked(by: CalledEngine, jobs: int = 1) -> tuple[ScopeWalk, list[AnswerWay]]:
    """A walk over the engine's scope, to its end, and the ways to answer that it met."""
    walk, met = ScopeWalk(by.scope, by, Local(jobs)), list[AnswerWay]()
    assert run_all([walk], lambda: False, met.append, lambda _: None)
    return walk, met


def counts(walk: ScopeWalk) -> list[int]:
    """How many programs of each length it covered."""
    return [one.programs or 0 for one in walk.counted()]
