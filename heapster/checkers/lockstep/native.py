"""The compiled allocator as a target of `fuzz`: in lockstep with the model, in a child process.

What it answers and what lies in memory is held against specification, reference and invariants, as for
every other reading. A crash or a hang of the child is a finding, and its trace is in the journal.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from heapster.checkers.fuzz.stateful import STEPS, Record, live_lives
from heapster.checkers.lockstep.calls import SHIPPED
from heapster.checkers.lockstep.hardened import HardenedLockstep
from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.lockstep.run_trace import Outcome, rerun, taken
from heapster.checkers.lockstep.spans import ObservedWithRoom, SpansLockstep
from heapster.checkers.lockstep.subprocess import Died, Journal, contained
from heapster.machine.observed import Library, Observed
from heapster.model.operation import Step, Trace
from heapster.model.problem import Problem
from heapster.model.trace import format_step, parse
from heapster.native.entries import ENTRIES
from heapster.native.library import DEFAULTS, observed

HANG_SECONDS = 20.0             # for one step; it takes milliseconds
SEEN = ("ops", "examples", "checks", "witnesses", "failure", "under")      # of a record, by examples


class _Compiled:
    """Stands for a module of `impl`: its functions are the compiled ones; what answers nothing leaves any word."""

    def __getattr__(self, name: str) -> Callable[..., int]:
        answers = ENTRIES[name].answers
        return lambda m, *words: m.library.call(name, *words) * answers


COMPILED = SimpleNamespace(**dict.fromkeys(vars(SHIPPED), _Compiled()))


class Journaled(Lockstep):
    """A lockstep that notes each step before it takes it."""

    def __init__(self, m: Any, journal: Journal) -> None:
        super().__init__(m, COMPILED)
        self._journal = journal
        journal.clear()

    def take(self, step: Step) -> list[Problem]:
        """See `Lockstep.take`."""
        self._journal.note(format_step(step))
        return super().take(step)


class JournaledHardened(Journaled, HardenedLockstep):
    """As `Journaled`, of a hardened heap."""


class JournaledSpans(Journaled, SpansLockstep):
    """As `Journaled`, of a heap with spans."""


def library(fault: str = "", *, spans: bool = DEFAULTS.spans) -> Library:
    """The compiled allocator, with a fault of the lowering planted if one is named."""
    return _loaded(observed(fault, spans=spans))


@cache
def _loaded(path: Path) -> Library:
    """The library in that file, once: two of them would be one memory with two that watch it."""
    return Library(path)


class NativeMake:
    """Makes locksteps on the compiled allocator, and runs them where they can do no harm."""

    def __init__(self, fault: str = "", seconds: float = HANG_SECONDS, setup: Trace = (), *,
                 hardened: bool = False, spans: bool = DEFAULTS.spans) -> None:
        self._library = library(fault, spans=spans)
        self._lockstep = JournaledHardened if hardened else JournaledSpans if spans else Journaled
        self._journal = Journal()
        self._seconds = seconds
        self._setup = setup

    def __call__(self) -> Lockstep:
        """A fresh lockstep, in this process."""
        machine = ObservedWithRoom if self._lockstep is JournaledSpans else Observed
        lockstep = self._lockstep(machine(self._library), self._journal)
        taken(lockstep, self._setup)
        self._journal.clear()
        return lockstep

    def rerun(self, trace: Trace) -> Outcome:
        """How the trace goes, in a child."""
        ended = contained(lambda: rerun(trace, self.__call__), self._journal, self._seconds)
        if isinstance(ended, Died):
            return Outcome((self._problem(ended),), len(self._journal.lines()) - 1)
        return ended.value

    def live_lives(self, record: Record, first_seed: int, examples: int, steps: int = STEPS) -> None:
        """Run examples in a child; all is noted in `record`."""
        def live() -> list[Any]:
            live_lives(record, first_seed, examples, steps)
            return [getattr(record, name) for name in SEEN]

        ended = contained(live, self._journal, self._seconds)
        if isinstance(ended, Died):
            record.examples += 1
            record.failure = self._trace(), self._problem(ended)
            return
        for name, value in zip(SEEN, ended.value, strict=True):
            setattr(record, name, value)

    def _trace(self) -> Trace:
        return parse("\n".join(self._journal.lines()))

    def _problem(self, died: Died) -> Problem:
        last = (self._journal.lines() or ["the first step"])[-1]
        return Problem(died.how, f"{last}: {died.words}")
