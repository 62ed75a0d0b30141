"""Variants of what a C source asks: the other way round, always or never, by another sign, or of more than it asks.

What it may have forgotten to ask is what its function asks elsewhere.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property

from heapster.checkers.blackbox.edits import TextEdit, alternatives, around
from heapster.checkers.blackbox.scopes import Scopes
from heapster.checkers.blackbox.tokens import Token, functions
from heapster.checkers.blackbox.variant_list import LACKING, VariantList
from heapster.checkers.blackbox.wholes import RELATIONS, Span, Wholes, WrittenComparison

LOOSER = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
WORD = re.compile(r"(?<!-> )(?<!\. )\b[A-Za-z_]\w*")       # but for members, of words with blanks between
FEW_ASKED, FEWER = 3, 2         # of what a function asks elsewhere: with a condition, before a statement


class ConditionVariants:
    """Varies the conditions of a source, each operand for itself."""

    def __init__(self, text: str, tokens: list[Token], wholes: Wholes, made: VariantList,
                 scopes: Scopes) -> None:
        self._source, self._tokens, self._wholes, self._made, self._scopes = text, tokens, wholes, made, scopes
        self._bodies = list(functions(tokens))
        self.end = 0                    # index of the token that ends the last condition so far

    def vary(self, span: Span, word: str, *, in_macro: bool) -> None:
        """Add what might be asked instead, behind a word: `if`, a loop's, or a question mark."""
        self.end = max(self.end, span[1] + 1)
        for first, last in self._wholes.operands(*span):
            self._operand(first, last, alone=(first, last) == span, word=word)
            if not in_macro and (compared := self._wholes.comparison(first, last)):
                self._compared(compared)
        if not in_macro:
            self._asked_more(span)

    def guard(self, span: Span) -> None:
        """Add a statement that is done only if something holds, or does not, which its function asks elsewhere."""
        start, end, n = self._tokens[span[0]].at, self._tokens[span[1]].end, self._made.next
        asked = [way for other in self._elsewhere(span, FEWER) for way in (other, f"!({other})")]
        skips = alternatives(n, (f"!({way})" for way in asked))
        edits = around(start, f"(({skips}0) ? (void)0 : (void)(", end, "))", n)
        whole = Token("other", self._source[start:end], start)
        for k, way in enumerate(asked):
            self._made.add(whole, f"if ({way}) {whole.text}", edits if k == 0 else [], LACKING, 7, odd=True)

    def _asked_more(self, span: Span) -> None:
        """A condition that asks something else of its function too, or may do with that."""
        start, end, n = self._tokens[span[0]].at, self._tokens[span[1]].end, self._made.next
        asked = [way for other in self._elsewhere(span, FEW_ASKED) for way in (f"({other})", f"!({other})")]
        both, either = alternatives(n, asked), alternatives(n + len(asked), asked)
        edits = around(start, "((", end, f") && ({both}1) || ({either}0))", n)
        whole = Token("other", self._source[start:end], start)
        for k, after in enumerate([f"{whole.text} {sign} {way}" for sign in ("&&", "||") for way in asked]):
            self._made.add(whole, after, edits if k == 0 else [], LACKING, 7)

    def _elsewhere(self, span: Span, most: int) -> list[str]:
        """What the function of a span asks elsewhere, the nearest first, of variables that are in scope here."""
        body = bisect_left(self._bodies, span) - 1
        known, here = self._scopes.variables(self._tokens[span[0]].at), self._wholes.in_one_line(*span)
        near = sorted(self._asked.get(body, []), key=lambda asked: abs(asked[0] - span[0]))
        found = (text for at, text in near if not span[0] <= at <= span[1] and text not in here
                 and all(name in known for name in WORD.findall(text)
                         if name in self._scopes.variables(self._tokens[at].at)))
        return list(dict.fromkeys(found))[:most]

    @cached_property
    def _asked(self) -> dict[int, list[tuple[int, str]]]:
        """By function, where something is asked, and what."""
        return {body: [(first, self._wholes.in_one_line(first, last)) for index in range(start, end)
                       for first, last in self._asked_at(index)] for body, (start, end) in enumerate(self._bodies)}

    def _asked_at(self, index: int) -> Iterator[Span]:
        if self._tokens[index].text == "if" and self._tokens[index + 1].text == "(":
            yield from self._wholes.operands(index + 2, self._wholes.closing(index + 1) - 1)

    def _operand(self, first: int, last: int, *, alone: bool, word: str) -> None:
        start, end = self._tokens[first].at, self._tokens[last].end
        whole, n = Token("other", self._source[start:end], start), self._made.next
        values = f"HEAPSTER_IS({n + 1}) ? 0 : HEAPSTER_IS({n + 2}) ? 1 : " if word == "if" or not alone else ""
        edits = around(start, f"({values}HEAPSTER_IS({n}) != !!(", end, "))", n)
        self._made.add(whole, f"!({whole.text})", edits, 1)
        if values:
            self._made.add(whole, "0", [], 2)
            self._made.add(whole, "1", [], 2)

    def a_round_earlier(self, compared: WrittenComparison, step: str) -> None:
        """A loop that ends where its next round would go too far, or does not."""
        sign, n = self._tokens[compared.sign], self._made.next
        others = [f"{sign.text} {way}({step}) +" for way in ("-", "")]
        more = f"HEAPSTER_IS({n}) ? -(long)({step}) : HEAPSTER_IS({n + 1}) ? (long)({step}) : 0"
        for k, other in enumerate(others):
            edit = TextEdit(sign.end, 0, f" ({more}) +", n, 6)
            self._made.add(sign, other, [edit] if k == 0 else [], 0, 1)

    def _compared(self, compared: WrittenComparison) -> None:
        """A comparison by another sign."""
        (first, _), (_, last), sign = compared.left, compared.right, self._tokens[compared.sign]
        left, right = self._wholes.in_one_line(*compared.left), self._wholes.in_one_line(*compared.right)
        others = [one for one in RELATIONS if one not in (sign.text, LOOSER.get(sign.text), NEGATED[sign.text])]
        n = self._made.next
        choice = alternatives(n, (f"{left} {other} {right}" for other in others))
        edits = around(self._tokens[first].at, f"({choice}(", self._tokens[last].end, "))", n)
        for k, other in enumerate(others):
            self._made.add(sign, other, edits if k == 0 else [], 1, 1, odd=True)
