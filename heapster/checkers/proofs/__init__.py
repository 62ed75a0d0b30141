"""What is proved of `impl/`, file by file, and how far each proof reaches.

A proof runs one function of the shipped source over unknown words and makes claims. Each claim is a
theorem: its name says what is true, its clause is the sentence of the function's *Ensures* that it
proves, word for word (a test pairs them), and its bound says for what inputs.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

ALL_WORDS = "all words"
ANY_HEAP = "any heap"
ASSUMED = "assumed"
LONGEST_AFTER_REFUTING = 60.0       # seconds of processor time for any other proof: on a broken source some never end
BITS, INTEGERS = "bits", "integers"     # encodings of words

Body = Callable[[Any, Any], None]       # of the source's modules, and a `machine.paths.Path`


class Theorem(NamedTuple):
    """One claim."""

    name: str
    claim: str                          # a sentence
    bound: str
    of: str                             # the function that it is about
    clause: str                         # what its docstring ensures; empty for more than that
    spans: bool = False                 # of the source as it is built with spans


class Proof(NamedTuple):
    """One run of a function over unknown words, and what it shows."""

    of: str                             # module.function
    bound: str
    body: Body
    clauses: Mapping[str, str] = {}     # theorem: clause of the docstring's Ensures
    more: Mapping[str, str] = {}        # theorem: a sentence that the docstring does not say
    also: Mapping[str, tuple[str, str]] = {}    # theorem: a function that is called on the way, and its clause
    encodings: tuple[str, ...] = (INTEGERS,)    # in the order in which they are tried
    thorough: bool = False              # not by default
    suffix: str = ""                    # of the names of a second proof of the same function
    spans: bool = False                 # of the source as it is built with spans, not as it is without

    @property
    def stays(self) -> str:
        """The theorem that every proof has: no overflow, no abort, no broken law of the machine."""
        return self.of.replace(".", "_") + "_stays_within_the_laws" + self.suffix

    def theorems(self) -> list[Theorem]:
        """All that it shows."""
        function = self.of.rpartition(".")[2]
        return [
            *(Theorem(name, f"{function}: {clause}", self.bound, self.of, clause, self.spans)
              for name, clause in self.clauses.items()),
            *(Theorem(name, f"{function}: {sentence}", self.bound, self.of, "", self.spans)
              for name, sentence in self.more.items()),
            *(Theorem(name, f"{of.rpartition('.')[2]}: {clause}", self.bound, of, clause, self.spans)
              for name, (of, clause) in self.also.items()),
            Theorem(self.stays, f"{function}: no word overflows, nothing aborts, no law of the machine is broken",
                    self.bound, self.of, "", self.spans),
        ]


class Assumption(NamedTuple):
    """Something that no proof shows."""

    name: str
    claim: str
    reason: str
    of: str = ""                        # a function of impl, if it is about one
    clause: str = ""                    # what its docstring ensures
