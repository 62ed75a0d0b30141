"""The line behind a finding: what its least trace does on the instrumented twin, and which expression mends it."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from heapster.checkers.blackbox.accesses import Suspect, TracedEvent, moments, of_step
from heapster.checkers.blackbox.accessors import past_accessors
from heapster.checkers.blackbox.around import heap_around, held_while, words_of
from heapster.checkers.blackbox.battery import LEAST_LOST, near
from heapster.checkers.blackbox.believing import ALL_MENDED, Known, at, best_place, distance_of, shown_path
from heapster.checkers.blackbox.build import cache_folder, judge_program
from heapster.checkers.blackbox.dying import by_its_end
from heapster.checkers.blackbox.judge import LIMIT, Judge
from heapster.checkers.blackbox.known_faults import LEAK
from heapster.checkers.blackbox.leaking import repeated, who_lost
from heapster.checkers.blackbox.line_budget import LineBudget
from heapster.checkers.blackbox.protocol import (
    IN_FULL,
    LOADS,
    OBSERVED,
    STEPPED,
    Breach,
    EventKind,
    Observation,
    Status,
)
from heapster.checkers.blackbox.pursuit import Shown
from heapster.checkers.blackbox.repairing import compiled_repairs
from heapster.checkers.blackbox.root_cause import of_place, suspects
from heapster.checkers.blackbox.searching import RepairSearch, Search, is_mended, mending
from heapster.checkers.blackbox.stepwise import CLAIMED, BlackboxRun, hurried, run_trace
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.blackbox.twin import instrumented_twin, stepped_twin, wrapping_twin
from heapster.checkers.blackbox.unseen import unseen
from heapster.checkers.blackbox.volume import still_grows
from heapster.checkers.blackbox.wrapping import Wraps, asks_for_all
from heapster.checkers.targets.instrumented import NoInstrumentationError
from heapster.checkers.targets.lines import Frame, Lines, has_lines
from heapster.model.operation import Trace
from heapster.model.spec import Promises
from heapster.results import Finding, Place, TargetError

GIVEN_WRONGLY = frozenset({     # codes under which the last block had perhaps better not been given
    "overlap", "contents_damaged", "outside_region", "touched_outside", "outside_its_memory", "unusable_block",
    "huge_accepted", "overflow_accepted", "bad_alignment_accepted", "block_wraps"})
MOST_BESIDE = 500               # of the last call's events that tell which functions it came by
TRIES_A_SECOND = 150             # variants that all findings of a run may try, together; and where the run is not of
LEAST_RUN, LEAST_TRIES = 3, 900  # the shortest, in seconds, at least so many
FEWER_ROUNDS = (100, 400, 1600)         # of repeated work, that may show what more do
LEAK_COST = 6                   # tries that one of repeated work stands for
NO_STEPS = "lines of the source: this machine takes no single steps (an emulator?), so nothing is seen of what fails"
STEP_LIMIT = 1000               # ms that a call may work which is taken an instruction at a time
BROKEN_CODES = frozenset({       # that variants mend
    "writes_into_live_block", "reads_live_block", "outside_its_memory", "uses_never_written"})
LONG, MOST_STEPS = 600, 3000      # steps of a trace that is not tried with variants; that is not run in full


REFUSED = frozenset({"null_without_errno", "wrong_errno", "null_without_error"})     # what wrapped was looked after
ASSERTED = re.compile(r": (?P<file>/[^:]+):(?P<line>\d+): (?:(?P<function>\w+): )?Assertion ")



OF_THE_CALLER = ("unusable_block", "block_vanished")     # who dies of these is the caller: no access of the target's


class Explainer:
    """Asks a target's instrumented twin, and its variants; to be closed."""

    def __init__(self, target: ForeignTarget, promises: Promises, like: Judge, seconds: float,
                 aside: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._target, self._promises, self._like, self._has = target, promises, like, like.header.has
        self._tries = max(round(TRIES_A_SECOND * seconds), LEAST_TRIES if seconds >= LEAST_RUN else 0)
        self._all_tries = self._tries
        self._unsettled: list[tuple[str, Callable[[Judge], bool]]] = []     # findings that no change surely mends
        self._aside = aside             # in which variants are compiled: a minute of a large target, once
        self._judges: list[Judge] = []
        self._budget = LineBudget(seconds, lambda: like.spent + self.spent)
        self.own_seconds = self._budget.most if seconds >= LEAST_RUN else 0.0   # besides what such a run was given
        self._closed = self._asked = False
        self._seen: tuple[Observation, ...] = ()           # of the last run, which is laid out as all are
        self._twin: Judge | None = None
        self._searches: list[RepairSearch] | None = None
        self._wrapping: list[Wraps] | None = None       # at most one; none where clang cannot tell
        self.lines: Lines | None = None
        self.named: set[tuple[str, int]] = set()        # lines that findings have to do with
        self.is_known = False               # what was explained last is mended by what mends an earlier one
        self.notes: list[str] = []          # what cannot be told of this target, a line each

    def close(self) -> None:
        """End its judges."""
        for judge in self._judges:
            judge.close()
        self._closed = True                 # from here on they count as children that have ended

    @property
    def spent(self) -> float:
        """Seconds that its judges worked."""
        return 0.0 if self._closed else sum(judge.spent for judge in self._judges)

    def twin(self) -> Judge | None:
        """The judge of the twin; None, and a note why, if there is none."""
        if not self._asked:
            self._asked = True
            try:
                self._twin = self._judge(self._other_reading())
            except TargetError as error:
                self.notes.append(f"lines of the source: {error}")
                return None
            self.notes += unseen(self._twin.target)
            self.lines = Lines(self._twin.target.code_path)
            if not has_lines(self._twin.target.code_path):
                self.notes.append(f"lines of the source: {self._target.name} was built without -g, so it is the "
                                  "function and the offset in it that is named")
        return self._twin

    def _other_reading(self) -> ForeignTarget:
        """The instrumented twin; where there is none, the target itself, an instruction at a time, and a note."""
        try:
            return instrumented_twin(self._target)
        except NoInstrumentationError as error:
            stepped = stepped_twin(self._target)
            if stepped is None:
                raise
            self.notes.append(f"each access of calls that do no harm: {error}. What does harm is looked at an "
                              "instruction at a time")
            return stepped

    def _judge(self, target: ForeignTarget) -> Judge:
        judge = Judge(judge_program(target.bits), target, STEP_LIMIT if target.stepped else LIMIT)
        self._judges.append(judge)
        for name in ("granule", "check_means"):         # what was learnt of the target
            setattr(judge.header, name, getattr(self._like.header, name))
        judge.header.has = self._has
        if not target.stepped:
            judge.header.limit_ms = self._like.header.limit_ms
        return judge

    def explained(self, shown: Shown) -> Finding:
        """The finding, with the line that it comes from if that can be told."""
        self.is_known = False
        if shown.threads[0] or not shown.trace or self.twin() is None:
            return shown.finding
        self._pass_over(0, self._has)
        try:
            with self._counting():
                return self._explained(shown)
        finally:
            self._pass_over(self._like.header.spared, self._like.header.has)

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """Count the time that lines are looked for; where it ends, say so."""
        try:
            with self._budget.counted():
                yield
        finally:
            if self._budget.has_ended:
                self._note(self._budget.words())

    def _note(self, words: str) -> None:
        self.notes += [words] if words not in self.notes else []

    def _pass_over(self, spared: int, has: int) -> None:
        """Let its judges pass over what is known by its cause, or no more."""
        for judge in self._judges:
            judge.header.spared, judge.header.has = spared, has

    def _explained(self, shown: Shown) -> Finding:
        found, beside = self._suspects(shown)
        known = [*(self._wraps(shown.trace) if shown.finding.code not in REFUSED else ()),
                 *((suspect, frames) for suspect in found if (frames := self._frames(suspect.moment)))]
        functions = {frame.function for moment in beside for frame in self._frames(moment)}
        search, mends_too = self._mended(shown, known, functions, self._fails)
        place = best_place(known, search.found, is_short=search.is_short)
        if place and shown.finding.code != LEAK:            # whose trace was run another number of times
            place = self._around(place, known, shown.trace)
        place = _asserted(shown.finding.title, place) or place
        self.named |= {(shown_path(frame.file), frame.line) for _, frames in known for frame in frames[:1]}
        self.named |= {(place.file, place.line)} if place else set()
        self.is_known = search.again and search.found[0].is_sound
        details = (*shown.finding.details, *(f"one cause: that change mends this too: {title}" for title in mends_too))
        return replace(shown.finding, place=place, title=self._by_its_end(shown, beside), details=details)

    def _by_its_end(self, shown: Shown, beside: list[TracedEvent]) -> str:
        """The title, with the cause of a crash or a hang if what the last call did tells it."""
        accesses = [moment.event for moment in beside if moment.event.kind == EventKind.ACCESS]
        words = words_of(accesses[-1], held_while(shown.trace, self._seen, accesses[-1])) if accesses else ""
        title = shown.finding.title
        return title if shown.finding.code in OF_THE_CALLER else by_its_end(title, accesses, words, self._target.bits)

    def of_breach(self, shown: Shown, breaking: int) -> Shown:
        """What shows on the twin alone, with its line: what mends it, that of the access, or what led to it."""
        run, outcome = self.run(shown.trace, LOADS)
        found = [suspect for suspect in suspects(run, shown.trace, outcome)
                 if suspect.moment.event.kind == EventKind.BREACH] or of_place(run, shown.trace, outcome, breaking)
        known = [(suspect, frames) for suspect in found if (frames := self._frames(suspect.moment))]
        search = Search([])
        if shown.finding.code in BROKEN_CODES:
            with self._counting():
                search, _ = self._mended(shown, known, set(), self._breaks)
        self.is_known = search.again and search.found[0].is_sound
        place = best_place(known, search.found, is_short=search.is_short)
        place = place and self._around(place, known, shown.trace)
        decides = outcome.seen[outcome.last].breach == Breach.READS_LIVE if outcome.last < len(outcome.seen) else False
        severity = "warning" if decides else "error"
        return shown._replace(finding=replace(shown.finding, place=place, severity=severity))

    def _around(self, place: Place, known: list[Known], trace: Trace) -> Place:
        """The place with the access that it stands for, and the heap around that."""
        events = (suspect.moment.event for suspect, frames in known
                  if (frames[0].line, frames[0].named) == (place.line, place.function))
        event = next((event for event in events if event.address), None)
        if event is None:
            return place
        held = held_while(trace, self._seen, event)
        return replace(place, access=words_of(event, held), heap=tuple(heap_around(event, held)))

    def _suspects(self, shown: Shown) -> tuple[list[Suspect], list[TracedEvent]]:
        """The accesses that it may come from, and what the call did at which it shows."""
        if shown.finding.code == LEAK:
            return self._losses(shown.trace), []
        if len(shown.trace) > MOST_STEPS:
            return [], []
        run, outcome = self.run(shown.trace)
        found = list(suspects(run, shown.trace, outcome)) if outcome.reasons else self._loads(shown.trace)
        return found, [moment for moment in of_step(run, len(shown.trace) - 1) if moment.event.pc][-MOST_BESIDE:]

    def _losses(self, work: Trace) -> list[Suspect]:
        """Of work that takes ever more memory: the stores by which it is lost."""
        trace = repeated(work)
        if len(trace) > MOST_STEPS:
            return []
        run, outcome = self.run(trace)
        return list(who_lost(run, trace, work, outcome))

    def _wraps(self, trace: Trace) -> list[Known]:
        """Of a trace that ends by asking for nearly all that there is: the first sum or product that wraps."""
        if not asks_for_all(trace[-1], self._target.bits):
            return []
        if self._wrapping is None:
            self._wrapping = []
            with suppress(TargetError):         # clang may leave undefined what the target's own compiler does not
                self._wrapping += [Wraps(self._judge(twin), self._promises)
                                   for twin in [wrapping_twin(self._target)] if twin]
        return [known for wraps in self._wrapping for known in wraps.first(trace)]

    def _loads(self, trace: Trace) -> list[Suspect]:
        """Of a trace that passes on the twin, where other bytes are in memory: the first load that it may hang on."""
        run, outcome = self.run(trace, LOADS)
        last = outcome.last
        return of_place(run, trace, outcome, outcome.seen[last].breach_pc) if outcome.reasons and (
            last < len(outcome.seen)) else []

    def run(self, trace: Trace, more: int = 0) -> tuple[list[TracedEvent], BlackboxRun]:
        """All that the twin did, and how it went."""
        judge = self.twin()
        assert judge is not None
        stepped = judge.target.stepped
        judge.header.observed = OBSERVED | IN_FULL | more | (STEPPED if stepped else 0)
        try:
            with hurried(judge, STEP_LIMIT if stepped else CLAIMED):
                outcome = run_trace(judge, trace, self._promises)
            self._seen, run = outcome.seen, moments(judge.events())
            if stepped and NO_STEPS not in self.notes and all(moment.event.kind != EventKind.ENTER for moment in run):
                self.notes.append(NO_STEPS)
            return run, outcome
        finally:
            judge.header.observed = OBSERVED

    def _mended(self, shown: Shown, known: list[Known], functions: set[str],
                failing: Callable[[Shown], Callable[[Judge], bool]]) -> tuple[Search, list[str]]:
        """What mends a finding, and the titles of those before that nothing surely did and this does too."""
        seen = [frame for _, frames in known for frame in frames]
        search = self._repairs(shown, failing, seen, functions)
        mends_too = list[str]()
        if self._searches and search.found and search.found[0].is_sound and not search.again:
            mends_too = [title for title, fails in self._unsettled if is_mended(self._searches, search.found[0], fails)]
        elif self._searches and not search.again:
            self._unsettled.append((shown.finding.title, failing(shown)))
        return search, mends_too

    def _repairs(self, shown: Shown, failing: Callable[[Shown], Callable[[Judge], bool]], seen: list[Frame],
                 functions: set[str]) -> Search:
        """The variants under which the trace passes, and all else too; without tries, of those found before."""
        cost = LEAK_COST if shown.finding.code == LEAK else 1 + len(shown.trace) // 100
        out_of_tries = self._tries < cost and self._searches is None
        if self._target.ingredients is None or len(shown.trace) > LONG or out_of_tries:
            return Search([])
        searches = self._searching()
        most = max(self._tries, 0) // cost
        search = mending(searches, failing(shown), most, lambda one: distance_of(one, seen, functions),
                         near(shown.trace))
        self._tries -= search.tried * cost
        if search.is_short:
            self._note(self._budget.words_of_tries(self._all_tries - self._tries))
        return search

    def _searching(self) -> list[RepairSearch]:
        """A search in each object with variants, compiled once; none where none compiles."""
        if self._searches is None:
            self._searches = []
            with suppress(TargetError), self._budget.compiling(), self._aside():
                layers = compiled_repairs(self._target, self._budget.is_up)
                self._searches += [RepairSearch(layer, self._judge(layer.target), self._promises, self._budget.is_up,
                                                self._budget.is_in_vain) for layer in layers]
        return self._searches

    def _fails(self, shown: Shown) -> Callable[[Judge], bool]:
        trace, repeat = shown.trace, shown.repeat
        if shown.finding.code == LEAK:
            few = self._fewer_rounds(trace, repeat)
            return lambda judge: still_grows(judge, trace, few, LEAST_LOST) or (
                few < repeat and still_grows(judge, trace, repeat))
        _, known = self.run(trace)
        given = [index for index, seen in enumerate(known.seen) if seen.status == Status.DONE and seen.pointer
                 and not (index == known.last and shown.finding.code in GIVEN_WRONGLY)]

        def fails(judge: Judge) -> bool:
            """It fails, or answers nothing where a block was answered."""
            outcome = run_trace(judge, trace, self._promises)
            return bool(outcome.reasons) or any(not outcome.seen[index].pointer for index in given)

        return fails

    def _fewer_rounds(self, trace: Trace, repeat: int) -> int:
        """Rounds of work that show its growth already: hundreds of variants are asked."""
        judge = self.twin()
        return next((few for few in FEWER_ROUNDS if judge and few < repeat and still_grows(
            judge, trace, few, LEAST_LOST)), repeat)

    def _breaks(self, shown: Shown) -> Callable[[Judge], bool]:
        """Of what shows on the twin alone: a variant fails that breaks the map too, loads counted."""
        fails = self._fails(shown)

        def breaks(judge: Judge) -> bool:
            observed, judge.header.observed = judge.header.observed, judge.header.observed | LOADS
            try:
                return fails(judge)
            finally:
                judge.header.observed = observed

        return breaks

    def _frames(self, moment: TracedEvent) -> tuple[Frame, ...]:
        assert self.lines is not None
        self.lines.look_up(moment.places)
        ours = cache_folder()               # of adapters that we wrote
        return past_accessors(tuple(frame for place in moment.places for frame in self.lines.at(place)
                                    if Path(frame.file).parent != ours))


def _asserted(said: str, otherwise: Place | None) -> Place | None:
    """The assertion of the target's that fails, by what it says, unless a change of another line makes all pass.

    What is known `otherwise` is told beside it.
    """
    match = ASSERTED.search(said)
    if match is None or otherwise and otherwise.why.startswith(ALL_MENDED) and otherwise.line != int(match["line"]):
        return None
    also = (f"{otherwise.words}: {otherwise.why}",) if otherwise and otherwise.line else ()
    return at(Frame(match["function"] or "", match["file"], int(match["line"])), "the assertion that fails", also=also)
