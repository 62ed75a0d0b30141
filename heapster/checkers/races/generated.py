"""Programs from Hypothesis: any calls that threads may make at once, blocks handed over among them."""

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from heapster.checkers.fuzz.draws import BACKEND
from heapster.checkers.races.programs import KINDS, NO_BLOCK, Op, Program, wrong
from heapster.model.placement import POLICY_NAMES

SIZES = (0, 24, 24, 24, 40, 56, 104, 200, 1000, 3900, 5000, 9000)
SETTINGS = (*(Op("p", (number,)) for number in range(len(POLICY_NAMES))), Op("t", (4096,)), Op("g", (4096,)),
            Op("g", (8192,)), Op("n", (1,)), Op("n", (2,)), Op("h", (0,)), Op("h", (64,)), Op("l", (0,)),
            Op("l", (16384,)), Op("d", (0,)), Op("e"), Op("s"), Op("y"))
STARTS = (
    (Op("n", (1,)), Op("g", (4096,))),
    (Op("n", (2,)), Op("g", (4096,))),
    (Op("n", (1,)), Op("g", (4096,)), Op("p", (1,))),
    (Op("n", (1,)), Op("g", (4096,)), Op("t", (4096,))),
    (Op("n", (1,)), Op("t", (4096,)), Op("l", (65536,))),
    (Op("n", (1,)), Op("g", (4096,)), Op("x", (2,), name="sbrk")),
    (Op("n", (1,)), Op("g", (4096,)), Op("h", (64,))),
    (Op("n", (2,)), Op("g", (4096,)), Op("h", (64,))),
    (Op("n", (2,)), Op("g", (4096,)), Op("h", (256,))),
    (Op("n", (2,)), Op("h", (64,)), Op("q", (3,))),
    (),
    (Op("o"),),
    (Op("o"), Op("n", (1,)), Op("g", (4096,))),
    (Op("o"), Op("n", (2,)), Op("g", (4096,))),
    (Op("o"), Op("n", (2,)), Op("g", (4096,)), Op("t", (4096,))),
    (Op("o"), Op("n", (2,)), Op("q", (3,))),
)
MOST_FIRST = 5                          # blocks that thread 0 allocates before the others start
CHOICES_AT_FIRST = 5 + MOST_FIRST       # bytes that are read before the lanes, at most
CHOICES_AN_OP = 3


def generated(number: int, threads: int, ops: int, seed_: int) -> list[Program]:
    """`number` programs of `threads` lanes with at most `ops` operations each."""
    found: list[Program] = []

    @seed(seed_)
    @settings(backend=BACKEND, max_examples=number, database=None, phases=[Phase.generate], deadline=None,
              suppress_health_check=list(HealthCheck))
    @given(programs(threads, ops))
    def collect(program: Program) -> None:
        if not wrong(program):
            found.append(program)

    collect()
    return found


def programs(threads: int, ops: int) -> st.SearchStrategy[Program]:
    """Programs whose lanes may wait for each other's blocks, though rarely for ever."""
    length = CHOICES_AT_FIRST + threads * (1 + ops * CHOICES_AN_OP)
    return st.binary(min_size=length, max_size=length).map(lambda data: _Builder(data).program(threads, ops))


class _Builder:
    """A program read off bytes: one draw for all its choices is many times quicker than one for each."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)
        self._fresh = 0                         # the next unused block
        self._loose: list[int] = []             # blocks that a lane may still take over

    def _pick(self, options: Sequence[Any]) -> Any:
        return options[next(self._data) % len(options)]

    def program(self, threads: int, ops: int) -> Program:
        """The whole of it."""
        start = list(self._pick(STARTS))
        for _ in range(self._pick(range(MOST_FIRST + 1))):
            start.append(self._new("m"))
            self._loose.append(self._fresh - 1)
        for _ in range(self._pick(range(3)) if len(self._loose) > 2 else 0):
            hole = self._pick(self._loose)
            self._loose.remove(hole)
            start.append(Op("f", block=hole))
        return Program(tuple(start), tuple(self._lane(ops) for _ in range(threads)))

    def _new(self, code: str, *numbers: int) -> Op:
        self._fresh += 1
        return Op(code, (*numbers, self._pick(SIZES)), self._fresh - 1)

    def _lane(self, ops: int) -> tuple[Op, ...]:
        """A lane; the blocks of its own that it keeps are loose for later ones."""
        lane: list[Op] = []
        mine: list[int] = []
        taken: list[int] = []
        for _ in range(1 + self._pick(range(ops))):
            op = self._op([*mine, *taken, *self._loose])
            lane.append(op)
            if op.block in self._loose:
                self._loose.remove(op.block)
                taken.append(op.block)
            elif op.block != NO_BLOCK and op.code in "mca":
                mine.append(op.block)
            if KINDS[op.code].block == "frees":
                (mine if op.block in mine else taken).remove(op.block)
        self._loose += mine
        return tuple(lane)

    def _op(self, blocks: list[int]) -> Op:
        code = self._pick("mmmmca" + "ffffbru" * bool(blocks) + "o")
        if code == "o":
            op: Op = self._pick(SETTINGS)
            return op
        if code in "mc":
            return self._new(code)
        if code == "a":
            return self._new("a", self._pick((32, 64, 256)))
        block = self._pick(blocks)
        return Op("r", (max(1, self._pick(SIZES)),), block) if code == "r" else Op(code, block=block)
