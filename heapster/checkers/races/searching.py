"""`races`: the search, by as many as work for it, and what is said of it."""

from contextlib import nullcontext
from time import monotonic

from heapster.checkers.jobs.local import ALONE
from heapster.checkers.jobs.pool import Pool
from heapster.checkers.races.exploring import SearchTally
from heapster.checkers.races.findings import finding
from heapster.checkers.races.ours import schedulable
from heapster.checkers.races.schedulable import Schedulable
from heapster.checkers.races.search import Progress, ScheduleSearch, SearchPlan
from heapster.checkers.races.sharing import Opened, failures
from heapster.checkers.races.shrinking import FailingRun, least
from heapster.checkers.targets.source import Source
from heapster.checkers.targets.target import SIM, Target
from heapster.results import Finding, Run, Verdict

ENDS = "what comes after the findings: the search ends with them"


def races(plan: SearchPlan, source: Source | Schedulable | None = None, target: Target = SIM,
          progress: Progress | None = None, pool: Pool = ALONE, opened: Opened | None = None) -> Run:
    """Search as planned; each failure is shrunk and reported, as many as are looked for.

    What the search comes to does not depend on how many work for it; `opened` opens the target for each of them,
    where they cannot share it.
    """
    plan.check()
    begun = monotonic()
    subject = schedulable(source)
    search = ScheduleSearch(plan, subject, progress=progress, jobs=pool.jobs)
    silent = dict.fromkeys(subject.not_checked)
    findings: dict[str, Finding] = {}
    interrupted = False
    try:
        for failure in failures(search, pool, opened or (lambda: nullcontext(subject)), silent):
            if (reported := _reported(search, failure, target)) is not None:
                findings.setdefault(reported.id, reported)
            if len(findings) >= subject.most_findings:
                break
    except KeyboardInterrupt:
        interrupted = True
    tally, silent = search.tally, silent | dict.fromkeys(subject.not_checked)
    verdict = Verdict.FAILED if findings else Verdict.PASSED
    return Run("races", str(target), plan.seed, verdict, monotonic() - begun, tally.calls, tuple(findings.values()),
               checks=_checks(tally), witnesses=_witnesses(subject, tally),
               extra={"schedules": tally.schedules, "cut_short": tally.cut_short, "explored": search.explored(),
                      "programs": search.programs(), **subject.about_all(search.run()),
                      "strategy": plan.strategy, "bound": plan.bound, "not_checked": [*silent]}
               | ({"interrupted": True} if interrupted else {})
               | ({"starved": [ENDS]} if len(findings) >= subject.most_findings else {}))


def _reported(search: ScheduleSearch, failure: FailingRun, target: Target) -> Finding | None:
    """The finding, and none like it from here on; None for what its replay does not show by itself."""
    subject = search.subject
    shrunk = least(subject, failure, max(search.plan.bound, 2))
    assert shrunk.outcome.problem is not None
    reported = finding(subject, shrunk, target)
    subject.found(shrunk.outcome.problem)
    search.known.append(shrunk.outcome.problem)
    return reported


def inconclusive(target: Target, plan: SearchPlan, *recipe: str) -> Run:
    """What is said of a target that gives a scheduler no hooks: nothing could be explored; how to build it so."""
    try_ = "build it with -fsanitize=thread" if recipe else f"try heapster stress {target}"
    why = f"{target} is compiled: its accesses give a scheduler no hooks; {try_}"
    return Run("races", str(target), plan.seed, Verdict.INCONCLUSIVE, 0.0, 1, checks=_checks(SearchTally()),
               extra={"schedules": 0, "explored": "nothing", "not_checked": [why], "build": list(recipe)})


def _witnesses(subject: Schedulable, tally: SearchTally) -> dict[str, int]:
    """What must have been met for a pass to mean much."""
    seen = {"preempted": tally.preempted, "waited_for_a_lock": tally.waited}
    return seen | {"met_an_old_write": tally.weak} if subject.has_weak_memory else seen


def _checks(tally: SearchTally) -> dict[str, int]:
    runs = ("deadlocks", "lost_unlocks", "lock_order", "linearizability", "payloads", "heap_at_rest")
    return {"data_races": tally.steps, **dict.fromkeys(runs, tally.schedules)}
