"""The reference against heaps worked out by hand: realloc, alignment, threads and finalize."""

import pytest

from heapster.model.geometry import EINVAL, ENOMEM, MAX_REQUEST, SIZE_MAX
from heapster.model.heap import Ledger
from heapster.model.operation import Step
from heapster.model.reference import Reference
from heapster.model.sketch import sketch
from tests.model.test_reference import blocks, forget_what_was_used, listed, now, start
from tests.model.world import BREAK, MAPPINGS, World


@pytest.mark.parametrize(("asked", "text", "event"), [
    (40, "#48 #48 .3936", None),                                    # the same block size
    (30, "#48 #48 .3936", None),
    (24, "#48 #48 .3936", "realloc_shrank_in_place"),               # 16 bytes are no block
    (41, ".48 #48 #64 .3872", "realloc_moved"),                     # the neighbour is used
])
def test_realloc_beside_a_used_neighbour(asked: int, text: str, event: str | None) -> None:
    """Stays if it can, and moves if it cannot."""
    reference, system = start()
    first, _ = blocks(reference, system, 40, 40)
    answer = reference.realloc(system, first, asked)
    assert (answer == first, now(reference)) == (event != "realloc_moved", text)
    assert not event or event in reference.events
    assert reference.heap().arenas[0].ledger.calls == (2, 0, 1, 0, 0)


@pytest.mark.parametrize(("asked", "text", "event", "order"), [
    (56, "#64 .80 #48 .3840", "realloc_grew_in_place", [104, 232]),
    (104, "#112 .32 #48 .3840", "realloc_grew_in_place", [152, 232]),
    (105, "#144 #48 .3840", "realloc_grew_in_place", [232]),        # 16 bytes over stay
    (136, "#144 #48 .3840", "realloc_grew_in_place", [232]),
    (24, "#32 .112 #48 .3840", "realloc_shrank_in_place", [72, 232]),
    (137, ".144 #48 #160 .3680", "realloc_moved", [40, 392]),
])
def test_realloc_beside_a_free_neighbour(asked: int, text: str, event: str, order: list[int]) -> None:
    """Takes what it needs; the rest is listed first, and is one block."""
    reference, system = start()
    first, second, _ = blocks(reference, system, 40, 88, 40)
    reference.free(system, second)
    reference.realloc(system, first, asked)
    assert now(reference) == text
    assert event in reference.events
    assert listed(reference) == order


def test_realloc_extends_the_top() -> None:
    """When nothing used lies between the block and the break."""
    reference, system = start()
    (pointer,) = blocks(reference, system, 3000)
    system.take()
    assert reference.realloc(system, pointer, 5000) == pointer
    assert system.take() == ["sbrk(4096)"]
    assert now(reference) == "#5008 .3120"
    assert reference.events >= {"realloc_grew_into_the_top", "realloc_grew_in_place"}
    assert reference.heap().arenas[0].ledger.calls == (1, 0, 1, 0, 0)


def test_realloc_whose_growth_goes_astray_moves() -> None:
    """A foreigner has the break: the growth became a region of its own, and is kept."""
    reference, system = start()
    (pointer,) = blocks(reference, system, 3000)
    system.take()
    system.brk += 4096
    assert reference.realloc(system, pointer, 5000) == BREAK + 2 * 4096 + 48
    assert system.take() == ["sbrk(4096)", "sbrk(8192)"]
    assert now(reference) == ".4032 | #5008 .7216"


def test_realloc_of_the_last_block_when_the_system_refuses() -> None:
    """It asks to extend, then to move, then gives up."""
    reference, system = start()
    (pointer,) = blocks(reference, system, 3000)
    before = reference.heap()
    system.refuses = {"sbrk", "mmap"}
    system.take()
    assert (reference.realloc(system, pointer, 5000), reference.errno) == (0, ENOMEM)
    assert system.take() == ["sbrk(4096)", "mmap(4096)", "sbrk(8192)", "mmap(8192)"]
    assert reference.heap() == before
    assert "failed_realloc_kept_the_block" in reference.events


