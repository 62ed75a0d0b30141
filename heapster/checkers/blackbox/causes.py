"""What is behind a finding: the trace is run again in other words, to tell the cause from what it shows as."""

from collections.abc import Iterator
from dataclasses import replace

from heapster.checkers.blackbox.codes import usual_cause
from heapster.checkers.blackbox.describe import by_code
from heapster.checkers.blackbox.generator import tags
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.known_faults import FATAL
from heapster.checkers.blackbox.protocol import NONE, Status
from heapster.checkers.blackbox.stepwise import BlackboxRun, Masked, run_trace
from heapster.checkers.blackbox.target import VERB_BITS
from heapster.model.geometry import WORD
from heapster.model.operation import Step, Trace
from heapster.model.operations import ALIGNING, PRODUCTS, REQUESTS, RESIZING, TAKING, requested
from heapster.model.spec import Promises
from heapster.model.trace import format_step, handle_name
from heapster.results import Finding
from heapster.wording import counted

CUT_BITS = 32
CUT = 1 << CUT_BITS                 # sizes from here on lose bits where they pass through an int
BELOW_CUT = CUT - (1 << 20)
ROUNDED_UP = 64                 # bytes that a header, and rounding, add at most
PLAIN = 40                      # a size that every allocator serves
ONES = 0x0101010101010101       # set in all that callers write: no byte of theirs is even
SMALL_WORD = 1 << 24            # larger ones may be addresses, which differ from run to run
TRUNCATED, TOO_SMALL, LARGE = "size_truncated", "block_too_small", "usable_too_large"
SPARED = (1, 2, 4, 8, 12, 16, 24, 32, 40, 48, 64)       # bytes at the end of blocks that may be the heap's
ENLARGED = (8, 16, 64, 256)     # by what requests grow, to ask whether their ends are meant and not all of them
HEAP_HARMED = frozenset({       # how it shows that a caller has written over words of the heap
    "crash", "abort", "hang", "touched_outside", "heap_check_failed", "runaway_memory", "exit"})
OF_SMALL = HEAP_HARMED | {"contents_damaged", "prefix_lost", "block_vanished"}      # and what else comes of that
GIVEN_AWAY = frozenset({"contents_damaged", "overlap"})     # how a block shows that was freed while it was held


