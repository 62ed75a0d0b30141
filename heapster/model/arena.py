"""One arena of the reference: regions as sequences of blocks, and a free list.

A free list is a list of (address, size), head first. Neighbours are neighbours in a sequence, and
totals are sums over it: there is no header, link or running total here that could be wrong.
"""

from collections.abc import Sequence
from itertools import groupby

from heapster.model.free_blocks import FreeBlocks, Settings, Witness
from heapster.model.geometry import (
    ALIGN,
    ARENA_EPOCH,
    CALLS,
    FORGIVEN,
    HEADER,
    LARGEST_CLASS,
    LEAST_PURGED,
    LONG_RUN,
    LONGER,
    MIN_BLOCK,
    MOST_PATIENCE,
    PAGE,
    REFUSED,
    growth_for,
    lead_before,
    most_idle,
    pages_within,
)
from heapster.model.heap import Arena, Idle, Ledger, Stack
from heapster.model.region import Piece, RegionState, _is_empty
from heapster.model.slots import ArenaSlots, RunState
from heapster.model.system import System


class ArenaState(FreeBlocks):
    """Regions, newest first, and the list of their free blocks; and runs of slots, where there are spans."""

    def __init__(self, index: int, settings: Settings, saw: Witness, slots: ArenaSlots) -> None:
        super().__init__(settings, saw)
        self.index, self.slots = index, slots
        self.regions: list[RegionState] = []
        self.top: RegionState | None = None     # the region that ends at the break
        self.brk = 0                            # the break as this arena last moved it
        self.calls = [0] * len(CALLS)
        self.remote: list[int] = []             # payloads that other threads freed, top last
        self.idle = Idle()

    def value(self) -> Arena:
        """The arena at rest."""
        _, _, slots, _, free_slots = self.slots.figures()
        used_blocks = sum([region.used_blocks for region in self.regions]) + slots
        ledger = Ledger(self.held(), self._used_bytes(), used_blocks, self._free_bytes(),
                        len(self.free) + free_slots, tuple(self.calls))
        forward, classes = self._lists()
        top = self.top.address if self.top else 0
        regions = tuple([region.value() for region in self.regions])
        return Arena(self.index, regions, forward, forward[::-1], self.cursor, top, self.brk, ledger,
                     Stack(len(self.remote), tuple(reversed(self.remote))), classes, self.idle)

    def _used_bytes(self) -> int:
        return sum([region.used_bytes for region in self.regions]) + self.slots.figures()[1]

    def size_of(self, address: int) -> int:
        """Bytes of the block at `address`."""
        region = self._region_of(address)
        return region.blocks[region.index(address)].size

    def usable(self, payload: int) -> int:
        """Bytes of the payload, which is of a used block or a slot."""
        slots = self.slots.of(payload)
        return slots.size if slots else self.size_of(payload - HEADER) - HEADER

    def bin_size(self, payload: int) -> int:
        """The size of the bin in which the used block or slot with that payload would wait, if there is one."""
        slots = self.slots.of(payload)
        return slots.size if slots else self.size_of(payload - HEADER) - LONGER * self._settings.spans

    def place(self, system: System, want: int, alignment: int) -> int:
        """Use `want` bytes of a free block for a payload so aligned; the block's address, or 0.

        A lead that alignment needs, and a rest that is large enough, become free blocks, in that order.
        """
        span = want if alignment <= ALIGN else want + alignment + ALIGN
        block = self._find(span) or self._grow(system, span) or self._find_further(span)
        if not block:
            return 0
        region = self._region_of(block)
        index = region.index(block)
        size = region.blocks[index].size
        self._unlink(block, size)
        lead = lead_before(block, alignment)
        if want >= LARGEST_CLASS:
            self._saw("a_block_of_the_last_class_was_used")
        pieces: list[Piece] = []
        if lead:
            self._saw("aligned_block_left_a_lead")
            self._link(block, lead)
            pieces.append((block, lead, False))
        region.replace(index, index + 1, *pieces, *self._split(block + lead, size - lead, want))
        return block + lead

    def carve(self, system: System, want: int, most: int) -> list[int]:
        """Use the front of a free block for up to `most` blocks of `want` bytes; their addresses, none if none fits.

        A further block is used only if what is left is nothing or a whole block.
        """
        block = self._find(want) or self._grow(system, want) or self._find_further(want)
        if not block:
            return []
        region = self._region_of(block)
        index = region.index(block)
        size = region.blocks[index].size
        self._unlink(block, size)
        cut, left = [block], size - want
        while len(cut) < most and (left == want or left >= want + MIN_BLOCK):
            cut.append(cut[-1] + want)
            left -= want
        if len(cut) > 1:
            self._saw("a_run_of_blocks_was_carved")
        if len(cut) >= LONG_RUN:
            self._saw("a_long_run_was_carved")
        pieces = [(address, want, True) for address in cut[:-1]]
        region.replace(index, index + 1, *pieces, *self._split(cut[-1], left + want, want))
        return cut

    def release(self, system: System, address: int) -> None:
        """The block at `address` becomes free; or the slot whose header would be there."""
        if slots := self.slots.of(address + HEADER):
            self._release_slots(system, slots, [address + HEADER])
            return
        region = self._region_of(address)
        index = region.index(address)
        self._note_release(system, region.blocks[index].size)
        self._settle(system, region, index)

    def release_all(self, system: System, addresses: Sequence[int]) -> None:
        """The blocks become free in turn; neighbours that follow each other as one block, slots of a run at once."""
        run = 0
        for slots, group in groupby(addresses, lambda address: self.slots.of(address + HEADER)):
            if slots:
                self._release_slots(system, slots, [address + HEADER for address in group])
                continue
            for address in group:
                run = self._gather(system, run, address)
        if run:
            self.release(system, run)

    def _gather(self, system: System, run: int, address: int) -> int:
        """What is to be released next: both as one block if they are neighbours, else the block; the run is released.

        There may be no run yet.
        """
        if not run:
            return address
        left, right = sorted((run, address))
        if self._region_of(left).join(left, right):
            self._saw("neighbours_were_released_at_once")
            return left
        self.release(system, run)
        return address

    def _release_slots(self, system: System, run: RunState, slots: Sequence[int]) -> None:
        """The run has these slots back, in turn: together they are as one block of their bytes."""
        if len(slots) > 1:
            self._saw("slots_of_a_run_came_back_at_once")
        self._note_release(system, run.size * len(slots))
        for slot in slots:
            self.slots.release(system, run, slot)

    def resize(self, system: System, address: int, want: int) -> bool:
        """Make the block at `address` `want` bytes without moving it, or leave it alone."""
        if self._fit(system, address, want):
            return True
        if self._free_bytes() >= want:
            return False
        missing = want - self._reach_at_the_top(address)
        if missing == want or not self._grow(system, missing) or not self._fit(system, address, want):
            return False
        self._saw("realloc_grew_into_the_top")
        return True

    def trim(self, system: System, pad: int) -> bool:
        """Give back what no used block lies in, but for `pad` bytes of the top. True if pages of blocks were taken."""
        for region in [region for region in self.regions if region.kind == "mmap" and _is_empty(region)]:
            self._drop(system, region)
        self._lower(system, pad)
        self.idle = self.idle._replace(peak=self._used_bytes(), patience=0, purged=False)
        return self._purge(system, PAGE) > 0

    def held(self) -> int:
        """Bytes got from the system, and those of its runs."""
        return self.held_in_regions() + self.slots.figures()[0]

    def held_in_regions(self) -> int:
        """Bytes got from the system for itself alone."""
        return sum([region.end - region.start for region in self.regions])

    def _free_bytes(self) -> int:
        return self._free_in_blocks() + self.slots.figures()[3]

    def _free_in_blocks(self) -> int:
        return sum([size for _, size in self.free])

    def _drop(self, system: System, region: RegionState) -> None:
        """Unmap a region with but a free block; if the system refuses, that becomes the first on the list."""
        block = region.blocks[0]
        self._unlink(block.address, block.size)
        if not self._unmap(system, region):
            self._link(block.address, block.size)

    def _lower(self, system: System, pad: int) -> None:
        """Give back the pages beyond `pad` bytes, and a block, of the top's free end."""
        if not self.top or self.top.blocks[-1].used or pad < 0:
            return
        index, block = len(self.top.blocks) - 1, self.top.blocks[-1]
        extra = (block.size - MIN_BLOCK - pad) & -PAGE
        if extra > 0:
            self._unlink(block.address, block.size)
            self._trim(system, self.top, index, extra)
            self._list(self.top, index)

    def _purge(self, system: System, least: int) -> int:
        """Purge whole pages in free blocks of at least `least` bytes, in list order; of how many any were taken."""
        taken = 0
        for address in self._lists()[0]:
            size = self.size_of(address)
            first, last = pages_within(address, size)
            if size >= least and first < last and system.purge(first, last - first) != REFUSED:
                self._saw("idle_pages_were_purged")
                taken += 1
        return taken

    def _note_release(self, system: System, size: int) -> None:
        """A block of so many bytes is about to become free; at an epoch's end idle pages may go."""
        used = self._used_bytes()
        peak, recent, turnover, patience, purged = self.idle
        turnover += 1 + size // PAGE
        self.idle = Idle(peak, max(recent, used), turnover, patience, purged)
        if turnover >= ARENA_EPOCH * 8 ** max(patience - FORGIVEN, 0):
            self._saw("an_epoch_of_an_arena_ended")
            self._end_epoch(system, used)

    def _end_epoch(self, system: System, used: int) -> None:
        """Purge what is idle if far more was used before; with more patience if what was purged is used again."""
        peak, recent, _, patience, purged = self.idle
        free = self._free_bytes()
        rose = recent - peak > most_idle(peak, free, self._settings.growth)
        if rose and purged:
            self._saw("an_arena_used_what_was_purged")
        patience = min(patience + (rose and purged), MOST_PATIENCE)
        purged = purged and not rose
        peak = max(peak, recent)
        if peak - recent > most_idle(recent, free, self._settings.growth):
            self._saw("an_arena_that_was_idle_was_purged")
            self._purge(system, LEAST_PURGED)
            peak, purged = used, True
        self.idle = Idle(peak, used, 0, patience, purged)

    def _region_of(self, address: int) -> RegionState:
        for region in self.regions:
            if region.start <= address < region.end:
                return region
        raise LookupError(f"{address:#x} is in no region of arena {self.index}")

    def _split(self, address: int, size: int, want: int) -> tuple[Piece, ...]:
        """A used block of `want` bytes and the rest, listed as free, if that is large enough."""
        if size - want < MIN_BLOCK:
            self._saw("split_left_no_remainder" if size == want else "split_left_too_little")
            return ((address, size, True),)
        self._link(address + want, size - want)
        return (address, want, True), (address + want, size - want, False)

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
        return self._add_region(self._new_region(start, start + length, "mmap"))

    def _grow_at_the_break(self, old: int, new: int) -> int:
        top, before = self.top, self.brk
        self.brk = new
        if top is None or old != before:
            if top is not None:
                self._saw("foreigner_moved_the_break")
            self.top = self._new_region(old, new, "sbrk")
            return self._add_region(self.top)
        fence = top.fence
        top.move_end(new)
        last = len(top.blocks)
        top.replace(last, last, (fence, top.fence - fence, False))
        return self._list(top, self._coalesce(top, last))

    def _add_region(self, region: RegionState) -> int:
        self.regions.insert(0, region)
        return self._list(region, 0)

    def _new_region(self, start: int, end: int, kind: str) -> RegionState:
        return RegionState(start, end, kind, self.index)

    def _list(self, region: RegionState, index: int) -> int:
        block = region.blocks[index]
        self._link(block.address, block.size)
        return block.address

    def _coalesce(self, region: RegionState, index: int) -> int:
        """Make the block free and one with its free neighbours, off the list; its new index."""
        blocks = region.blocks
        first, last = index, index + 1
        if last < len(blocks) and not blocks[last].used:
            self._unlink(blocks[last].address, blocks[last].size)
            last += 1
        if first > 0 and not blocks[first - 1].used:
            first -= 1
            self._unlink(blocks[first].address, blocks[first].size)
        joined = blocks[first:last]
        region.replace(first, last, (joined[0].address, sum([block.size for block in joined]), False))
        return first

    def _settle(self, system: System, region: RegionState, index: int) -> None:
        """The block becomes free: coalesced, given back as far as may be, and listed."""
        blocks = region.blocks
        before = len(blocks)
        left_free = index > 0 and not blocks[index - 1].used
        index = self._coalesce(region, index)
        self._saw(_NEIGHBOURS[before - len(blocks), left_free])
        at_the_top = region is self.top and index == len(blocks) - 1
        if at_the_top and blocks[index].size >= self._may_stay():
            self._trim(system, region, index, (blocks[index].size - self._settings.growth) & -PAGE)
        elif region.kind == "mmap" and len(blocks) == 1 and self._give_back(system, region):
            return
        self._list(region, index)

    def _trim(self, system: System, region: RegionState, index: int, extra: int) -> None:
        """Give the last `extra` bytes of the top back, if the break is still ours."""
        block = region.blocks[index]
        if system.sbrk(0) != self.brk:
            self._saw("foreigner_kept_the_top_from_being_trimmed")
            return
        answer = system.sbrk(-extra)
        if answer == self.brk:
            self._saw("top_was_trimmed")
            self.brk -= extra
            region.move_end(self.brk)
            region.replace(index, index + 1, (block.address, block.size - extra, False))
        elif answer != REFUSED:
            system.sbrk(extra)
        else:
            self._saw("sbrk_refused")

    def _give_back(self, system: System, region: RegionState) -> bool:
        """Unmap a region that is all free, if the arena has as many free bytes without it as may lie idle."""
        return self._free_bytes() >= self._may_stay() and self._unmap(system, region)

    def _may_stay(self) -> int:
        """How many bytes may lie idle beside what is used and listed now, or were used since pages were last purged."""
        used = self._used_bytes()
        lately = max(used, self.idle.peak, self.idle.recent)
        return most_idle(used, self._free_bytes(), self._settings.growth) + lately - used

    def _unmap(self, system: System, region: RegionState) -> bool:
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
        size = total = region.blocks[index].size
        if size == want:
            return True
        last = index + 1
        if last < len(region.blocks) and not region.blocks[last].used:
            total += region.blocks[last].size
            last += 1
        if total < want:
            return False
        if total > size:
            self._unlink(address + size, total - size)
        if total - want < MIN_BLOCK:
            region.replace(index, last, (address, total, True))
        else:
            region.replace(index, last, (address, want, True), (address + want, total - want, False))
            self._settle(system, region, index + 1)
        self._saw("realloc_grew_in_place" if want > size else "realloc_shrank_in_place")
        return True

    def _reach_at_the_top(self, address: int) -> int:
        """Bytes from the block to the fence of the top, if nothing used lies between; else 0."""
        region = self._region_of(address)
        index = region.index(address)
        right = region.blocks[index + 1:]
        if region is not self.top or len(right) > 1 or any(block.used for block in right):
            return 0
        return sum(block.size for block in region.blocks[index:])


_NEIGHBOURS = {
    (0, False): "no_neighbour_free_on_free",
    (1, False): "right_neighbour_free_on_free",
    (1, True): "left_neighbour_free_on_free",
    (2, True): "both_neighbours_free_on_free",
}
