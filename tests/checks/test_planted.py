"""What the lock-step can say is said of some planted fault, whatever says it."""

from heapster.checkers.lockstep.run_trace import on_source, rerun
from heapster.checkers.mutation.fault import one_edit, planted
from heapster.checkers.mutation.fuzz_faults import FAULTS
from heapster.model.invariants import ALWAYS
from heapster.model.rules import RULE
from heapster.model.trace import parse
from tests.checkers.test_codes import ROOT, first_arguments

SHRINKING = one_edit("less is usable of a mapped block that is not the newest", "mapping",
                     "- m.load(b + LEAD) - PAYLOAD\n\n",
                     "- m.load(b + LEAD) - PAYLOAD - (m.load(b + NODE + PREV) & PAYLOAD)\n\n",
                     "usable_shrank", 4)
CAUGHT = {fault.caught_by for fault in FAULTS}
BY_THE_WALK = {"blocks_tile_their_region"}      # decoding goes from block to block: what does not tile is undecodable
OF_STRANGERS = {"outside_region", "touched_outside", "foreign_memory_harmed"}   # rules that no machine of ours knows
TOO_RARE = {SHRINKING.caught_by}                # chance hardly ever asks twice how much is usable


def test_every_invariant_has_a_planted_fault() -> None:
    assert {invariant.__name__ for invariant in ALWAYS} - CAUGHT == BY_THE_WALK


def test_every_rule_of_the_specification_has_a_planted_fault() -> None:
    assert RULE.keys() - CAUGHT == OF_STRANGERS | TOO_RARE


def test_a_usable_size_that_shrinks_is_noticed_when_it_is_asked_for_again() -> None:
    trace = parse("threshold 4096; a = malloc(9000); b = malloc(9000); usable_size(a)")
    assert rerun(trace, on_source()).problems == ()
    assert SHRINKING.caught_by in rerun(trace, on_source(planted(SHRINKING))).codes


def test_all_else_that_the_lockstep_says_has_a_planted_fault() -> None:
    own = set(first_arguments(ROOT / "checkers" / "lockstep" / "lockstep.py", "Problem"))
    assert own
    assert own - CAUGHT == set()
