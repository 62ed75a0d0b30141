"""The implementation and the model, side by side: after every step, everything that must hold.

    lockstep = Lockstep(Simulated())
    for step in trace:
        problems = lockstep.take(step)
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from heapster.checkers.lockstep.calls import CRASHES, SHIPPED, Answer, call
from heapster.checkers.lockstep.damaged import Damaged
from heapster.checkers.lockstep.decode import decode
from heapster.checkers.lockstep.heap_diff import difference
from heapster.checkers.lockstep.payload_pattern import Contents
from heapster.checkers.lockstep.stats_check import wrong_figures
from heapster.checkers.lockstep.undecodable import Undecodable
from heapster.checkers.lockstep.verify_check import said_by, wrong_verdicts
from heapster.machine.checked_memory import FUEL
from heapster.machine.protocol import REFUSED, Aborted, MachineFault
from heapster.model import misuse
from heapster.model.heap import Heap, waiting
from heapster.model.invariants import ALWAYS, violations
from heapster.model.live import Live
from heapster.model.operation import NO_HANDLE, Step
from heapster.model.operations import ASKING, ON_BLOCKS, RELEASING, REQUESTS, RESIZING
from heapster.model.problem import Problem
from heapster.model.reference import Reference
from heapster.model.spec import OURS, Operation, Result, advance, explains
from heapster.model.system import Divergence, System

AT_EACH_STEP = ("specification", "reference", "contents")
AT_EACH_LOOK = ("live_block_is_cached", *(invariant.__name__ for invariant in ALWAYS))
CHECKS = (*AT_EACH_STEP, *AT_EACH_LOOK)
KEY = 0x9E3779B97F4A7C15            # of checksums and marks, as each run has it: so a trace always runs the same


# What a broken allocator may raise: the machine's own, and what Python says of wrong words and names.
FAILURES = (MachineFault, Aborted, *CRASHES)


class Lockstep:
    """One run: a machine, the source on it, and the model beside them.

    What the caller sees is checked at each step: answers, contents, what the system is asked, all as predicted.
    The heap as it lies in memory is looked at once in `look_every` steps, at `stats` and before the run ends, so
    that with more than 1 what is wrong with it may be told late: a run with 1 then says of which step it comes.
    """

    SPANS = False                               # whether the source has them

    def __init__(self, m: Any, source: Any = SHIPPED, look_every: int = 1, key: int = KEY) -> None:
        self.m, self.source, self.look_every = m, source, look_every
        self.pointers = {NO_HANDLE: 0}          # by handle; 0 for NULL
        self.live = Live()
        self.reference = Reference(spans=self.SPANS)
        self.heap: Heap | None = None           # as decoded after the last step
        self.misused = ""                       # how a misuse ended, which ends the run
        self.steps = 0
        self._freed = misuse.Freed()
        self.witnesses: Counter[str] = Counter()
        self.statistics_checked = 0
        self._contents = Contents(m)
        self._looked_at = 0                     # the step after which the heap was looked at last
        self._looks = 0
        self._damaged = Damaged(self, self._contents, self._overdue)
        source.settings.set_key(m, key)

    def checks(self) -> dict[str, int]:
        """How often each check was evaluated."""
        return {**dict.fromkeys(AT_EACH_STEP, self.steps), **dict.fromkeys(AT_EACH_LOOK, self._looks),
                "statistics": self.statistics_checked}

    def take(self, step: Step) -> list[Problem]:
        """Take a step; what is wrong after it, most telling first."""
        pointer = self.pointers[step.operand] + step.offset
        if self._damaged.concerns(step):
            return self._damaged.take(step, pointer)
        misused = misuse.is_misuse(self.live, step, pointer)
        if (misused or step.verb == "finalize") and (overdue := self._overdue()):
            return overdue
        self.steps += 1
        if misused:
            return self._misuse(step, pointer)
        self.m.calls.clear()
        answer, problems = self._call(step, pointer)
        if answer is None:
            return problems
        self._note_freed(step, pointer, answer)
        problems += self._explain(step, pointer, answer)
        diverged = self._predict(step, pointer, answer)
        return problems + self._decode(step) + diverged

    def _call(self, step: Step, pointer: int) -> tuple[Answer | None, list[Problem]]:
        try:
            answer = call(self.source, self.m, step, pointer)
        except FAILURES as error:
            return None, [problem_of(step.verb, error)]
        return answer, [Problem("wrong_answer", answer.problem)] if answer.problem else []

    def _misuse(self, step: Step, pointer: int) -> list[Problem]:
        """A step that no caller may take: it ends the run, and must be noticed where it can be."""
        heap = self.heap or self.look()
        case = misuse.classify(heap, self.live, step, pointer, header=self._freed.header(pointer))
        assert case is not None
        self.misused = self._outcome(step, pointer)
        if case.allows(self.misused):
            return []
        return [Problem("misuse_unnoticed", f"{step.verb} of a {case.kind.value} is {self.misused}; {case.words}")]

    def _outcome(self, step: Step, pointer: int) -> str:
        try:
            call(self.source, self.m, step, pointer)
        except (MachineFault, *CRASHES):
            return misuse.FAULT
        except Aborted as aborted:
            return misuse.abort_name(aborted.code)
        return misuse.UNNOTICED

    # The specification: what the caller sees.

    def _explain(self, step: Step, pointer: int, answer: Answer) -> list[Problem]:
        if step.verb not in REQUESTS and step.verb not in ON_BLOCKS and step.verb != "finalize":
            return self._damage()
        operation = Operation(step.verb, step.numbers, pointer)
        try:
            result = self._observe(step, pointer, answer)
        except FAILURES as error:
            seen = Result(answer.value, answer.errno, answer.returned)
            return [*explains(self.live, operation, seen, OURS),
                    problem_of(f"looking at what {step.verb} answered", error)]
        problems = [*explains(self.live, operation, result, OURS)]
        advance(self.live, operation, result, OURS)
        if step.result != NO_HANDLE:
            self.pointers[step.result] = answer.value
        return problems + self._write(answer.value if step.verb in REQUESTS else 0, result.usable)

    def _note_freed(self, step: Step, pointer: int, answer: Answer) -> None:
        """Which freed blocks a second free must notice, see `misuse.Freed`."""
        if pointer and self._is_gone(step, answer):
            self._freed.freed(pointer)
        for made in self.m.calls:
            if made.answer != REFUSED:
                self._note_lost(*made)

    def _note_lost(self, name: str, arguments: tuple[int, ...], answer: int) -> None:
        """Which headers the system took, or may have taken."""
        if name == "purge":
            self._freed.purged(arguments[0], sum(arguments))
        elif name in ("munmap", "remap"):
            self._freed.given_back(arguments[0], arguments[0] + arguments[1])
        elif name == "sbrk":
            self._freed.given_back(answer + arguments[0], answer)

    def _damage(self) -> list[Problem]:
        damaged = self._contents.damaged()
        return [Problem("contents_damaged", f"byte {damaged[1]} of a live block changed")] if damaged else []

    def _observe(self, step: Step, pointer: int, answer: Answer) -> Result:
        usable, prefix_lost, dirty = None, None, None
        if step.verb in ASKING:
            usable = answer.value
        elif step.verb in REQUESTS and answer.value:
            usable = self.source.api.usable_size(self.m, answer.value)
            if pointer:
                prefix_lost = self._contents.prefix_lost(pointer, answer.value, usable)
            elif step.verb == "calloc":
                dirty = self._contents.not_zero(answer.value, usable)
        if pointer and self._is_gone(step, answer):
            self._contents.drop(pointer)
        elif step.verb == "finalize":
            self._contents.drop_all()
        damaged = self._contents.damaged()
        return Result(answer.value if step.verb in REQUESTS else 0, answer.errno, answer.returned, usable,
                      (damaged,) if damaged else (), prefix_lost, dirty)

    @staticmethod
    def _is_gone(step: Step, answer: Answer) -> bool:
        """Whether the operand's block is no longer the caller's."""
        if step.verb in RESIZING:
            return answer.value != 0 or 0 in step.numbers
        return step.verb in RELEASING

    def _write(self, pointer: int, usable: int | None) -> list[Problem]:
        if pointer and usable is not None:
            self._freed.handed_out(pointer, usable)
            try:
                self._contents.write(pointer, usable)
            except MachineFault as fault:
                return [problem_of("writing to the block", fault)]
        return []

    # The structure: what only the allocator sees.

    def _predict(self, step: Step, pointer: int, answer: Answer) -> list[Problem]:
        system = System(self.m.calls)
        try:
            predicted = self.reference.predict(system, step, pointer)
            system.done()
        except Divergence as divergence:
            return [Problem("system_calls_diverge", str(divergence))]
        self.witnesses.update(self.reference.events)
        expected = (predicted, self.reference.returned, self.reference.errno)
        got = (answer.value, answer.returned, answer.errno)
        if got != expected:
            return [Problem("answer_diverges", _wrong_answer(step, got, expected))]
        return []

    def look(self) -> Heap:
        """The heap as it lies in memory; Undecodable if it is none."""
        return decode(self.m, spans=self.SPANS)

    def _decode(self, step: Step) -> list[Problem]:
        """What is wrong with the heap as it lies in memory, if it is time to look."""
        if step.verb == "finalize" and (problems := self._after_finalize()):
            return problems
        due = step.verb in ("finalize", "stats") or self.steps - self._looked_at >= self.look_every
        return self._look(is_asked=step.verb == "stats") if due else []

    def _overdue(self) -> list[Problem]:
        """What is wrong with the heap before a step that ends the run, if nobody looked since the last."""
        return self._look() if self.steps > self._looked_at else []

    def _look(self, *, is_asked: bool = False) -> list[Problem]:
        """Invariants of the heap as it lies in memory, and its equality with the prediction."""
        self._looked_at = self.steps
        self._looks += 1
        try:
            heap = self.heap = self.look()
        except Undecodable as error:
            return [Problem("undecodable_heap", str(error))]
        problems = self._violations(heap) + self._live_and_waiting(heap)
        if is_asked:
            self.statistics_checked += 1
            problems += self._statistics(heap)
        predicted = self.reference.heap()
        if heap._replace(held_locks=(), system=()) != predicted:
            problems.append(Problem("structure_diverges", difference(predicted, heap)))
        return problems or (self._verified() or self._verdicts() if is_asked else [])

    def _violations(self, heap: Heap) -> list[Problem]:
        """Every way in which the heap breaks an invariant."""
        return violations(heap)

    def _live_and_waiting(self, heap: Heap) -> list[Problem]:
        """A block is the caller's or waits to be used again, never both."""
        both = sum(payload in self.live for payload in waiting(heap))
        return [Problem("live_block_is_cached", f"{both} live blocks wait to be used again")] if both else []

    def _statistics(self, heap: Heap) -> list[Problem]:
        try:
            return [Problem("wrong_statistics", why) for why in wrong_figures(self.source, self.m, heap)]
        except FAILURES as error:
            return [problem_of("asking for statistics", error)]

    def _verified(self) -> list[Problem]:
        """What `verify` says of the heap, which is sound as far as is known."""
        self.m.refuel(self._loads())
        try:
            self.source.verify.verify(self.m)
        except Aborted as aborted:
            return [Problem("wrong_verdict", f"verify of a sound heap ends with {said_by(aborted)}")]
        except FAILURES as error:
            return [problem_of("verifying", error)]
        return []

    def _loads(self) -> int:
        """How many a walk may need."""
        return FUEL

    def _verdicts(self) -> list[Problem]:
        """What `verify` says wrongly of it with words changed."""
        return [Problem("wrong_verdict", why)
                for why in wrong_verdicts(self.source, self.m, self.steps, spans=self.SPANS)]

    def _after_finalize(self) -> list[Problem]:
        forgotten = joined(self.reference.forgotten)
        kept = [extent for extent in joined(self.m.system()) if extent not in forgotten]
        self.reference.forgotten.clear()
        if kept:
            return [Problem("memory_not_returned", f"finalize left {sum(e - s for s, e in kept)} bytes unreturned")]
        self.m.disown()
        return []


