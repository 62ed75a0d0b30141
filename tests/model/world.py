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
        start = self._next_mapping
        self._next_mapping += up(length, APART)
        return start

    def munmap(self, address: int, length: int) -> int:
        """Unmap."""
        self.asked.append(f"munmap({address:#x}, {length})")
        return REFUSED if "munmap" in self.refuses else 0

    def take(self) -> list[str]:
        """What was asked since last time."""
        asked, self.asked = self.asked, []
        return asked
