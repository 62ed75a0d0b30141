"""Lists of kept mappings of any length, by induction on what was passed: the walks of `impl/retained.py`."""

from collections.abc import Callable
from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import CORRUPT_LIST, KEPT, MOST, NEXT, PAGE, PREV, STATICS, WORD, aborts, only
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.notes import Notes
from heapster.checkers.proofs.placement import Over
from heapster.checkers.proofs.retained import RetainedList
from heapster.machine.symbolic import HIGHEST, LOWEST


class PassedList(RetainedList):
    """A loop over the kept mappings, cut: any is next, of any length, or the end; one that was passed may be chosen."""

    def __init__(self, path: Any, name: str) -> None:
        super().__init__(path)
        self.name, self.notes = name, Notes()
        self.want = path.word("length", PAGE, MOST, PAGE)
        self.k, self.here = self.piece("next")
        self.following = path.word("after", LOWEST, HIGHEST, WORD)
        self.m.put(self.head + NEXT, self.k, "first")
        self.m.put(self.k + NEXT, self.following, "next")
        passed: tuple[Any, Any] = self.piece("passed") if path.choose(2) else (0, 0)
        self.best, self.least = passed

    def begins(self, **at: Any) -> bool:
        """Whether it is at the first, and everything else is 0."""
        return bool(at.pop("k") == self.k) and all(bool(word == 0) for word in at.values())

    def there(self) -> Any:
        """What is next."""
        return self.k if self.path.choose(2) else self.head

    def goes_on(self, k: Any) -> bool:
        """Whether what follows is next, and no word changed."""
        return bool(k == self.following) and only(self.m)

    def run(self, function: Callable[..., Any], *words: Any) -> tuple[bool, Any]:
        """Whether the walk came to its end, and its answer then."""
        try:
            return True, cut(function, self)(self.m, *words)
        except Over:
            return False, None


