"""Placement, by induction on the list: what is proved of `impl/placement.py`.

Each loop is cut at its head (see `loops`). A state there is: a block `here` that the walk has come to,
or the end; a witness, which is any block of the list at all, and already seen, here, or still to come;
and the best block so far, if there is one. What holds of any one witness holds of every block.
"""

from itertools import pairwise
from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import MIN_BLOCK, NEXT, PREV, a_size, header, only
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.model.placement import NONE_FITS, POLICIES

SEEN, HERE, TO_COME = range(3)
NOTHING, BEFORE_IT, IS_IT, AFTER_IT = range(4)      # where a seen witness lies with regard to the best


class Over(Exception):
    """The turn is done: what follows from it was claimed."""


class Walk:
    """A walk over a list of any length, cut at the loop's head."""

    def __init__(self, path: Any, name: str) -> None:
        self.path, self.name = path, name
        self.w = self._window(path)
        self.m, self.head = self.w.m, self.w.head
        self.want = path.word("want", 1, 1 << 47)
        self.witness_size = a_size(path, "size_of_the_witness")
        self.first = self._node("first")
        self.m.put(self.head + NEXT, self.first, "first")
        self._put_cursor()
        self.here: Any = self.head
        self.size: Any = 0
        self.place = SEEN
        self.entered = False
        self.at_end = False

    def _window(self, path: Any) -> Window:
        """The only list; its head looks like a used block of no bytes."""
        return Window(path)

    def _put_cursor(self) -> None:
        self.w.word("cursor")

    def _node(self, name: str) -> Any:
        """Some block, or the head."""
        return self.head if self.path.choose(2) else self.w.span(name, MIN_BLOCK)

    def arrive(self) -> None:
        """Any state at the loop's head; at the end, every witness was seen."""
        self.entered = True
        self.at_end = bool(self.path.choose(2))
        if self.at_end:
            self.here, self.size = self.head, 0
            return
        self.place = self.path.choose(3)
        self.here = self.w.span("here", MIN_BLOCK)
        self.size = self.witness_size if self.place == HERE else a_size(self.path, "size_here")
        self.m.put(self.here, header(self.size, self.w.owner, 0), "header here")
        self.next = self._node("next")
        self.m.put(self.here + NEXT, self.next, "next")

    def seen(self) -> bool:
        """Whether the witness was seen before this block."""
        return self.at_end or self.place == SEEN

    def no_fit(self) -> None:
        """The witness is too small."""
        self.path.require(self.witness_size, "<", self.want)

    def claim(self, name: str, holds: Any) -> None:
        """A claim of this policy."""
        self.path.claim(f"{self.name}_{name}", holds)

    def is_not_asked(self, *_: Any) -> Any:
        """In the place of another policy: nothing is known of what it answers."""
        for name in ("misses_nothing", "fits", "writes_nothing"):
            self.claim(name, lambda: False)
        raise Over

    def unfinished(self, names: tuple[str, ...], holds: Any) -> None:
        """The invariant, on entry and after each turn: without it, none of these follow; and the frame of the loop."""
        for name in names:
            self.claim(name, holds)
        self.claim("writes_nothing", lambda: only(self.m))


class FirstFit(Walk):
    """Every block seen is too small."""

    PARTS = ("misses_nothing", "takes_the_first")

    def enter(self, b: Any) -> list[Any]:
        """The walk begins at the first block."""
        self.unfinished(self.PARTS, lambda: b == self.first)
        self.arrive()
        if self.seen():
            self.no_fit()
        return [self.here]

    def again(self, b: Any) -> None:
        """It goes on to the next, and this one was too small."""
        self.unfinished(self.PARTS, lambda: b == self.next and (self.place != HERE or self.size < self.want))
        raise Over

    def ended(self, result: Any) -> None:
        """What it answers."""
        if result == 0:
            self.claim("misses_nothing", lambda: self.witness_size < self.want)
        else:
            self.claim("fits", lambda: result == self.here and self.size >= self.want)
            self.claim("takes_the_first", lambda: result == self.here and (
                not self.seen() or self.witness_size < self.want))
        self.claim("writes_nothing", lambda: only(self.m))


