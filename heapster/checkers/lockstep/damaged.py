"""The rest of a run in which a caller wrote where it has no block: what is promised of that still holds.

Nothing is predicted any more. The first call after it must end the program where the model says so; and no call
answers memory that is another block's, or not the allocator's.
"""

from collections.abc import Callable
from typing import Any

from heapster.checkers.lockstep.calls import CRASHES, call
from heapster.checkers.lockstep.decode import has_checksum
from heapster.checkers.lockstep.payload_pattern import Contents
from heapster.impl import layout
from heapster.machine.protocol import Aborted, MachineFault
from heapster.model import misuse
from heapster.model.damage import HEADERS, Damage, HeapWord, find, noticed
from heapster.model.geometry import MAX_REQUEST, signed
from heapster.model.heap import Heap
from heapster.model.live import Held
from heapster.model.operation import NO_HANDLE, Step
from heapster.model.operations import RELEASING, REQUESTS, RESIZING, WRITING, requested
from heapster.model.problem import Problem

UNCHANGED = frozenset({"thread"})       # steps that are no call: the first call is yet to come


class Damaged:
    """What is written over, and the calls since, of a run in lock-step."""

    def __init__(self, run: Any, contents: Contents, overdue: Callable[[], list[Problem]]) -> None:
        self._run, self._contents, self._overdue = run, contents, overdue
        self._heap: Heap | None = None          # as it was before
        self._words: dict[int, Damage] = {}     # by address
        self._first = True                      # no call was made since

    def concerns(self, step: Step) -> bool:
        """Whether the step writes over a word, or comes after one that did."""
        return step.verb in WRITING or bool(self._words)

    def take(self, step: Step, pointer: int) -> list[Problem]:
        """Take such a step; what is wrong with it."""
        if not self._words and (overdue := self._overdue()):
            return overdue
        self._run.steps += 1
        if step.verb in WRITING:
            self._poke(step, pointer)
            return []
        if step.verb in UNCHANGED:
            self._run.reference.set_thread(*step.numbers)
        must = self._must(step, pointer)
        self._first = self._first and step.verb in UNCHANGED
        value, ended = self._outcome(step, pointer)
        self._run.misused = ended or (misuse.UNNOTICED if step.verb == "finalize" else "")
        if step.result != NO_HANDLE:
            self._run.pointers[step.result] = value
        if must and (ended or misuse.UNNOTICED) not in must:
            return [self._unnoticed(step, f"is {ended or misuse.UNNOTICED}, and must be "
                                          f"{' or '.join(sorted(must))}")]
        return [] if ended else self._answered(step, pointer, value)

    def _poke(self, step: Step, pointer: int) -> None:
        """The caller writes a word, into its own block or elsewhere."""
        m, word, old = self._run.m, signed(step.numbers[0]), self._run.m.peek(pointer)
        heap = self._heap or self._run.heap or self._run.look()
        try:
            call(self._run.source, m, step, pointer)
        except MachineFault:
            self._run.misused = misuse.FAULT
            return
        part, block = find(heap, self._run.live, pointer)
        if part is HeapWord.OWN:
            self._contents.poked(pointer, word)
        elif word != old:
            self._heap = heap
            forged = part in HEADERS and has_checksum(word, pointer, m.load(m.statics() + layout.KEY))
            self._words[pointer] = Damage(part, block, word, forged)

    def _must(self, step: Step, pointer: int) -> frozenset[str]:
        """The ends of which the step must have one, if any; only one word is thought through."""
        if not self._first or len(self._words) != 1 or misuse.is_misuse(self._run.live, step, pointer):
            return frozenset()
        assert self._heap is not None
        (damage,) = self._words.values()
        return noticed(self._heap, damage, step, pointer, self._run.reference.calling())

    def _outcome(self, step: Step, pointer: int) -> tuple[int, str]:
        try:
            return call(self._run.source, self._run.m, step, pointer).value, ""
        except Aborted as aborted:
            return 0, misuse.abort_name(aborted.code)
        except (MachineFault, *CRASHES):
            return 0, misuse.FAULT

    def _answered(self, step: Step, pointer: int, value: int) -> list[Problem]:
        """Note who has what; whether the answer is memory that is nobody else's."""
        live = self._run.live
        resized = step.verb in RESIZING and (value or not requested(step))
        if pointer in live and (step.verb in RELEASING or resized):
            live.remove(pointer)
        if step.verb not in REQUESTS or not value or requested(step) > MAX_REQUEST:
            return []
        held = Held(value, requested(step))
        taken = live.overlapping(value, held.extent)
        inside = any(start <= value and value + held.extent <= end for start, end in self._run.m.system())
        live.add(held)
        if all(damage.is_checked for damage in self._words.values()) and (taken or not inside):
            return [self._unnoticed(step, "answers another block's memory" if taken else
                                    "answers memory that is not the allocator's")]
        return []

    def _unnoticed(self, step: Step, words: str) -> Problem:
        parts = ", ".join(sorted({damage.part.value for damage in self._words.values()}))
        return Problem("misuse_unnoticed", f"{step.verb} after a write to {parts} {words}")