class SmallestSought(PassedList):
    """As the smallest that is large enough is sought: what was chosen is large enough."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, "smallest")
        if self.best != 0:
            path.require(self.want, "<=", self.least)

    def enter(self, best: Any, k: Any, least: Any) -> list[Any]:
        """It begins with the newest."""
        self.path.claim("the_smallest_is_sought_from_the_newest", lambda: self.begins(k=k, best=best, least=least))
        return [self.best, self.there(), self.least]

    def again(self, best: Any, k: Any, least: Any) -> None:
        """The next is chosen if it is large enough, and smaller than what was: of equals the newest stays."""
        better = bool(self.here >= self.want) and (self.best == 0 or bool(self.here < self.least))
        chosen = (self.k, self.here) if better else (self.best, self.least)
        self.path.claim("of_equal_kept_mappings_the_newest_stays", lambda: self.goes_on(k)
                        and best == chosen[0] and least == chosen[1])
        raise Over


class LargestSought(PassedList):
    """As the largest is sought."""

    def enter(self, k: Any, most: Any) -> list[Any]:
        """It begins with the newest."""
        self.path.claim("the_largest_is_sought_from_the_newest", lambda: self.begins(k=k, most=most))
        return [self.there(), self.best]

    def again(self, k: Any, most: Any) -> None:
        """The next is chosen if it is larger."""
        better = self.best == 0 or bool(self.here > self.least)
        self.path.claim("of_equally_large_mappings_the_newest_stays", lambda: self.goes_on(k)
                        and most == (self.k if better else self.best))
        raise Over


class PlaceSought(PassedList):
    """As what was kept at a place is sought."""

    def enter(self, k: Any) -> list[Any]:
        """It begins with the newest."""
        self.path.claim("what_was_kept_at_a_place_is_sought_from_the_newest", lambda: self.begins(k=k))
        return [self.there()]

    def again(self, k: Any) -> None:
        """It is not there: the next is next."""
        self.path.claim("the_search_for_a_place_goes_on_elsewhere", lambda: self.goes_on(k))
        raise Over


def smallest(source: Any, path: Any) -> None:
    """Any list, any mapping at a time."""
    w = SmallestSought(path)
    ended, best = w.run(source.retained.smallest, w.want)
    if ended:
        path.claim("the_smallest_that_is_large_enough_is_answered", lambda: best == w.best and only(w.m))


def largest(source: Any, path: Any) -> None:
    """Any list, any mapping at a time."""
    w = LargestSought(path, "largest")
    ended, most = w.run(source.retained.largest)
    if ended:
        path.claim("the_largest_of_those_kept_is_answered", lambda: most == w.best and only(w.m))


def take_retained_at(source: Any, path: Any) -> None:
    """Any list, any mapping at a time, which may be that which is sought."""
    w = PlaceSought(path, "sought")
    start = w.k if path.choose(2) else path.word("start", LOWEST, HIGHEST, PAGE)
    with replaced(source.retained, **w.notes.answering(take_from=0)):
        ended, done = w.run(source.retained.take_retained_at, w.arena, start, w.want)
    if ended:
        taken = [("take_from", w.arena, w.k, w.want)] if done else []
        path.claim("what_is_kept_at_a_place_and_has_as_much_is_taken", lambda: only(w.m) and w.notes.are(*taken)
                   and (not done or bool(start == w.k and w.here >= w.want)))


class JoinedPages(PassedList):
    """As what is kept beside new pages is sought: these begin and end anywhere by now."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, "joined")
        self.start, self.length = path.word("start", LOWEST, HIGHEST, PAGE), path.word("bytes", PAGE, MOST, PAGE)
        self.at_end, self.at_start = (path.word(name, LOWEST, HIGHEST, PAGE) for name in ("end now", "start now"))
        path.require(self.at_start + PAGE, "<=", self.at_end)

    def enter(self, end: Any, k: Any, start: Any) -> list[Any]:
        """It begins with the newest, and with the pages alone."""
        self.path.claim("neighbours_are_sought_from_the_newest", lambda: k == self.k and start == self.start
                        and end == self.start + self.length)
        return [self.at_end, self.there(), self.at_start]

    def again(self, end: Any, k: Any, start: Any) -> None:
        """What lies beside them is taken off the list, and part of them."""
        right = bool(self.k == self.at_end)
        left = not right and bool(self.k + self.here == self.at_start)
        self.path.claim("what_is_kept_beside_new_pages_joins_them", lambda: self.goes_on(k)
                        and end == (self.at_end + self.here if right else self.at_end)
                        and start == (self.k if left else self.at_start)
                        and self.notes.are(*[("delist", self.arena, self.k)] * (left or right)))
        raise Over


def retain(source: Any, path: Any) -> None:
    """Any list, any mapping at a time."""
    w = JoinedPages(path)
    with replaced(source.retained, **w.notes.answering(delist=w.here, enlist=0)):
        ended, _ = w.run(source.retained.retain, w.arena, w.start, w.length)
    if ended:
        path.claim("all_that_was_joined_is_kept_as_one", lambda: only(w.m) and w.notes.are(
            ("enlist", w.arena, w.at_start, w.at_end - w.at_start)))


def take_off(source: Any, path: Any) -> None:
    """Any links, true or false."""
    w = RetainedList(path)
    k = w.piece().k
    before, after = (w.span(name, PAGE) for name in ("before", "after"))
    true = path.choose(2), path.choose(2)
    for place, word in ((k + NEXT, after), (k + PREV, before), (before + NEXT, k if true[0] else after),
                        (after + PREV, k if true[1] else before)):
        w.m.put(place, word, "link")
    code = aborts(w.m, lambda: source.retained.take_off(w.m, k), k)
    path.claim("only_what_its_neighbours_know_leaves_a_list", lambda: code == CORRUPT_LIST if not all(true) else (
        w.m.load(before + NEXT) == after and w.m.load(after + PREV) == before
        and only(w.m, before + NEXT, after + PREV)))


def release_mapping(source: Any, path: Any) -> None:
    """Any pages, whatever the system answers."""
    w = RetainedList(path)
    (k, length), held = w.pages("k"), w.word("held")
    done = source.retained.release_mapping(w.m, w.arena, k, length)
    [call] = w.m.calls
    path.claim("what_the_system_took_is_no_longer_held", lambda: (call.name, call.arguments) == (
        "munmap", (k, length)) and bool(done) == bool(call.answer != -1)
        and w.m.load(w.at("held")) == held - length * bool(done) and only(w.m, w.at("held")))


