"""Each invariant has a heap that breaks it, and only it."""

from collections.abc import Callable
from typing import Any

import pytest

from heapster.model.geometry import HEADER
from heapster.model.heap import Arena, Bin, Block, Cache, Heap, Lately, Region, Stack
from heapster.model.invariants import ALWAYS, Violation, violations
from heapster.model.sketch import heap

Breaking = Callable[[Heap], Heap]
SOUND = "#64 .32 #48 .96 | #48 .64 || - || #32 .48 ; #8192 .4096"


def arena(heap_: Heap, **changes: Any) -> Heap:
    """The heap with its first arena changed."""
    return heap_._replace(arenas=(heap_.arenas[0]._replace(**changes), *heap_.arenas[1:]))


def region(heap_: Heap, **changes: Any) -> Heap:
    """The heap with the oldest region of its first arena changed."""
    newer, oldest = heap_.arenas[0].regions[:-1], heap_.arenas[0].regions[-1]
    return arena(heap_, regions=(*newer, oldest._replace(**changes)))


def block(index: int, **changes: Any) -> Breaking:
    """Change one block of the first arena's oldest region."""
    def change(heap_: Heap) -> Heap:
        blocks = list(heap_.arenas[0].regions[-1].blocks)
        blocks[index] = blocks[index]._replace(**changes)
        return region(heap_, blocks=tuple(blocks))
    return change


def fence(**changes: Any) -> Breaking:
    """Change the fence of the first arena's oldest region."""
    return lambda heap_: region(heap_, fence=heap_.arenas[0].regions[-1].fence._replace(**changes))


def payload(heap_: Heap, index: int, of: int = 0) -> int:
    """The payload of a block of an arena's oldest region."""
    arena_ = next(a for a in heap_.arenas if a.index == of)
    return arena_.regions[-1].blocks[index].address + HEADER


def remote(heap_: Heap, payloads: list[int]) -> Heap:
    """The heap with these on the first arena's remote list."""
    return arena(heap_, remote=Stack(len(payloads), tuple(payloads)))


def cached(heap_: Heap, size: int, payloads: list[int], limit: int = 8) -> Heap:
    """The heap with one cache of one bin."""
    bin_ = Bin(size, limit, False, Stack(len(payloads), tuple(payloads)))
    return heap_._replace(caches=(Cache(0, (bin_,), (0, 0, 0, 0, 0)),))


def ledger(**changes: Any) -> Breaking:
    """Change the first arena's totals."""
    return lambda heap_: arena(heap_, ledger=heap_.arenas[0].ledger._replace(**changes))


def shift(value: Block | Region, by: int) -> Any:
    """The same, elsewhere."""
    return value._replace(address=value.address + by)


def misalign(_: Heap) -> Heap:
    """A heap whose only region starts 8 bytes later than it should, with all that is in it."""
    heap_ = heap("#64 #32")
    old = heap_.arenas[0].regions[0]
    blocks = tuple(shift(b, 8) for b in old.blocks)
    moved = old._replace(address=old.address + 8, blocks=blocks, fence=shift(old.fence, 8),
                         fence_region=old.address + 8, end=old.end + 8)
    size = moved.end - moved.start
    found = heap_.arenas[0].ledger._replace(held=size)
    return arena(heap_, regions=(moved,), top=moved.address, brk=moved.end, ledger=found)._replace(
        system=((moved.start, moved.end),))


def overlap(_: Heap) -> Heap:
    """A mapping within a region."""
    heap_ = heap("#64 .8192 ; .4096")
    start = heap_.arenas[0].regions[0].start
    (moved,) = (mapped._replace(start=start, address=start + 40) for mapped in heap_.mapped)
    return heap_._replace(mapped=(moved,), mapped_backward=(moved.address,), system=heap_.system[:1])


def twice(heap_: Heap) -> Heap:
    """A free block listed twice, both ways."""
    listed = heap_.arenas[0].forward
    return arena(heap_, forward=(*listed, listed[0]), backward=(listed[0], *listed[::-1]))


def unlisted(heap_: Heap) -> Heap:
    """A free block that is not on the list."""
    listed = heap_.arenas[0].forward
    return arena(heap_, forward=listed[1:], backward=listed[:0:-1])


def listed_used(heap_: Heap) -> Heap:
    """A used block on the list."""
    listed = (*heap_.arenas[0].forward, heap_.arenas[0].regions[-1].blocks[0].address)
    return arena(heap_, forward=listed, backward=listed[::-1])


def segregated(heap_: Heap, *classes: tuple[int, int]) -> Heap:
    """The heap with the first arena's free blocks, of 32, 64 and 96 bytes, listed by these classes."""
    first, last, middle = heap_.arenas[0].forward
    listed = (first, middle, last)
    return arena(heap_, forward=listed, backward=listed[::-1], classes=classes)


def gap(_: Heap) -> Heap:
    """Sixteen bytes that belong to no block."""
    heap_ = heap("#64 #32 #48")
    return block(1, address=heap_.arenas[0].regions[0].blocks[1].address + 16)(heap_)


