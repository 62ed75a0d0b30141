"""Whole expressions and statements of a C source: comparisons, conditions, what is handed on, and what is done.

They are found between tokens, by the brackets and signs around them. Spans are the indices of a first and a last token.
"""

from collections.abc import Iterator
from typing import NamedTuple

from heapster.checkers.blackbox.tokens import KEYWORDS, Token

RELATIONS = ("==", "!=", "<", "<=", ">", ">=")
ENDS = frozenset({";", ",", ")", "]", "}", "{", ":", "?", ""})      # of an expression, on the right
STARTS = frozenset({"(", "[", ",", ";", "{", "}", "?", ":", "=", "+=", "-=", "return", "|=", "&=", "else", ""})
ASSIGNING = frozenset({"=", "+=", "-=", "*=", "/=", "|=", "&=", "^=", "%=", "<<=", ">>=", "++", "--"})
NO_VALUE = frozenset({"&&", "||", "!", "?", ":", "+", "-", *RELATIONS, *ASSIGNING})     # what has no bytes more or less
NO_START = frozenset({"(", "{", "&", "sizeof"})     # a cast perhaps, a list, an address, a number of its own
LOGIC = ("&&", "||")
OPENS_STATEMENT = frozenset({";", "{", "}", "else", "do", ")"})
HEADS = frozenset({"if", "while", "for", "switch"})

Span = tuple[int, int]


class WrittenComparison(NamedTuple):
    """Two expressions and the sign between them."""

    left: Span
    sign: int
    right: Span


