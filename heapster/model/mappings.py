"""The blocks of the reference that have a mapping of their own, newest first."""

from collections.abc import Callable

from heapster.model.geometry import CALLS, HEADER, MAPPED_LEAD, PAGE, REFUSED, mapping_length, up
from heapster.model.heap import Ledger, Mapped
from heapster.model.system import System


class MappedState:
    """A block that is live, or that the system did not take back."""

    def __init__(self, start: int, length: int, payload: int) -> None:
        self.start, self.length, self.payload, self.used = start, length, payload, True

    @property
    def usable(self) -> int:
        """Bytes from the payload to the mapping's end."""
        return self.start + self.length - self.payload


class Mappings:
    """All of them, and the count of calls that made and freed them."""

    def __init__(self, saw: Callable[[str], None]) -> None:
        self.blocks: list[MappedState] = []
        self.calls = [0] * len(CALLS)
        self._saw = saw

    def map(self, system: System, request: int, alignment: int) -> MappedState | None:
        """A new block with a mapping of its own, or None if the system refuses."""
        length = mapping_length(request, alignment)
        start = system.mmap(length)
        if start == REFUSED:
            self._saw("mmap_refused")
            return None
        self._saw("large_block_mapped")
        block = MappedState(start, length, up(start + MAPPED_LEAD + HEADER, alignment))
        self.blocks.insert(0, block)
        return block

    def release(self, system: System, block: MappedState) -> None:
        """The block goes back to the system, or stays as not used."""
        if system.munmap(block.start, block.length) == REFUSED:
            self._saw("munmap_refused")
            block.used = False
        else:
            self._saw("large_block_returned")
            self.blocks.remove(block)

    def shrink(self, system: System, block: MappedState, request: int) -> bool:
        """True if the request fits the mapping; pages behind it go back, unless that is refused."""
        length = up(block.payload + request - block.start, PAGE)
        if length > block.length:
            return False
        if length < block.length:
            if system.munmap(block.start + length, block.length - length) == REFUSED:
                self._saw("munmap_refused")
            else:
                self._saw("large_block_shrank")
                block.length = length
        return True

    def clear(self) -> None:
        """Nothing is mapped any more, and no call counted."""
        self.blocks.clear()
        self.calls = [0] * len(CALLS)

    def value(self) -> tuple[Mapped, ...]:
        """What they look like at rest."""
        return tuple([Mapped(block.payload - HEADER, block.start, block.length, block.used)
                      for block in self.blocks])

    def ledger(self) -> Ledger:
        """Their totals; what the system did not take back counts as free."""
        used = [block.length for block in self.blocks if block.used]
        free = [block.length for block in self.blocks if not block.used]
        return Ledger(sum(used) + sum(free), sum(used), len(used), sum(free), len(free), tuple(self.calls))
