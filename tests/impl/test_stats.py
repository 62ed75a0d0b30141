"""The statistics, after every step of what a heap can go through: they are what a walk over the heap finds."""

import pytest

from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.impl import layout, stats
from heapster.machine.simulated import Simulated
from heapster.model.operation import Step
from heapster.model.placement import POLICY_NAMES
from heapster.model.trace import parse
from tests.checks.images import TRACES

USED_UP = "growth 600000; threshold 1000000; " + "; ".join(f"a{n} = malloc({n * n * 9})" for n in range(58))
HELD_BY_ALL = ("arenas 3; cache 1000; a = malloc(40); b = malloc(600); thread 1; c = malloc(3000); free(a); thread 2; "
               "d = malloc(40); free(c); free(b); free(d); e = calloc(3, 9); f = memalign(64, 9); thread 0; "
               "g = realloc(e, 500); free(f); h = malloc(40)")
FULL = "policy segregated_fit; growth 4096; a = malloc(3000); b = malloc(1016)"


def figures_are_right(text: str) -> int:
    """After each step; how many steps there were, up to one that misuses the heap."""
    lockstep = Lockstep(Simulated())
    for step in parse(text):
        assert lockstep.take(step) == []
        if lockstep.misused:
            break
        assert lockstep.take(Step("stats")) == [], step
    return lockstep.statistics_checked


@pytest.mark.parametrize("text", [*TRACES, HELD_BY_ALL, FULL])
def test_of_heaps_of_all_kinds(text: str) -> None:
    assert figures_are_right(text) > 0


@pytest.mark.parametrize("policy", POLICY_NAMES)
def test_the_largest_free_block_is_found_whatever_its_class(policy: str) -> None:
    """What is free shrinks through all classes, and smaller ones are left beside it."""
    assert figures_are_right(f"policy {policy}; {USED_UP}; free(a9); free(a20); free(a40)") > 60


def test_no_more_is_written_than_the_figures() -> None:
    lockstep = Lockstep(Simulated())
    for step in parse(HELD_BY_ALL):
        assert lockstep.take(step) == []
    m = lockstep.m
    for which in (layout.ALL_ARENAS, layout.ONLY_MAPPINGS, 0, 1, 2, 3):
        m.changed.clear()
        stats.stats(m, which, m.scratch)
        assert m.changed == set(range(m.scratch, m.scratch + layout.STATS_BYTES, layout.WORD))
