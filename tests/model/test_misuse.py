"""What a misuse may come to, and what must be noticed."""

import pytest

from heapster.model.geometry import MAX_REQUEST, SIZE_MAX
from heapster.model.heap import UNTAKEN, Heap, Stack
from heapster.model.live import Held, Live
from heapster.model.misuse import (
    ABORTS,
    FAULT,
    OUTCOMES,
    UNNOTICED,
    WORDS,
    Freed,
    HeaderWord,
    PointerKind,
    abort_name,
    classify,
)
from heapster.model.sketch import heap
from heapster.model.spec import Operation

HEAP = heap("#64 .96 #48 #32 ; #8192 .4096 .4096")
REGION = HEAP.arenas[0].regions[0]
USED, FREE, OTHER, SENT = REGION.blocks
HEAP = HEAP._replace(arenas=(HEAP.arenas[0]._replace(remote=Stack(1, (SENT.address + 8,))),))
HEAP = HEAP._replace(mapped=(*HEAP.mapped[:2], HEAP.mapped[2]._replace(mark=UNTAKEN)))
LIVE = Live([Held(USED.address + 8, 50, 56), Held(OTHER.address + 8, 40, 40),
             Held(HEAP.mapped[0].address + 8, 8000)])

CASES = [
    (PointerKind.MISALIGNED, USED.address + 9),
    (PointerKind.MISALIGNED, 24),
    (PointerKind.STALE, FREE.address + 8),
    (PointerKind.ABSORBED, FREE.address + 8 + 32),
    (PointerKind.ABSORBED, HEAP.mapped[1].start + 48),
    (PointerKind.EMPTIED, HEAP.mapped[2].start + 48),
    (PointerKind.INTERIOR, USED.address + 8 + 16),
    (PointerKind.INTERIOR, HEAP.mapped[0].address + 8 + 4096),
    (PointerKind.CACHED, SENT.address + 8),
    (PointerKind.RETURNED, REGION.end + (1 << 16) + (-REGION.end) % 16),
    (PointerKind.BETWEEN, REGION.start + 16),
    (PointerKind.RETURNED, REGION.end + 8),
    (PointerKind.BETWEEN, HEAP.mapped[0].start + 16),
]


@pytest.mark.parametrize(("kind", "pointer"), CASES)
def test_kinds(kind: PointerKind, pointer: int) -> None:
    """By where the pointer leads."""
    found = classify(HEAP, LIVE, Operation("free"), pointer)
    assert found is not None
    assert (found.kind, found.words) == (kind, WORDS[kind])
    assert found.must_be_noticed == (kind in (PointerKind.STALE, PointerKind.MISALIGNED, PointerKind.CACHED))


def test_every_kind_is_shown() -> None:
    """And has its words."""
    assert {kind for kind, _ in CASES} | {PointerKind.WRONG_SIZE,
                                          PointerKind.WRONG_ALIGNMENT} == set(PointerKind) == set(WORDS)


def test_what_the_system_gave_begins_before_a_regions_record() -> None:
    """Where its break was no multiple of 16."""
    (arena,) = HEAP.arenas
    early = HEAP._replace(arenas=(arena._replace(regions=(REGION._replace(start=REGION.start - 8),)),))
    found = [classify(one, LIVE, Operation("free"), REGION.start) for one in (early, HEAP)]
    assert [misuse and misuse.kind for misuse in found] == [PointerKind.BETWEEN, PointerKind.RETURNED]


def test_the_end_of_a_used_block_is_its_interior() -> None:
    """Even where the caller asked for less."""
    found = classify(HEAP, Live(), Operation("free"), USED.address + 8 + 48)
    assert found is not None
    assert found.kind is PointerKind.INTERIOR


@pytest.mark.parametrize(("verb", "pointer"), [
    ("free", 0), ("free", USED.address + 8), ("malloc", FREE.address + 8), ("realloc", OTHER.address + 8),
    ("stats", 8),
])
def test_what_is_no_misuse(verb: str, pointer: int) -> None:
    """NULL, live blocks, and verbs that take no pointer."""
    assert classify(HEAP, LIVE, Operation(verb, (8,)), pointer) is None


def test_a_double_free_is_a_double_free() -> None:
    """Nothing else will do."""
    found = classify(HEAP, LIVE, Operation("free"), FREE.address + 8)
    assert found is not None
    assert [outcome for outcome in sorted(OUTCOMES) if found.allows(outcome)] == ["double_free"]
    found = classify(HEAP, LIVE, Operation("free"), USED.address + 9)
    assert found is not None
    assert found.outcomes == {"invalid_pointer"}


@pytest.mark.parametrize(("header", "outcomes"), [
    (HeaderWord.UNKNOWN, OUTCOMES), (HeaderWord.STANDS, {"double_free", "invalid_pointer"}),
    (HeaderWord.PURGED, {"double_free", "invalid_pointer", FAULT})])
def test_an_absorbed_block_is_noticed_by_its_old_header(header: HeaderWord, outcomes: frozenset[str]) -> None:
    """Where no caller can have written over it; the allocator may, with a link, that has no checksum."""
    found = classify(HEAP, LIVE, Operation("free"), FREE.address + 40, header=header)
    assert found is not None
    assert found.outcomes == outcomes


def test_no_link_stands_where_a_mapped_block_had_its_header() -> None:
    found = classify(HEAP, LIVE, Operation("free"), HEAP.mapped[1].start + 48, header=HeaderWord.STANDS)
    assert found is not None
    assert (found.kind, found.outcomes) == (PointerKind.ABSORBED, frozenset({"double_free"}))


