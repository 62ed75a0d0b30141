"""Statements that a C source may lack: those that it has elsewhere, put where others of their kind stand.

A function's own statements, and those of other functions whose variables have their like in it, by name or by type.
"""

import re
from collections.abc import Iterator
from itertools import islice, product
from typing import NamedTuple

from heapster.checkers.blackbox.scopes import Scopes
from heapster.checkers.blackbox.tokens import Token, functions
from heapster.checkers.blackbox.wholes import Span, Wholes

SETS, CLEARS = re.compile(r"\|= (?=[\w( ]+;)"), re.compile(r"&= ~ (?=[\w( ]+;)")     # bits
LEAVES = frozenset({"return", "break", "continue", "goto"})         # what follows is not come by
NO_PLACE = frozenset({*LEAVES, "case", "default", "do", "#"})
GOES_ON = frozenset({"else", "while", ";", ",", ")"})       # behind a statement or block that is not at its end
MOST_HERE = 16                  # statements at one place
LIKENESSES = 3                  # ways to name another function's variables here
WORD = re.compile(r"(?<!-> )(?<!\. )\b[A-Za-z_]\w*")     # but for members, of words with blanks between


class Insertion(NamedTuple):
    """Statements, each of which may be put in at a place."""

    token: int                  # the index of that behind which it is
    statements: tuple[str, ...]
    usual: int                  # how many of them, the first, stand in such a place elsewhere in the function


class _Surroundings(NamedTuple):
    """What tells places that are alike."""

    behind: str                 # how the statement before it starts
    ends: bool                  # whether the block ends here


class WrittenStatement(NamedTuple):
    """A statement of the source, in one line, and the variables that it names."""

    text: str
    function: int
    names: tuple[tuple[str, str], ...]      # and their types
    place: _Surroundings     # where it stands


class Insertions:
    """The statements of a source, and where they may be lacking."""

    def __init__(self, tokens: list[Token], partner: dict[int, int], wholes: Wholes, scopes: Scopes) -> None:
        self._tokens, self._partner, self._wholes, self._scopes = tokens, partner, wholes, scopes
        self._bodies = [(first, last) for first, last in functions(tokens) if self._at(first - 1) == ")"]
        self._first = {token.text: index for index, token in reversed(list(enumerate(tokens))) if self._is_own(index)}
        self._told = list(dict.fromkeys(self._statements()))

    def all(self) -> Iterator[Insertion]:
        """Each place, and what may be lacking there; what stands beside it already is not."""
        for number, (first, last) in enumerate(self._bodies):
            for index in self._places(first, last):
                beside = self._beside(index)
                here = [told for told in self._told if told.function == number]
                alike = [told for told in here if self._is_alike(told.place, self._place(index + 1, index + 1))]
                fits = [list(dict.fromkeys(text for told in some for text in self._named_here(told, index)
                                           if text not in beside and self._is_known(text, index)))
                        for some in (alike, [*here, *(told for told in self._told if told.function != number)])]
                fitting = tuple(islice(dict.fromkeys((*fits[0], *fits[1])), MOST_HERE))
                if fitting:
                    yield Insertion(index, fitting, min(len(fits[0]), MOST_HERE))

    def _place(self, first: int, behind: int) -> _Surroundings:
        """Of a statement that starts at a token, or may: what is before it, and whether its block ends behind it."""
        start = first - 2
        while self._at(start) not in (";", "{", "}", ""):
            start = self._wholes.opener(start) - 1
        return _Surroundings(self._at(start + 1) if self._at(first - 1) == ";" else "", self._at(behind) == "}")

    def _is_alike(self, one: _Surroundings, other: _Surroundings) -> bool:
        return one == other and bool(one.behind)

    def _is_own(self, index: int) -> bool:
        return self._tokens[index].kind == "name" and self._at(index - 1) not in ("->", ".")

    def _is_known(self, text: str, index: int) -> bool:
        """Whether all that a statement names stands in the source before a place."""
        return all(self._first.get(word, index) < index for word in WORD.findall(text))

    def _statements(self) -> Iterator[WrittenStatement]:
        for number, (first, last) in enumerate(self._bodies):
            for index in range(first + 1, last):
                if span := self._wholes.statement(index) or self._guarded(index):
                    names = self._scopes.variables(self._tokens[index].at)
                    text = self._text(span)
                    words = dict.fromkeys(word for word in WORD.findall(text) if word in names)
                    yield WrittenStatement(f"{text};", number, tuple((word, names[word]) for word in words),
                                self._place(index, span[1] + 2))

    def _guarded(self, index: int) -> Span | None:
        """A statement of one line that is done on a condition, and nothing else otherwise."""
        if self._at(index) != "if" or self._at(index + 1) != "(":
            return None
        inner = self._wholes.statement(self._partner.get(index + 1, index) + 1)
        return (index, inner[1]) if inner and self._at(inner[1] + 2) != "else" else None

    def _named_here(self, told: WrittenStatement, index: int) -> Iterator[str]:
        """The statement with the variables that there are at a place, if each has its like."""
        here = self._scopes.variables(self._tokens[index].end)
        likes = [[name] if here.get(name) == kind else [other for other, its in reversed(here.items()) if its == kind]
                 for name, kind in told.names]
        for chosen in islice(product(*likes), LIKENESSES):
            if len(set(chosen)) == len(chosen):
                text = _renamed(told.text, {name: other for (name, _), other in zip(told.names, chosen, strict=True)})
                yield from dict.fromkeys((text, SETS.sub("&= ~ ", text), CLEARS.sub("|= ", text)))

    def _places(self, first: int, last: int) -> Iterator[int]:
        """The tokens behind which a statement may stand: each that opens a block, or ends a statement of one."""
        start, index = first + 1, first
        while index < last:
            text = self._at(index)
            if text in ("(", "[") or text == "{" and self._at(index - 1) in ("=", ",", "("):
                index = self._partner.get(index, index)
            elif text in ("{", "}", ";"):
                if self._is_place(index, start):
                    yield index
                start = index + 1
            index += 1

    def _is_place(self, index: int, start: int) -> bool:
        if self._at(index) == "{":
            return self._at(index - 1) in (")", "else", "do")
        return self._at(start) not in NO_PLACE and self._at(index + 1) not in GOES_ON

    def _beside(self, index: int) -> set[str]:
        """What stands before and behind a place."""
        behind = self._wholes.statement(index + 1)
        start = index - 1
        while self._at(start) not in (";", "{", "}", ""):
            start = self._wholes.opener(start) - 1
        before = self._wholes.statement(start + 1)
        return {f"{self._text(span)};" for span in (before, behind) if span}

    def _at(self, index: int) -> str:
        return self._tokens[index].text if 0 <= index < len(self._tokens) else ""

    def _text(self, span: Span) -> str:
        return " ".join(token.text for token in self._tokens[span[0]:span[1] + 1])



def _renamed(text: str, instead: dict[str, str]) -> str:
    return WORD.sub(lambda match: instead.get(match[0], match[0]), text)
