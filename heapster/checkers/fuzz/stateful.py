"""Hypothesis chooses what to do next; the lockstep checks it. One example is one heap's life.

A rule is a single call with drawn arguments, or a run of calls that a workload makes from a drawn
seed. Failures are recorded, not raised: our own shrinker takes over from there.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from heapster.checkers.fuzz.draws import BACKEND
from heapster.checkers.fuzz.extremes import chosen
from heapster.checkers.fuzz.misuses import misuse
from heapster.checkers.fuzz.workloads import (
    ALIGNMENTS,
    BOUNDARIES,
    MOST_LIVE,
    PLAIN,
    WITH_FAULTS,
    Handles,
    Workload,
)
from heapster.checkers.lockstep.collecting import rarely_collecting
from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.lockstep.run_trace import rerun
from heapster.impl.layout import DEFAULT_CACHE, DEFAULT_KEEP
from heapster.machine.simulated import Simulated
from heapster.model.geometry import PAGE, PTRDIFF_MAX, SIZE_MAX
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import ALIGNING, ASKING, RELEASING, REQUESTS, in_order
from heapster.model.problem import Problem
from heapster.model.system import USUAL_CALL_NAMES

LOOK_EVERY = 8                  # steps, from one look at the heap in memory to the next
STEPS = 40                      # rules in an example
CACHES = (0, 256, 1 << 15, DEFAULT_CACHE)       # bytes of a size that threads keep at first; the last is what ships
KEEPS = (0, 4 * PAGE, 1 << 20, DEFAULT_KEEP)    # of freed mappings, likewise

SIZES = st.one_of(st.integers(0, 200), st.sampled_from(BOUNDARIES), st.integers(0, 3 * PAGE),
                  st.sampled_from((PTRDIFF_MAX, PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 15)))
SEEDS = st.integers(0, (1 << 32) - 1)
INDICES = st.integers(0, MOST_LIVE - 1)

Failure = tuple[Trace, Problem]


@dataclass
class Record:
    """The record of a campaign's examples so far."""

    make: Callable[[], Lockstep]
    policies: tuple[str, ...]
    arenas: int
    faults: bool
    cache: int | None = None        # that every example begins with; None: each draws one
    keep: int | None = None         # likewise
    ops: int = 0
    examples: int = 0
    checks: Counter[str] = field(default_factory=Counter)
    witnesses: Counter[str] = field(default_factory=Counter)
    failure: Failure | None = None
    under: Counter[str] = field(default_factory=Counter)        # policy: steps taken while it was in force

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """The workloads to choose from."""
        return WITH_FAULTS if self.faults else PLAIN


