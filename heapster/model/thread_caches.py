"""The caches of all threads, in the reference: blocks are kept, used again, flushed, and sent to their owners."""

from collections.abc import Callable, Iterator

from heapster.model.arena import ArenaState
from heapster.model.arenas import Arenas
from heapster.model.caches import CacheState
from heapster.model.free_blocks import Settings
from heapster.model.geometry import HEADER, MIN_BLOCK, MOST_CACHED, MOST_REMOTE, MOST_SENT, SMALL_BIN, least_of_class
from heapster.model.heap import Cache
from heapster.model.system import System


class ThreadCaches:
    """The caches of all threads of these arenas."""

    def __init__(self, arenas: Arenas, settings: Settings, saw: Callable[[str], None]) -> None:
        self.caching: list[int] = []                    # threads that have caches, newest first
        self._arenas, self._settings, self._saw = arenas, settings, saw
        self._caches: dict[int, CacheState] = {}        # by thread
        self.kept: dict[int, ArenaState] = {}          # whose the blocks are that wait to be used again, by payload

    def of(self, thread: int) -> CacheState:
        """A thread's."""
        return self._caches.setdefault(thread, CacheState())

    def mine(self) -> CacheState:
        """The calling thread's."""
        return self.of(self._arenas.thread)

    def has_mine(self) -> bool:
        """Whether the calling thread has one that is listed."""
        return self._arenas.thread in self.caching

    def mine_at_rest(self) -> Cache:
        """The calling thread's, which is listed, as a value."""
        return self.mine().value(self._arenas.of_thread[self._arenas.thread])

    def values(self) -> tuple[Cache, ...]:
        """The caches at rest."""
        return tuple([self.of(thread).value(self._arenas.of_thread[thread]) for thread in self.caching])

    def pop(self, size: int) -> tuple[int, ArenaState]:
        """The payload of that size that the thread kept last, and its owner; it keeps at least one."""
        payload = self.mine().bin(size).pop()
        return payload, self.kept.pop(payload)

    def push(self, size: int, payload: int, owner: ArenaState) -> None:
        """The thread keeps the block."""
        self.mine().bin(size).append(payload)
        self.kept[payload] = owner

    def keeps(self, system: System, payload: int, owner: ArenaState) -> bool:
        """Whether the thread keeps the block that it frees."""
        if not self._settings.cache and not self.has_mine():
            return False
        size = owner.bin_size(payload)
        if not MIN_BLOCK <= size <= MOST_CACHED or size != least_of_class(size):
            return False
        cache = self.mine()
        had_room = cache.limit(size) > 0
        if len(cache.bin(size)) >= cache.limit(size):
            limit = self.grow(size, SMALL_BIN)
            if cache.bin(size) and len(cache.bin(size)) >= limit:
                self._saw("a_full_bin_was_flushed")
                self._flush(system, cache, size, limit - cache.batch_size(size))
                if limit:
                    cache.overflowed.add(size)
            if limit == 0:
                return False
        self.push(size, payload, owner)
        if not had_room and owner.index != self._arenas.attach():
            self._saw("a_first_block_went_home")
            self._send(system, owner, [cache.bin(size).pop()])
        return True

    def grow(self, size: int, enough: int) -> int:
        """Let the thread keep more blocks of that size, up to `enough` bytes if it may; how many it may."""
        cache = self.mine()
        limit = cache.grow_limit(size, 0 if cache.ended else self._settings.cache, enough)
        if limit and not self.has_mine():
            self._arenas.attach()
            self.caching.insert(0, self._arenas.thread)
        return limit

    def flush_mine(self, system: System) -> None:
        """The calling thread gives all back that it keeps, if it has a cache."""
        if self.has_mine():
            for size in sorted(self.mine().bins):
                self._flush(system, self.mine(), size, 0)

    def end(self, system: System) -> None:
        """The calling thread ends, and another begins under its number."""
        if self.has_mine():
            self.mine().ended = True
            self.flush_mine(system)
            self._inherit_calls(self._arenas.attach(), self.mine())
            self.caching.remove(self._arenas.thread)
            self._saw("a_thread_gave_its_cache_back")
        self._caches.pop(self._arenas.thread, None)

    def fork(self, system: System, arenas: dict[int, int]) -> None:
        """Only the calling thread is left, of these indices were the others' arenas: what these kept is given back."""
        mine = self._arenas.thread
        for thread in self.caching:
            if thread == mine:
                continue
            for size in sorted(self._caches[thread].bins):
                if self._caches[thread].bin(size):
                    self._flush(system, self._caches[thread], size, 0)
                    self._saw("a_fork_gave_back_what_another_thread_kept")
            self._inherit_calls(arenas[thread], self._caches[thread])
        self.caching = [thread for thread in self.caching if thread == mine]
        self._caches = {thread: cache for thread, cache in self._caches.items() if thread == mine}

    def clear(self) -> None:
        """Nobody keeps anything."""
        for cache in self._caches.values():
            if not cache.ended:
                cache.clear()
        self.kept.clear()

    def collect_remote(self, system: System, arena: ArenaState) -> None:
        """Blocks of the thread's arena that others freed go where it keeps some of their size and may keep more."""
        cache = self.mine()
        for payload in self._drained(arena):
            size = arena.bin_size(payload)
            if len(cache.bin(size)) < cache.limit(size):
                self._saw("a_drained_block_was_kept")
                cache.bin(size).append(payload)
            else:
                self.kept.pop(payload).release(system, payload - HEADER)

    def drain(self, system: System, arena: ArenaState) -> None:
        """The blocks of the remote list become free, the last to come first."""
        self._release_all(system, list(self._drained(arena)))

    def _inherit_calls(self, index: int, cache: CacheState) -> None:
        """The arena counts the calls that the cache, which is no more, served."""
        arena = self._arenas.open(index)
        arena.calls = [sum(pair) for pair in zip(arena.calls, cache.calls, strict=True)]

    def _flush(self, system: System, cache: CacheState, size: int, most: int) -> None:
        """Give blocks back until the cache keeps at most `most` of that size: its own arena's last come first."""
        kept = cache.bin(size)
        mine: list[int] = []
        foreign: list[int] = []
        while len(kept) > most:
            payload = kept.pop()
            (mine if self.kept[payload].index == self._arenas.attach() else foreign).append(payload)
        while foreign:
            foreign = self._send_home(system, self.kept[foreign[-1]], foreign[::-1])
        self._release_all(system, mine[::-1])

    def _release_all(self, system: System, payloads: list[int]) -> None:
        """The blocks, which wait nowhere any more, become free: all are of one arena."""
        owners = [self.kept.pop(payload) for payload in payloads]
        if owners:
            owners[0].release_all(system, [payload - HEADER for payload in payloads])

    def _send_home(self, system: System, home: ArenaState, waiting: list[int]) -> list[int]:
        """Those that the arena owns go there, so many at a time; the others stay."""
        mine = [payload for payload in waiting if self.kept[payload] is home]
        rest = [payload for payload in waiting if self.kept[payload] is not home]
        for first in range(0, len(mine), MOST_SENT):
            self._send(system, home, mine[first:first + MOST_SENT])
        return rest

    def _send(self, system: System, owner: ArenaState, batch: list[int]) -> None:
        """The blocks go on their owner's remote list, the last first; one that has grown long is drained before."""
        if len(owner.remote) >= MOST_REMOTE:
            self._saw("a_remote_list_was_full")
            self.drain(system, owner)
        owner.remote.extend(reversed(batch))
        self._saw("a_block_was_sent_to_its_owner")
        if any(owner.slots.of(payload) for payload in batch):
            self._saw("a_slot_was_sent_to_its_owner")
        if len(batch) > 1:
            self._saw("blocks_were_sent_in_a_batch")

    def _drained(self, arena: ArenaState) -> Iterator[int]:
        """The blocks on the remote list, the last to come first; it is empty from here on."""
        waiting, arena.remote = arena.remote, []
        for payload in reversed(waiting):
            self._saw("a_remote_list_was_drained")
            yield payload
