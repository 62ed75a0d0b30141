"""A system for tests of the reference alone: it answers by itself, and remembers what was asked."""

from heapster.model.geometry import REFUSED, up
from heapster.model.system import System

BREAK = 0x10000
MAPPINGS = 0x7F0000000000
APART = 1 << 20


class World(System):
    """An endless break and endless mappings; refuses a call whose name is in `refuses`."""

    def __init__(self, brk: int = BREAK) -> None:
        super().__init__()
        self.brk = brk
        self.refuses: set[str] = set()
        self.asked: list[str] = []          # since `forget`
        self._next_mapping = MAPPINGS
        self._lengths: dict[int, int] = {}  # of mappings, by their starts

    def sbrk(self, delta: int) -> int:
        """Move the break."""
        self.asked.append(f"sbrk({delta})")
        if "sbrk" in self.refuses and delta:
            return REFUSED
        self.brk += delta
        return self.brk - delta

    def mmap(self, length: int) -> int:
        """Map away from everything else."""
        self.asked.append(f"mmap({length})")
        if "mmap" in self.refuses:
            return REFUSED
        return self._map(length)

    def _map(self, length: int) -> int:
        start = self._next_mapping
        self._next_mapping += up(length, APART)
        self._lengths[start] = length
        return start

    def munmap(self, address: int, length: int) -> int:
        """Unmap."""
        self.asked.append(f"munmap({address:#x}, {length})")
        return REFUSED if "munmap" in self.refuses else 0

    def remap(self, address: int, length: int, longer: int) -> int:
        """Extend where it is what is a whole mapping; move others away from everything else."""
        self.asked.append(f"remap({address:#x}, {length}, {longer})")
        if "remap" in self.refuses:
            return REFUSED
        if self._lengths.get(address) == length and longer <= APART:
            self._lengths[address] = longer
            return address
        return self._map(longer)

    def purge(self, address: int, length: int) -> int:
        """Purge."""
        self.asked.append(f"purge({address:#x}, {length})")
        return REFUSED if "purge" in self.refuses else 0

    def take(self) -> list[str]:
        """What was asked since last time."""
        asked, self.asked = self.asked, []
        return asked