class BestSoFar(Walk):
    """A walk that remembers a block: its address, its size, and where the witness lies from it."""

    PARTS = ("misses_nothing", "is_exact", "takes_the_first_of_equals")

    def remember(self, low: Any) -> None:
        """Any block seen so far, at least this large; or none."""
        self.rank = self.path.choose(2)
        self.best, self.best_size = 0, 0
        if self.rank:
            self.best = self.w.span("best", MIN_BLOCK)
            self.best_size = a_size(self.path, "size_of_the_best")
            self.path.require(low, "<=", self.best_size)
            self.m.put(self.best, header(self.best_size, self.w.owner, 0), "header of the best")
            if self.seen():
                self.rank = BEFORE_IT + self.path.choose(3)
        if self.seen() and self.rank == IS_IT:
            self.path.require(self.witness_size, "==", self.best_size)

    def follows_next(self, b: Any) -> bool:
        """Whether the walk goes on to the next block."""
        return bool(b == self.next)


class BestFit(BestSoFar):
    """Every block seen is too small, or no better than the best so far; and that one is not exact."""

    def enter(self, b: Any, best: Any, least: Any) -> list[Any]:
        """The walk begins at the first block, with nothing."""
        self.unfinished(self.PARTS, lambda: b == self.first and best == 0)
        self.arrive()
        self.remember(self.want + 1)
        if self.seen() and self.rank != IS_IT:
            if self.rank == NOTHING or self.path.choose(2):
                self.no_fit()
            else:
                self.path.require(self.best_size + (self.rank == BEFORE_IT), "<=", self.witness_size)
        return [self.here, self.best, self.best_size]

    def again(self, b: Any, best: Any, least: Any) -> None:
        """The best so far is still the best, this block included."""
        def holds() -> bool:
            if best == 0:
                return bool(self.rank == NOTHING and self.follows_next(b)
                            and (self.place == TO_COME or self.witness_size < self.want))
            if best == self.here:
                good = least == self.size and least > self.want
                return bool(good and self.follows_next(b) and self._worse(least, first=self.seen()))
            return bool(best == self.best and least == self.best_size and self.follows_next(b)
                        and self._worse(least, first=self.seen() and self.rank == BEFORE_IT))

        self.unfinished(self.PARTS, holds)
        raise Over

    def _worse(self, least: Any, *, first: bool) -> bool:
        """Whether the witness, if seen by now, is no reason to choose otherwise."""
        if self.place == TO_COME and not self.at_end or self.witness_size < self.want:
            return True
        return bool(self.witness_size > least or not first and self.witness_size == least)

    def ended(self, result: Any) -> None:
        """What it answers."""
        if result == 0:
            self.claim("misses_nothing", lambda: self.witness_size < self.want)
        else:
            at_here = not self.at_end and result == self.here
            size = self.size if at_here else self.best_size
            before = self.seen() and (at_here or self.rank == BEFORE_IT)
            self.claim("fits", lambda: (at_here or result == self.best) and size >= self.want)
            self.claim("is_exact", lambda: (at_here or self.at_end) and (
                self.witness_size < self.want or self.witness_size >= size))
            self.claim("takes_the_first_of_equals", lambda: (at_here or self.at_end) and (
                not before or self.witness_size != size))
        self.claim("writes_nothing", lambda: only(self.m))


