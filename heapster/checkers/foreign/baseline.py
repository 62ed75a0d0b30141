"""What is known already: findings that a project accepts for now, and deviations of well-known libraries."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from heapster.checkers.foreign.target import ForeignTarget
from heapster.results import Finding, UsageError


@dataclass(frozen=True)
class Baseline:
    """Findings that do not fail a run, by id."""

    known: dict[str, str]           # id: code

    @classmethod
    def read(cls, path: Path | None) -> "Baseline":
        """The findings of a run written by --json, or of a list of them; UsageError if it is neither."""
        if path is None:
            return cls({})
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            findings = value["findings"] if isinstance(value, dict) else value
            return cls({str(one["id"]): str(one["code"]) for one in findings})
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{path} is no baseline: it must be what --json has written") from None

    def accepts(self, finding: Finding) -> bool:
        """Whether it is one of these."""
        return finding.id in self.known

    def met(self, findings: Iterable[Finding]) -> list[str]:
        """Those that are still there."""
        return sorted({finding.id for finding in findings} & set(self.known))

    def unmet(self, findings: Iterable[Finding]) -> list[str]:
        """Those that were not seen again: fixed, or not met in this run."""
        return sorted(set(self.known) - {finding.id for finding in findings})


class Deviation(NamedTuple):
    """Something that a well-known library does on purpose or is known for."""

    library: str                # what its file is called
    code: str
    verbs: tuple[str, ...]      # at whose steps; empty: any
    why: str
    only: str = ""              # steps that this matches

    def fits(self, finding: Finding) -> bool:
        """Whether the finding is this one."""
        step = finding.trace[finding.noticing] if finding.noticing < len(finding.trace) else ""
        called = step.partition(" = ")[2] or step
        named = not self.verbs or called.partition("(")[0] in self.verbs
        return finding.code == self.code and named and re.search(self.only, step) is not None


ALIGNING = ("memalign", "aligned_alloc", "posix_memalign")
DEVIATIONS = (
    Deviation("libjemalloc", "null_without_errno", ("realloc", "reallocarray"),
              "jemalloc: realloc of more than the largest size class answers NULL and leaves errno alone"),
    Deviation("libjemalloc", "null_without_errno", ("memalign",),
              "jemalloc: memalign refuses what is no power of two and leaves errno alone"),
    Deviation("libjemalloc", "alignment_not_honoured", ALIGNING,
              "jemalloc: an aligned block of 0 bytes is only aligned to 8", r", 0\)$"),
    Deviation("libmimalloc", "null_without_errno", (), "mimalloc: failures leave errno as the system set it"),
    Deviation("libmimalloc", "wrong_errno", (), "mimalloc: failures leave errno as the system set it"),
    Deviation("libmimalloc", "alignment_not_honoured", ALIGNING,
              "mimalloc 2.0: a block whose size is its alignment (1024 and more) is only aligned to less"),
    Deviation("libmimalloc", "bad_alignment_accepted", ALIGNING, "mimalloc: alignment 0 is taken"),
    Deviation("libtcmalloc", "null_without_errno", ("calloc",),
              "gperftools: a calloc whose product overflows answers NULL and leaves errno alone"),
    Deviation("libtcmalloc", "huge_accepted", ("pvalloc",),
              "gperftools: pvalloc near SIZE_MAX wraps when it rounds up"),
)


def deviations(target: ForeignTarget) -> tuple[Deviation, ...]:
    """What the library that the target is by its name is known for."""
    name = Path(target.path).name
    return tuple(known for known in DEVIATIONS if name.startswith(known.library))
