"""A hardened heap and its model, side by side: which slot a block gets is seen, and must be one that it may get."""

from typing import Any

from heapster.checkers.lockstep.calls import SHIPPED, Answer
from heapster.checkers.lockstep.decode_hardened import decode_hardened
from heapster.checkers.lockstep.lockstep import FAILURES, KEY, Lockstep, joined
from heapster.checkers.lockstep.stats_check import asked
from heapster.checkers.lockstep.undecodable import Undecodable
from heapster.impl import layout
from heapster.machine.checked_memory import FUEL
from heapster.machine.protocol import REFUSED, Aborted
from heapster.model import misuse
from heapster.model.geometry import ALIGN, ENOMEM, MAX_REQUEST, PAGE, signed
from heapster.model.hardened import (
    HARDENED_ALWAYS,
    HardenedHeap,
    could_be_asked,
    hardened_violations,
    may_hold,
    told_of_write,
    used_addresses,
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
        self._asked = 0                         # how often `stats` was

    def take(self, step: Step) -> list[Problem]:
        """See `Lockstep.take`; when a caller wrote over a word, the whole heap is looked at, and the run ends."""
        if step.verb in WRITING:
            return self._poke(self.pointers[step.operand] + step.offset, signed(step.numbers[0]))
        return super().take(step)

    def _poke(self, address: int, word: int) -> list[Problem]:
        """The caller writes a word somewhere: whether what the model says of it is told."""
        self.steps += 1
        heap, before = decode_hardened(self.m), self.m.peek(address)
        told = {misuse.UNNOTICED} if word == before else told_of_write(heap, address)
        self.misused = self._told_after(heap, address, word)
        if self.misused in told:
            return []
        return [Problem("misuse_unnoticed", f"a write of {word:#x} is {self.misused}, not {' or '.join(sorted(told))}")]

    def _told_after(self, heap: HardenedHeap, address: int, word: int) -> str:
        self.m.refuel(FUEL * (1 + len(heap.spans) + len(heap.mappings)))
        try:
            self.m.store(address, word)
            self.source.verify.verify(self.m)
        except Aborted as aborted:
            return misuse.abort_name(aborted.code)
        except FAILURES:
            return misuse.FAULT
        return misuse.UNNOTICED

    def checks(self) -> dict[str, int]:
        """How often each check was evaluated."""
        return {**dict.fromkeys(("specification", "contents", "relation"), self.steps),
                **dict.fromkeys(("used_slots_are_the_live_blocks", *(check.__name__ for check in HARDENED_ALWAYS)),
                                self._looks),
                "figures_are_those_of_the_heap": self._asked}

    # The relation.

    def _predict(self, step: Step, pointer: int, answer: Answer) -> list[Problem]:
        """What is wrong with an answer that the specification allows."""
        refused = any(call.answer == REFUSED for call in self.m.calls)
        problems = self._wrong_block(step, pointer, answer, refused=refused) if step.verb in REQUESTS else []
        if step.verb in REQUESTS and answer.errno == ENOMEM and not refused and _is_possible(step):
            problems.append(Problem("answer_diverges", f"{step.verb} says that memory is out, the system gave all"))
        if pointer and self._is_gone(step, answer):
            self._usable.pop(pointer, None)
        if step.verb == "finalize":
            self._usable.clear()
        if step.verb in REQUESTS and answer.value in self.live:
            self._note(pointer, answer.value)
        return problems

    def _wrong_block(self, step: Step, pointer: int, answer: Answer, *, refused: bool) -> list[Problem]:
        held = self.live.get(answer.value)
        if held is None:                    # there is none, or what was said of it already ends the run
            return []
        alignment = PAGE if step.verb in PAGE_ALIGNING else max(held.alignment or ALIGN, ALIGN)
        usable = held.usable or 0
        if not may_hold(usable, held.request, alignment):
            return [Problem("answer_diverges", f"a block for {held.request} bytes has {usable}")]
        moved = step.verb in RESIZING and pointer and answer.value != pointer
        if moved and not refused and usable == self._usable.get(pointer):      # a mapping where no span could be had
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
            before, heap = self.hardened, decode_hardened(self.m)
        except Undecodable as error:
            return [Problem("undecodable_heap", str(error))]
        self._see(before, heap)
        self.hardened = heap
        asked_for = [*self._figures(heap), *self._verified()] if is_asked else []
        return [*hardened_violations(heap), *self._used(heap), *asked_for]

    def _see(self, before: HardenedHeap, heap: HardenedHeap) -> None:
        seen = {"a_slot_waited": any(span.waiting for span in heap.spans),
                "a_span_was_full": any(span.free == 0 for span in heap.spans),
                "a_span_held_nothing": any(not span.taken for span in heap.spans),
                "a_span_went_back": 0 < len(heap.spans) < len(before.spans),
                "a_mapping_waited": any(not mapping.used for mapping in heap.mappings),
                "a_guard_was_refused": heap.unguarded}
        self.witnesses.update(name for name, holds in seen.items() if holds)

    def _used(self, heap: HardenedHeap) -> list[Problem]:
        """Used slots and mappings are the live blocks, no more and no fewer."""
        used, live = used_addresses(heap), {held.pointer for held in self.live}
        lost, kept = len(live - used), len(used - live)
        if lost or kept:
            return [Problem("used_slots_are_the_live_blocks",
                            f"{lost} live blocks are not used, {kept} used ones are nobody's")]
        return []

    def _figures(self, heap: HardenedHeap) -> list[Problem]:
        """What `stats` says of all is what the spans and mappings come to."""
        held, used, slots = heap.mappings, [len(span.taken - span.waiting) for span in heap.spans], heap.spans
        mapped = [mapping.length for mapping in held if mapping.used]
        expected = (sum(mapped) + sum(span.length for span in slots),
                    sum(mapped) + sum(span.slot * count for span, count in zip(slots, used, strict=True)),
                    len(mapped) + sum(used),
                    sum(span.slot * (span.slots - count) for span, count in zip(slots, used, strict=True)),
                    sum(span.slots for span in slots) - sum(used),
                    max((span.slot for span in slots if span.free), default=0))
        self._asked += 1
        found, _ = asked(self.source, self.m, layout.ALL_ARENAS)
        if found[:len(expected)] != expected:
            return [Problem("figures_are_those_of_the_heap", f"stats says {found[:len(expected)]}, not {expected}")]
        return []

    def _loads(self) -> int:
        """A walk reads each word of what is free, and each slot's bits, more than once."""
        return FUEL * (1 + len(self.hardened.spans) + len(self.hardened.mappings))

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