class WorstFit(BestSoFar):
    """No block seen is larger than the largest so far, which fits; without one, none seen fits."""

    PARTS = ("misses_nothing", "is_largest", "takes_the_first_of_equals")

    def enter(self, b: Any, most: Any, worst: Any) -> list[Any]:
        """The walk begins at the first block, with nothing."""
        self.unfinished(self.PARTS, lambda: b == self.first and worst == 0 and most == self.want - 1)
        self.arrive()
        self.remember(self.want)
        if self.seen() and self.rank != IS_IT:
            if self.rank == NOTHING:
                self.no_fit()
            else:
                self.path.require(self.witness_size + (self.rank == BEFORE_IT), "<=", self.best_size)
        return [self.here, self.best_size if self.rank else self.want - 1, self.best]

    def again(self, b: Any, most: Any, worst: Any) -> None:
        """The largest so far is still the largest, this block included."""
        def holds() -> bool:
            if worst == 0:
                return bool(self.rank == NOTHING and most == self.want - 1 and self.follows_next(b)
                            and (self.place == TO_COME or self.witness_size < self.want))
            if worst == self.here:
                good = most == self.size and most >= self.want
                return bool(good and self.follows_next(b) and self._less(most, first=self.seen()))
            return bool(worst == self.best and most == self.best_size and self.follows_next(b)
                        and self._less(most, first=self.seen() and self.rank == BEFORE_IT))

        self.unfinished(self.PARTS, holds)
        raise Over

    def _less(self, most: Any, *, first: bool) -> bool:
        """Whether the witness, if seen by now, is no reason to choose otherwise."""
        if self.place == TO_COME and not self.at_end:
            return True
        return bool(self.witness_size < most or not first and self.witness_size == most)

    def ended(self, result: Any) -> None:
        """What it answers."""
        if result == 0:
            self.claim("misses_nothing", lambda: self.witness_size < self.want)
        else:
            before = self.seen() and self.rank == BEFORE_IT
            self.claim("fits", lambda: self.at_end and result == self.best and self.best_size >= self.want)
            self.claim("is_largest", lambda: self.at_end and self.witness_size <= self.best_size)
            self.claim("takes_the_first_of_equals", lambda: self.at_end and (
                not before or self.witness_size != self.best_size))
        self.claim("writes_nothing", lambda: only(self.m))


class NextFit(Walk):
    """Every block seen since the cursor is too small; the end is the cursor again."""

    PARTS = ("misses_nothing", "takes_the_first")

    def _put_cursor(self) -> None:
        self.start, self.start_size = self.head, 0
        if self.path.choose(2):
            self.start, self.start_size = self.w.span("start", MIN_BLOCK), a_size(self.path, "size_at_the_start")
            self.m.put(self.start, header(self.start_size, self.w.owner, 0), "header at the start")
            self.m.put(self.start + NEXT, self._node("second"), "next of the start")
        self.m.put(self.w.at("cursor"), self.start, "cursor")

    def enter(self, b: Any) -> list[Any]:
        """The walk begins after the cursor, whose own block is too small."""
        self.unfinished(self.PARTS, lambda: b == self.m.load(self.start + NEXT) and self.start_size < self.want)
        self.arrive()
        if self.at_end:
            self.here, self.size = self.start, self.start_size
        elif self.place != HERE and self.start is not self.head and self.path.choose(2):
            self.here, self.size, self.next = self.head, 0, self.first      # the head is passed over
        if self.seen():
            self.no_fit()
        return [self.here]

    def again(self, b: Any) -> None:
        """It goes on to the next, and this one was too small."""
        self.unfinished(self.PARTS, lambda: b == self.next and self.size < self.want)
        raise Over

    def ended(self, result: Any) -> None:
        """What it answers."""
        if not self.entered:
            self.here, self.size, self.place = self.start, self.start_size, TO_COME
        now = self.m.load(self.w.at("cursor"))
        if result == 0:
            self.claim("misses_nothing", lambda: self.entered and self.witness_size < self.want)
            self.claim("moves_the_cursor", lambda: now == self.start)
        else:
            self.claim("fits", lambda: result == self.here and self.size >= self.want)
            self.claim("takes_the_first", lambda: result == self.here and (
                not self.seen() or self.witness_size < self.want))
            self.claim("moves_the_cursor", lambda: now == result)
        self.claim("writes_nothing", lambda: only(self.m, self.w.at("cursor")))


WALKS: dict[str, Any] = {"first_fit": FirstFit, "next_fit": NextFit, "best_fit": BestFit, "worst_fit": WorstFit}


def policy(name: str) -> Any:
    """The proof of one policy."""
    def body(source: Any, path: Any) -> None:
        loop = WALKS[name](path, name)
        try:
            result = cut(getattr(source.placement, name), loop)(loop.m, loop.w.arena, loop.want)
        except Over:
            return
        loop.ended(result)

    return body