@pytest.mark.parametrize("asked", [MAX_REQUEST + 1, SIZE_MAX])
def test_realloc_refuses_what_is_huge(asked: int) -> None:
    """The block stays."""
    reference, system = start()
    (pointer,) = blocks(reference, system, 40)
    assert (reference.realloc(system, pointer, asked), reference.errno) == (0, ENOMEM)
    assert (reference.reallocarray(system, pointer, asked, 2), reference.errno) == (0, ENOMEM)
    assert now(reference) == "#48 .3984"


def test_realloc_at_the_edges_of_its_contract() -> None:
    """NULL is malloc; size 0 is free, and leaves errno alone."""
    reference, system = start()
    pointer = reference.realloc(system, 0, 40)
    assert reference.heap().arenas[0].ledger.calls == (1, 0, 0, 0, 0)
    assert (reference.realloc(system, pointer, 0), reference.errno) == (0, 0)
    assert reference.heap().arenas[0].ledger.calls == (1, 0, 0, 0, 1)
    assert now(reference) == ".4032"
    assert reference.reallocarray(system, 0, 5, 8) == pointer


def test_realloc_may_give_the_top_back() -> None:
    """What a shrunk block leaves is settled as if freed."""
    reference, system = start()
    (pointer,) = blocks(reference, system, 400_000)
    system.take()
    reference.realloc(system, pointer, 40)
    assert system.take() == ["sbrk(0)", "sbrk(-393216)"]
    assert now(reference) == "#48 .8080"


def test_a_mapping_shrinks_in_place_and_grows_by_what_is_kept_or_the_system() -> None:
    """Whole pages go back, or are kept; what they do not suffice for is remapped or moved."""
    reference, system = start(threshold=4096)
    (pointer,) = blocks(reference, system, 20000)
    system.take()
    assert reference.realloc(system, pointer, 20432) == pointer
    assert system.take() == []
    assert reference.realloc(system, pointer, 5000) == pointer
    assert (system.take(), now(reference)) == ([f"munmap({MAPPINGS + 8192:#x}, 12288)"], "; #8192")
    assert reference.heap().mapped_ledger == Ledger(8192, 8192, 1, 0, 0, (1, 0, 2, 0, 0))
    reference.set_keep(system, 1 << 20)
    assert reference.realloc(system, pointer, 10) == pointer
    assert now(reference) == "; #4096 .4096"
    assert reference.realloc(system, pointer, 8144) == pointer
    assert now(reference) == "; #8192"
    assert reference.realloc(system, pointer, 8145) == MAPPINGS + (1 << 20) + 48
    assert now(reference) == "; #12288"
    system.refuses = {"remap"}
    reference.set_keep(system, 0)
    assert reference.realloc(system, MAPPINGS + (1 << 20) + 48, 12241) == MAPPINGS + (2 << 20) + 48
    assert system.take()[-3:] == [f"remap({MAPPINGS + (1 << 20):#x}, 12288, 16384)", "mmap(16384)",
                                  f"munmap({MAPPINGS + (1 << 20):#x}, 12288)"]
    assert reference.heap().mapped_ledger.calls == (1, 0, 6, 0, 0)


def test_realloc_moves_between_arena_and_mapping() -> None:
    """The release counts no free."""
    reference, system = start(threshold=4096)
    first, _ = blocks(reference, system, 40, 40)
    assert reference.realloc(system, first, 5000) == MAPPINGS + 48
    assert now(reference) == ".48 #48 .3936 ; #8192"
    heap = reference.heap()
    assert (heap.arenas[0].ledger.calls, heap.mapped_ledger.calls) == ((2, 0, 0, 0, 0), (0, 0, 1, 0, 0))


