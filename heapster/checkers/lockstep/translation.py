"""Translation validation: the compiled allocator does, word for word, what the interpreted one does.

The same trace runs on both. After every step their answers, errno, system calls, locks, dumps and all
of their memory are equal, addresses being taken relative to the piece of memory that they lie in. So it is of what is
built with spans, and of what is built without.
"""

import ctypes
from array import array
from collections.abc import Iterator
from typing import Any

from heapster.checkers.fuzz.stateful import Record, live_lives
from heapster.checkers.lockstep.calls import Answer, call
from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.lockstep.native import COMPILED, HANG_SECONDS, library
from heapster.checkers.lockstep.spans import SimulatedWithRoom, SpansLockstep
from heapster.checkers.lockstep.subprocess import Died, Journal, contained
from heapster.checkers.targets.source import Source
from heapster.impl import layout, run_layout
from heapster.impl.layout import WORD
from heapster.machine.checked_memory import STATICS_BYTES, THREAD_BYTES, THREAD_STRIDE, THREADS
from heapster.machine.guards import PAGE
from heapster.machine.mirror import FAR, Difference, Mirror
from heapster.machine.observed import Library
from heapster.machine.protocol import Aborted, MachineFault
from heapster.machine.simulated import Simulated
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.placement import POLICY_NAMES
from heapster.model.problem import Problem
from heapster.model.trace import format_step

SCANNED = 1 << 22               # bytes; of larger pieces, the pages to which the interpreted one wrote are compared
LINE = 256                      # bytes that are compared at once
PATTERN = 0x5EED << 40          # what the caller writes into its blocks
WRITTEN = 8                     # words at either end of a block that the caller writes


def validate(trace: Trace, source: Source, fault: str = "", seconds: float = HANG_SECONDS) -> list[Problem]:
    """What the compiled allocator does otherwise than the source, with spans if that has them.

    A fault of the lowering is planted if one is named.
    """
    loaded, journal = library(fault, spans=source.has_spans), Journal()
    ended = contained(lambda: Pair(loaded, source, journal).run(trace), journal, seconds)
    if isinstance(ended, Died):
        return [Problem(f"translation_{ended.how}", f"{(journal.lines() or ['start'])[-1]}: {ended.words}")]
    return ended.value


def lives(first_seed: int, examples: int, source: Source, policies: tuple[str, ...] = POLICY_NAMES) -> list[Trace]:
    """Traces of lives of the source that Hypothesis chooses from that seed: the whole API, refusals of the system."""
    traces: list[list[Step]] = []

    def make() -> Lockstep:
        traces.append([])
        kind = NotingSpans if source.has_spans else NotingLockstep
        return kind(_machine_for(source), source, traces[-1])

    live_lives(Record(make, policies, arenas=3, faults=True), first_seed, examples)
    return [tuple(trace) for trace in traces if trace]


class NotingLockstep(Lockstep):
    """A lockstep that keeps the steps that it takes."""

    def __init__(self, m: Simulated, source: Source, trace: list[Step]) -> None:
        super().__init__(m, source)
        self._trace = trace

    def take(self, step: Step) -> list[Problem]:
        """See `Lockstep.take`."""
        self._trace.append(step)
        return super().take(step)


class NotingSpans(NotingLockstep, SpansLockstep):
    """As `NotingLockstep`, of a heap with spans."""


def _machine_for(source: Source) -> Simulated:
    return SimulatedWithRoom() if source.has_spans else Simulated()