def early_fence(heap_: Heap) -> Heap:
    """A fence before the last block's end, in a region that is as much smaller."""
    old = heap_.arenas[0].regions[-1]
    end = old.end - 16
    held = heap_.arenas[0].ledger._replace(held=heap_.arenas[0].ledger.held - 16)
    shorter = region(heap_, fence=shift(old.fence, -16), end=end)
    return arena(shorter, ledger=held)._replace(
        system=tuple((s, e - 16 if s == old.start else e) for s, e in heap_.system))


def slack(heap_: Heap) -> Heap:
    """A region that leaves 16 bytes behind its fence unused."""
    old = heap_.arenas[0].regions[-1]
    held = heap_.arenas[0].ledger._replace(held=heap_.arenas[0].ledger.held + 16)
    longer = region(heap_, end=old.end + 16)
    return arena(longer, ledger=held)._replace(
        system=tuple((s, e + 16 if s == old.start else e) for s, e in heap_.system))


def break_in_another_arena(heap_: Heap) -> Heap:
    """Arena 2 with a region from sbrk."""
    main, other = heap_.arenas
    wrong = other._replace(regions=(other.regions[0]._replace(kind="sbrk"),))
    return heap_._replace(arenas=(main, wrong))


def mapping(**changes: Any) -> Breaking:
    """Change the newest mapped block."""
    return lambda heap_: heap_._replace(mapped=(heap_.mapped[0]._replace(**changes), *heap_.mapped[1:]))


def short_lead(heap_: Heap) -> Heap:
    """A mapped block without room for its list node."""
    near = heap_.mapped[0].start + 24
    return mapping(address=near)(heap_)._replace(mapped_backward=(near, *heap_.mapped_backward[1:]))


def apart(_: Heap) -> Heap:
    """Two kept mappings side by side."""
    heap_ = heap("; .8192")
    (whole,) = heap_.mapped
    parts = whole._replace(length=4096), whole._replace(address=whole.start + 4096, start=whole.start + 4096,
                                                        length=4096)
    return heap_._replace(mapped=parts, mapped_backward=(parts[1].address, parts[0].address),
                          mapped_ledger=heap_.mapped_ledger._replace(free_blocks=2, calls=(2, 0, 0, 0, 2)))


def crooked(heap_: Heap) -> Heap:
    """Another order along the prev links."""
    return arena(heap_, backward=heap_.arenas[0].backward[::-1])