@pytest.mark.parametrize(("alignment", "text", "order"), [
    (16, "#32 #48 .3952", [120]),           # an ordinary block
    (32, "#32 .48 #48 .3904", [168, 72]),   # the payload would be at 80; 96 is too near, 128 is not
    (64, "#32 .48 #48 .3904", [168, 72]),
    (128, "#32 .48 #48 .3904", [168, 72]),
    (256, "#32 .176 #48 .3776", [296, 72]),
])
def test_aligned_blocks_leave_a_lead(alignment: int, text: str, order: list[int]) -> None:
    """The lead is listed before the rest, so it comes after it on the list."""
    reference, system = start()
    blocks(reference, system, 24)
    pointer = reference.aligned(system, alignment, 40)
    assert (pointer % alignment, now(reference), listed(reference)) == (0, text, order)
    assert reference.heap().arenas[0].ledger.calls == (1, 0, 0, 1, 0)


def test_an_aligned_block_needs_no_lead_when_it_is_lucky() -> None:
    """Nor does it search less."""
    reference, system = start()
    blocks(reference, system, 0)
    assert reference.aligned(system, 32, 40) % 32 == 0
    reference, system = start()
    assert reference.aligned(system, 16, 0) == BREAK + 48
    reference.free(system, BREAK + 48)
    blocks(reference, system, 8)
    assert reference.aligned(system, 16, 40) == BREAK + 80


def test_pages() -> None:
    """valloc aligns to a page; pvalloc also rounds up to one."""
    reference, system = start()
    assert reference.valloc(system, 40) == BREAK + 4096
    assert system.take() == ["sbrk(8192)"]
    assert now(reference) == ".4048 #48 .4032"
    assert reference.pvalloc(system, 1) == BREAK + 8192
    assert reference.usable_size(BREAK + 8192) >= 4096
    assert (reference.pvalloc(system, SIZE_MAX), reference.errno) == (0, ENOMEM)


@pytest.mark.parametrize("alignment", [0, 3, 48, (1 << 63) + 8, SIZE_MAX])
def test_illegal_alignments_are_refused(alignment: int) -> None:
    """EINVAL, in errno or returned."""
    reference, system = start()
    assert (reference.aligned(system, alignment, 40), reference.errno) == (0, EINVAL)
    assert reference.posix_memalign(system, alignment, 40) == 0
    assert (reference.returned, reference.errno) == (EINVAL, 0)
    assert "alignment_refused" in reference.events


@pytest.mark.parametrize(("alignment", "code"), [(4, EINVAL), (8, 0), (1 << 47, ENOMEM), (1 << 63, ENOMEM)])
def test_posix_memalign_returns_its_error(alignment: int, code: int) -> None:
    """And leaves errno alone."""
    reference, system = start()
    assert (reference.posix_memalign(system, alignment, 40) != 0) == (code == 0)
    assert (reference.returned, reference.errno) == (code, 0)


def test_large_aligned_blocks_are_mapped() -> None:
    """From request + alignment + 16 on; the lead is part of the mapping."""
    reference, system = start(threshold=8192)
    assert reference.aligned(system, 64, 8111) < MAPPINGS
    assert reference.aligned(system, 64, 8112) == MAPPINGS + 64
    assert reference.aligned(system, 8192, 100) == MAPPINGS + (1 << 20) + 8192
    assert [block.length for block in reference.heap().mapped] == [12288, 8192]
    assert reference.usable_size(MAPPINGS + 64) == 8192 - 64


def test_threads_are_spread_over_arenas() -> None:
    """Each gets one when it first allocates, and keeps it; a free needs none."""
    reference, system = start()
    reference.set_arenas(2)
    for thread in (5, 7, 9, 5):
        reference.set_thread(thread)
        reference.malloc(system, 40)
    assert now(reference) == "#48 #48 #48 .3888 || #48 .3984"
    assert reference.heap().arenas[1].regions[0].kind == "mmap"


