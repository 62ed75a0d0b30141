"""A stranger's allocator, judged: policies first, then cases of every kind until time is up.

After a finding the run goes on: what is harmless to the run is masked by code and verb; of what is not,
most later cases leave out a part of the trigger, each another. So one run lists the distinct faults.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import chain, count
from random import Random

from heapster.checkers.blackbox.counting import Counts
from heapster.checkers.blackbox.describe import only_taken
from heapster.checkers.blackbox.explaining import Explainer
from heapster.checkers.blackbox.forking import forks_beside
from heapster.checkers.blackbox.generations import threads_lose
from heapster.checkers.blackbox.generator import BUCKETS, PLAIN, Mood, draw_mood, draw_trace, narrowed, tags
from heapster.checkers.blackbox.guided import widened
from heapster.checkers.blackbox.guiding import Guiding
from heapster.checkers.blackbox.judge import Ending, Judge, unpacked
from heapster.checkers.blackbox.known_faults import LEAK, UNGUARDED, Known, suspected
from heapster.checkers.blackbox.mapped import TwinJudge
from heapster.checkers.blackbox.probing import Learnt, learn
from heapster.checkers.blackbox.protocol import Ended, Mode, Suspicion
from heapster.checkers.blackbox.pursuit import Pursuit, Shown
from heapster.checkers.blackbox.racing import Race, race
from heapster.checkers.blackbox.root_cause import is_same_fault
from heapster.checkers.blackbox.schedule import WHOLE, Case, CaseKind, CasePart, Clock, Schedule
from heapster.checkers.blackbox.seed_corpus import basics, extremes, steady
from heapster.checkers.blackbox.shrink import cost, fewer_records
from heapster.checkers.blackbox.stepwise import hurried, run_trace, set_promises
from heapster.checkers.blackbox.tally import Tally
from heapster.checkers.blackbox.volume import OPS as REPEATED_OPS
from heapster.checkers.blackbox.volume import grows
from heapster.model.geometry import is_power_of_two
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import REQUESTS, STATING, TAKING, bits, requested
from heapster.results import Finding

SECONDS = 20.0                  # of processor time, if nothing says how much
MOST_FINDINGS = 16
DOUBTED = 3                     # times that a suspicion is not confirmed, before it is no longer heeded
AVOIDANCE = 0.85                # of cases keep clear of known triggers; the rest try again what is masked
UNAVOIDED = 0.15                # of cases that would, but cannot
MOST_SIZE, LIVE_BUDGET = 1 << 25, 1 << 26
MOST_COMPILED = 1 << 20         # bytes of the largest request
COMPILED_CALLS = (*(verb for verb, kind in REQUESTS.items() if kind != "pages"), *sorted(STATING))    # besides free
COMPILED_OPS = (300, 3000, 20_000, 150_000, 600_000)
COMPILED_LIMIT, COMPILED_SPENDS = 4000, 600        # ms: when it hangs, and when it is enough
MOST_REPEATED, LIVE_REPEATED = 1 << 16, 1 << 20 # bytes of a request, and of all that live, where a trace is repeated
REPLAYS_A_SECOND = 100          # of a run, that all traces which stay long may take to be shrunk
PRECISE_WORK, OPS_A_WORK = 2.0, 1500    # of a short trace; compiled operations for each unit
THREADS_WORK = 150.0
LEAST_OBSERVED = 0.5            # seconds: in less, compiling the instrumented twin would be all that is done
COMPILED_LATER, REPEATED_LATER = 40.0, 24.0     # work that counts as done: of a slow target each takes a second, and
EXTREMES_LATER = 120.0          # many short cases come first; what programs do comes before what tries the limits
GUIDED_LATER = 150.0            # work that counts as done: short runs do not compile for a guide that they hardly use

ThreadsCase = tuple[str, tuple[str, ...], Callable[[Judge, int, int], tuple[Race | None, int]]]
THREADS: tuple[ThreadsCase, ...] = (        # what is counted, the codes after which it shows no more, and who does it
    ("race", ("race",), race), ("threads_that_come_and_go", ("race", LEAK), threads_lose),
    ("fork", ("race", "fork"), forks_beside))


class Campaign:
    """A run against one target."""

    def __init__(self, judge: Judge, seconds: float, seed: int, alignment: int | None = None, threads: int = 0,
                 progress: Callable[[Tally, int], None] = lambda *_: None, first: Iterable[Trace] = (),
                 *, lines: bool = False, guiding: Guiding | None = None, part: CasePart = WHOLE) -> None:
        self.judge, self.seconds, self.seed, self.threads = judge, seconds, seed, threads
        self._progress, self._part, self._first = progress, part, tuple(part.of(first))
        self.explainer: Explainer | None = None
        self.guiding = guiding
        self.noticed: Callable[[Shown], None] = lambda _: None         # told of each, before its line is looked for
        self._clock = Clock(judge, self._beside)
        self.learnt: Learnt = learn(judge, alignment)
        self.promises = self.learnt.promises
        self.counts = Counts(judge.target, self.promises)
        self.tally, self.shown = Tally(), list[Shown]()
        self._pursuit = Pursuit(judge, self.learnt, REPLAYS_A_SECOND * seconds)
        self._known = self._pursuit.known
        self._keeps_all = "free" not in judge.target.verbs         # a bump allocator: no block comes back
        if self._keeps_all:
            for verb in REQUESTS:
                self._known.add(Known("spurious_null", verb, frozenset()))
        self.tally.duplicates = self._pursuit.duplicates
        self._pursued = self._explained = 0.0       # seconds; the latter are some of the former
        self._unconfirmed: Counter[Suspicion] = Counter()
        self.interrupted = False
        self.threads_idle: dict[str, str] = {}      # why a check of threads was passed over
        room = judge.target.room
        self._most_size = min(MOST_SIZE, room // 4) if room else MOST_SIZE
        self._live_budget = min(LIVE_BUDGET, room // 2) if room else LIVE_BUDGET
        if lines:
            self.explainer = Explainer(judge.target, self.promises, judge, seconds, self._clock.stopped)
        self.schedule = Schedule(self._kinds(), lambda: self._clock.spent() - self._pursued, lambda: self.tally.ops,
                                 seconds)

    def _beside(self) -> float:
        """Seconds that were worked for the campaign under other judges."""
        return (self.explainer.spent if self.explainer else 0.0) + (self.guiding.spent if self.guiding else 0.0)

    @property
    def late(self) -> bool:
        """Time is up, or enough was found."""
        return self._spent() > self.seconds or len(self.shown) >= MOST_FINDINGS

    def _spent(self) -> float:
        """Seconds of its own: lines are looked for in others, up to a bound."""
        own = min(self._explained, self.explainer.own_seconds) if self.explainer else 0.0
        return self._clock.spent() - own

    def found(self) -> Generator[Shown, None, None]:
        """Cases of each kind in turn until time is up: what they show, as soon as they do."""
        told = 0
        try:
            for _ in self._cases():
                yield from self.shown[told:]
                told = len(self.shown)
                self.tally.spent = self._spent()
                self._progress(self.tally, told)
        except KeyboardInterrupt:
            self.interrupted = True
            yield from self.shown[told:]
        finally:
            if self.explainer:
                self.explainer.close()

    def _cases(self) -> Iterator[None]:
        for trace in self._first:
            self.judge_trace(trace)
            yield
        while not self.late and self.take_turn():
            yield

    def take_turn(self) -> bool:
        """Run the case whose turn it is; whether there was one."""
        turn = self.schedule.turn()
        if turn is None:
            return False
        kind, case = turn
        with self.schedule.counted(kind):
            kind.work += case()
        return True

    def _kinds(self) -> Iterator[CaseKind]:
        verbs, most = self.judge.target.verbs, self._most_size
        yield CaseKind("basics", 20, self._given(basics(verbs, most)))
        if self.guiding is None or not self.guiding.can_be:
            yield CaseKind("random", 35, self._drawn("random", self._precise_case))
        else:
            asked = self.guiding.is_asked_for
            yield CaseKind("random", 15 if asked else 25, self._drawn("random", self._precise_case))
            yield CaseKind("guided", 20 if asked else 10, self._guided(self.guiding), 0 if asked else GUIDED_LATER)
        yield CaseKind("compiled", 20, self._drawn("compiled", self._compiled_case), COMPILED_LATER)
        if not self._keeps_all:
            work = (partial(self.repeat_trace, trace) for trace in self._part.of(steady(verbs)))
            yield CaseKind("repeated", 12, chain(work, self._drawn("repeated", self._volume_case)), REPEATED_LATER)
        yield CaseKind("extremes", 10, self._given(extremes(verbs, most, self.judge.target.room)), EXTREMES_LATER)
        with self._clock.stopped():         # compiling takes as long as the target is large
            twin = self.explainer.twin() if self.explainer and self.seconds >= LEAST_OBSERVED else None
        if self.explainer and twin and twin.target.instrumented:
            mapped = TwinJudge(twin, self.explainer, self.promises, self._show, self._pursue, self._hand_over,
                               self._explaining)
            given = self._part.of(basics(verbs, most))
            traces = (partial(mapped.judge_trace, self._bearable(trace)) for trace in given)
            yield CaseKind("instrumented", 8, chain(traces, self._drawn("instrumented", self._mapped_case(mapped))))
        if self.threads > 1:
            yield CaseKind("threads", 20, self._drawn("threads", self._threads_case))

    def _given(self, traces: Iterator[Trace]) -> Iterator[Case]:
        return (partial(self.judge_trace, trace) for trace in self._part.of(traces))

    def _drawn(self, name: str, case: Callable[[Random, int], float]) -> Iterator[Case]:
        """Cases that depend on seed, kind and number: what others draw, or how many there are, is all one to them."""
        return (partial(case, Random(f"{self.seed} {name} {number}"), number) for number in self._part.of(count()))

    def _show_found(self) -> None:
        while self._pursuit.found:
            self._show(self._pursuit.found.pop(0))

    def _show(self, shown: Shown) -> None:
        if self.explainer and shown.finding.place is None:
            self.noticed(shown)
            with self._explaining():
                shown = shown._replace(finding=self.explainer.explained(shown))
        header = self.judge.header
        header.guarded = min(header.guarded, UNGUARDED.get(shown.finding.code, header.guarded))
        if self._is_of_a_known_line(shown.finding) or self._is_of_the_stub(shown.trace):
            self.tally.duplicates[shown.finding.code] += 1
            return
        self.shown.append(shown)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Count what is done meanwhile as looking for lines."""
        before = self._clock.spent()
        try:
            yield
        finally:
            self._explained += self._clock.spent() - before

    def _is_of_a_known_line(self, finding: Finding) -> bool:
        """Whether one line is to blame for it and for another: then that shows in another way."""
        is_mended = self.explainer is not None and self.explainer.is_known
        return is_mended or any(is_same_fault(finding, other.finding) for other in self.shown)

    def _is_of_the_stub(self, trace: Trace) -> bool:
        """Whether it needs a realloc that is none, as another does that is shown."""
        both = (trace, tuple(step for one in self.shown for step in one.trace))
        return bool(self.learnt.stub) and all(any(step.verb == "realloc" for step in steps) for steps in both)

    def _pursue(self, pursue: Callable[[], None]) -> None:
        """Pursue a failure; the time that this takes is not the kind's."""
        before = self._clock.spent()
        try:
            pursue()
            self._show_found()
        finally:
            self._pursued += self._clock.spent() - before

    # One trace, judged step by step.

    def _precise_case(self, rng: Random, number: int) -> float:
        del number
        mood = draw_mood(rng, self.judge.target.verbs, self._most_size)
        mood = self._clear(mood, rng) or mood
        return self.judge_trace(draw_trace(rng, mood, self._live_budget))

    def _guided(self, guiding: Guiding) -> Iterator[Case]:
        """The traces of the corpus, and what comes of them; judged where edges are told, pursued where all else is."""
        guidance = guiding.opened()
        if guidance is None:
            return
        any_mood = draw_mood(Random(0), self.judge.target.verbs, self._most_size)

        def judge(trace: Trace, *, given: bool) -> float:
            guidance.judge.learn_from(self.judge)
            return self.judge_trace(trace, guidance.judge, lambda taken: guidance.note(taken, given=given))

        def draw(rng: Random, number: int) -> float:
            del number
            mood = widened(draw_mood(rng, self.judge.target.verbs, self._most_size), self.judge.target.verbs)
            return judge(guidance.draw(rng, self._clear(mood, rng) or mood, self._live_budget), given=False)

        given = self._part.of(guidance.given(any_mood, self._live_budget))
        yield from (partial(judge, trace, given=True) for trace in given)
        yield from self._drawn("guided", draw)

    def _clear(self, mood: Mood, rng: Random) -> Mood | None:
        """A mood that mostly keeps clear of what is known to fail fatally; mostly None if none can."""
        if rng.random() > AVOIDANCE:
            return mood
        return self._known.clear_of(mood, rng) or (mood if rng.random() < UNAVOIDED else None)

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

    def judge_trace(self, trace: Trace, judge: Judge | None = None,
                    note: Callable[[Trace], None] = lambda _: None) -> float:
        """Run a trace, as far as it is bearable, here or under another judge; note it, and pursue what is wrong."""
        trace = self._bearable(trace)
        if not trace:
            return 1
        judge = judge or self.judge
        with hurried(judge) if self._known.hangs(trace) else nullcontext():
            outcome = run_trace(judge, trace, self.promises, self._known.masked)
        note(trace)
        self.tally.cases += 1
        self.tally.ops += outcome.steps
        self.counts.note_steps(outcome)
        if outcome.reasons:
            self._pursue(lambda: self._pursuit.pursue(only_taken(trace, outcome), outcome))
        return PRECISE_WORK * cost(trace)

    # Compiled operations in great number.

    def _compiled_case(self, rng: Random, number: int) -> float:
        mood = self._clear(self._compiled_mood(rng), rng)
        if mood is None:
            return 1                        # it would show the same again and again
        set_promises(self.judge, self.promises)
        header = self.judge.header
        last = len(COMPILED_OPS) - 1
        ops = COMPILED_OPS[number // 2 if number < 2 * last else rng.randint(0, last)]
        header.seed = rng.getrandbits(63)
        header.masked = masked = self._suspicions_masked()
        header.verbs = bits(mood.verbs)
        header.least_size, header.most_size = mood.least, mood.most
        header.most_live, header.live_budget = 1 << rng.randint(4, 13), self._live_budget
        ending = self._compiled(ops)
        self.counts.note_compiled(self.judge.calls(), suspected(masked))
        if ending.died or ending.suspicion:
            self._pursue(lambda: self._pursue_compiled(ending))
        return PRECISE_WORK + ops / OPS_A_WORK

    def _compiled(self, most: int) -> Ending:
        """A run of at most so many operations, and no longer than is enough of a slow target."""
        started, header = self._clock.spent(), self.judge.header
        header.spend_ms = COMPILED_SPENDS
        with self.judge.limited(COMPILED_LIMIT):
            ending = self.judge.run(Mode.GENERATE, most)
        self.judge.header.spend_ms = 0
        self.tally.ops += ending.done_ops
        self.tally.compiled_ops += ending.done_ops
        self.tally.compiled_seconds += self._clock.spent() - started
        self.tally.cases += 1
        return ending

    def _suspicions_masked(self) -> int:
        doubted = {suspicion for suspicion, times in self._unconfirmed.items() if times >= DOUBTED}
        return sum(1 << suspicion for suspicion in self._known.suspicions() | doubted)

    def _compiled_mood(self, rng: Random) -> Mood:
        """Some of the functions, more often all, and sizes of every kind."""
        has = self.judge.target.verbs
        some = rng.random() < 0.7
        verbs = frozenset(verb for verb in COMPILED_CALLS if verb in has and (not some or rng.random() < 0.5))
        return Mood(verbs | PLAIN, tuple(range(len(BUCKETS))), zero=False, huge=False, refusals=False, length=0,
                    most=min(MOST_COMPILED, self._most_size))

    def _pursue_compiled(self, ending: Ending) -> None:
        """Fewer operations until the precise engine can say what is wrong."""
        records = self.judge.records(ending.current + 1)
        if ending.ended is Ended.TIMED_OUT:             # perhaps it is only slow
            with self.judge.limited(2 * COMPILED_LIMIT):
                again = self.judge.run(Mode.FAST, self.judge.set_records(records))
            if not again.died:
                return
        records = fewer_records(self.judge, records, ending)
        trace = tuple(unpacked(records))
        outcome = run_trace(self.judge, trace, self.promises, self._known.masked)
        if outcome.reasons:
            self._pursuit.pursue(only_taken(trace, outcome), outcome)
        elif not ending.died:
            self._unconfirmed[ending.suspicion] += 1

    # On the instrumented twin, held to the map of whose each byte is.

    def _mapped_case(self, mapped: TwinJudge) -> Callable[[Random, int], float]:
        def case(rng: Random, number: int) -> float:
            mood = self._clear(draw_mood(rng, self.judge.target.verbs, self._most_size), rng)
            if mood is None:
                return 1
            self.tally.cases += 1
            if number % 2:
                return mapped.judge_trace(self._bearable(draw_trace(rng, mood, self._live_budget)))
            verbs = bits(self._compiled_mood(rng).verbs)
            most = min(self._most_size, MOST_COMPILED)
            ops = mapped.judge_generated(rng.getrandbits(63), verbs, most, self._live_budget)
            self.tally.ops += ops
            return PRECISE_WORK + 4 * ops / OPS_A_WORK
        return case

    def _hand_over(self, trace: Trace) -> bool:
        """Judge a trace that fails on the twin; whether it fails here too, and was pursued."""
        outcome = run_trace(self.judge, trace, self.promises)
        if outcome.reasons:
            self.judge_trace(trace)
        return bool(outcome.reasons)

    # The same work over and over.

    def _volume_case(self, rng: Random, number: int) -> float:
        del number
        mood = draw_mood(rng, self.judge.target.verbs, min(self._most_size, MOST_REPEATED))
        mood = mood._replace(huge=False, refusals=False, zero=False, length=rng.choice((4, 10, 40)),
                             verbs=mood.verbs - self._known.leaking())
        clear = self._clear(mood, rng)
        if clear is None:
            return 1
        return self.repeat_trace(draw_trace(rng, clear, min(self._live_budget, LIVE_REPEATED)))

    def repeat_trace(self, trace: Trace) -> float:
        """Take the steps over and over, and tell if that takes ever more memory, where it is not known to."""
        if max(map(requested, trace), default=0) > self._most_size or self._known.leaks(trace):
            return 1
        set_promises(self.judge, self.promises)
        grown, ops, judged = grows(self.judge, trace)
        self.tally.ops += ops
        self.tally.cases += 1
        self.tally.checks[LEAK] += ops * judged
        if grown is not None:
            known = Known.of(LEAK, grown.trace, tags(grown.trace))
            if self._known.same_shape(known):
                self._pursuit.repeated(known)
            else:
                self._pursuit.add(Shown(grown.finding, grown.trace, grown.repeat), known)
                self._show_found()
        return PRECISE_WORK + REPEATED_OPS / OPS_A_WORK

    # Threads.

    def _threads_case(self, rng: Random, number: int) -> float:
        check, settled, try_it = THREADS[number % len(THREADS)]
        mood = self._compiled_mood(rng)
        if in_the_way := self._in_the_way(mood, settled):
            self.threads_idle[check] = f"{', '.join(in_the_way)}, which is known, would show again"
            return 1
        set_promises(self.judge, self.promises)
        self.judge.header.masked = self._suspicions_masked()
        found, ops = try_it(self.judge, self.threads, rng.getrandbits(40))
        self.tally.ops += ops
        self.tally.cases += 1
        self.tally.checks[check] += ops
        if not ops:
            self.threads_idle[check] = "the run did not come to its end"
        if found is not None:
            self._pursuit.add(Shown(found.finding, (), 1, found.threads),
                              Known(found.finding.code, "", frozenset()))
            self._show_found()
        return THREADS_WORK

    def _in_the_way(self, mood: Mood, settled: tuple[str, ...]) -> list[str]:
        """The codes of known faults that threads would only show again."""
        return sorted({known.code for known in self._known.all
                       if known.is_fatal and known.provoked_by(mood) or known.code.startswith(settled)})

    def unthreaded(self) -> Iterator[str]:
        """What of threads was not run, and why."""
        return unthreaded(self.tally, self.threads_idle)


def unthreaded(tally: Tally, idle: dict[str, str]) -> Iterator[str]:
    """What of threads was not run, and why, where that is known."""
    for check, _, _ in THREADS:
        if not tally.checks[check]:
            yield f"{check}: {idle.get(check, 'there was no time (--seconds)')}"
