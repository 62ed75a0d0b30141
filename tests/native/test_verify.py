"""`impl.verify`: each invariant has a heap that breaks it, and the walk aborts with its name."""

from typing import Any

import pytest

from heapster.checkers.lockstep.calls import SHIPPED
from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.lockstep.verify_check import changed, disagreement, own_words, told
from heapster.impl import api, bins, classes, freelist, layout, retained, settings, stack, verify
from heapster.machine.protocol import Aborted
from heapster.machine.simulated import Simulated
from heapster.model.invariants import ALWAYS
from heapster.model.trace import parse
from heapster.native.headers import ABORT_NAMES, INVARIANTS

ARENA = layout.ARENAS


def heap() -> tuple[Simulated, list[int]]:
    """Five used blocks of 48 bytes, the second and fourth freed; two mapped blocks."""
    m = Simulated()
    settings.set_growth(m, layout.PAGE)
    pointers = [api.malloc(m, 40) for _ in range(5)]
    api.free(m, pointers[1])
    api.free(m, pointers[3])
    return m, [*pointers, api.malloc(m, 200_000), api.malloc(m, 300_000)]


def aborted(m: Simulated) -> str:
    m.refuel()
    with pytest.raises(Aborted) as raised:
        verify.verify(m)
    return ABORT_NAMES[raised.value.code]


def test_a_sound_heap_passes() -> None:
    m, pointers = heap()
    verify.verify(m)
    for p in (pointers[0], pointers[2], pointers[4], pointers[5], pointers[6]):
        api.free(m, p)
        verify.verify(m)
    assert m.held() == ()


def test_a_heap_that_keeps_mappings_passes() -> None:
    m, pointers = heap()
    retained.set_keep(m, 1 << 20)
    for p in (pointers[5], pointers[6]):
        api.free(m, p)
        verify.verify(m)
    assert m.load(m.statics() + layout.MAPPINGS + layout.FREE_BLOCKS) == 2


def test_an_untouched_heap_passes() -> None:
    verify.verify(Simulated())


def add(address: int, amount: int) -> Any:
    return lambda m, p: m.store(address + m.statics(), m.load(address + m.statics()) + amount)


def keep(m: Simulated, total: int, p: int, counted: int) -> None:
    """The used block at `p` alone in the bin of that size, counted as so many."""
    stack.set_below(m, p, 0)
    m.store(bins.bin_of(m.thread(), total), p + counted * layout.COUNT_ONE)


def misplace(m: Simulated) -> None:
    """The free blocks of 48 bytes on the list of another class."""
    freelist.segregate(m, m.statics() + ARENA)
    ours, other = (classes.class_head(m.statics() + ARENA, index) for index in (1, 7))
    classes.open_class(m, m.statics() + ARENA, 7)
    for link, back in ((layout.NEXT, layout.PREV), (layout.PREV, layout.NEXT)):
        m.store(other + link, m.load(ours + link))
        m.store(m.load(ours + link) + back, other)
    classes.close_class(m, m.statics() + ARENA, 1)


def mark(m: Simulated) -> None:
    """A class that has no blocks is marked."""
    freelist.segregate(m, m.statics() + ARENA)
    classes.open_class(m, m.statics() + ARENA, 7)


def keep_too_much(m: Simulated, p: list[int]) -> None:
    """A mapping is kept, and then none may be."""
    retained.set_keep(m, 1 << 20)
    api.free(m, p[5])
    m.store(m.statics() + layout.KEEP_BYTES, 0)


