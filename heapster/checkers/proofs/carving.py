"""Runs of any length, by induction on the blocks carved so far: what more is proved of `impl/arena.py`'s `carve`."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.bins import HUGE, CarvedRun
from heapster.checkers.proofs.layout_spec import ALIGN, ALL_SIZE_BITS, MIN_BLOCK, header
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import Over

MOST = 1 << 40
HANDED_OUT, TAIL = "runs_of_any_length_are_used", "what_any_run_leaves_is_listed"
BOUND, FRAME = "no_run_is_longer_than_asked_for", "carving_spares_earlier_blocks"
WHOLE = "no_run_is_shorter_than_what_is_left_allows"


class Carving:
    """The loop of `carve`, cut: some blocks were carved, the last of which is `b`; `rest` follows it, or nothing."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, Window(path)
        self.m = self.w.m
        self.counts = self.w.word("free_bytes"), self.w.word("free_blocks")
        self.run = CarvedRun(path, self.w)
        self.most = path.word("most", 1, MOST)

    def enter(self, b: Any, most: Any, rest: Any) -> list[Any]:
        """One block was carved; or any number, each of which left a block or nothing."""
        run, path = self.run, self.path
        path.claim(HANDED_OUT, lambda: b == run.b and most == self.most and self._is_carved(b, rest, run.total))
        self.b, self.rest, self.left, turns = b, rest, run.total, 0
        if path.choose(2):
            turns = path.word("turns", 1, MOST)
            path.require(turns, "<", self.most)
            self._carve_some(path.word("carved before", MIN_BLOCK, HUGE, ALIGN), leaves=bool(path.choose(2)))
        self.now = self.most - turns
        self.before = [(cell, cell.now) for cell in self.m.cells]
        return [self.b, self.now, self.rest]

    def _carve_some(self, done: Any, *, leaves: bool) -> None:
        """Any state in which the last block was carved after so many bytes, and left others, or nothing."""
        run, path, owner = self.run, self.path, self.w.owner
        path.require(run.want, "<=", done)
        self.b, self.left = run.b + done, run.total - done
        self.m.store(run.b + run.want, header(run.want, owner))
        self.m.store(self.b, header(run.want, owner))
        if leaves:
            path.require(run.want + MIN_BLOCK, "<=", self.left)
            self.rest = self.b + run.want
            self.m.store(self.rest, header(self.left - run.want, owner))
        else:
            path.require(run.want, "==", self.left)
            self.rest = 0

    def again(self, b: Any, most: Any, rest: Any) -> None:
        """One block more was carved, from what was left; those before it are as they were."""
        self.path.claim(BOUND, lambda: most == self.now - 1 and most >= 1)
        self.path.claim(HANDED_OUT, lambda: b == self.rest and self._is_carved(b, rest, self.left - self.run.want)
                        and (rest != 0 or self.m.load(b) == header(self.run.want, self.w.owner)))
        self.path.claim(FRAME, lambda: self._changed_only(b, rest))
        raise Over

    def _is_carved(self, b: Any, rest: Any, left: Any) -> bool:
        """Whether `b` is used, and what follows it of `left` bytes is used too, a block at least, or nothing."""
        load, want, owner = self.m.load, self.run.want, self.w.owner
        if rest == 0:
            return bool(load(b) == header(left, owner) and left >= want and left < want + MIN_BLOCK)
        return bool(load(b) == header(want, owner) and rest == b + want and load(rest) == header(left - want, owner)
                    and left - want >= MIN_BLOCK)

    def _changed_only(self, *addresses: Any) -> bool:
        """Whether this turn changed no word but these."""
        before = {id(cell): word for cell, word in self.before}
        return all(bool(cell.now == before.get(id(cell), cell.was)) or any(cell.address == each for each in addresses)
                   for cell in self.m.cells if cell.now is not before.get(id(cell), cell.was))

    def ended(self, last: Any) -> None:
        """What follows the last block is listed and counted."""
        w, load = self.w, self.m.load
        self.path.claim(HANDED_OUT, lambda: last == self.b)
        self.path.claim(WHOLE, lambda: bool(self.now == 1) or self.rest == 0 or not self._could_carve())
        end = last + (load(last) & ALL_SIZE_BITS)
        self.path.claim(TAIL, lambda: self.run.is_rest_listed(last)
                        and load(w.at("free_bytes")) == self.counts[0] - self.run.total + (self.run.right - end)
                        and load(w.at("free_blocks")) == self.counts[1] - (end == self.run.right))

    def _could_carve(self) -> bool:
        """Whether one block more of the size would leave a block, or nothing."""
        left = self.left - 2 * self.run.want
        return bool(left == 0 or left >= MIN_BLOCK)


def carve(source: Any, path: Any) -> None:
    """Any free block, any size that is cached, any number of blocks."""
    loop = Carving(path)
    try:
        last = cut(source.arena.carve, loop)(loop.m, loop.w.arena, loop.run.b, loop.run.want, loop.most)
    except Over:
        return
    loop.ended(last)


PROOFS = (
    Proof("arena.carve", ANY_HEAP, carve, more={
        HANDED_OUT: "each block of the run is used and of the size; an only one may be larger, by less than MIN_BLOCK",
        BOUND: "there are as many as were asked for, or fewer, at least one",
        WHOLE: "there are fewer only where one more would leave less than a block",
        TAIL: "what is left is free, on the list and counted, or nothing",
        FRAME: "a turn changes no word but headers of the block that it carves and of what is left",
    }, suffix="_in_runs_of_any_length"),
)
