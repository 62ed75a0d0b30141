"""Scopes: the calls to choose from, how many a program has, and how a program is written down.

A program is a row of moves. A move is a word: the number of a call of the alphabet, the handle that the call is given,
and what the system refuses. The handle that a call defines is its place in the program, so that programs which differ
in the names of handles alone are one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from heapster.checkers.blackbox.protocol import MOST_ALPHABET, MOST_CALLS, OPERAND_AT, REFUSE_AT
from heapster.model.geometry import SIZE_MAX
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import (
    ALIGNING,
    OPERATIONS,
    PRODUCTS,
    REQUESTS,
    RESIZING,
    STATING,
    alignment_asked,
    in_order,
    requested,
)
from heapster.results import UsageError

HUGE = SIZE_MAX >> 1            # no block is larger
FILLED = 1 << 24                # bytes: larger blocks are given, but not by calls that fill or copy them
BAD_ALIGNMENT = 24              # is no power of two
ALIGNMENTS = (64, 4096)
CALL_MASK, HANDLE_MASK = (1 << OPERAND_AT) - 1, (1 << REFUSE_AT - OPERAND_AT) - 1


class ScopedCall(NamedTuple):
    """A call of the alphabet, but for the block that it is given."""

    verb: str
    numbers: tuple[int, ...] = ()

    @property
    def step(self) -> Step:
        """As a step on NULL that defines the first handle, if it defines one."""
        return Step(self.verb, self.numbers, 0 if OPERATIONS[self.verb].result else NO_HANDLE)


class Scope(NamedTuple):
    """The calls, sizes and lengths of the programs that are run."""

    calls: int                      # that a program has at most
    sizes: tuple[int, ...]
    alphabet: tuple[ScopedCall, ...]
    refusals: bool = True           # the system refuses memory, at each place

    @property
    def digest(self) -> str:
        """Of all of it, for what is kept between runs."""
        return sha256(repr(tuple(self)).encode()).hexdigest()[:16]


class Move(NamedTuple):
    """A move, taken apart."""

    call: int
    operand: int
    refuse: int                     # 0: nothing is refused; else as the engine means it

    @classmethod
    def of(cls, word: int) -> "Move":
        """The move that a word stands for."""
        return cls(word & CALL_MASK, (word >> OPERAND_AT & HANDLE_MASK) - 1, word >> REFUSE_AT)

    @property
    def word(self) -> int:
        """The word that stands for it."""
        return self.call | self.operand + 1 << OPERAND_AT | self.refuse << REFUSE_AT


def scope(calls: int, sizes: Iterable[int], verbs: frozenset[str], *, refusals: bool,
          alignments: tuple[int, ...] = ALIGNMENTS, first: Scope | None = None) -> Scope:
    """The scope over a target's calls; UsageError if it is more than can be written down.

    The calls of another scope come `first`: its programs are written down in the same way in both.
    """
    if not 1 <= calls < MOST_CALLS:
        raise UsageError(f"--calls {calls}: a program has 1 to {MOST_CALLS - 1} calls")
    chosen = tuple(sorted(set(sizes)))
    if not any(size <= HUGE for size in chosen):
        raise UsageError("--sizes: name one at least that there is memory for")
    made = tuple(dict.fromkeys((*(first.alphabet if first else ()), *alphabet(verbs, chosen, alignments))))
    if len(made) > MOST_ALPHABET:
        raise UsageError(f"--sizes: {len(made):,} calls to choose from are more than {MOST_ALPHABET:,}: name fewer")
    return Scope(calls, chosen, made, refusals)


def alphabet(verbs: frozenset[str], sizes: Sequence[int],
             alignments: Sequence[int] = ALIGNMENTS) -> Iterator[ScopedCall]:
    """Each call that a target has, with each of the sizes; of those that nobody gets, one for each function.

    What takes long to fill is asked of malloc alone.
    """
    usual = [size for size in sizes if size <= FILLED]
    huge = [size for size in sizes if size > HUGE]
    for verb in in_order(verb for verb in verbs if verb in OPERATIONS):
        if verb in ALIGNING:
            yield from (ScopedCall(verb, (alignment, size)) for alignment in alignments for size in usual)
            yield from (ScopedCall(verb, (alignments[0], size)) for size in huge)
            yield ScopedCall(verb, (BAD_ALIGNMENT, max(usual, default=0)))
        elif verb in PRODUCTS:
            yield from (ScopedCall(verb, factors(size)) for size in (*usual, *huge))
        elif verb in REQUESTS:
            yield from (ScopedCall(verb, (size,)) for size in (sizes if verb == "malloc" else (*usual, *huge)))
        else:
            yield ScopedCall(verb, (0,) * len(OPERATIONS[verb].numbers) if verb not in STATING else _nothing(verb))


def _nothing(verb: str) -> tuple[int, ...]:
    """What may be said of NULL."""
    return tuple(16 if name == "alignment" else 0 for name in OPERATIONS[verb].numbers)


def factors(size: int) -> tuple[int, int]:
    """Two numbers whose product is the size, or as near above it as two halves come where that is past belief."""
    if size > HUGE:
        return 2, -(-size // 2)
    return (2, size // 2) if size and size % 2 == 0 else (size, 1)


Refusal = Callable[[int], Trace]    # the steps that say what a move's `refuse` means


def trace(program: Iterable[int], made: Sequence[ScopedCall], refusal: Refusal) -> Trace:
    """The steps of a program."""
    steps: list[Step] = []
    blocks: dict[int, Step] = {}
    for place, word in enumerate(program):
        move = Move.of(int(word))
        call = made[move.call]
        if move.refuse:
            steps += refusal(move.refuse)
        row = OPERATIONS[call.verb]
        step = Step(call.verb, call.numbers, place if row.result else NO_HANDLE, move.operand)
        if call.verb in STATING and move.operand != NO_HANDLE:
            step = step._replace(numbers=_said(call.verb, blocks[move.operand]))
        if row.result:
            blocks[place] = step
        steps.append(step)
    return tuple(steps)


def _said(verb: str, block: Step) -> tuple[int, ...]:
    """What a call says of the block that it frees."""
    said = {"alignment": alignment_asked(block) or 0, "size": requested(block)}
    return tuple(said[name] for name in OPERATIONS[verb].numbers)


class Kinds(NamedTuple):
    """How many calls of an alphabet do what to blocks, where each request gets one."""

    allocating: int                 # without an operand
    resizing: int
    releasing: int                  # whatever is said of the block
    stating: int                    # releasing, of which each block takes one
    asking: int

    @classmethod
    def of(cls, made: Iterable[ScopedCall]) -> "Kinds":
        """Those of an alphabet."""
        verbs = [call.verb for call in made]
        resizing = sum(verb in RESIZING for verb in verbs)
        allocating = sum(verb in REQUESTS for verb in verbs) - resizing
        stating = sum(verb in STATING for verb in verbs)
        plain = sum(verb == "free" for verb in verbs)
        return cls(allocating, resizing, plain, stating, len(verbs) - resizing - allocating - stating - plain)


def closed_form(calls: int, kinds: Kinds, live: int = 0) -> int:
    """How many programs of exactly so many calls there are without refusals, up to the names of handles.

    Each request gets a block. Beside `live` blocks a call that asks for one has one way; a call that is given a block
    has one more than there are, for NULL. Of the calls that say what they free, each block takes one.
    """
    if calls == 0:
        return 1
    more, same = closed_form(calls - 1, kinds, live + 1), closed_form(calls - 1, kinds, live)
    fewer = closed_form(calls - 1, kinds, live - 1) if live else 0
    frees = kinds.releasing + bool(kinds.stating)
    return ((kinds.allocating + kinds.resizing) * more + kinds.resizing * live * same
            + (kinds.releasing + kinds.stating) * same + frees * live * fewer + kinds.asking * (live + 1) * same)
