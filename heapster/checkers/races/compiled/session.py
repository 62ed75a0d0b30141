"""A program on an instrumented target, under one schedule after another, each in a child and judged."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import islice, permutations
from random import Random

from heapster.checkers.races import judge
from heapster.checkers.races.compiled.programs import FORK
from heapster.checkers.races.compiled.scheduler import Scheduler
from heapster.checkers.races.compiled.shared import CODES, HUB, KINDS, MEET, EventRecord, RowRecord
from heapster.checkers.races.exploring import GAPS, SearchTally, forks_amid
from heapster.checkers.races.programs import KINDS as CALLS
from heapster.checkers.races.programs import Program
from heapster.checkers.races.session import ScheduleProblem, ScheduleRun
from heapster.machine.traced import Old, Segment
from heapster.model.problem import Problem
from heapster.model.spec import Operation, Promises, Result
from heapster.results import TargetError

Schedule = tuple[tuple[Segment, ...], tuple[Old, ...]]
Cost = tuple[int, int]          # preemptions, and old writes met
UNORDERED = frozenset({"unlock", "end", "start"})    # but for forks, coming in later than there does as well
UNUSABLE = "unusable"           # more threads or locks than the scheduler has room for
FIRST_DRAIN, MORE = 256, 4      # blocks asked for after a run in order; so many times as many as it took after others
ROUNDS = 1500                   # of a program, by threads that end; fewer where nothing is new any more
MOST_ORDERS = 6                 # of lanes that run one after the other
MOST_KNOWN = 4096               # runs whose calls were judged and are remembered


class TargetSession:
    """A program and the scheduler that runs it."""

    def __init__(self, program: Program, scheduler: Scheduler, known: set[str], drains: dict[Program, int]) -> None:
        self.program, self._scheduler, self._known, self._drains = program, scheduler, known, drains
        self.threads = len(program.lanes)
        self.fits = True
        self._judged: dict[tuple[EventRecord, ...], Problem | None] = {}

    def follow(self, segments: Sequence[Segment], old: tuple[Old, ...] = (), *, recording: bool = False) -> ScheduleRun:
        """The outcome of a written schedule."""
        self._load()
        self._scheduler.follow(segments, old, recording=recording)
        outcome = self._outcome()
        self.fits = outcome.segments[:len(segments)] == tuple(segments) and outcome.old[:len(old)] == old
        return outcome

    def every_schedule(self, bound: int | None, tally: SearchTally, old: int | None = None) -> Iterator[ScheduleRun]:
        """The outcomes of all schedules with so many preemptions and old writes, fewest first, one for each class."""
        frontier = Frontier(1 << 30 if bound is None else bound, 1 << 30 if old is None else old,
                            UNORDERED - {"unlock"} if self._forks() else UNORDERED)
        while (schedule := frontier.next()) is not None:
            outcome = self.follow(*schedule)
            frontier.spread(self._scheduler.rows(), (outcome.segments, outcome.old))
            tally.cut_short = tally.cut_short + frontier.cut
            frontier.cut = 0
            tally.count(outcome)
            yield outcome

    def _forks(self) -> bool:
        return any(op.code == FORK for lane in self.program.lanes for op in lane)

    def forks_amid(self, tally: SearchTally) -> Iterator[ScheduleRun]:
        """The outcomes where a thread forks amid plain accesses of another."""
        return forks_amid(self.program, self.follow, tally)

    def random_schedules(self, number: int, rng: Random, tally: SearchTally) -> Iterator[ScheduleRun]:
        """The outcomes of `number` random walks; those that pass are counted and not told."""
        self._load()
        self._scheduler.by_chance(number, rng.randrange(1 << 40), rng.choice(GAPS))
        yield self._of_batch(tally)

    def pct_schedules(self, depth: int, number: int, rng: Random, tally: SearchTally) -> Iterator[ScheduleRun]:
        """The outcomes of `number` schedules with random priorities and depth - 1 changes of them."""
        outcome = self.follow(())
        tally.count(outcome)
        yield outcome
        self._load()
        self._scheduler.by_priority(number, rng.randrange(1 << 40), depth, outcome.steps)
        yield self._of_batch(tally)

    def _load(self) -> None:
        """Let the program be what is run, with what must be there after it."""
        self._scheduler.load(self.program)
        if self.program not in self._drains:
            self._scheduler.expect_back(FIRST_DRAIN, expects_all=False, rounds=0)
            needs = [self._drained(order) for order in islice(permutations(range(self.threads)), MOST_ORDERS)]
            self._drains[self.program] = MORE * max(needs) if all(needs) else 0
        self._scheduler.expect_back(self._drains[self.program], expects_all=True,
                                    rounds=0 if self._scheduler.shared.rounds_open else ROUNDS)

    def _drained(self, order: Iterable[int]) -> int:
        """How many blocks it takes to have all back, as the lanes run in that order; 0: more than are asked for."""
        self._scheduler.follow([Segment(lane, None) for lane in order])
        return 0 if self._scheduler.shared.code else int(self._scheduler.shared.drained)

    def answers(self) -> list[tuple[int, int]]:
        """The lanes and the blocks of the allocations of the last run."""
        return [(each.lane, each.result) for each in self._scheduler.events() if each.result]

    def _of_batch(self, tally: SearchTally) -> ScheduleRun:
        """The last run of a batch; all others passed."""
        shared = self._scheduler.shared
        tally.count_passed(shared.ran - 1, shared.total_steps, shared.total_calls, shared.preempted, shared.waited,
                           shared.weak - bool(shared.old_out))
        outcome = self._outcome()
        tally.count(outcome)
        return outcome

    def _outcome(self) -> ScheduleRun:
        shared = self._scheduler.shared
        return ScheduleRun(self._problem(), self._scheduler.segments(), int(shared.steps), int(shared.calls),
                           tuple(shared.last[:self.threads]), self._scheduler.old())

    def _problem(self) -> ScheduleProblem | None:
        shared = self._scheduler.shared
        code = CODES[shared.code] if shared.code < len(CODES) else "crash"
        if code == UNUSABLE:
            raise TargetError(f"its threads cannot be scheduled: {shared.message.decode(errors='replace')}")
        if code and code not in self._known:
            thread, other = _signed(shared.thread), _signed(shared.other)
            return ScheduleProblem(code, shared.message.decode(errors="replace"), int(shared.address), thread, other,
                                   (int(shared.pc), int(shared.other_pc)))
        reason = None if code else self._unexplained()
        return ScheduleProblem(*reason) if reason is not None and reason.code not in self._known else None

    def _unexplained(self) -> Problem | None:
        """Why no sequential order explains what the callers saw; runs whose callers saw the same are asked once."""
        seen = tuple(self._scheduler.events())
        if seen not in self._judged:
            if len(self._judged) > MOST_KNOWN:
                self._judged.clear()
            alignment = int(self._scheduler.shared.alignment)
            self._judged[seen] = judge.unexplained([_event(each) for each in seen if each.code != ord("k")], (),
                                                   refused=False, promises=Promises(alignment, True, errno=False))
        return self._judged[seen]


def _signed(thread: int) -> int:
    """The number of a lane, or -1."""
    return thread if thread < HUB else -1


def _event(each: EventRecord) -> judge.CallEvent:
    code = chr(each.code)
    numbers = {"m": each.numbers[:1], "c": (1, each.numbers[0]), "a": each.numbers, "r": each.numbers[:1]}.get(code, ())
    result = Result(usable=each.result) if code == "u" else Result() if code == "f" else Result(each.result)
    return judge.CallEvent(each.lane, each.start, each.end, Operation(CALLS[code].name, numbers, each.pointer), result)


class Frontier:
    """Which schedules are to be run: those with fewer preemptions and old writes first.

    Musuvathi and Qadeer, PLDI 2007 (iterative bounding of preemptions) and MSR-TR-2007-12 (states by what happened
    before). A thread is preempted only before it uses what another uses too, one of the two to change it; a run is
    taken no further from where the same has happened before at no more cost.
    """

    def __init__(self, bound: int, old: int, unordered: Container[str] = UNORDERED) -> None:
        self._most, self._unordered = (bound, old), unordered
        self._todo: dict[Cost, list[tuple[Schedule, int]]] = defaultdict(list, {(0, 0): [(((), ()), 0)]})
        self._cost, self._from = (0, 0), 0          # of the one that was given last
        self._seen: dict[tuple[int, int, int, bool], list[Cost]] = defaultdict(list)
        self._users: dict[int, set[int]] = defaultdict(set)
        self._later: dict[int, list[tuple[Cost, Schedule, int]]] = defaultdict(list)    # until an object is shared
        self.cut = 0                                # runs that were taken no further

    def next(self) -> Schedule | None:
        """The schedule to run now, if one is left."""
        left = (cost for cost, ready in self._todo.items() if ready)
        cost = min(left, default=None, key=lambda cost: (sum(cost), cost))
        if cost is None:
            return None
        schedule, self._from = self._todo[cost].pop()
        self._cost = cost
        return schedule

    def spread(self, rows: Iterator[RowRecord], taken: Schedule) -> None:
        """What else could have been decided, from where the schedule that was given ends."""
        questions = met = 0
        for index, row in enumerate(rows):
            self._note(row)
            questions += KINDS[row.kind] == MEET
            if index >= self._from:
                if self._is_known((row.state, row.thread, row.enabled, KINDS[row.kind] == MEET), index):
                    self.cut += 1
                    return
                if KINDS[row.kind] == MEET:
                    self._meet_older(index, row, taken[0][:row.segments], taken[1][:met], questions)
                else:
                    self._turn_off(index, row, taken[0][:row.segments], taken[1][:met])
            met += KINDS[row.kind] == MEET and row.chosen > 0

    def _is_known(self, state: tuple[int, int, int, bool], index: int) -> bool:
        known = self._seen[state]
        if index > self._from and any(used <= self._cost[0] and old <= self._cost[1] for used, old in known):
            return True
        known.append(self._cost)
        return False

    def _note(self, row: RowRecord) -> None:
        users = self._users[row.target]
        before = len(users)
        users.add(row.thread)
        if len(users) > 1 and before < len(users):
            for cost, schedule, index in self._later.pop(row.target, ()):
                self._todo[cost].append((schedule, index))

    def _turn_off(self, index: int, row: RowRecord, so_far: tuple[Segment, ...], old: tuple[Old, ...]) -> None:
        kind, points = KINDS[row.kind], row.step - row.begun
        others = [thread for thread in range(HUB) if row.enabled >> thread & 1 and thread != row.chosen]
        goes_on = row.enabled >> row.thread & 1 and kind not in ("start", "end")
        if not goes_on:
            own = () if kind in ("start", "end") else (Segment(row.thread, None),)
            for other in others:
                self._todo[self._cost].append((((*so_far, *own, Segment(other, None)), old), index + 1))
        elif row.chosen == row.thread and kind not in self._unordered and points > 0 and self._cost[0] < self._most[0]:
            cost = (self._cost[0] + 1, self._cost[1])
            for other in others:
                schedule = ((*so_far, Segment(row.thread, points), Segment(other, None)), old)
                if len(self._users[row.target]) > 1:
                    self._todo[cost].append((schedule, index + 1))
                else:
                    self._later[row.target].append((cost, schedule, index + 1))

    def _meet_older(self, index: int, row: RowRecord, so_far: tuple[Segment, ...], old: tuple[Old, ...],
                    question: int) -> None:
        """The same up to an atomic, which meets an older write than the newest."""
        if self._cost[1] >= self._most[1]:
            return
        for back in range(1, row.enabled):
            schedule = ((*so_far, Segment(row.thread, None)), (*old, Old(question, back)))
            self._todo[self._cost[0], self._cost[1] + 1].append((schedule, index + 1))
