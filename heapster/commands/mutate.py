"""`heapster mutate`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from heapster.checkers.mutation import fault_matrix, hunt_fuzz
from heapster.checkers.mutation import hunt_races as schedules
from heapster.checkers.mutation import hunt_stress as patterns
from heapster.checkers.mutation import race_faults as threads
from heapster.checkers.mutation.campaign import Log, Plan, campaign, counts
from heapster.checkers.mutation.hunters import NAMES as HUNTERS
from heapster.commands.delivery import Delivery
from heapster.commands.usage.mutate import TABLES
from heapster.files import write_whole
from heapster.reports.drawn import by_hunter, drawn_lines
from heapster.reports.output import say
from heapster.reports.progress import Meter
from heapster.reports.terminal import BAD, GOOD, PLAIN
from heapster.results import Run, UsageError, Verdict
from heapster.signals import stop_if_heard
from heapster.suggest import instead_of
from heapster.wording import counted

ABOUT = """# Planted faults, and who finds them

Each is one change of the allocator's source, planted in a copy. `heapster fuzz` must find it by the
check that is named; the trace is what its shrinker leaves. Made by `heapster mutate --write`.

"""


WAYS = """
## Caches, remote lists and purging: who finds what

"""


class Hunted(NamedTuple):
    """A planted fault, what must find it, and how it was found."""

    title: str
    module: str
    caught_by: str              # code of the finding
    trace: tuple[str, ...]      # that shows it
    how: str                    # the same in short
    missed: str = ""            # what happened instead


Hunts = tuple[tuple[str, Callable[[int], Hunted]], ...]     # titles, and what hunts from a seed


def _fuzzed(kill: hunt_fuzz.Kill) -> Hunted:
    missed = "" if kill.as_expected else f"found as {kill.codes or 'nothing'}"
    return Hunted(kill.fault.title, kill.fault.module, kill.fault.caught_by, kill.trace, f"{len(kill.trace)} steps",
                  missed)


def _by_fuzz(words: tuple[str, ...]) -> Hunts:
    return tuple((fault.title, lambda seed, fault=fault: _fuzzed(hunt_fuzz.hunt(fault, seed)))
                 for fault in hunt_fuzz.chosen(words))


def _by_races(words: tuple[str, ...]) -> Hunts:
    def hunted(fault: threads.Fault, seed: int) -> Hunted:
        code, replay = schedules.hunt(fault, seed) or ("", "")
        return _threaded(fault, code, replay)

    return tuple((fault.name, lambda seed, fault=fault: hunted(fault, seed)) for fault in threads.chosen(words))


def _by_stress(words: tuple[str, ...]) -> Hunts:
    def hunted(fault: threads.Fault, seed: int) -> Hunted:
        return _threaded(fault, patterns.hunt(fault, seed), f"pattern {fault.stress}")

    return tuple((fault.name, lambda seed, fault=fault: hunted(fault, seed))
                 for fault in threads.chosen(words) if fault.stress)


def _threaded(fault: threads.Fault, code: str, how: str) -> Hunted:
    module = fault.edits[0].file.removesuffix(".py")
    return Hunted(fault.name, module, code, (how,), how, "" if code else "found as nothing")


BY = dict(zip(TABLES, (_by_fuzz, _by_races, _by_stress), strict=True))


def command(words: tuple[str, ...], by: str | None, drawn: int | None, only: tuple[str, ...], jobs: int, seed: int,
            write: Path | None, json: str | None, junit: str | None, store: str) -> int:
    """Plant faults in copies of the source and hunt each: by fuzz, by schedules, or with real threads."""
    delivery = Delivery(json, junit)
    if drawn is not None:
        plan = Plan(drawn, seed, only, _hunters(by), jobs)
        if words or write:
            raise UsageError("--random draws its faults: leave out words and --write, or use --only")
        delivery.check()
        run = _drawn(plan, Path(store))
        say(drawn_lines(run.extra))
        return delivery.write(run)
    if only or jobs > 1:
        raise UsageError("--only and --jobs are for drawn faults: add --random N")
    return _planted(words, by or "fuzz", seed, write, delivery)


def _hunters(by: str | None) -> tuple[str, ...]:
    """The hunters of drawn faults that are named, UsageError if there is no such."""
    names = tuple(name.strip() for name in by.split(",")) if by else ()
    for name in names:
        if name not in HUNTERS:
            raise UsageError(f"--by {name}: {instead_of(name, HUNTERS)}")
    return names


def _drawn(plan: Plan, store: Path) -> Run:
    """Hunt drawn faults; the run."""
    started = monotonic()
    with Meter("mutate --random") as meter:
        found = campaign(plan, Log(store / "drawn.jsonl"), lambda share, result: meter.show(
            share, f"{result.file}:{result.line} {result.verdict}"))
        meter.close(counted(len(found.results), "change"))
    rows = [asdict(result) for result in found.results]
    survivors = [row for row in rows if row["verdict"] == "survived"]
    verdict = Verdict.FAILED if survivors else Verdict.INCONCLUSIVE if found.interrupted else Verdict.PASSED
    return Run("mutate", "sim", plan.seed, verdict, monotonic() - started, len(rows), extra={
        **counts(found.results), "by": by_hunter(rows), "changes": rows, "survivors": survivors,
        "useless": list(found.useless), "interrupted": found.interrupted})


def _planted(words: tuple[str, ...], by: str, seed: int, write: Path | None, delivery: Delivery) -> int:
    """Hunt the faults that are written down."""
    if by not in BY:
        raise UsageError(f"--by {by}: {instead_of(by, BY)}")
    if write and by != "fuzz":
        raise UsageError(f"--write writes the table of fuzz, not that of {by}: leave out one of the two")
    hunts = BY[by](words)
    if not hunts:
        raise UsageError(f"no fault planted for {by} is about {' or '.join(words)}: give a word of a title, "
                         "or a module of impl")
    delivery.check()
    started = monotonic()
    kills: list[Hunted] = []
    interrupted = False
    try:
        kills.extend(_hunt_all(hunts, seed))
    except KeyboardInterrupt:
        interrupted = True
    say((_line(kill), BAD if kill.missed else PLAIN) for kill in kills)
    if write and not interrupted:
        write_whole(write, ABOUT + _table(kills) + WAYS + "\n".join(fault_matrix.table()) + "\n")
    found = sum(not kill.missed for kill in kills)
    say([(f"{found} of {len(kills)} planted faults were found by the check that must find them",
          GOOD if found == len(kills) else BAD)])
    return delivery.write(_run(kills, seed, monotonic() - started, interrupted))


def _hunt_all(hunts: Hunts, seed: int) -> Iterator[Hunted]:
    with Meter("mutate") as meter:
        for number, (title, hunt) in enumerate(hunts):
            meter.show(number / len(hunts), title)
            found = hunt(seed)
            stop_if_heard()             # a checker that was interrupted has found nothing, and says so
            yield found
        meter.close(f"{len(hunts)} faults planted")


def _table(kills: Iterable[Hunted]) -> str:
    """The kills as a table in Markdown."""
    lines = ["| planted fault | in | found as | shrunk to |", "|---|---|---|---|"]
    for kill in kills:
        found = "missed" if kill.missed else f"`{kill.caught_by}`"
        trace = f"`{'; '.join(kill.trace)}`" if kill.trace else ""
        lines.append(f"| {kill.title} | `impl/{kill.module}.py` | {found} | {trace} |")
    return "\n".join(lines) + "\n"


def _line(kill: Hunted) -> str:
    found = f"MISSED; {kill.missed}" if kill.missed else kill.caught_by
    return f"{kill.module + '.py':12} {kill.title}: {found}, {kill.how}"


def _run(kills: list[Hunted], seed: int, seconds: float, interrupted: bool) -> Run:
    missed = [kill.title for kill in kills if kill.missed]
    return Run(
        command="mutate", target="sim", seed=seed, seconds=seconds, ops=len(kills),
        verdict=Verdict.FAILED if missed else Verdict.PASSED, extra={
            "interrupted": interrupted,
            "missed": missed,
            "kills": [{"title": kill.title, "module": kill.module, "caught_by": kill.caught_by,
                       "trace": list(kill.trace)} for kill in kills]})
