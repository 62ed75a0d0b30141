"""The reference for long traces: the same predictions, with free lists that are searched by size.

`Reference` keeps a free list as the list it is, so that it can be read and trusted; a search walks it. Here
each block has the number of its linking, and numbers are kept by size, so a search asks only which sizes
fit. The list itself is the numbers from the greatest down. Tests hold the two equal, step by step.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator
from itertools import chain, count

from heapster.model.arena import ArenaState
from heapster.model.free_blocks import Settings, Witness
from heapster.model.geometry import PROBES, class_of
from heapster.model.placement import NONE_FITS, POLICIES
from heapster.model.reference import Reference
from heapster.model.region import Piece, RegionState
from heapster.model.slots import ArenaSlots

WALKED = 12                     # blocks of the list that a search looks at one by one, before it asks by size
BY_SIZE = frozenset({"first_fit", "next_fit", "best_fit", "worst_fit"})     # policies that are searched by size
NEVER = 1 << 62                 # greater than any linking's number


class FreeList:
    """The free blocks of an arena, the last linked first."""

    def __init__(self) -> None:
        self.bytes = 0
        self._links: list[int] = []             # numbers of linkings, ascending
        self._addresses: list[int] = []         # of the blocks that were linked so
        self._sizes: list[int] = []             # that some block has, ascending
        self._of_size: dict[int, list[int]] = {}
        self._at: dict[int, tuple[int, int]] = {}       # by number: address and size
        self._link_of: dict[int, int] = {}      # by address
        self._of_class: dict[int, dict[int, int]] | None = None     # by class, once they were asked for: numbers,
                                                                    # ascending, and addresses
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._links)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return (self._at[link] for link in reversed(self._links))

    @property
    def largest(self) -> int:
        """Bytes of the largest block; 0 if there is none."""
        return self._sizes[-1] if self._sizes else 0

    def link(self, address: int, size: int) -> None:
        """Put a block first."""
        link = next(self._numbers)
        self._links.append(link)
        self._addresses.append(address)
        self._at[link] = address, size
        self._link_of[address] = link
        if self._of_class is not None:
            self._of_class.setdefault(class_of(size), {})[link] = address
        self.bytes += size
        if size in self._of_size:
            self._of_size[size].append(link)
        else:
            self._of_size[size] = [link]
            insort(self._sizes, size)

    def unlink(self, address: int) -> int:
        """Take a block off the list; the address of the one after it, or 0."""
        link = self._link_of.pop(address)
        _, size = self._at.pop(link)
        if self._of_class is not None:
            del self._of_class[class_of(size)][link]
        place = bisect_left(self._links, link)
        del self._links[place], self._addresses[place]
        self.bytes -= size
        same = self._of_size[size]
        if len(same) == 1:
            del self._of_size[size]
            del self._sizes[bisect_left(self._sizes, size)]
        else:
            del same[bisect_left(same, link)]
        return self._at[self._links[place - 1]][0] if place else 0

    def addresses(self) -> tuple[int, ...]:
        """The addresses, in order."""
        return tuple(self._addresses[::-1])

    def by_class(self) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
        """The addresses, class by class, and how many each class has that has any."""
        if self._of_class is None:
            self._of_class = {}
            for link in self._links:
                address, size = self._at[link]
                self._of_class.setdefault(class_of(size), {})[link] = address
        some = [(index, addresses) for index, addresses in sorted(self._of_class.items()) if addresses]
        listed: list[int] = []
        for _, addresses in some:
            listed += reversed(addresses.values())
        return tuple(listed), tuple([(index, len(addresses)) for index, addresses in some])

    def find(self, policy: str, want: int, cursor: int) -> tuple[int, int]:
        """The address that the policy chooses, 0 if none fits, and how many blocks a walk looks at."""
        if policy == "segregated_fit":
            return self._segregated_fit(want)
        if policy not in BY_SIZE:
            return self._as_listed(policy, want, cursor)
        fitting = bisect_left(self._sizes, want)
        if fitting == len(self._sizes):
            return 0, len(self)
        if policy in ("first_fit", "next_fit"):
            place = bisect_right(self._links, self._link_of[cursor]) if cursor and policy == "next_fit" else len(self)
            for looked, link in enumerate(self._links[max(0, place - WALKED):place][::-1], 1):
                if self._at[link][1] >= want:
                    return self._at[link][0], looked
        if policy == "first_fit":
            link = max([self._of_size[size][-1] for size in self._sizes[fitting:]])
            return self._at[link][0], self._down_to(link)
        if policy == "next_fit":
            return self._next_fit(fitting, self._link_of[cursor] if cursor else NEVER)
        size = self._sizes[fitting if policy == "best_fit" else -1]
        link = self._of_size[size][-1]
        exact = policy == "best_fit" and size == want
        return self._at[link][0], self._down_to(link) if exact else len(self)

    def _as_listed(self, policy: str, want: int, cursor: int) -> tuple[int, int]:
        """As the policy is written down; by one look at each block."""
        listed = tuple(self)
        chosen = POLICIES[policy](listed, want, cursor)
        return 0 if chosen == NONE_FITS else listed[chosen][0], len(listed)

    def _segregated_fit(self, want: int) -> tuple[int, int]:
        own = class_of(want)
        sizes, first, after = self._sizes, *self._class(own)
        same = sorted(chain(*[self._of_size[size] for size in sizes[first:after]]), reverse=True)
        fitting = next((place for place, link in enumerate(same) if self._at[link][1] >= want), len(same))
        probed = min(PROBES, len(same))
        if fitting < probed:
            return self._at[same[fitting]][0], fitting + 1
        if after < len(sizes):
            first, after = self._class(class_of(sizes[after]))
            return self._at[max([self._of_size[size][-1] for size in sizes[first:after]])][0], probed + 1
        return 0, probed

    def _class(self, index: int) -> tuple[int, int]:
        """From where to where the sizes of a class are."""
        return bisect_left(self._sizes, index, key=class_of), bisect_right(self._sizes, index, key=class_of)

    def _next_fit(self, fitting: int, start: int) -> tuple[int, int]:
        best = after = 0                        # the greatest number up to `start`, and of all
        for size in self._sizes[fitting:]:
            links = self._of_size[size]
            after = max(after, links[-1])
            place = bisect_right(links, start)
            if place and links[place - 1] > best:
                best = links[place - 1]
        before = len(self) - bisect_right(self._links, start)       # blocks that the walk begins behind
        looked = self._down_to(best) - before if best else len(self) - before + self._down_to(after)
        return self._at[best or after][0], looked

    def _down_to(self, link: int) -> int:
        """Blocks from the first to this one."""
        return len(self._links) - bisect_left(self._links, link)


class QuickArena(ArenaState):
    """An arena with such a list, that counts what it does."""

    free: FreeList              # type: ignore[assignment]  # as long, and in the same order

    def __init__(self, index: int, settings: Settings, saw: Witness, slots: ArenaSlots, counts: "RunCounts") -> None:
        super().__init__(index, settings, saw, slots)
        self.free = FreeList()
        self._counts = counts

    def _link(self, address: int, size: int) -> None:
        self.free.link(address, size)

    def _unlink(self, address: int, size: int) -> None:
        after = self.free.unlink(address)
        if self.cursor == address:
            self.cursor = after

    def _unite(self) -> None:
        listed, self.free = sorted(self.free, key=lambda entry: class_of(entry[1])), FreeList()
        for entry in reversed(listed):
            self.free.link(*entry)

    def _lists(self) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...] | None]:
        return self.free.by_class() if self.segregated else (self.free.addresses(), None)

    def _find(self, want: int) -> int:
        self._arrange()
        policy = self._settings.policy
        found, looked = self.free.find(policy, want, self.cursor)
        self._counts.note_search(looked)
        if found and policy == "next_fit":
            self.cursor = found
        return found

    def _split(self, address: int, size: int, want: int) -> tuple[Piece, ...]:
        pieces = super()._split(address, size, want)
        self._counts.splits += len(pieces) - 1
        return pieces

    def _coalesce(self, region: RegionState, index: int) -> int:
        before = len(region.blocks)
        index = super()._coalesce(region, index)
        self._counts.coalesces += before - len(region.blocks)
        return index

    def _free_in_blocks(self) -> int:
        return self.free.bytes


class RunCounts:
    """Counts of a run so far."""

    __slots__ = ("coalesces", "looked", "made", "searches", "splits")

    def __init__(self) -> None:
        self.splits = self.coalesces = 0
        self.made = self.looked = 0                 # searches, and blocks that they looked at
        self.searches: Counter[int] = Counter()     # by blocks looked at

    def note_search(self, looked: int) -> None:
        """A search looked at so many blocks."""
        self.made += 1
        self.looked += looked
        self.searches[looked] += 1


class Quick(Reference):
    """The whole allocator's state, as `Reference` has it."""

    def __init__(self, policy: str = "first_fit", *, spans: bool = False) -> None:
        super().__init__(spans=spans)
        self.counts = RunCounts()
        self._settings.policy = policy

    @property
    def free_bytes(self) -> int:
        """In the free blocks of all arenas, in slots that are not out, and in mappings that are kept."""
        slots = sum([arena.slots.figures()[3] for arena in self._quick()]) if self._pool.base else 0
        return sum([arena.free.bytes for arena in self._quick()]) + slots + self._mappings.ledger().free_bytes

    @property
    def idle(self) -> int:
        """Bytes that are reserved for runs, but for those of runs with pages."""
        return self._pool.idle

    @property
    def free_blocks(self) -> int:
        """Of all arenas."""
        return sum([len(arena.free) for arena in self._quick()])

    @property
    def largest_free(self) -> int:
        """Bytes of the largest free block, or of the largest mapping that is kept."""
        kept = [piece.length for piece in self._mappings.kept]
        return max([*[arena.free.largest for arena in self._quick()], *kept], default=0)

    def _quick(self) -> list[QuickArena]:
        return list(self._arenas.in_order())      # type: ignore[arg-type]  # _new_arena makes no others

    def _new_arena(self, index: int) -> QuickArena:
        return QuickArena(index, self._settings, self._saw, self._new_slots(), self.counts)
