"""The reference against heaps worked out by hand: allocation, freeing, growth and the system.

With a growth of 4096 and a break at 0x10000 the first region is one free block of 4032 bytes:
4096 less 40 in front, 16 for the fence, and 8 lost to alignment.
"""

import pytest

from heapster.model.geometry import DEFAULT_GROWTH, ENOMEM, MAX_REQUEST, PTRDIFF_MAX, SIZE_MAX
from heapster.model.heap import Arena, Block, Heap, Ledger, Mapped, Region
from heapster.model.reference import Reference, UnknownBlock
from heapster.model.sketch import sketch
from tests.model.world import BREAK, MAPPINGS, World

NOTHING = Ledger(0, 0, 0, 0, 0, (0, 0, 0, 0, 0))


def start(policy: str = "first_fit", growth: int = 4096, threshold: int = 1 << 30) -> tuple[Reference, World]:
    """A fresh heap with a small growth, and a system for it."""
    reference = Reference()
    reference.init(growth, policy)
    reference.set_threshold(threshold)
    return reference, World()


def blocks(reference: Reference, system: World, *requests: int) -> list[int]:
    """Allocate them one after the other."""
    return [reference.malloc(system, request) for request in requests]


def now(reference: Reference) -> str:
    """The whole heap in a line."""
    return sketch(reference.heap())


def listed(reference: Reference, arena: int = 0) -> list[int]:
    """The free list, as offsets from the first region's start."""
    value = reference.heap().arenas[arena]
    return [address - value.regions[-1].start for address in value.forward]


def test_the_first_block_word_by_word() -> None:
    """Every field of the heap after one malloc."""
    reference, system = start()
    assert reference.heap() == Heap((), (), (), NOTHING, "first_fit", 1 << 30, 4096)
    assert reference.malloc(system, 40) == 0x10030
    assert system.take() == ["sbrk(4096)"]
    region = Region(0x10000, 0x10000, 0x11000, "sbrk", (
        Block(0x10028, 48, True, True, 0, None), Block(0x10058, 3984, False, True, 0, 3984),
    ), Block(0x10FE8, 0, True, False, 0, None), 0x10000)
    arena = Arena(0, (region,), (0x10058,), (0x10058,), 0, 0x10000, 0x11000,
                  Ledger(4096, 48, 1, 3984, 1, (1, 0, 0, 0, 0)))
    assert reference.heap() == Heap((arena,), (), (), NOTHING, "first_fit", 1 << 30, 4096, attached=((0, 1),))


def test_defaults() -> None:
    """What holds before anything is set."""
    assert Reference().heap()[4:7] == ("first_fit", 131072, DEFAULT_GROWTH) == ("first_fit", 131072, 131072)


@pytest.mark.parametrize(("asked", "text"), [
    (0, "#32 #32 .3968"), (24, "#32 #32 .3968"), (25, "#32 #48 .3952"),
    (3960, "#32 #3968 .32"), (3961, "#32 #4000"), (3992, "#32 #4000"),
])
def test_a_block_is_split_if_a_whole_block_remains(asked: int, text: str) -> None:
    """32 bytes are a block; 16 are not, and stay with the used one."""
    reference, system = start()
    blocks(reference, system, 24, asked)
    assert now(reference) == text


@pytest.mark.parametrize(("freed", "text", "event", "order"), [
    ([1], "#48 .48 #48 #48 .3840", "no_neighbour_free_on_free", [88, 232]),
    ([0, 1], ".96 #48 #48 .3840", "left_neighbour_free_on_free", [40, 232]),
    ([1, 0], ".96 #48 #48 .3840", "right_neighbour_free_on_free", [40, 232]),
    ([0, 2, 1], ".144 #48 .3840", "both_neighbours_free_on_free", [40, 232]),
    ([0, 2], ".48 #48 .48 #48 .3840", "no_neighbour_free_on_free", [136, 40, 232]),
    ([3], "#48 #48 #48 .3888", "right_neighbour_free_on_free", [184]),
    ([0, 1, 2, 3], ".4032", "both_neighbours_free_on_free", [40]),
])
def test_free_coalesces_and_lists_first(freed: list[int], text: str, event: str, order: list[int]) -> None:
    """The latest is first on the list; neighbours that were on it are not any more."""
    reference, system = start()
    made = blocks(reference, system, 40, 40, 40, 40)
    for index in freed:
        reference.free(system, made[index])
    assert now(reference) == text
    assert event in reference.events
    assert listed(reference) == order


def test_free_of_null_changes_nothing() -> None:
    """Not even the counts."""
    reference, system = start()
    blocks(reference, system, 40)
    before = reference.heap()
    reference.free(system, 0)
    assert reference.heap() == before