@pytest.mark.parametrize(("payload", "usable", "header"), [
    (64, 24, HeaderWord.UNKNOWN), (32, 24, HeaderWord.STANDS), (32, 25, HeaderWord.UNKNOWN), (80, 24,
                                                                                              HeaderWord.STANDS),
    (16, 1000, HeaderWord.UNKNOWN)])
def test_a_block_handed_out_over_a_header_may_change_it(payload: int, usable: int, header: HeaderWord) -> None:
    """The header of a payload at 64 lies at 56."""
    freed = Freed()
    freed.freed(64)
    freed.freed(64)
    freed.handed_out(payload, usable)
    assert freed.header(64) is header


def test_what_the_system_takes_is_no_longer_known() -> None:
    """What it may have taken reads as zero, or faults, until a block is freed there again."""
    freed = Freed()
    for payload in (32, 64, 96):
        freed.freed(payload)
    freed.given_back(16, 24 + 1)
    freed.purged(56, 88)
    assert [freed.header(payload) for payload in (32, 64, 96)] == [HeaderWord.UNKNOWN, HeaderWord.PURGED,
                                                                   HeaderWord.STANDS]
    freed.freed(64)
    assert freed.header(64) is HeaderWord.STANDS


@pytest.mark.parametrize(("verb", "asked", "certain"), [
    ("free", 1, True), ("realloc", 1, True), ("realloc", 0, True), ("reallocarray", MAX_REQUEST, True),
    ("realloc", MAX_REQUEST + 1, False), ("realloc", SIZE_MAX, False), ("usable_size", 1, False),
])
def test_only_who_looks_at_the_header_can_notice(verb: str, asked: int, certain: bool) -> None:
    """A request that is refused unseen is not."""
    numbers = (1, asked) if verb == "reallocarray" else (asked,)
    found = classify(HEAP, LIVE, Operation(verb, numbers), FREE.address + 8)
    assert found is not None
    assert found.must_be_noticed == certain


SIZED = heap("#64 #80 #576 #16 ; #20480 #8192 #12288")
SMALL, ODD, CLASSY, _ = SIZED.arenas[0].regions[0].blocks
TWO, ONE = (mapped.address + 8 for mapped in SIZED.mapped[:2])
FIVE = SIZED.mapped[2].address + 8
FRONT = ONE - SIZED.mapped[1].start


@pytest.mark.parametrize(("pointer", "alignment", "told", "untold"), [
    (SMALL.address + 8, None, (24, 57, 0, SIZE_MAX), (25, 40, 56)),            # from 48 bytes of block on
    (ODD.address + 8, None, (40, 73), (41, 56, 57, 72)),
    (CLASSY.address + 8, None, (504, 569), (505, 552, 568)),                   # its class has blocks from 528 on
    (CLASSY.address + 8, 64, (536, 569), (537, 568)),                          # no cached block is so aligned
    (ONE, None, (0, 2000, 8193 - FRONT), (8192 - FRONT, 4097 - FRONT)),
    (FIVE, None, (12288 - FRONT, 20481 - FRONT), (12289 - FRONT, 20480 - FRONT)),       # that of four is one
    (TWO, None, (4096, 12289 - FRONT), (8193 - FRONT, 12288 - FRONT)),         # a quarter more than two pages is less
])
def test_a_wrong_size_is_told_where_no_request_for_it_gets_the_block(
        pointer: int, alignment: int | None, told: tuple[int, ...], untold: tuple[int, ...]) -> None:
    """And only there: it is exactly so."""
    verb, first = ("free_sized", ()) if alignment is None else ("free_aligned_sized", (alignment,))
    live = Live([Held(pointer, 12345, alignment=alignment)])
    for sizes, outcome in ((told, "wrong_size"), (untold, UNNOTICED)):
        for size in sizes:
            found = classify(SIZED, live, Operation(verb, (*first, size)), pointer)
            assert found is not None
            assert (size, found.kind, found.outcomes) == (size, PointerKind.WRONG_SIZE, frozenset({outcome}))


def test_the_size_and_the_alignment_asked_for_are_no_misuse() -> None:
    """Nor is anything said of NULL."""
    live = Live([Held(SMALL.address + 8, 50), Held(CLASSY.address + 8, 520, alignment=64)])
    for call, pointer in ((Operation("free_sized", (50,)), SMALL.address + 8), (Operation("free_sized", (50,)), 0),
                          (Operation("free_aligned_sized", (64, 520)), CLASSY.address + 8)):
        assert classify(SIZED, live, call, pointer) is None


@pytest.mark.parametrize(("alignment", "outcome"), [
    (0, "wrong_size"), (3, "wrong_size"), (1 << 63, "wrong_size"), (1 << 12, "wrong_size"), (8, UNNOTICED)])
def test_a_wrong_alignment_is_told_where_it_does_not_divide_the_address(alignment: int, outcome: str) -> None:
    """Or is none."""
    live = Live([Held(SMALL.address + 8, 50, alignment=16)])
    found = classify(SIZED, live, Operation("free_aligned_sized", (alignment, 50)), SMALL.address + 8)
    assert found is not None
    assert (found.kind, found.outcomes) == (PointerKind.WRONG_ALIGNMENT, frozenset({outcome}))


def test_an_empty_heap_has_nothing_to_misuse() -> None:
    """Everything is somewhere else."""
    empty = Heap((), (), (), HEAP.mapped_ledger, "first_fit", 4096, 4096)
    found = classify(empty, Live(), Operation("free"), 64)
    assert found is not None
    assert found.kind is PointerKind.RETURNED


def test_codes_have_names() -> None:
    """From 1 on, in the order of the allocator's constants."""
    assert [abort_name(code) for code in range(len(ABORTS) + 2)] == ["invalid_code", *ABORTS, "invalid_code"]
    assert {*ABORTS, FAULT, UNNOTICED} == OUTCOMES
