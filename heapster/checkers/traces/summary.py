"""A trace's requests, in sum."""

from collections import Counter
from typing import NamedTuple

from heapster.checkers.traces.compact import Compact
from heapster.model.operations import requested


class Summary(NamedTuple):
    """The steps of a trace, counted."""

    verbs: Counter[str]
    sizes: Counter[int]         # bytes requested: steps that ask for so many
    threads: frozenset[int]


def summary(trace: Compact) -> Summary:
    """Count the steps of a trace by what they say."""
    verbs: Counter[str] = Counter()
    sizes: Counter[int] = Counter()
    threads = {0}
    for step in trace:
        verbs[step.verb] += 1
        if step.result >= 0:
            sizes[requested(step)] += 1
        elif step.verb == "thread":
            threads.add(step.numbers[0])
    return Summary(verbs, sizes, frozenset(threads))
