"""Nothing that judges may be taken out, or bent, without a witness that notices.

Each change of each function of a module is made in turn. What no witness notices is either listed here,
with the reason why nothing could, or a check that nothing holds to account.
"""

from collections.abc import Callable
from types import ModuleType

import pytest

from heapster.checkers import decode
from heapster.model import invariants, live, spec
from tests.checks import witnesses
from tests.checks.mutants import Mutant, is_noticed, mutants, rewritten, survivors

HELD: tuple[tuple[ModuleType, Callable[[], None]], ...] = (
    (spec, witnesses.specification), (live, witnesses.live_blocks), (invariants, witnesses.invariants),
    (decode, witnesses.decoding))

UNSEEN = {                      # changes that make no difference: why
    "spec": {
        "where_outside: stray < 0 -> LtE": "0 is no byte outside",
        "where_outside: 0 -> 1": "0 is no byte outside",
        "advance: if verb in REQUESTS -> True": "other verbs answer no pointer",
        "_block: pointer < PAGE -> LtE": "the first byte of the second page is no impossible address",
        "_block: 0 -> -1": "a request is no less",
        "_alignment: request < least -> LtE": "a power of two is the alignment of its own size",
        "_asked_alignment: 1 -> 0": "none is asked for, and none is less",
        "_asked_alignment: 1 -> 0 (2)": "none is asked for, and none is less",
    },
    "live": {
        "Held.extent: 0 -> 1": "an extent is at least 1",
        "Held.extent: 0 -> -1": "an extent is at least 1",
        "Live.__init__: 0 -> 1": "an extent is at least 1",
        "Live.__init__: 0 -> -1": "an extent is at least 1",
        "Live.overlapping: if held.pointer + self._longest <= pointer -> False": "it only saves time",
        "Live.overlapping: held.pointer + self._longest <= pointer -> Lt": "it only saves time",
    },
    "decode": {
        "_heap: s + ARENAS -> Sub (2)": "no record ends in the last bytes that it leaves out",
        "_arena: True -> False": "both are as long",
        "_marked: True -> False": "both are as long",
        "_cache: True -> False": "all are as long",
        "_cache: thread + layout.MY_ARENA -> Sub": "it is 0",
        "_nodes: len(found) > MOST_NODES or (found[len(found) // 2] == node and len(found) > 2) "
        "-> without found[len(found) // 2] == node and len(found) > 2": "it only saves time",
        "_nodes: 2 -> 3": "it only saves time",
        "_nodes: 2 -> 3 (2)": "it only saves time",
        "_regions: region + layout.REGION_NEXT -> Sub": "it is 0",
        "_blocks: 1 -> 2": "anything but 0",
    },
    "invariants": {
        "free_list_is_exactly_the_free_blocks: "
        "if len(arena.forward) != len(free) or free != set(arena.forward) -> True": "it only saves time",
        "free_list_is_exactly_the_free_blocks: set(arena.forward) -> arena.forward": "it only saves time",
        "_list_errors: sorted(free.difference(arena.forward)) -> free.difference(arena.forward)": "messages' order",
        "regions_do_not_overlap: 0 -> 1": "no region starts at 0",
        "regions_do_not_overlap: 0 -> -1": "no region starts at 0",
        "cached_blocks_are_used: sorted(waiting(heap)) -> waiting(heap)": "messages' order",
        "bins_hold_blocks_of_their_size: 0 -> 1": "of what is no used block, another invariant tells",
        "bins_hold_blocks_of_their_size: 0 -> -1": "of what is no used block, another invariant tells",
        "remote_blocks_are_with_their_owner: 0 -> 1": "of what is no used block, another invariant tells",
        "remote_blocks_are_with_their_owner: 0 -> -1": "of what is no used block, another invariant tells",
    },
}


@pytest.mark.parametrize(("module", "witness"), HELD, ids=[module.__name__ for module, _ in HELD])
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
    (decode, "_blocks", "header >> OWNER_SHIFT", "header >> OWNER_SHIFT & 63"),
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
