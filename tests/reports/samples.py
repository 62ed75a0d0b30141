"""A finding and runs to report."""

from heapster.results import Finding, Run, Verdict

FINDING = Finding(
    id="3f2a90c1",
    code="structure_diverges",
    title="arena 0: the block at +40 is 48 bytes free, predicted 64 bytes free",
    trace=("policy best_fit", "a = malloc(40)", "free(a)", "b = malloc(8)"),
    replay="heapster replay 'policy best_fit; a = malloc(40); free(a); b = malloc(8)'",
    breaking=2,
    noticing=3,
    before="best_fit, threshold 131072\narena 0\n  +40 #48=a",
    after="best_fit, threshold 131072\narena 0\n  +40 .48",
    passes="with `b = malloc(9)` in place of `b = malloc(8)` it passes",
    details=("boundary_tags_agree: +40 has size 48 and footer 64",),
)
PASSED = Run("fuzz", "sim", 7, Verdict.PASSED, 1.23456, 1200, checks={"contents": 1200, "statistics": 0},
             witnesses={"top_was_trimmed": 3, "realloc_moved": 0}, extra={"examples": 12, "not_checked": ["the moon"]})
FAILED = Run("fuzz", "sim", 7, Verdict.FAILED, 1.0, 4, (FINDING,), checks={"contents": 4, "structure_diverges": 4})
INTERRUPTED = Run("fuzz", "sim", 7, Verdict.INCONCLUSIVE, 1.0, 4, extra={"interrupted": True})
NOTHING = Run("fuzz", "sim", 7, Verdict.INCONCLUSIVE, 0.0, 0)
RUNS = (PASSED, FAILED, INTERRUPTED, NOTHING)
