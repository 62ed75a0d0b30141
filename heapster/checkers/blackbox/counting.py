"""What a campaign has put to the test: calls by function, checks by how often they were asked, and the least of it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from heapster.checkers.blackbox.stepwise import BlackboxRun
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.model.asked import asked
from heapster.model.operations import CALLS, OPERATIONS, REQUESTS, requested
from heapster.model.rules import RULES
from heapster.model.spec import Operation, Promises, Result
from heapster.wording import counted

EVERY_CALL = ("crash", "hang")
SETTLED = ("frees", "keeps")    # what realloc(p, 0) may do each time
IN_NUMBER = frozenset({         # what compiled cases notice too, of those that they mask nothing of
    "overlap", "misaligned", "alignment_not_honoured", "contents_damaged", "prefix_lost", "not_zeroed",
    "null_without_errno", "free_changed_errno", "spurious_null", *EVERY_CALL})
CONFINED = frozenset({"outside_region", "touched_outside"})     # of targets that divide memory they were given

USUAL = {"alignment": 16, "count": 1, "size": 8}       # numbers of a call in great number
SAMPLE = {verb: tuple(USUAL[name] for name in OPERATIONS[verb].numbers) for verb in REQUESTS}


class Floor(NamedTuple):
    """What the least is that a run must have done before it may say that it found nothing."""

    calls: int                  # of each function, judged step by step
    steps: int                  # judged step by step, for each function that the target has
    compiled: int               # operations


WHOLE = Floor(calls=10, steps=150, compiled=3000)
IN_VOLUME = Floor(calls=0, steps=0, compiled=3000)      # where all else is held in lock-step


class Counts:
    """Calls that were made and judged, and what they were held to."""

    def __init__(self, target: ForeignTarget, promises: Promises) -> None:
        self._target, self._promises = target, promises
        self.calls: Counter[str] = Counter()            # by function, however judged
        self.stepwise: Counter[str] = Counter()         # of these, one by one
        self.asked: Counter[str] = Counter()            # by code
        self.compiled = 0                               # calls, judged in great number

    @property
    def can_free(self) -> bool:
        """Whether the target takes blocks back: a bump allocator does not."""
        return "free" in self._target.verbs

    def add(self, other: "Counts") -> None:
        """Count what another campaign on the same target has made as well."""
        for mine, others in ((self.calls, other.calls), (self.stepwise, other.stepwise), (self.asked, other.asked)):
            mine.update(others)
        self.compiled += other.compiled

    def note_steps(self, outcome: BlackboxRun) -> None:
        """A trace was judged step by step."""
        for operation, result in outcome.calls:
            self.calls[operation.verb] += 1
            self.stepwise[operation.verb] += 1
            self.asked.update(self._asked(operation, result))

    def note_compiled(self, calls: Iterable[tuple[str, str, int]], masked: frozenset[str] = frozenset()) -> None:
        """Operations were judged in great number; codes in `masked` were passed over."""
        for verb, outcome, times in calls:
            self.calls[verb] += times
            self.compiled += times
            operation = Operation(verb, SAMPLE.get(verb, ()), int(outcome == "resized"))
            result = Result(int(outcome != "refused" and verb in REQUESTS))
            for code in set(self._asked(operation, result)) & IN_NUMBER - masked:
                self.asked[code] += times

    def _asked(self, operation: Operation, result: Result) -> Iterator[str]:
        yield from asked(operation, result, self._promises)
        yield from EVERY_CALL
        if operation.verb in REQUESTS and not result.pointer and requested(operation):
            yield "spurious_null"
        if not requested(operation) and not operation.pointer and self._promises.zero == "pointer":
            yield "zero_size_inconsistent"
        if "check" in self._target.symbols:
            yield "heap_check_failed"

    def checks(self) -> dict[str, int]:
        """How often each check of calls was asked that applies to the target; 0 if it never was."""
        others = [*EVERY_CALL, "spurious_null"]
        others += ["heap_check_failed"] if "check" in self._target.symbols else []
        return {code: self.asked[code] for code in [*self._applicable(), *others]}

    def _applicable(self) -> Iterator[str]:
        promises, confined = self._promises, self._target.room > 0
        unpromised = {"errno_clobbered": promises.errno_kept, "null_without_errno": promises.errno,
                      "wrong_errno": promises.errno or "posix_memalign" in self._target.verbs,
                      "zero_size_inconsistent": promises.zero != "either" or promises.realloc_zero in SETTLED,
                      "foreign_memory_harmed": not confined, **dict.fromkeys(CONFINED, confined)}
        for rule in RULES:
            if self._target.verbs & (rule.of or self._target.verbs) and unpromised.get(rule.code, True):
                yield rule.code

    def inapplicable(self) -> list[str]:
        """The checks of functions that the target lacks."""
        return [rule.code for rule in RULES if rule.of and not self._target.verbs & rule.of]

    def starved(self, floor: Floor) -> Iterator[str]:
        """What the run has done too little of, in words; nothing: it may say that it found nothing."""
        functions = [verb for verb in CALLS if verb in self._target.verbs]
        steps, least = self.stepwise.total(), floor.steps * len(functions)
        if steps < least:
            yield f"{counted(steps, 'call', 'were')} judged one by one, of at least {least:,}"
        if few := [f"{verb} {self.stepwise[verb]}" for verb in functions if self.stepwise[verb] < floor.calls]:
            yield f"functions called fewer than {counted(floor.calls, 'time')} one by one: {', '.join(few)}"
        if self.compiled < floor.compiled:
            yield f"{counted(self.compiled, 'call', 'were')} judged in great number, of at least {floor.compiled:,}"
