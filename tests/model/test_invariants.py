"""Each invariant has a heap that breaks it, and only it."""

import pytest

from heapster.model.geometry import (
    HEADER,
    MAPPED_LEAD,
    MAX_ARENAS,
    MAX_CACHE,
    MAX_REQUEST,
    MAX_RETAINED,
    MIN_THRESHOLD,
    MOST_REMOTE,
    MOST_SENT,
    PAGE,
)
from heapster.model.heap import UNTAKEN, Arena, Cache, Lately, Stack
from heapster.model.invariants import ALWAYS, violations
from heapster.model.runs import NO_RUNS
from heapster.model.sketch import heap
from tests.model.spoilt import (
    Breaking,
    apart,
    arena,
    beside,
    binned,
    block,
    break_in_another_arena,
    cached,
    counted,
    crooked,
    crooked_mappings,
    early_fence,
    fence,
    gap,
    ledger,
    listed_used,
    long_list,
    mapped_at,
    misalign,
    moved_mapping,
    nested,
    overlap,
    owned_by,
    payload,
    reaching,
    region,
    remote,
    resized_mapping,
    segregated,
    short_lead,
    slack,
    twice,
    unlisted,
    untaken,
)

SOUND = "#64 .32 #48 .96 | #48 .64 || - || #32 .48 ; #8192 .4096"


