"""The precise engine: a trace run in a child, every step seen, and the specification asked of each."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from heapster.checkers.blackbox.capacity import Room
from heapster.checkers.blackbox.judge import Ending, Judge, how_it_died, last_words
from heapster.checkers.blackbox.protocol import NONE, Breach, Ended, Mode, Observation, Phase, Status
from heapster.model.live import Live
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import CALLS, RELEASING, REQUESTS, requested
from heapster.model.problem import Problem
from heapster.model.spec import HARMS, Operation, Promises, Result, advance, explains, must_refuse, where_outside
from heapster.model.trace import handle_name

SIGABRT = 6
LONG_RETRY = 4                  # times the limit: before a hang is claimed
CLAIMED = 200                   # ms: the limit where a hang was claimed
IMPOSSIBLE = ("huge_accepted", "overflow_accepted")     # codes of blocks that are larger than memory
NOWHERE = ("impossible_address", "block_wraps")         # codes of blocks that nobody can write to
ALL_SUSPICIONS = (1 << 64) - 1


Masked = frozenset[tuple[str, str]]     # codes, and the verbs at whose steps they are known already


class NamedBlock(NamedTuple):
    """A live block as the trace names it."""

    handle: int
    pointer: int
    request: int


@dataclass(frozen=True)
class BlackboxRun:
    """How a trace went, up to the first thing that is wrong."""

    reasons: tuple[Problem, ...] = ()
    last: int = -1                          # index of the step that noticed
    before: tuple[NamedBlock, ...] = ()          # live before that step
    answered: int = 0                       # what the step answered
    ending: Ending | None = None
    steps: int = 0                          # taken and judged
    seen: tuple[Observation, ...] = ()
    names: tuple[tuple[int, int], ...] = field(default=())      # payloads: their handles
    calls: tuple[tuple[Operation, Result], ...] = ()    # that were judged

    @property
    def code(self) -> str:
        """The most telling reason's code, or nothing."""
        return self.reasons[0].code if self.reasons else ""

    @property
    def hung(self) -> bool:
        """Whether it did not come back, wherever it was."""
        return self.ending is not None and self.ending.ended is Ended.TIMED_OUT


def run_trace(judge: Judge, trace: Trace, promises: Promises, masked: Masked = frozenset()) -> BlackboxRun:
    """Run a trace in a fresh child and judge it; what is masked is passed over."""
    set_promises(judge, promises)
    judge.header.masked = ALL_SUSPICIONS
    ending = judge.run(Mode.PRECISE, judge.set_steps(trace))
    if ending.ended in (Ended.TIMED_OUT, Ended.TIRED) and judge.patient:
        ending = _once_more(judge, len(trace))
    return _Judged(judge, trace, promises, masked, ending).outcome()


def set_promises(judge: Judge, promises: Promises) -> None:
    """Tell the compiled checks what the target promises."""
    header = judge.header
    header.alignment, header.small_blocks = promises.alignment, promises.small_blocks
    header.wants_errno, header.zero_keeps = promises.errno, promises.realloc_zero == "keeps"


def _once_more(judge: Judge, count: int) -> Ending:
    limit = judge.header.limit_ms
    judge.header.limit_ms = limit * LONG_RETRY
    try:
        return judge.run(Mode.PRECISE, count)
    finally:
        judge.header.limit_ms = limit


@contextmanager
def hurried(judge: Judge, limit: int = CLAIMED) -> Iterator[None]:
    """No patience meanwhile: what hangs is known to, or is of no interest."""
    before = judge.patient, judge.header.limit_ms
    judge.patient, judge.header.limit_ms = False, min(limit, before[1])
    try:
        yield
    finally:
        judge.patient, judge.header.limit_ms = before


