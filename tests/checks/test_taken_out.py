"""Nothing that judges may be taken out, or bent, without a witness that notices.

Each change of each function of a module is made in turn. What no witness notices is either listed here,
with the reason why nothing could, or a check that nothing holds to account.
"""

from collections.abc import Callable
from types import ModuleType

import pytest

from heapster.checkers.lockstep import calls, decode, lockstep, payload_pattern, stats_check
from heapster.model import invariants, live, spec
from tests.checks import witnesses
from tests.checks.mutants import Mutant, is_noticed, mutants, rewritten, survivors
from tests.checks.unseen import UNSEEN

HELD: tuple[tuple[ModuleType, Callable[[], None]], ...] = (
    (spec, witnesses.specification), (live, witnesses.live_blocks), (invariants, witnesses.invariants),
    (decode, witnesses.decoding), (lockstep, witnesses.lockstep), (payload_pattern, witnesses.lockstep),
    (calls, witnesses.lockstep), (stats_check, witnesses.lockstep))
QUICK = (spec, live, invariants, stats_check)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")     # Endless, amid a collection
@pytest.mark.parametrize(("module", "witness"), [
    pytest.param(module, witness, id=module.__name__, marks=() if module in QUICK else pytest.mark.faults)
    for module, witness in HELD])
def test_every_change_is_noticed(module: ModuleType, witness: Callable[[], None]) -> None:
    found, known = survivors(module, witness), UNSEEN[module.__name__.rpartition(".")[2]]
    assert [name for name in found if name not in known] == [], "no witness notices"
    assert [name for name in known if name not in found] == [], "it is noticed now, or no longer there"


def test_a_change_is_planted_only_while_it_is_looked_for() -> None:
    def answer() -> None:
        assert live.Held(1, 0).extent == 1

    (less,) = (mutant for mutant in mutants(live) if mutant.name == "Held.extent: 1 -> 0")
    assert is_noticed(less, answer)
    answer()


WITNESS = dict(HELD)
BY_HAND: tuple[tuple[ModuleType, str, str, str], ...] = (         # changes that went unnoticed, and their like
    (spec, "_alignment", "asked > least and", "asked not in (32, least) and"),
    (spec, "allowed_errors", "alignment <= PAGE", "alignment < PAGE"),
    (spec, "_block", "pointer + extent > end", "pointer + extent > end + 1"),
    (spec, "_usable_size", "usable < held.usable", "usable < held.usable - 1"),
    (spec, "_end_of_memory", "promises.bits", "64"),
    (decode, "_regions", "load(region + layout.REGION_PREV) != newer", "False"),
    (decode, "_blocks", "(header & BODY) >> 48", "(header & BODY) >> 48 & 31"),
    (invariants, "calls_are_counted", "blocks > allocations", "blocks > allocations + 1"),
    (invariants, "memory_is_accounted_for", "known != given", "_bytes(known) != _bytes(given)"),
    (invariants, "bins_hold_blocks_of_their_size", "sizes != sorted(set(sizes))", "len(sizes) != len(set(sizes))"),
    (invariants, "ledgers_equal_recomputed_totals", "arena.ledger[:5] != walked",
     "sum(arena.ledger[:5]) != sum(walked)"),
    (invariants, "free_list_is_linked_both_ways", "arena.backward[::-1]", "tuple(sorted(arena.backward))"),
)


@pytest.mark.parametrize(("module", "function", "old", "new"), BY_HAND, ids=[f"{row[1]}-{row[2]}" for row in BY_HAND])
def test_what_went_unnoticed_once_is_noticed(module: ModuleType, function: str, old: str, new: str) -> None:
    assert is_noticed(rewritten(module, function, old, new), WITNESS[module])


@pytest.mark.parametrize("name", [
    "blocks_tile_their_region: yield f'the last block ends at {place(heap, expected)}, not at the fence' -> nothing",
    "calls_are_counted: blocks > allocations -> GtE", "calls_are_counted: if blocks > allocations -> False",
    "memory_is_accounted_for: known != given -> Eq",
    "bins_hold_blocks_of_their_size: sorted(set(sizes)) -> set(sizes)"])
def test_changes_are_of_every_kind(name: str) -> None:
    assert name in {mutant.name for mutant in mutants(invariants)}


def test_what_goes_round_for_ever_is_noticed() -> None:
    def wait() -> None:
        while True:
            pass

    assert is_noticed(Mutant("", live.Live.clear, live.Live.clear.__code__), wait)
