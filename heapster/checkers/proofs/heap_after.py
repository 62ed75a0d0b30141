"""What is claimed of a heap of any size after a call: the clauses of all that was met, the totals, and the frame."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from heapster.checkers.proofs.any_heap import BACK, AnyHeap, MetRegion
from heapster.checkers.proofs.heap_clauses import MetBlock, clauses_of, holds
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ALL_SIZE_BITS,
    FENCE_BYTES,
    FENCE_REGION,
    FIRST_BLOCK,
    FOOTER,
    NEXT,
    PAYLOAD,
    PREV,
    PREV_USED,
    REGION,
    SBRK,
    USED,
    WORD,
    is_summed,
    owner_in,
)
from heapster.machine.symbolic import form_of

MOST_BLOCKS = 12            # that a call makes of what it met
MOST_NEW = 3                # regions that it adds


class BlockRun(NamedTuple):
    """Blocks side by side that were met, and the region in which they lie, if that was met."""

    blocks: tuple[MetBlock, ...]
    region: MetRegion | None
    record: Any                 # the region's, if anyone asked for it


class After:
    """The heap after a call, read by the drawings alone from where something was met before."""

    def __init__(self, heap: AnyHeap) -> None:
        self.heap, self.m = heap, heap.m
        self.blocks: list[MetBlock] = []        # that lie where something was met, in new regions too
        self.broken: list[str] = []
        self.gone: list[MetRegion] = []
        self._runs = self._met()
        for run in self._runs:
            if run.region is not None and self._is_gone(run.region):
                self.gone.append(run.region)
                self._check_whole(run)
            else:
                self._walk(run.blocks[0].b, self._end(run), run)
        self.new = self._new_regions()
        self._check_others()
        self._check_top()
        for region in self.gone:
            self._check_dropped(region)

    def _met(self) -> list[BlockRun]:
        """What was met, in runs of neighbours."""
        seen, runs = list(self.heap.seen), []
        ends = {form_of(each.b + each.size) for each in seen if not each.is_fence}
        for first in [each for each in seen if form_of(each.b) not in ends]:
            blocks = [first]
            while after := next((each for each in seen if not blocks[-1].is_fence
                                 and form_of(each.b) == form_of(blocks[-1].b + blocks[-1].size)), None):
                blocks.append(after)
            region = next((region for region in self.heap.regions
                           if form_of(region.fence) == form_of(blocks[-1].b)), None)
            runs.append(BlockRun(tuple(blocks), region, region.record if region else None))
        return runs

    def _is_gone(self, region: MetRegion) -> bool:
        return any(bool(start == region.start) and bool(length == region.length) for start, length in self.m.gone)

    def _check_whole(self, run: BlockRun) -> None:
        """What went back to the system was a whole region without a block that anybody has."""
        assert run.region is not None
        if run.blocks[0].b != run.region.record + FIRST_BLOCK or any(
                each.used and not each.is_fence and each is not self.heap.in_hand for each in run.blocks):
            self.broken.append("memory_is_accounted_for: blocks went back to the system")

    def _end(self, run: BlockRun) -> Any:
        """Where the walk ends: at the fence, wherever the region ends now, or where nothing more was met."""
        last = run.blocks[-1]
        if not last.is_fence:
            return last.b + last.size
        if run.region is None:
            return last.b
        return fence_before(self._now(run.region, "start") + self._now(run.region, "length"))

    def _now(self, region: MetRegion, name: str) -> Any:
        return self.m.load(region.record + REGION[name])

    def _walk(self, b: Any, end: Any, run: BlockRun) -> None:
        """Blocks from `b` on to `end`, each with its clauses; what was right of the last is told of it as before."""
        first, last = (run.blocks[0], run.blocks[-1]) if run.blocks else (None, None)
        left: MetBlock | None = None
        for _ in range(MOST_BLOCKS):
            seen = self._read(b)
            self._check(left, seen)
            if left is None:
                self._check_left_end(first, seen)
            self.blocks.append(seen)
            if seen.is_fence or last is not None and not last.is_fence and b + seen.size == end:
                break
            left, b = seen, b + seen.size
        self._check_right_end(seen, end, last)
        if seen.is_fence and run.record is not None and self.m.load(seen.b + FENCE_REGION) != run.record:
            self.broken.append("fences_end_their_regions")

    def _check_left_end(self, first: MetBlock | None, seen: MetBlock) -> None:
        before = 1 if first is None else first.prev_used
        if seen.prev_used != before:
            self.broken.append("flags_agree_with_neighbours: what was met first is told of another left neighbour")

    def _check_right_end(self, seen: MetBlock, end: Any, last: MetBlock | None) -> None:
        if seen.is_fence:
            if seen.b != end:
                self.broken.append("blocks_tile_their_region: a fence lies before the end of its region")
        elif last is None or last.is_fence or seen.used != last.used:
            self.broken.append("flags_agree_with_neighbours: what lies right of all that was met is not told")

    def _read(self, b: Any) -> MetBlock:
        word = self.m.load(b)
        size, used = word & ALL_SIZE_BITS, word & USED
        free = isinstance(used, int) and not used
        if word & (ALIGN - 1 - USED - PREV_USED) != 0:
            self.broken.append("a header has a flag that no block of an arena has")
        if not is_summed(word, size):
            self.broken.append("a header has not the checksum that it must have")
        return MetBlock(b, size, used, (word & PREV_USED) >> 1, owner_in(word),
                    self.m.load(b + size + FOOTER) if free else None)

    def _check(self, left: MetBlock | None, seen: MetBlock) -> None:
        self.broken += [clause[0] for clause in clauses_of(left, seen, self.heap.index) if not holds(clause)]
        listed = [each for each, _ in self.heap.lists.blocks if each == seen.b]
        if len(listed) != (not seen.used):
            self.broken.append("free_list_is_exactly_the_free_blocks")

    def _new_regions(self) -> list[Any]:
        """The regions that were added, newest first, of which all is checked."""
        cell = self.m.find(self.heap.at("regions"))
        if cell is None or cell.now is cell.was or self.gone:
            return []
        m, newer, record = self.m, 0, cell.now
        found: list[Any] = []
        while len(found) < MOST_NEW and record != cell.was:
            self._check_new(record, newer)
            found.append(record)
            newer, record = record, m.load(record + REGION["next"])
        if record != cell.was or not (record == 0 or m.load(record + REGION["prev"]) == newer):
            self.broken.append("the list of regions is not linked both ways")
        return found

    def _check_new(self, record: Any, newer: Any) -> None:
        m = self.m
        start, length = (m.load(record + REGION[name]) for name in ("start", "length"))
        if not 0 <= record - start < ALIGN or not any(start == given and length == count for given, count in m.spans):
            self.broken.append("regions_use_what_they_were_given")
        if m.load(record + REGION["prev"]) != newer:
            self.broken.append("the list of regions is not linked both ways")
        self._walk(record + FIRST_BLOCK, fence_before(start + length), BlockRun((), None, record))

    def _check_others(self) -> None:
        """Blocks of others are where they were, as large, and used."""
        for seen in self.heap.seen:
            if seen.used and not seen.is_fence and seen is not self.heap.in_hand and not any(
                    now.used and now.b == seen.b and now.size == seen.size for now in self.blocks):
                self.broken.append("a block that somebody has is another, or gone")

    def _check_top(self) -> None:
        """The top, if anyone asked for it, is a region of the break that ends there."""
        heap, m = self.heap, self.m
        if heap.is_expected(heap.at("top")):
            return
        top = m.load(heap.at("top"))
        if top == 0:
            return
        if m.load(top + REGION["kind"]) != SBRK or m.load(top + REGION["start"]) + m.load(
                top + REGION["length"]) != m.load(heap.at("break")):
            self.broken.append("the_top_region_ends_at_the_break")

    def _check_dropped(self, region: MetRegion) -> None:
        """The neighbours of a region that went back know each other."""
        m, newer, older = self.m, region.links["prev"], region.links["next"]
        before = self.heap.at("regions") if newer == 0 else newer + REGION["next"]
        if m.load(before) != older or not (older == 0 or m.load(older + REGION["prev"]) == newer):
            self.broken.append("the list of regions is not linked both ways")

    # Totals, and what else may have changed.

    def totals(self) -> dict[str, Any]:
        """By how much each total of the arena should differ from before."""
        before = [seen for seen in self.heap.seen if not seen.is_fence]
        after = [seen for seen in self.blocks if not seen.is_fence]
        changes: dict[str, Any] = {}
        for name, used in (("used", 1), ("free", 0)):
            now, was = ([seen.size for seen in blocks if seen.used == used] for blocks in (after, before))
            changes[f"{name}_bytes"] = sum(now) - sum(was)
            changes[f"{name}_blocks"] = len(now) - len(was)
        changes["held"] = sum(self._now(region, "length") - region.length for region in self.heap.regions
                              if region not in self.gone) - sum(region.length for region in self.gone)
        for record in self.new:
            changes["held"] = changes["held"] + self.m.load(record + REGION["length"])
        return changes

    def wrong_totals(self) -> list[str]:
        """The totals that are not what the blocks sum to."""
        wrong = [] if self._is_accounted_for() else ["memory_is_accounted_for"]
        for name, change in self.totals().items():
            cell = self.m.find(self.heap.at(name))
            if cell.now != cell.was + change:
                wrong.append(f"ledgers_equal_recomputed_totals: {name}")
        return wrong

    def _is_accounted_for(self) -> bool:
        """Whether the arena holds as much more as the system gave, and as much less as it took."""
        cell = self.m.find(self.heap.at("held"))
        change = sum(self.heap.given()) - sum(length for _, length in self.m.gone)
        return bool(cell.now - cell.was == change)

    def block_at(self, b: Any) -> MetBlock | None:
        """The block that lies there now."""
        return next((seen for seen in self.blocks if not seen.is_fence and seen.b == b), None)

    def fresh(self) -> list[MetBlock]:
        """The used blocks that nobody had before."""
        return [now for now in self.blocks if now.used and not now.is_fence and not any(
            seen.used and not seen.is_fence and seen.b == now.b for seen in self.heap.seen)]

    def strays(self, *allowed: Any, mine: Sequence[tuple[Any, Any]] = ()) -> Iterator[Any]:
        """Words that changed and that the call may not change; `mine` has [start, end) that it handed out."""
        places = [*allowed, *self._places()]
        mine = [*mine, *((seen.b, seen.b + seen.size) for seen in self.fresh())]
        known = {form_of(place) for place in places}
        for cell in self.m.written():
            if form_of(cell.address) not in known and not self._lies_in(cell.address, mine) and (
                    not self._was_given_back(cell.address)
                    and not any(not self.m.elsewhere(cell.address, place) and cell.address == place for place in places)
                    and cell.now != cell.was):
                yield cell.address

    def _lies_in(self, address: Any, mine: Sequence[tuple[Any, Any]]) -> bool:
        """Whether a word is in a block that is free now, or in what is handed out."""
        free = [(seen.b, seen.b + seen.size) for seen in self.blocks if not seen.used]
        return any(address >= start and address < end for start, end in (*free, *mine))

    def _was_given_back(self, address: Any) -> bool:
        """Whether a word is the system's now, or lies between a fence that moved and the end of its region."""
        pieces = list(self.m.gone)
        for region in (region for region in self.heap.regions if region not in self.gone):
            end = self._now(region, "start") + self._now(region, "length")
            pieces.append((fence_before(end), end - fence_before(end)))
        return any(address >= start and address < start + length for start, length in pieces)

    def _places(self) -> Iterator[Any]:
        """Headers, footers, records and the arena's own words."""
        heap = self.heap
        for seen in self.blocks:
            yield seen.b
            yield seen.b + (FENCE_REGION if seen.is_fence else seen.size + FOOTER if not seen.used else 0)
        for seen in heap.seen:
            if not seen.used:
                yield from (seen.b + link for link in (NEXT, PREV))
        for name in ("held", "used_bytes", "used_blocks", "free_bytes", "free_blocks", "top", "break", "regions",
                     "peak", "recent", "turnover"):
            yield heap.at(name)
        for region in heap.regions:
            yield region.record + REGION["length"]
            for name, other in region.links.items():
                yield other + REGION[BACK[name]]
        for record in self.new:
            yield from (record + WORD * word for word in range(FIRST_BLOCK // WORD))
        if self.new:
            yield self.m.find(heap.at("regions")).was + REGION["prev"]


def fence_before(end: Any) -> Any:
    """Where the fence of a region lies that ends there."""
    return ((end - FENCE_BYTES - PAYLOAD) & -ALIGN) + PAYLOAD
