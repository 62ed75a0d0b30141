"""Which findings count: of the codes that --only names, without those that --ignore does, and from which level on."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from heapster.checkers.findings.codes import explanations
from heapster.results import LEVELS, Finding, Run, UsageError, Verdict
from heapster.suggest import instead_of


@dataclass(frozen=True)
class Selection:
    """What is reported of a run's findings, and what fails it."""

    only: frozenset[str] = frozenset()          # empty: all codes
    ignored: frozenset[str] = frozenset()
    fail_on: str = LEVELS[0]                    # the least level that fails a run

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Selection":
        """What the options say; UsageError for a code that there is not, or a finding that could never be shown."""
        only, ignored = _codes(given.get("only")), _codes(given.get("ignore"))
        if both := sorted(only & ignored):
            raise UsageError(f"--only and --ignore both name {both[0]}: leave out one of them")
        return cls(only, ignored, given.get("fail_on") or LEVELS[0])

    def takes(self, finding: Finding) -> bool:
        """Whether it is reported."""
        return finding.code not in self.ignored and (not self.only or finding.code in self.only)

    def applied(self, run: Run) -> Run:
        """The run without what is left out, which it counts, and with the verdict that the rest comes to."""
        left_out = Counter(finding.code for finding in run.findings if not self.takes(finding))
        told: dict[str, Any] = {"left_out": dict(left_out)} if left_out else {}
        if self.fail_on != LEVELS[0]:
            told["fail_on"] = self.fail_on
        if not told:
            return run
        run = replace(run, findings=tuple(filter(self.takes, run.findings)), extra={**run.extra, **told})
        if run.verdict is not Verdict.FAILED or any(finding.fails(self.fail_on) for finding in run.findings):
            return run
        cut_short = run.extra.get("starved") or run.extra.get("complete") is False
        tells = run.findings and self.fail_on == LEVELS[-1]       # nobody asks whether there is more
        return replace(run, verdict=Verdict.INCONCLUSIVE if cut_short and not tells else Verdict.PASSED)


def _codes(named: Iterable[Iterable[str]] | None) -> frozenset[str]:
    """The codes of options that may each name several."""
    codes = frozenset(code for names in named or () for code in names)
    known = explanations() if codes else {}
    for code in sorted(codes):
        if code not in known:
            meant = instead_of(code, known)
            raise UsageError(f"unknown code '{code}': "
                             f"{meant if meant.startswith('did') else 'heapster explain lists all'}")
    return codes


ALL = Selection()