CONTRACT = {                            # of `find`, which `choosing` stands for: the claims that all policies make
    "find_misses_nothing": "NULL only if no block on the list fits, by each policy",
    "find_fits": "otherwise it fits, by each policy",
    "find_writes_nothing": "no word but the cursor changes, by each policy",
}


class Common:
    """A path on which a policy claims what all policies do."""

    def __init__(self, path: Any) -> None:
        self._path = path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._path, name)

    def claim(self, name: str, holds: Any, why: Any = str) -> None:
        """See `Path.claim`."""
        if name in CONTRACT:
            self._path.claim(name, holds, why)


def any_list(source: Any, path: Any) -> None:
    """Each policy, through its number."""
    number = path.choose(len(WALKS))
    name = list(POLICIES)[number]
    loop = WALKS[name](Common(path), "find")
    functions = {each: cut(getattr(source.placement, each), loop) if each == name else loop.is_not_asked
                 for each in POLICIES}
    try:
        with replaced(source.placement, **functions):
            result = source.placement.find(loop.m, loop.w.arena, loop.want, number)
    except Over:
        return
    loop.ended(result)


def find(source: Any, path: Any) -> None:
    """Each list of up to three blocks, the cursor anywhere on it, each policy."""
    w = Window(path)
    m, count = w.m, path.choose(4)
    m.most_unknown = 0
    blocks = []
    for number in range(count):
        size = a_size(path, f"size{number}")
        b = w.span(f"block{number}", size)
        m.put(b, header(size, w.owner, 0), f"header of block {number}")
        blocks.append((b, size))
    around = [w.head, *(b for b, _ in blocks), w.head]
    for u, v in pairwise(around):
        m.put(u + NEXT, v, "next")
        m.put(v + PREV, u, "prev")
    for word in range(4):
        m.put(w.at("class_map") + 8 * word, 0, "map of classes")
    number, cursor = path.choose(len(WALKS)), path.choose(count + 1)
    m.put(w.at("cursor"), around[cursor], "cursor")
    want = path.word("want", 1, 1 << 47)
    result = source.placement.find(m, w.arena, want, number)
    numbered = [(place + 1, size) for place, (_, size) in enumerate(blocks)]
    index = list(POLICIES.values())[number](numbered, want, cursor)
    path.claim("find_agrees_with_the_model", lambda: result == (0 if index == NONE_FITS else blocks[index][0]))


PROOFS = (
    Proof("placement.first_fit", ANY_HEAP, policy("first_fit"), {
        "first_fit_misses_nothing": "NULL only if no block on the list fits",
        "first_fit_fits": "otherwise it fits",
        "first_fit_takes_the_first": "none before it does",
        "first_fit_writes_nothing": "no word changes",
    }),
    Proof("placement.next_fit", ANY_HEAP, policy("next_fit"), {
        "next_fit_misses_nothing": "NULL only if no block on the list fits",
        "next_fit_fits": "otherwise it fits",
        "next_fit_takes_the_first": "none from the cursor to it does",
        "next_fit_moves_the_cursor": "the cursor is at it",
        "next_fit_writes_nothing": "no other word changes",
    }),
    Proof("placement.best_fit", ANY_HEAP, policy("best_fit"), {
        "best_fit_misses_nothing": "NULL only if no block on the list fits",
        "best_fit_fits": "otherwise it fits",
        "best_fit_is_exact": "none that fits is smaller",
        "best_fit_takes_the_first_of_equals": "none before it is as small",
        "best_fit_writes_nothing": "no word changes",
    }),
    Proof("placement.worst_fit", ANY_HEAP, policy("worst_fit"), {
        "worst_fit_misses_nothing": "NULL only if no block on the list fits",
        "worst_fit_fits": "otherwise it fits",
        "worst_fit_is_largest": "none is larger",
        "worst_fit_takes_the_first_of_equals": "none before it is as large",
        "worst_fit_writes_nothing": "no word changes",
    }),
    Proof("placement.find", ANY_HEAP, any_list, more=CONTRACT, suffix="_on_any_list"),
    Proof("placement.find", "heaps of up to 3 blocks", find, more={
        "find_agrees_with_the_model": "each policy number chooses as the model's policy of that name",
    }),
)
