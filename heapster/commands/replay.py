"""`heapster replay`."""

from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from heapster.checkers.findings.store import Store
from heapster.checkers.replay.source import Replay, StepView, TraceSource, moment, replay, source
from heapster.checkers.targets.target import SIM, Target
from heapster.commands.delivery import Delivery
from heapster.commands.foreign import options_of
from heapster.commands.foreign import replay as replay_foreign
from heapster.commands.targets import is_called, target_of
from heapster.reports.output import Line, say, warn
from heapster.reports.terminal import BAD, FAINT, GOOD, PLAIN, checked, finding_lines
from heapster.results import UsageError
from heapster.wording import counted

SCHEDULE = "r1:"                # what a schedule of threads starts with
COUNTEREXAMPLE = "p1:"          # what the words of a refuted theorem start with


def command(trace: str, gdb: bool, at: int | None, target: str | None, prefix: str | None, cc: str | None,
            cflags: str | None, build: str | None, json: str | None, junit: str | None, store: str, *,
            of_harness: bool = False) -> int:
    """Run a trace again and say whether it still fails."""
    named = {"prefix": prefix, "cc": cc, "cflags": cflags, "build": build}
    delivery = Delivery(json, junit)
    delivery.check()
    if trace.startswith(SCHEDULE):
        from heapster.commands.races import replay_schedule  # noqa: PLC0415  loads greenlet
        return replay_schedule(trace, target or SIM.name, named, delivery)
    if of_harness:
        from heapster.commands.harness import replay as replay_bytes  # noqa: PLC0415  loads what judges strangers
        if target is None:
            raise UsageError("--bytes: say of which target the file is (--target)")
        return replay_bytes(trace, target_of(target, "harness"), named, delivery, Store(Path(store), warn))
    kept = None if trace.startswith(COUNTEREXAMPLE) else Store(Path(store), warn).find(trace)
    if counterexample := kept.finding.counterexample if kept else trace.startswith(COUNTEREXAMPLE) and trace:
        from heapster.commands.prove import replay_counterexample  # noqa: PLC0415  loads every proof
        if at is not None:
            raise UsageError("--at is for traces; a counterexample is one call")
        return replay_counterexample(
            counterexample, target_of(target, "prove") if target else kept.target if kept else SIM, delivery)
    where = target_of(target, "replay") if target else kept.target if kept else SIM
    stranger = is_called(where, "replay")
    if kept and stranger and at is None and where == kept.target:
        return replay_foreign(kept, gdb=gdb)
    if gdb:
        raise UsageError("--gdb is for kept findings of a stranger's allocator: they have a program to stop in")
    found = source(trace, Store(Path(store), warn))
    if stranger:
        return _on_stranger(found, where, named, at, delivery)
    if at is not None:
        say(_moment_lines(moment(found.trace, where, at), at))
        return 0
    result = replay(found.trace, where, found.code)
    say(_lines(found, result))
    return delivery.write(result.run)


def _on_stranger(found: TraceSource, target: Target, given: dict[str, str | None], at: int | None,
                 delivery: Delivery) -> int:
    """The trace on somebody else's allocator, or its live blocks around a step."""
    from heapster.checkers.blackbox.rerunning import moment as moment_of_stranger  # noqa: PLC0415  loads what judges
    from heapster.checkers.blackbox.rerunning import rerun  # noqa: PLC0415
    options = options_of(target, given)
    if at is not None:
        say(_moment_lines(moment_of_stranger(found.trace, options, at), at))
        return 0
    result = rerun(found.trace, options,
                   f"heapster replay {quote(found.given)} --target {quote(str(target))}{options.words}")
    taken = f"{found.name} on {target}: {result.stopped:,} of {counted(len(found.trace) - result.unasked, 'call')}"
    passed_over = "".join(f", {words}" for words in result.instead)
    if result.skipped:
        lacks = f"it has no {', '.join(result.lacks)}" if result.lacks else "their blocks were never given"
        passed_over += f", {result.skipped:,} of them skipped: {lacks}"
    for finding in result.run.findings:
        say([*finding_lines(finding), (f"FAILS: {taken}{passed_over}", BAD)])
    if not result.run.findings:
        say([*checked(result.run), (f"PASSES: {taken}{passed_over}, nothing wrong", GOOD)])
    return delivery.write(result.run)


def _lines(found: TraceSource, result: Replay) -> Iterator[Line]:
    taken = f"{found.name} on {result.run.target}: {result.stopped + 1} of {counted(len(result.steps), 'step')}"
    if result.run.findings:
        yield from finding_lines(result.run.findings[0])
        yield f"STILL FAILS: {taken}", BAD
    elif result.misused:
        yield f"  {result.steps[result.stopped]}", PLAIN
        yield f"MISUSED: {taken}; the last one misuses the heap: {_ending(result.misused)}", GOOD
    else:
        yield f"PASSES: {taken}, nothing wrong", GOOD


def _ending(misused: str) -> str:
    return "not noticed, as nothing promises" if misused == "unnoticed" else f"noticed, as {misused}"


def _moment_lines(shown: StepView, number: int) -> Iterator[Line]:
    yield f"step {number}: {shown.step}", PLAIN
    for title, picture in (("before:", shown.before), ("after:", shown.after)):
        yield f"  {title}", FAINT
        for line in picture.splitlines():
            yield f"    {line}", PLAIN