@pytest.mark.parametrize(("policy", "offset"), [
    ("first_fit", 216), ("next_fit", 216), ("best_fit", 328), ("worst_fit", 40),
])
def test_each_policy_places_by_the_list(policy: str, offset: int) -> None:
    """Free, as listed: 64 at 216, 48 at 328, 128 at 40; then the rest is used up."""
    reference, system = start(policy)
    made = blocks(reference, system, 120, 40, 56, 40, 40, 3688)
    assert now(reference) == "#128 #48 #64 #48 #48 #3696"
    for index in (0, 4, 2):
        reference.free(system, made[index])
    assert listed(reference) == [216, 328, 40]
    assert reference.malloc(system, 40) == BREAK + offset + 8
    assert ("policy_passed_over_the_first_fit" in reference.events) == (policy in ("best_fit", "worst_fit"))


def test_next_fit_goes_on_where_it_was() -> None:
    """The cursor moves to the successor of what it finds; the rest of a split is listed before it."""
    reference, system = start("next_fit")
    made = blocks(reference, system, 24, 24, 24, 24, 24, 24, 24, 24)
    for index in (5, 3, 1):
        reference.free(system, made[index])
    assert listed(reference) == [72, 136, 200, 296]
    assert reference.heap().arenas[0].cursor == 0
    assert blocks(reference, system, 24) == [BREAK + 80]
    assert reference.heap().arenas[0].cursor == BREAK + 136
    reference.free(system, made[0])
    assert listed(reference) == [40, 136, 200, 296]
    assert blocks(reference, system, 24, 40) == [BREAK + 144, BREAK + 304]
    assert reference.heap().arenas[0].cursor == 0
    assert listed(reference) == [344, 40, 200]


def test_next_fit_wraps_around() -> None:
    """After the list's last block comes its first."""
    reference, system = start("next_fit")
    made = blocks(reference, system, 56, 24, 24, 24, 3816)
    assert now(reference) == "#64 #32 #32 #32 #3824 .48"
    reference.free(system, made[2])
    reference.free(system, made[0])
    assert listed(reference) == [40, 136, 4024]
    reference.malloc(system, 56)
    assert reference.heap().arenas[0].cursor == BREAK + 136
    reference.free(system, made[0])
    assert listed(reference) == [40, 136, 4024]
    assert reference.malloc(system, 56) == made[0]
    assert "next_fit_wrapped_around" in reference.events


def test_coalescing_moves_the_cursor_off_its_block() -> None:
    """Or it would dangle."""
    reference, system = start("next_fit")
    made = blocks(reference, system, 24, 24, 24, 24, 24)
    for index in (2, 0):
        reference.free(system, made[index])
    reference.malloc(system, 24)
    assert reference.heap().arenas[0].cursor == BREAK + 104
    reference.free(system, made[1])
    assert "cursor_left_its_block" in reference.events
    assert reference.heap().arenas[0].cursor == BREAK + 200


def test_policy_changes_keep_the_list() -> None:
    """And are told when they matter."""
    reference, system = start()
    reference.set_policy("best_fit")
    assert not reference.events
    blocks(reference, system, 40)
    reference.set_policy("worst_fit")
    assert reference.events == {"policy_switched_with_blocks_on_the_list"}
    assert reference.heap().policy == "worst_fit"
    assert now(reference) == "#48 .3984"


def test_growth_extends_the_top() -> None:
    """The fence becomes a block's header, and the block joins a free left neighbour."""
    reference, system = start()
    blocks(reference, system, 3000, 2000)
    assert system.take() == ["sbrk(4096)", "sbrk(4096)"]
    assert now(reference) == "#3008 #2016 .3104"
    blocks(reference, system, 3096)
    assert now(reference) == "#3008 #2016 #3104"
    blocks(reference, system, 24)
    assert now(reference) == "#3008 #2016 #3104 #32 .4064"
    assert "arena_was_full_and_grew" in reference.events
    arena = reference.heap().arenas[0]
    assert (arena.brk, arena.ledger.held, len(arena.regions)) == (BREAK + 3 * 4096, 3 * 4096, 1)


def test_growth_is_enough_for_the_request() -> None:
    """A large block gets what it needs in whole pages."""
    reference, system = start()
    blocks(reference, system, 10000)
    assert system.take() == ["sbrk(12288)"]
    assert now(reference) == "#10016 .2208"


@pytest.mark.parametrize("brk", [0x10000, 0x10001, 0x10007, 0x10008, 0x1000F, 0x10010])
def test_the_break_may_be_odd(brk: int) -> None:
    """Payloads are aligned all the same."""
    reference, _ = start()
    system = World(brk)
    assert reference.malloc(system, 40) == ((brk + 15) & -16) + 48
    assert reference.malloc(system, 8000) % 16 == 0
    assert len(reference.heap().arenas[0].regions) == 1


