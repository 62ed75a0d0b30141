"""Where a run keeps its findings, and which codes say less of a fault than others."""

from collections.abc import Iterable
from typing import Protocol

from heapster.checkers.targets.target import Target
from heapster.results import Finding

FOLLOWING = frozenset({"structure_diverges", "answer_diverges"})     # what most faults come to, sooner or later


class Keeps(Protocol):
    """Where findings are kept between runs."""

    def keep(self, finding: Finding, target: Target) -> None:
        """Keep a finding."""

    def drop(self, identity: str) -> None:
        """Forget a finding."""

    def mend(self, identity: str) -> bool:
        """Note that a finding was run again and does not fail; whether it did before."""

    def stored(self, target: Target) -> Iterable[Finding]:
        """The findings kept for a target that are traces, oldest first."""
