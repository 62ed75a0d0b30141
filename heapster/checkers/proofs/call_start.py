"""What a call starts from, and what is known of it: words are read by the layout alone, before it is made."""

from collections.abc import Callable
from typing import Any, NamedTuple

from heapster.checkers.lockstep.calls import SHIPPED
from heapster.impl import layout
from heapster.impl.bins import grown_limit
from heapster.impl.classes import class_of
from heapster.model.operation import Step

NOT_LOST = "the arena is not lost"
NOT_MARKED = "a block that is freed does not look as if it waited"
SHORT_LIST = "the remote list of a block that goes home is not too long"


class Reach(NamedTuple):
    """Of one step: the theorem whose class it starts in, or the clause that no class does without."""

    theorem: str
    missing: str = ""


class CallStart:
    """What a call starts from."""

    def __init__(self, m: Any, step: Step, pointer: int, source: Any = SHIPPED) -> None:
        self._words: Callable[[int], int | None] = m.peek
        self.statics, self.thread, self.step, self.pointer = m.statics(), m.thread(), step, pointer
        self.calls, self.longer = source.malloc, source.malloc.LONGER

    def word(self, address: int) -> int:
        """The word there; 0 where none was written."""
        return self._words(address) or 0

    def setting(self, place: int, default: int = 0) -> int:
        """A word of the statics."""
        return self.word(self.statics + place) or default

    def mine(self, place: int) -> int:
        """A word of the thread's."""
        return self.word(self.thread + place)

    @property
    def threshold(self) -> int:
        """Requests of at least so many bytes are mapped."""
        return self.setting(layout.THRESHOLD, layout.DEFAULT_THRESHOLD)

    def bin(self, total: int) -> tuple[int, int]:
        """The words of the thread's bin for a size that is the least of a class: its stack and its limit."""
        place = layout.BINS + (class_of(total) << layout.BIN_SHIFT)
        return self.mine(place), self.mine(place + layout.LIMIT)

    def looks_marked(self, p: int) -> bool:
        """Whether the mark beside a payload agrees with its link and its place."""
        return self.word(p) + self.word(p + layout.MARK) + p == self.setting(layout.KEY)

    def grown(self, total: int, enough: int) -> int:
        """The limit that the bin for a size gets when it has no room, or no block."""
        _, limit = self.bin(total)
        most = 0 if self.mine(layout.ENDED) else self.setting(layout.CACHE_BYTES)
        return int(grown_limit(limit >> layout.COUNT_SHIFT, total, most, enough))

    def caches_nothing(self) -> bool:
        """Whether the thread has no cache, and is to have none."""
        return not self.mine(layout.REGISTERED) and not self.setting(layout.CACHE_BYTES)

    def is_lost(self, arena: int) -> bool:
        """Whether a child of a fork lost the arena."""
        return bool(self.word(arena + layout.HEAD) & layout.LOST)

    def owner(self, index: int) -> int:
        """The arena of that index."""
        return int(self.statics) + layout.ARENAS + (index << layout.ARENA_SHIFT)

    def index(self, arena: int) -> int:
        """The index of an arena."""
        return arena - self.owner(0) >> layout.ARENA_SHIFT

    def goes_home(self, arena: int, limit: int) -> bool:
        """Whether a block of that arena is sent there by a bin with that limit, which grows."""
        return limit == 0 and arena != self.mine(layout.MY_ARENA)

    def has_room_for_more(self, arena: int) -> bool:
        """Whether the arena's remote list takes a block more at once."""
        return self.word(arena + layout.REMOTE) >> layout.COUNT_SHIFT < layout.MOST_REMOTE
