"""The engine for our own source: each call in lock-step with the model, and taken back by a copy of the lockstep."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from heapster.checkers.exhaust.held import HeldLockstep, digest
from heapster.checkers.exhaust.layers import AnswerWay, Expanded, Piece
from heapster.checkers.exhaust.scope import Move, Scope, trace
from heapster.checkers.lockstep.collecting import rarely_collecting
from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.lockstep.run_trace import Make
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import OPERATIONS, STATING
from heapster.model.problem import Problem
from heapster.model.system import SYSTEM_CALL_NAMES
from heapster.results import HarnessError

NTH_BITS, ALSO_MMAP = 3, 1 << 6         # of a refusal: which of its kind in the call; the mmap tried instead too
TOGETHER, APART = 48, 6                 # programs of a piece, and of one that is worth a child


def refusal(refuse: int) -> Trace:
    """The steps that plan what a move's refusal means."""
    name = SYSTEM_CALL_NAMES[refuse - 1 >> NTH_BITS & (1 << 6 - NTH_BITS) - 1]
    nth = (refuse - 1 & (1 << NTH_BITS) - 1) + 1
    also = (Step("fail", (1,), name="mmap"),) if refuse - 1 & ALSO_MMAP else ()
    return (Step("fail", (nth,), name=name), *also)


def _refusals(made: Iterable[str]) -> Iterator[int]:
    """A refusal of each system call that a call made, by their names in order."""
    times: Counter[str] = Counter()
    for name in made:
        if times[name] < 1 << NTH_BITS:
            yield 1 + (SYSTEM_CALL_NAMES.index(name) << NTH_BITS | times[name])
        times[name] += 1


class _Came(NamedTuple):
    """The result of a move."""

    word: int
    problems: Sequence[Problem]
    digest: int
    made: tuple[str, ...]               # the system calls of its call, by name


class InterpretedEngine:
    """The engine on one target."""

    def __init__(self, make: Make, scope: Scope) -> None:
        self._make, self._scope = make, scope
        self.size, self.apart = TOGETHER, APART

    def expand_apart(self, piece: Piece) -> Expanded:
        """Run a piece in a child of this process: it is the same."""
        return self.expand(piece)

    def expand(self, piece: Piece) -> Expanded:
        """Run each program of a piece with every move more."""
        with rarely_collecting():
            return self._expanded(piece)

    def _expanded(self, piece: Piece) -> Expanded:
        moves, spoilt = np.zeros(len(piece.programs), np.uint64), np.zeros(len(piece.programs), np.uint64)
        reached: list[tuple[int, int, int]] = []
        ways: dict[int, AnswerWay] = {}
        refusals = 0
        for place, row in enumerate(piece.programs):
            program = tuple(map(int, row))
            for came in self._each(program, heaps=piece.heaps):
                moves[place] += 1
                refusals += came.word >> Move(0, 0, 1).word.bit_length() - 1 != 0
                if came.problems:
                    spoilt[place] += 1
                    way = self._way(program, came)
                    ways.setdefault(way.key, way)
                elif piece.heaps:
                    reached.append((place, came.digest, came.word))
        told = np.array(reached, np.uint64).reshape(-1, 3)
        return Expanded(moves, spoilt, told[:, 0], told[:, 1], told[:, 2], tuple(ways.values()), refusals, 0,
                        digest(self._make()))

    def _way(self, program: tuple[int, ...], came: _Came) -> AnswerWay:
        verb = self._scope.alphabet[Move.of(came.word).call].verb
        about = repr((verb, [problem.code for problem in came.problems], Move.of(came.word).refuse != 0))
        key = int.from_bytes(blake2b(about.encode(), digest_size=8).digest())
        return AnswerWay(key, (*program, came.word), 0, spoils=True)

    def _each(self, program: tuple[int, ...], *, heaps: bool) -> Iterator[_Came]:
        """Every move after the program; of a call that asks the system for something, each refusal too."""
        lockstep = self._make()
        for step in trace(program, self._scope.alphabet, refusal):
            if problems := lockstep.take(step):
                raise HarnessError(f"a program went well, and now does not: {problems[0].message}")
        held = HeldLockstep(lockstep)
        for word in self._words(lockstep, len(program)):
            came = self._try(held, program, word, heaps=heaps)
            yield came
            if self._scope.refusals and not came.problems:
                yield from self._refused(held, program, came, heaps=heaps)

    def _refused(self, held: HeldLockstep, program: tuple[int, ...], came: _Came, *, heaps: bool) -> Iterator[_Came]:
        move = Move.of(came.word)
        for refuse in _refusals(came.made):
            other = self._try(held, program, move._replace(refuse=refuse).word, heaps=heaps)
            yield other
            if not other.problems and "mmap" in other.made[_place(refuse, came.made) + 1:] and "mmap" not in came.made:
                yield self._try(held, program, move._replace(refuse=refuse + ALSO_MMAP).word, heaps=heaps)

    def _try(self, held: HeldLockstep, program: tuple[int, ...], word: int, *, heaps: bool) -> _Came:
        lockstep, steps = held.again(), self._last_steps(program, word)
        lockstep.look_every = len(steps)        # what is planned changes no heap
        problems: list[Problem] = []
        for step in steps:
            problems = lockstep.take(step)
            if problems:
                break
        made = tuple(call.name for call in lockstep.m.calls)
        return _Came(word, problems, digest(lockstep) if heaps and not problems else 0, made)

    def _last_steps(self, program: tuple[int, ...], word: int) -> Trace:
        steps = trace((*program, word), self._scope.alphabet, refusal)
        more = 1 + len(refusal(Move.of(word).refuse)) if Move.of(word).refuse else 1
        return steps[len(steps) - more:]

    def _words(self, lockstep: Lockstep, count: int) -> Iterator[int]:
        """The moves without a refusal; of the handles that a block had, it is taken by the last."""
        last = {lockstep.pointers.get(handle): handle for handle in range(count)}
        live = [handle for pointer, handle in last.items() if pointer and pointer in lockstep.live]
        for number, call in enumerate(self._scope.alphabet):
            yield Move(number, NO_HANDLE, 0).word
            for handle in live if OPERATIONS[call.verb].operand else ():
                if call.verb not in STATING or _takes(lockstep, handle, call.verb):
                    yield Move(number, handle, 0).word


def _takes(lockstep: Lockstep, handle: int, verb: str) -> bool:
    """Whether a block may be given back by a call that says what it was asked for with."""
    aligned = lockstep.live[lockstep.pointers[handle]].alignment is not None
    return ("alignment" in OPERATIONS[verb].numbers) == aligned


def _place(refuse: int, made: Sequence[str]) -> int:
    """Where among the system calls of a call that one is which is refused."""
    name, nth = refusal(refuse)[0].name, refusal(refuse)[0].numbers[0]
    return [place for place, other in enumerate(made) if other == name][nth - 1]
