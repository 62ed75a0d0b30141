"""The blocks of the reference that have a mapping of their own, and the freed mappings that are kept; newest first.

A freed mapping is joined with the kept ones beside it. A new block takes the smallest that is large enough, and
leaves the rest if that is much; else the largest is stretched, if that has half. As much is kept as brings what is
held to a quarter more than was used lately. What the system does not take back is purged and set aside.
"""

from collections.abc import Callable
from typing import NamedTuple

from heapster.model.geometry import (
    CALLS,
    EPOCH,
    HEADER,
    MAPPED_LEAD,
    MAX_RETAINED,
    PAGE,
    PROBES,
    REFUSED,
    SPARE_SHIFT,
    mapping_length,
    retained_capacity,
    up,
)
from heapster.model.heap import AGED, NEW, PURGED, UNTAKEN, Lately, Ledger, Mapped
from heapster.model.system import System


class MappedState:
    """A block that is live."""

    def __init__(self, start: int, length: int, alignment: int) -> None:
        self.start, self.length = start, length
        self.payload = up(start + MAPPED_LEAD + HEADER, alignment)

    @property
    def end(self) -> int:
        """Where its mapping ends."""
        return self.start + self.length

    @property
    def usable(self) -> int:
        """Bytes from the payload to the mapping's end."""
        return self.end - self.payload


class RetainedPiece(NamedTuple):
    """A kept mapping."""

    start: int
    end: int
    mark: int = NEW

    @property
    def length(self) -> int:
        """Its bytes."""
        return self.end - self.start


