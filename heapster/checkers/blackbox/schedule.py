"""Kinds of cases take turns by the work that each is due, so that none starves and a slow one delays only itself.

Turns follow from the work that cases declare, which depends on nothing but the seed: two runs take the same
cases in the same order. The clock, of processor time, only says when to stop, and lets a kind wait whose cases
take far longer than they declare.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, TypeVar

from heapster.checkers.blackbox.judge import Judge
from heapster.children import processor_seconds

PATIENCE, GRACE = 3.0, 1.5      # a kind waits once it took so many times its share, and so many seconds more,
BRIEF = 0.1                     # or that part of a run, if that is less

T = TypeVar("T")
Case = Callable[[], float]      # runs it, and answers its work: about a millisecond each on an idle machine


class CasePart(NamedTuple):
    """Which of the cases a campaign takes, where several share them: together they take what one would."""

    number: int = 0
    parts: int = 1

    def of(self, cases: Iterable[T]) -> Iterator[T]:
        """Its part of them: they go round."""
        return islice(cases, self.number, None, self.parts)


WHOLE = CasePart()


class Clock:
    """Processor time of this process and of all that works for it, in seconds since the clock was made.

    What a target sleeps counts as well, or one that sleeps would never be late.
    """

    def __init__(self, judge: Judge, others: Callable[[], float] = lambda: 0.0) -> None:
        self._judge, self._others = judge, others
        self._started = self._total()

    def _total(self) -> float:
        return processor_seconds() + self._judge.spent + self._others()

    def spent(self) -> float:
        """Seconds so far."""
        return self._total() - self._started

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let what is done meanwhile not count."""
        before = self._total()
        try:
            yield
        finally:
            self._started += self._total() - before


@dataclass
class CaseKind:
    """Cases of one kind, and what they took."""

    name: str
    share: float                    # of the work, against the other kinds' shares
    cases: Iterator[Case]
    work: float = 0.0               # declared by those that ran or waited
    done: int = 0
    ops: int = 0
    seconds: float = field(default=0.0, compare=False)
    waited: int = 0                 # turns that were passed over, as the kind is slow

    @property
    def usual_work(self) -> float:
        """What a case declares, in the mean."""
        return max(1.0, self.work / max(1, self.done + self.waited))


class Schedule:
    """Whose turn it is."""

    def __init__(self, kinds: Iterator[CaseKind], spent: Callable[[], float], ops: Callable[[], int],
                 seconds: float = GRACE / BRIEF) -> None:
        self.kinds = list(kinds)
        self._open = list(self.kinds)
        self._spent, self._ops, self._grace = spent, ops, min(GRACE, BRIEF * seconds)

    def turn(self) -> tuple[CaseKind, Case] | None:
        """The next case of the kind that had least of what it is due; None if none is left to run."""
        while self._open:
            kind = min(self._open, key=lambda one: one.work / one.share)
            if self._is_slow(kind):
                kind.work += kind.usual_work
                kind.waited += 1
            elif case := next(kind.cases, None):
                return kind, case
            else:
                self._open.remove(kind)
        return None

    @contextmanager
    def counted(self, kind: CaseKind) -> Iterator[None]:
        """Count what is done meanwhile as a case of the kind."""
        seconds, ops = self._spent(), self._ops()
        try:
            yield
        finally:
            kind.done += 1
            kind.seconds += self._spent() - seconds
            kind.ops += self._ops() - ops

    def _is_slow(self, kind: CaseKind) -> bool:
        """Whether it took far more than its share, beside the time that the others took."""
        others = [one for one in self._open if one is not kind]
        due = kind.share / sum(one.share for one in others) if others else 0.0
        return bool(others) and kind.seconds > PATIENCE * due * sum(one.seconds for one in others) + self._grace