def joined(extents: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Disjoint pieces of memory, [start, end) each, in which neighbours are one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(extents):
        is_neighbour = joined and joined[-1][1] == start
        joined.append((joined.pop()[0] if is_neighbour else start, end))
    return joined


def problem_of(doing: str, error: Exception) -> Problem:
    """What went wrong where nothing was misused."""
    if isinstance(error, MachineFault):
        return Problem(f"fault_{error.code}", f"{doing}: {error}")
    if isinstance(error, Aborted):
        name = misuse.abort_name(error.code)
        return Problem(f"aborted_{name}", f"{doing}: aborts with {name}, with nothing misused")
    return Problem("crashed", f"{doing}: raises {type(error).__name__}: {error}")


def _wrong_answer(step: Step, got: tuple[int, int, int], expected: tuple[int, int, int]) -> str:
    if got[0] != expected[0] and step.verb in REQUESTS:
        if not got[0] or not expected[0]:
            return f"{step.verb} answers {'NULL' if not got[0] else 'a block'}, the reference the contrary"
        return f"{step.verb} answers a block {got[0] - expected[0]:+} bytes from where the reference has it"
    if got[0] != expected[0]:
        return f"{step.verb} answers {got[0]}, the reference {expected[0]}"
    return (f"{step.verb} returns {got[1]} with errno {got[2]}, "
            f"the reference {expected[1]} with errno {expected[2]}")
