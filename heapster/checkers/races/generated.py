"""Programs from Hypothesis: any calls that threads may make at once, blocks handed over among them."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from heapster.checkers.races.programs import NO_BLOCK, Op, Program, wrong

SIZES = (0, 24, 24, 24, 40, 56, 104, 200, 1000, 3900, 5000, 9000)
SETTINGS = (Op("p", (0,)), Op("p", (1,)), Op("p", (2,)), Op("p", (3,)), Op("t", (4096,)), Op("g", (4096,)),
            Op("g", (8192,)), Op("n", (1,)), Op("n", (2,)), Op("s"))
STARTS = (
    (Op("n", (1,)), Op("g", (4096,))),
    (Op("n", (2,)), Op("g", (4096,))),
    (Op("n", (1,)), Op("g", (4096,)), Op("p", (1,))),
    (Op("n", (1,)), Op("g", (4096,)), Op("t", (4096,))),
    (Op("n", (1,)), Op("g", (4096,)), Op("x", (2,), name="sbrk")),
    (),
)
MOST_FIRST = 5                          # blocks that thread 0 allocates before the others start


def generated(number: int, threads: int, ops: int, seed_: int) -> list[Program]:
    """`number` programs of `threads` lanes with at most `ops` operations each."""
    found: list[Program] = []

    @seed(seed_)
    @settings(max_examples=number, database=None, phases=[Phase.generate], deadline=None,
              suppress_health_check=list(HealthCheck))
    @given(programs(threads, ops))
    def collect(program: Program) -> None:
        if not wrong(program):
            found.append(program)

    collect()
    return found


@st.composite
def programs(draw: Callable[..., Any], threads: int, ops: int) -> Program:
    """A program whose lanes may wait for each other's blocks, though rarely for ever."""
    first = draw(st.integers(0, MOST_FIRST))
    start = [*draw(st.sampled_from(STARTS)), *(Op("m", (draw(st.sampled_from(SIZES)),), b) for b in range(first))]
    holes = draw(st.sets(st.integers(0, first - 1), max_size=2)) if first > 1 else set()
    start += [Op("f", block=b) for b in sorted(holes)]
    loose = [b for b in range(first) if b not in holes]         # blocks that a lane may still take over
    fresh = first
    lanes = []
    for _ in range(threads):
        lane, left, fresh = _lane(draw, draw(st.integers(1, ops)), loose, fresh)
        lanes.append(lane)
        loose += left
    return Program(tuple(start), tuple(lanes))


def _lane(draw: Callable[..., Any], ops: int, loose: list[int], fresh: int) -> tuple[tuple[Op, ...], list[int], int]:
    """A lane; the blocks that it leaves to later ones; the next unused block number."""
    lane: list[Op] = []
    mine: list[int] = []
    taken: list[int] = []
    for _ in range(ops):
        op = _op(draw, [*mine, *taken, *loose], fresh)
        lane.append(op)
        if op.block == fresh:
            mine.append(fresh)
            fresh += 1
        elif op.block in loose:
            loose.remove(op.block)
            taken.append(op.block)
        if op.code == "f":
            (mine if op.block in mine else taken).remove(op.block)
    return tuple(lane), mine, fresh


def _op(draw: Callable[..., Any], blocks: list[int], fresh: int) -> Op:
    codes = "mmmmca" + "fffffru" * bool(blocks) + "o"
    code = draw(st.sampled_from(codes))
    if code == "o":
        op: Op = draw(st.sampled_from(SETTINGS))
        return op
    size = draw(st.sampled_from(SIZES))
    block = draw(st.sampled_from(blocks)) if code in "fru" else NO_BLOCK
    if code == "a":
        return Op("a", (draw(st.sampled_from((32, 64, 256))), size), fresh)
    if code == "r":
        return Op("r", (max(1, size),), block)
    return Op(code, (size,), fresh) if code in "mc" else Op(code, block=block)
