"""In which order a stranger's findings are told: what harms memory in ordinary use first, matters of form last."""

from collections.abc import Iterable

from heapster.checkers.blackbox.known_faults import FATAL
from heapster.checkers.blackbox.recipe import read_recipe
from heapster.model.operation import NO_HANDLE, Step
from heapster.model.operations import RELEASING, REQUESTS, requested
from heapster.results import Finding

DAMAGE = frozenset({            # memory is harmed, or is about to be: other findings may be what comes of it
    "overlap", "contents_damaged", "prefix_lost", "outside_region", "touched_outside", "foreign_memory_harmed",
    "failed_realloc_changed_block", "usable_too_large", "block_too_small", "unusable_block", "writes_into_live_block",
    "outside_its_memory", "block_vanished", "race_damage"})
OF_FORM = frozenset({"wrong_errno", "null_without_errno", "free_changed_errno", "errno_clobbered", "usable_of_null",
                     "zero_size_inconsistent", "out_word_changed"})
LARGE = 1 << 30                 # bytes: who asks for more tries the limits, those of an int first
HARMS, ENDS, ANSWERS, AT_LIMITS, FORM = range(5)


def rank(finding: Finding) -> int:
    """HARMS, ENDS or ANSWERS wrongly in ordinary use; AT_LIMITS only; or a matter of FORM."""
    if finding.code in OF_FORM:
        return FORM
    recipe = read_recipe(finding.trace)
    if recipe is not None and any(map(_is_unusual, recipe.trace)):
        return AT_LIMITS
    return HARMS if finding.code in DAMAGE else ENDS if finding.code in FATAL else ANSWERS


def is_grave(finding: Finding) -> bool:
    """Whether it is told as soon as it is found: no later finding is its cause."""
    return rank(finding) <= ENDS


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Causes before consequences: by rank, and within one as they were found."""
    return tuple(sorted(findings, key=rank))


def _is_unusual(step: Step) -> bool:
    """A step that seldom occurs in programs: a size near the limits or none, NULL given back, a refusing system."""
    if step.verb in RELEASING:
        return step.operand == NO_HANDLE
    return step.verb == "fail" or step.verb in REQUESTS and not 0 < requested(step) < LARGE
