"""Memory as a reading knows it: what it was at some moment, and what was written since, word by word."""

from functools import partial
from textwrap import shorten
from typing import Any, NamedTuple

import z3

from heapster.checkers.proofs.compiled.ways import JointWay

LONGEST = 60                        # letters of an address that is told


class Memory(NamedTuple):
    """All that lies outside of the running code: words, and beside them errno and whether there is one thread."""

    moment: int                     # since which nobody else wrote; both readings count alike
    writes: tuple[tuple[Any, Any], ...]     # addresses and words, the latest last
    seen: frozenset[int]            # addresses, by their numbers, of words that were not written but found by an atomic
    errno: Any                      # 32 bits
    alone: Any                      # 8 bits: what glibc knows of threads

    def word(self, address: Any, way: JointWay) -> Any:
        """The word there."""
        may: list[tuple[Any, Any]] = []
        base = None
        for written, word in reversed(self.writes):
            apart = z3.simplify(written - address)
            if z3.is_bv_value(apart):
                if apart.as_long() == 0:
                    base = word
                    break
            elif written.get_id() not in self.seen:     # else it is that word, or nobody wrote there: that were a race
                may.append((written, word))
        if base is None:
            base = way.found_at(f"memory{self.moment}", address)
        for written, word in reversed(may):
            base = word if word.eq(base) else z3.If(address == written, word, base)
        return z3.simplify(base) if may else base

    def written(self, address: Any, word: Any) -> "Memory":
        """The memory after a word was written."""
        kept = tuple(each for each in self.writes if not each[0].eq(address))
        return self._replace(writes=(*kept, (address, word)), seen=self.seen - {address.get_id()})

    def found(self, address: Any, word: Any) -> "Memory":
        """The memory after an atomic access found a word there."""
        made = self.written(address, word)
        return made._replace(seen=made.seen | {address.get_id()})


def any_memory(moment: int) -> Memory:
    """Memory of which nothing is known but that both readings have it."""
    return Memory(moment, (), frozenset(), z3.BitVec(f"errno{moment}", 32), z3.BitVec(f"alone{moment}", 8))


def insist_same(way: JointWay, source: Memory, compiled: Memory, when: str) -> None:
    """All of memory is the same in both readings."""
    way.insist(source.errno == compiled.errno, lambda: f"{when} errno differs")
    if len(source.writes) == len(compiled.writes) and all(
            a.eq(c) and b.eq(d) for (a, b), (c, d) in zip(source.writes, compiled.writes, strict=True)):
        return
    written = {address.get_id(): address for memory in (source, compiled) for address, _ in memory.writes}
    for address in written.values():
        way.insist(source.word(address, way) == compiled.word(address, way), partial(_differs, when, address))


def _differs(when: str, term: Any) -> str:
    text = str(z3.simplify(term)).replace("\n", " ")
    return f"{when} the word at {shorten(text, LONGEST, placeholder=' ...')} differs"


def low_half(word: Any) -> Any:
    """The lower 32 bits."""
    return z3.simplify(z3.Extract(31, 0, word))

