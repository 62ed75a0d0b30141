"""The result of a run, as frozen values. Imports nothing of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

SCHEMA = 2
LEVELS = ("warning", "error", "never")      # of findings, the mildest first; "never" is above all


class HeapsterError(Exception):
    """Anything that Heapster raises."""


class UsageError(HeapsterError):
    """The command line, the configuration or an input file cannot be used as given."""


class TargetError(HeapsterError):
    """The target cannot be loaded, built or run."""


class HarnessError(HeapsterError):
    """A driver of ours went wrong itself, so that nothing can be said of the target."""


class Verdict(Enum):
    """The verdict of a run; ordered from best to worst by `exit_code`."""

    PASSED = "passed"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"

    @property
    def exit_code(self) -> int:
        """The process's exit code for this verdict."""
        return {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.INCONCLUSIVE: 3}[self]


@dataclass(frozen=True)
class Place:
    """The line of the source that a finding names first, and why that one."""

    file: str
    line: int                           # 0: nothing says which; then `function` may hold an offset too
    function: str
    why: str                            # what is done there
    backtrace: tuple[str, ...] = ()     # the calls that led there, innermost first
    excerpt: tuple[str, ...] = ()       # the lines around it, numbered, the line itself marked
    mended: str = ""                    # the line as it would have to be for everything to pass, if one was found
    also: tuple[str, ...] = ()          # other lines that have to do with it, and what they do
    address: int = 0                    # of its instruction in the object, where no line is known
    access: str = ""                    # what it loads or stores, and where in the heap
    heap: tuple[str, ...] = ()          # the blocks that live around that meanwhile, by address, and itself
    step: int = -1                      # of the trace, in which it was done; -1: not known, or before all steps
    guess: bool = False                 # nothing speaks for this line but that the call which fails comes by it

    @property
    def label(self) -> str:
        """Its relation to the finding: the line that is wrong only where a change of it makes the trace pass."""
        if self.guess:
            return "the call comes by"
        return "the line" if self.mended else "seen at" if self.line else "the instruction"

    @property
    def words(self) -> str:
        """For people: the line, or what is known in its stead."""
        return f"{self.file}:{self.line}, in {self.function}" if self.line else self.function

    @property
    def sentence(self) -> str:
        """Which it is, and what is done there."""
        return f"{self.label}: {self.words}: {self.why}"


@dataclass(frozen=True)
class Finding:
    """One defect, with the least trace that shows it."""

    id: str                             # digest of the code and the trace
    code: str                           # stable name of its kind: `heapster explain CODE`
    title: str                          # one sentence
    trace: tuple[str, ...]              # steps in the text form
    replay: str                         # the command that reruns it
    breaking: int = 0                   # index of the step that broke the heap
    noticing: int = 0                   # index of the step that noticed
    before: str = ""                    # picture of the heap before the noticing step
    after: str = ""                     # and after it
    passes: str = ""                    # the nearest variation that passes
    details: tuple[str, ...] = ()       # what else was seen, a line each
    counterexample: str = ""            # of a refuted theorem: what `heapster replay` runs, not the trace
    place: Place | None = None          # where in the source it comes from, if that is known
    severity: str = "error"             # or "warning"
    shrunk: bool = True                 # no step can be left out; else not all was tried: `heapster shrink ID` goes on

    @property
    def location(self) -> dict[str, str | int] | None:
        """The line that the finding names, if any."""
        place = self.place
        return {"file": place.file, "line": place.line, "function": place.function} if place and place.line else None

    @property
    def cause(self) -> str:
        """What is done at its place, in a line; empty if none is known."""
        return self.place.sentence if self.place else ""

    def fails(self, level: str) -> bool:
        """Whether it fails a run that findings of that level, and above, fail."""
        return LEVELS.index(self.severity) >= LEVELS.index(level)


@dataclass(frozen=True)
class Run:
    """One run of a command, as `--json` writes it. What was interrupted has not passed."""

    command: str
    target: str
    seed: int
    verdict: Verdict
    seconds: float                      # without start-up and compilation
    ops: int
    findings: tuple[Finding, ...] = ()
    checks: Mapping[str, int] = field(default_factory=dict)         # name: times evaluated
    witnesses: Mapping[str, int] = field(default_factory=dict)      # name: times seen
    extra: Mapping[str, Any] = field(default_factory=dict)          # further keys, by command
    cpu_seconds: float = 0.0            # processor time of all that worked for it, with start-up and compilation

    def __post_init__(self) -> None:
        if self.extra.get("interrupted") and self.verdict is Verdict.PASSED:
            object.__setattr__(self, "verdict", Verdict.INCONCLUSIVE)
