"""Our source on the traced machine as something that schedules are run of."""

from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any

from heapster.checkers.races import exploring, naming
from heapster.checkers.races.corpus import SHIPPED, corpus, is_shipped, policies, settings
from heapster.checkers.races.generated import generated
from heapster.checkers.races.memory_model import EXPLORED, LOAD_BUFFERING, memory_model
from heapster.checkers.races.programs import Program
from heapster.checkers.races.recording import AccessRow, record
from heapster.checkers.races.replay import ScheduleReplay
from heapster.checkers.races.schedulable import Schedulable
from heapster.checkers.races.schedulers.replay import Follow
from heapster.checkers.races.session import ScheduleProblem, ScheduleRun, Session
from heapster.checkers.targets.interpreted import shipped_source
from heapster.checkers.targets.source import Source, version
from heapster.checkers.targets.target import SIM
from heapster.machine.traced import Old, Segment
from heapster.model.placement import POLICY_NAMES
from heapster.wording import counted

NOT_EXPLORED = (
    LOAD_BUFFERING,
    "fork amid stores that others cannot see yet: the child sees all that were made",
)
MEMORY_MODEL = memory_model(EXPLORED, NOT_EXPLORED)
NOT_CHECKED = (
    *NOT_EXPLORED,
    "longer programs, more threads, more preemptions and more old writes than are said",
)


def schedulable(source: Source | Schedulable | None) -> Schedulable:
    """What schedules are run of: our source, unless it is something else already."""
    return TracedSource(source or shipped_source(SIM)) if source is None or isinstance(source, Source) else source


class TracedSource:
    """See `Schedulable`."""

    most_findings = 1
    has_weak_memory = True
    given = ""
    not_checked: Sequence[str] = NOT_CHECKED
    seconds = 0.0
    name = staticmethod(naming.name)
    named = staticmethod(naming.named)

    def __init__(self, source: Source) -> None:
        self._source, self.version = source, version(source)

    def session(self, program: Program) -> "TracedProgram":
        """See `Schedulable`; a prologue that fails is itself the program."""
        session = Session(program, self._source)
        if session.wrong_start is not None:
            session = Session(Program((), (program.prologue,)), self._source)
        return TracedProgram(session)

    def corpus(self) -> Iterator[tuple[Program, int]]:
        """See `Schedulable`."""
        return corpus(spans=self._source.has_spans)

    def generated(self, number: int, threads: int, ops: int, seed: int) -> list[Program]:
        """See `Schedulable`."""
        return generated(number, threads, ops, seed)

    def record(self, replay: ScheduleReplay) -> tuple[ScheduleRun, list[AccessRow]]:
        """See `Schedulable`."""
        return record(self._source, replay)

    def found(self, problem: ScheduleProblem) -> None:
        """See `Schedulable`; there is one finding at a time."""

    def knows(self, problem: ScheduleProblem) -> bool:
        """See `Schedulable`."""
        return False

    def under(self, programs: Iterable[Program]) -> str:
        """See `Schedulable`: under which policies, and of how many programs with what ships."""
        run = list(programs)
        if not run:
            return ""
        names = ", ".join(sorted({name for each in run for name in policies(each)}, key=POLICY_NAMES.index))
        return (f"; {sum(map(is_shipped, run))} of {counted(len(run), 'program')} on what ships ({SHIPPED}); "
                f"policies: {names}")

    def beside(self, bound: int) -> str:
        """See `Schedulable`."""
        return f" and {counted(bound, 'old write')}"

    def about_all(self, programs: Iterable[Program]) -> dict[str, Any]:
        """See `Schedulable`: the policies and settings that any of them ran under, and the memory model."""
        ran = [settings(program) for program in programs]
        found = {letter: sorted({number for each in ran for number in each[letter]}) for letter in "phl"}
        named = {"policy": [POLICY_NAMES[number] for number in found["p"]], "cache": found["h"], "retained": found["l"]}
        return {"shipped": SHIPPED, "settings": named, "memory_model": MEMORY_MODEL}

    def about(self, program: Program) -> dict[str, Any]:
        """See `Schedulable`."""
        return {"policies": list(policies(program)), "shipped": is_shipped(program)}


class TracedProgram:
    """See `Explorable`."""

    def __init__(self, session: Session) -> None:
        self._session, self.program, self.fits = session, session.program, True

    def every_schedule(self, bound: int | None, tally: exploring.SearchTally,
                       old: int | None = None) -> Iterator[ScheduleRun]:
        """See `Explorable`."""
        return exploring.every_schedule(self._session, bound, tally, old)

    def forks_amid(self, tally: exploring.SearchTally) -> Iterator[ScheduleRun]:
        """See `Explorable`."""
        return exploring.forks_amid(self.program, lambda segments: exploring.follow(self._session, segments), tally)

    def random_schedules(self, number: int, rng: Random, tally: exploring.SearchTally) -> Iterator[ScheduleRun]:
        """See `Explorable`."""
        return exploring.random_schedules(self._session, number, rng, tally)

    def pct_schedules(self, depth: int, number: int, rng: Random,
                      tally: exploring.SearchTally) -> Iterator[ScheduleRun]:
        """See `Explorable`."""
        return exploring.pct_schedules(self._session, depth, number, rng, tally)

    def follow(self, segments: tuple[Segment, ...], old: tuple[Old, ...] = ()) -> ScheduleRun:
        """See `Explorable`."""
        schedule = Follow(segments, old)
        outcome = self._session.run(schedule)
        self.fits = schedule.fits()
        return outcome