class Pair:
    """The two allocators, side by side."""

    def __init__(self, compiled: Library, source: Source, journal: Journal) -> None:
        self.original, self._source = _machine_for(source), source
        self.original.word_by_word = True
        self.mirror = Mirror(compiled, self.original)
        self._journal = journal
        self._pointers = {NO_HANDLE: 0}         # the original's
        self._snapshots: dict[int, bytes] = {}  # of the compiled one's memory, by address
        self._pages = set[int]()                # to which the original wrote at any time

    def run(self, trace: Trace) -> list[Problem]:
        """The first differences, until the trace ends or misuses the heap."""
        for step in trace:
            self._journal.note(format_step(step))
            try:
                if not self._take(step):
                    break
            except Difference as difference:
                return [Problem("translation_differs", f"{format_step(step)}: the compiled allocator {difference}")]
        return []

    def _take(self, step: Step) -> bool:
        """Take a step on both; whether the trace may go on."""
        pointer = self._pointers[step.operand] + step.offset
        self.original.calls.clear()
        answer, aborted = _attempt(self._source, self.original, step, pointer)
        if answer is None and aborted is None:
            return False                        # a stray access, which only the original can survive
        self.mirror.follow(self.original.calls)
        operand = self.mirror.there(pointer)
        answer_there, aborted_there = _attempt(COMPILED, self.mirror, step, operand)
        self._compare(answer, answer_there, aborted, aborted_there)
        if answer is None:
            return False
        if step.result != NO_HANDLE:
            self._pointers[step.result] = answer.value
            self._write(answer.value)
        return True

    def _write(self, pointer: int) -> None:
        """Let the caller use its block: the same words in both."""
        if not pointer:
            return
        size = self._source.api.usable_size(self.original, pointer) & -WORD
        ends = {*range(0, min(size, WRITTEN * WORD), WORD), *range(max(0, size - WRITTEN * WORD), size, WORD)}
        words = {pointer + offset: PATTERN + (pointer & 0xFFFFF) + offset for offset in ends}
        self.original.write(words)
        for address, word in words.items():
            self.mirror.store(self.mirror.there(address), word)

    # What must be equal.

    def _compare(self, one: Answer | None, other: Answer | None, aborted: Aborted | None,
                 aborted_there: Aborted | None) -> None:
        for name, first, second in (
                ("ends", _ending(aborted), _ending(aborted_there)),
                ("answers", one and self.mirror.there(one.value), other and other.value),
                ("returns", one and one[1:], other and other[1:]),
                ("calls", [], list(self.mirror.unanswered())),
                ("shows", self.original.shown, self.mirror.shown),
                ("holds", [self.mirror.there(mutex) for mutex in self.original.held()], list(self.mirror.held()))):
            if first != second:
                raise Difference(f"{name} {second}, the interpreted one {first}")
        for address, first, second in self._differing_words():
            raise Difference(f"has {second:#x} at {address:#x}, the interpreted one {first:#x}")

    def _differing_words(self) -> Iterator[tuple[int, int, int]]:
        """Words that differ, among those that either of the two has changed since all were equal."""
        changed = self._changed()
        for address in sorted(changed):
            original, word = self.original.words.get(address, 0), self._word(address)
            if not self.mirror.alike(original, word, address):
                yield address, original, word
        for thread in range(self.original.running + 1):
            yield from self._differing_storage(THREADS + thread * THREAD_STRIDE, self.mirror.thread_storage(thread))

    def _changed(self) -> set[int]:
        """Addresses of words of memory that both have and that may have changed."""
        pieces = [(start + -start % WORD, end - end % WORD) for start, end in self.mirror.pieces()]
        written = self.original.words
        if isinstance(written, Tracked):
            changed, written.changed = written.changed, set()
        else:
            changed, self.original.words = set(written), Tracked(written)
        self._pages.update({address & -PAGE for address in changed})
        changed = {address for address in changed for start, end in pieces if start <= address < end}
        before, self._snapshots = self._snapshots, {}
        for start, end in self._scanned(pieces):
            now = self._snapshots[start] = ctypes.string_at(self.mirror.there(start), end - start)
            changed.update(_changed_words(start, before.get(start, b""), now))
        return changed

    def _scanned(self, pieces: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """What is compared whole of the pieces."""
        for start, end in pieces:
            if end - start <= SCANNED:
                yield start, end
            else:
                yield from ((page, page + PAGE) for page in self._pages if start <= page < end)

    def _word(self, address: int) -> int:
        return self.mirror.load(self.mirror.there(address))

    def _differing_storage(self, first: int, storage: bytes) -> Iterator[tuple[int, int, int]]:
        for index, word in enumerate(array("q", storage)):
            original = self.original.words.get(first + WORD * index, 0)
            if not self.mirror.alike(original, word):
                yield first + WORD * index, original, word


class Tracked(dict[int, int]):
    """Words that note which of them change."""

    def __init__(self, words: dict[int, int]) -> None:
        super().__init__(words)
        self.changed: set[int] = set()

    def __setitem__(self, address: int, word: int) -> None:
        self.changed.add(address)
        super().__setitem__(address, word)

    def update(self, words: Any) -> None:
        """See `dict.update`."""
        self.changed.update(words)
        super().update(words)

    def pop(self, address: int, *default: Any) -> Any:
        """See `dict.pop`."""
        self.changed.add(address)
        return super().pop(address, *default)


def _changed_words(start: int, before: bytes, now: bytes) -> Iterator[int]:
    """Addresses of the words in the lines of a piece at `start` that changed."""
    for line in range(0, len(now), LINE):
        if now[line:line + LINE] != before[line:line + LINE]:
            yield from range(start + line, start + min(line + LINE, len(now)), WORD)


def _attempt(source: object, m: Simulated | Mirror, step: Step, pointer: int) -> tuple[Answer | None, Aborted | None]:
    """The step's answer, or how it was aborted; neither if it made a stray access."""
    try:
        return call(source, m, step, pointer), None
    except Aborted as aborted:
        return None, aborted
    except MachineFault:
        return None, None


def _ending(aborted: Aborted | None) -> tuple[int, int] | None:
    return (aborted.code, aborted.address) if aborted else None


assert layout.STATICS_BYTES <= STATICS_BYTES
assert layout.THREAD_BYTES == THREAD_BYTES
assert run_layout.FAR == FAR
