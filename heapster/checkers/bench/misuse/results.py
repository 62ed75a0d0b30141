"""From what came of misuse to a run: a table by kind and target, and each case with what was promised."""

from collections import Counter
from hashlib import sha256
from typing import Any

from heapster.checkers.bench.machine import machine
from heapster.checkers.bench.misuse.cases import ALLOWED, Case, Fate
from heapster.checkers.bench.misuse.running import Tried
from heapster.checkers.bench.targets import Field
from heapster.checkers.targets.target import NATIVE
from heapster.results import Finding, Run, Verdict
from heapster.wording import counted

ALL = "all kinds"


def run_of(cases: tuple[Case, ...], field: Field, tried: Tried, asked: frozenset[str]) -> Run:
    """The run. Our own allocator has findings where it does not keep what it promises; others promise nothing here."""
    done = tuple(case for case in cases if (case.name, field.targets[0].name) in tried.ends)
    findings = tuple(finding for case in done for target in field.targets
                     for finding in _broken(case, target.name, tried))
    kinds = [*dict.fromkeys(case.kind for case in done), ALL]
    table = {kind: {target.name: _counts(done, kind, target.name, tried) for target in field.targets}
             for kind in kinds}
    extra: dict[str, Any] = {
        "machine": machine(), "misuse": {
            "kinds": table, "cases": {case.name: _case(case, field, tried) for case in done}},
        "not_checked": [f"{name}: {reason}" for name, reason in field.absent.items()]}
    if tried.interrupted:
        extra["interrupted"] = True
        extra["not_checked"].append(f"{len(cases) - len(done)} of {counted(len(cases), 'program')}: interrupted")
    missing = bool(asked & field.absent.keys())
    verdict = Verdict.FAILED if findings else Verdict.INCONCLUSIVE if missing else Verdict.PASSED
    names = ",".join(target.name for target in field.targets)
    return Run("bench", names, 0, verdict, tried.seconds, len(tried.ends), findings, extra=extra)


def _counts(cases: tuple[Case, ...], kind: str, target: str, tried: Tried) -> dict[str, int]:
    counted = Counter(tried.ends[case.name, target].outcome for case in cases if kind in (case.kind, ALL))
    return {outcome.value: counted[outcome] for outcome in Fate}


def _case(case: Case, field: Field, tried: Tried) -> dict[str, Any]:
    ends = {target.name: tried.ends[case.name, target.name] for target in field.targets}
    return {"kind": case.kind, "promise": case.promise, "text": case.text,
            "targets": {name: {"outcome": end.outcome.value, "words": end.words} for name, end in ends.items()}}


def _allowed(case: Case, target: str) -> frozenset[Fate]:
    """How the case may end: on a hardened heap also silent, where what was written over shows in no call."""
    hardened = "harden=1" in target.split(":")
    return ALLOWED[case.promise] | ({Fate.TOLD, Fate.STOPPED, Fate.SILENT} if hardened else set())


def _broken(case: Case, target: str, tried: Tried) -> tuple[Finding, ...]:
    """The promise of our own allocator for the case, if it was not kept."""
    end = tried.ends[case.name, target]
    if target.partition(":")[0] != NATIVE.name or end.outcome in _allowed(case, target):
        return ()
    said = f" ({end.words})" if end.words else ""
    return (Finding(
        id=sha256(f"misuse {case.name} {target}".encode()).hexdigest()[:12], code="misuse_unnoticed",
        title=f"{target}: {case.name} ends as {end.outcome.value}{said}, and is promised to be {case.promise}",
        trace=(f"misuse {case.name}",), details=(case.text,),
        replay=f"heapster bench --misuse --targets {target} --workloads {case.name}"),)
