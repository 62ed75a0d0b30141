"""Planted faults hunted by the fuzzer: who catches what, and how short a trace shows it."""

from heapster.checkers.fuzz.campaign import SEED_STRIDE, FuzzOptions, smallest
from heapster.checkers.fuzz.stateful import Record, live_lives
from heapster.checkers.lockstep.run_trace import on_source, rerun
from heapster.checkers.mutation.fault import BY_SPANS, Fault, Kill, planted
from heapster.model.trace import format_steps

MOST_BATCHES = 60               # of examples, before a fault counts as missed
EXAMPLES = 10
ATTEMPTS = 4
STEPS = 8                       # of a trace that shows a fault, unless the fault says otherwise


def is_short(kill: Kill) -> bool:
    """Whether the trace that shows the fault has no more steps than it may."""
    return len(kill.shown) <= (kill.fault.budget or STEPS)


def hunt(fault: Fault, seed: int = 0) -> Kill:
    """Fuzz the faulty source until the check that must catch the fault does, and shrink.

    What generation draws depends on the modules that are loaded; where a trace stays long, other seeds
    are tried, and the shortest is kept.
    """
    kills: list[Kill] = []
    for attempt in range(ATTEMPTS):
        kills.append(_hunt_from(fault, seed + attempt * SEED_STRIDE))
        if kills[-1].as_expected and is_short(kills[-1]):
            break
    return min(kills, key=lambda kill: (not kill.as_expected, len(kill.shown)))


def _hunt_from(fault: Fault, seed: int) -> Kill:
    options = FuzzOptions()
    make = on_source(planted(fault), spans=fault.by == BY_SPANS)
    record = Record(make, options.policies, options.arenas, options.faults)
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

