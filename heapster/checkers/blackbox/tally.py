"""Counts of what campaigns have done."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """What a campaign has done so far."""

    ops: int = 0
    cases: int = 0
    compiled_ops: int = 0
    compiled_seconds: float = 0.0
    spent: float = 0.0          # seconds, of those that each campaign has
    checks: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Count what another campaign has done as well."""
        self.ops += other.ops
        self.cases += other.cases
        self.compiled_ops += other.compiled_ops
        self.compiled_seconds += other.compiled_seconds
        self.spent += other.spent
        self.checks.update(other.checks)
        self.duplicates.update(other.duplicates)