BREAKS = {
    "sizes_are_legal": lambda m, p: m.store(p[2] - 8, 3),
    "blocks_tile_their_region": lambda m, p: m.store(p[4] - 8, 1 << 20 | layout.USED),
    "no_two_free_neighbours": lambda m, p: m.store(p[2] - 8, m.load(p[2] - 8) & ~layout.USED),
    "boundary_tags_agree": lambda m, p: m.store(p[2] - 16, 64),
    "flags_agree_with_neighbours": lambda m, p: m.store(p[2] - 8, m.load(p[2] - 8) | layout.PREV_USED),
    "owners_are_right": lambda m, p: m.store(p[2] - 8, m.load(p[2] - 8) | 5 * layout.OWNER_ONE),
    "fences_end_their_regions": lambda m, p: m.store(m.brk - 16, 8),
    "the_top_region_ends_at_the_break": add(ARENA + layout.BREAK, layout.PAGE),
    "free_list_is_exactly_the_free_blocks":
        lambda m, p: (m.store(m.load(p[1] + 8) + 8, m.load(p[1])), m.store(m.load(p[1]) + 16, m.load(p[1] + 8))),
    "free_list_is_linked_both_ways": lambda m, p: m.store(p[1] + 8, p[1] - 8),
    "free_blocks_are_in_their_class": lambda m, p: misplace(m),
    "classes_are_marked_while_they_have_blocks": lambda m, p: mark(m),
    "cursor_is_on_the_list": lambda m, p: m.store(m.statics() + ARENA + layout.CURSOR, p[0] - 8),
    "ledgers_equal_recomputed_totals": add(ARENA + layout.USED_BYTES, 16),
    "mapped_list_is_linked_both_ways": lambda m, p: m.store(p[5] - 24, p[5]),
    "mapped_blocks_fit_their_mappings": lambda m, p: m.store(p[5] - 16, 48),
    "kept_mappings_keep_to_their_bounds": keep_too_much,
    "bins_hold_blocks_of_their_size": lambda m, p: keep(m, 64, p[0], 1),
    "stacks_count_their_blocks": lambda m, p: keep(m, 48, p[0], 2),
}


@pytest.mark.parametrize("invariant", sorted(BREAKS))
def test_each_invariant_is_noticed(invariant: str) -> None:
    m, pointers = heap()
    BREAKS[invariant](m, pointers)
    assert aborted(m) == invariant


def test_the_names_are_the_models_and_each_is_tried() -> None:
    known = {check.__name__ for check in ALWAYS}
    assert {name.lower() for name in INVARIANTS} == set(BREAKS)
    assert set(BREAKS) <= known


def test_a_list_that_does_not_come_back_to_its_head_is_noticed() -> None:
    """Both its blocks are linked both ways, with each other."""
    m, p = heap()
    for one, other in ((p[1], p[3]), (p[3], p[1])):
        m.store(one, other - 8)
        m.store(one + 8, other - 8)
    assert aborted(m) == "free_list_is_exactly_the_free_blocks"


# Held against the model: any word of a heap is changed, and both say whether it still is one.

HEAPS = (
    "growth 4096; threshold 100000; a = malloc(40); b = malloc(5000); foreign_sbrk(16); c = malloc(9000); free(a)",
    "policy next_fit; a = malloc(40); b = malloc(40); c = malloc(40); free(a); d = malloc(20); e = malloc(24); free(d)",
    "policy segregated_fit; a = malloc(40); b = malloc(600); c = malloc(40); d = malloc(24); free(a); free(b); free(d)",
    "arenas 2; a = malloc(100); thread 1; b = malloc(40); c = malloc(100); free(b)",
    "threshold 4096; keep 100000; a = malloc(9000); b = malloc(20000); c = malloc(5000); free(a); free(b)",
    ("threshold 4096; keep 100000; a = malloc(9000); b = malloc(9000); c = malloc(5000); free(b); "
     "fail munmap 1; keep 0; d = malloc(5000); keep 100000; free(d)"),
    "cache 1000; a = malloc(24); b = malloc(24); c = malloc(100); d = malloc(600); free(a); free(b); free(c); free(d)",
)


def taken(text: str) -> Simulated:
    """The machine after a trace."""
    lockstep = Lockstep(Simulated())
    for step in parse(text):
        assert lockstep.take(step) == []
    m: Simulated = lockstep.m
    return m


@pytest.mark.parametrize("text", HEAPS)
def test_it_tells_of_a_changed_word_what_the_model_tells(text: str) -> None:
    m = taken(text)
    assert told(SHIPPED, m, m.threads()) == ""
    assert [found for address in own_words(m) for word in changed(m.words[address])
            for found in disagreement(SHIPPED, m, address, word)] == []