class _Judged:
    """A run that is over, gone through step by step."""

    def __init__(self, judge: Judge, trace: Trace, promises: Promises, masked: Masked,
                 ending: Ending) -> None:
        self._trace, self._promises, self._masked, self._ending = trace, promises, masked, ending
        self._target = judge.target
        self._seen = judge.observed(len(trace))
        self._live = Live()
        self._pointers = {NO_HANDLE: 0}
        self._handles: dict[int, int] = {}
        self._calls: list[tuple[Operation, Result]] = []
        self._beside = False            # somebody else has memory of the system
        self._room = Room(judge.target.room, judge.target.shape == "malloc-lab")

    def outcome(self) -> BlackboxRun:
        """The first step at which something is wrong, if there is one."""
        taken = 0
        for index, (step, seen) in enumerate(zip(self._trace, self._seen, strict=True)):
            if seen.status == Status.SKIPPED:
                self._pointers.pop(step.result, None)
                continue
            if seen.status != Status.DONE:
                break
            taken += 1
            reasons = self._judge(step, seen)
            if reasons:
                return self._outcome(index, reasons, seen, self._blocks(), taken)
            if self._is_spoilt(step, seen):
                return self._nothing_wrong(taken)
            self._advance(step, seen)
        return self._ended(taken)

    def _nothing_wrong(self, taken: int) -> BlackboxRun:
        return BlackboxRun(steps=taken, ending=self._ending, seen=tuple(self._seen), calls=tuple(self._calls))

    def _is_spoilt(self, step: Step, seen: Observation) -> bool:
        """Whether a block was given that cannot exist, as is known: what comes of that is no news."""
        refusal = must_refuse(self._operation(step), self._promises) if step.verb in REQUESTS else None
        return bool(seen.pointer and refusal and refusal.code in IMPOSSIBLE)

    def _judge(self, step: Step, seen: Observation) -> tuple[Problem, ...]:
        if step.verb not in CALLS:
            self._room.refused |= step.verb == "fail"
            self._beside |= step.verb == "foreign_sbrk"
            return ()
        checked = (0, 1) if "check" in self._target.symbols else (0,)
        if seen.harmed not in (0, *HARMS) or seen.breach not in tuple(Breach) or seen.own_check_failed not in checked:
            return (Problem("record_changed", f"{step.verb}, or a call before it, wrote over what is told of it"),)
        operation, result = self._operation(step), self._result(step, seen)
        self._calls.append((operation, result))
        reasons = list(explains(self._live, operation, result, self._promises))
        if seen.breach:
            reasons.append(breach_reason(Breach(seen.breach), step.verb))
        if seen.own_check_failed:
            reasons.append(Problem("heap_check_failed", f"the target's own {self._target.symbols['check']} says no"))
        if step.verb in REQUESTS and not seen.pointer:
            reasons = [*self._room.refused_nothing(operation, self._promises), *reasons,
                       *self._room.spurious(operation)]
        if any(reason.code in IMPOSSIBLE and (reason.code, step.verb) in self._masked for reason in reasons):
            return ()
        return tuple(reason for reason in reasons if (reason.code, step.verb) not in self._masked)

    def _operation(self, step: Step) -> Operation:
        return Operation(step.verb, step.numbers, self._pointers.get(step.operand, 0))

    def _result(self, step: Step, seen: Observation) -> Result:
        damaged = self._pointers.get(seen.damaged, 0) if seen.damaged != NO_HANDLE else 0
        return Result(
            seen.pointer, seen.error, seen.returned, None if seen.usable == NONE else seen.usable,
            ((damaged, seen.damaged_at),) if damaged in self._live else (),
            None if seen.prefix_lost == NONE else seen.prefix_lost,
            None if seen.dirty == NONE else seen.dirty, bool(seen.out_changed),
            (seen.low, seen.high) if seen.high else None, seen.stray,
            seen.harmed, self._beside)

    def _advance(self, step: Step, seen: Observation) -> None:
        if step.verb not in CALLS:
            return
        operation, result = self._operation(step), self._result(step, seen)
        if step.verb in REQUESTS and must_refuse(operation, self._promises):
            result = result._replace(pointer=0)                 # a block that nothing can be asked of
        if operation.pointer and operation.pointer not in self._live:
            operation = operation._replace(pointer=0)           # an overlap that is masked took it away
        if step.verb not in RELEASING or operation.pointer:
            advance(self._live, operation, result, self._promises)
        if step.result != NO_HANDLE:
            self._pointers[step.result] = seen.pointer
            self._handles[seen.pointer] = step.result
        self._room.note(operation, result, self._live)

    def _ended(self, taken: int) -> BlackboxRun:
        ending = self._ending
        if not ending.died and not ending.init_failed:
            return self._nothing_wrong(taken)
        index = min(max(taken, ending.current), len(self._trace) - 1)
        reason = why_it_died(ending, self._trace[index].verb if self._trace else "", self._promises,
                             self._in_block(ending.fault, index))
        return self._outcome(index, (*self._given_in_vain(index), reason), None, self._blocks(), taken)

    def _in_block(self, place: int, index: int) -> str:
        """In which block an address lies, and where in it, for the end of a sentence: of those that were given."""
        given = [NamedBlock(step.result, seen.pointer, requested(step)) for step, seen in
                 zip(self._trace[index:index + 1], self._seen[index:index + 1], strict=False) if seen.pointer]
        within = (block for block in (*given, *self._blocks()) if 0 <= place - block.pointer < block.request)
        return next((f", at byte {place - block.pointer:,} of {block.request:,} of {handle_name(block.handle)}"
                     for block in within), "")

    def _given_in_vain(self, index: int) -> tuple[Problem, ...]:
        """Why nobody could write to the block at which the run died: it lies where none can."""
        if self._ending.phase not in (Phase.CALLING, Phase.FILLING) or self._seen[index].status != Status.BEGUN:
            return ()
        reasons = self._judge(self._trace[index], self._seen[index])
        return tuple(reason for reason in reasons if reason.code in NOWHERE)

    def _outcome(self, index: int, reasons: tuple[Problem, ...], seen: Observation | None,
                 before: tuple[NamedBlock, ...], taken: int) -> BlackboxRun:
        step = self._trace[index]
        names = {held.pointer: self._handles.get(held.pointer, NO_HANDLE) for held in self._live}
        if seen and seen.pointer and step.result != NO_HANDLE:
            names.setdefault(seen.pointer, step.result)
        return BlackboxRun(reasons, index, before, seen.pointer if seen else 0, self._ending, taken,
                           tuple(self._seen), tuple(names.items()), tuple(self._calls))

    def _blocks(self) -> tuple[NamedBlock, ...]:
        return tuple(NamedBlock(self._handles.get(held.pointer, NO_HANDLE), held.pointer, held.request)
                     for held in self._live)