def test_frees_go_to_the_owner() -> None:
    """Whoever frees."""
    reference, system = start()
    (pointer,) = blocks(reference, system, 40)
    reference.set_thread(1)
    reference.free(system, pointer)
    assert reference.events >= {"block_freed_by_another_thread"}
    assert now(reference) == ".4032"
    blocks(reference, system, 40)
    assert now(reference) == ".4032 || #48 .3984"


def test_an_arena_opens_even_if_it_gets_nothing() -> None:
    """Its record exists from then on."""
    reference, system = start()
    system.refuses = {"sbrk", "mmap"}
    reference.malloc(system, 40)
    assert now(reference) == "()"


def test_regions_go_back_when_enough_is_free_without_them() -> None:
    """Whole mappings of other arenas; sixteen growths stay, what was used lately, and some of what is used and free."""
    reference, system = start()
    reference.set_arenas(2)
    blocks(reference, system, 40)
    reference.set_thread(1)
    *many, second, third = blocks(reference, system, *[3900] * 24)
    system.take()
    for pointer in many:
        reference.free(system, pointer)
    assert (now(reference), system.take()) == ("#48 .3984 || " + " | ".join([*[".4032"] * 22, *["#3920 .112"] * 2]), [])
    forget_what_was_used(reference)
    system.refuses = {"munmap"}
    reference.free(system, third)
    assert "munmap_refused" in reference.events
    system.refuses = set()
    reference.free(system, second)
    assert "region_was_returned" in reference.events
    assert now(reference) == "#48 .3984 || " + " | ".join([".4032"] * 23)


def test_finalize_gives_everything_back_in_order() -> None:
    """Mappings, then arenas; the top with sbrk, older regions at the break not at all."""
    reference, system = start(threshold=8192)
    blocks(reference, system, 40, 9000)
    system.brk += 4096
    blocks(reference, system, 4000)
    reference.set_thread(1)
    blocks(reference, system, 40)
    system.take()
    assert reference.finalize(system) == 1
    assert system.take() == [f"munmap({MAPPINGS:#x}, 12288)", "sbrk(0)", "sbrk(-8192)",
                             f"munmap({MAPPINGS + (1 << 20):#x}, 4096)"]
    assert reference.forgotten == [(BREAK, BREAK + 4096)]
    assert now(reference) == ""
    assert reference.heap().mapped_ledger.calls == (0,) * 5
    blocks(reference, system, 40)
    assert now(reference) == "- || #48 .3984"


def test_finalize_forgets_what_the_system_refuses() -> None:
    """A refused munmap, and a break that someone else has."""
    reference, system = start(threshold=8192)
    blocks(reference, system, 40, 9000)
    system.refuses = {"munmap"}
    system.brk += 1
    assert reference.finalize(system) == 2
    assert reference.forgotten == [(MAPPINGS, MAPPINGS + 12288), (BREAK, BREAK + 4096)]


def test_steps_of_a_trace_are_taken() -> None:
    """`predict` is every operation by its verb."""
    reference, system = Reference(), World()
    for step in (Step("growth", (4096,)), Step("policy", name="best_fit"), Step("threshold", (16384,)),
                 Step("arenas", (3,)), Step("thread", (4,)), Step("stats"), Step("fork")):
        assert reference.predict(system, step) == 0
    first = reference.predict(system, Step("malloc", (40,)))
    calls = [Step("calloc", (5, 8)), Step("memalign", (64, 40)), Step("aligned_alloc", (64, 40)),
             Step("posix_memalign", (64, 40)), Step("valloc", (40,)), Step("pvalloc", (40,))]
    assert all(reference.predict(system, step) for step in calls)
    assert reference.predict(system, Step("usable_size"), first) == 40
    assert reference.predict(system, Step("realloc", (41,)), first) != first
    reference.predict(system, Step("free"), reference.predict(system, Step("reallocarray", (2, 8))))
    assert reference.heap().arenas[0].ledger.calls == (2, 1, 1, 5, 1)
    reference.predict(system, Step("finalize"))
    assert sketch(reference.heap()) == ""