BREAKING: list[tuple[str, str, Breaking]] = [
    ("blocks_tile_their_region", "a gap and an overlap", gap),
    ("blocks_tile_their_region", "the last block reaches over the fence", early_fence),
    ("blocks_are_aligned", "8 bytes off", misalign),
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
    ("only_the_main_arena_moves_the_break", "arena 2", break_in_another_arena),
    ("only_the_main_arena_moves_the_break", "kind", lambda h: region(h, kind="brk")),
    ("the_top_region_ends_at_the_break", "break", lambda h: arena(h, brk=h.arenas[0].brk - 4096)),
    ("the_top_region_ends_at_the_break", "no region", lambda h: arena(h, top=h.arenas[0].top + 16)),
    ("the_top_region_ends_at_the_break", "older one", lambda h: arena(h, top=h.arenas[0].regions[1].address)),
    ("free_list_is_exactly_the_free_blocks", "missing", unlisted),
    ("free_list_is_exactly_the_free_blocks", "twice", twice),
    ("free_list_is_exactly_the_free_blocks", "used", listed_used),
    ("free_list_is_linked_both_ways", "order", crooked),
    ("free_list_is_linked_both_ways", "cut", lambda h: arena(h, backward=h.arenas[0].backward[:-1])),
    ("free_blocks_are_in_their_class", "its neighbour's", lambda h: segregated(h, (0, 1), (2, 1), (5, 1))),
    ("classes_are_marked_while_they_have_blocks", "empty", lambda h: segregated(h, (0, 1), (1, 0), (2, 1), (4, 1))),
    ("cursor_is_on_the_list", "used", lambda h: arena(h, cursor=h.arenas[0].regions[-1].blocks[0].address)),
    ("mapped_list_is_linked_both_ways", "cut", lambda h: h._replace(mapped_backward=h.mapped_backward[1:])),
    ("mapped_list_is_linked_both_ways", "kept", lambda h: h._replace(mapped_backward=h.mapped_backward[:-1])),
    ("mapped_blocks_fit_their_mappings", "lead", short_lead),
    ("kept_mappings_are_joined", "side by side", apart),
    ("kept_mappings_keep_to_their_bounds", "more than may be", lambda h: h._replace(keep=4095)),
    ("kept_mappings_keep_to_their_bounds", "more than lately", lambda h: h._replace(lately=Lately(8192))),
    ("kept_mappings_keep_to_their_bounds", "used more than lately", lambda _: heap("; #8192")._replace(
        lately=Lately(4096))),
    ("kept_mappings_keep_to_their_bounds", "too many", lambda _: heap("; " + " ".join(["#8192", *[".4096"] * 17]))),
    ("ledgers_equal_recomputed_totals", "held", ledger(held=1)),
    ("ledgers_equal_recomputed_totals", "used bytes", ledger(used_bytes=0)),
    ("ledgers_equal_recomputed_totals", "free blocks", ledger(free_blocks=2)),
    ("ledgers_equal_recomputed_totals", "mapped", lambda h: h._replace(
        mapped_ledger=h.mapped_ledger._replace(used_bytes=12288, free_bytes=0))),
    ("calls_are_counted", "below zero", ledger(calls=(9, 0, 0, 0, -1))),
    ("calls_are_counted", "too few", lambda h: h._replace(arenas=tuple(
        a._replace(ledger=a.ledger._replace(calls=(1, 0, 0, 0, 7))) for a in h.arenas))),
    ("regions_do_not_overlap", "mapping in a region", overlap),
    ("memory_is_accounted_for", "leaked", lambda h: h._replace(system=(*h.system, (1 << 50, 1 << 51)))),
    ("memory_is_accounted_for", "returned", lambda h: h._replace(system=h.system[1:])),
    ("locks_are_released", "held", lambda h: h._replace(held_locks=(1024,))),
    ("settings_are_legal", "policy", lambda h: h._replace(policy="last_fit")),
    ("settings_are_legal", "threshold", lambda h: h._replace(threshold=4095)),
    ("settings_are_legal", "growth", lambda h: h._replace(growth=5000)),
    ("settings_are_legal", "keep", lambda h: h._replace(keep=(1 << 46) + 1)),
    ("settings_are_legal", "cache", lambda h: h._replace(cache=-1)),
    ("cached_blocks_are_used", "free", lambda h: remote(h, [payload(h, 1)])),
    ("cached_blocks_are_used", "inside", lambda h: remote(h, [payload(h, 0) + 16])),
    ("bins_hold_blocks_of_their_size", "larger", lambda h: cached(h, 48, [payload(h, 0)])),
    ("bins_hold_blocks_of_their_size", "no such bin", lambda h: cached(h, 40, [])),
    ("remote_blocks_are_with_their_owner", "another's", lambda h: remote(h, [payload(h, 0, of=2)])),
    ("blocks_wait_in_one_place", "twice", lambda h: remote(h, [payload(h, 2), payload(h, 2)])),
    ("blocks_wait_in_one_place", "bin and list", lambda h: remote(cached(h, 64, [payload(h, 0)]), [payload(h, 0)])),
    ("stacks_count_their_blocks", "more", lambda h: arena(h, remote=Stack(2, (payload(h, 0),)))),
    ("stacks_count_their_blocks", "none", lambda h: arena(h, remote=Stack(1, ()))),
    ("caches_keep_to_their_limits", "too many", lambda h: cached(
        h, 48, [payload(h, 2), h.arenas[0].regions[0].blocks[0].address + HEADER], limit=1)),
    ("caches_keep_to_their_limits", "too much", lambda h: cached(h, 64, [], limit=1 << 15)),
    ("settings_are_legal", "arenas", lambda h: h._replace(arenas=h.arenas[::-1])),
]


@pytest.mark.parametrize(("name", "how", "spoil"), BREAKING, ids=[f"{row[0]}-{row[1]}" for row in BREAKING])
def test_a_heap_that_breaks_only_this(name: str, how: str, spoil: Breaking) -> None:
    """And is sound otherwise."""
    found = violations(spoil(heap(SOUND)))
    assert {violation.name for violation in found} == {name}, how
    assert all("0x" not in violation.message for violation in found)


def test_every_invariant_is_broken_by_some_heap() -> None:
    """None of them can only say yes."""
    assert {name for name, _, _ in BREAKING} == {invariant.__name__ for invariant in ALWAYS}
    assert len(ALWAYS) == len({invariant.__name__ for invariant in ALWAYS}) >= 12


@pytest.mark.parametrize("text", ["", SOUND, "()", "#32"])
def test_sound_heaps_are_sound(text: str) -> None:
    """Nothing is found where nothing is."""
    assert violations(heap(text)) == []


def test_a_prediction_knows_nothing_of_the_system() -> None:
    """So it is not held to account for the system's memory."""
    assert violations(heap(SOUND)._replace(system=())) == []


def test_messages_say_where() -> None:
    """By offsets."""
    assert violations(block(1, footer=48)(heap(SOUND))) == [
        Violation("boundary_tags_agree", "arena 0 region 0 +104 has size 32 and footer 48")]
    assert violations(heap("#64 .32 .48")) == [
        Violation("no_two_free_neighbours", "arena 0 +136 and its left neighbour are both free")]
    assert violations(ledger(used_bytes=0)(heap(SOUND))) == [
        Violation("ledgers_equal_recomputed_totals", "arena 0: used_bytes is 0, not 160")]


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
    names = {violation.name for violation in violations(value._replace(arenas=swapped))}
    assert names == {"free_list_is_exactly_the_free_blocks"}
