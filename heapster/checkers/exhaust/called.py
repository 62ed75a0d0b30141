"""The compiled engine: programs of an allocator that is called from outside, run by the judge in snapshots or children.

A case of the judge runs many programs. What ends it none the less is the fault of the move that was under way: it is
noted, and the case goes on behind it.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.judge import Ending, Judge, packed
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.protocol import Mode, Reached, Suspicion, WayRecord, Went
from heapster.checkers.blackbox.stepwise import set_promises
from heapster.checkers.blackbox.symbols import read_shared_object
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.exhaust.layers import AnswerWay, Expanded, Piece
from heapster.checkers.exhaust.scope import Scope
from heapster.checkers.targets.opening import resolve
from heapster.model.operation import Step, Trace
from heapster.model.operations import CALLS, OPERATIONS
from heapster.model.spec import Promises
from heapster.native.shared_structs import packing
from heapster.results import HarnessError

CASE_LIMIT = 120_000            # ms that a case may work
HERE, IN_CHILDREN = 8000, 48    # programs of a piece
APART = 100                     # at least, if it is handed to a child
MOST_DEATHS = 10_000            # of one piece
# Who asks for memory in these ways, or keeps it where threads do, is not seen through.
OPEN = frozenset(OPERATIONS[verb].symbol for verb in CALLS) | {
    "strdup", "syscall", "dlopen", "dlsym", "dlmopen", "fork", "clone", "pthread_create", "shmat", "memfd_create",
    "shm_open", "open", "open64", "openat", "mprotect", "__tls_get_addr", "_Znwm", "_Znam",
    "clock_gettime", "time", "rand", "random", "getrandom", "arc4random"}
REACHED, WAY = packing(Reached), packing(WayRecord)
REACHED_TYPE = np.dtype([("digest", "<u8"), ("program", "<u4"), ("move", "<u4"), ("went", "<u4"), ("live", "<u4")])
assert REACHED_TYPE.itemsize == REACHED.size


def is_closed(target: ForeignTarget) -> bool:
    """Whether all memory that the target writes lies where snapshots of it can be taken."""
    objects = {Path(target.path), target.code_path}
    needs = [read_shared_object(path).needs for path in objects if path.is_file()]
    return target.bits == 64 and len(needs) == len(objects) and not any(names & OPEN for names in needs)


def refusal(refuse: int) -> Trace:
    """A move's refusal as steps of a trace: from here on there is no more memory."""
    del refuse
    return (Step("fail", (1,), name="mmap"),)


class _CaseTold(NamedTuple):
    """What a case has told, and what of it is for good."""

    reached: np.ndarray[Any, Any]
    ways: list[tuple[int, int, int, int, int]]


