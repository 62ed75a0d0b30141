"""`heapster mutate`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

import click

from heapster.checkers.jobs.pool import Pool
from heapster.checkers.mutation import fault_matrix
from heapster.checkers.mutation.campaign import HuntPlan, Log, campaign, counts, project_goods
from heapster.checkers.mutation.fault import Fault, Kill, chosen
from heapster.checkers.mutation.hunters import NAMES as HUNTERS
from heapster.checkers.mutation.missed import missed, survived
from heapster.checkers.mutation.planted import TABLES
from heapster.commands.delivery import Delivery
from heapster.commands.options import not_for
from heapster.commands.workers import pool_of
from heapster.files import write_whole
from heapster.reports.drawn import by_hunter, drawn_lines, paragraph, renewed
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


OF_DRAWN = ("only", "jobs", "scheduler")

WAYS = """
## Caches, remote lists and purging: who finds what

"""


def command(words: tuple[str, ...], by: str | None, drawn: int | None, only: tuple[str, ...], seed: int,
            write: Path | None, json: str | None, junit: str | None, store: str, **given: Any) -> int:
    """Plant faults in copies of the source and hunt each: by fuzz, by schedules, or with real threads."""
    delivery = Delivery(json, junit)
    if drawn is not None:
        if words:
            raise UsageError("--random draws its faults: leave out words, or use --only")
        plan = HuntPlan(drawn, seed, only, _hunters(by))
        return _drawn(plan, Path(store), write, delivery, lambda: pool_of(given, carried=project_goods))
    not_for(click.get_current_context(), OF_DRAWN, "it is for drawn faults: add --random N")
    return _planted(words, by or "fuzz", seed, write, delivery)


def _hunters(by: str | None) -> tuple[str, ...]:
    """The hunters of drawn faults that are named, UsageError if there is no such."""
    names = tuple(name.strip() for name in by.split(",")) if by else ()
    for name in names:
        if name not in HUNTERS:
            raise UsageError(f"--by {name}: {instead_of(name, HUNTERS)}")
    return names


def _drawn(plan: HuntPlan, store: Path, write: Path | None, delivery: Delivery, pool: Callable[[], Pool]) -> int:
    """Hunt drawn faults; renew the figure in a document, unless it is not yet whole."""
    if write:
        _with_figure(write, "")
    delivery.check()
    run = _hunted(plan, store, pool())
    say(drawn_lines(run.extra))
    if write and not run.extra["interrupted"]:
        write_whole(write, _with_figure(write, paragraph(run.extra, plan.count, plan.seed)))
    return delivery.write(run)


def _with_figure(document: Path, figure: str) -> str:
    """The document's text with that figure, UsageError if it has no place for one."""
    try:
        return renewed(document.read_text(encoding="utf-8"), figure)
    except (OSError, ValueError) as error:
        raise UsageError(f"--write {document}: {getattr(error, 'strerror', None) or error}") from None


def _hunted(plan: HuntPlan, store: Path, pool: Pool) -> Run:
    """Hunt drawn faults; the run."""
    started = monotonic()
    with Meter("mutate --random") as meter:
        found = campaign(plan, Log(store / "drawn.jsonl"), lambda share, result: meter.show(
            share, f"{result.file}:{result.line} {result.verdict}"), pool)
        meter.close(counted(len(found.results), "change"))
    rows = [asdict(result) for result in found.results]
    only = "".join(f" --only {name}" for name in plan.only)
    findings = survived(rows, f"heapster mutate --random {plan.count} --seed {plan.seed}{only}")
    verdict = Verdict.FAILED if findings else Verdict.INCONCLUSIVE if found.interrupted else Verdict.PASSED
    return Run("mutate", "sim", plan.seed, verdict, monotonic() - started, len(rows), findings, extra={
        **counts(found.results), "by": by_hunter(rows), "changes": rows,
        "survivors": [row for row in rows if row["verdict"] == "survived"],
        "useless": list(found.useless), "interrupted": found.interrupted})


def _planted(words: tuple[str, ...], by: str, seed: int, write: Path | None, delivery: Delivery) -> int:
    """Hunt the faults that are written down."""
    if by not in TABLES:
        raise UsageError(f"--by {by}: {instead_of(by, TABLES)}")
    if write and by != "fuzz":
        raise UsageError(f"--write writes the table of fuzz, not that of {by}: leave out one of the two")
    faults = chosen(TABLES[by].faults, words)
    if not faults:
        raise UsageError(f"no fault planted for {by} is about {' or '.join(words)}: give a word of a title, "
                         "or a module of impl")
    delivery.check()
    started = monotonic()
    kills: list[Kill] = []
    interrupted = False
    try:
        kills.extend(_hunt_all(faults, seed))
    except KeyboardInterrupt:
        interrupted = True
    say((_line(kill), PLAIN if kill.as_expected else BAD) for kill in kills)
    if write and not interrupted:
        write_whole(write, ABOUT + _table(kills) + WAYS + "\n".join(fault_matrix.table()) + "\n")
    found = sum(kill.as_expected for kill in kills)
    say([(f"{found} of {counted(len(kills), 'planted fault')} found by the check that must find them",
          GOOD if found == len(kills) else BAD)])
    return delivery.write(_run(kills, seed, monotonic() - started, interrupted))


def _hunt_all(faults: tuple[Fault, ...], seed: int) -> Iterator[Kill]:
    with Meter("mutate") as meter:
        for number, fault in enumerate(faults):
            meter.show(number / len(faults), fault.title)
            kill = TABLES[fault.by].hunt(fault, seed)
            stop_if_heard()             # a checker that was interrupted has found nothing, and says so
            yield kill
        meter.close(f"{counted(len(faults), 'fault')} planted")


def _table(kills: Iterable[Kill]) -> str:
    """The kills as a table in Markdown."""
    lines = ["| planted fault | in | found as | shrunk to |", "|---|---|---|---|"]
    for kill in kills:
        found = f"`{kill.fault.caught_by}`" if kill.as_expected else "missed"
        trace = f"`{'; '.join(kill.shown)}`" if kill.shown else ""
        lines.append(f"| {kill.fault.title} | `impl/{kill.fault.module}.py` | {found} | {trace} |")
    return "\n".join(lines) + "\n"


def _line(kill: Kill) -> str:
    found = "" if kill.as_expected else f"MISSED; found as {' or '.join(kill.found) or 'nothing'}, not "
    return f"{kill.fault.module + '.py':12} {kill.fault.title}: {found}{kill.fault.caught_by}, {_how(kill)}"


def _how(kill: Kill) -> str:
    """By what it is shown, in short."""
    if kill.fault.by == "fuzz":
        return counted(len(kill.shown), "step")
    return kill.shown[0] if kill.shown else "nothing shown"


def _run(kills: list[Kill], seed: int, seconds: float, interrupted: bool) -> Run:
    findings = missed(kills)
    return Run(
        command="mutate", target="sim", seed=seed, seconds=seconds, ops=len(kills), findings=findings,
        verdict=Verdict.FAILED if findings else Verdict.PASSED, extra={
            "interrupted": interrupted,
            "missed": [kill.fault.title for kill in kills if not kill.as_expected],
            "kills": [{"title": kill.fault.title, "module": kill.fault.module,
                       "caught_by": kill.fault.caught_by if kill.fault.by == "fuzz" else "".join(kill.found[:1]),
                       "by": kill.fault.by, "trace": list(kill.shown)} for kill in kills]})
