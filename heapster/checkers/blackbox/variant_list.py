"""The variants of one source, numbered as they are thought of, and the words that put them into it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from heapster.checkers.blackbox.choice import HEAD
from heapster.checkers.blackbox.edits import TextEdit, alternatives, around, edited, marked, stays, without
from heapster.checkers.blackbox.insertions import Insertion
from heapster.checkers.blackbox.tokens import Token

FORCED, LACKING = 2, 3          # ranks: the condition no longer depends on anything; a statement more


class Variant(NamedTuple):
    """One expression written otherwise."""

    number: int
    line: int
    before: str                 # what stands there
    after: str                  # what would
    start: int                  # offset of it in the source
    rank: int                   # how much it changes: an operator or a constant least, a whole condition most
    guess: int = 0              # how little says that it compiles: the most is left out first
    odd: bool = False           # nobody would have slipped so: a byte more, a name of another kind

    @property
    def is_left_out(self) -> bool:
        """Whether it is a statement that is not done."""
        return bool(self.before) and not self.after and self.rank == FORCED


class VariantList:
    """Collects variants and the edits by which each can be chosen."""

    def __init__(self, text: str, base: int, most: int) -> None:
        self.all: list[Variant] = []
        self._text, self._base, self._most = text, base, most
        self._edits: list[list[TextEdit]] = []      # of each

    @property
    def next(self) -> int:
        """The number of the variant that is added next."""
        return self._base + len(self.all) + 1

    def source(self, left_out: Iterable[int] = ()) -> str:
        """The source with all variants in it, but for those left out."""
        out = frozenset(left_out)
        edits = (edit._replace(text=without(edit.text, out))
                 for some in self._edits if stays(some, out) for edit in some)
        return HEAD + "#line 1\n" + edited(self._text, edits)

    def values(self, token: Token, others: list[str], ranks: list[int], guess: int = 0,
                odd: Sequence[bool] = ()) -> None:
        """A word that is one value, and others that it might be."""
        first = self.next
        choice = alternatives(first, others)
        for n, other in enumerate(others):
            edit = TextEdit(token.at, len(token.text), f"({choice}{token.text})", first, 5)
            self.add(token, other, [edit] if n == 0 else [], ranks[n], guess, odd=n < len(odd) and odd[n])

    def instead(self, token: Token, others: list[str], guess: int) -> None:
        """Other values of a word, beside those of another kind: each kind may be left out."""
        first = self.next
        choice = alternatives(first, others)
        for n, other in enumerate(others):
            edits = around(token.at, f"({choice}", token.end, ")", first, 1) if n == 0 else []
            self.add(token, other, edits, 1, guess)

    def replace(self, token: Token, after: str, text: str, rank: int) -> None:
        """Other words in place of a word."""
        number = self.next
        self.add(token, after, [TextEdit(token.at, len(token.text), text.format(n=number), number, 5)], rank)

    def lacking(self, at: int, place: Insertion) -> None:
        """Statements that may be missing at an offset, behind a token."""
        first = self.next
        cases = "".join(marked(first + n, f" case {n}: {text} break;") for n, text in enumerate(place.statements))
        text = f" switch (HEAPSTER_AT({first}, {len(place.statements)})) {{{cases} }}"
        for n, statement in enumerate(place.statements):
            edits, usual = [TextEdit(at, 0, text, first, -1)] if n == 0 else [], n < place.usual
            rank = 0 if n < place.beside else 1 if usual else LACKING
            self.add(Token("other", "", at), f" {statement}", edits, rank, 7, odd=not usual)

    def add(self, token: Token, after: str, edits: list[TextEdit], rank: int, guess: int = 0, *,
            odd: bool = False) -> None:
        """One more, by the edits with which it can be chosen; none, if they stand there already."""
        if len(self.all) >= self._most:
            return
        line = self._text.count("\n", 0, token.at) + 1
        self.all.append(Variant(self.next, line, token.text, after, token.at, rank,
                                guess, odd or rank == FORCED))
        self._edits.append(edits)
