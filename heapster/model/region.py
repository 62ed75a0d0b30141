"""A region of the reference: memory got from the system in one piece, as a sequence of blocks."""

from bisect import bisect_left

from heapster.model.geometry import FIRST_BLOCK, fence_before, region_at
from heapster.model.heap import Block, Region

Piece = tuple[int, int, bool]      # a block's address, its size, and whether it is used


class RegionState:
    """Memory got from the system in one piece, cut into blocks in address order."""

    def __init__(self, start: int, end: int, kind: str, owner: int) -> None:
        self.address, self.start, self.end, self.kind = region_at(start), start, end, kind
        self.fence = fence_before(end)
        self.blocks: list[Block] = []
        self.owner = owner
        self._value: Region | None = None
        self.used_bytes = self.used_blocks = 0
        first = self.address + FIRST_BLOCK
        self.replace(0, 0, (first, self.fence - first, False))

    def index(self, address: int) -> int:
        """Where in the sequence the block at `address` is."""
        return bisect_left(self.blocks, (address,))

    def replace(self, first: int, last: int, *pieces: Piece) -> None:
        """Put `pieces` in the place of the blocks first..last-1."""
        blocks, owner = self.blocks, self.owner
        left_used = first == 0 or blocks[first - 1].used
        for block in blocks[first:last]:
            if block.used:
                self.used_bytes -= block.size
                self.used_blocks -= 1
        fresh = []
        for address, size, used in pieces:
            fresh.append(Block(address, size, used, left_used, owner, None if used else size))
            left_used = used
            if used:
                self.used_bytes += size
                self.used_blocks += 1
        blocks[first:last] = fresh
        after = first + len(fresh)
        if after < len(blocks) and blocks[after].prev_used != left_used:
            address, size, used, _, _, footer = blocks[after]
            blocks[after] = Block(address, size, used, left_used, owner, footer)
        self._value = None

    def join(self, left: int, right: int) -> bool:
        """Whether the used block at `left` ends at `right`; then it is one with the used block there."""
        index = self.index(left)
        size = self.blocks[index].size
        if left + size != right:
            return False
        self.replace(index, index + 2, (left, size + self.blocks[index + 1].size, True))
        return True

    def move_end(self, end: int) -> None:
        """The system gave more, or took some back; the last block is not yet told."""
        self.end, self.fence = end, fence_before(end)
        self._value = None

    def value(self) -> Region:
        """The region at rest."""
        if self._value is None:
            fence = Block(self.fence, 0, True, self.blocks[-1].used, self.owner, None)
            self._value = Region(self.address, self.start, self.end, self.kind, tuple(self.blocks), fence, self.address)
        return self._value


def _is_empty(region: RegionState) -> bool:
    return len(region.blocks) == 1 and not region.blocks[0].used
