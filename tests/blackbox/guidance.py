"""How many operations generation needs, with a guide and without, for the edges of each allocator of the zoo.

`python -m tests.blackbox.guidance` prints the table of docs/guides/coverage.md. The allocators are the correct ones,
and the zoo's with their faults, which may end a case early. Both draw until they have spent their operations; with a
guide there have to be as many edges as there are without. Medians over the seeds.
"""

import sys
from collections.abc import Iterator
from math import inf
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import LIVE_BUDGET, MOST_SIZE
from heapster.checkers.blackbox.generator import draw_mood, draw_trace
from heapster.checkers.blackbox.guided import Guide, widened
from heapster.checkers.blackbox.guiding import traced
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import Learnt, learn
from heapster.checkers.blackbox.stepwise import hurried, run_trace
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve

HERE = Path(__file__).parent
ANIMALS = (*sorted(HERE.glob("correct/[!p]*.c")), *sorted(HERE.glob("zoo/*.c")))
OPERATIONS, SEEDS, SHARE = 4000, range(5), 0.5


class Need(NamedTuple):
    """What one seed came to."""

    edges: int                  # without a guide
    ops: int                    # that took the last of these
    guided_edges: int
    guided_ops: float           # that took as many; infinite: it did not


def reached(judge: Judge, learnt: Learnt, seed: int, guide: Guide | None, operations: int = OPERATIONS) -> list[int]:
    """For each edge in turn the operations that had been made when it was first taken."""
    room, verbs = judge.target.room, judge.target.verbs
    most, budget = (min(MOST_SIZE, room // 4), room // 2) if room else (MOST_SIZE, LIVE_BUDGET)
    taken: dict[int, int] = {}
    ops = number = 0
    while ops < operations:
        rng, number = Random(f"{seed} {number}"), number + 1
        mood = draw_mood(rng, verbs, most)
        trace = guide.draw(rng, widened(mood, verbs), budget) if guide else draw_trace(rng, mood, budget)
        run_trace(judge, trace, learnt.promises)
        edges = judge.edges()
        for edge, op in edges.items():
            taken.setdefault(edge, ops + op + 1)
        if guide:
            guide.note(trace, edges)
        ops += len(trace)
    return sorted(op for op in taken.values() if op <= operations)


def needs(animal: Path, seeds: Iterator[int] | range = SEEDS, operations: int = OPERATIONS) -> list[Need]:
    """What each seed came to."""
    target = traced(resolve(ForeignOptions(grammar.parse(str(animal)))))
    with Judge(judge_program(target.bits), target) as judge, hurried(judge):
        learnt = learn(judge, None)
        found = []
        for seed in seeds:
            without = reached(judge, learnt, seed, None, operations)
            guided = reached(judge, learnt, seed, Guide(), operations)
            enough = guided[len(without) - 1] if len(guided) >= len(without) else inf
            found.append(Need(len(without), without[-1], len(guided), enough))
        return found


def row(animal: Path) -> tuple[str, float]:
    """A line of the table, and how many of the operations were needed."""
    found = needs(animal)
    edges, ops, guided_edges = (round(median(column)) for column in list(zip(*found, strict=True))[:3])
    guided_ops, ratio = median(need.guided_ops for need in found), median(need.guided_ops / need.ops for need in found)
    took = f"{guided_ops:,.0f}" if guided_ops < inf else "not reached"
    return f"| {animal.stem} | {edges} | {ops:,} | {took} | {ratio:.2f} | {guided_edges} |", ratio


def main() -> None:
    """Print the table."""
    say = sys.stdout.write
    say("| allocator | edges without | operations | guided: operations | ratio | edges guided |\n")
    say("|---|---|---|---|---|---|\n")
    ratios = []
    for animal in ANIMALS:
        text, ratio = row(animal)
        ratios.append(ratio)
        say(f"{text}\n")
        sys.stdout.flush()
    say(f"\n{sum(ratio <= SHARE for ratio in ratios)} of {len(ratios)} in at most half the operations; "
        f"the median ratio is {median(ratios):.2f}, the largest {max(ratios):.2f}.\n")


if __name__ == "__main__":
    main()
