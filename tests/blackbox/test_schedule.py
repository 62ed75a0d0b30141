"""Whose turn it is: by declared work alone, unless a kind is slow."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import islice

from heapster.checkers.blackbox.schedule import Case, CaseKind, Schedule


class Machine:
    """Cases that declare work, and take time, as told."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.ran: list[str] = []

    def cases(self, name: str, work: float, seconds: float, most: int) -> Iterator[Case]:
        """So many of them."""
        return (partial(self._run, name, work, seconds) for _ in range(most))

    def _run(self, name: str, work: float, seconds: float) -> float:
        self.ran.append(name)
        self.seconds += seconds
        return work

    def turns(self, *kinds: tuple[str, float, float, float], most: int = 300, each: int = 10_000) -> list[str]:
        """The kinds, by name, share, work and seconds of a case, in the order of their turns."""
        schedule = Schedule(iter(CaseKind(name, share, self.cases(name, work, seconds, each))
                                 for name, share, work, seconds in kinds), lambda: self.seconds, lambda: 0)
        while len(self.ran) < most and (turn := schedule.turn()):
            kind, case = turn
            with schedule.counted(kind):
                kind.work += case()
        return self.ran


def test_each_kind_has_its_share_from_the_start() -> None:
    ran = Machine().turns(("cheap", 30, 1, 0.001), ("dear", 10, 100, 0.1), ("middling", 20, 10, 0.01))
    assert set(ran[:3]) == {"cheap", "dear", "middling"}
    times = Counter(ran)
    assert times["cheap"] / 100 > 2 * times["dear"]


def test_turns_depend_on_no_clock() -> None:
    quick = Machine().turns(("a", 3, 1, 0.001), ("b", 1, 4, 0.004))
    late = Machine().turns(("a", 3, 1, 0.0013), ("b", 1, 4, 0.0041))
    assert quick == late


def test_a_slow_kind_delays_only_itself() -> None:
    machine = Machine()
    times = Counter(machine.turns(("fast", 30, 1, 0.001), ("slow", 30, 1, 5.0)))
    assert times["slow"] == 1
    assert times["fast"] == 299


def test_what_comes_to_an_end_leaves_its_time_to_the_others() -> None:
    machine = Machine()
    assert Counter(machine.turns(("a", 1, 1, 0.001), ("b", 1, 1, 0.001), each=5)) == {"a": 5, "b": 5}


def test_the_last_kind_runs_however_slow_it_is() -> None:
    assert len(list(islice(Machine().turns(("slow", 1, 1, 60.0), each=9), 20))) == 9
