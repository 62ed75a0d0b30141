"""The litmus tests, with the outcomes that RC11 forbids: all others must be found.

Names and outcomes are those of the literature: Alglave, Maranget and Tautschnig, "Herding cats", TOPLAS 36(2), 2014
(MP, SB, LB, IRIW, WRC, ISA2, S, R, 2+2W); coherence: the same, and Batty and others, POPL 2011; fences and
sequential consistency: Lahav and others, PLDI 2017.
"""

import re
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from heapster.checkers.races.litmus import Lanes, Outcome, parse


class Litmus(NamedTuple):
    """A program, what is observed of it, and what never is: a digit for each name, a dot for any."""

    name: str
    text: str
    observed: str               # names of what is read, and of places for their last values
    never: str = ""

    @property
    def lanes(self) -> Lanes:
        """Its threads."""
        return parse(self.text)

    def allowed(self) -> set[Outcome]:
        """Every outcome that is not forbidden."""
        found = product(*(sorted(self._values(name)) for name in self.observed))
        forbidden = [re.compile(pattern) for pattern in self.never.split()]
        return {each for each in found if not any(p.fullmatch("".join(map(str, each))) for p in forbidden)}

    def _values(self, name: str) -> Iterator[int]:
        """What the place has ever held; as its last value, not the first one."""
        steps = [step for lane in self.lanes for step in lane]
        place = next((step.place for step in steps if step.name == name), name)
        written = {step.value for step in steps if step.place == place and step.kind in ("store", "exchange", "cas")}
        yield from written if place == name and written else written | {0}


