"""`heapster check`."""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import click

from heapster.checkers.fuzzing import FuzzOptions
from heapster.checkers.store import FOLDER, Store
from heapster.commands.delivery import Delivery
from heapster.commands.fuzz import campaign
from heapster.commands.options import option
from heapster.config import POLICIES
from heapster.reports.output import warn
from heapster.results import Run, TargetError, Verdict


class Part(NamedTuple):
    """One checker at its small budget."""

    name: str
    run: Callable[[int, Store], Run]        # from a seed and the store of findings


def _fuzz(target: str, examples: int) -> Part:
    return Part(f"fuzz {target}", lambda seed, store: campaign(
        FuzzOptions(target, POLICIES, seconds=None, examples=examples, seed=seed), store))


PARTS = (
    _fuzz("sim", 40),
    _fuzz("process", 10),
)


@click.command("check")
@option("seed", 0)
@option("json")
@option("junit")
@option("store", FOLDER)
def command(seed: int, json: str | None, junit: str | None, store: str) -> int:
    """Every checker at a small budget: for continuous integration. The same seed, the same run."""
    delivery = Delivery(json, junit)
    delivery.check()
    return delivery.deliver(check(PARTS, seed, Store(Path(store), warn)))


def check(parts: Iterable[Part], seed: int, store: Store) -> Run:
    """Run the parts one after the other, until all have run or one was interrupted."""
    runs: dict[str, Run] = {}
    silent: list[str] = []
    for part in parts:
        try:
            runs[part.name] = run = part.run(seed, store)
        except (TargetError, ModuleNotFoundError) as error:
            silent.append(f"{part.name}: {error}")
            continue
        if run.extra.get("interrupted"):
            break
    return _together(runs, seed, silent)


def _together(runs: dict[str, Run], seed: int, silent: list[str]) -> Run:
    checks: Counter[str] = Counter()
    witnesses: Counter[str] = Counter()
    for run in runs.values():
        for total, part in ((checks, run.checks), (witnesses, run.witnesses)):
            for name, times in part.items():
                total[name] += times
    return Run(
        command="check", target="+".join(dict.fromkeys(run.target for run in runs.values())), seed=seed,
        verdict=_worst(run.verdict for run in runs.values()),
        seconds=sum(run.seconds for run in runs.values()), ops=sum(run.ops for run in runs.values()),
        findings=tuple(finding for run in runs.values() for finding in run.findings),
        checks=dict(checks), witnesses=dict(witnesses),
        extra={"parts": {name: {"verdict": run.verdict.value, "ops": run.ops, "seconds": round(run.seconds, 3)}
                         for name, run in runs.items()},
               "interrupted": any(run.extra.get("interrupted") for run in runs.values()),
               "not_checked": silent + _not_checked(runs)})


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    found = set(verdicts) or {Verdict.INCONCLUSIVE}
    return next(verdict for verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.PASSED) if verdict in found)


def _not_checked(runs: dict[str, Run]) -> list[str]:
    """What none of the runs says anything about."""
    claims = [list(run.extra.get("not_checked", ())) for run in runs.values()]
    return [claim for claim in dict.fromkeys(chain(*claims)) if all(claim in listed for listed in claims)]
