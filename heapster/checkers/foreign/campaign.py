"""A stranger's allocator, judged: policies first, then cases of every kind until time is up.

After a finding the run goes on: what is harmless to the run is masked by code and verb; of what is not,
most later cases avoid the trigger. So one run lists the distinct faults.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, cycle
from random import Random
from time import monotonic
from typing import NamedTuple

from heapster.checkers.foreign.battery import battery, steady
from heapster.checkers.foreign.judge import Ended, Ending, Judge, Mode, Suspicion, unpacked
from heapster.checkers.foreign.known import FATAL, LEAK, TAKING, UNGUARDED, Known, KnownFaults, traits
from heapster.checkers.foreign.least import fewer_records, least_trace
from heapster.checkers.foreign.policies import Learnt, learn
from heapster.checkers.foreign.precise import Outcome, hurried, run_trace, set_promises
from heapster.checkers.foreign.present import describe, only_taken
from heapster.checkers.foreign.racing import race
from heapster.checkers.foreign.target import VERBS
from heapster.checkers.foreign.traces import PLAIN, Mood, draw_mood, draw_trace, narrowed, tags
from heapster.checkers.foreign.volume import grows
from heapster.model.geometry import is_power_of_two
from heapster.model.operation import NO_HANDLE, Step, Trace, requested
from heapster.model.rules import RULES
from heapster.results import Finding

SECONDS = 20.0                  # if nothing says for how long
MOST_FINDINGS = 16
DOUBTED = 3                     # times that a suspicion is not confirmed, before it is no longer heeded
SHRINK_SECONDS, FIRST_SHRINK_SECONDS = 4.0, 2.5    # the first finding is wanted soon
AVOIDANCE = 0.85                # of cases keep clear of known triggers
MOST_SIZE, LIVE_BUDGET = 1 << 25, 1 << 26
COMPILED_OPS = (300, 3000, 20_000, 150_000, 600_000)
COMPILED_LIMIT = 4000           # ms
LEAST_IN_VOLUME = 128          # bytes of the largest request; if no more is safe, there is none
MOST_REPEATED, LIVE_REPEATED = 1 << 16, 1 << 20 # bytes of a request, and of all that live, where a trace is repeated
CHECKS = (*(rule.code for rule in RULES), "spurious_null", "crash", "hang", LEAK)


class Shown(NamedTuple):
    """A finding and all that is needed to show it again."""

    finding: Finding
    trace: Trace
    repeat: int = 1                 # rounds of the trace
    threads: tuple[int, int, int] = (0, 0, 0)       # how many, operations of each, seed


@dataclass
class Tally:
    """What a campaign has done so far."""

    started: float = field(default_factory=monotonic)
    ops: int = 0
    cases: int = 0
    compiled_ops: int = 0
    compiled_seconds: float = 0.0
    checks: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)


class Campaign:
    """A run against one target."""

    def __init__(self, judge: Judge, seconds: float, seed: int, alignment: int | None = None, threads: int = 0,
                 announce: Callable[[Shown], None] = lambda _: None,
                 progress: Callable[[Tally, int], None] = lambda *_: None, first: Iterable[Trace] = ()) -> None:
        self.judge, self.seconds, self.seed, self.threads = judge, seconds, seed, threads
        self._announce, self._progress, self._first = announce, progress, tuple(first)
        self._rng = Random(seed)
        self.learnt: Learnt = learn(judge, alignment)
        self.promises = self.learnt.promises
        self.tally, self.shown = Tally(), list[Shown]()
        self._known = KnownFaults()
        self._unconfirmed: Counter[Suspicion] = Counter()
        self._level = 0
        self._affordable = COMPILED_OPS[2]
        self.interrupted = False
        room = judge.target.room
        self._most_size = min(MOST_SIZE, room // 4) if room else MOST_SIZE
        self._live_budget = min(LIVE_BUDGET, room // 2) if room else LIVE_BUDGET

    @property
    def late(self) -> bool:
        """Time is up, or enough was found."""
        return monotonic() - self.tally.started > self.seconds or len(self.shown) >= MOST_FINDINGS

    def run(self) -> None:
        """Cases of each kind in turn until time is up."""
        try:
            for kind in chain(self._first_kinds(), cycle(self._kinds())):
                if self.late:
                    return
                kind()
                self._progress(self.tally, len(self.shown))
        except KeyboardInterrupt:
            self.interrupted = True

    def _first_kinds(self) -> Iterator[Callable[[], None]]:
        for trace in chain(self._first, battery(self.judge.target.verbs, self._most_size, self.judge.target.room)):
            yield partial(self.judge_trace, trace)
        for trace in steady(self.judge.target.verbs):
            yield partial(self.repeat_trace, trace)
        if self.threads > 1:
            yield self._threads_case

    def _kinds(self) -> Iterator[Callable[[], None]]:
        yield from [self._precise_case] * 12
        yield self._compiled_case
        yield from [self._precise_case] * 12
        yield self._compiled_case
        yield self._volume_case
        if self.threads > 1:
            yield from [self._threads_case] * 2

    # One trace, judged step by step.

    def _precise_case(self) -> None:
        mood = self._mood()
        trace = draw_trace(self._rng, mood, self._most_size, self._live_budget)
        self.judge_trace(trace)

    def _bearable(self, trace: Trace) -> Trace:
        """The trace with numbers that the target can be told, without what its policy is to abort at."""
        if self.judge.target.bits == 32:
            trace = tuple(step._replace(numbers=tuple(map(narrowed, step.numbers))) for step in trace)
        return tuple(step for step in trace if self._is_bearable(step))

    def _is_bearable(self, step: Step) -> bool:
        """Whether it is neither what the target's policy is to abort at or to take, nor a NULL that ends all."""
        if step.operand == NO_HANDLE and step.verb in TAKING:
            return not self._known.ends_at_null(step.verb)
        if self.learnt.aborts_huge and "huge" in tags((step,)):
            return False
        takes_any = step.verb in ("aligned_alloc", "memalign") and not self.promises.bad_alignment
        return not takes_any or is_power_of_two(step.numbers[0])

    def _mood(self) -> Mood:
        """A mood that mostly keeps clear of what is known to fail fatally."""
        verbs = self.judge.target.verbs
        for _ in range(8):
            mood = draw_mood(self._rng, verbs, self._most_size)
            if self._rng.random() > AVOIDANCE or not self._known.provoked_by(mood):
                return mood
        return mood

    def judge_trace(self, trace: Trace) -> None:
        """Run a trace, as far as it is bearable, and pursue what is wrong with it."""
        trace = self._bearable(trace)
        if not trace or self._known.hangs(trace) and self._rng.random() < AVOIDANCE:
            return
        outcome = run_trace(self.judge, trace, self.promises, self._known.masked)
        self.tally.cases += 1
        self.tally.ops += outcome.steps
        self.tally.checks.update(dict.fromkeys(CHECKS[:-1], outcome.steps))
        if outcome.reasons:
            self._pursue(only_taken(trace, outcome), outcome)

    def _pursue(self, trace: Trace, outcome: Outcome) -> None:
        code, verb = outcome.code, trace[-1].verb
        if self._known.again(code, verb, traits(trace, outcome)) or self._known.leaked_away(code, trace):
            self.tally.duplicates[code] += 1
            return
        left = self.seconds - (monotonic() - self.tally.started)
        most = SHRINK_SECONDS if self.shown else FIRST_SHRINK_SECONDS
        least = least_trace(self.judge, trace, outcome, self.promises, self._known.masked, min(most, 2 + left))
        with hurried(self.judge) if outcome.hung else nullcontext():     # what was claimed with patience
            self._report(least, code)

    def _report(self, trace: Trace, code: str) -> None:
        outcome = run_trace(self.judge, trace, self.promises, self._known.masked)
        if outcome.code != code:
            return                          # it does not fail each time: nothing is claimed
        trace = only_taken(trace, outcome)
        known = Known(code, trace[-1].verb, traits(trace, outcome), outcome.hung)
        if self._known.same_shape(known):
            self._known.add(known)
            self.tally.duplicates[code] += 1
            return
        finding = self._blame_usable_size(describe(self.judge, trace, self.promises, self._known.masked), trace)
        self._add(Shown(finding, trace), known._replace(code=finding.code))

    def _add(self, shown: Shown, known: Known) -> None:
        self.shown.append(shown)
        self._known.add(known)
        header = self.judge.header
        header.guarded = min(header.guarded, UNGUARDED.get(known.code, header.guarded))
        self._announce(shown)

    def _blame_usable_size(self, finding: Finding, trace: Trace) -> Finding:
        """If the fault is gone where nobody writes to what is usable, the usable size is to blame."""
        header = self.judge.header
        bit = 1 << 10
        if finding.code not in FATAL or not header.has & bit or tags(trace) & {"free", "realloc", "reallocarray"}:
            return finding                  # given back blocks may be damaged in other ways
        header.has &= ~bit
        if run_trace(self.judge, trace, self.promises, self._known.masked).code in ("", "usable_too_small"):
            return replace(finding, code="usable_too_large", details=(
                finding.details[0].partition(";")[0], f"it shows as {finding.code}, and only if usable bytes are used"))
        header.has |= bit
        return finding

    # Compiled operations in great number.

    def _compiled_case(self) -> None:
        most = min(self._known.most_in_volume(), self._most_size)
        if most < LEAST_IN_VOLUME:
            return                          # it would show the same again and again
        header = self.judge.header
        set_promises(self.judge, self.promises)
        ops = COMPILED_OPS[min(self._level, len(COMPILED_OPS) - 1)]
        self._level += self._rng.random() < 0.5
        if self._level >= len(COMPILED_OPS):
            self._level = self._rng.randrange(len(COMPILED_OPS))
        header.seed = self._rng.getrandbits(63)
        header.masked = self._suspicions_masked()
        header.verbs = self._compiled_verbs()
        header.most_live = 1 << self._rng.randint(4, 13)
        header.most_size = most
        header.live_budget = self._live_budget
        ending = self._timed(ops)
        self.tally.checks.update(dict.fromkeys(CHECKS[:-1], ending.done_ops))
        if ending.died or ending.suspicion:
            self._pursue_compiled(ending)

    def _timed(self, most: int) -> Ending:
        """A run of at most so many operations, and no more than the target does in a second."""
        started = monotonic()
        with self.judge.limited(COMPILED_LIMIT):
            ending = self.judge.run(Mode.GENERATE, min(most, self._affordable))
        seconds = monotonic() - started
        self.tally.ops += ending.done_ops
        self.tally.compiled_ops += ending.done_ops
        self.tally.compiled_seconds += seconds
        self.tally.cases += 1
        self._affordable = max(COMPILED_OPS[0], round(ending.done_ops / max(seconds, 0.02)))
        return ending

    def _suspicions_masked(self) -> int:
        doubted = {suspicion for suspicion, times in self._unconfirmed.items() if times >= DOUBTED}
        return sum(1 << suspicion for suspicion in self._known.suspicions() | doubted)

    def _compiled_verbs(self) -> int:
        names = VERBS[:8]
        rare = [n for n, verb in enumerate(names) if verb in self.judge.target.verbs]
        chosen = [n for n in rare if self._rng.random() < 0.5] if self._rng.random() < 0.7 else rare
        bad = {verb for known in self._known.in_volume() for verb in known.tags - PLAIN}
        return sum(1 << n for n in {0, *chosen} if names[n] not in bad)

    def _pursue_compiled(self, ending: Ending) -> None:
        """Fewer operations until the precise engine can say what is wrong."""
        records = self.judge.records(ending.current + 1)
        if ending.ended is Ended.TIMED_OUT:             # perhaps it is only slow
            with self.judge.limited(2 * COMPILED_LIMIT):
                again = self.judge.run(Mode.FAST, self.judge.set_records(records))
            if not again.died:
                return
        records = fewer_records(self.judge, records, ending.suspicion, ending.died, SHRINK_SECONDS)
        trace = tuple(unpacked(records))
        outcome = run_trace(self.judge, trace, self.promises, self._known.masked)
        if outcome.reasons:
            self._pursue(only_taken(trace, outcome), outcome)
        elif not ending.died:
            self._unconfirmed[ending.suspicion] += 1

    # The same work over and over.

    def _volume_case(self) -> None:
        mood = self._mood()._replace(huge=False, refusals=False, zero=False, length=self._rng.choice((4, 10, 40)))
        mood = mood._replace(verbs=mood.verbs - self._known.leaking())
        most = min(max(LEAST_IN_VOLUME, self._known.most_in_volume()), self._most_size, MOST_REPEATED)
        self.repeat_trace(draw_trace(self._rng, mood, most, min(self._live_budget, LIVE_REPEATED)))

    def repeat_trace(self, trace: Trace) -> None:
        """Take the steps over and over, and tell if that takes ever more memory, where it is not known to."""
        most = min(self._known.most_in_volume(), self._most_size)
        if max(map(requested, trace), default=0) > most or self._known.leaks(trace):
            return
        set_promises(self.judge, self.promises)
        grown, ops = grows(self.judge, trace, SHRINK_SECONDS)
        self.tally.ops += ops
        self.tally.cases += 1
        self.tally.checks[LEAK] += ops
        if grown is None:
            return
        known = Known(LEAK, grown.trace[-1].verb, tags(grown.trace))
        if self._known.same_shape(known):
            self._known.add(known)
            self.tally.duplicates[LEAK] += 1
        else:
            self._add(Shown(grown.finding, grown.trace, grown.repeat), known)

    # Threads.

    def _threads_case(self) -> None:
        if self._known.in_volume() or any(known.code.startswith("race") for known in self._known.all):
            return
        set_promises(self.judge, self.promises)
        self.judge.header.masked = self._suspicions_masked()
        self.judge.header.most_size = min(self._most_size, 40_000)
        found, ops = race(self.judge, self.threads, self._rng.getrandbits(40), self.promises)
        self.tally.ops += ops
        self.tally.cases += 1
        self.tally.checks["race"] += ops
        if found is not None:
            self._add(Shown(found.finding, (), 1, found.threads), Known(found.finding.code, "", frozenset()))
