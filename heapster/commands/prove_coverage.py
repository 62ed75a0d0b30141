"""`heapster prove --covers`: of how many calls is a theorem about the whole call the judge."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from heapster.checkers.findings.store import Store
from heapster.checkers.proofs.coverage import CoverageTally
from heapster.checkers.proofs.measuring import follow, generate
from heapster.checkers.proofs.runner import target_of
from heapster.checkers.replay.source import source
from heapster.commands.delivery import Delivery
from heapster.commands.usage.prove import COVERING
from heapster.reports.output import say, warn
from heapster.reports.progress import Meter
from heapster.reports.terminal import GOOD, OPEN, PLAIN
from heapster.results import Run, Verdict

if TYPE_CHECKING:
    from heapster.reports.terminal import Line


def measure(trace: str, seconds: float | None, delivery: Delivery, store: Path, *, spans: bool) -> int:
    """Say which share of the calls of a trace, or of generated programs if it is empty, a theorem reaches."""
    delivery.check()
    covered, started = CoverageTally(), monotonic()
    interrupted = False
    try:
        failure = follow(source(trace, Store(store, warn)).trace, covered, spans=spans) if trace else _generate(
            covered, seconds or COVERING, spans=spans)
    except KeyboardInterrupt:
        interrupted, failure = True, ""
    say(_lines(covered, failure))
    return delivery.write(Run(
        "prove", str(target_of(None, spans=spans)), 0,
        Verdict.PASSED if covered.steps and not failure else Verdict.INCONCLUSIVE,
        monotonic() - started, covered.steps, (), checks=dict(covered.reached),
        extra={"coverage": covered.row(), "interrupted": interrupted}))


def _generate(covered: CoverageTally, seconds: float, *, spans: bool) -> str:
    with Meter("prove --covers") as meter:
        failure = generate(covered, seconds, lambda share: meter.show(share, f"{covered.steps:,} calls"), spans=spans)
        meter.close(f"{covered.steps:,} calls")
    return failure


def _lines(covered: CoverageTally, failure: str) -> "Iterator[Line]":
    for title, counts, style in (("starts where this theorem applies", covered.reached, PLAIN),
                                 ("starts where none does, since it is not so that", covered.missing, OPEN)):
        if counts:
            yield title, PLAIN
        for name, steps in counts.most_common():
            yield f"  {steps / covered.steps:6.1%}  {name}", style
    if failure:
        yield failure, OPEN
    yield (f"prove --covers: {covered.share:.1%} of {covered.steps:,} calls start where a theorem about the whole call "
           "applies" if covered.steps else "prove --covers: no call was made", GOOD if covered.steps else OPEN)
