"""Variants of whole statements of a C source: left out, done after the next, or only where a pointer is not NULL."""

from heapster.checkers.blackbox.edits import TextEdit, around
from heapster.checkers.blackbox.tokens import Token
from heapster.checkers.blackbox.variant_list import VariantList
from heapster.checkers.blackbox.wholes import Span, Wholes

UNCONDITIONAL = frozenset({";", "{", "}"})      # before a statement that is done whenever its block is
BEFORE_ALL = -1                 # order of what stands before the words around a statement


class StatementVariants:
    """Varies the calls and assignments of a source, each for itself or with the next."""

    def __init__(self, text: str, tokens: list[Token], wholes: Wholes, made: VariantList) -> None:
        self._source, self._tokens, self._wholes, self._made = text, tokens, wholes, made

    def vary(self, span: Span) -> None:
        """Add what a statement might be instead."""
        self._undone(span)
        self._later(span)
        if pointer := self._stored_by(span):
            self._guarded(span, self._wholes.in_one_line(*pointer))

    def _undone(self, span: Span) -> None:
        """It is left out."""
        whole, n = self._whole(span), self._made.next
        edits = around(whole.at, f"(HEAPSTER_IS({n}) ? (void)0 : (void)(", whole.end, "))", n)
        self._made.add(whole, "", edits, 2, 4)

    def _later(self, span: Span) -> None:
        """The next one is done before it."""
        behind = self._wholes.statement(span[1] + 2)
        if behind is None or self._text(span[0] - 1) not in UNCONDITIONAL:
            return
        whole, other, n = self._whole(span), self._whole(behind), self._made.next
        words = self._wholes.in_one_line(*behind)
        edits = [TextEdit(whole.at, 0, f"(HEAPSTER_IS({n}) ? (void)({words}) : (void)0), ", n, BEFORE_ALL),
                 *around(other.at, f"(HEAPSTER_IS({n}) ? (void)0 : (void)(", other.end, "))", n)]
        if words != self._wholes.in_one_line(*span):
            self._made.add(whole, f"{words}; {whole.text}", edits, 1, 6)

    def _guarded(self, span: Span, pointer: str) -> None:
        """It is done only where the pointer is one that it stores by."""
        whole, n = self._whole(span), self._made.next
        edits = around(whole.at, f"(HEAPSTER_IS({n}) && !({pointer}) ? (void)0 : (void)(", whole.end, "))", n)
        self._made.add(whole, f"if ({pointer}) {whole.text}", edits, 1, 4)

    def _stored_by(self, span: Span) -> Span | None:
        """The pointer by which an assignment stores: what is before its last arrow, or in a macro's brackets."""
        first, last = span
        equals = next((index for index in self._wholes.outermost(first, last) if self._text(index) == "="), first)
        arrow = max((index for index in range(first, equals) if self._text(index) == "->"), default=first)
        if arrow > first and arrow + 2 == equals:
            return first, arrow - 1
        by_macro = self._text(first + 1) == "(" and self._wholes.opener(equals - 1) == first + 1
        return (first + 2, equals - 2) if by_macro and first + 2 < equals - 1 else None

    def _whole(self, span: Span) -> Token:
        start, end = self._tokens[span[0]].at, self._tokens[span[1]].end
        return Token("other", self._source[start:end], start)

    def _text(self, index: int) -> str:
        return self._tokens[index].text if 0 <= index < len(self._tokens) else ""