BREACHES = {
    Breach.WRITES_LIVE: ("writes_into_live_block", "writes into a block that the caller holds"),
    Breach.WRITES_OUTSIDE: ("outside_its_memory", "writes to memory that is not its own"),
    Breach.GIVES_OUTSIDE: ("outside_its_memory", "answers a block that reaches beyond its memory"),
    Breach.READS_OUTSIDE: ("outside_its_memory", "reads memory that is not its own"),
    Breach.COPIES_LIVE: ("reads_live_block", "copies out of a block that the caller holds"),
    Breach.UNDEFINED: ("undefined_behaviour", "does what the language leaves undefined"),
    Breach.MISALIGNED: ("misaligned_access", "accesses a word where it is not aligned for it"),
    Breach.READS_UNWRITTEN: ("uses_never_written", "decides on bytes that nobody ever wrote"),
    Breach.READS_LIVE: ("reads_live_block", "decides on what a caller has written into a block that he holds"),
}
BREACH_CODES = frozenset(code for code, _ in BREACHES.values())


def breach_reason(breach: Breach, verb: str) -> Problem:
    """What an access that breaks the map of whose each byte is means."""
    code, words = BREACHES[breach]
    return Problem(code, f"{verb} {words}")


def why_it_died(ending: Ending, verb: str, promises: Promises, place: str) -> Problem:
    """The reason that the end of a child is; `place` says for the end of a sentence in which block it died."""
    how, said = how_it_died(ending), last_words(ending.output)
    if ending.init_failed:
        return Problem("init_failed", "its initialisation fails")
    if ending.stray and ending.phase is Phase.CALLING:
        return Problem("touched_outside", f"{verb} reaches {where_outside(ending.stray, promises)}, and dies of it")
    if ending.phase is Phase.OWN_CHECK:
        return Problem("heap_check_failed", f"the target's own heap checker {how}{said}")
    if ending.ended is Ended.TIMED_OUT:
        return Problem("hang", f"{verb} does not come back")
    if ending.ended is Ended.TOO_BIG:
        return Problem("runaway_memory", f"{verb} takes gigabytes of memory")
    if ending.ended is Ended.LOST:
        return Problem("record_changed", f"{verb}, or a call before it, {how}")
    if ending.ended is Ended.EXITED:
        return Problem("exit", f"{verb} {how}{said}")
    if ending.phase is Phase.FILLING:
        return Problem("unusable_block", f"writing to the block that {verb} answered {how}{place}")
    if ending.phase is Phase.CHECKING:
        return Problem("block_vanished", f"after {verb}, reading a live block {how}{place}")
    if ending.code == SIGABRT:
        return Problem("abort", f"{verb} aborts{said}")
    return Problem("crash", f"{verb} {how}{said.replace(': ', ', having printed: ', 1)}")
