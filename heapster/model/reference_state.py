"""The reference's state, and what changes it but calls for memory: settings, threads, forks."""

from heapster.model.arena import ArenaState
from heapster.model.arenas import Arenas
from heapster.model.free_blocks import Settings
from heapster.model.geometry import MAX_ARENAS, MAX_CACHE, MAX_REQUEST, MIN_THRESHOLD, PAGE, signed, up
from heapster.model.heap import Cache, Heap
from heapster.model.mappings import MappedState, Mappings
from heapster.model.operation import Step
from heapster.model.placement import POLICIES
from heapster.model.runs import Runs
from heapster.model.slots import ArenaSlots, RunPool
from heapster.model.system import System
from heapster.model.thread_caches import ThreadCaches


class ReferenceState:
    """The whole allocator's state, after any number of operations.

    `errno` is what the last one set, 0 when it left errno alone; `returned` is what the last posix_memalign returned;
    `events` are the witnesses that the last operation gave.
    """

    def __init__(self, *, spans: bool = False) -> None:
        self.errno = 0
        self.returned = 0
        self.events: set[str] = set()
        self.forgotten: list[tuple[int, int]] = []      # [start, end) that finalize could not give back
        self._settings = Settings(spans=spans)
        self._pool = RunPool(self._saw)
        self._arenas = Arenas(self._settings, self._new_arena)
        self._caches = ThreadCaches(self._arenas, self._settings, self._saw)
        self._mappings = Mappings(self._saw)
        self._live: dict[int, ArenaState | MappedState] = {}    # by payload
        self._seen: set[int] = set()                    # payloads that were freed once
        self._failed = False                            # the last allocation gave NULL

    def set_policy(self, policy: str) -> None:
        """Take `heapster_set_policy(policy)`."""
        self._begin()
        assert policy in POLICIES
        if policy != self._settings.policy and any(arena.free for arena in self._arenas.in_order()):
            self._saw("policy_switched_with_blocks_on_the_list")
        self._settings.policy = policy

    def set_cache(self, size: int) -> None:
        """Take `heapster_set_cache(size)`."""
        self._begin()
        self._settings.cache = min(max(signed(size), 0), MAX_CACHE)

    def set_thread(self, thread: int) -> None:
        """From here on, that thread calls."""
        self._arenas.thread = thread

    def end_thread(self, system: System) -> None:
        """The calling thread ends, and another begins under its number."""
        self._begin()
        self._caches.end(system)
        self._arenas.detach()

    def fork(self, system: System) -> None:
        """The process forks, and its child goes on: the calling thread is alone, and what others kept is given back."""
        self._begin()
        self._caches.fork(system, self._arenas.detach_others())

    def set_keep(self, system: System, size: int) -> None:
        """Take `heapster_set_keep(size)`."""
        self._begin()
        self._mappings.set_keep(system, min(max(signed(size), 0), MAX_REQUEST))

    def set_threshold(self, size: int) -> None:
        """Take `heapster_set_mmap_threshold(size)`."""
        self._begin()
        self._settings.threshold = max(signed(size), MIN_THRESHOLD)

    def init(self, growth: int, policy: str | None = None) -> None:
        """Take `heapster_init(growth, policy)`; without a policy, the one in force."""
        self.set_policy(policy or self._settings.policy)
        if signed(growth) < PAGE:
            self._saw("growth_was_set_below_a_page")
        self._settings.growth = up(min(max(signed(growth), PAGE), MAX_REQUEST), PAGE)

    def set_arenas(self, count: int) -> None:
        """Spread threads that have no arena yet over `count` arenas."""
        self._begin()
        self._settings.arena_limit = min(max(signed(count), 1), MAX_ARENAS)

    def calling(self) -> Cache | None:
        """The calling thread's cache, if it has one."""
        return self._caches.mine_at_rest() if self._caches.has_mine() else None

    def heap(self) -> Heap:
        """The heap as it must decode."""
        arenas = tuple([arena.value() for arena in self._arenas.in_order()])
        mappings, settings = self._mappings, self._settings
        return Heap(arenas, mappings.value(), mappings.backward(), mappings.ledger(), settings.policy,
                    settings.threshold, settings.growth, settings.cache,
                    self._caches.values(),
                    tuple([(index, count) for index, count in sorted(self._arenas.attached.items()) if count]),
                    mappings.keep, mappings.lately, self._runs() if settings.spans else None)

    def _runs(self) -> Runs:
        arenas = self._arenas.in_order()
        return self._pool.value([run for arena in arenas for run in arena.slots.values(arena.index)])

    def set(self, system: System, step: Step) -> None:
        """Take a step of a trace that is no call for memory; others change nothing here."""
        self._begin()
        match step.verb:
            case "policy":
                self.set_policy(step.name)
            case "threshold":
                self.set_threshold(step.numbers[0])
            case "growth":
                self.init(step.numbers[0])
            case "cache":
                self.set_cache(step.numbers[0])
            case "keep":
                self.set_keep(system, step.numbers[0])
            case "arenas":
                self.set_arenas(step.numbers[0])
            case "thread_end":
                self.end_thread(system)
            case "fork":
                self.fork(system)
            case "thread":
                self.set_thread(step.numbers[0])

    def _begin(self) -> None:
        self.errno = self.returned = 0
        self.events.clear()

    def _saw(self, event: str) -> None:
        self.events.add(event)

    def _new_arena(self, index: int) -> ArenaState:
        return ArenaState(index, self._settings, self._saw, self._new_slots())

    def _new_slots(self) -> ArenaSlots:
        return ArenaSlots(self._pool, self._saw)