BREAKING: list[tuple[str, str, Breaking]] = [
    ("blocks_tile_their_region", "a gap and an overlap", gap),
    ("blocks_tile_their_region", "the last block reaches over the fence", early_fence),
    ("blocks_are_aligned", "8 bytes off", misalign),
    ("blocks_are_aligned", "mapped", lambda h: mapped_at(h, 64)),
    ("sizes_are_legal", "too small", lambda _: heap("#64 #16 #48")),
    ("sizes_are_legal", "no multiple", lambda _: heap("#64 #40")),
    ("no_two_free_neighbours", "side by side", lambda _: heap("#64 .32 .48")),
    ("boundary_tags_agree", "wrong footer", block(1, footer=48)),
    ("boundary_tags_agree", "a used block's footer", block(0, footer=64)),
    ("flags_agree_with_neighbours", "first block", block(0, prev_used=False)),
    ("flags_agree_with_neighbours", "after a free one", block(2, prev_used=True)),
    ("flags_agree_with_neighbours", "after a used one", block(1, prev_used=False)),
    ("flags_agree_with_neighbours", "fence", fence(prev_used=True)),
    ("owners_are_right", "block", block(1, owner=2)),
    ("owners_are_right", "fence", fence(owner=1)),
    ("fences_end_their_regions", "free", fence(used=False)),
    ("fences_end_their_regions", "sized", fence(size=32)),
    ("fences_end_their_regions", "names another", lambda h: region(h, fence_region=h.arenas[0].top)),
    ("regions_use_what_they_were_given", "behind the fence", slack),
    ("regions_use_what_they_were_given", "before the record", lambda h: reaching(h, -16)),
    ("regions_use_what_they_were_given", "begins before its memory", lambda h: reaching(h, 1)),
    ("regions_use_what_they_were_given", "ends behind its memory", lambda h: reaching(h, 0, -1)),
    ("only_the_main_arena_moves_the_break", "arena 2", break_in_another_arena),
    ("only_the_main_arena_moves_the_break", "kind", lambda h: region(h, kind="brk")),
    ("the_top_region_ends_at_the_break", "break", lambda h: arena(h, brk=h.arenas[0].brk - 4096)),
    ("the_top_region_ends_at_the_break", "not from sbrk", lambda h: region(h, kind="mmap")._replace(
        arenas=(region(h, kind="mmap").arenas[0]._replace(top=h.arenas[0].regions[1].address,
                                                          brk=h.arenas[0].regions[1].end), h.arenas[1]))),
    ("the_top_region_ends_at_the_break", "no region", lambda h: arena(h, top=h.arenas[0].top + 16)),
    ("the_top_region_ends_at_the_break", "older one", lambda h: arena(h, top=h.arenas[0].regions[1].address)),
    ("free_list_is_exactly_the_free_blocks", "missing", unlisted),
    ("free_list_is_exactly_the_free_blocks", "twice", twice),
    ("free_list_is_exactly_the_free_blocks", "used", listed_used),
    ("free_list_is_exactly_the_free_blocks", "used, by class", lambda h: segregated(
        listed_used(h), (0, 1), (2, 1), (4, 2))),
    ("free_list_is_linked_both_ways", "order", crooked),
    ("free_list_is_linked_both_ways", "cut", lambda h: arena(h, backward=h.arenas[0].backward[:-1])),
    ("free_blocks_are_in_their_class", "its neighbour's", lambda h: segregated(h, (0, 1), (2, 1), (5, 1))),
    ("classes_are_marked_while_they_have_blocks", "empty", lambda h: segregated(h, (0, 1), (1, 0), (2, 1), (4, 1))),
    ("cursor_is_on_the_list", "used", lambda h: arena(h, cursor=h.arenas[0].regions[-1].blocks[0].address)),
    ("mapped_list_is_linked_both_ways", "cut", lambda h: h._replace(mapped_backward=h.mapped_backward[1:])),
    ("mapped_list_is_linked_both_ways", "kept", lambda h: h._replace(mapped_backward=h.mapped_backward[:-1])),
    ("mapped_list_is_linked_both_ways", "used, in another order", lambda _: crooked_mappings("; #8192 #4096")),
    ("mapped_list_is_linked_both_ways", "kept, in another order", lambda _: crooked_mappings("; .8192 .4096")),
    ("mapped_blocks_fit_their_mappings", "lead", short_lead),
    ("mapped_blocks_fit_their_mappings", "no room", lambda h: mapped_at(h, 8192 - 8)),
    ("mapped_blocks_fit_their_mappings", "half a page", lambda _: resized_mapping(6144)),
    ("mapped_blocks_fit_their_mappings", "not at a page", lambda _: moved_mapping(2048)),
    ("kept_mappings_are_joined", "side by side", apart),
    ("kept_mappings_keep_to_their_bounds", "more than may be", lambda h: h._replace(keep=4095)),
    ("kept_mappings_keep_to_their_bounds", "more than lately", lambda h: h._replace(lately=Lately(8192))),
    ("kept_mappings_keep_to_their_bounds", "used more than lately", lambda _: heap("; #8192")._replace(
        lately=Lately(4096))),
    ("kept_mappings_keep_to_their_bounds", "used a little more than lately", lambda _: heap("; #32768")._replace(
        lately=Lately(28672))),
    ("kept_mappings_keep_to_their_bounds", "too many", lambda _: heap("; " + " ".join(["#8192", *[".4096"] * 17]))),
    ("kept_mappings_keep_to_their_bounds", "more than of late, though less than before that", lambda _: heap(
        "; #8192")._replace(lately=Lately(4096, 4096, 8192))),
    ("ledgers_equal_recomputed_totals", "held", ledger(held=1)),
    ("ledgers_equal_recomputed_totals", "used bytes", ledger(used_bytes=0)),
    ("ledgers_equal_recomputed_totals", "as many bytes in all", lambda h: ledger(
        used_bytes=h.arenas[0].ledger.used_bytes + 32, free_bytes=h.arenas[0].ledger.free_bytes - 32)(h)),
    ("ledgers_equal_recomputed_totals", "free blocks", ledger(free_blocks=2)),
    ("ledgers_equal_recomputed_totals", "mapped", lambda h: h._replace(
        mapped_ledger=h.mapped_ledger._replace(used_bytes=12288, free_bytes=0))),
    ("calls_are_counted", "below zero", ledger(calls=(9, 0, 0, 0, -1))),
    ("calls_are_counted", "a kind too few", ledger(calls=(9, 0, 0, 0))),
    ("calls_are_counted", "one block more than calls", lambda _: counted("#32 #32", (1, 0, 0, 0, 0))),
    ("calls_are_counted", "one block more than calls to free", lambda _: counted("#32", (0, 0, 0, 0, 1))),
    ("calls_are_counted", "mapped, one block more than calls", lambda h: h._replace(
        mapped_ledger=h.mapped_ledger._replace(calls=(0, 0, 0, 0, 9)))),
    ("calls_are_counted", "too few", lambda h: h._replace(arenas=tuple(
        a._replace(ledger=a.ledger._replace(calls=(1, 0, 0, 0, 7))) for a in h.arenas))),
    ("regions_do_not_overlap", "mapping in a region", overlap),
    ("regions_do_not_overlap", "one ends within the other", nested),
    ("memory_is_accounted_for", "as much, but elsewhere", lambda h: h._replace(
        system=(*h.system[1:], (1 << 50, (1 << 50) + h.system[0][1] - h.system[0][0])))),
    ("memory_is_accounted_for", "leaked, between regions", lambda h: h._replace(
        system=(*h.system, (h.system[0][1] + PAGE, h.system[0][1] + 2 * PAGE)))),
    ("memory_is_accounted_for", "leaked, right after a region", lambda h: h._replace(
        system=(*h.system, (h.system[1][1], h.system[1][1] + PAGE)))),
    ("memory_is_accounted_for", "leaked", lambda h: h._replace(system=(*h.system, (1 << 50, 1 << 51)))),
    ("memory_is_accounted_for", "returned", lambda h: h._replace(system=h.system[1:])),
    ("locks_are_released", "held", lambda h: h._replace(held_locks=(1024,))),
    ("settings_are_legal", "policy", lambda h: h._replace(policy="last_fit")),
    ("settings_are_legal", "threshold", lambda h: h._replace(threshold=4095)),
    ("settings_are_legal", "no growth", lambda h: h._replace(growth=0)),
    ("settings_are_legal", "growth", lambda h: h._replace(growth=5000)),
    ("settings_are_legal", "less than nothing", lambda h: h._replace(
        keep=-1, mapped=(h.mapped[0], h.mapped[1]._replace(mark=UNTAKEN)),
        mapped_ledger=h.mapped_ledger._replace(free_bytes=0, free_blocks=0))),
    ("settings_are_legal", "too large a cache", lambda h: h._replace(cache=MAX_CACHE + 1)),
    ("settings_are_legal", "one arena too many", lambda h: h._replace(
        arenas=(h.arenas[0], owned_by(h.arenas[1], MAX_ARENAS)))),
    ("settings_are_legal", "an arena below zero", lambda h: h._replace(
        arenas=(owned_by(h.arenas[1], -1), h.arenas[0]))),
    ("settings_are_legal", "two of an index", lambda h: h._replace(
        arenas=(h.arenas[0], owned_by(h.arenas[1], 0)))),
    ("settings_are_legal", "keep", lambda h: h._replace(keep=(1 << 46) + 1)),
    ("settings_are_legal", "cache", lambda h: h._replace(cache=-1)),
    ("cached_blocks_are_used", "free", lambda h: remote(h, [payload(h, 1)])),
    ("cached_blocks_are_used", "inside", lambda h: remote(h, [payload(h, 0) + 16])),
    ("bins_hold_blocks_of_their_size", "larger", lambda h: cached(h, 48, [payload(h, 0)])),
    ("bins_hold_blocks_of_their_size", "with spans", lambda h: cached(h, 64, [payload(h, 0)])._replace(runs=NO_RUNS)),
    ("bins_hold_blocks_of_their_size", "in another order", lambda h: binned(h, (48, 8), (32, 8))),
    ("bins_hold_blocks_of_their_size", "two of a size", lambda h: binned(h, (48, 8), (48, 8))),
    ("bins_hold_blocks_of_their_size", "no such bin", lambda h: cached(h, 40, [])),
    ("remote_blocks_are_with_their_owner", "another's", lambda h: remote(h, [payload(h, 0, of=2)])),
    ("blocks_wait_in_one_place", "twice", lambda h: remote(h, [payload(h, 2), payload(h, 2)])),
    ("blocks_wait_in_one_place", "bin and list", lambda h: remote(cached(h, 64, [payload(h, 0)]), [payload(h, 0)])),
    ("stacks_count_their_blocks", "more", lambda h: arena(h, remote=Stack(2, (payload(h, 0),)))),
    ("stacks_count_their_blocks", "none", lambda h: arena(h, remote=Stack(1, ()))),
    ("caches_keep_to_their_limits", "too many", lambda h: cached(
        h, 48, [payload(h, 2), h.arenas[0].regions[0].blocks[0].address + HEADER], limit=1)),
    ("caches_keep_to_their_limits", "too much", lambda h: cached(h, 64, [], limit=1 << 15)),
    ("caches_keep_to_their_limits", "not drained", lambda _: long_list(MOST_REMOTE + MOST_SENT)),
    ("settings_are_legal", "arenas", lambda h: h._replace(arenas=h.arenas[::-1])),
]