class Causes:
    """Asks one target about traces that fail."""

    def __init__(self, judge: Judge, promises: Promises, masked: Masked) -> None:
        self._judge, self._promises, self._masked = judge, promises, masked
        self._are_small = judge.header.spared > 0       # blocks of the target, as is known

    def named(self, finding: Finding, trace: Trace) -> Finding:
        """The finding by its cause, where that can be told, with what is known of it besides."""
        outcome = self._run(trace)
        if not outcome.reasons or outcome.last >= len(outcome.seen):
            return finding
        for look in (self._truncation, self._given_away, self._usable_size, self._too_small):
            if cause := look(trace, outcome):
                code, title = cause
                return replace(by_code(finding, self._judge.target.name, code), title=title, details=(
                    f"{finding.details[0].partition(';')[0]}; usual cause: {usual_cause(code)}",
                    f"it shows as {finding.code}: {outcome.reasons[0].message}"))
        return replace(finding, details=(finding.details[0], *self._hints(trace, outcome), *finding.details[1:]))

    def _run(self, trace: Trace) -> BlackboxRun:
        return run_trace(self._judge, trace, self._promises, self._masked)

    def _truncation(self, trace: Trace, outcome: BlackboxRun) -> tuple[str, str] | None:
        """A size that is cut to 32 bits: what is left of it passes, and so does the largest that is left whole."""
        del outcome
        for index, step in enumerate(trace if self._promises.bits > CUT_BITS else ()):
            if step.verb not in REQUESTS or requested(step) < CUT - ROUNDED_UP or REQUESTS[step.verb] == "pages":
                continue
            size = requested(step)
            left = size % CUT if 0 < size % CUT < CUT - ROUNDED_UP else PLAIN      # else it wraps when it is rounded up
            if not self._is_cut(trace, index, left, left + (CUT if size >= 2 * CUT else 2 * CUT)):
                continue
            served = f"it is served as one of {counted(left, 'byte')}" if left == size % CUT else None
            small = served or "rounded up, it is a small one"
            return TRUNCATED, f"{format_step(step)}: the size is cut to 32 bits: {small}"
        return None

    def _is_cut(self, trace: Trace, index: int, left: int, twin: int) -> bool:
        """Whether a step takes sizes for what is left of them: a small one, and the largest that is whole."""
        if self._resized(trace, index, left).reasons or not self._resized(trace, index, twin).reasons:
            return False
        largest, cut = (self._resized(trace, index, size) for size in (BELOW_CUT, BELOW_CUT + 2 * CUT))
        served = index < len(largest.seen) and largest.seen[index].pointer != 0
        return not largest.reasons and bool(cut.reasons) == served

    def _resized(self, trace: Trace, index: int, size: int) -> BlackboxRun:
        """The trace with another size in one step."""
        step = trace[index]
        numbers = (1, size) if step.verb in PRODUCTS else (*step.numbers[:-1], size)
        return self._run((*trace[:index], step._replace(numbers=numbers), *trace[index + 1:]))

    def _given_away(self, trace: Trace, outcome: BlackboxRun) -> tuple[str, str] | None:
        """A block that changes or is given again after a realloc of it has failed."""
        reason = outcome.reasons[0]
        handle = dict(outcome.names).get(reason.where)
        if reason.code not in GIVEN_AWAY or handle is None:
            return None
        for index, (step, seen) in enumerate(zip(trace, outcome.seen, strict=False)):
            if step.verb not in RESIZING or step.operand != handle or seen.status != Status.DONE or seen.pointer:
                continue
            if not self._run(trace[:index] + trace[index + 1:]).reasons:
                title = f"{format_step(step)} fails, and frees {handle_name(handle)} all the same"
                return "failed_realloc_changed_block", title
        return None

    def _usable_size(self, trace: Trace, outcome: BlackboxRun) -> tuple[str, str] | None:
        """A fault that is gone where nobody writes to what is said to be usable."""
        header, bit = self._judge.header, VERB_BITS["usable_size"]
        asked = trace[outcome.last].verb == "usable_size"       # it fails in asking, not by what is answered
        if outcome.code not in FATAL or not header.has & bit or tags(trace) & TAKING or asked:
            return None                     # given back blocks may be damaged in other ways
        header.has &= ~bit
        if self._run(trace).code not in ("", "usable_too_small") or self._run(_asking_for_all(trace, outcome)).reasons:
            self._judge.header.has |= bit   # or it harms those bytes although they were asked for
            return None
        place = next((place for place, (step, seen) in enumerate(zip(trace, outcome.seen, strict=False))
                      if step.verb in REQUESTS and seen.pointer and seen.usable not in (NONE, requested(step))), None)
        if place is None:
            return LARGE, f"{format_step(trace[-1])}: writing to all that is said to be usable harms the heap"
        step, usable = trace[place], outcome.seen[place].usable
        self._judge.header.has |= bit
        beyond = next((spared for spared in SPARED if not self._sparing(trace, spared).reasons), 0)
        self._judge.header.has &= ~bit
        large = f"is {beyond} too large" if beyond else "is too large"
        return LARGE, f"{format_step(step)}: the usable size of {handle_name(step.result)}, {usable}, {large}"

    def _too_small(self, trace: Trace, outcome: BlackboxRun) -> tuple[str, str] | None:
        """A fault that is gone where nobody writes to the last bytes of blocks; from then on nobody does."""
        copies = any(step.verb in RESIZING for step in trace)       # of those bytes may do the harm
        if outcome.code not in (OF_SMALL if self._are_small else HEAP_HARMED) or copies and not self._are_small:
            return None
        for spared in SPARED:
            if not self._sparing(trace, spared).reasons and (self._are_small or self._is_of_ends(trace, spared)):
                step = next((step for step in trace if step.verb in REQUESTS and not self._sparing(
                    trace, spared, 1 + step.result).reasons), next(step for step in trace if step.verb in REQUESTS))
                self._judge.header.spared = max(spared, self._judge.header.spared)
                small = counted(min(spared, requested(step)), "byte")
                return TOO_SMALL, f"{format_step(step)}: the last {small} of it the heap keeps for words of its own"
        return None

    def _is_of_ends(self, trace: Trace, spared: int) -> bool:
        """Whether it is their ends also of larger blocks: then it is not all of a small one that is spared."""
        larger = (tuple(_enlarged(step, more) for step in trace) for more in ENLARGED)
        return any(self._run(other).reasons and not self._sparing(other, spared).reasons for other in larger)

    def _sparing(self, trace: Trace, spared: int, of: int = 0) -> BlackboxRun:
        """The trace, with so many bytes at the ends of blocks left alone: of all, or of that handle plus one."""
        before = self._judge.header.spared
        self._judge.header.spared, self._judge.header.spared_of = spared, of
        try:
            return self._run(trace)
        finally:
            self._judge.header.spared, self._judge.header.spared_of = before, 0

    def _hints(self, trace: Trace, outcome: BlackboxRun) -> Iterator[str]:
        """What the damaged place holds, and whether it takes an aligned block to damage it."""
        seen, step = outcome.seen[outcome.last], trace[outcome.last]
        found = seen.found
        if outcome.code == "not_zeroed" and seen.dirty + WORD <= requested(step):
            word = "a large word" if found >= SMALL_WORD else f"the word {found}"
            yield ("what a caller wrote before is still there" if found & ONES == ONES else
                   f"{word} is there, which no caller wrote: the heap's own, as an old end tag where it was extended")
        if outcome.code == "contents_damaged" and not found:
            yield ("zeroes are there now: cleared, or in a page that was given back (madvise, munmap) though the block "
                   "reaches into it")
        plain = tuple(Step("malloc", step.numbers[-1:], step.result) if step.verb in ALIGNING else step
                      for step in trace)
        if plain != trace and not self._run(plain).reasons:
            yield "with malloc in place of the aligned calls it passes: what is cut off before or behind their blocks?"


def _enlarged(step: Step, more: int) -> Step:
    """The step, asking for so many bytes more if it asks for some."""
    if step.verb not in REQUESTS or REQUESTS[step.verb] != "size":
        return step
    return step._replace(numbers=(*step.numbers[:-1], min(step.numbers[-1] + more, NONE)))


def _asking_for_all(trace: Trace, outcome: BlackboxRun) -> Trace:
    """The trace with each request as large as what was said to be usable of its block."""
    return tuple(
        step._replace(numbers=(*step.numbers[:-1], max(seen.usable, step.numbers[-1])))
        if step.verb in REQUESTS and REQUESTS[step.verb] == "size" and seen.pointer and seen.usable != NONE else step
        for step, seen in zip(trace, outcome.seen, strict=False))
