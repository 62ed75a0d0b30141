"""Interleaved rounds: in each, every workload under every target, the order of the targets rotated."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as made
from functools import partial
from pathlib import Path
from time import monotonic

from heapster.checkers.bench.build import programs
from heapster.checkers.bench.running import LIMIT, Bench, Failure, Sample, absence
from heapster.checkers.bench.suite import Suite
from heapster.checkers.bench.targets import BASE, Candidate, Field
from heapster.checkers.bench.workloads import Workload

Progress = Callable[[float, str], None]     # how far, and what runs


@dataclass(frozen=True)
class BenchPlan:
    """A plan: workloads to measure, and for how long."""

    workloads: tuple[Workload, ...]
    field: Field
    rounds: int
    share: float = 1.0              # of the usual amount of work
    seconds: float | None = None    # no new workload after so many
    limit: float = LIMIT            # seconds for one run
    suite: Suite | None = None
    weights: Mapping[str, float] = made(default_factory=dict)  # of workloads in the mean; without any, all the same

    def weight(self, workload: str) -> float:
        """The workload's part in the mean, beside others."""
        return self.weights[workload] if self.weights else 1.0


@dataclass
class Measured:
    """The samples, and what could not be had. Rounds are numbered from 0."""

    samples: dict[str, dict[str, dict[int, Sample]]] = made(default_factory=dict)  # workload: target: round
    loops: dict[str, dict[int, Sample]] = made(default_factory=dict)   # workload: round: without the allocator
    failures: dict[tuple[str, str], Failure] = made(default_factory=dict)      # (workload, target)
    skipped: dict[str, str] = made(default_factory=dict)       # workload: why it was not run
    seconds: float = 0.0
    interrupted: bool = False
    out_of_time: bool = False

    def of(self, workload: str, target: str) -> Mapping[int, Sample]:
        """The samples by round."""
        return self.samples.get(workload, {}).get(target, {})


def measure(plan: BenchPlan, progress: Progress | None = None) -> Measured:
    """Measure until the rounds are done, time is up, or someone interrupts; TargetError for an unusable target."""
    found = Measured()
    with tempfile.TemporaryDirectory(prefix="heapster-bench-") as folder:
        bench = Bench(programs(), Path(folder), plan.limit)
        for target in plan.field.targets:
            bench.check(target)
        begun = monotonic()
        try:
            for fraction, what, step in _steps(plan, bench, found):
                if plan.seconds is not None and monotonic() - begun >= plan.seconds:
                    found.out_of_time = True
                    break
                if progress is not None:
                    progress(fraction, what)
                step()
        except KeyboardInterrupt:
            found.interrupted = True
        found.seconds = monotonic() - begun
    return found


def _steps(plan: BenchPlan, bench: Bench, found: Measured) -> Iterator[tuple[float, str, Callable[[], None]]]:
    """What to do, one after the other; a round of one workload is one step, which is whole or not begun."""
    total = (plan.rounds + 1) * len(plan.workloads)
    for number, workload in enumerate(plan.workloads):
        yield number / total, f"trying {workload.name}", partial(_try, plan, bench, found, workload)
    for number in range(plan.rounds):
        for place, workload in enumerate(plan.workloads):
            if workload.name not in found.skipped:
                yield (((number + 1) * len(plan.workloads) + place) / total,
                       f"round {number + 1} of {plan.rounds}, {workload.name}",
                       partial(_round, plan, bench, found, workload, number, number + place))


def _try(plan: BenchPlan, bench: Bench, found: Measured, workload: Workload) -> None:
    """Run the workload under libc once, unmeasured, so that its files are read; skip it if that fails."""
    if why := absence(workload):
        found.skipped[workload.name] = why
        return
    result = bench.run(workload, BASE, plan.share)
    if isinstance(result, Failure):
        found.skipped[workload.name] = f"it fails under libc: {result.message}"


def _round(plan: BenchPlan, bench: Bench, found: Measured, workload: Workload, number: int, turn: int) -> None:
    """The workload under each target that has not failed it, and its bare loop."""
    results: dict[str, Sample] = {}
    for target in rotated(plan.field.targets, turn):
        if (workload.name, target.name) not in found.failures:
            result = bench.run(workload, target, plan.share)
            if isinstance(result, Failure):
                found.failures[workload.name, target.name] = result
            else:
                results[target.name] = result
    if workload.loop:
        bare = bench.run(workload, BASE, plan.share, empty=True)
        if isinstance(bare, Sample):
            found.loops.setdefault(workload.name, {})[number] = bare
    for name, sample in results.items():
        found.samples.setdefault(workload.name, {}).setdefault(name, {})[number] = sample


def rotated(targets: tuple[Candidate, ...], turn: int) -> tuple[Candidate, ...]:
    """The targets from another one on, so that each is first, and last, as often."""
    start = turn % len(targets)
    return targets[start:] + targets[:start]
