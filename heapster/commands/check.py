"""`heapster check`."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from heapster.checkers.findings.store import Store
from heapster.checkers.fuzz.campaign import FuzzOptions
from heapster.checkers.targets.target import NATIVE, SIM, Target, TargetSettings, built
from heapster.commands.delivery import Delivery
from heapster.commands.fuzz_own import campaign
from heapster.commands.selection import Selection
from heapster.commands.targets import target_of
from heapster.config import POLICIES
from heapster.reports.output import warn
from heapster.results import Run, TargetError, Verdict

ALL_WORDS = "all words"         # the bound of the theorems that are proved in seconds
EXHAUSTED_CALLS = 2             # of programs of our own source
SCHEDULES = 1500                # of small programs of threads
STRESS_SECONDS = 6.0            # for all patterns together
VOLUME_SECONDS = 4.0            # for all policies together
VOLUME_CACHE = 64               # bytes of a size
TRANSLATED = 3                  # lives of a heap that both readings of the source live
BEYOND = ("the theorems about heaps (heapster prove)",
          "longer programs and more schedules (heapster fuzz, heapster races)",
          "load buffering: no explored load answers a store that is yet to come")


class Part(NamedTuple):
    """One checker at its small budget."""

    name: str
    run: Callable[[int, Store], Run]        # from a seed and the store of findings


def _fuzz(target: Target, examples: int) -> Part:
    return Part(f"fuzz {target}", lambda seed, store: campaign(
        FuzzOptions(target, POLICIES, seconds=None, examples=examples, seed=seed), store))


def _proofs(settings: TargetSettings) -> Run:
    """The theorems for all words; `heapster prove` has the others."""
    from heapster.checkers.proofs.builds import is_of  # noqa: PLC0415
    from heapster.checkers.proofs.catalogue import PROOFS  # noqa: PLC0415  loads z3
    from heapster.checkers.proofs.runner import Runner  # noqa: PLC0415
    from heapster.commands.prove import proved  # noqa: PLC0415
    from heapster.commands.usage.prove import TIMEOUT  # noqa: PLC0415
    proofs = [proof for proof in PROOFS if proof.bound == ALL_WORDS and is_of(proof, spans=settings.has_spans)]
    run = proved(proofs, Runner(TIMEOUT, 1, spans=settings.has_spans))
    return replace(run, checks={f"proofs for {ALL_WORDS}": run.ops})


def _translation(built_so: TargetSettings, seed: int) -> Run:
    """The compiled library against the interpreted source, word for word."""
    from heapster.checkers.lockstep.validation import validated  # noqa: PLC0415  compiles the library
    return validated(seed, TRANSLATED, settings=built_so)


def _volume(built_so: TargetSettings, seed: int, store: Store) -> Run:
    """The compiled library with small caches, under each policy."""
    from heapster.checkers.fuzz.native_volume import settings, together  # noqa: PLC0415  loads what judges strangers
    from heapster.commands.fuzz_own import volume  # noqa: PLC0415
    first, *others = volume(settings(POLICIES, (VOLUME_CACHE,), built_so.spans), VOLUME_SECONDS, seed, store)
    return replace(together(first, others), target="native")


def _races(ours: Target, seed: int) -> Run:
    from heapster.checkers.races.search import SearchPlan  # noqa: PLC0415  loads greenlet
    from heapster.commands.races import campaign as explore  # noqa: PLC0415
    return explore(SearchPlan(schedules=SCHEDULES, seed=seed), ours)


def _stress(library: Target, seed: int) -> Run:
    from heapster.checkers.stress.runner import StressPlan  # noqa: PLC0415  compiles the library
    from heapster.commands.stress import campaign as stress  # noqa: PLC0415
    return stress(StressPlan(library, threads=2, seconds=STRESS_SECONDS, pattern="all", seed=seed))


def _exhaust(ours: Target, store: Store) -> Run:
    """Every program of two calls on our own source."""
    from heapster.checkers.exhaust.running import ExhaustPlan  # noqa: PLC0415  loads numpy
    from heapster.commands.exhaust import exhausted  # noqa: PLC0415
    run = exhausted(ours, ExhaustPlan(EXHAUSTED_CALLS, None, None), {}, store)
    return replace(run, checks={f"every program of {EXHAUSTED_CALLS} calls": run.ops})


def parts(built_so: TargetSettings) -> tuple[Part, ...]:
    """Every checker, of the build that the settings name."""
    ours, process, library = (replace(each, settings=built_so) for each in (SIM, Target("process", "process"), NATIVE))
    return (
        _fuzz(ours, 40),
        _fuzz(process, 10),
        Part("exhaust sim", lambda _, store: _exhaust(ours, store)),
        Part("prove", lambda _, __: _proofs(built_so)),
        Part("races", lambda seed, _: _races(ours, seed)),
        _fuzz(library, 4),
        Part("translation", lambda seed, _: _translation(built_so, seed)),
        Part("fuzz native in volume", lambda seed, store: _volume(built_so, seed, store)),
        Part("stress native", lambda seed, _: _stress(library, seed)),
    )


def command(target: str, seed: int, json: str | None, junit: str | None, store: str, **given: Any) -> int:
    """Every checker at a small budget: for continuous integration. The same seed, the same run."""
    delivery = Delivery(json, junit, selection=Selection.of(given))
    built_so = built(with_spans=target_of(target, "check").settings.has_spans)
    delivery.check()
    run = check(parts(built_so), seed, Store(Path(store), warn))
    claims = [*run.extra["not_checked"], *BEYOND]
    return delivery.deliver(replace(run, extra={**run.extra, "not_checked": claims}))


def check(chosen: Iterable[Part], seed: int, store: Store) -> Run:
    """Run the parts one after the other, until all have run or one was interrupted."""
    runs: dict[str, Run] = {}
    silent: list[str] = []
    interrupted = False
    for part in chosen:
        try:
            runs[part.name] = run = part.run(seed, store)
        except (TargetError, ModuleNotFoundError) as error:
            silent.append(f"{part.name}: {error}")
            continue
        except KeyboardInterrupt:
            interrupted = True
        if interrupted or run.extra.get("interrupted"):
            break
    return _together(runs, seed, silent, interrupted)


def _together(runs: dict[str, Run], seed: int, silent: list[str], interrupted: bool) -> Run:
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
               "interrupted": interrupted or any(run.extra.get("interrupted") for run in runs.values()),
               "not_checked": silent + _not_checked(runs)})


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    found = set(verdicts) or {Verdict.INCONCLUSIVE}
    return next(verdict for verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.PASSED) if verdict in found)


def _not_checked(runs: dict[str, Run]) -> list[str]:
    """What none of the runs says anything about."""
    claims = [list(run.extra.get("not_checked", ())) for run in runs.values()]
    return [claim for claim in dict.fromkeys(chain(*claims)) if all(claim in listed for listed in claims)]
