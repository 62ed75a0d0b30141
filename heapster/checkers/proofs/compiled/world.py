"""What each reading does to all around it, in order, and that the other does the same.

An atomic access, a call of the system or of a function that was left a function is a step. The steps of both readings
are held against each other, one by one; what a step answers is the same unknown in both. Between two that order
memory, plain words may be read and written in any order, or not at all, as long as memory is the same at each.
"""

from functools import partial
from typing import Any, NamedTuple

import z3

from heapster.checkers.proofs.compiled.memory import Memory, any_memory, insist_same
from heapster.checkers.proofs.compiled.ways import JointWay
from heapster.checkers.proofs.compiled.words import WIDTH, Value

SOURCE, COMPILED = 0, 1
ORDERING = frozenset({"acquire", "release", "acq_rel", "seq_cst"})
ACQUIRING = frozenset({"acquire", "acq_rel", "seq_cst"})
NAMES = ("the source", "the compiled code")


class Effect(NamedTuple):
    """A step, and memory before it."""

    name: str
    given: tuple[Any, ...]          # words
    orders: bool                    # whether all of memory counts, as others may look at it
    memory: Memory
    answers: str                    # what type


class Steps:
    """The steps of both readings on one way."""

    def __init__(self, way: JointWay) -> None:
        self.way = way
        self.of: tuple[list[Effect], list[Effect]] = [], []

    def note(self, reading: int, step: Effect) -> int:
        """A reading took a step; its place among them."""
        mine, others = self.of[reading], self.of[1 - reading]
        place = len(mine)
        mine.append(step)
        if place < len(others):
            self._hold(self.of[SOURCE][place], self.of[COMPILED][place])
        return place

    def _hold(self, source: Effect, compiled: Effect) -> None:
        if source.name != compiled.name:
            self.way.part(f"where the source does {source.name}, the compiled code does {compiled.name}")
        for place, (one, other) in enumerate(zip(source.given, compiled.given, strict=True)):
            self.way.insist(one == other, partial("{} is given another word {}".format, source.name, place + 1))
        if source.orders:
            insist_same(self.way, source.memory, compiled.memory, f"at {source.name}")

    def ended(self) -> None:
        """Both are done: none of them has taken more steps."""
        for reading in (SOURCE, COMPILED):
            mine, others = self.of[reading], self.of[1 - reading]
            if len(mine) > len(others):
                self.way.part(f"{NAMES[reading]} does {mine[len(others)].name}, {NAMES[1 - reading]} ends")


class World:
    """Memory and the system, as one reading meets them."""

    def __init__(self, reading: int, steps: Steps) -> None:
        self.reading, self.steps = reading, steps
        self.memory = any_memory(0)

    def load(self, address: Any) -> Any:
        """A word that is read plainly."""
        return self.memory.word(self.steps.way.place(address), self.steps.way)

    def store(self, address: Any, word: Any) -> None:
        """A word that is written plainly."""
        way = self.steps.way
        self.memory = self.memory.written(way.place(address), way.place(word))

    def _step(self, name: str, given: tuple[Any, ...], *, orders: bool, forgets: bool, answers: str = "i64") -> Any:
        """Take a step; what it answers. Where others may have written meanwhile, memory is any."""
        place = self.steps.note(self.reading, Effect(name, given, orders, self.memory, answers))
        if forgets:
            self.memory = any_memory(place + 1)
        return z3.BitVec(f"answer{place}", WIDTH)

    def load_atomic(self, address: Any, order: str) -> Any:
        """A word that is read at once; whoever wrote it."""
        word = self._step(f"load {order}", (address,), orders=order in ORDERING, forgets=order in ACQUIRING)
        self.memory = self.memory.found(self.steps.way.place(address), word)
        return word

    def store_atomic(self, address: Any, word: Any, order: str) -> None:
        """A word that is written at once."""
        self._step(f"store {order}", (address, word), orders=order in ORDERING, forgets=False)
        self.store(address, word)

    def exchange(self, address: Any, word: Any, order: str) -> Any:
        """The word that was there, and another in its place."""
        was = self._step(f"exchange {order}", (address, word), orders=order in ORDERING, forgets=order in ACQUIRING)
        self.store(address, word)
        return was

    def compare_exchange(self, address: Any, expected: Any, word: Any, order: str) -> Any:
        """The word that was there, and another in its place if it was the expected one."""
        was = self._step(f"cas {order}", (address, expected, word), orders=order in ORDERING,
                         forgets=order in ACQUIRING)
        self.store(address, z3.simplify(z3.If(was == expected, word, was)))
        return was

    def call(self, name: str, given: tuple[Any, ...], answers: str) -> Any:
        """What somebody else answers, who may read and write all memory."""
        return self._step(f"call {name}", given, orders=True, forgets=True, answers=answers)


def checked(value: Value, way: JointWay, of: str) -> Any:
    """The word of a value that is acted upon: it must not be poison."""
    way.insist(z3.Not(value.poison), lambda: f"{of} is poison")
    return value.term