class CalledEngine:
    """The engine on one target, which `options` name. `judge` has learnt of it what there is to learn."""

    def __init__(self, judge: Judge, scope: Scope, promises: Promises, options: ForeignOptions, *,
                 closed: bool) -> None:
        self.judge, self.scope, self.promises, self.options, self.closed = judge, scope, promises, options, closed
        self._alphabet = b"".join(packed(call.step) for call in scope.alphabet)
        self._twin: Judge | None = None         # of a child, or a process of another machine: it ends with that

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is made where it is sent: its target is compiled there."""
        given = self.options, self.scope, self.promises, self.judge.layout, self.judge.learnt()
        return partial(_elsewhere, closed=self.closed), given

    @property
    def size(self) -> int:
        """Programs of a piece, at most."""
        return HERE if self.closed else IN_CHILDREN

    @property
    def apart(self) -> int:
        """Programs of a piece that is handed to a child, at least."""
        return APART if self.closed else IN_CHILDREN // 4

    def expand_apart(self, piece: Piece) -> Expanded | None:
        """Run a piece by a judge of this process's own, at the same addresses; it is kept for the next piece."""
        before = self._twin.spent if self._twin else 0.0
        self._twin = self._twin or self.judge.twin(self.judge.layout)
        found = self.expand(piece, self._twin)
        return found and replace(found, seconds=self._twin.spent - before)

    def expand(self, piece: Piece, judge: Judge | None = None) -> Expanded | None:
        """Run each program of a piece with every move more; None if snapshots do not hold for the target."""
        judge = judge or self.judge
        set_promises(judge, self.promises)
        self._ask(judge, piece)
        told, first = [], (0, 0, 0)
        refusals = by_children = 0
        for _ in range(MOST_DEATHS):
            judge.header.first, judge.header.first_move, judge.header.first_spoilt = first
            with judge.limited(CASE_LIMIT):
                ending = judge.run(Mode.EXHAUST, len(piece.programs))
            header = judge.header
            if header.strayed and self.closed:
                return None
            told.append(self._told(judge))
            refusals += header.refusals
            by_children += header.by_forks
            if not ending.died and header.done_ops >= len(piece.programs):
                return _expanded(piece, told, refusals, by_children, header.root)
            if header.strayed:
                raise HarnessError(f"{judge.target.name}: a program did not go as it went before")
            if ending.died:
                told.append(self._death(judge, piece, ending))
                first = (header.current, header.move + 1, header.spoilt + 1)
            elif header.done_ops <= first[0]:
                raise HarnessError(f"{judge.target.name}: a case came to no end ({ending.ended.name})")
            else:
                first = (header.done_ops, 0, 0)
        raise HarnessError(f"{judge.target.name}: {MOST_DEATHS:,} cases were brought down")

    def _ask(self, judge: Judge, piece: Piece) -> None:
        header, scope = judge.header, self.scope
        judge.set_records(self._alphabet + piece.programs.tobytes())
        header.alphabet, header.depth = len(scope.alphabet), piece.programs.shape[1]
        header.refuses, header.closed, header.states = scope.refusals, self.closed, piece.heaps
        header.masked = 0

    def _told(self, judge: Judge) -> _CaseTold:
        header = judge.header
        reached = np.frombuffer(judge.told(header.records * REACHED.size), REACHED_TYPE)
        ways = [tuple(way) for way in WAY.iter_unpack(judge.noted(header.classes * WAY.size))]
        return _CaseTold(reached, ways)

    @staticmethod
    def _death(judge: Judge, piece: Piece, ending: Ending) -> _CaseTold:
        """The move under way, as if it had been told. In the last layer its program is told of when it is done."""
        program, move = judge.header.current, judge.header.word
        row = np.array([(0, program, move, Went.DIED, 0)], REACHED_TYPE)
        key = hash((ending.ended, ending.code, move)) & 0xffffffff
        return _CaseTold(row if piece.heaps else row[:0], [(key, program, move, Suspicion.NOTHING, Went.DIED)])


def _elsewhere(options: ForeignOptions, scope: Scope, promises: Promises, layout: int, learnt: dict[str, Any], *,
               closed: bool) -> CalledEngine:
    target = resolve(options)
    judge = Judge(judge_program(target.bits), target, layout=layout)
    judge.learn(learnt)
    return CalledEngine(judge, scope, promises, options, closed=closed)


def _expanded(piece: Piece, told: list[_CaseTold], refusals: int, by_children: int, root: int) -> Expanded:
    rows = np.concatenate([one.reached for one in told])
    count = len(piece.programs)
    program = rows["program"].astype(np.int64)
    if piece.heaps:
        moves = np.bincount(program, minlength=count)
        spoilt = np.bincount(program[rows["went"] != Went.ON], minlength=count)
        rows = rows[rows["went"] == Went.ON]
    else:
        moves, spoilt = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
        moves[program], spoilt[program] = rows["digest"], rows["went"]
        rows = rows[:0]
    met: dict[int, AnswerWay] = {}
    for one in told:
        for key, index, move, suspicion, went in one.ways:
            met.setdefault(key, AnswerWay(key, (*map(int, piece.programs[index]), move), suspicion, went != Went.ON))
    return Expanded(moves.astype(np.uint64), spoilt.astype(np.uint64), rows["program"].astype(np.uint64),
                    rows["digest"].astype(np.uint64), rows["move"].astype(np.uint64), tuple(met.values()), refusals,
                    by_children, root)
