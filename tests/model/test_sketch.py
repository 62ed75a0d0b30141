"""Heaps as strings, back, and as pictures."""

import pytest

from heapster.model.geometry import BEFORE_RUNS, RUN
from heapster.model.heap import Bin, Block, Cache, Heap, Ledger, Mapped, Stack, place
from heapster.model.invariants import violations
from heapster.model.runs import Pooled, RunOfSlots, Runs
from heapster.model.sketch import heap, picture, sketch

TEXTS = ["", "()", "#64", ".32", "#64 .32 #48", "#64 | .4000", "#64 | .4000 | #32", "#64 .32 || - || #32",
         "- || #32", "() || () || .32", "#64 ; #8192 .4096", "; .4096", "- || .32 | #48 ; #12288"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_sketch_is_a_heap(text: str) -> None:
    """Back and forth, and consistent."""
    assert sketch(heap(text)) == text
    assert violations(heap(text)) == []


def test_a_sketched_heap_word_by_word() -> None:
    """What the builder fills in."""
    value = heap("#64 .32 ; #8192")
    (arena,), (region,) = value.arenas, value.arenas[0].regions
    start = region.start
    assert region.blocks == (Block(start + 40, 64, True, True, 0, None),
                             Block(start + 104, 32, False, True, 0, 32))
    assert region.fence == Block(start + 136, 0, True, False, 0, None)
    assert (region.end, arena.brk, arena.top) == (start + 152, start + 152, start)
    assert arena.ledger == Ledger(152, 64, 1, 32, 1, (2, 0, 0, 0, 1))
    mapping = value.mapped[0].start
    assert value.mapped == (Mapped(mapping + 40, mapping, 8192, True),)
    assert value.system == ((start, start + 152), (mapping, mapping + 8192))


def test_a_sketched_heap_is_placed_from_the_oldest_up() -> None:
    """And its lists lead through all of it; only the first arena has the break."""
    value = heap(".32 #48 .64 #32 .96 || #32 ; #8192 #4096 .12288 .4096")
    main, other = value.arenas
    assert main.forward == main.backward[::-1] == tuple(b.address for b in main.regions[0].blocks if not b.used)
    assert (other.top, other.brk) == (0, 0)
    assert [mapped.length for mapped in value.mapped] == [4096, 8192, 4096, 12288]
    assert sorted(m.start for m in value.mapped) == [value.mapped[n].start for n in (1, 0, 3, 2)]


@pytest.mark.parametrize("text", ["64", "#", "#x", "#64 32", "~32", "#-4"])
def test_what_is_no_sketch_is_an_error(text: str) -> None:
    """With the token that is wrong."""
    with pytest.raises(ValueError, match="is no block; write #64 for a used one"):
        heap(text)


def test_places_are_relative() -> None:
    """Regions are counted from the oldest, and left out where there is one."""
    value = heap("#64 | .4000 || #32 ; #8192 #4096")
    main, other = value.arenas
    assert place(value, main.regions[0].start + 40) == "arena 0 region 1 +40"
    assert place(value, main.regions[1].start) == "arena 0 region 0 +0"
    assert place(value, other.regions[0].end - 1) == "arena 1 +87"
    assert place(value, value.mapped[0].start + 48) == "mapping 1 +48"
    assert (place(value, 0), place(value, 99)) == ("NULL", "outside the heap")


def test_a_picture_names_blocks_and_counts_runs() -> None:
    """No raw addresses."""
    value = heap("#64 .32 #48 #48 #48 .96 | .4000 ; #8192 .4096")
    blocks = value.arenas[0].regions[1].blocks
    value = value._replace(arenas=(value.arenas[0]._replace(cursor=blocks[5].address),))
    names = {blocks[0].address + 8: "a", blocks[3].address + 8: "b", value.mapped[0].address + 8: "big"}
    assert picture(value, names).splitlines() == [
        "first_fit, threshold 131072, growth 131072",
        "arena 0: 4 used (208 bytes), 3 free (4128 bytes), 4448 held",
        "  region 0: sbrk, 392 bytes",
        "    +40 #64=a  +104 .32  +136 #48  +184 #48=b  +232 #48  +280 .96",
        "  region 1: sbrk, 4056 bytes",
        "    +40 .4000",
        "  free list: 0:+104  [0:+280]  1:+40",
        "mapped",
        "  #8192=big  .4096",
    ]
    assert "+136 #48 x3" in picture(value)


def test_pictures_keep_to_their_frame() -> None:
    """Columns and lines."""
    value = heap(" ".join(["#64 .32"] * 40))
    drawn = picture(value, width=70).splitlines()
    assert max(len(line) for line in drawn) <= 70
    short = picture(value, width=70, lines=6).splitlines()
    assert short[:5] == drawn[:5]
    assert short[5:] == [f"... {len(drawn) - 5} more lines"]
    assert picture(value, width=70, lines=len(drawn)).splitlines() == drawn


FIRST = (1 << 40) + BEFORE_RUNS


def with_runs() -> Heap:
    """Six slots were handed out: two came back, and a thread keeps two; it keeps a block, too."""
    value = heap("#64 #48")
    run = RunOfSlots(FIRST, 0, 64, FIRST + 6 * 64, 4, (FIRST + 64, FIRST + 128), 0, True)
    bins = (Bin(48, 9, False, Stack(1, (value.arenas[0].regions[0].blocks[1].address + 8,))),
            Bin(64, 9, False, Stack(2, (FIRST + 192, FIRST + 320))))
    return value._replace(caches=(Cache(0, bins, (0, 0, 0, 0, 0)),), runs=Runs(
        1 << 40, 1 << 40, True, FIRST + 3 * RUN, (run,), 1, 1,
        (Pooled(FIRST + 2 * RUN, True), Pooled(FIRST + RUN, False))))


def test_a_picture_has_runs_and_says_what_waits() -> None:
    assert picture(with_runs(), {FIRST: "a", FIRST + 256: "b"}).splitlines()[2:] == [
        "  region 0: sbrk, 168 bytes",
        "    +40 #64  +104 ~48",
        "  run +0 of 64-byte slots: 4 out (2 cached), 2 back, 1,018 never handed out",
        "    +0 #64=a  +64 .64 x2  +192 ~64  +256 #64=b  +320 ~64",
        "pool of runs: +131072  (+65536)",
    ]


def test_a_run_of_which_too_much_was_handed_out_is_drawn_to_its_end() -> None:
    value = with_runs()
    assert value.runs is not None
    broken = value.runs.runs[0]._replace(fresh=1 << 62)
    drawn = picture(value._replace(runs=value.runs._replace(runs=(broken,))))
    assert "2 back, 0 never handed out" in drawn
    assert "+384 #64 x1018" in drawn


def test_a_place_in_a_run_is_relative() -> None:
    value = with_runs()
    assert place(value, FIRST + RUN + 72) == "run +65536 +72"
    assert place(value, FIRST - BEFORE_RUNS - 1) == "outside the heap"
