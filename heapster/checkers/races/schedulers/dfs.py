"""The scheduler that goes through all schedules, depth first."""

from collections import defaultdict
from typing import Any

from heapster.machine.traced import FORK_OBJECT, NOBODY, READS
from heapster.results import HeapsterError


class Pruned(HeapsterError):
    """The rest of this run would only repeat an equivalent one."""


Steps = tuple[tuple[int, int], ...]
# The conflicting steps done, who runs, who can, who has not ended, what has been handed over.
State = tuple[Steps, int, tuple[int, ...], frozenset[int], frozenset[int]]


class DepthFirst:
    """Every schedule with at most `bound` preemptions, or one of each class that cannot be told apart.

    In each, every access meets every write that it may, with at most `old` that are not the newest.

    Two steps conflict if they are of different threads, on one object, and not both reads; a fork
    conflicts with all that other threads do. With
    `reduce`, which takes runs without data races for granted since those end in a finding:

    - nobody is asked at plain accesses, nor at objects that only one thread uses or that all only
      read: delaying a switch past such steps gives an equivalent run with as many preemptions;
    - nobody is asked before an unlock, unless there are forks: whoever came in could only wait for
      that mutex, or do what it can as well do after the unlock;
    - a run is cut short where the same conflicting steps have been done in the same order before and have met
      the same writes, the same thread runs, and no fewer preemptions or old writes are left (Musuvathi and
      Qadeer, MSR-TR-2007-12).

    Use: `while more: begin(); run; end()`.
    """

    def __init__(self, bound: int | None = None, reduce: bool = True, old: int | None = None) -> None:
        self._bound = 1 << 30 if bound is None else bound
        self._most_old = 1 << 30 if old is None else old
        self._reduce = reduce
        self._shared: set[int] = set()
        self._start()
        self.more = True

    def _start(self) -> None:
        self._prefix: list[int] = []                # choices at decisions, so far
        self._untried: list[list[int]] = []         # at each decision
        self._seen: dict[State, list[tuple[int, int]]] = defaultdict(list)  # with what preemptions and old writes
        self._ends: set[Steps] = set()
        self.classes = 0                            # runs that can be told from all others

    def begin(self) -> None:
        """A new run starts."""
        self._depth = 0
        self._fresh = False                         # whoever was chosen last has yet to do what it was chosen for
        self._preemptions = 0
        self._old = 0                               # accesses that met an older write than the newest
        self._done: dict[int, int] = {}             # thread: a digest of its conflicting steps, in order
        self._versions: dict[int, int] = {}         # object: times it was changed
        self._users: dict[int, int] = {}            # object: bit 0: it is changed; then a bit for each user

    def choose(self, m: Any, me: int, kind: str, target: int) -> int:
        """See `Chooser.choose`."""
        if not self._reduce:
            m.stop = m.steps + 1
        if me != NOBODY:
            self._note(me, kind, target)
            if self._goes_on(m, me, kind, target):
                self._do(me, kind, target)
                return me
        enabled = m.enabled()
        if not enabled:
            raise m.deadlock()
        runner = me if me in enabled else NOBODY
        if self._depth == len(self._prefix):
            state = (self._steps(), runner, tuple(enabled), frozenset(m.live), frozenset(m.known))
            self._open(state, runner, enabled)
        chosen = self._take(runner)
        self._fresh = True
        self._do(chosen, *m.pending[chosen])
        return chosen

    def _goes_on(self, m: Any, me: int, kind: str, target: int) -> bool:
        """Whether there is nothing to decide.

        Who could run instead was passed over when `me` was chosen, or does as well to come later.
        """
        if not m.may_go(me):
            return False
        if self._reduce and target not in self._shared:
            return True
        return self._fresh or self._reduce and kind == "unlock" and FORK_OBJECT not in self._shared

    def pick(self, m: Any, number: int) -> int:
        """See `Chooser.pick`: the newest write first."""
        if self._depth == len(self._prefix):
            self._prefix.append(0)
            self._untried.append(list(range(number - 1, 0, -1)) if self._old < self._most_old else [])
        back = self._prefix[self._depth]
        self._depth += 1
        if back:
            self._old += 1
            self._done[m.running] = hash((self._done.get(m.running, 0), back))
        return back

    def _note(self, me: int, kind: str, target: int) -> None:
        self._users[target] = self._users.get(target, 0) | 2 << me | (kind not in READS)

    def _take(self, runner: int) -> int:
        chosen = self._prefix[self._depth]
        self._depth += 1
        self._preemptions += runner not in (NOBODY, chosen)
        return chosen

    def _open(self, state: State, runner: int, enabled: list[int]) -> None:
        """A decision never met before: the runner goes on first."""
        if self._reduce:
            if any(preemptions <= self._preemptions and old <= self._old for preemptions, old in self._seen[state]):
                raise Pruned
            self._seen[state].append((self._preemptions, self._old))
        others = [t for t in enabled if t != runner]
        if runner == NOBODY:
            options = others
        elif self._preemptions < self._bound:
            options = [runner, *others]
        else:
            options = [runner]
        self._prefix.append(options[0])
        self._untried.append(options[:0:-1])

    def _do(self, thread: int, kind: str, target: int) -> None:
        """`thread` is going to do what it has waited to do."""
        if kind == "start" or self._reduce and target not in self._shared:
            return
        self._fresh = False
        version = hash(self._steps()) if target == FORK_OBJECT else self._versions.get(target, 0)
        self._done[thread] = hash((self._done.get(thread, 0), target, version))
        if kind not in READS:
            self._versions[target] = version + 1

    def _steps(self) -> Steps:
        """What tells this run, so far, from others: whose step met which version of which object.

        A digest for each thread: a sum over all would confuse orders, since hashes of tuples are nearly linear.
        """
        return tuple(sorted(self._done.items()))

    def end(self, cut: bool = False) -> None:
        """The run is over; go back to the last decision with something left to try."""
        if not cut and not (self._reduce and self._steps() in self._ends):
            self._ends.add(self._steps())
            self.classes += 1
        shared = self._conflicting()
        if not shared <= self._shared:
            self._shared |= shared
            self._start()
            return
        while self._untried and not self._untried[-1]:
            self._untried.pop()
            self._prefix.pop()
        self.more = bool(self._untried)
        if self.more:
            self._prefix[-1] = self._untried[-1].pop()

    def _conflicting(self) -> set[int]:
        """The objects that threads used in conflict."""
        changed = {target: users >> 1 for target, users in self._users.items() if users & 1}
        forkers = changed.get(FORK_OBJECT, 0)
        lone = forkers if forkers & forkers - 1 == 0 else 0
        return {target for target, users in changed.items()
                if users & users - 1 or forkers and (users & ~lone or target == FORK_OBJECT)}
