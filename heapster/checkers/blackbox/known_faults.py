"""What a campaign knows already: which failures are the same again, and what must be avoided to find others."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from heapster.checkers.blackbox.generator import BUCKET_NAMES, HUGE, PLAIN, Mood, tags
from heapster.checkers.blackbox.protocol import Guard, Suspicion
from heapster.checkers.blackbox.stepwise import BlackboxRun, Masked
from heapster.model.operation import Trace
from heapster.model.operations import REQUESTS, TAKING, requested

FATAL = frozenset({"overlap", "contents_damaged", "failed_realloc_changed_block", "block_wraps", "impossible_address",
                   "crash", "abort", "exit", "hang", "unusable_block", "block_vanished", "runaway_memory",
                   "usable_too_large", "size_truncated", "block_too_small", "record_changed"})
MOST_OF_A_CODE = 4
LONG = 40                       # steps in which memory may be lost that is then missed
LEAST_CAP, SMALL = 64, 256      # bytes: requests are never kept below the one; what needs less than the other
ONE_CAUSE = frozenset({         # codes of causes: whatever they show as, and in which function
    "size_truncated", "block_too_small", "usable_too_large"})
EVERYWHERE = frozenset({"misaligned"})          # one cause, whatever the verb
UNGUARDED = {"touched_outside": Guard.BOUNDED, "outside_region": Guard.UNBOUNDED}     # as far as it goes on then
LEAK = "memory_never_returned"
SUSPECTED = {"misaligned": Suspicion.MISALIGNED, "alignment_not_honoured": Suspicion.MISALIGNED,
             "prefix_lost": Suspicion.PREFIX, "not_zeroed": Suspicion.DIRTY, "null_without_errno": Suspicion.ERRNO,
             "free_changed_errno": Suspicion.ERRNO, "usable_too_small": Suspicion.USABLE,
             "spurious_null": Suspicion.NULL, "heap_check_failed": Suspicion.OWN_CHECK,
             "huge_accepted": Suspicion.HUGE, "overflow_accepted": Suspicion.HUGE,
             "outside_region": Suspicion.OUTSIDE, "touched_outside": Suspicion.STRAY,
             "foreign_memory_harmed": Suspicion.HARM}


def suspected(bits: int) -> frozenset[str]:
    """The codes of the suspicions whose bits are set."""
    return frozenset(code for code, suspicion in SUSPECTED.items() if bits >> suspicion & 1)


class Known(NamedTuple):
    """A fault that was found, by what it needs."""

    code: str
    verb: str                       # at whose step it is noticed
    tags: frozenset[str]            # what its least trace has in it
    hung: bool = False
    least: int = 0                  # bytes of the smallest and of the largest ordinary request of its least trace
    most: int = 0

    @classmethod
    def of(cls, code: str, trace: Trace, has: frozenset[str], *, hung: bool = False) -> "Known":
        """The fault that a least trace shows."""
        sizes = [requested(step) for step in trace if step.verb in REQUESTS and 0 < requested(step) < HUGE]
        return cls(code, trace[-1].verb, has, hung, min(sizes, default=0), max(sizes, default=0))

    @property
    def verbs(self) -> frozenset[str]:
        """Its tags without sizes."""
        return self.tags - set(BUCKET_NAMES)

    @property
    def needs(self) -> frozenset[str]:
        """What it needs that many traces do not have: functions, and sizes that are no sizes."""
        return self.verbs - PLAIN

    @property
    def is_fatal(self) -> bool:
        """Whether nothing can be trusted after it."""
        return self.code in FATAL

    def provoked_by(self, mood: Mood) -> bool:
        """Whether a case of that mood may well meet it."""
        return self.needs <= mood.tags and self.most <= mood.most and mood.least <= max(1, self.least)

    def explains(self, other: "Known") -> bool:
        """Whether the other may be the same, with more or larger requests."""
        mine, others = self.needs - {"zero"}, other.needs - {"zero"}
        return mine <= others and bool(mine or not others) and self.most <= other.most

    def ways_around(self, mood: Mood) -> Iterator[Mood]:
        """The mood without one of the things that the fault needs: smaller requests, larger ones, a function."""
        if self.most > LEAST_CAP:
            yield mood._replace(most=self.most - 1)
        if self.most <= SMALL < mood.most:
            yield mood._replace(least=2 * self.most + LEAST_CAP // 2)
        for need in sorted(self.needs):
            yield mood.without(need)


class KnownFaults:
    """Those of one run."""

    def __init__(self) -> None:
        self.all: list[Known] = []
        self.masked: Masked = frozenset()           # what is harmless, and passed over from then on

    def add(self, known: Known) -> None:
        """Know a fault from now on."""
        self.all.append(known)
        if not known.is_fatal:
            self.masked |= {(known.code, known.verb)}

    def again(self, code: str, verb: str, has: frozenset[str]) -> bool:
        """Whether a failure is a known one, by what its trace has in it."""
        same = [known for known in self.all if known.code == code]
        if len(same) >= MOST_OF_A_CODE or any(known.tags <= has and known.verb == verb for known in same) or (
                code in EVERYWHERE and any(known.verbs <= PLAIN | {"zero"} for known in same)):
            if code not in FATAL:
                self.masked |= {(code, verb)}
            return True
        return code in FATAL and any(known.tags <= has for known in self.all if known.is_fatal)

    def same_shape(self, shape: Known) -> bool:
        """Whether a least trace shows a known fault: of the same code at the same verb with the same verbs.

        What is fatal shows in many ways: there the functions that it needs, and sizes from the known one up, tell.
        """
        return any((known.code, known.verb, known.verbs) == (shape.code, shape.verb, shape.verbs)
                   or known.is_fatal and shape.is_fatal and known.explains(shape) for known in self.all)

    def is_one_with(self, known: Known) -> bool:
        """Whether it has a cause that is known already."""
        return known.code in ONE_CAUSE and any(other.code == known.code for other in self.all)

    def leaked_away(self, code: str, trace: Trace) -> bool:
        """Whether memory has run out because it is lost, which is known."""
        return code == "spurious_null" and len(trace) > LONG and any(known.code == LEAK for known in self.all)

    def hangs(self, trace: Trace) -> bool:
        """Whether it has all that a known hang needs."""
        has = tags(trace)
        return any(known.hung and known.tags <= has for known in self.all)

    def ends_at_null(self, verb: str) -> bool:
        """Whether the verb is known to fail fatally when it is given NULL."""
        return any(known.is_fatal and known.verb == verb and "null" in known.tags for known in self.all)

    def clear_of(self, mood: Mood, rng: Random) -> Mood | None:
        """The mood, narrowed until it meets nothing that is known to be fatal; None if that cannot be.

        What is left out of it differs from case to case, so that each part is met in some.
        """
        for known in self.all:
            if known.is_fatal and known.provoked_by(mood):
                ways = [way for way in known.ways_around(mood) if not known.provoked_by(way)]
                if not ways:
                    return None
                mood = rng.choice(ways)
        return mood

    def leaking(self) -> frozenset[str]:
        """The verbs beside malloc and free that are known to lose memory."""
        return frozenset().union(*(known.verbs - PLAIN for known in self.all if known.code == LEAK))

    def leaks(self, trace: Trace) -> bool:
        """Whether it has all that a known leak needs."""
        has = tags(trace) | PLAIN
        return any(known.code == LEAK and known.tags <= has for known in self.all)

    def suspicions(self) -> frozenset[Suspicion]:
        """What the compiled checks would notice of the known ones."""
        return frozenset(SUSPECTED[known.code] for known in self.all if known.code in SUSPECTED)


def traits(trace: Trace, outcome: BlackboxRun) -> frozenset[str]:
    """What a trace that fails has in it, and whether the step that fails is given NULL."""
    last = trace[-1]
    given_null = last.verb in TAKING and all(block.handle != last.operand for block in outcome.before)
    return tags(trace) | (frozenset({"null"}) if given_null else frozenset())
