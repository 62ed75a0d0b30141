"""The same work over and over, to see whether the memory it takes comes to rest."""

from typing import NamedTuple

from heapster.checkers.blackbox.codes import usual_cause
from heapster.checkers.blackbox.confirming import confirm
from heapster.checkers.blackbox.describe import identity
from heapster.checkers.blackbox.judge import Ending, Judge
from heapster.checkers.blackbox.protocol import Mode, Suspicion
from heapster.checkers.fuzz.shrink import Shrunk, shrink
from heapster.checkers.growth import MARKS, steady_growth
from heapster.model.operation import Trace
from heapster.model.trace import format_steps
from heapster.results import Finding
from heapster.wording import counted

OPS = 60_000                    # of a run
LEAST_GROWTH = 1 << 18          # bytes from the first quarter to the end, below which nothing is said
LEAST_SAMPLES = 16              # of the footprint, to tell growth from a warm-up
LIMIT = 2000                    # ms; what is slower says nothing
REPLAYS = 60                    # short traces, as a rule
LONGER = 3                      # times: a run that confirms


class Growth(NamedTuple):
    """Work under which the footprint grows without bound."""

    finding: Finding
    trace: Trace
    repeat: int


class _Seen(NamedTuple):
    grown: int                  # bytes, 0 if it came to rest
    failed_round: int           # the round in which NULL was answered, or 0
    ops: int
    judged: bool                # whether it was enough to tell


class Looked(NamedTuple):
    """What came of work over and over."""

    growth: Growth | None
    ops: int                    # that it took
    judged: bool                # whether growth would have been seen


def grows(judge: Judge, trace: Trace, replays: int = REPLAYS) -> Looked:
    """What grows under the trace, if anything does, shrunk and confirmed."""
    rounds = max(200, OPS // (2 * len(trace)))
    first = _look(judge, trace, rounds)
    if not _is_bad(first):
        return Looked(None, first.ops, first.judged)
    longer = _look(judge, trace, rounds * LONGER)
    if not _is_bad(longer) or not longer.failed_round and longer.grown < 2 * first.grown:
        return Looked(None, first.ops + longer.ops, longer.judged)

    def fails(candidate: Trace) -> bool:
        return _is_bad(_look(judge, candidate, max(rounds, OPS // (2 * len(candidate)))))

    least = shrink(trace, fails, replays)
    rounds = max(rounds, OPS // (2 * len(least.trace)))
    return Looked(_describe(judge, least, rounds), first.ops + longer.ops, judged=True)


def still_grows(judge: Judge, trace: Trace, rounds: int, least: int = LEAST_GROWTH) -> bool:
    """Whether that many rounds still take ever more memory, at least so many bytes."""
    return _is_bad(_look(judge, trace, rounds, least))


def _is_bad(seen: _Seen) -> bool:
    return seen.grown > 0 or seen.failed_round > 0


def _look(judge: Judge, trace: Trace, rounds: int, least: int = LEAST_GROWTH) -> _Seen:
    header = judge.header
    header.masked, header.repeat = (1 << 64) - 1, rounds
    with judge.limited(LIMIT):
        ending = judge.run(Mode.VOLUME, judge.set_steps(trace))
    return _Seen(growth(judge, ending, least), _failed(judge, ending), ending.done_ops * len(trace),
                 is_judged(judge, ending))


def _failed(judge: Judge, ending: Ending) -> int:
    return judge.header.code if not ending.died and ending.suspicion is Suspicion.NULL else 0


def is_judged(judge: Judge, ending: Ending) -> bool:
    """Whether a run went on for long enough that growth would have been seen."""
    return not ending.died and judge.header.samples >= LEAST_SAMPLES


def growth(judge: Judge, ending: Ending, least: int = LEAST_GROWTH) -> int:
    """Bytes by which the footprint grew from the first quarter on, if each part of the run did its own."""
    if not is_judged(judge, ending):
        return 0
    samples = judge.header.footprint[:judge.header.samples]
    return steady_growth([samples[len(samples) * mark // 8 - 1] for mark in MARKS], least)


def _describe(judge: Judge, least: Shrunk, rounds: int) -> Growth | None:
    trace = least.trace
    if not _is_bad(_look(judge, trace, rounds)):
        return None
    confirmed = confirm(judge, lambda other: still_grows(other, trace, rounds), brief=True)
    steps = (f"# {rounds} rounds of these, all that is left freed after each", *format_steps(trace))
    name, code = judge.target.name, "memory_never_returned"
    found = identity(name, code, steps[1:])
    return Growth(Finding(found, code, _title(_look(judge, trace, rounds), rounds), steps, f"heapster replay {found}",
                          len(trace), len(trace), shrunk=least.at_rest,
                          details=(f"{confirmed.words}; usual cause: {usual_cause(code)}",)), trace, rounds)


def _title(seen: _Seen, rounds: int) -> str:
    if seen.failed_round:
        return f"in round {seen.failed_round + 1:,} of the same work, with nothing live before it, NULL is answered"
    each = max(1, seen.grown * 4 // (3 * rounds))
    return f"{rounds:,} rounds of the same work took ever more memory: about {counted(each, 'byte')} more in each"
