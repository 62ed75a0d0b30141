"""One arena of the reference: regions as sequences of blocks, and a free list.

A free list is a list of (address, size), head first. Neighbours are neighbours in a sequence, and
totals are sums over it: there is no header, link or running total here that could be wrong.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from heapster.model.geometry import (
    ALIGN,
    CALLS,
    DEFAULT_ARENAS,
    DEFAULT_GROWTH,
    DEFAULT_THRESHOLD,
    FIRST_BLOCK,
    MIN_BLOCK,
    PAGE,
    REFUSED,
    fence_before,
    growth_for,
    lead_before,
    region_at,
)
from heapster.model.heap import Arena, Block, Ledger, Region
from heapster.model.placement import NONE_FITS, POLICIES, first_fit
from heapster.model.system import System

Witness = Callable[[str], None]


@dataclass
class Settings:
    """What the allocator's setters change."""

    policy: str = "first_fit"
    threshold: int = DEFAULT_THRESHOLD
    growth: int = DEFAULT_GROWTH
    arena_limit: int = DEFAULT_ARENAS


class Piece(NamedTuple):
    """A block, as the sequence knows it."""

    address: int
    size: int
    used: bool


class RegionState:
    """Memory got from the system in one piece, cut into blocks in address order."""

    def __init__(self, start: int, end: int, kind: str) -> None:
        self.address, self.start, self.end, self.kind = region_at(start), start, end, kind
        self.fence = fence_before(end)
        first = self.address + FIRST_BLOCK
        self.pieces = [Piece(first, self.fence - first, False)]
        self._value: tuple[Region, int, int] | None = None

    def index(self, address: int) -> int:
        """Where in the sequence the block at `address` is."""
        return bisect_left(self.pieces, (address,))

    def replace(self, first: int, last: int, *pieces: Piece) -> None:
        """Put `pieces` in the place of the blocks first..last-1."""
        self.pieces[first:last] = pieces
        self._value = None

    def move_end(self, end: int) -> None:
        """The system gave more, or took some back; the last block is not yet told."""
        self.end, self.fence = end, fence_before(end)
        self._value = None

    def value(self, owner: int) -> tuple[Region, int, int]:
        """The region, the bytes in its used blocks, and their number."""
        if self._value is None:
            self._value = self._evaluate(owner)
        return self._value

    def _evaluate(self, owner: int) -> tuple[Region, int, int]:
        blocks, left_used, used_bytes, used_blocks = [], True, 0, 0
        for address, size, used in self.pieces:
            blocks.append(Block(address, size, used, left_used, owner, None if used else size))
            left_used = used
            if used:
                used_bytes += size
                used_blocks += 1
        fence = Block(self.fence, 0, True, left_used, owner, None)
        region = Region(self.address, self.start, self.end, self.kind, tuple(blocks), fence, self.address)
        return region, used_bytes, used_blocks