class Wholes:
    """The expressions and statements of a source, by the tokens that they stand at."""

    def __init__(self, tokens: list[Token], partner: dict[int, int]) -> None:
        self._tokens, self._partner = tokens, partner
        self._opener = {closing: opening for opening, closing in partner.items()}

    def opener(self, closing: int) -> int:
        """The bracket that another closes."""
        return self._opener.get(closing, closing)

    def closing(self, opening: int) -> int:
        """The bracket that closes another."""
        return self._partner.get(opening, opening)

    def in_one_line(self, first: int, last: int) -> str:
        """Words that stand twice then: the second time without the lines' ends, so that what follows keeps its line."""
        return " ".join(token.text for token in self._tokens[first:last + 1])

    def operands(self, first: int, last: int) -> Iterator[Span]:
        """The operands of the outermost && or || between two tokens, both counted; the whole, if there is none."""
        start, index = first, first
        while index <= last:
            if self._text(index) in LOGIC:
                yield start, index - 1
                start = index + 1
            index = self._partner.get(index, index) + 1
        if start <= last:
            yield start, last

    def comparison(self, first: int, last: int) -> WrittenComparison | None:
        """What an expression compares, if that is all that it does at its outermost level."""
        outermost = list(self.outermost(first, last))
        signs = [index for index in outermost if self._text(index) in RELATIONS]
        if len(signs) != 1 or any(self._text(index) in ("?", ":", *ASSIGNING) for index in outermost):
            return None
        if not first < signs[0] < last:
            return None
        return WrittenComparison((first, signs[0] - 1), signs[0], (signs[0] + 1, last))

    def is_truth(self, first: int, last: int) -> bool:
        """Whether an expression is only asked for being 0 or not, by a condition: a few more or less always are."""
        while True:
            before, behind = self._text(first - 1), self._text(last + 1)
            if before == "!" or before in LOGIC and behind in (")", *LOGIC) or before == "(" and behind in LOGIC:
                return True
            if (before, behind) != ("(", ")") or self._is_name(first - 2):
                return before == "(" and behind == ")" and self._text(first - 2) in ("if", "while")
            first, last = first - 1, last + 1

    def loop_condition(self, opening: int) -> Span | None:
        """What a `for` goes on by, of its bracket."""
        _, ends = self._parts(opening)
        return (ends[0] + 1, ends[1] - 1) if len(ends) > 1 and ends[0] + 1 < ends[1] else None

    def loop_step(self, opening: int) -> Span | None:
        """What a `for` adds to its variable in each round, of its bracket."""
        closing, ends = self._parts(opening)
        adds = len(ends) > 1 and self._text(ends[1] + 2) == "+=" and ends[1] + 3 < closing
        return (ends[1] + 3, closing - 1) if adds else None

    def choice_condition(self, mark: int) -> Span | None:
        """What a question mark chooses by."""
        index = mark - 1
        while index >= 0 and self._text(index) not in STARTS:
            index = self._opener.get(index, index) - 1
        return (index + 1, mark - 1) if index + 1 < mark else None

    def values(self, index: int) -> Iterator[Span]:
        """What is handed on at a token: by an assignment, a return, a choice, or to a call."""
        if self._text(index) in ("=", "return", "?"):
            yield from self._value(index + 1)
            if self._text(index) == "?" and (colon := self._end(index + 1)) and self._text(colon) == ":":
                yield from self._value(colon + 1)
        elif self._text(index) == "(" and self._is_called(index - 1):
            at, closing = index + 1, self._partner.get(index, index)
            while at < closing:
                yield from self._value(at)
                at = self._end(at) + 1

    def statement(self, index: int) -> Span | None:
        """The statement that starts at a token, if it is a call or an assignment."""
        if self._text(index - 1) not in OPENS_STATEMENT or self._tokens[index].kind != "name" or (
                self._text(index) in KEYWORDS or self._text(index - 1) == ")" and not self._closes_head(index - 1)):
            return None
        last = self._end(index) - 1
        kinds = [self._tokens[at].kind for at in (index, index + 1)]
        declares = kinds == ["name", "name"] or self._text(index + 1) == "*" or self._text(index + 1) == ":"
        acts = self._text(index + 1) == "(" and self._partner.get(index + 1) == last or any(
            self._text(at) in ASSIGNING for at in self.outermost(index, last))
        return (index, last) if acts and not declares and self._text(last + 1) == ";" else None

    def operand_end(self, index: int) -> int:
        """The last token of the operand that starts at an index; before it, if that is not told."""
        if self._text(index) == "(":
            closing = self._partner.get(index, index - 1)
            return max(closing, self.operand_end(closing + 1)) if self._is_name(closing + 1) else closing
        if not self._is_name(index):
            return index - 1
        while self._text(index + 1) in ("(", "[", "->", "."):
            index = self._partner.get(index + 1, index + 1) if self._text(index + 1) in ("(", "[") else index + 2
        return index

    def arguments(self, opening: int, closing: int) -> list[Span]:
        """The expressions that stand between two brackets, parted by commas."""
        found, first = list[Span](), opening + 1
        for index in (*self.outermost(opening + 1, closing - 1), closing):
            if self._text(index) == "," or index == closing > opening + 1:
                found.append((first, index - 1))
                first = index + 1
        return found

    def _parts(self, opening: int) -> tuple[int, list[int]]:
        """Where the bracket of a `for` closes, and the semicolons between its parts."""
        closing = self._partner.get(opening, opening)
        return closing, [index for index in self.outermost(opening + 1, closing - 1) if self._text(index) == ";"]

    def _value(self, first: int) -> Iterator[Span]:
        """The expression that starts there, if it is more than a word or a call and may be some bytes more or less."""
        last = self._end(first) - 1
        texts = [self._text(index) for index in self.outermost(first, last)]
        is_call = self._text(first + 1) == "(" and self._partner.get(first + 1) == last
        begins = self._text(first) not in NO_START or self._reaches_on(first)
        if last > first and not is_call and begins and not NO_VALUE & set(texts):
            yield first, last

    def _reaches_on(self, first: int) -> bool:
        """Whether what starts with a bracket is no cast: a member of what it holds, or a product of it."""
        return self._text(first) == "(" and self._text(self._partner.get(first, first) + 1) in ("->", ".", "/", "*")

    def _end(self, index: int) -> int:
        """The token behind the expression that starts at an index."""
        while index < len(self._tokens) and self._text(index) not in ENDS - {"{", "?"}:
            index = self._partner.get(index, index) + 1
        return index

    def outermost(self, first: int, last: int) -> Iterator[int]:
        """The tokens from one to another that lie in no bracket between them."""
        index = first
        while index <= last:
            yield index
            index = self._partner.get(index, index) + 1

    def _is_called(self, index: int) -> bool:
        before = self._tokens[index - 1]
        declared = before.kind == "name" and before.text not in ("return", "else", "do", "case") or before.text == "*"
        return self._tokens[index].kind == "name" and self._text(index) not in KEYWORDS and not declared

    def _closes_head(self, closing: int) -> bool:
        opening = self._opener.get(closing, 0)
        return self._text(opening - 1) in HEADS

    def _is_name(self, index: int) -> bool:
        return index < len(self._tokens) and (self._tokens[index].kind in ("name", "number")) and (
            self._text(index) not in KEYWORDS)

    def _text(self, index: int) -> str:
        return self._tokens[index].text if 0 <= index < len(self._tokens) else ""
