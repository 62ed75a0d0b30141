"""What the runs of an arena come to, and their lines in the status dump: `impl/run_totals.py`, its loops cut."""

from collections.abc import Callable
from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.dump import RUN_LINE, arena_shown
from heapster.checkers.proofs.layout_spec import RUNS, only
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import Over
from heapster.checkers.proofs.run_lists import no_reservation
from heapster.checkers.proofs.run_slots import SlotsOfRun
from heapster.checkers.proofs.run_words import RUN, Reservation

FIRST_RUN, RUN_COUNT, TOTAL = RUNS["FIRST_RUN"], RUNS["RUN_COUNT"], 1 << 50


def runs_end(source: Any, path: Any) -> None:
    """A reservation, or none."""
    there = path.choose(2)
    r = Reservation(path) if there else no_reservation(path)
    end = r.own("RUN_NEXT", FIRST_RUN, RUN_COUNT)
    found = source.run_totals.runs_end(r.m)
    path.claim("runs_end_with_the_next_that_nobody_ever_had", lambda: found == (end if there else 0) and only(r.m))


def slots_of_run(source: Any, path: Any) -> None:
    """Each class, any number of slots out."""
    r, free = SlotsOfRun(path), bool(path.choose(2))
    live = path.word("live", 0, r.slots)
    r.put("RUN_LIVE", live)
    found = source.run_totals.slots_of_run(r.m, r.start, r.word_there, free)
    path.claim("the_slots_of_a_run_are_out_or_not", lambda: found == (r.slots - live if free else live) and only(r.m))


class NextRun:
    """The search for a run of an arena, cut: any number is next, of a run of the arena's, another's or nobody's."""

    def __init__(self, path: Any) -> None:
        self.path, self.r, self.whose = path, SlotsOfRun(path), path.choose(3)
        r = self.r
        self.end, self.first = r.own("RUN_NEXT", FIRST_RUN, RUN_COUNT), path.word("first", FIRST_RUN, RUN_COUNT)
        if self.whose == 0:
            cell = r.m.find(r.entry)
            cell.was = cell.now = 0
        self.asked = r.arena
        if self.whose == 1:
            self.asked = r.statics + path.word("other arena", 768, 1 << 17)
            path.apart(self.asked, 1, r.arena, 1)
        self.at: Any = 0

    def enter(self, index: Any) -> list[Any]:
        """It begins with the first that is asked for."""
        self.path.claim("runs_are_looked_for_from_that_number_on", lambda: index == self.first and only(self.r.m))
        self.at = self.end if self.path.choose(2) else self.r.run
        return [self.at]

    def again(self, index: Any) -> None:
        """What is not the arena's is passed."""
        self.path.claim("runs_of_others_are_passed", lambda: self.whose != 2 and index == self.at + 1
                        and only(self.r.m))
        raise Over


def next_run(source: Any, path: Any) -> None:
    """Any number of runs, whose they may be."""
    w = NextRun(path)
    try:
        found = cut(source.run_totals.next_run, w)(w.r.m, w.asked, w.first)
    except Over:
        return
    path.claim("the_next_run_of_the_arena_is_answered", lambda: found == w.at and only(w.r.m)
               and (bool(w.at >= w.end) or w.whose == 2))


class Summed:
    """A walk over an arena's runs, cut: any run is next, or the end; the sum of those before is any."""

    def __init__(self, path: Any, names: tuple[str, str]) -> None:
        self.path, self.r, self.names = path, SlotsOfRun(path), names
        self.end, self.first = self.r.own("RUN_NEXT", FIRST_RUN, RUN_COUNT), path.word("first", FIRST_RUN, RUN_COUNT)
        self.total, self.after = path.word("total", 0, TOTAL), path.word("after", FIRST_RUN, RUN_COUNT)
        self.each: Any = RUN
        self.ends = False

    def enter(self, index: Any, total: Any) -> list[Any]:
        """It begins with the arena's first, and nothing."""
        self.path.claim(self.names[0], lambda: index == self.first and total == 0 and only(self.r.m)
                        and self.r.notes.are(("next_run", self.r.arena, FIRST_RUN)))
        self.ends = bool(self.path.choose(2))
        if not self.ends:
            self.path.require(self.r.run, "<", self.end)
        return [self.end if self.ends else self.r.run, self.total]

    def again(self, index: Any, total: Any) -> None:
        """What the run comes to is added; the arena's next is next."""
        r = self.r
        self.path.claim(self.names[1], lambda: index == self.after and total == self.total + self.each
                        and only(r.m) and r.notes.are(("next_run", r.arena, FIRST_RUN),
                                                      ("next_run", r.arena, r.run + 1)))
        raise Over

    def run(self, source: Any, function: Callable[..., Any], *words: Any) -> tuple[bool, Any]:
        """Whether the walk came to its end, and its answer then."""
        try:
            with replaced(source.run_totals, **self.r.notes.answering(next_run=[self.first, self.after])):
                return True, cut(function, self)(self.r.m, self.r.arena, *words)
        except Over:
            return False, None

    def is_answered(self, total: Any) -> bool:
        """Whether the sum is, at the end alone, and nothing changed."""
        return self.ends and bool(total == self.total) and only(self.r.m)