LITMUS = (
    Litmus("MP, relaxed", "x=1 rlx; y=1 rlx | a=y rlx; b=x rlx", "ab"),
    Litmus("MP, release and acquire", "x=1 rlx; y=1 rel | a=y acq; b=x rlx", "ab", "10"),
    Litmus("MP without the acquire", "x=1 rlx; y=1 rel | a=y rlx; b=x rlx", "ab"),
    Litmus("MP without the release", "x=1 rlx; y=1 rlx | a=y acq; b=x rlx", "ab"),
    Litmus("MP, sequentially consistent", "x=1 sc; y=1 sc | a=y sc; b=x sc", "ab", "10"),
    Litmus("MP by fences", "x=1 rlx; fence rel; y=1 rlx | a=y rlx; fence acq; b=x rlx", "ab", "10"),
    Litmus("MP, a fence and an acquire", "x=1 rlx; fence rel; y=1 rlx | a=y acq; b=x rlx", "ab", "10"),
    Litmus("MP, a release and a fence", "x=1 rlx; y=1 rel | a=y rlx; fence acq; b=x rlx", "ab", "10"),
    Litmus("MP without the second fence", "x=1 rlx; fence rel; y=1 rlx | a=y rlx; b=x rlx", "ab"),
    Litmus("MP, the fences the wrong way round", "x=1 rlx; fence acq; y=1 rlx | a=y rlx; fence rel; b=x rlx", "ab"),
    Litmus("MP by exchanges", "x=1 rlx; a=xchg(y,1) rel | b=xchg(y,2) acq; c=x rlx", "bc", "10 2."),
    Litmus("SB, relaxed", "x=1 rlx; a=y rlx | y=1 rlx; b=x rlx", "ab"),
    Litmus("SB, release and acquire", "x=1 rel; a=y acq | y=1 rel; b=x acq", "ab"),
    Litmus("SB, sequentially consistent", "x=1 sc; a=y sc | y=1 sc; b=x sc", "ab", "00"),
    Litmus("SB, one of them only", "x=1 sc; a=y sc | y=1 rel; b=x acq", "ab"),
    Litmus("SB, fences of both orders", "x=1 rlx; fence ar; a=y rlx | y=1 rlx; fence ar; b=x rlx", "ab"),
    Litmus("SB, sequentially consistent fences", "x=1 rlx; fence sc; a=y rlx | y=1 rlx; fence sc; b=x rlx", "ab", "00"),
    Litmus("SB, one such fence", "x=1 rlx; fence sc; a=y rlx | y=1 rlx; b=x rlx", "ab"),
    Litmus("LB, relaxed (C11 allows it, RC11 does not)", "a=x rlx; y=1 rlx | b=y rlx; x=1 rlx", "ab", "11"),
    Litmus("LB, acquire and release", "a=x acq; y=1 rel | b=y acq; x=1 rel", "ab", "11"),
    Litmus("LB, sequentially consistent", "a=x sc; y=1 sc | b=y sc; x=1 sc", "ab", "11"),
    Litmus("IRIW, release and acquire", "x=1 rel | y=1 rel | a=x acq; b=y acq | c=y acq; d=x acq", "abcd"),
    Litmus("IRIW, sequentially consistent", "x=1 sc | y=1 sc | a=x sc; b=y sc | c=y sc; d=x sc", "abcd", "1010"),
    Litmus("IRIW, sequentially consistent fences",
           "x=1 rlx | y=1 rlx | a=x rlx; fence sc; b=y rlx | c=y rlx; fence sc; d=x rlx", "abcd", "1010"),
    Litmus("WRC, release and acquire", "x=1 rel | a=x acq; y=1 rel | b=y acq; c=x rlx", "abc", "110"),
    Litmus("WRC, relaxed", "x=1 rlx | a=x rlx; y=1 rlx | b=y rlx; c=x rlx", "abc"),
    Litmus("ISA2, release and acquire", "x=1 rlx; y=1 rel | a=y acq; z=1 rel | b=z acq; c=x rlx", "abc", "110"),
    Litmus("ISA2 without one acquire", "x=1 rlx; y=1 rel | a=y rlx; z=1 rel | b=z acq; c=x rlx", "abc"),
    Litmus("CoRR", "x=1 rlx | a=x rlx; b=x rlx", "ab", "10"),
    Litmus("CoRR of two writers", "x=1 rlx | x=2 rlx | a=x rlx; b=x rlx | c=x rlx; d=x rlx", "abcd",
           "10.. 20.. ..10 ..20 1221 2112"),
    Litmus("CoWW", "x=1 rlx; x=2 rlx", "x", "1"),
    Litmus("CoRW", "a=x rlx; x=2 rlx | x=1 rlx", "ax", "2. 11"),
    Litmus("CoWR", "x=1 rlx; a=x rlx | x=2 rlx", "ax", "0. 21"),
    Litmus("CoWR, sequentially consistent", "x=1 sc; a=x sc | x=2 sc", "ax", "0. 21"),
    Litmus("S, release and acquire", "x=2 rlx; y=1 rel | a=y acq; x=1 rlx", "ax", "12"),
    Litmus("S, relaxed", "x=2 rlx; y=1 rlx | a=y rlx; x=1 rlx", "ax"),
    Litmus("R, sequentially consistent", "x=1 sc; y=1 sc | y=2 sc; a=x sc", "ya", "20"),
    Litmus("R, release and acquire", "x=1 rel; y=1 rel | y=2 rel; a=x acq", "ya"),
    Litmus("2+2W, relaxed", "x=1 rlx; y=2 rlx | y=1 rlx; x=2 rlx", "xy"),
    Litmus("2+2W, release", "x=1 rel; y=2 rel | y=1 rel; x=2 rel", "xy"),
    Litmus("2+2W, sequentially consistent", "x=1 sc; y=2 sc | y=1 sc; x=2 sc", "xy", "11"),
    Litmus("2+2W, sequentially consistent fences",
           "x=1 rlx; fence sc; y=2 rlx | y=1 rlx; fence sc; x=2 rlx", "xy", "11"),
    Litmus("release sequence, by a swap", "x=1 rlx; y=1 rel | a=cas(y,1,2) rlx | b=y acq; c=x rlx", "bc", "10 20"),
    Litmus("release sequence, by two swaps",
           "x=1 rlx; y=1 rel | a=cas(y,1,2) rlx | b=cas(y,2,3) rlx | c=y acq; d=x rlx", "cd", "10 20 30"),
    Litmus("release sequence, cut by its thread's store (C++20)", "x=1 rlx; y=1 rel; y=2 rlx | a=y acq; b=x rlx",
           "ab", "10"),
    Litmus("release sequence, cut by another's store", "x=1 rlx; y=1 rel | y=2 rlx | a=y acq; b=x rlx", "ab", "10"),
    Litmus("release sequence, of a fence", "x=1 rlx; fence rel; y=1 rlx; y=2 rlx | a=y acq; b=x rlx", "ab", "10 20"),
    Litmus("two exchanges", "a=xchg(x,1) rlx | b=xchg(x,2) rlx", "ab", "1. .2 00 21"),
    Litmus("two swaps", "a=cas(x,0,1) rlx | b=cas(x,0,2) rlx", "ab", "1. .2 00 21"),
    Litmus("a swap and a store", "a=cas(x,0,1) rlx | x=2 rlx", "ax", "1. .1"),
)
