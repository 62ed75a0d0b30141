"""`heapster shrink`."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from heapster.checkers.findings.shrink_further import Further, shrink_kept
from heapster.checkers.findings.store import Kept, Store
from heapster.commands.delivery import Delivery
from heapster.commands.targets import is_called
from heapster.reports.output import Line, say, warn
from heapster.reports.terminal import GOOD, PLAIN, finding_lines
from heapster.results import Run, UsageError, Verdict
from heapster.wording import counted


def command(identity: str, replays: int, json: str | None, store: str) -> int:
    """Go on shrinking a kept finding, named by its id or the start of it."""
    delivery = Delivery(json)
    delivery.check()
    findings = Store(Path(store), warn)
    kept = _found(findings, identity, store)
    began = monotonic()
    further = _shrink(kept, replays, findings)
    say(_lines(kept, further))
    finding = further.finding
    extra = {"interrupted": further.interrupted, "steps": len(kept.finding.trace)}
    return delivery.write(Run(
        "shrink", str(kept.target), 0, Verdict.FAILED if finding else Verdict.PASSED, monotonic() - began,
        further.replays, (finding,) if finding else (), extra=extra))


def _found(findings: Store, identity: str, store: str) -> Kept:
    kept = findings.find(identity)
    if kept is None:
        raise UsageError(f"{identity} is no finding that is kept in {store}")
    if kept.finding.counterexample or kept.finding.code.startswith("race_") or kept.finding.replay.startswith(
            "heapster replay r1:"):
        raise UsageError(f"{kept.finding.id} has no trace to be shrunk: it is a {_kind(kept)}")
    return kept


def _kind(kept: Kept) -> str:
    return "counterexample" if kept.finding.counterexample else "run of several threads"


def _shrink(kept: Kept, replays: int, findings: Store) -> Further:
    if is_called(kept.target, "shrink"):
        from heapster.checkers.blackbox import shrinking  # noqa: PLC0415  ours needs no compiler
        return shrinking.shrink_kept(kept, replays, findings)
    return shrink_kept(kept, replays, findings)


def _lines(kept: Kept, further: Further) -> Iterator[Line]:
    finding, before = further.finding, len(kept.finding.trace)
    if finding is None:
        yield f"PASSES: {kept.finding.code} {kept.finding.id} on {kept.target} does not fail any more", GOOD
        return
    yield from finding_lines(finding)
    after = len(finding.trace)
    how = f"{counted(before, 'step')} to {after}" if after < before else f"still {counted(after, 'step')}"
    why = "interrupted" if further.interrupted else "nothing shorter fails" if finding.shrunk else "no replays left"
    yield f"{kept.finding.id} -> {finding.id}: {how}, after {counted(further.replays, 'replay')}: {why}", PLAIN
