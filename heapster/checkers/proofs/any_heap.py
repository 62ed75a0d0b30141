"""A heap of any size, of which no more is known than what the code asked for: blocks, fences and regions.

Where the code looks at a word of which nothing is known, the shape says what may stand there: right of a block another
block, used or free, or the fence; left of one that knows its left neighbour as free, that neighbour, by its footer;
behind a fence its region; beside a region the newer and the older. What is put there satisfies the clauses of
`heap_clauses` and nothing else: these are claimed afterwards of all that was met. What was not met was not touched,
since a word that nothing explains refutes the proof; so its clauses hold as they did.

Free lists are those that `link` and `unlink` promise to keep: see `Lists`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from heapster.checkers.proofs.callee_contracts import Listed
from heapster.checkers.proofs.heap_clauses import MetBlock, clauses_of
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    ARENA_RECORD,
    CACHE,
    CALL_KINDS,
    FENCE_BYTES,
    FENCE_REGION,
    FIRST_BLOCK,
    FOOTER,
    MAX_ARENAS,
    MAX_REQUEST,
    MIN_BLOCK,
    MMAP,
    MOST,
    NEXT,
    PAGE,
    PAYLOAD,
    PREV,
    REGION,
    SBRK,
    STATICS,
    STATICS_BYTES,
    TOTALS,
    WORD,
    draw_key,
    header,
)
from heapster.machine.linear import Infeasible
from heapster.machine.symbolic import HIGHEST, LOWEST, form_of

BACK = {"next": "prev", "prev": "next"}     # the links of regions, and those that lead back
ARENA_WORDS = ("held", "used_bytes", "used_blocks", "free_bytes", "free_blocks", "peak", "recent", "turnover")


class Lists(Listed):
    """Free lists of whatever kind, order and length: every free block of the heap is on them, and nothing else."""

    def find(self, m: Any, arena: Any, want: Any, policy: Any) -> Any:
        """Any free block that has as many bytes, met before or not; NULL, as far as anyone can tell."""
        heap: AnyHeap = m.shape
        which = self.path.choose(len(self.blocks) + 2)
        if which < len(self.blocks):
            b, size = self.blocks[which]
            self.path.require(want, "<=", size)
            return b
        return heap.another_free(want).b if which == len(self.blocks) else 0

    def find_further(self, m: Any, arena: Any, want: Any) -> Any:
        """As `find`, whatever that answered."""
        return self.find(m, arena, want, 0)


class MetRegion:
    """A region of which something was asked: its record, and what the system gave."""

    def __init__(self, heap: "AnyHeap", record: Any, fence: Any) -> None:
        self.record, self.fence, self._heap = record, fence, heap
        self.start: Any = 0
        self.length: Any = 0
        self.kind = 0
        self.links: dict[str, Any] = {}     # to its neighbours on the list of regions, or NULL, if they were asked for

    def put(self, start: Any, length: Any, kind: int) -> None:
        """Let memory hold its record."""
        heap = self._heap
        self.start, self.length, self.kind = start, length, kind
        self.links = heap.distant.pop(form_of(self.record), (0, {}))[1]
        for name, back in BACK.items():
            if name not in self.links:
                heap.expect(self.record + REGION[name], partial(self._put_link, name, back))
        for name, word in {"start": start, "length": length, "kind": kind}.items():
            heap.m.put(self.record + REGION[name], word, f"{name} of a region")

    def _put_link(self, name: str, back: str) -> None:
        """To another region, which knows this one; or to none."""
        heap = self._heap
        self.links[name] = heap.distant_record(back, self.record) if heap.path.choose(2) else 0
        heap.m.put(self.record + REGION[name], self.links[name], f"{name} of a region")


class AnyHeap:
    """An arena of any heap; the thread that calls; and what was met of the rest."""

    def __init__(self, path: Any, *, is_new: bool = False) -> None:
        self.path = path
        self.statics = path.word("statics", LOWEST, HIGHEST, ALIGN)
        self.thread = path.word("thread", LOWEST, HIGHEST, ALIGN)
        self.is_main = bool(path.choose(2))
        self.index: Any = 0 if self.is_main else path.word("index", 1, MAX_ARENAS - 1)
        self.arena = self.statics + STATICS["arenas"] + self.index * ARENA_BYTES
        self.m = path.machine(self.statics, self.thread)
        self.m.shape = self
        self.m.break_unit = ALIGN           # `region.new_region` is proved for every other start
        self._pending: dict[Any, tuple[Any, Callable[[], None]]] = {}
        self._own: set[int] = set()         # places of those spans of the machine that the heap had before
        self.seen: list[MetBlock] = []          # blocks and fences that were met, as they were
        self.regions: list[MetRegion] = []
        self.distant: dict[Any, tuple[Any, dict[str, Any]]] = {}    # records of others: where, and their known links
        self.lists = Lists(path)
        self.in_hand: MetBlock | None = None        # the block that the caller handed over
        self.is_new = is_new
        self.reserve(self.statics, STATICS_BYTES)
        self.reserve(self.thread, CACHE["thread_bytes"])
        self._put_arena()
        self._put_settings()

    # What is known from the start.

    def at(self, name: str) -> Any:
        """Where the arena's record has this."""
        return self.arena + ARENA_RECORD[name]

    def opening(self) -> list[Any]:
        """The words that open a new arena, which no caller sees."""
        head = self.at("head")
        return [head, head + NEXT, head + PREV, self.at("cursor")] if self.is_new else []

    def _put_arena(self) -> None:
        m, path, head = self.m, self.path, self.at("head")
        m.put(head, 0 if self.is_new else header(0, self.index), "header of the head")
        for link in (NEXT, PREV):
            m.put(head + link, 0 if self.is_new else path.word("link", LOWEST, HIGHEST, ALIGN), "the head's links")
        m.put(self.at("cursor"), 0 if self.is_new else head, "cursor")
        for name in ARENA_WORDS:
            m.put(self.at(name), 0 if self.is_new else path.word(name, 0, TOTALS), name)
        for kind in range(CALL_KINDS):
            m.put(self.at("calls") + WORD * kind, path.word("calls", 0, TOTALS), "calls")
        for name, explain in (("top", self._put_top), ("regions", self._put_newest)):
            self.expect(self.at(name), explain)

    def _put_settings(self) -> None:
        m, path, s = self.m, self.path, self.statics
        m.put(s + STATICS["policy"], path.word("policy", 0, 4), "policy")
        m.put(s + STATICS["growth"], path.word("growth", PAGE, MAX_REQUEST, PAGE), "growth")
        self.threshold = path.word("threshold", PAGE, MAX_REQUEST)
        m.put(s + STATICS["threshold"], self.threshold, "threshold")
        m.put(self.thread, self.arena, "my arena")
        draw_key(m)

    def reserve(self, start: Any, length: Any) -> None:
        """Nothing that was met before lies in [start, start + length)."""
        self.path.require(start + length, "<=", HIGHEST)
        for other, count in self.m.spans:
            self.path.apart(start, length, other, count)
        self._own.add(len(self.m.spans))
        self.m.spans.append((start, length))

    # What is met.

    def expect(self, address: Any, explain: Callable[[], None]) -> None:
        """Something stands at this address: what, is said when it is asked for."""
        self._pending[form_of(address)] = address, explain

    def is_expected(self, address: Any) -> bool:
        """Whether something stands there for which nobody asked yet."""
        return form_of(address) in self._pending

    def given(self) -> list[Any]:
        """How many bytes the system gave, piece by piece."""
        return [length for place, (_, length) in enumerate(self.m.spans) if place not in self._own]

    def explain(self, address: Any) -> None:
        """See `Shape.explain`."""
        expected = self._pending.pop(form_of(address), None)
        if expected:
            expected[1]()

    def allows(self, address: Any) -> bool:
        """See `Shape.allows`: it is new memory, or lies in a block that is free or in hand, or past a fence."""
        return any(address >= start and address < start + length
                   for place, (start, length) in enumerate(self.m.spans) if place not in self._own) or any(
            address >= seen.b and address < seen.b + seen.size
            for seen in self.seen if not seen.used or seen is self.in_hand) or any(
            address >= region.fence and address < region.start + region.length for region in self.regions)

    def meet(self, seen: MetBlock, left: MetBlock | None = None) -> MetBlock:
        """A block or a fence: its clauses are assumed."""
        for _, one, sign, other in clauses_of(left, seen, self.index):
            self.path.require(one, sign, other)
        self.reserve(seen.b, FENCE_BYTES if seen.is_fence else seen.size)
        self.seen.append(seen)
        self._count(seen)
        m, b = self.m, seen.b
        m.put(b, header(seen.size, seen.owner, seen.used, seen.prev_used),
              "header of a fence" if seen.is_fence else "header of a block")
        if seen.is_fence:
            self.expect(b + FENCE_REGION, lambda: self._put_region_of(b))
            return seen
        self.expect(b + seen.size, lambda: self._put_right(seen))
        if seen.used:
            return seen
        m.put(b + seen.size + FOOTER, seen.footer, "footer of a block")
        for link in (NEXT, PREV):
            m.put(b + link, self.path.word("link"), "link")
        self.lists.blocks.append((b, seen.size))
        return seen

    def _count(self, seen: MetBlock) -> None:
        """The arena's totals are no less than what was met."""
        for name, used in (("used", 1), ("free", 0)):
            met = [each.size for each in self.seen if each.used == used and not each.is_fence]
            if seen.used == used and met:
                self.path.require(sum(met), "<=", self.m.find(self.at(f"{name}_bytes")).was)
                self.path.require(len(met), "<=", self.m.find(self.at(f"{name}_blocks")).was)

    def block(self, used: int, name: str) -> MetBlock:
        """Some block, anywhere; its payload's first words are its caller's."""
        path = self.path
        b, size = path.word(name, LOWEST, HIGHEST, ALIGN, PAYLOAD), path.word(f"size of {name}", MIN_BLOCK, MOST, ALIGN)
        prev_used = path.choose(2) if used else 1
        seen = self.meet(MetBlock(b, size, used, prev_used, self.index, size))
        if used:
            for place in (NEXT, PREV):
                self.m.put(b + place, path.word("payload"), "payload")
        if not prev_used:
            self._expect_left(b)
        return seen

    def another_free(self, want: Any) -> MetBlock:
        """A free block that was not met before, of at least so many bytes."""
        seen = self.block(0, "free")
        self.path.require(want, "<=", seen.size)
        return seen

    def _put_right(self, left: MetBlock) -> None:
        """Right of a block lies one that was met, or another, or the fence."""
        path, b = self.path, left.b + left.size
        if known := self._met_at(b):
            path.require(known.prev_used, "==", left.used)
            return
        kind = path.choose(3)
        if kind == 0:
            self.meet(MetBlock(b, 0, 1, left.used, self.index, None), left)
        elif kind == 1 and not left.used:
            raise Infeasible
        else:
            size = path.word("size of the right", MIN_BLOCK, MOST, ALIGN)
            self.meet(MetBlock(b, size, int(kind == 2), left.used, self.index, size), left)

    def _met_at(self, b: Any) -> MetBlock | None:
        return next((seen for seen in self.seen if seen.b == b), None)

    def _expect_left(self, b: Any) -> None:
        self.expect(b + FOOTER, lambda: self._put_left(b))

    def _put_left(self, right: Any) -> None:
        """Left of a block that knows that lies a free one, that was met or not, right of a used one or first."""
        known = next((seen for seen in self.seen if not seen.used and seen.b + seen.size == right), None)
        if known:
            self._pending.pop(form_of(known.b + known.size), None)
            return
        size = self.path.word("size of the left", MIN_BLOCK, MOST, ALIGN)
        self.path.require(LOWEST + size, "<=", right)
        for region in self.regions:
            if form_of(self.leftmost(region.fence)) == form_of(right):
                self.path.require(region.record + FIRST_BLOCK, "<=", right - size)
        self.meet(MetBlock(right - size, size, 0, 1, self.index, size))
        self._pending.pop(form_of(right), None)

    # Regions.

    def _put_region_of(self, fence: Any) -> None:
        """A fence names its region, which begins before all that was met left of it."""
        path = self.path
        kind = SBRK if self.is_main and path.choose(2) else MMAP
        record = self._a_record()
        first = self.leftmost(fence)
        path.require(record + FIRST_BLOCK + MIN_BLOCK * self.is_expected(first + FOOTER), "<=", first)
        self.m.put(fence + FENCE_REGION, record, "region of the fence")
        start, end = record, fence + FENCE_BYTES + WORD
        if kind == SBRK:
            start = record - path.word("before the region", 0, ALIGN - 1)
            end = fence + FENCE_BYTES + path.word("after the fence", 0, ALIGN - 1)
        else:
            path.require(start, "==", path.word("start of the region", LOWEST, HIGHEST, PAGE))
            path.require(end - start, "==", path.word("bytes of the region", PAGE, MOST, PAGE))
        self._add_region(record, fence, start, end - start, kind)

    def _add_region(self, record: Any, fence: Any, start: Any, length: Any, kind: int) -> MetRegion:
        region = MetRegion(self, record, fence)
        self.regions.append(region)
        region.put(start, length, kind)
        return region

    def leftmost(self, end: Any) -> Any:
        """Where the first of those blocks lies that are known to lie side by side up to `end`."""
        while left := next((seen for seen in self.seen if not seen.is_fence
                            and form_of(seen.b + seen.size) == form_of(end)), None):
            end = left.b
        return end

    def distant_record(self, link: str, word: Any) -> Any:
        """Another region, of which only this link is known."""
        record = self.path.word("another region", LOWEST, HIGHEST, ALIGN)
        self.reserve(record, FIRST_BLOCK)
        self.distant[form_of(record)] = record, {link: word}
        self.m.put(record + REGION[link], word, f"{link} of another region")
        return record

    def _a_record(self) -> Any:
        """The record of a region that was not met, or of which another told."""
        others = list(self.distant.values())
        which = self.path.choose(1 + len(others))
        if which:
            return others[which - 1][0]
        record = self.path.word("region", LOWEST, HIGHEST, ALIGN)
        self.reserve(record, FIRST_BLOCK)
        return record

    def _put_newest(self) -> None:
        """The newest region: one that was met, or another; or there is none."""
        for region in self.regions:
            self.explain(region.record + REGION["prev"])
        word: Any = next((region.record for region in self.regions if _is_null(region.links["prev"])), 0)
        if _is_null(word) and not self.is_new and (self.regions or self.path.choose(2)):
            others = [record for record, links in self.distant.values() if "prev" not in links]
            which = self.path.choose(1 + len(others))
            word = others[which - 1] if which else self.distant_record("prev", 0)
            if which:
                self.m.put(word + REGION["prev"], 0, "prev of another region")
                self.distant[form_of(word)][1]["prev"] = 0
        self.m.put(self.at("regions"), word, "regions")

    def _put_top(self) -> None:
        """The top: a region that was met, or another; or there is none."""
        region = self._any_top() if self.is_main and not self.is_new and self.path.choose(2) else None
        brk = region.start + region.length if region else 0
        self.m.put(self.at("top"), region.record if region else 0, "top")
        self.m.put(self.at("break"), brk, "break")
        self.m.brk = brk if region else None

    def _any_top(self) -> MetRegion:
        """The region that ends at the break: with a fence that was met, right of a block that was, or elsewhere."""
        fences = [seen for seen in self.seen if seen.is_fence]
        open_ = self._open_ends()
        which = self.path.choose(1 + len(fences) + len(open_))
        if which == 0:
            return self._another_top()
        if which > len(fences):
            left = open_[which - 1 - len(fences)]
            del self._pending[form_of(left.b + left.size)]
            fences.append(self.meet(MetBlock(left.b + left.size, 0, 1, left.used, self.index, None), left))
        fence = fences[min(which, len(fences)) - 1].b
        self.explain(fence + FENCE_REGION)
        region = next(region for region in self.regions if region.fence is fence)
        if region.kind != SBRK:
            raise Infeasible
        return region

    def _open_ends(self) -> list[MetBlock]:
        """Blocks of which nobody asked yet what lies right of them."""
        return [seen for seen in self.seen if not seen.is_fence and self.is_expected(seen.b + seen.size)]

    def _another_top(self) -> MetRegion:
        """A region that ends at the break, of which nothing was met."""
        path = self.path
        record = self._a_record()
        fence = path.word("fence of the top", LOWEST, HIGHEST, ALIGN, PAYLOAD)
        path.require(record + FIRST_BLOCK + MIN_BLOCK, "<=", fence)
        for left in self._open_ends():
            path.apart(fence, FENCE_BYTES, left.b + left.size, FENCE_BYTES)
        prev_used = path.choose(2)
        self.meet(MetBlock(fence, 0, 1, prev_used, self.index, None))
        self._pending.pop(form_of(fence + FENCE_REGION), None)
        self.m.put(fence + FENCE_REGION, record, "region of the fence")
        if not prev_used:
            self._expect_left(fence)
        start = record - path.word("before the top region", 0, ALIGN - 1)
        end = fence + FENCE_BYTES + path.word("after the fence", 0, ALIGN - 1)
        return self._add_region(record, fence, start, end - start, SBRK)


def _is_null(word: Any) -> bool:
    return isinstance(word, int) and word == 0
