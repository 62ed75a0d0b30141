"""`heapster mutate`."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import click

from heapster.checkers import fast_layers, mutation
from heapster.checkers.races import faults as threads
from heapster.checkers.races import hunting as schedules
from heapster.checkers.stress import hunting as patterns
from heapster.commands.delivery import Delivery
from heapster.commands.options import option
from heapster.files import write_whole
from heapster.reports.output import say
from heapster.reports.progress import Meter
from heapster.reports.terminal import BAD, GOOD, PLAIN
from heapster.results import Run, UsageError, Verdict

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


def _fuzzed(kill: mutation.Kill) -> Hunted:
    missed = "" if kill.as_expected else f"found as {kill.codes or 'nothing'}"
    return Hunted(kill.fault.title, kill.fault.module, kill.fault.caught_by, kill.trace, f"{len(kill.trace)} steps",
                  missed)


def _by_fuzz(words: tuple[str, ...]) -> Hunts:
    return tuple((fault.title, lambda seed, fault=fault: _fuzzed(mutation.hunt(fault, seed)))
                 for fault in mutation.chosen(words))


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


BY = {"fuzz": _by_fuzz, "races": _by_races, "stress": _by_stress}


@click.command("mutate", epilog="Examples: heapster mutate freelist 'best fit'; heapster mutate --by races kept. "
                                "Those of the proofs: heapster prove --faults.")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--by", type=click.Choice(tuple(BY)), default="fuzz", show_default=True,
              help="Which checker hunts the faults that are planted for it.")
@option("seed", 0)
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the table of fuzz as Markdown.")
@option("json")
@option("junit")
def command(words: tuple[str, ...], by: str, seed: int, write: Path | None, json: str | None,
            junit: str | None) -> int:
    """Plant faults in copies of the allocator and hunt each: by fuzz, by schedules, or with real threads.

    A missed fault, or one found by another check than the one that must find it, fails the run.
    """
    if write and by != "fuzz":
        raise UsageError(f"--write writes the table of fuzz, not that of {by}: leave out one of the two")
    hunts = BY[by](words)
    if not hunts:
        raise UsageError(f"no fault planted for {by} is about {' or '.join(words)}: give a word of a title, "
                         "or a module of impl")
    delivery = Delivery(json, junit)
    delivery.check()
    started = monotonic()
    kills = list(_hunt_all(hunts, seed))
    say((_line(kill), BAD if kill.missed else PLAIN) for kill in kills)
    if write:
        write_whole(write, ABOUT + _table(kills) + WAYS + "\n".join(fast_layers.table()) + "\n")
    found = sum(not kill.missed for kill in kills)
    say([(f"{found} of {len(kills)} planted faults were found by the check that must find them",
          GOOD if found == len(kills) else BAD)])
    return delivery.write(_run(kills, seed, monotonic() - started))


def _hunt_all(hunts: Hunts, seed: int) -> Iterator[Hunted]:
    with Meter("mutate") as meter:
        for number, (title, hunt) in enumerate(hunts):
            meter.show(number / len(hunts), title)
            yield hunt(seed)
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


def _run(kills: list[Hunted], seed: int, seconds: float) -> Run:
    missed = [kill.title for kill in kills if kill.missed]
    return Run(
        command="mutate", target="sim", seed=seed, verdict=Verdict.FAILED if missed else Verdict.PASSED,
        seconds=seconds, ops=len(kills), extra={
            "missed": missed,
            "kills": [{"title": kill.title, "module": kill.module, "caught_by": kill.caught_by,
                       "trace": list(kill.trace)} for kill in kills]})
