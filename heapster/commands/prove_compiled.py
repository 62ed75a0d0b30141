"""`heapster prove --compiled`: the library's code held against its source."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING, Any

from heapster.checkers.proofs.compiled.run import held, named, source_functions
from heapster.checkers.proofs.compiled.validation import ASSUMED, LONGEST, Validation, Validity
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
             only_list: bool, others: Sequence[Any]) -> int:
    """Hold the functions of the library that have these names, or all, against the source."""
    if given["scheduler"] or any(other is not None for other in others):
        raise UsageError("--compiled holds the library that ships against its source, and asks z3 alone, on this "
                         "machine: leave out the other options but --jobs, --timeout, --list, --json and --junit")
    chosen = named(names)
    if only_list:
        say((name, PLAIN) for name in chosen)
        return 0
    delivery.check()
    started, found, interrupted = monotonic(), list[Validation](), False
    with Meter("prove --compiled") as meter:
        try:
            for done in pool_of(given).in_order(chosen, partial(held, timeout or LONGEST)):
                found.append(done)
                meter.show(len(found) / len(chosen), done.name)
        except KeyboardInterrupt:
            interrupted = True
        meter.close(counted(len(found), "function"))
    run = _run(found, monotonic() - started, interrupted=interrupted)
    say(_lines(found, run.findings, source_functions(), whole=not names))
    return delivery.write(run)


def _run(found: Sequence[Validation], seconds: float, *, interrupted: bool) -> Run:
    ends = {each.held for each in found}
    verdict = Verdict.FAILED if Validity.REFUTED in ends else (
        Verdict.PASSED if ends == {Validity.VALIDATED} else Verdict.INCONCLUSIVE)
    return Run("prove", "native", 0, verdict, seconds, len(found),
               tuple(_finding(each) for each in found if each.held is Validity.REFUTED),
               checks={each.name: each.ways for each in found},
               extra={"compiled": [_row(each) for each in found], "interrupted": interrupted,
                      "not_checked": list(ASSUMED)})


def _row(each: Validation) -> dict[str, Any]:
    return {"name": each.name, "of": each.of, "verdict": each.held.value, "ways": each.ways, "reason": each.reason,
            "words": each.words, "functions": sorted(each.met)}


def _finding(each: Validation) -> Finding:
    identity = sha256(f"{each.name} {each.reason}".encode()).hexdigest()[:8]
    return Finding(identity, CODE, f"{each.name}, which is made of {each.of}: {each.reason}", (),
                   f"heapster prove --compiled {each.name}", details=(f"where {each.words}",) if each.words else ())


def _lines(found: Sequence[Validation], findings: Sequence[Finding], functions: int, *,
           whole: bool) -> "Iterator[Line]":
    for each in found:
        told = counted(each.ways, "way") if each.held is Validity.VALIDATED else each.reason
        yield f"  {each.held.value:12} {each.name:40} {told}", STYLES[each.held]
    for assumption in ASSUMED:
        yield f"  assumed: {assumption}", FAINT
    for finding in findings:
        yield from finding_lines(finding)
    ends = Counter(each.held for each in found)
    met = {name for each in found if each.held is Validity.VALIDATED for name in each.met}
    share = f", in which {len(met)} of the {functions} functions of impl stand" if whole else ""
    counts = ", ".join(f"{ends[each]} {each.value}" for each in (Validity.REFUTED, Validity.NOT_COVERED))
    of_all = f"{ends[Validity.VALIDATED]} of {counted(len(found), 'function')} of the library VALIDATED{share}"
    yield (f"prove --compiled: {of_all}, {counts}",
           BAD if findings else GOOD if len(found) == ends[Validity.VALIDATED] else OPEN)