def runs_have(source: Any, path: Any) -> None:
    """Any number of runs of each class, in slots or in bytes."""
    w = Summed(path, ("runs_are_counted_from_the_first", "each_run_is_counted_once"))
    free, in_bytes, slots = bool(path.choose(2)), bool(path.choose(2)), path.word("slots", 0, w.r.slots)
    w.each = slots * (w.r.size if in_bytes else 1)
    asked: list[Any] = []

    def slots_of_run(_: Any, *words: Any) -> Any:
        """See `impl.run_totals.slots_of_run`."""
        asked.append(words)
        return slots

    with replaced(source.run_totals, slots_of_run=slots_of_run):
        ended, total = w.run(source, source.run_totals.runs_have, free, in_bytes)
    if ended:
        path.claim("what_all_runs_have_is_answered", lambda: w.is_answered(total))
    else:
        path.claim("what_a_run_has_is_asked_of_it", lambda: len(asked) == 1 and all(
            bool(a == b) for a, b in zip(asked[0], (w.r.start, w.r.word_there, free), strict=True)))


def runs_hold(source: Any, path: Any) -> None:
    """Any number of runs."""
    w = Summed(path, ("held_runs_are_counted_from_the_first", "each_run_holds_its_bytes"))
    ended, total = w.run(source, source.run_totals.runs_hold)
    if ended:
        path.claim("what_all_runs_hold_is_answered", lambda: w.is_answered(total))


class ShownRuns(Summed):
    """The same walk, in which each run is shown."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, ("runs_are_shown_from_the_first", "each_run_is_shown_once"))
        self.lines: list[tuple[Any, ...]] = []
        self.r.m.show = lambda *line: self.lines.append(line)
        self.out = path.word("slots", 0, self.r.slots)

    def enter(self, index: Any, total: Any = 0) -> list[Any]:
        """It begins with the arena's first."""
        return super().enter(index, total)[:1]

    def again(self, index: Any, total: Any = 0) -> None:
        """The run is shown, its slots' size and how many are out; the arena's next is next."""
        r = self.r
        self.path.claim(self.names[1], lambda: index == self.after and only(r.m) and r.notes.are(
            ("next_run", r.arena, FIRST_RUN), ("slots_of_run", r.start, r.word_there, False),
            ("next_run", r.arena, r.run + 1)) and self.lines == [(RUN_LINE, r.start, r.size, self.out)])
        raise Over


def show_runs(source: Any, path: Any) -> None:
    """Any number of runs of each class."""
    w = ShownRuns(path)
    with replaced(source.run_totals, **w.r.notes.answering(slots_of_run=w.out)):
        ended, _ = w.run(source, source.run_totals.show_runs)
    if ended:
        path.claim("each_run_is_shown_once", lambda: w.ends and not w.lines and only(w.r.m))


def show_arena(source: Any, path: Any) -> None:
    """The runs of any arena, open or not."""
    if s := arena_shown(source, path):
        path.claim("runs_are_shown_under_the_lock", lambda: s.w.notes.are(*[("show_runs", s.w.arena)] * s.is_open)
                   and s.w.notes.held == [1] * s.is_open)


def _proof(of: str, body: Any, **more: str) -> Proof:
    return Proof(of, ANY_HEAP, body, more=more, spans=True)


PROOFS = (
    _proof("run_totals.runs_end", runs_end,
           runs_end_with_the_next_that_nobody_ever_had="0 without a reservation; no word changes"),
    _proof("run_totals.slots_of_run", slots_of_run, the_slots_of_a_run_are_out_or_not="no word changes"),
    _proof("run_totals.next_run", next_run,
           runs_are_looked_for_from_that_number_on="no word changes",
           runs_of_others_are_passed="one each turn, and those that nobody has; no word changes",
           the_next_run_of_the_arena_is_answered="or the end"),
    _proof("run_totals.runs_have", runs_have,
           runs_are_counted_from_the_first="with nothing before it",
           each_run_is_counted_once="each turn adds what one has; no word changes",
           what_a_run_has_is_asked_of_it="by its start and its word",
           what_all_runs_have_is_answered="at the end; no word changes"),
    _proof("run_totals.runs_hold", runs_hold,
           held_runs_are_counted_from_the_first="with nothing before it",
           each_run_holds_its_bytes="each turn adds those of one; no word changes",
           what_all_runs_hold_is_answered="at the end; no word changes"),
    _proof("run_totals.show_runs", show_runs,
           runs_are_shown_from_the_first="with nothing before it",
           each_run_is_shown_once="each turn shows one, its slots' size and how many are out; no word changes"),
    Proof("stats.show_arena", ANY_HEAP, show_arena, suffix="_with_runs", spans=True, more={
        "runs_are_shown_under_the_lock": "those of an open arena, after its regions"}),
)
