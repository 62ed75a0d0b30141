"""A hardened heap and its model, side by side: which slot a block gets is seen, and must be one that it may get."""

from typing import Any

from heapster.checkers.lockstep.calls import SHIPPED, Answer
from heapster.checkers.lockstep.decode import Undecodable
from heapster.checkers.lockstep.decode_hardened import decode_hardened
from heapster.checkers.lockstep.lockstep import FAILURES, KEY, Lockstep, joined, problem_of
from heapster.machine.checked_memory import FUEL
from heapster.machine.protocol import REFUSED
from heapster.model import misuse
from heapster.model.geometry import ALIGN, ENOMEM, MAX_REQUEST, PAGE
from heapster.model.hardened import (
    HARDENED_ALWAYS,
    HardenedHeap,
    could_be_asked,
    hardened_violations,
    may_hold,
    used_slots,
)
from heapster.model.operation import Step
from heapster.model.operations import (
    ASKING,
    PAGE_ALIGNING,
    RELEASING,
    REQUESTS,
    RESIZING,
    STATING,
    WRITING,
    requested,
    stated,
)
from heapster.model.problem import Problem

TOLD = frozenset({"double_free", "invalid_pointer"})


class HardenedLockstep(Lockstep):
    """As `Lockstep`, of a heap that is hardened before its first block."""

    def __init__(self, m: Any, source: Any = SHIPPED, look_every: int = 1, key: int = KEY) -> None:
        super().__init__(m, source, look_every, key)
        source.settings.set_hardened(m, 1)
        self.hardened = HardenedHeap((), ())
        self._usable: dict[int, int] = {}       # of live blocks
        self._given: set[int] = set()           # addresses that were blocks

    def take(self, step: Step) -> list[Problem]:
        """See `Lockstep.take`; of words that a caller writes over, the model of a hardened heap says nothing."""
        if step.verb in WRITING:
            self.misused = misuse.UNNOTICED
            return []
        return super().take(step)

    def checks(self) -> dict[str, int]:
        """How often each check was evaluated."""
        return {**dict.fromkeys(("specification", "contents", "relation"), self.steps),
                **dict.fromkeys(("used_slots_are_the_live_blocks", *(check.__name__ for check in HARDENED_ALWAYS)),
                                self._looks)}

    # The relation.

    def _predict(self, step: Step, pointer: int, answer: Answer) -> list[Problem]:
        """What is wrong with an answer that the specification allows."""
        refused = any(call.answer == REFUSED for call in self.m.calls)
        problems = self._wrong_block(step, pointer, answer) if step.verb in REQUESTS else []
        if step.verb in REQUESTS and answer.errno == ENOMEM and not refused and _is_possible(step):
            problems.append(Problem("answer_diverges", f"{step.verb} says that memory is out, the system gave all"))
        if pointer and self._is_gone(step, answer):
            self._usable.pop(pointer, None)
        if step.verb == "finalize":
            self._usable.clear()
        if step.verb in REQUESTS and answer.value in self.live:
            self._note(pointer, answer.value)
        return problems

    def _wrong_block(self, step: Step, pointer: int, answer: Answer) -> list[Problem]:
        held = self.live.get(answer.value)
        if held is None:                    # there is none, or what was said of it already ends the run
            return []
        alignment = PAGE if step.verb in PAGE_ALIGNING else max(held.alignment or ALIGN, ALIGN)
        usable = held.usable or 0
        if not may_hold(usable, held.request, alignment):
            return [Problem("answer_diverges", f"a block for {held.request} bytes has {usable}")]
        if step.verb in RESIZING and pointer and answer.value != pointer and usable == self._usable.get(pointer):
            return [Problem("answer_diverges", f"{step.verb} moved a block to another of its size")]
        return []

    def _note(self, pointer: int, made: int) -> None:
        if made in self._given:
            self.witnesses["a_slot_was_used_again"] += 1
        if pointer and pointer != made:
            self.witnesses["realloc_moved"] += 1
        self._given.add(made)
        self._usable[made] = self.live[made].usable or 0

    # Misuse.

    def _misuse(self, step: Step, pointer: int) -> list[Problem]:
        """It ends the run, and is told, but where the pointer is not looked at."""
        allowed = self._allowed(step, pointer)
        self.misused = self._outcome(step, pointer)
        if self.misused in allowed:
            return []
        return [Problem("misuse_unnoticed", f"{step.verb} of what it may not be called with is {self.misused}, "
                                            f"not {' or '.join(sorted(allowed))}")]

    def _allowed(self, step: Step, pointer: int) -> frozenset[str]:
        if step.verb not in RELEASING and step.verb not in ASKING and requested(step) > MAX_REQUEST:
            return frozenset({misuse.UNNOTICED})
        if pointer in self.live:
            said = stated(step)
            assert said is not None
            right = could_be_asked(self._usable[pointer], pointer, said.size, said.alignment)
            return frozenset({misuse.UNNOTICED if right else misuse.WRONG_SIZE})
        also = frozenset({misuse.WRONG_SIZE}) if step.verb in STATING else frozenset()
        if pointer % ALIGN or self.live.containing(pointer):
            return also | {"invalid_pointer"}
        return also | TOLD

    # What lies in memory.

    def _look(self, *, is_asked: bool = False) -> list[Problem]:
        self._looked_at = self.steps
        self._looks += 1
        try:
            heap = self.hardened = decode_hardened(self.m)
        except Undecodable as error:
            return [Problem("undecodable_heap", str(error))]
        self._see(heap)
        return [*hardened_violations(heap), *self._used(heap), *(self._verified(heap) if is_asked else [])]

    def _see(self, heap: HardenedHeap) -> None:
        seen = {"a_slot_waited": any(span.waiting for span in heap.spans),
                "a_span_was_full": any(span.free == 0 for span in heap.spans),
                "a_mapping_waited": any(not mapping.used for mapping in heap.mappings),
                "a_guard_was_refused": heap.unguarded}
        self.witnesses.update(name for name, holds in seen.items() if holds)

    def _used(self, heap: HardenedHeap) -> list[Problem]:
        """Used slots and mappings are the live blocks, no more and no fewer."""
        used = {p for span in heap.spans for p in used_slots(span)}
        used |= {mapping.base for mapping in heap.mappings if mapping.used}
        live = {held.pointer for held in self.live}
        lost, kept = len(live - used), len(used - live)
        if lost or kept:
            return [Problem("used_slots_are_the_live_blocks",
                            f"{lost} live blocks are not used, {kept} used ones are nobody's")]
        return []

    def _verified(self, heap: HardenedHeap) -> list[Problem]:
        """`verify` reads each word of what is free, and each slot's bits, more than once."""
        self.m.refuel(FUEL * (1 + len(heap.spans) + len(heap.mappings)))
        try:
            self.source.verify.verify(self.m)
        except FAILURES as error:
            return [problem_of("verifying", error)]
        return []

    def _after_finalize(self) -> list[Problem]:
        """All went back but what the system refused to take."""
        refused = joined((call.arguments[0], sum(call.arguments)) for call in self.m.calls
                          if call.name == "munmap" and call.answer == REFUSED)
        kept = [extent for extent in joined(self.m.system()) if extent not in refused]
        if kept:
            return [Problem("memory_not_returned", f"finalize left {sum(e - s for s, e in kept)} bytes unreturned")]
        self.m.disown()
        return []


def _is_possible(step: Step) -> bool:
    """Whether a request is not refused unseen."""
    return all(number <= MAX_REQUEST for number in step.numbers) and requested(step) <= MAX_REQUEST