def test_a_foreigner_at_the_break_starts_a_new_region() -> None:
    """What is his is left alone, and what is ours stays ours."""
    reference, system = start()
    blocks(reference, system, 40)
    system.brk += 24
    blocks(reference, system, 3992)
    assert "foreigner_moved_the_break" in reference.events
    assert now(reference) == "#48 .3984 | #4000 .32"
    arena = reference.heap().arenas[0]
    extents = [(region.start - BREAK, region.end - BREAK) for region in arena.regions]
    assert extents == [(4120, 8216), (0, 4096)]
    assert (arena.top, arena.brk) == (BREAK + 4128, BREAK + 8216)


def forget_what_was_used(reference: Reference) -> None:
    """As after epochs in which no more was used than now."""
    for arena in reference._arenas.in_order():
        arena.idle = arena.idle._replace(peak=0, recent=0)


def nearly_free(reference: Reference, system: World) -> int:
    """A block beside the top; all but it and another small one is free."""
    made = blocks(reference, system, 40, 150_000, 40)
    reference.free(system, made[1])
    forget_what_was_used(reference)
    system.take()
    return made[2]


def test_the_top_is_trimmed_when_more_is_free_than_may_lie_idle() -> None:
    """All but one growth goes back, in whole pages."""
    reference, system = start()
    last = nearly_free(reference, system)
    assert now(reference) == "#48 .150016 #48 .5472"
    reference.free(system, last)
    assert system.take() == ["sbrk(0)", "sbrk(-147456)"]
    assert now(reference) == "#48 .8080"
    assert reference.events >= {"top_was_trimmed", "both_neighbours_free_on_free"}


def test_the_top_stays_as_far_as_it_was_used_lately() -> None:
    reference, system = start()
    last = nearly_free(reference, system)
    (arena,) = reference._arenas.in_order()
    arena.idle = arena.idle._replace(peak=150_000)
    reference.free(system, last)
    assert (now(reference), system.take()) == ("#48 .155536", [])


@pytest.mark.parametrize("spoil", ["foreigner", "refusal"])
def test_the_top_stays_when_it_cannot_be_given_back(spoil: str) -> None:
    """A foreigner beyond it, or a system that says no."""
    reference, system = start()
    last = nearly_free(reference, system)
    if spoil == "foreigner":
        system.brk += 16
    else:
        system.refuses.add("sbrk")
    reference.free(system, last)
    assert system.take() == ["sbrk(0)", "sbrk(-147456)"][:1 + (spoil == "refusal")]
    assert now(reference) == "#48 .155536"


def test_a_trim_that_went_astray_is_undone() -> None:
    """sbrk answered neither the break nor a refusal: someone was faster."""
    reference, system = start()
    last = nearly_free(reference, system)

    class Astray(World):
        def sbrk(self, delta: int) -> int:
            return super().sbrk(delta) + (16 if delta < 0 else 0)

    other = Astray(system.brk)
    reference.free(other, last)
    assert other.take() == ["sbrk(0)", "sbrk(-147456)", "sbrk(147456)"]
    assert now(reference) == "#48 .155536"


def test_a_refused_sbrk_falls_back_to_mmap() -> None:
    """The main arena too lives on mappings then, and comes back to the break later."""
    reference, system = start()
    system.refuses = {"sbrk"}
    blocks(reference, system, 40)
    assert system.take() == ["sbrk(4096)", "mmap(4096)"]
    assert now(reference) == "#48 .3984"
    assert reference.heap().arenas[0].regions[0].kind == "mmap"
    assert (reference.heap().arenas[0].top, reference.heap().arenas[0].brk) == (0, 0)
    system.refuses = set()
    blocks(reference, system, 4000)
    assert [region.kind for region in reference.heap().arenas[0].regions] == ["sbrk", "mmap"]


def test_failure_changes_nothing() -> None:
    """NULL and ENOMEM; the next call succeeds."""
    reference, system = start()
    blocks(reference, system, 40)
    before = reference.heap()
    system.refuses = {"sbrk", "mmap"}
    assert reference.malloc(system, 5000) == 0
    assert (reference.errno, reference.heap()) == (ENOMEM, before)
    assert reference.events >= {"allocation_failed", "sbrk_refused", "mmap_refused"}
    assert reference.malloc(system, 40) != 0
    assert (reference.errno, "allocation_succeeded_after_a_failure" in reference.events) == (0, True)


