"""`heapster prove --compiled`: the library's code held against its source, of the build that ships or of the other."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING, Any

from heapster.checkers.proofs.compiled.run import held, named, this_library
from heapster.checkers.proofs.compiled.validation import ASSUMED, LONGEST, Validation, Validity
from heapster.checkers.targets.target import NATIVE, SIM, built
from heapster.commands.delivery import Delivery
from heapster.commands.workers import pool_of
from heapster.reports.output import say
from heapster.reports.progress import Meter
from heapster.reports.terminal import BAD, FAINT, GOOD, OPEN, PLAIN, finding_lines
from heapster.results import Finding, Run, UsageError, Verdict
from heapster.wording import counted

if TYPE_CHECKING:
    from heapster.reports.terminal import Line

CODE = "compiled_otherwise"
STYLES = {Validity.VALIDATED: GOOD, Validity.REFUTED: BAD, Validity.NOT_COVERED: OPEN}


def validate(names: Sequence[str], timeout: float | None, delivery: Delivery, given: dict[str, Any], *,
             spans: bool, only_list: bool, others: Sequence[Any]) -> int:
    """Hold the functions of the library that have these names, or all, against the source; with spans or without."""
    if given["scheduler"] or any(other is not None for other in others):
        raise UsageError("--compiled holds the library, as it ships or with spans=0 or 1, against its source, and asks "
                         "z3 alone, on this machine: leave out a folder, and the other options but --jobs, --timeout, "
                         "--list, --json and --junit")
    chosen = named(names, spans=spans)
    if only_list:
        say((name, PLAIN) for name in chosen)
        return 0
    delivery.check()
    started, found, interrupted = monotonic(), list[Validation](), False
    with Meter("prove --compiled") as meter:
        try:
            for done in pool_of(given).in_order(chosen, partial(held, timeout or LONGEST, spans=spans)):
                found.append(done)
                meter.show(len(found) / len(chosen), done.name)
        except KeyboardInterrupt:
            interrupted = True
        meter.close(counted(len(found), "function"))
    run = _run(found, monotonic() - started, spans=spans, interrupted=interrupted)
    functions = len(this_library(spans=spans).functions)
    say(_lines(found, run, functions, whole=not names))
    return delivery.write(run)


def _run(found: Sequence[Validation], seconds: float, *, spans: bool, interrupted: bool) -> Run:
    ends = {each.held for each in found}
    verdict = Verdict.FAILED if Validity.REFUTED in ends else (
        Verdict.PASSED if ends == {Validity.VALIDATED} else Verdict.INCONCLUSIVE)
    settings = built(with_spans=spans)
    again = " ".join(("heapster prove", *[str(replace(SIM, settings=settings))] * bool(settings.given), "--compiled"))
    return Run("prove", str(replace(NATIVE, settings=settings)), 0, verdict, seconds, len(found),
               tuple(_finding(each, again) for each in found if each.held is Validity.REFUTED),
               checks={each.name: each.ways for each in found},
               extra={"compiled": [_row(each) for each in found], "interrupted": interrupted,
                      "with_spans": spans, "ends": _counts(found), "why_not": _reasons(found),
                      "not_checked": list(ASSUMED)})


def _counts(found: Sequence[Validation]) -> dict[str, int]:
    """How many functions came to each end."""
    ends = Counter(each.held for each in found)
    return {each.value: ends[each] for each in Validity}


def _reasons(found: Sequence[Validation]) -> dict[str, int]:
    """Of how many functions each reason is that they are not validated, the commonest first."""
    return dict(Counter(each.reason for each in found if each.held is not Validity.VALIDATED).most_common())


def _row(each: Validation) -> dict[str, Any]:
    return {"name": each.name, "of": each.of, "verdict": each.held.value, "ways": each.ways, "reason": each.reason,
            "words": each.words, "functions": sorted(each.met)}


def _finding(each: Validation, again: str) -> Finding:
    identity = sha256(f"{each.name} {each.reason}".encode()).hexdigest()[:8]
    return Finding(identity, CODE, f"{each.name}, which is made of {each.of}: {each.reason}", (),
                   f"{again} {each.name}", details=(f"where {each.words}",) if each.words else ())


def _lines(found: Sequence[Validation], run: Run, functions: int, *, whole: bool) -> "Iterator[Line]":
    for each in found:
        told = counted(each.ways, "way") if each.held is Validity.VALIDATED else each.reason
        yield f"  {each.held.value:12} {each.name:40} {told}", STYLES[each.held]
    for assumption in ASSUMED:
        yield f"  assumed: {assumption}", FAINT
    for finding in run.findings:
        yield from finding_lines(finding)
    ends = run.extra["ends"]
    for reason, number in run.extra["why_not"].items():
        yield f"  not shown: {counted(number, 'function')}: {reason}", OPEN
    met = {name for each in found if each.held is Validity.VALIDATED for name in each.met}
    share = f", in which {len(met)} of the {functions} functions of impl stand" if whole else ""
    counts = ", ".join(f"{ends[each.value]} {each.value}" for each in (Validity.REFUTED, Validity.NOT_COVERED))
    shown = ends[Validity.VALIDATED.value]
    build = "with spans" if run.extra["with_spans"] else "without spans"
    of_all = f"{shown} of {counted(len(found), 'function')} of the library {build} VALIDATED{share}"
    yield f"prove --compiled: {of_all}, {counts}", BAD if run.findings else GOOD if len(found) == shown else OPEN
