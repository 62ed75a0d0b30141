"""`heapster mutate`."""

from pathlib import Path
from time import monotonic

import click

from heapster.checkers.mutation import Kill, chosen, hunt, table
from heapster.checkers.planting import Fault
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


@click.command("mutate", epilog="Example: heapster mutate freelist 'best fit'")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@option("seed", 0)
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the table as Markdown.")
@option("json")
@option("junit")
def command(words: tuple[str, ...], seed: int, write: Path | None, json: str | None, junit: str | None) -> int:
    """Plant faults in copies of the allocator and hunt each with the fuzzer.

    A missed fault, or one found by another check than the one that must find it, fails the run.
    """
    faults = chosen(words)
    if not faults:
        raise UsageError(f"no planted fault is about {' or '.join(words)}: give a word of a title, or a module of impl")
    delivery = Delivery(json, junit)
    delivery.check()
    started = monotonic()
    kills = _hunt_all(faults, seed)
    say((_line(kill), PLAIN if kill.as_expected else BAD) for kill in kills)
    if write:
        write_whole(write, ABOUT + table(kills))
    found = sum(kill.as_expected for kill in kills)
    say([(f"{found} of {len(kills)} planted faults were found by the check that must find them",
          GOOD if found == len(kills) else BAD)])
    return delivery.write(_run(kills, seed, monotonic() - started))


def _hunt_all(faults: tuple[Fault, ...], seed: int) -> list[Kill]:
    kills: list[Kill] = []
    with Meter("mutate") as meter:
        for fault in faults:
            meter.show(len(kills) / len(faults), fault.title)
            kills.append(hunt(fault, seed))
        meter.close(f"{len(kills)} faults planted")
    return kills


def _line(kill: Kill) -> str:
    found = kill.fault.caught_by if kill.as_expected else f"MISSED; found as {kill.codes or 'nothing'}"
    return f"{kill.fault.module + '.py':12} {kill.fault.title}: {found}, {len(kill.trace)} steps"


def _run(kills: list[Kill], seed: int, seconds: float) -> Run:
    missed = [kill.fault.title for kill in kills if not kill.as_expected]
    return Run(
        command="mutate", target="sim", seed=seed, verdict=Verdict.FAILED if missed else Verdict.PASSED,
        seconds=seconds, ops=len(kills), extra={
            "missed": missed,
            "kills": [{"title": kill.fault.title, "module": kill.fault.module, "caught_by": kill.fault.caught_by,
                       "trace": list(kill.trace)} for kill in kills]})
