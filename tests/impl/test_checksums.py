"""Keyed checksums of headers: what they are, and that each place where one is checked is needed."""

from collections.abc import Callable
from random import Random

import pytest

from heapster.checkers.mutation.fault import Edit, Fault, planted
from heapster.checkers.targets.source import Source, without_spans
from heapster.impl import block, layout
from heapster.machine.protocol import Aborted
from heapster.machine.simulated import Simulated

KEY, TOTAL = 0x9E3779B97F4A7C15, 48
INVALID_POINTER, CORRUPT_HEADER = 2, 3


class Keyed:
    """A heap with a key and three used blocks of 48 bytes side by side, of which threads cache some or none."""

    def __init__(self, source: Source, cache: int = 0) -> None:
        self.source, self.m = source, Simulated()
        source.settings.set_key(self.m, KEY)
        source.settings.set_growth(self.m, 4096)
        blocks = sorted(source.api.malloc(self.m, 40) for _ in range(3))
        self.a, self.b, self.c = blocks
        assert (self.b - self.a, self.c - self.b) == (TOTAL, TOTAL)
        source.settings.set_cache(self.m, cache)
        for p in blocks:
            self.m.fill(p, 0, 40)

    def grow(self, p: int) -> None:
        """A header says that its block reaches to its right neighbour's end; its checksum stays as it was."""
        self.m.store(p - 8, self.m.load(p - 8) + TOTAL)

    def code(self, call: Callable[[], object]) -> int:
        """The code that the call aborts with, or 0."""
        try:
            call()
        except Aborted as ended:
            return ended.code
        return 0

    def free(self, p: int) -> int:
        """The code that freeing `p` aborts with, or 0."""
        return self.code(lambda: self.source.api.free(self.m, p))


def a_used_block(source: Source) -> int:
    """Its header was grown, and it is freed into a bin, which has room."""
    heap = Keyed(source, cache=4096)
    assert heap.free(source.api.malloc(heap.m, 2 * TOTAL - 8)) == 0
    source.api.malloc(heap.m, 2 * TOTAL - 8)
    heap.grow(heap.b)
    return heap.free(heap.b)


def a_block_that_waits(source: Source) -> int:
    """Its header was grown after it was freed into a bin, which its thread gives back."""
    heap = Keyed(source, cache=4096)
    assert heap.free(heap.b) == 0
    heap.grow(heap.b)
    return heap.code(lambda: source.thread_cache.thread_end(heap.m))


def a_free_block(source: Source) -> int:
    """Its header was grown, and it serves a request."""
    heap = Keyed(source)
    source.settings.set_policy(heap.m, layout.FIRST_FIT)
    assert heap.free(heap.b) == 0
    heap.grow(heap.b)
    return heap.code(lambda: source.api.malloc(heap.m, 2 * TOTAL - 8))


PLACES = (
    (a_used_block, INVALID_POINTER, Edit("malloc.py", " or not is_intact(m, block_of(p), header):", ":")),
    (a_used_block, INVALID_POINTER, Edit("block.py", "USED and is_intact(m, b, header)", "USED")),
    (a_block_that_waits, CORRUPT_HEADER, Edit(
        "arena.py", "    if not is_intact(m, b, m.load(b)):\n        m.abort(CORRUPT_HEADER, payload(b))\n", "")),
    (a_free_block, CORRUPT_HEADER, Edit(
        "freelist.py", "    if not is_intact(m, b, m.load(b)):\n        m.abort(CORRUPT_HEADER, payload(b))\n", "")),
)


@pytest.mark.parametrize(("meet", "code", "check"), PLACES, ids=[f"{row[0].__name__}, {row[2].file}" for row in PLACES])
def test_a_grown_header_is_told_and_only_by_the_check_there(meet: Callable[[Source], int], code: int,
                                                            check: Edit) -> None:
    assert meet(without_spans()) == code
    assert meet(planted(Fault("a header is not checked there", (check,)))) == 0


@pytest.mark.parametrize("byte", range(8))
def test_no_byte_of_a_header_may_be_overwritten(byte: int) -> None:
    """With whatever, but for the bit that says whether the left neighbour is used; sizes are looked at too."""
    heap = Keyed(without_spans())
    header = heap.m.load(heap.b - 8)
    for value in range(0, 256, 5):
        word = header & ~(255 << 8 * byte) | value << 8 * byte
        if (word ^ header) & ~layout.PREV_USED and word < 1 << 63:
            heap = Keyed(without_spans())
            heap.m.store(heap.b - 8, word)
            assert heap.free(heap.b) in (INVALID_POINTER, CORRUPT_HEADER)


def test_a_header_is_good_at_its_place_alone() -> None:
    """One that was copied into a block, or to memory that is no allocator's, is none."""
    heap = Keyed(without_spans())
    outside = heap.m.mmap(4096)
    for place in (heap.a + 8, outside + 8, outside + 264):
        heap.m.store(place, heap.m.load(heap.b - 8))
        assert heap.free(place + 8) == INVALID_POINTER
    assert heap.free(heap.b) == 0


def test_few_forged_headers_are_believed() -> None:
    """One in 512, of those whose forger does not know the key."""
    heap, rng = Keyed(without_spans()), Random(1)
    outside, believed = heap.m.mmap(1 << 16), 0
    for place in range(outside + 8, outside + (1 << 16), 16):
        forged = rng.randrange(2, 64) << layout.ALIGN_SHIFT | layout.USED | rng.getrandbits(9) << layout.CHECKSUM_SHIFT
        believed += block.is_intact(heap.m, place, forged)
    assert 0 < believed < 32        # 8 of 4096 are expected


def test_a_checksum_is_nine_bits_of_a_product() -> None:
    """Of what a header says, but for its left neighbour, and where it stands, with the key."""
    heap, rng = Keyed(without_spans()), Random(2)
    key = heap.m.load(heap.m.statics() + layout.KEY)
    for _ in range(1000):
        header, b = rng.getrandbits(63), rng.getrandbits(43) << 4 | 8
        product = ((header & ((1 << 54) - 1) & ~2) + b) * key % (1 << 64)
        assert block.checksum(heap.m, b, header) == (product >> 54 & 511) << 54
