"""Litmus tests: small programs whose outcomes under the memory model are known, and what explores them all."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from heapster.machine.orders import ACQ_REL, ACQUIRE, RELAXED, RELEASE, SEQ_CST
from heapster.machine.weak_memory import WeakMemory

ORDERS = {"rlx": RELAXED, "acq": ACQUIRE, "rel": RELEASE, "ar": ACQ_REL, "sc": SEQ_CST}
FORMS = (
    ("store", r"(?P<place>[xyz])=(?P<value>\d+) (?P<order>\w+)"),
    ("load", r"(?P<name>[a-h])=(?P<place>[xyz]) (?P<order>\w+)"),
    ("exchange", r"(?P<name>[a-h])=xchg\((?P<place>[xyz]),(?P<value>\d+)\) (?P<order>\w+)"),
    ("cas", r"(?P<name>[a-h])=cas\((?P<place>[xyz]),(?P<expected>\d+),(?P<value>\d+)\) (?P<order>\w+)"),
    ("fence", r"fence (?P<order>\w+)"),
)


class LitmusStep(NamedTuple):
    """What a thread of a litmus test does next."""

    kind: str
    order: int
    place: str = ""
    value: int = 0
    expected: int = 0
    name: str = ""              # of what it reads


Lanes = tuple[tuple[LitmusStep, ...], ...]
Outcome = tuple[int, ...]
Pick = Callable[[int], int]     # one of so many


def parse(text: str) -> Lanes:
    """The threads of a litmus test."""
    return tuple(tuple(_step(word.strip()) for word in lane.split(";")) for lane in text.split("|"))


def _step(word: str) -> LitmusStep:
    for kind, form in FORMS:
        match = re.fullmatch(form, word)
        if match is not None:
            found = match.groupdict()
            numbers = {key: int(found[key]) for key in ("value", "expected") if key in found}
            return LitmusStep(kind, ORDERS[found["order"]], found.get("place", ""), **numbers, name=found.get("name",
                                                                                                              ""))
    raise ValueError(f"'{word}' is no step of a litmus test")


class Play:
    """One run of a litmus test on a weak memory."""

    def __init__(self, memory: WeakMemory, pick: Pick) -> None:
        self._memory, self._pick = memory, pick
        self.seen: dict[str, int] = {}

    def step(self, thread: int, step: LitmusStep) -> None:
        """Do what comes next in a thread."""
        if step.kind == "fence":
            self._memory.fence(thread, step.order)
        else:
            self._memory.open(ord(step.place), 0)
            getattr(self, "_" + step.kind)(thread, ord(step.place), step)

    def _store(self, thread: int, place: int, step: LitmusStep) -> None:
        found = self._memory.placeable(thread, place, step.order)
        self._memory.store(thread, place, step.value, found[self._pick(len(found))], step.order)

    def _load(self, thread: int, place: int, step: LitmusStep) -> None:
        found = self._memory.readable(thread, place, step.order)
        self.seen[step.name] = self._memory.load(thread, place, found[self._pick(len(found))], step.order)

    def _exchange(self, thread: int, place: int, step: LitmusStep) -> None:
        found = self._memory.swappable(thread, place, step.order)
        read = found[self._pick(len(found))]
        self.seen[step.name] = read.value
        self._memory.swap(thread, place, step.value, read, step.order)

    def _cas(self, thread: int, place: int, step: LitmusStep) -> None:
        found = self._memory.comparable(thread, place, step.expected, step.order, step.order & ~RELEASE)
        read = found[self._pick(len(found))]
        self.seen[step.name] = read.value
        if read.value == step.expected:
            self._memory.swap(thread, place, step.value, read, step.order)
        else:
            self._memory.load(thread, place, read, step.order & ~RELEASE)

    def observed(self, names: str) -> Outcome:
        """What was read, and the last values of places."""
        return tuple(self.seen[name] if name in self.seen else self._memory.open(ord(name), 0).writes[-1].value
                     for name in names)


def outcomes(lanes: Lanes, names: str, memory: Callable[[int], WeakMemory] = WeakMemory) -> set[Outcome]:
    """All that can be observed of these names: every interleaving, with everything that may be read in it."""
    return {_run(lanes, names, memory(len(lanes)), pick) for pick in every_pick()}


def every_pick() -> Iterator[Pick]:
    """A pick for each run of something that only depends on picks, until all have been made."""
    prefix: list[tuple[int, int]] = []          # what was picked, of how many
    while True:
        made: list[tuple[int, int]] = []

        def pick(number: int, prefix: list[tuple[int, int]] = prefix, made: list[tuple[int, int]] = made) -> int:
            chosen = prefix[len(made)][0] if len(made) < len(prefix) else 0
            made.append((chosen, number))
            return chosen

        yield pick
        while made and made[-1][0] + 1 == made[-1][1]:
            made.pop()
        if not made:
            return
        prefix = [*made[:-1], (made[-1][0] + 1, made[-1][1])]


def _run(lanes: Lanes, names: str, memory: WeakMemory, pick: Pick) -> Outcome:
    play = Play(memory, pick)
    at = [0] * len(lanes)
    while True:
        ready = [thread for thread, lane in enumerate(lanes) if at[thread] < len(lane)]
        if not ready:
            return play.observed(names)
        thread = ready[pick(len(ready)) if len(ready) > 1 else 0]
        play.step(thread, lanes[thread][at[thread]])
        at[thread] += 1
