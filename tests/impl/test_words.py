"""The literal words of a small heap, so that a wrong accessor cannot hide behind a wrong constant."""

from heapster.impl import api, layout, settings
from heapster.machine.checked_memory import STATICS, STATICS_BYTES, THREAD_BYTES
from heapster.machine.simulated import BREAK, Simulated
from heapster.native.headers import ABORT_NAMES

FIRST_BLOCK = BREAK + 40                # the record of a region takes five words


def small_heap() -> Simulated:
    """A used block of 48 bytes at the start of an 8 KiB region; the rest is free."""
    m = Simulated()
    settings.set_growth(m, 8192)
    assert api.malloc(m, 40) == FIRST_BLOCK + 8
    return m


def test_a_used_block_is_its_size_and_two_flags() -> None:
    assert small_heap().words[FIRST_BLOCK] == 48 | 1 | 2


def test_a_free_block_has_links_and_a_footer() -> None:
    m = small_heap()
    head = STATICS + 768 + 64
    free, size = FIRST_BLOCK + 48, 8192 - 40 - 24 - 48
    assert [m.words[free + offset] for offset in (0, 8, 16, size - 8)] == [size | 2, head, head, size]


def test_the_fence_knows_that_its_left_neighbour_is_free() -> None:
    m = small_heap()
    fence = BREAK + 8192 - 24
    assert [m.words[fence], m.words[fence + 8]] == [1, BREAK]


def test_a_block_of_another_arena_names_it_in_the_high_bits() -> None:
    m = small_heap()
    m.on_thread(1)
    p = api.malloc(m, 40)
    assert m.words[p - 8] == 1 << 48 | 48 | 1 | 2


def test_a_mapped_block_states_its_mapping() -> None:
    m = small_heap()
    p = api.malloc(m, 1 << 17)
    start = p - 48
    assert start % 4096 == 0
    assert m.words[p - 8] == (1 << 17) + 4096 | 1 | 2 | 4
    assert m.words[p - 16] == 40


def test_the_machine_has_just_the_statics_of_the_layout() -> None:
    assert layout.STATICS_BYTES == STATICS_BYTES
    assert layout.THREAD_BYTES == THREAD_BYTES


def test_every_abort_has_a_code_of_its_own() -> None:
    """What is misused, then the invariants: a number once given stays, as C programs may know it."""
    names = [name for name in vars(layout) if name.isupper()]
    first, last = names.index("DOUBLE_FREE"), names.index("WAITING_SLOTS_ARE_TAKEN")
    codes = [vars(layout)[name] for name in names[first:last + 1]]
    assert codes == [*range(1, 9), *range(17, 35), *range(48, 52)]
    assert sorted(codes) == sorted(ABORT_NAMES)
