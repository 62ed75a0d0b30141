"""Runs and journeys to draw: what diff, prove and mutate write, made from real replays."""

from typing import Any

from heapster.checkers.lockstep.heap_history import by_policy, compared, observed
from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.targets.target import TargetSettings
from heapster.machine.simulated import Simulated
from heapster.model.placement import POLICY_NAMES
from heapster.model.trace import parse
from heapster.reports.jsonfile import as_value
from heapster.reports.timeline import Journey, journey
from heapster.results import Finding, Run, Verdict

POLICIES = POLICY_NAMES
TEXT = """growth 4096; a = malloc(1000); b = malloc(200); c = malloc(600); d = malloc(24); e = malloc(100)
free(a); free(c); f = malloc(560); g = malloc(300); free(d); free(f); h = malloc(5000); i = malloc(200000)
b = realloc(b, 700); free(i); free(g); free(e)"""
TRACE = parse(TEXT)
STEPS = len(TRACE)
# A run of slots with one of each state; two of another class, of which one empties and goes to the pool.
WITH_RUNS = parse("growth 4096; cache 256; a = malloc(40); b = malloc(60); c = malloc(60); d = malloc(60); free(b); "
                  "e = malloc(60); f = malloc(60); free(c); free(d); free(e); free(f); h = malloc(60); "
                  "g = malloc(2000); cache 1024; " + "; ".join(f"a{n} = malloc(1000)" for n in range(66)) + "; "
                  + "; ".join(f"free(a{n})" for n in range(66)))
FINDING = Finding(
    "5eed0001", "structure_diverges", "a <b>bold</b> title & more",
    ("a = malloc(40)", "b = malloc(8)", "free(a)", "free(a)"),
    "heapster replay 'a = malloc(40); b = malloc(8); free(a); free(a)'", 2, 3, "before\n  it", "after\n  it",
    "with less", ("x",))
FUZZ = as_value(Run("fuzz", "sim", 1, Verdict.FAILED, 1.5, 4, (FINDING,), {"contents": 4, "statistics": 0},
                    {"realloc_moved": 0, "top_was_trimmed": 12}, {"not_checked": ["the moon"]}))
PROVE = as_value(Run("prove", "sim", 0, Verdict.PASSED, 3.0, 1, extra={"theorems": [
    {"name": "split_conserves_bytes", "claim": "sizes sum", "bound": "all words", "verdict": "proved", "paths": 3,
     "seconds": 0.1}]}))
MUTATE = as_value(Run("mutate", "sim", 0, Verdict.PASSED, 3.0, 1, extra={"missed": [], "kills": [
    {"title": "split drops the left flag", "module": "block", "caught_by": "boundary_tags_agree",
     "trace": ["a = malloc(1)"]}]}))
RACES = as_value(Run("races", "sim", 0, Verdict.PASSED, 3.0, 1,
                     extra={"schedules": 1287, "explored": "all, to 2 preemptions"}))


def diff_run(name: str = "t") -> dict[str, Any]:
    """What `diff` writes of TRACE."""
    figures = {"ops": STEPS, "peak_live": 208000, "peak_heap": 230000, "final_heap": 9000, "utilization": 0.904,
               "internal": 0.97, "external": 0.2, "searched_mean": 1.5, "splits": 9, "coalesces": 5, "agrees": True,
               "ops_per_second": None}
    steps = list(range(1, STEPS + 1))
    series = {"step": steps, "live": [900 * s for s in steps], "used": [1000 * s for s in steps],
              "heap": [4096 + 1200 * s for s in steps], "free_blocks": [s % 5 for s in steps],
              "largest_free": [3000 for _ in steps], "searched": [s % 3 + 0.5 for s in steps]}
    searches = {policy: [[1, 6], [2, 3], [9, 1]] for policy in POLICIES}
    return as_value(Run("diff", "sim", 0, Verdict.PASSED, 1.0, STEPS, extra={
        "traces": {name: {"ops": STEPS, "allocations": 9, "threads": 1, "peak_live": 208000, "handles": 9}},
        "table": {name: dict.fromkeys(POLICIES, figures)}, "searches": {name: searches},
        "series": {name: dict.fromkeys(POLICIES, series)}, "sizes": {name: [[32, 2], [128, 3], [1024, 4]]}}))


def travelled(name: str = "t") -> Journey:
    """TRACE on every policy."""
    return journey(name, by_policy(TRACE, POLICIES), "a note")


def kept() -> Journey:
    """A mapping that stays though its block is freed; then more of them than there is room for."""
    more = "; ".join(f"x{number} = malloc(200000)" for number in range(40))
    return journey("kept", by_policy(parse(f"a = malloc(200000); fail munmap 1; free(a); {more}"), POLICIES[:1]))


def with_runs() -> Journey:
    """Slots that are out, cached, and back; a run that went to the pool."""
    return journey("runs", by_policy(WITH_RUNS, POLICIES[:1], TargetSettings(spans=1)))


def failed() -> Journey:
    """FINDING's trace, taken in lockstep."""
    steps = parse("\n".join(FINDING.trace))
    marks = [{"step": FINDING.noticing + 1, "text": "noticed here"}]
    return journey(FINDING.id, {"sim": compared(observed(steps, Lockstep(Simulated())))}, FINDING.title, marks)
