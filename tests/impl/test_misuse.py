"""What a caller may damage, and that the next call which looks there ends in the right abort."""

import pytest

from heapster.impl import api, arena, layout, mapping, retained, settings
from heapster.machine.protocol import Aborted
from heapster.machine.simulated import Simulated

DOUBLE_FREE, INVALID_POINTER, CORRUPT_HEADER, CORRUPT_LIST = 1, 2, 3, 4
USE_AFTER_FREE = 8


def three_blocks() -> tuple[Simulated, int, int, int]:
    """Three used blocks of 48 bytes side by side, and free space after them."""
    m = Simulated()
    settings.set_growth(m, 4096)
    a, b, c = (api.malloc(m, 40) for _ in range(3))
    assert (b - a, c - b) == (48, 48)
    for p in (a, b, c):
        m.fill(p, 0, 40)
    return m, a, b, c


def code_of(call: object, *arguments: object) -> int:
    """The code that the call aborts with."""
    assert callable(call)
    with pytest.raises(Aborted) as caught:
        call(*arguments)
    return caught.value.code


def test_a_second_free_is_a_double_free() -> None:
    m, a, _, _ = three_blocks()
    api.free(m, a)
    assert code_of(api.free, m, a) == DOUBLE_FREE


def test_a_block_that_another_thread_frees_meanwhile_is_a_double_free() -> None:
    """Both saw that it was used, before they waited for the lock."""
    m, a, _, _ = three_blocks()
    api.free(m, a)
    assert code_of(arena.release, m, settings.arena_at(m.statics(), 0), a - 8) == DOUBLE_FREE
    retained.set_keep(m, 1 << 20)
    p = api.malloc(m, 1 << 18)
    api.free(m, p)
    assert code_of(mapping.unmap_block, m, p - 8, layout.CALL_FREE) == DOUBLE_FREE


def test_resizing_and_measuring_a_freed_block_is_noticed_too() -> None:
    m, a, _, _ = three_blocks()
    api.free(m, a)
    assert code_of(api.realloc, m, a, 10) == USE_AFTER_FREE
    assert code_of(api.usable_size, m, a) == USE_AFTER_FREE
    assert code_of(api.realloc, m, a, 0) == DOUBLE_FREE


@pytest.mark.parametrize("offset", [1, 4, 8])
def test_a_pointer_that_no_payload_could_have_is_invalid(offset: int) -> None:
    m, a, _, _ = three_blocks()
    assert code_of(api.free, m, a + offset) == INVALID_POINTER


@pytest.mark.parametrize("header", [1, 16 | 1, (64 << 48) | 48 | 1, -1])
def test_a_header_that_no_block_could_have_is_invalid_or_corrupt(header: int) -> None:
    m, a, _, _ = three_blocks()
    m.store(a - 8, header)
    assert code_of(api.free, m, a) in (INVALID_POINTER, CORRUPT_HEADER)


def test_a_size_below_the_least_block_is_corrupt() -> None:
    """Its right neighbour, in its own payload, is made to look as if it knew it as used."""
    m, a, _, _ = three_blocks()
    m.store(a - 8, 2 | 16 | 1)
    m.store(a + 8, 2 | 32 | 1)
    assert code_of(api.free, m, a) == INVALID_POINTER


def test_a_right_neighbour_overwritten_with_zeroes_is_corrupt() -> None:
    m, a, b, _ = three_blocks()
    m.store(b - 8, 0)
    assert code_of(api.free, m, a) == CORRUPT_HEADER
    m, a, b, _ = three_blocks()
    m.store(b - 8, 0)
    assert code_of(api.realloc, m, a, 200) == CORRUPT_HEADER


@pytest.mark.parametrize("footer", [0, 8, 32, 40, -48, 1 << 62])
def test_a_footer_that_disagrees_with_the_free_left_neighbour_is_corrupt(footer: int) -> None:
    m, a, b, _ = three_blocks()
    api.free(m, a)
    m.store(b - 16, footer)
    assert code_of(api.free, m, b) == CORRUPT_HEADER


@pytest.mark.parametrize("link", [0, 8])
def test_a_free_block_with_an_overwritten_link_is_a_corrupt_list(link: int) -> None:
    m, a, b, _ = three_blocks()
    api.free(m, a)
    m.store(a + link, b)
    assert code_of(api.free, m, b) == CORRUPT_LIST


@pytest.mark.parametrize("link", [-24, -16])
def test_a_mapped_block_with_an_overwritten_link_is_a_corrupt_list(link: int) -> None:
    m, _, b, _ = three_blocks()
    p = api.malloc(m, 1 << 18)
    m.store(p - 8 + link, b)
    assert code_of(api.free, m, p) == CORRUPT_LIST


def two_kept() -> tuple[Simulated, int, int]:
    """Two mappings that are kept, the older first."""
    m = Simulated()
    retained.set_keep(m, 1 << 20)
    settings.set_threshold(m, 4096)
    older, newer = (api.malloc(m, 9000) for _ in range(2))
    api.free(m, older)
    api.free(m, newer)
    return m, older & -4096, newer & -4096


@pytest.mark.parametrize("link", [layout.NEXT, layout.PREV])
def test_a_kept_mapping_with_an_overwritten_link_is_a_corrupt_list(link: int) -> None:
    """Whoever takes it notices, and whoever gives it back."""
    m, older, newer = two_kept()
    m.store(newer + link, m.statics() + layout.RETAINED_LIST if link == layout.NEXT else older)
    assert code_of(api.malloc, m, 9000) == CORRUPT_LIST
    m, older, newer = two_kept()
    m.store(older + link, newer if link == layout.NEXT else m.statics() + layout.RETAINED_LIST)
    assert code_of(retained.set_keep, m, 0) == CORRUPT_LIST
