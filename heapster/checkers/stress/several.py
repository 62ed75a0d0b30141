"""Runs of stress on several targets, or settings of ours, as one run."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from heapster.results import Run, Verdict


def together(runs: Sequence[Run], unbegun: Sequence[str] = ()) -> Run:
    """All of them as one run: what was seen in sum, and each pattern's figures under its target's name."""
    verdicts = [run.verdict for run in runs]
    verdict = next((one for one in (Verdict.FAILED, Verdict.INCONCLUSIVE) if one in verdicts), Verdict.PASSED)
    patterns = {f"{run.target} {name}": figures for run in runs for name, figures in run.extra["patterns"].items()}
    extra: dict[str, Any] = {
        "threads": runs[0].extra["threads"], "patterns": patterns,
        "interrupted": any(run.extra.get("interrupted") for run in runs),
        "settings": {run.target: run.extra["settings"] for run in runs if "settings" in run.extra},
        "not_checked": [*(f"{run.target}: {what}" for run in runs for what in run.extra["not_checked"]),
                        *(f"{target}: interrupted before its turn" for target in unbegun)]}
    return Run("stress", "+".join(run.target for run in runs), runs[0].seed, verdict,
               sum(run.seconds for run in runs), sum(run.ops for run in runs),
               tuple(finding for run in runs for finding in run.findings),
               _sum([run.checks for run in runs]), _sum([run.witnesses for run in runs]), extra)


def _sum(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """How often each was seen, those that were never among them."""
    total = Counter[str]()
    for one in counts:
        total.update(one)
    return dict(total)
