"""`heapster campaign`."""

from collections import Counter
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import click

from heapster import signals
from heapster.checkers.nightly.ledger import CAME, GONE, CampaignFolder, PieceEntry, opened
from heapster.checkers.nightly.roster import Roster, Task, read_roster
from heapster.checkers.nightly.running import run_campaign
from heapster.commands.delivery import NOTHING_RAN
from heapster.files import write_whole
from heapster.reports.nightly import page
from heapster.reports.output import say
from heapster.reports.progress import Meter
from heapster.reports.terminal import BAD, FAINT, GOOD, OPEN, PLAIN
from heapster.results import UsageError, Verdict
from heapster.wording import counted

PAGE = "index.html"


def command(file: Path, seconds: float | None) -> int:
    """Run several checkers on several targets in turn, and go on from where the last run came to."""
    roster = read_roster(file)
    for task in roster.tasks:
        _check_words(file, task)
    if seconds is not None:
        roster = Roster(**{**vars(roster), "seconds": seconds})
    with opened(roster.folder) as ledger:
        before = len(ledger.entries), len(ledger.events)
        with Meter(f"campaign {roster.name}") as meter:

            def progress(fraction: float, entry: PieceEntry) -> None:
                meter.show(fraction, f"{entry.task}: {entry.verdict}, {counted(entry.ops, 'operation')}")
                _write(roster, ledger, before)

            interrupted = run_campaign(roster, ledger, progress)
            meter.close(f"{counted(len(ledger.entries) - before[0], 'piece')} more, in {roster.folder}")
        with signals.held():
            _write(roster, ledger, before)
            return _told(roster, ledger, before, interrupted)


def _check_words(file: Path, task: Task) -> None:
    """UsageError for a task whose words its command does not take."""
    words = [*filter(None, (task.target,)), *task.options]
    if "--help" in words or "-h" in words:
        raise UsageError(f"{file}, task '{task.key}': --help runs nothing")
    try:
        import_module(f"heapster.commands.usage.{task.command}").command.make_context(task.command, words)
    except click.UsageError as error:
        raise UsageError(f"{file}, task '{task.key}': {error.format_message()}") from None


def _write(roster: Roster, ledger: CampaignFolder, before: tuple[int, int]) -> None:
    write_whole(ledger.folder / PAGE, page(
        roster.name, [asdict(entry) for entry in ledger.entries], [asdict(event) for event in ledger.events],
        {identity: asdict(event) for identity, event in ledger.standing().items()}, summary(roster, ledger, before)))


def _told(roster: Roster, ledger: CampaignFolder, before: tuple[int, int], interrupted: bool) -> int:
    """Say what the run came to; the exit code."""
    standing, ran = ledger.standing(), ledger.entries[before[0]:]
    for event in standing.values():
        say([(f"  {event.id}  {event.code}: {event.title}", BAD), (f"    since {event.at}, {event.task}", FAINT)])
    unusable = {entry.task: entry.said for entry in ran if entry.verdict == "unusable"}
    say((f"  {task} had no results: {said}", OPEN) for task, said in unusable.items())
    say([(f"  page: {ledger.folder / PAGE}", PLAIN)])
    code = exit_code(ledger, ran, interrupted=interrupted)
    say([(summary(roster, ledger, before) + (", interrupted" if interrupted else ""), GOOD if code == 0 else BAD)])
    return code


def exit_code(ledger: CampaignFolder, ran: list[PieceEntry], *, interrupted: bool) -> int:
    """1 while a finding is there; else 3 if a piece told nothing, 5 if none ran and something is left to do."""
    if interrupted:
        return signals.exit_code()
    if ledger.standing():
        return Verdict.FAILED.exit_code
    if not ledger.entries:
        return NOTHING_RAN
    told = {entry.verdict for entry in ran}
    return Verdict.PASSED.exit_code if told <= {"passed"} else Verdict.INCONCLUSIVE.exit_code


def summary(roster: Roster, ledger: CampaignFolder, before: tuple[int, int]) -> str:
    """The run in a line, for whoever reads a nightly job's log."""
    ran = ledger.entries[before[0]:]
    came = Counter(event.what for event in ledger.events[before[1]:])
    last = {entry.task: entry for entry in ledger.entries}
    proving = [entry for entry in last.values() if entry.open_ is not None]
    proved, all_theorems = sum(map(ledger.proved, last)), sum(entry.proved + (entry.open_ or 0) for entry in proving)
    parts = [f"{len(ran)} of {counted(len(ledger.entries), 'piece')}", counted(sum(e.ops for e in ran), "operation"),
             f"{came[CAME]} new", f"{came[GONE]} gone", f"{counted(len(ledger.standing()), 'finding')} there"]
    parts += [f"{proved} of {counted(all_theorems, 'theorem')} proved"] if all_theorems else []
    return f"campaign {roster.name}: {', '.join(parts)}"
