"""An instrumented target as something that schedules are run of."""

from collections.abc import Iterable, Iterator
from typing import Any

from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.races.compiled.build import Prepared, prepare, scheduler_program, unseen
from heapster.checkers.races.compiled.places import Places
from heapster.checkers.races.compiled.programs import corpus, generated
from heapster.checkers.races.compiled.scheduler import ORDERS, Scheduler
from heapster.checkers.races.compiled.session import TargetSession
from heapster.checkers.races.compiled.shared import HUB, KINDS, RowRecord
from heapster.checkers.races.memory_model import EXPLORED, LOAD_BUFFERING, memory_model
from heapster.checkers.races.programs import Program
from heapster.checkers.races.recording import AccessRow
from heapster.checkers.races.replay import ScheduleReplay
from heapster.checkers.races.session import ScheduleProblem, ScheduleRun
from heapster.checkers.targets.target import Target
from heapster.wording import counted

RACE = "data_race"
ATOMIC = frozenset({"load_atomic", "store_atomic", "update", "fence"})
ALIGNMENTS = (16, 8, 4, 1)
NOT_EXPLORED = (
    LOAD_BUFFERING,
    "weak compare-exchanges that fail though they read what they expect",
    "old writes after the first 127 atomics of a run: from there on each meets the newest",
)
MEMORY_MODEL = memory_model((*EXPLORED, "what is sequentially consistent has one order, as RC11 has it"), NOT_EXPLORED)
NOT_CHECKED = (
    *NOT_EXPLORED,
    "longer programs, more threads, more preemptions and more old writes than are said",
)
UNMANAGED = "threads that the target starts through a library: they run as they like"
NO_FORK = "fork amid the calls of other threads: the target registers no handlers of it (pthread_atfork)"
SPREAD = "growth over rounds: threads that follow each other are given other memory for longer than is looked at"
UNENDED = "what threads that the target starts, and that do not end, do after the program's last call"


class CompiledTarget:
    """See `Schedulable`: a target that is loaded, and what is known of it."""

    most_findings = 4
    given = ""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self.version, self.has_weak_memory = prepared.version, prepared.has_atomics
        self._scheduler = Scheduler(scheduler_program(), prepared.path, prepared.symbols, prepared.alignment)
        self._places = Places(prepared.path, int(self._scheduler.shared.base))
        self.name, self.named = self._places.name, self._places.named
        self._known: set[str] = set()               # codes that have been found and are looked for no more
        self._drains: dict[Program, int] = {}       # how many blocks bring back all, as the program runs in order
        self._muted: list[tuple[int, int]] = []     # races that have
        self._left = [*NOT_CHECKED, *([] if prepared.handles_fork else [NO_FORK]), *unseen(prepared)]
        self._learn_alignment()

    @classmethod
    def of(cls, target: Target, options: ForeignOptions | None = None) -> "CompiledTarget":
        """The target of that name, loaded."""
        return cls(prepare(options or ForeignOptions(target)))

    def close(self) -> None:
        """End what runs for it."""
        self._scheduler.close()

    @property
    def not_checked(self) -> list[str]:
        """See `Schedulable`."""
        return [*self._left, *([UNMANAGED] if self._scheduler.unmanaged else []),
                *([UNENDED] if self._scheduler.shared.unended else []),
                *([SPREAD] if self._scheduler.shared.rounds_open else [])]

    @property
    def seconds(self) -> float:
        """Processor time that was spent on it."""
        return self._scheduler.seconds

    def session(self, program: Program) -> TargetSession:
        """The program, ready to be run under schedules."""
        return TargetSession(program, self._scheduler, self._known, self._drains)

    def corpus(self) -> Iterator[tuple[Program, int]]:
        """The written programs that it can run, with the preemptions worth exploring."""
        return corpus(self._prepared.symbols, forks=self._prepared.handles_fork)

    def generated(self, number: int, threads: int, ops: int, seed: int) -> list[Program]:
        """Programs that it can run."""
        return generated(self._prepared.symbols, number, threads, ops, seed)

    def record(self, replay: ScheduleReplay) -> tuple[ScheduleRun, list[AccessRow]]:
        """The outcome of the replay and every access of it, in order."""
        self._scheduler.mute(())
        session = TargetSession(replay.program, self._scheduler, set(), self._drains)
        outcome = session.follow(replay.segments, replay.old, recording=True)
        self._scheduler.mute(self._muted)
        rows = [row for row in self._scheduler.rows() if row.thread < HUB]
        self._places.learn(pc for row in rows for pc in (row.pc, *row.stack))
        self._name_blocks(replay.program)
        failed = max((i for i, row in enumerate(rows) if outcome.problem and row.thread == outcome.problem.thread),
                     default=-1)
        return outcome, [self._told(row, i == failed) for i, row in enumerate(rows)]

    def _told(self, row: RowRecord, failed: bool) -> AccessRow:
        stack = [self._places.line(pc) for pc in (row.pc, *row.stack) if pc]
        kind = KINDS[row.kind]
        order = ORDERS[row.order] if kind in ATOMIC else ""
        return AccessRow(row.step, row.thread, kind, row.target, tuple(line for line in stack if line), failed,
                         bool(row.old), order)

    def _name_blocks(self, program: Program) -> None:
        """Payloads by the steps that gave them."""
        events = [each for each in self._scheduler.events() if chr(each.code) in "mca" and each.result]
        self._places.blocks = {each.result: f"the payload of {_call(chr(each.code))}({each.numbers[0]})"
                              for each in events}

    def found(self, problem: ScheduleProblem) -> None:
        """See `Schedulable`."""
        if problem.code != RACE:
            self._known.add(problem.code)
        elif not self.knows(problem):
            self._muted.append(problem.places)
            self._scheduler.mute(self._muted)

    def knows(self, problem: ScheduleProblem) -> bool:
        """See `Schedulable`."""
        if problem.code != RACE:
            return problem.code in self._known
        return problem.places in self._muted or problem.places[::-1] in self._muted

    def under(self, programs: Iterable[Program]) -> str:
        """See `Schedulable`: it has no settings."""
        return ""

    def beside(self, bound: int) -> str:
        """See `Schedulable`."""
        return f" and {counted(bound, 'old write')}"

    def about_all(self, programs: Iterable[Program]) -> dict[str, Any]:
        """See `Schedulable`: the memory model."""
        return {"memory_model": MEMORY_MODEL}

    def about(self, program: Program) -> dict[str, Any]:
        """See `Schedulable`."""
        return {}

    def _learn_alignment(self) -> None:
        """What its blocks keep to without other threads: less than it should is for fuzz to find."""
        first = next(program for program, _ in self.corpus())
        alone = Program((), (tuple(op for lane in (first.prologue, *first.lanes) for op in lane if op.code == "m"),))
        promised = int(self._scheduler.shared.alignment)
        for alignment in ALIGNMENTS:
            self._scheduler.shared.alignment = min(alignment, promised)
            outcome = self.session(alone).follow(())
            if outcome.problem is None or outcome.problem.code != "misaligned":
                break
        if self._scheduler.shared.alignment < promised:
            self._left.append(f"alignment beyond {counted(self._scheduler.shared.alignment, 'byte')}: with one thread, "
                                    "too, blocks are aligned to no more")


def _call(code: str) -> str:
    return {"m": "malloc", "c": "calloc", "a": "aligned_alloc"}[code]

