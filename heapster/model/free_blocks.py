"""The free blocks of one arena of the reference, (address, size) each, as they are listed; and what a policy finds."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from heapster.model.geometry import DEFAULT_ARENAS, DEFAULT_GROWTH, DEFAULT_THRESHOLD, LARGEST_CLASS, class_of
from heapster.model.placement import NONE_FITS, POLICIES, first_fit

Witness = Callable[[str], None]


@dataclass
class Settings:
    """The values of the allocator's setters; and whether it is built with spans."""

    policy: str = "first_fit"
    threshold: int = DEFAULT_THRESHOLD
    growth: int = DEFAULT_GROWTH
    arena_limit: int = DEFAULT_ARENAS
    cache: int = 0
    spans: bool = False


class FreeBlocks:
    """A free list, head first; where lists are by class of sizes, all of them as one."""

    def __init__(self, settings: Settings, saw: Witness) -> None:
        self._settings, self._saw = settings, saw
        self.free: list[tuple[int, int]] = []
        self.cursor = 0                         # where next fit resumes: a block on the list, or 0
        self.segregated = False                 # there is a list for each class of sizes: its part of `free`

    def _lists(self) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...] | None]:
        """The addresses of the free blocks as they are listed, and how many of them each class of a list has."""
        if not self.segregated:
            return tuple([address for address, _ in self.free]), None
        listed = sorted(self.free, key=_class)
        counts = [(index, len(list(run))) for index, run in groupby(listed, _class)]
        return tuple([address for address, _ in listed]), tuple(counts)

    def _link(self, address: int, size: int) -> None:
        self.free.insert(0, (address, size))

    def _unlink(self, address: int, size: int) -> None:
        index = self.free.index((address, size))
        if self.cursor == address:
            self.cursor = self.free[index + 1][0] if index + 1 < len(self.free) else 0
            self._saw("cursor_left_its_block")
        del self.free[index]

    def _arrange(self) -> None:
        """Segregate the free blocks, or put them on one list again, class by class."""
        if self.segregated != (self._settings.policy == "segregated_fit"):
            if self.segregated:
                self._unite()
            if self.free:
                self._saw("free_blocks_changed_their_lists")
            if any(size >= LARGEST_CLASS for _, size in self.free):
                self._saw("a_block_of_the_last_class_changed_its_list")
            self.segregated = not self.segregated
            self.cursor = 0

    def _unite(self) -> None:
        """Put the free blocks on one list, class by class."""
        self.free.sort(key=_class)

    def _find(self, want: int) -> int:
        """The block that the policy chooses, or 0."""
        self._arrange()
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

    def _find_further(self, want: int) -> int:
        """The first free block that fits, where memory is out and the policy gave up; or 0."""
        return next((address for address, size in self.free if size >= want), 0)


def _class(entry: tuple[int, int]) -> int:
    return class_of(entry[1])
