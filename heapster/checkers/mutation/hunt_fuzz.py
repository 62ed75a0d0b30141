"""Planted faults hunted by the fuzzer: who catches what, and how short a trace shows it."""

from collections.abc import Iterable
from dataclasses import dataclass

from heapster.checkers.fuzz.campaign import SEED_STRIDE, FuzzOptions, smallest
from heapster.checkers.fuzz.stateful import Record, live_lives
from heapster.checkers.lockstep.run_trace import on_source, rerun
from heapster.checkers.mutation.fault import Fault, planted
from heapster.checkers.mutation.fuzz_faults import FAULTS
from heapster.model.trace import format_steps

MOST_BATCHES = 60               # of examples, before a fault counts as missed
EXAMPLES = 10
ATTEMPTS = 4


@dataclass(frozen=True)
class Kill:
    """How a planted fault was found; no codes and no trace if it was not."""

    fault: Fault
    codes: tuple[str, ...] = ()         # of all that was wrong at the failing step
    trace: tuple[str, ...] = ()

    @property
    def as_expected(self) -> bool:
        """Whether the check that must catch the fault did."""
        return self.fault.caught_by in self.codes


def hunt(fault: Fault, seed: int = 0) -> Kill:
    """Fuzz the faulty source until the check that must catch the fault does, and shrink.

    What generation draws depends on the modules that are loaded; where a trace stays long, other seeds
    are tried, and the shortest is kept.
    """
    kills: list[Kill] = []
    for attempt in range(ATTEMPTS):
        kills.append(_hunt_from(fault, seed + attempt * SEED_STRIDE))
        if kills[-1].as_expected and len(kills[-1].trace) <= fault.steps:
            break
    return min(kills, key=lambda kill: (not kill.as_expected, len(kill.trace)))


def _hunt_from(fault: Fault, seed: int) -> Kill:
    options = FuzzOptions()
    record = Record(on_source(planted(fault)), options.policies, options.arenas, options.faults)
    kill = Kill(fault)
    for batch in range(MOST_BATCHES):
        live_lives(record, seed + batch, EXAMPLES)
        if record.failure:
            kill = _kill(fault, record, seed)
            if kill.as_expected:
                break
            record.failure = None
    return kill


def _kill(fault: Fault, record: Record, seed: int) -> Kill:
    """The recorded failure; shrunk, if the check that must catch the fault is among those that did."""
    assert record.failure is not None
    trace, problem = record.failure
    if fault.caught_by in rerun(trace, record.make).codes:
        record.failure = trace, problem._replace(code=fault.caught_by)
        trace = smallest(record, seed).trace
    return Kill(fault, rerun(trace, record.make).codes, format_steps(trace))


def chosen(words: Iterable[str]) -> tuple[Fault, ...]:
    """The faults whose titles or modules hold one of the words; all, if there are none."""
    wanted = tuple(words)
    return tuple(fault for fault in FAULTS
                 if not wanted or any(word in fault.title or word == fault.module for word in wanted))