@pytest.mark.parametrize("asked", [MAX_REQUEST + 1, PTRDIFF_MAX, PTRDIFF_MAX + 1, SIZE_MAX])
def test_huge_requests_are_refused_unseen(asked: int) -> None:
    """No arena is even opened."""
    reference, system = start(threshold=4096)
    assert (reference.malloc(system, asked), reference.errno) == (0, ENOMEM)
    assert (reference.calloc(system, asked, 1), reference.errno) == (0, ENOMEM)
    assert (system.take(), now(reference)) == ([], "")


def test_calloc_multiplies() -> None:
    """Nothing times anything is nothing; too much is refused."""
    reference, system = start()
    assert reference.calloc(system, 3, 8) == BREAK + 48
    assert reference.calloc(system, 0, SIZE_MAX) == BREAK + 80
    assert (reference.calloc(system, 1 << 32, 1 << 32), reference.errno) == (0, ENOMEM)
    assert reference.heap().arenas[0].ledger.calls == (0, 2, 0, 0, 0)
    reference.free(system, BREAK + 48)
    assert reference.calloc(system, 1, 1) == BREAK + 48
    assert "calloc_reused_memory" in reference.events


def test_a_pointer_that_is_no_block_is_not_predicted() -> None:
    """That is for `misuse` to say."""
    reference, system = start()
    made = blocks(reference, system, 40)
    reference.free(system, made[0])
    for pointer in (made[0], 8, MAPPINGS):
        with pytest.raises(UnknownBlock):
            reference.free(system, pointer)


def test_usable_sizes() -> None:
    """The block less its header; of a mapping, all that is left of it."""
    reference, system = start(threshold=8192)
    made = blocks(reference, system, 40, 3928, 10000)
    assert now(reference) == "#48 #3936 .48 ; #12288"
    assert [reference.usable_size(pointer) for pointer in made] == [40, 3928, 12240]
    assert reference.usable_size(0) == 0


def test_mapped_blocks_are_listed_apart() -> None:
    """From the threshold on, with a mapping each, newest first."""
    reference, system = start(threshold=4096)
    assert blocks(reference, system, 4095, 4096, 5000)[1:] == [MAPPINGS + 48, MAPPINGS + (1 << 20) + 48]
    heap = reference.heap()
    assert heap.mapped == (Mapped(MAPPINGS + (1 << 20) + 40, MAPPINGS + (1 << 20), 8192, True),
                           Mapped(MAPPINGS + 40, MAPPINGS, 8192, True))
    assert heap.mapped_backward == (MAPPINGS + 40, MAPPINGS + (1 << 20) + 40)
    assert heap.mapped_ledger == Ledger(16384, 16384, 2, 0, 0, (2, 0, 0, 0, 0))
    reference.free(system, MAPPINGS + 48)
    assert reference.heap().mapped_ledger == Ledger(8192, 8192, 1, 0, 0, (2, 0, 0, 0, 1))


def test_a_mapping_the_system_does_not_take_back_stays() -> None:
    """Freed, but still held."""
    reference, system = start(threshold=4096)
    made = blocks(reference, system, 5000)
    system.refuses = {"munmap"}
    reference.free(system, made[0])
    assert now(reference) == "; .8192"
    assert reference.heap().mapped_ledger == Ledger(8192, 0, 0, 0, 0, (1, 0, 0, 0, 1))
    system.refuses = set()
    system.take()
    reference.finalize(system)
    assert system.take() == [f"munmap({MAPPINGS:#x}, 8192)"]


def test_a_refused_mapping_falls_back_to_the_arena() -> None:
    """And to NULL when that fails too."""
    reference, system = start(threshold=4096)
    system.refuses = {"mmap"}
    assert reference.malloc(system, 5000) == BREAK + 48
    assert system.take() == ["mmap(8192)", "sbrk(8192)"]
    assert now(reference) == "#5008 .3120"
    system.refuses = {"mmap", "sbrk"}
    assert (reference.malloc(system, 9000), reference.errno) == (0, ENOMEM)
    assert system.take() == ["mmap(12288)", "sbrk(12288)", "mmap(12288)"]


@pytest.mark.parametrize(("asked", "threshold"), [(0, 4096), (4095, 4096), (5000, 5000), (SIZE_MAX, 4096)])
def test_thresholds_are_at_least_a_page(asked: int, threshold: int) -> None:
    """What is negative as a word is small."""
    reference = Reference()
    reference.set_threshold(asked)
    assert reference.heap().threshold == threshold


@pytest.mark.parametrize(("asked", "growth"), [(0, 4096), (4097, 8192), (8192, 8192), (SIZE_MAX, 4096)])
def test_growths_are_whole_pages(asked: int, growth: int) -> None:
    """And the policy stays as it is."""
    reference = Reference()
    reference.set_policy("best_fit")
    reference.init(asked)
    assert reference.heap()[4:7] == ("best_fit", 131072, growth)
