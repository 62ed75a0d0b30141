"""A trace as the moments that a heap goes through, for those who draw them.

`predicted` lets the reference answer on a simulated system, which is quick; `observed` takes the steps in
lockstep and shows what lies in memory, up to the step where something is wrong.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from heapster.checkers.lockstep import Lockstep
from heapster.machine.simulated import Simulated
from heapster.model.heap import Heap
from heapster.model.operation import NO_HANDLE, SHAPES, Step
from heapster.model.quick import Quick
from heapster.model.reference import Reference, UnknownBlock
from heapster.model.system import System
from heapster.model.trace import format_step

MEMORY = 1 << 40                # bytes that the simulated system has to give


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


def predicted(trace: Iterable[Step], policy: str = "") -> Iterator[Moment]:
    """The moments as the reference has them; with a policy, on that one, whatever the trace sets.

    Ends before a step that misuses the heap: what happens then is not the reference's to say.
    """
    reference, world = Quick(), _World(Simulated(MEMORY))
    if policy:
        reference.set_policy(policy)
    pointers = {NO_HANDLE: 0}
    for step in trace:
        if policy and step.verb == "policy":
            yield Moment(format_step(step), reference.heap())
            continue
        try:
            answer = reference.predict(world, step, pointers.get(step.operand, 0) + step.offset)
        except UnknownBlock:
            return
        _tell(world.m, step)
        if step.result != NO_HANDLE:
            pointers[step.result] = answer
        yield Moment(format_step(step), reference.heap(), answer if SHAPES[step.verb].result else 0)


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


def by_policy(trace: Iterable[Step], policies: Iterable[str]) -> Mapping[str, Iterator[Moment]]:
    """The trace's moments on each policy."""
    steps = tuple(trace)
    return {policy: predicted(steps, policy) for policy in policies}


def _tell(m: Any, step: Step) -> None:
    """What a step changes about the world around the allocator."""
    if step.verb == "foreign_sbrk":
        m.foreign_sbrk(step.numbers[0])
    elif step.verb == "fail":
        m.refuse(step.name, step.numbers[0])
    elif step.verb == "finalize":
        m.disown()
