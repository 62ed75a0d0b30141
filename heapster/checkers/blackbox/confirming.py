"""A failure once more, in this process and in fresh ones, at the same addresses and at others."""

from collections.abc import Callable
from typing import NamedTuple

from heapster.checkers.blackbox.judge import DRAWN_LAYOUT, Judge
from heapster.wording import counted

HERE, AGAIN = 4, 2              # times in the process at hand, and in fresh ones of the same layout
OTHERS = (2, 3, DRAWN_LAYOUT, DRAWN_LAYOUT)
BRIEF_HERE, BRIEF_OTHERS = 1, (2, DRAWN_LAYOUT)     # of what takes long each time

Fails = Callable[[Judge], bool]


class Confirmation(NamedTuple):
    """How often it failed, of how many times."""

    same: int                       # at the addresses at which it was found
    of_same: int
    other: int                      # at others
    of_other: int
    processes: int

    @property
    def times(self) -> int:
        """Of all times, how often it failed."""
        return self.same + self.other

    @property
    def tries(self) -> int:
        """How often it was tried."""
        return self.of_same + self.of_other

    @property
    def words(self) -> str:
        """For people: how often, and on what it depends."""
        everywhere = ", at several addresses" if self.times == self.tries else ""
        said = f"confirmed {self.times} of {counted(self.tries, 'time')}, in {counted(self.processes, 'process')}"
        return said + everywhere + self.dependence

    @property
    def dependence(self) -> str:
        """On what it depends, for the end of a sentence; nothing if it failed each time."""
        if self.times == self.tries:
            return ""
        if self.same == self.of_same:
            return f": it depends on addresses (at others than these {self.other} of {counted(self.of_other, 'time')})"
        return ": it depends on time or chance"


def confirm(judge: Judge, fails: Fails, *, brief: bool = False) -> Confirmation:
    """Whether it fails each time; `fails` runs it in the judge that it is given."""
    here = [fails(judge) for _ in range(BRIEF_HERE if brief else HERE)]
    again = [_afresh(judge, judge.layout, fails) for _ in range(1 if brief else AGAIN)]
    others = [_afresh(judge, layout, fails) for layout in (BRIEF_OTHERS if brief else OTHERS)]
    same = [*here, *again]
    return Confirmation(sum(same), len(same), sum(others), len(others), 1 + len(again) + len(others))


def _afresh(judge: Judge, layout: int, fails: Fails) -> bool:
    with judge.twin(layout) as other:
        return fails(other)
