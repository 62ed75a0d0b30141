"""The model itself: its reference keeps the specification, on every trace of a few calls.

The reference is run as it is, on a system that answers; what it predicts is judged by `spec.explains`.
"""

from typing import Any

from heapster.checkers.proofs import Proof
from heapster.model.invariants import violations
from heapster.model.live import Live
from heapster.model.operation import Step
from heapster.model.reference import Reference
from heapster.model.spec import OURS, Operation, Result, advance, explains

CALLS = 3                           # of a trace
SIZES = (0, 25, 131072, 1 << 47)
PAGE = 4096
BREAK, MAPPINGS = 1 << 28, 1 << 40


class Answering:
    """A system that answers, or refuses where the path says so."""

    def __init__(self, path: Any) -> None:
        self._path, self._break, self._next = path, BREAK, MAPPINGS
        self.refuses = bool(path.choose(2))

    def sbrk(self, delta: int) -> int:
        """The old break, or a refusal."""
        if self.refuses and delta:
            return -1
        old, self._break = self._break, self._break + delta
        return old

    def mmap(self, length: int) -> int:
        """New memory, or a refusal."""
        if self.refuses:
            return -1
        start, self._next = self._next, self._next + length + PAGE
        return start

    def munmap(self, address: int, length: int) -> int:
        """Taken, or a refusal."""
        return -1 if self.refuses else 0

    def remap(self, address: int, length: int, longer: int) -> int:
        """Moved to new memory, or a refusal."""
        return self.mmap(longer)

    def purge(self, address: int, length: int) -> int:
        """Done, or a refusal."""
        return self.munmap(address, length)


def refines(_: Any, path: Any) -> None:
    """Every trace of a few calls of a few sizes, by first or best fit; the system refuses all or nothing."""
    reference, live = Reference(), Live()
    reference.set_policy(("first_fit", "best_fit")[path.choose(2)])
    system: Any = Answering(path)
    for _ in range(CALLS):
        pointers = [held.pointer for held in live]
        verb = ("malloc", "calloc", "aligned_alloc", "free", "realloc")[path.choose(5 if pointers else 3)]
        size = SIZES[path.choose(len(SIZES))] if verb != "free" else 0
        pointer = pointers[path.choose(len(pointers))] if verb in ("free", "realloc") else 0
        numbers = {"calloc": (3, size), "aligned_alloc": (64, size), "free": ()}.get(verb, (size,))
        answer = reference.predict(system, Step(verb, numbers=numbers), pointer)
        errno = reference.errno
        usable = reference.usable_size(answer) if answer and verb != "free" else None
        operation = Operation(verb, numbers, pointer)
        result = Result(0 if verb == "free" else answer, errno, 0, usable, (), None, None)
        path.claim("the_reference_keeps_the_specification", lambda o=operation, r=result: not list(
            explains(live, o, r, OURS)))
        advance(live, operation, result, OURS)
        path.claim("the_reference_keeps_every_invariant", lambda: not violations(reference.heap()))


PROOFS = (
    Proof("model.reference", f"traces of up to {CALLS} calls", refines, more={
        "the_reference_keeps_the_specification": "what it answers is what a correct allocator may answer",
        "the_reference_keeps_every_invariant": "what it predicts has every invariant",
    }),
)
