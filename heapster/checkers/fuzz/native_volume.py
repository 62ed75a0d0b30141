"""The compiled library in volume: what the lockstep checks thoroughly, a thousand times as often.

The lockstep knows every word of the heap, and takes thousands of steps a second. The judge of strangers'
allocators sees only what callers see, and has the library walk its heap; it takes a million.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from heapster.checkers.blackbox.counting import IN_VOLUME
from heapster.checkers.blackbox.fuzzing import fuzz_foreign
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.findings.keeping import Keeps
from heapster.checkers.jobs.local import Local
from heapster.checkers.targets.target import NATIVE, Target, TargetSettings
from heapster.impl.layout import DEFAULT_CACHE
from heapster.results import Finding, Run, Verdict

SHARE = 0.5                     # of the time, for volume
THREADS = 2
CACHES = (0, 64, DEFAULT_CACHE)      # bytes of a size: none, so few that bins are often full, and as shipped
Progress = Callable[[Target, int, int], None]       # a setting, operations, and the findings so far


def settings(policies: Iterable[str], caches: Iterable[int] = CACHES, spans: int | None = None) -> tuple[Target, ...]:
    """The library, of what ships or of the build that is named, under each policy with each size of caches."""
    return tuple(replace(NATIVE, settings=TargetSettings(policy, cache, spans=spans))
                 for policy, cache in product(policies, caches))


def in_volume(names: Sequence[Target], seconds: float, seed: int, progress: Progress, store: Keeps,
              folder: Path, jobs: int = 1) -> list[Run]:
    """A run for each of the settings, until one is interrupted; each has its share of the time, which each job has.

    An interrupt that comes before any run has ended is raised.
    """
    def work(piece: tuple[int, Target]) -> Run:
        number, name = piece
        options = ForeignOptions(name, jobs * seconds / len(names), seed + number, threads=THREADS)
        run = fuzz_foreign(options, _silent, lambda tally, findings: progress(name, tally.ops, findings), store, folder,
                           IN_VOLUME)
        return replace(run, extra={**run.extra, "key": name.key})

    runs: list[Run] = []
    try:
        for run in Local(jobs).in_order(enumerate(names), work):
            runs.append(run)
            progress(names[len(runs) - 1], run.ops, len(run.findings))
            if run.extra["interrupted"]:
                break
    except KeyboardInterrupt:
        if not runs:
            raise
        runs[-1] = replace(runs[-1], extra={**runs[-1].extra, "interrupted": True})
    return runs


def _silent(_: Finding) -> None:
    """Findings are delivered with the run."""


def together(lockstep: Run, runs: list[Run]) -> Run:
    """The lockstep's run with those in volume."""
    every = [lockstep, *runs]
    checks: Counter[str] = Counter()
    for run in every:
        checks.update(run.checks)
    alike = {(finding.code, finding.trace): finding for run in reversed(every) for finding in reversed(run.findings)}
    findings = tuple(reversed(alike.values()))          # a fault that several settings show is one
    interrupted = any(run.extra.get("interrupted") for run in every)
    starved = [f"{run.target}: {what}" for run in every for what in run.extra.get("starved", ())]
    verdict = Verdict.INCONCLUSIVE if interrupted or starved else lockstep.verdict
    verdict = Verdict.FAILED if findings else verdict
    return replace(
        lockstep, verdict=verdict, seconds=sum(run.seconds for run in every), ops=sum(run.ops for run in every),
        findings=findings, checks=dict(checks),
        extra={**lockstep.extra, "interrupted": interrupted, "starved": starved,
               "volume": {run.extra["key"]: {
                   "ops": run.ops, "seconds": round(run.seconds, 3), "target": run.target,
                   "compiled_ops_per_second": run.extra["compiled_ops_per_second"]} for run in runs}})
