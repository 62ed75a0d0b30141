"""Sizes and distances, against numbers worked out by hand."""

import pytest

from heapster.impl import layout, run_layout
from heapster.machine import protocol
from heapster.model import geometry as g
from heapster.model.misuse import ABORTS
from heapster.model.placement import POLICY_NAMES
from heapster.native.headers import policies


@pytest.mark.parametrize(("asked", "size"), [
    (0, 32), (1, 32), (24, 32), (25, 48), (40, 48), (41, 64), (56, 64),
    (1000, 1008), (1001, 1024), (4096, 4112),
])
def test_block_sizes(asked: int, size: int) -> None:
    """A word of header, multiples of 16, at least 32."""
    assert g.block_size(asked) == size


@pytest.mark.parametrize(("want", "growth", "length"), [
    (32, 4096, 4096), (4008, 4096, 4096), (4009, 4096, 8192), (32, 131072, 131072), (131072, 131072, 135168),
])
def test_growth(want: int, growth: int, length: int) -> None:
    """Room for the region's overhead of 88 bytes, in whole pages."""
    assert g.growth_for(want, growth) == length


@pytest.mark.parametrize(("end", "fence"), [
    (0x11000, 0x10FE8), (0x11001, 0x10FE8), (0x11007, 0x10FE8), (0x11008, 0x10FF8), (0x1100F, 0x10FF8),
])
def test_fences(end: int, fence: int) -> None:
    """The largest place that is 8 beyond a multiple of 16 and leaves 16 bytes."""
    assert g.fence_before(end) == fence == max(f for f in range(end - 64, end - 15) if f % 16 == 8)


@pytest.mark.parametrize(("block", "alignment", "lead"), [
    (0x1008, 16, 0), (0x1038, 64, 0), (0x1008, 64, 48), (0x1018, 64, 32), (0x1028, 64, 80),
    (0x1018, 32, 0), (0x1028, 32, 48),
])
def test_leads(block: int, alignment: int, lead: int) -> None:
    """Nothing, or room for a block."""
    assert g.lead_before(block, alignment) == lead
    assert (block + lead + 8) % alignment == 0


@pytest.mark.parametrize(("asked", "alignment", "length"), [
    (131072, 16, 135168), (4000, 16, 4096), (4048, 16, 4096), (4049, 16, 8192),
    (4032, 64, 4096), (4033, 64, 8192), (0, 4096, 8192), (1, 4096, 8192), (4096, 8192, 16384),
])
def test_mappings(asked: int, alignment: int, length: int) -> None:
    """48 bytes in front, and what alignment may lose."""
    assert g.mapping_length(asked, alignment) == length


def test_words() -> None:
    """Rounding, signs and powers."""
    assert [g.up(n, 16) for n in (0, 1, 16, 17)] == [0, 16, 16, 32]
    assert [g.signed(n) for n in (0, g.PTRDIFF_MAX, g.PTRDIFF_MAX + 1, g.SIZE_MAX)] == [
        0, g.PTRDIFF_MAX, -g.PTRDIFF_MAX - 1, -1]
    assert [n for n in range(-2, 20) if g.is_power_of_two(n)] == [1, 2, 4, 8, 16]


def test_classes() -> None:
    """Below 512 each multiple of 16 is one; then eight for each doubling, up to 512 KiB."""
    assert [g.class_of(size) for size in (32, 48, 496, 512, 560, 576, 1008, 1024, 1136, 1152)] == [
        0, 1, 29, 30, 30, 31, 37, 38, 38, 39]
    assert [g.class_of(size) for size in (1 << 15, (1 << 19) - 16, 1 << 19, 1 << 40)] == [78, 109, 110, 110]
    assert [g.least_of_class(size) for size in (48, 496, 512, 528, 1040, 4096, 4112)] == [
        48, 496, 512, 576, 1152, 4096, 4608]


def test_the_implementation_has_the_same_layout() -> None:
    """Neither imports the other, so their numbers are held together here."""
    same = ("WORD", "ALIGN", "PAGE", "MIN_BLOCK", "FIRST_BLOCK", "REGION_OVERHEAD", "MAPPED_LEAD", "ENOMEM",
            "DEFAULT_THRESHOLD", "MIN_THRESHOLD", "DEFAULT_GROWTH", "DEFAULT_ARENAS", "MAX_ARENAS", "EINVAL",
            "MAX_REQUEST", "EXACT", "STEPS", "CLASS_COUNT", "PROBES", "MOST_CACHED", "MOST_REMOTE", "MOST_SENT",
            "MAX_CACHE")
    assert {name: getattr(g, name) for name in same} == {name: getattr(layout, name) for name in same}
    assert (g.RUN, g.RESERVE, g.BEFORE_RUNS, g.MOST_SLOT, g.MOST_POOLED) == (
        run_layout.RUN_BYTES, 1 << run_layout.RESERVE_SHIFT, run_layout.FIRST_RUN * run_layout.RUN_BYTES,
        run_layout.MOST_RUN_SLOT, run_layout.MOST_POOLED)
    assert (g.HEADER, g.FENCE, g.PTRDIFF_MAX) == (layout.PAYLOAD, layout.FENCE_BYTES, layout.MAX_WORD)
    assert g.REFUSED == protocol.REFUSED
    assert [getattr(layout, f"CALL_{name.upper()}") for name in g.CALLS] == [*range(layout.CALL_KINDS)]
    assert [getattr(layout, name.upper()) for name in POLICY_NAMES] == [*range(layout.POLICY_COUNT)]
    assert [*policies()] == [*POLICY_NAMES], "as the compiled library names them"
    assert [getattr(layout, name.upper()) for name in ABORTS] == [*range(1, 1 + len(ABORTS))]