def too_much(source: Any, path: Any) -> None:
    """Whatever is kept, and may be."""
    w = RetainedList(path)
    most = path.word("most", -MOST, MOST)
    with replaced(source.retained, retained_capacity=lambda *_: most):
        told = source.retained.too_much(w.m, w.arena)
    path.claim("too_much_is_more_than_may_be_kept", lambda: only(w.m) and bool(told) == bool(
        w.free_bytes > most or w.free_blocks > KEPT["most"]))


def step(source: Any, path: Any) -> None:
    """Any step of an epoch, the last or another, whatever was used."""
    w, notes = RetainedList(path), Notes()
    lately, steps, used = w.static("used_lately"), w.static("steps", 0, KEPT["epoch"] - 1), w.word("used_bytes")
    before = w.static("used_before")
    with replaced(source.retained, **notes.answering(grow_all_older=0, offer_again=0, trim=0)):
        source.retained.step(w.m, w.arena)
    most, load, s = used if used > lately else lately, w.m.load, w.statics
    ends = bool(steps == KEPT["epoch"] - 1)
    path.claim("what_was_used_is_noted_at_each_step", lambda: load(s + STATICS["used_lately"]) == (
        used if ends else most) and load(s + STATICS["used_before"]) == (most if ends else before)
        and load(s + STATICS["steps"]) == (0 if ends else steps + 1)
        and only(w.m, *(s + STATICS[name] for name in ("used_lately", "used_before", "steps"))))
    last = [("grow_all_older",), ("offer_again", w.arena, KEPT["most"])] if ends else []
    path.claim("at_an_epochs_end_all_grows_older", lambda: notes.are(*last, ("trim", w.arena)))


PROOFS = (
    Proof("retained.smallest", ANY_HEAP, smallest, more={
        "the_smallest_is_sought_from_the_newest": "it begins with the newest, and nothing",
        "of_equal_kept_mappings_the_newest_stays": "each turn takes one that is large enough, and smaller",
        "the_smallest_that_is_large_enough_is_answered": "at the end it is answered; no word changes",
    }, suffix="_turn_by_turn"),
    Proof("retained.largest", ANY_HEAP, largest, more={
        "the_largest_is_sought_from_the_newest": "it begins with the newest, and nothing",
        "of_equally_large_mappings_the_newest_stays": "each turn takes one that is larger",
        "the_largest_of_those_kept_is_answered": "at the end it is answered; no word changes",
    }, suffix="_turn_by_turn"),
    Proof("retained.take_retained_at", ANY_HEAP, take_retained_at, more={
        "what_was_kept_at_a_place_is_sought_from_the_newest": "it begins with the newest",
        "the_search_for_a_place_goes_on_elsewhere": "each turn goes on from what lies elsewhere",
        "what_is_kept_at_a_place_and_has_as_much_is_taken": "just so much is taken, from there, if there is as much",
    }, suffix="_turn_by_turn"),
    Proof("retained.retain", ANY_HEAP, retain, more={
        "neighbours_are_sought_from_the_newest": "it begins with the newest, and the pages alone",
        "what_is_kept_beside_new_pages_joins_them": "each turn takes in what lies beside what there is by now",
        "all_that_was_joined_is_kept_as_one": "at the end all of it is kept, first on the list",
    }, suffix="_turn_by_turn"),
    Proof("retained.take_off", ANY_HEAP, take_off, more={
        "only_what_its_neighbours_know_leaves_a_list": "its neighbours are linked then; where they do not know it, it "
                                                       "aborts"}),
    Proof("retained.release_mapping", ANY_HEAP, release_mapping, more={
        "what_the_system_took_is_no_longer_held": "it is offered whole; what is refused stays held"}),
    Proof("retained.too_much", ANY_HEAP, too_much, more={
        "too_much_is_more_than_may_be_kept": "more bytes, or more mappings; no word changes"}),
    Proof("retained.step", ANY_HEAP, step, more={
        "what_was_used_is_noted_at_each_step": "the most of this epoch and of the last; no other word changes",
        "at_an_epochs_end_all_grows_older": "and what was set aside is offered again; then what is too much goes"}),
)
