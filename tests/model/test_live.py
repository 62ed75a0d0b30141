"""Sets of held blocks, against a slow definition of them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from heapster.model.live import Held, Live
from heapster.model.spec import Operation

BLOCKS = st.lists(st.builds(Held, st.integers(1, 300), st.integers(0, 40),
                            st.one_of(st.none(), st.integers(0, 60))), max_size=12)


def test_extents() -> None:
    """What was asked for or is usable, and never nothing."""
    blocks = [Held(8, 0), Held(8, 40), Held(8, 40, 56), Held(8, 40, 0)]
    assert [held.extent for held in blocks] == [1, 40, 56, 40]


def test_what_is_said_of_a_block() -> None:
    """Its size, with its alignment if it has one; calls that say nothing say nothing wrong."""
    plain, aligned = Held(8, 40), Held(64, 40, alignment=64)
    said = [Operation("free", (), 8), Operation("free_sized", (40,), 8), Operation("free_sized", (41,), 8),
            Operation("free_aligned_sized", (64, 40), 8), Operation("free_aligned_sized", (64, 41), 8),
            Operation("free_aligned_sized", (32, 40), 8)]
    assert [plain.is_misstated(call) for call in said] == [False, False, True, True, True, True]
    assert [aligned.is_misstated(call) for call in said] == [False, True, True, False, True, True]


def test_a_set_of_blocks() -> None:
    """In and out."""
    live = Live([Held(64, 8), Held(16, 8)])
    copy = live.copy()
    assert [held.pointer for held in live] == [16, 64]
    live.remove(16)
    assert (16 in live, 16 in copy, live.get(16), copy[16]) == (False, True, None, Held(16, 8))
    live.add(Held(64, 100))
    assert (len(live), live[64].request, [held.pointer for held in live]) == (1, 100, [64])
    live.clear()
    assert (len(live), list(live), len(copy)) == (0, [], 2)


def test_containing() -> None:
    """The block of a byte."""
    live = Live([Held(16, 8), Held(32, 0)])
    assert [bool(live.containing(address)) for address in (15, 16, 23, 24, 31, 32, 33)] == [
        False, True, True, False, False, True, False]


def is_found(blocks: list[Held], pointer: int, extent: int, besides: int) -> None:
    """One of those that overlap, if and only if there is one, even among blocks that overlap each other."""
    live = Live(blocks)
    expected = [held for held in live if held.pointer != besides
                and held.pointer < pointer + extent and pointer < held.pointer + held.extent]
    found = live.overlapping(pointer, extent, besides)
    assert found in expected if expected else found is None


@settings(derandomize=True, deadline=None)
@given(BLOCKS, st.integers(1, 300), st.integers(1, 60), st.integers(0, 300))
def test_overlapping(blocks: list[Held], pointer: int, extent: int, besides: int) -> None:
    """For whatever blocks."""
    is_found(blocks, pointer, extent, besides)