class Mappings:
    """All of them, and the count of calls that made and freed them."""

    def __init__(self, saw: Callable[[str], None]) -> None:
        self.blocks: list[MappedState] = []
        self.kept: list[RetainedPiece] = []
        self.aside: list[RetainedPiece] = []    # what the system did not take back
        self.keep = 0                   # bytes that may be kept
        self.lately = Lately()
        self.calls = [0] * len(CALLS)
        self._saw = saw

    def map(self, system: System, request: int, alignment: int) -> MappedState | None:
        """A new block with pages of its own, or None if nothing kept is large enough and the system refuses."""
        length = mapping_length(request, alignment)
        fitting = [piece for piece in self.kept if piece.length >= length] or self._reclaim(length)
        if fitting:
            found = min(fitting, key=lambda piece: piece.length)
            spare = found.length - length
            length = self._cut(found, found.length if spare <= length >> SPARE_SHIFT else length)
            start = found.start
            self._saw("a_kept_mapping_was_used_again")
        else:
            start = self._stretch(system, length)
            if start == REFUSED:
                start = system.mmap(length)
                if start == REFUSED:
                    self._saw("mmap_refused")
                    return None
                self._saw("large_block_mapped")
        block = MappedState(start, length, alignment)
        self.blocks.insert(0, block)
        self._step(system)
        return block

    def _stretch(self, system: System, length: int) -> int:
        """Where the largest kept piece, if it has half of that length, lies when it has all; REFUSED for nowhere."""
        piece = max(self.kept, key=lambda piece: piece.length, default=None)
        if piece is None or 2 * piece.length < length:
            return REFUSED
        start = system.remap(piece.start, piece.length, length)
        if start == REFUSED:
            self._saw("a_kept_mapping_could_not_be_stretched")
        else:
            self.kept.remove(piece)
            self._saw("a_kept_mapping_was_stretched")
        return start

    def _reclaim(self, length: int) -> list[RetainedPiece]:
        """The first of the newest few set aside that is large enough, kept again; none if none is."""
        for piece in self.aside[:PROBES]:
            if piece.length >= length:
                self.aside.remove(piece)
                self._keep(piece.start, piece.end)
                self._saw("a_mapping_that_was_set_aside_was_used_again")
                return self.kept[:1]
        return []

    def _cut(self, piece: RetainedPiece, length: int) -> int:
        """That many bytes of the front of a kept mapping are kept no longer, but the rest; answers length."""
        self.kept.remove(piece)
        if length < piece.length:
            self.kept.insert(0, RetainedPiece(piece.start + length, piece.end))
            self._saw("a_kept_mapping_was_cut")
        return length

    def release(self, system: System, block: MappedState) -> None:
        """The block's mapping is kept, or goes back to the system."""
        self.blocks.remove(block)
        self._keep(block.start, block.end)
        self._step(system)

    def _keep(self, start: int, end: int) -> None:
        beside = [piece for piece in self.kept if piece.end == start or piece.start == end]
        if beside:
            self._saw("kept_mappings_were_joined")
        for piece in beside:
            self.kept.remove(piece)
            start, end = min(start, piece.start), max(end, piece.end)
        self.kept.insert(0, RetainedPiece(start, end))

    def resize(self, system: System, block: MappedState, request: int) -> bool:
        """True if the request fits the mapping, or what is kept after it, or the system, makes it fit."""
        length = up(block.payload + request - block.start, PAGE)
        if length > block.length:
            if not self._grow(system, block, length):
                return False
        elif length < block.length:
            end, block.length = block.end, length
            self._keep(block.end, end)
            self._saw("large_block_shrank")
        self._step(system)
        return True

    def _grow(self, system: System, block: MappedState, length: int) -> bool:
        """True if the block's mapping could be made longer."""
        more = length - block.length
        after = [piece for piece in self.kept if piece.start == block.end and piece.length >= more]
        if after:
            self._cut(after[0], more)
            block.length = length
            self._saw("large_block_grew_into_what_was_kept")
            return True
        start = system.remap(block.start, block.length, length)
        if start == REFUSED:
            self._saw("remap_refused")
            return False
        self._saw("large_block_grew_where_it_was" if start == block.start else "large_block_was_moved_by_the_system")
        block.start, block.length, block.payload = start, length, block.payload + start - block.start
        return True

    def set_keep(self, system: System, keep: int) -> None:
        """That many bytes may be kept; what is too much goes back."""
        self.keep = keep
        self._trim(system)

    def release_retained(self, system: System) -> bool:
        """Memory is out: all that is kept is offered, and some of what was set aside. True if any was taken."""
        taken = False
        while self.kept:
            if self._release_oldest(system):
                self._saw("what_was_kept_went_back_when_memory_was_out")
                taken = True
        return self._offer_again(system, MAX_RETAINED) or taken

    def _offer_again(self, system: System, most: int) -> bool:
        """So many that were set aside are offered, the oldest first, until one is refused. True if any was taken."""
        count = len(self.aside)
        while self.aside and count - len(self.aside) < most:
            oldest = self.aside.pop()
            if system.munmap(oldest.start, oldest.length) == REFUSED:
                self.aside.insert(0, oldest)
                break
            self._saw("a_mapping_that_was_set_aside_was_taken")
        return len(self.aside) < count

    def _used(self) -> int:
        return sum([block.length for block in self.blocks])

    def _free(self) -> int:
        return sum([piece.length for piece in self.kept])

    def _step(self, system: System) -> None:
        """Note the bytes used, and release what is retained too much."""
        used, (now, before, steps) = self._used(), self.lately
        now = max(now, used)
        if steps + 1 < EPOCH:
            self.lately = Lately(now, before, steps + 1)
        else:
            self.lately = Lately(used, now, 0)
            self._saw("an_epoch_of_mappings_ended")
            self.kept = [self._aged(system, piece) for piece in self.kept]
            self._offer_again(system, MAX_RETAINED)
        self._trim(system)

    def _aged(self, system: System, piece: RetainedPiece) -> RetainedPiece:
        """A kept mapping when an epoch has ended; one kept all through it is purged but for its first page."""
        if piece.mark == AGED and piece.length > PAGE:
            system.purge(piece.start + PAGE, piece.length - PAGE)
            self._saw("a_kept_mapping_was_purged")
        return piece._replace(mark={NEW: AGED, AGED: PURGED}.get(piece.mark, piece.mark))

    def _trim(self, system: System) -> None:
        """The oldest go back until no more is kept than may be; if any was taken, one set aside is offered too."""
        most, taken = retained_capacity(self.keep, self.lately.most, self._used()), False
        while self._free() > most or len(self.kept) > MAX_RETAINED:
            self._saw("too_many_mappings_were_kept" if self._free() <= most else "large_block_returned")
            taken = self._release_oldest(system) or taken
        if taken:
            self._offer_again(system, 1)

    def _release_oldest(self, system: System) -> bool:
        """True if the oldest was taken; else it is set aside, purged but for its first page."""
        oldest = self.kept.pop()
        if system.munmap(oldest.start, oldest.length) != REFUSED:
            return True
        self._saw("munmap_refused")
        if oldest.mark != PURGED and oldest.length > PAGE:
            system.purge(oldest.start + PAGE, oldest.length - PAGE)
        self.aside.insert(0, oldest._replace(mark=UNTAKEN))
        return False

    def extents(self) -> list[tuple[int, int]]:
        """[start, end) of all, in the order in which finalize gives them back."""
        return [(block.start, block.end) for block in self.blocks] + [
            piece[:2] for piece in (*self.kept, *self.aside)]

    def clear(self) -> None:
        """Nothing is mapped any more, and no call counted."""
        self.blocks.clear()
        self.kept.clear()
        self.aside.clear()
        self.lately = Lately()
        self.calls = [0] * len(CALLS)

    def value(self) -> tuple[Mapped, ...]:
        """The mappings at rest."""
        used = [Mapped(block.payload - HEADER, block.start, block.length, True) for block in self.blocks]
        kept = [Mapped(piece.start, piece.start, piece.length, False, piece.mark)
                for piece in (*self.kept, *self.aside)]
        return (*used, *kept)

    def backward(self) -> tuple[int, ...]:
        """Their addresses along the prev links, from the tail of each list."""
        used, kept, aside = reversed(self.blocks), reversed(self.kept), reversed(self.aside)
        return (*[block.payload - HEADER for block in used], *[piece.start for piece in kept],
                *[piece.start for piece in aside])

    def ledger(self) -> Ledger:
        """Their totals; what is kept counts as free, what was set aside is only held."""
        used, free, aside = self._used(), self._free(), sum([piece.length for piece in self.aside])
        return Ledger(used + free + aside, used, len(self.blocks), free, len(self.kept), tuple(self.calls))