class HeapLife(RuleBasedStateMachine):
    """One heap, from its first call to its last."""

    record: Record

    def __init__(self) -> None:
        super().__init__()
        self._lockstep = self.record.make()
        self._lockstep.look_every = LOOK_EVERY
        self._handles = Handles()
        self._handles.policies = self.record.policies
        self._trace: list[Step] = []
        self._policy = ""

    def teardown(self) -> None:
        """End with everything returned, or with a misuse; count what was seen."""
        record = self.record
        known = isinstance(self._lockstep.m, Simulated)         # the only memory whose addresses come again
        places = [place for place in self._lockstep.pointers.values() if place and known]
        ending = [*misuse(Random(len(self._trace)), self._trace, places)]
        self._take_all([Step("stats"), *ending])
        if not self._lockstep.misused:
            self._take(Step("finalize"))
        record.ops += self._lockstep.steps
        record.examples += 1
        record.checks.update(self._lockstep.checks())
        record.witnesses.update(self._lockstep.witnesses)
        self._lockstep.m.close()

    @initialize(odd=st.sampled_from((0, 0, 1, 8, 24)), growth=st.sampled_from((1, 1, 2, 3)),
                threshold=st.sampled_from((0, 1, 2, 2, 3)), arenas=INDICES, policy=INDICES,
                cache=st.sampled_from((0, 0, *CACHES)), keep=st.sampled_from((0, *KEEPS)))
    def start(self, odd: int, growth: int, threshold: int, arenas: int, policy: int, cache: int, keep: int) -> None:
        """Settings under which small heaps grow, shrink and map."""
        record = self.record
        if odd:
            self._take(Step("foreign_sbrk", (odd,)))
        self._take(Step("growth", (growth * PAGE - growth // 3,)))
        self._handles.threshold = max(1, threshold) * PAGE
        self._take(Step("threshold", (threshold * PAGE,)))
        self._take(Step("arenas", (1 + arenas % record.arenas,)))
        self._take(Step("policy", name=record.policies[policy % len(record.policies)]))
        for verb, fixed, drawn in (("cache", record.cache, cache), ("keep", record.keep, keep)):
            if size := drawn if fixed is None else fixed:
                self._take(Step(verb, (size,)))

    @rule(choice=st.integers(0, 255), seed=SEEDS)
    def work(self, choice: int, seed: int) -> None:
        """A run of steps that a program would make."""
        workload = chosen(choice, self.record.workloads)
        self._take_all(workload(Random(seed), self._handles))

    @rule(choices=st.lists(st.integers(0, 255), min_size=2, max_size=6), seed=SEEDS)
    def work_long(self, choices: list[int], seed: int) -> None:
        """Several such runs."""
        for choice in choices:
            self.work(choice, seed + choice)

    @rule(size=SIZES)
    def malloc(self, size: int) -> None:
        """malloc of any size."""
        self._take(Step("malloc", (size,), self._handles.fresh()))

    @rule(count=st.sampled_from((0, 1, 3, 7, 1 << 32)), size=SIZES)
    def calloc(self, count: int, size: int) -> None:
        """calloc of any product."""
        self._take(Step("calloc", (count, size), self._handles.fresh()))

    @rule(alignment=st.sampled_from((*ALIGNMENTS, 0, 4, 8, 24)), size=SIZES,
          verb=st.sampled_from(in_order(ALIGNING)))
    def aligned(self, alignment: int, size: int, verb: str) -> None:
        """An aligned block, or an alignment that must be refused."""
        self._take(Step(verb, (alignment, size), self._handles.fresh()))

    @rule(index=INDICES)
    def free(self, index: int) -> None:
        """Free a live block, or NULL."""
        self._take(Step("free", operand=self._pick(index)))

    @rule(index=INDICES, size=SIZES)
    def realloc(self, index: int, size: int) -> None:
        """Resize a live block, or NULL."""
        self._take(Step("realloc", (size,), self._handles.fresh(), self._pick(index)))

    @rule(index=INDICES)
    def policy(self, index: int) -> None:
        """Switch the placement policy."""
        self._take(Step("policy", name=self.record.policies[index % len(self.record.policies)]))

    @rule(thread=st.integers(0, 4))
    def thread(self, thread: int) -> None:
        """Go on as another thread."""
        self._take(Step("thread", (thread,)))

    @rule(name=st.sampled_from(USUAL_CALL_NAMES), nth=st.integers(1, 3))
    def fail(self, name: str, nth: int) -> None:
        """Plan that the system refuses."""
        if self.record.faults:
            self._take(Step("fail", (nth,), name=name))

    def _pick(self, index: int) -> int:
        live = list(self._handles.sizes)
        return live[index % len(live)] if live else NO_HANDLE

    def _take_all(self, steps: Iterable[Step]) -> None:
        """Take the steps; where they leave too many blocks, free the oldest quarter."""
        for step in steps:
            self._take(step)
            if len(self._handles.sizes) > self._handles.most:
                for handle in list(self._handles.sizes)[:self._handles.most // 4]:
                    self._take(Step("free", operand=handle))

    def _take(self, step: Step) -> None:
        if self.record.failure or self._lockstep.misused:
            self._handles.sizes.clear()
            return
        self._trace.append(step)
        self._policy = step.name if step.verb == "policy" else self._policy
        self.record.under[self._policy] += 1
        problems = self._lockstep.take(step)
        if problems:
            self.record.failure = tuple(self._trace), problems[0]
        self._note(step)

    def _note(self, step: Step) -> None:
        """Let the handles say which are blocks now."""
        sizes, answered = self._handles.sizes, self._lockstep.pointers.get(step.result, 0)
        gone = step.verb in RELEASING or answered or 0 in step.numbers
        if step.operand != NO_HANDLE and gone and step.verb not in ASKING:
            sizes.pop(step.operand, None)
        if step.verb == "finalize":
            sizes.clear()
        if step.verb in REQUESTS and answered:
            held = self._lockstep.live.get(answered)
            sizes[step.result] = held.request if held else 0
            self._handles.aligned[step.result] = held.alignment if held else None


def live_lives(record: Record, first_seed: int, examples: int, steps: int = STEPS) -> None:
    """Run that many examples from that seed, until one fails; all is noted in `record`."""
    life: Any = type("HeapLife", (HeapLife,), {"record": record})
    chosen_settings = settings(
        backend=BACKEND, max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
        phases=(Phase.generate,), verbosity=Verbosity.quiet, suppress_health_check=tuple(HealthCheck))
    with rarely_collecting():
        run_state_machine_as_test(seed(first_seed)(life), settings=chosen_settings)
    if record.failure:
        record.failure = exact(record.failure, record.make)


def exact(failure: Failure, make: Callable[[], Lockstep]) -> Failure:
    """The failure with the step at which it shows first: every check is made at every step of its trace again."""
    trace, _ = failure
    outcome = rerun(trace, partial(make))            # here, wherever `make` would have it run
    return (trace[:outcome.last + 1], outcome.problems[0]) if outcome.problems else failure