class ArenaState:
    """Regions, newest first, and the list of their free blocks."""

    def __init__(self, index: int, settings: Settings, saw: Witness) -> None:
        self.index, self._settings, self._saw = index, settings, saw
        self.regions: list[RegionState] = []
        self.free: list[tuple[int, int]] = []
        self.cursor = 0                         # where next fit resumes: a block on the list, or 0
        self.top: RegionState | None = None     # the region that ends at the break
        self.brk = 0                            # the break as this arena last moved it
        self.calls = [0] * len(CALLS)

    def value(self) -> Arena:
        """What it looks like at rest."""
        regions, held, used_bytes, used_blocks = [], 0, 0, 0
        for state in self.regions:
            region, some_bytes, some_blocks = state.value(self.index)
            regions.append(region)
            held += region.end - region.start
            used_bytes += some_bytes
            used_blocks += some_blocks
        free_bytes = sum([size for _, size in self.free])
        ledger = Ledger(held, used_bytes, used_blocks, free_bytes, len(self.free), tuple(self.calls))
        forward = tuple([address for address, _ in self.free])
        top = self.top.address if self.top else 0
        return Arena(self.index, tuple(regions), forward, forward[::-1], self.cursor, top, self.brk, ledger)

    def size_of(self, address: int) -> int:
        """Bytes of the block at `address`."""
        region = self._region_of(address)
        return region.pieces[region.index(address)].size

    def place(self, system: System, want: int, alignment: int) -> int:
        """Use `want` bytes of a free block for a payload so aligned; the block's address, or 0.

        A lead that alignment needs, and a rest that is large enough, become free blocks, in that order.
        """
        span = want if alignment <= ALIGN else want + alignment + ALIGN
        block = self._find(span) or self._grow(system, span)
        if not block:
            return 0
        region = self._region_of(block)
        index = region.index(block)
        size = region.pieces[index].size
        self._unlink(block, size)
        lead = lead_before(block, alignment)
        pieces = []
        if lead:
            self._saw("aligned_block_left_a_lead")
            self._link(block, lead)
            pieces.append(Piece(block, lead, False))
        region.replace(index, index + 1, *pieces, *self._split(block + lead, size - lead, want))
        return block + lead

    def release(self, system: System, address: int) -> None:
        """The block at `address` becomes free."""
        region = self._region_of(address)
        self._settle(system, region, region.index(address))

    def resize(self, system: System, address: int, want: int) -> bool:
        """Make the block at `address` `want` bytes without moving it, or leave it alone."""
        if self._fit(system, address, want):
            return True
        missing = want - self._reach_at_the_top(address)
        if missing == want or not self._grow(system, missing) or not self._fit(system, address, want):
            return False
        self._saw("realloc_grew_into_the_top")
        return True

    def _region_of(self, address: int) -> RegionState:
        return next(region for region in self.regions if region.start <= address < region.end)

    def _link(self, address: int, size: int) -> None:
        self.free.insert(0, (address, size))

    def _unlink(self, address: int, size: int) -> None:
        index = self.free.index((address, size))
        if self.cursor == address:
            self.cursor = self.free[index + 1][0] if index + 1 < len(self.free) else 0
            self._saw("cursor_left_its_block")
        del self.free[index]

    def _find(self, want: int) -> int:
        """The block that the policy chooses, or 0."""
        policy = self._settings.policy
        chosen = POLICIES[policy](self.free, want, self.cursor)
        if chosen == NONE_FITS:
            return 0
        if policy != "first_fit" and chosen != first_fit(self.free, want, 0):
            self._saw("policy_passed_over_the_first_fit")
        if policy == "next_fit":
            if self.cursor and chosen < [address for address, _ in self.free].index(self.cursor):
                self._saw("next_fit_wrapped_around")
            self.cursor = self.free[chosen][0]
        return self.free[chosen][0]

    def _split(self, address: int, size: int, want: int) -> tuple[Piece, ...]:
        """A used block of `want` bytes and the rest, listed as free, if that is large enough."""
        if size - want < MIN_BLOCK:
            self._saw("split_left_no_remainder" if size == want else "split_left_too_little")
            return (Piece(address, size, True),)
        self._link(address + want, size - want)
        return Piece(address, want, True), Piece(address + want, size - want, False)

    def _grow(self, system: System, want: int) -> int:
        """Get a listed free block of at least `want` bytes from the system; its address, or 0."""
        length = growth_for(want, self._settings.growth)
        if self.regions:
            self._saw("arena_was_full_and_grew")
        if self.index == 0:
            old = system.sbrk(length)
            if old != REFUSED:
                return self._grow_at_the_break(old, old + length)
            self._saw("sbrk_refused")
        start = system.mmap(length)
        if start == REFUSED:
            self._saw("mmap_refused")
            return 0
        self._saw("main_arena_fell_back_to_mmap" if self.index == 0 else "another_arena_grew")
        return self._add_region(RegionState(start, start + length, "mmap"))

    def _grow_at_the_break(self, old: int, new: int) -> int:
        top, before = self.top, self.brk
        self.brk = new
        if top is None or old != before:
            if top is not None:
                self._saw("foreigner_moved_the_break")
            self.top = RegionState(old, new, "sbrk")
            return self._add_region(self.top)
        fence = top.fence
        top.move_end(new)
        top.pieces.append(Piece(fence, top.fence - fence, False))
        index = self._coalesce(top, len(top.pieces) - 1)
        return self._list(top, index)

    def _add_region(self, region: RegionState) -> int:
        self.regions.insert(0, region)
        return self._list(region, 0)

    def _list(self, region: RegionState, index: int) -> int:
        address, size, _ = region.pieces[index]
        self._link(address, size)
        return address

    def _coalesce(self, region: RegionState, index: int) -> int:
        """Make the block free and one with its free neighbours, off the list; its new index."""
        address, size, _ = region.pieces[index]
        first, last = index, index + 1
        if last < len(region.pieces) and not region.pieces[last].used:
            self._unlink(*region.pieces[last][:2])
            size += region.pieces[last].size
            last += 1
        if first > 0 and not region.pieces[first - 1].used:
            first -= 1
            self._unlink(*region.pieces[first][:2])
            address = region.pieces[first].address
            size += region.pieces[first].size
        region.replace(first, last, Piece(address, size, False))
        return first

    def _settle(self, system: System, region: RegionState, index: int) -> None:
        """The block becomes free: coalesced, given back as far as may be, and listed."""
        before = len(region.pieces)
        left_free = index > 0 and not region.pieces[index - 1].used
        index = self._coalesce(region, index)
        self._saw(_NEIGHBOURS[before - len(region.pieces), left_free])
        at_the_top = region is self.top and index == len(region.pieces) - 1
        if at_the_top and region.pieces[index].size >= 2 * self._settings.growth:
            self._trim(system, region, index)
        elif region.kind == "mmap" and len(region.pieces) == 1 and self._give_back(system, region):
            return
        self._list(region, index)

    def _trim(self, system: System, region: RegionState, index: int) -> None:
        """Give all but about one growth of the top back, if the break is still ours."""
        address, size, _ = region.pieces[index]
        extra = (size - self._settings.growth) & -PAGE
        if system.sbrk(0) != self.brk:
            self._saw("foreigner_kept_the_top_from_being_trimmed")
            return
        answer = system.sbrk(-extra)
        if answer == self.brk:
            self._saw("top_was_trimmed")
            self.brk -= extra
            region.move_end(self.brk)
            region.replace(index, index + 1, Piece(address, size - extra, False))
        elif answer != REFUSED:
            system.sbrk(extra)
        else:
            self._saw("sbrk_refused")

    def _give_back(self, system: System, region: RegionState) -> bool:
        """Unmap a region that is all free, if the arena keeps a growth of free bytes without it."""
        if sum([size for _, size in self.free]) < self._settings.growth:
            return False
        if system.munmap(region.start, region.end - region.start) == REFUSED:
            self._saw("munmap_refused")
            return False
        self._saw("region_was_returned")
        self.regions.remove(region)
        return True

    def _fit(self, system: System, address: int, want: int) -> bool:
        """Resize into the block itself and a free right neighbour, or leave both alone."""
        region = self._region_of(address)
        index = region.index(address)
        size = region.pieces[index].size
        right = region.pieces[index + 1] if index + 1 < len(region.pieces) else None
        if size == want:
            return True
        free_right = right is not None and not right.used
        total = size + right.size if right and free_right else size
        if total < want:
            return False
        if right and free_right:
            self._unlink(right.address, right.size)
        last = index + 1 + free_right
        if total - want < MIN_BLOCK:
            region.replace(index, last, Piece(address, total, True))
        else:
            rest = Piece(address + want, total - want, False)
            region.replace(index, last, Piece(address, want, True), rest)
            self._settle(system, region, index + 1)
        self._saw("realloc_grew_in_place" if want > size else "realloc_shrank_in_place")
        return True

    def _reach_at_the_top(self, address: int) -> int:
        """Bytes from the block to the fence of the top, if nothing used lies between; else 0."""
        region = self._region_of(address)
        index = region.index(address)
        between = region.pieces[index + 1:]
        if region is not self.top or len(between) > 1 or any(piece.used for piece in between):
            return 0
        return sum(piece.size for piece in (region.pieces[index], *between))


_NEIGHBOURS = {
    (0, False): "no_neighbour_free_on_free",
    (1, False): "right_neighbour_free_on_free",
    (1, True): "left_neighbour_free_on_free",
    (2, True): "both_neighbours_free_on_free",
}