@pytest.mark.parametrize(("name", "how", "spoil"), BREAKING, ids=[f"{row[0]}-{row[1]}" for row in BREAKING])
def test_a_heap_that_breaks_only_this(name: str, how: str, spoil: Breaking) -> None:
    """And is sound otherwise."""
    found = violations(spoil(heap(SOUND)))
    assert {violation.code for violation in found} == {name}, how
    assert all("0x" not in violation.message for violation in found)


def test_every_invariant_is_broken_by_some_heap() -> None:
    """None of them can only say yes."""
    assert {name for name, _, _ in BREAKING} == {invariant.__name__ for invariant in ALWAYS}
    assert len(ALWAYS) == len({invariant.__name__ for invariant in ALWAYS}) >= 12


SOUND_ONES: list[tuple[str, Breaking]] = [
    ("nothing", lambda _: heap("")),
    ("all kinds", lambda h: h),
    ("an arena without a region", lambda _: heap("()")),
    ("one block", lambda _: heap("#32")),
    ("15 bytes at either end that alignment takes", lambda h: reaching(reaching(h, -15), 0, 15)),
    ("the cursor on the list", lambda h: arena(h, cursor=h.arenas[0].forward[0])),
    ("listed by class", lambda h: segregated(h, (0, 1), (2, 1), (4, 1))),
    ("as near to the start of a mapping as may be", lambda h: mapped_at(h, MAPPED_LEAD)),
    ("as near to its end", lambda h: mapped_at(h, 8192 - 24)),
    ("used and kept side by side", lambda _: beside("; #8192 .4096")),
    ("two used side by side", lambda _: beside("; #8192 #4096")),
    ("kept, and used right after it", lambda _: beside("; .4096 #8192")),
    ("kept, and kept a page after it", lambda _: beside("; .4096 .8192", PAGE)),
    ("memory of the system's that is nothing", lambda h: h._replace(system=(*h.system, (1 << 50, 1 << 50)))),
    ("memory of the system's in pieces", lambda h: h._replace(
        system=tuple(piece for s, e in h.system for piece in ((s, s + 64), (s + 32, e), (s + 64, s + 128))))),
    ("what the system does not take is not kept", lambda h: h._replace(
        keep=0, mapped=(h.mapped[0], h.mapped[1]._replace(mark=UNTAKEN)),
        mapped_ledger=h.mapped_ledger._replace(free_bytes=0, free_blocks=0))),
    ("some kept, and some that the system does not take", lambda _: untaken(heap(
        "; #65536 .4096 .8192 .4096 .8192"), 2)),
    ("kept right after what the system does not take", lambda _: untaken(beside("; .4096 .8192"), 1)),
    ("as many kept as may be", lambda _: heap("; " + " ".join(["#65536", *[".4096"] * MAX_RETAINED]))),
    ("more used before than now", lambda _: heap("; #8192")._replace(lately=Lately(4096, 8192, 0))),
    ("as many blocks as calls", lambda _: counted("#32 #32 #32 #32", (1, 1, 1, 1, 0))),
    ("a block that waits needs no call", lambda _: remote(counted("#32 #32", (1, 0, 0, 0, 0)), [
        payload(heap("#32"), 0)])),
    ("calls that a cache counts", lambda _: binned(counted("#32", (0, 0, 0, 0, 0)), (32, 1))._replace(
        caches=(Cache(0, (), (1, 0, 0, 0, 0)),))),
    ("a cache of bins", lambda h: binned(h, (32, 8), (48, 0), (64, MAX_CACHE // 64))),
    ("a bin of slots with blocks", lambda h: cached(h, 32, [payload(h, 2)])._replace(runs=NO_RUNS)),
    ("a full bin", lambda h: cached(h, 48, [payload(h, 2)], limit=1)),
    ("a bin that lost its limit", lambda h: cached(h, 48, [payload(h, 2)], limit=0)),
    ("a long remote list", lambda _: long_list(MOST_REMOTE + MOST_SENT - 1)),
    ("the least settings", lambda h: h._replace(threshold=MIN_THRESHOLD, growth=PAGE, cache=0)),
    ("the greatest settings", lambda h: h._replace(cache=MAX_CACHE, keep=MAX_REQUEST)),
    ("the last arena", lambda h: h._replace(arenas=(h.arenas[0], owned_by(h.arenas[1], MAX_ARENAS - 1)))),
    ("nothing kept and nothing to keep", lambda _: heap("; #8192")._replace(keep=0)),
]


@pytest.mark.parametrize(("how", "make"), SOUND_ONES, ids=[how for how, _ in SOUND_ONES])
def test_sound_heaps_are_sound(how: str, make: Breaking) -> None:
    """Nothing is found where nothing is."""
    assert violations(make(heap(SOUND))) == [], how


def test_a_prediction_knows_nothing_of_the_system() -> None:
    """So it is not held to account for the system's memory."""
    assert violations(heap(SOUND)._replace(system=())) == []


MESSAGES: list[tuple[Breaking, list[str]]] = [
    (block(1, footer=48), ["arena 0 region 0 +104 has size 32 and footer 48"]),
    (lambda _: heap("#64 .32 .48"), ["arena 0 +136 and its left neighbour are both free"]),
    (ledger(used_bytes=0), ["arena 0: used_bytes is 0, not 160"]),
    (ledger(free_blocks=2), ["arena 0: free_blocks is 2, not 3"]),
    (lambda h: h._replace(mapped_ledger=h.mapped_ledger._replace(free_bytes=7)), [
        "mapped blocks: free_bytes is 7, not 4096"]),
    (block(0, prev_used=False), ["arena 0 region 0 +40 takes its left neighbour for free"]),
    (block(2, prev_used=True), ["arena 0 region 0 +136 takes its left neighbour for used"]),
    (unlisted, ["free block arena 0 region 0 +104 is not on the list"]),
    (twice, ["arena 0 region 0 +104 is on the list twice"]),
    (listed_used, ["arena 0 region 0 +40 is on the list and no free block"]),
    (lambda h: h._replace(held_locks=(7,)), ["lock 7 is held"]),
    (lambda h: h._replace(held_locks=(PAGE,)), ["a lock is held"]),
    (lambda h: h._replace(system=h.system[:1]), [
        "the system gave 296 bytes in 1 piece, the heap knows of 12888 in 5"]),
    (nested, ["mapping 1 +0 overlaps its neighbour by 28672 bytes",
              "mapping 0 +0 overlaps its neighbour by 20480 bytes"]),
]


@pytest.mark.parametrize(("spoil", "messages"), MESSAGES)
def test_messages_say_where(spoil: Breaking, messages: list[str]) -> None:
    """By offsets."""
    assert [violation.message for violation in violations(spoil(heap(SOUND)))] == messages


def test_every_invariant_says_what_it_claims() -> None:
    """`explain` prints the docstring."""
    assert all(invariant.__doc__ for invariant in ALWAYS)


def test_adjacent_pieces_are_one() -> None:
    """Regions that abut are accounted for by one piece of the system's."""
    value = heap("#64")
    (old,) = value.arenas[0].regions
    middle = old.start + 64
    assert violations(value._replace(system=((middle, old.end), (old.start, middle)))) == []


def test_arenas_are_told_apart() -> None:
    """A list that names another arena's block is wrong in both."""
    value = heap("#64 .32 || .48")
    swapped: tuple[Arena, ...] = tuple(
        a._replace(forward=b.forward, backward=b.backward)
        for a, b in zip(value.arenas, value.arenas[::-1], strict=True))
    names = {violation.code for violation in violations(value._replace(arenas=swapped))}
    assert names == {"free_list_is_exactly_the_free_blocks"}
