"""A trace as the moments that a heap goes through, for those who draw them.

`predicted` lets the reference answer on a simulated system, which is quick; `observed` takes the steps in
lockstep and shows what lies in memory, up to the step where something is wrong. Both are of a build: with spans or
without, as the settings of a target say, which are what ships has if nothing is said.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.lockstep.run_trace import Make
from heapster.checkers.targets.interpreted import simulated
from heapster.checkers.targets.target import SIM, UNSET, TargetSettings
from heapster.machine.simulated import Simulated
from heapster.model.changes import Changes, HeapComparison
from heapster.model.geometry import HEADER
from heapster.model.heap import Heap, waiting
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import OPERATIONS
from heapster.model.quick import Quick
from heapster.model.reference import Reference, UnknownBlock
from heapster.model.runs import NO_RUNS
from heapster.model.system import System
from heapster.model.trace import TraceError, format_step, format_steps, parse
from heapster.model.watched import Watched
from heapster.results import HeapsterError

MEMORY = 1 << 40                # bytes that the simulated system has to give
LONGEST = 2_000                 # steps of a finding that are taken in lockstep
PAGE_STEPS = 4_000              # moments of a passage that are kept at once

Steps = Iterable[Step]


class Moment(NamedTuple):
    """A step, and the heap after it."""

    step: str                   # as text
    heap: Heap
    answer: int = 0             # the payload that the step answered, 0 if none
    problem: str = ""           # what is wrong after it


class _World(System):
    """Answers the reference as a simulated machine does."""

    __slots__ = ("m",)

    def __init__(self, m: Simulated) -> None:
        super().__init__()
        self.m = m

    def sbrk(self, delta: int) -> int:
        return self.m.sbrk(delta)

    def mmap(self, length: int) -> int:
        return self.m.mmap(length)

    def munmap(self, address: int, length: int) -> int:
        return self.m.munmap(address, length)

    def purge(self, address: int, length: int) -> int:
        return self.m.purge(address, length)

    def remap(self, address: int, length: int, longer: int) -> int:
        return self.m.remap(address, length, longer)


class Passed(NamedTuple):
    """A step, and what it changed about the heap."""

    step: str                   # as text
    changes: Changes
    problem: str = ""           # what is wrong after it


def predicted(trace: Iterable[Step], policy: str = "", settings: TargetSettings = UNSET) -> Iterator[Moment]:
    """The moments as the reference has them; with a policy, on that one, whatever the trace sets.

    Ends before a step that misuses the heap: what happens then is not the reference's to say.
    """
    reference, world = Quick(spans=settings.has_spans), _World(Simulated(MEMORY))
    _set(reference, world, settings)
    if policy:
        reference.set_policy(policy)
    for step, answer in _taken(trace, reference, world, keep_policy=bool(policy)):
        yield Moment(format_step(step), reference.heap(), answer if OPERATIONS[step.verb].result else 0)


def _set(reference: Reference, world: System, settings: TargetSettings) -> None:
    """Let the reference have what is set of a target before it serves anyone."""
    for step in settings.steps:
        reference.predict(world, step)


def _taken(
    trace: Iterable[Step], reference: Reference, world: _World, *, keep_policy: bool,
) -> Iterator[tuple[Step, int]]:
    """Each step, once the reference has taken it, and what it answered; up to one that misuses the heap."""
    pointers = {NO_HANDLE: 0}
    for step in trace:
        if keep_policy and step.verb == "policy":
            yield step, 0
            continue
        try:
            answer = reference.predict(world, step, pointers.get(step.operand, 0) + step.offset)
        except UnknownBlock:
            return
        _tell(world.m, step)
        if step.result != NO_HANDLE:
            pointers[step.result] = answer
        yield step, answer


def observed(trace: Iterable[Step], lockstep: Lockstep) -> Iterator[Moment]:
    """The moments as they lie in memory; the last one says what is wrong, if anything is."""
    last = Reference().heap()
    for step in trace:
        problems = lockstep.take(step)
        last = lockstep.heap or last
        problem = f"{problems[0].code}: {problems[0].message}" if problems else ""
        if lockstep.misused:
            problem = problem or f"misuse: {lockstep.misused}"
        yield Moment(format_step(step), last, lockstep.pointers.get(step.result, 0), problem)
        if problem:
            return


def compared(moments: Iterable[Moment]) -> Iterator[Passed]:
    """What changed from each moment to the next."""
    comparison = HeapComparison()
    return (Passed(moment.step, comparison.take(moment.heap), moment.problem) for moment in moments)


def by_policy(
    trace: Iterable[Step], policies: Iterable[str], settings: TargetSettings = UNSET,
) -> Mapping[str, Iterator[Passed]]:
    """What each step of the trace changes on each policy, as `predicted` has it."""
    steps = tuple(trace)
    texts = format_steps(steps)
    return {policy: _watched(steps, texts, policy, settings._replace(policy=None)) for policy in policies}


def _watched(trace: Trace, texts: Iterable[str], policy: str, settings: TargetSettings) -> Iterator[Passed]:
    reference, world = Watched(policy, spans=settings.has_spans), _World(Simulated(MEMORY))
    _set(reference, world, settings)
    taken = _taken(trace, reference, world, keep_policy=True)
    return (Passed(text, reference.changes()) for text, _ in zip(texts, taken, strict=False))


def of_finding(trace: tuple[str, ...], target: str, make: Callable[[], Make] | None,
               settings: TargetSettings = UNSET) -> tuple[str, Iterator[Passed]] | None:
    """Where a finding's trace is taken again, in words, and its moments; None if it is no trace to be taken here.

    `make` gives what runs it on its target. Where there is none, or that cannot be had, the trace is taken on
    the simulated machine, built and set as the target is, which shows what it asked for.
    """
    if len(trace) > LONGEST:
        return None
    try:
        steps = parse("\n".join(trace))
    except TraceError:
        return None
    if make is not None:
        try:
            return target, compared(observed(steps, make()()))
        except HeapsterError:
            pass
    return f"sim, not {target}", compared(observed(steps, simulated(replace(SIM, settings=settings))()))


class Passage:
    """The moments of a trace of any length, in pages: one is kept, and the others are run again when asked for.

    The trace is an iterable that can be gone through again; the policy and the settings as `predicted` has them.
    """

    def __init__(self, trace: Iterable[Step], policy: str = "", page_steps: int = PAGE_STEPS,
                 settings: TargetSettings = UNSET) -> None:
        self._trace, self._policy, self._size, self._settings = trace, policy, page_steps, settings
        self._restart()

    def page(self, number: int) -> "Page | None":
        """The page in which step `number` is, counted from 1; None if the run ends before it."""
        wanted = number - (number - 1) % self._size
        if wanted < self._page.first:
            self._restart()
        while self._page.first < wanted and self._page.moments:
            self._turn()
        return self._page if self._page.has(number) else None

    def last(self, number: int) -> int:
        """The last step at or before `number` that the run reaches, 0 if there is none."""
        page = self.page(number) or self._page
        return min(number, page.first + len(page.moments) - 1)

    def _restart(self) -> None:
        self._moments = predicted(self._trace, self._policy, self._settings)
        self._page = Page(1, list(islice(self._moments, self._size)), {}, None)

    def _turn(self) -> None:
        old = self._page
        self._page = Page(old.first + len(old.moments), list(islice(self._moments, self._size)), old.all_names(),
                          old.moments[-1])


class Page(NamedTuple):
    """Some moments in a row."""

    first: int                  # number of the first one's step
    moments: list[Moment]
    names: dict[int, str]       # the names that steps before gave to payloads
    before: Moment | None       # the moment before the first

    def has(self, number: int) -> bool:
        """Whether the step of that number is here."""
        return self.first <= number < self.first + len(self.moments)

    def all_names(self) -> dict[int, str]:
        """The names that steps up to the last gave to payloads."""
        return self.names | _named(self.moments)

    def live_names(self, number: int) -> dict[int, str]:
        """The names of the blocks and slots that callers have after step `number`, by payload."""
        moments = self.moments[:number - self.first + 1]
        names = self.names | _named(moments)
        return {payload: names[payload] for payload in _used(moments[-1].heap) if payload in names}


def _named(moments: Iterable[Moment]) -> dict[int, str]:
    return {moment.answer: moment.step.split(" =")[0] for moment in moments if moment.answer}


def _used(heap: Heap) -> set[int]:
    """The payloads of the used blocks and slots, but for those that wait in caches."""
    blocks = {block.address + HEADER for arena in heap.arenas for region in arena.regions for block in region.blocks
              if block.used}
    mapped = {block.address + HEADER for block in heap.mapped if block.used}
    return (blocks | mapped | (heap.runs or NO_RUNS).used_slots()) - waiting(heap)


def _tell(m: Any, step: Step) -> None:
    """What a step changes about the world around the allocator."""
    if step.verb == "foreign_sbrk":
        m.foreign_sbrk(step.numbers[0])
    elif step.verb == "fail":
        m.refuse(step.name, step.numbers[0])
    elif step.verb == "finalize":
        m.disown()
