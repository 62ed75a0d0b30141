"""Which variables of a C function may stand for another: those of its type that are in scope."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from heapster.checkers.blackbox.tokens import KEYWORDS, Token, functions, without_comments

DECLARED = re.compile(r"(?:^|[;{(,}])\s*((?:unsigned |struct |const |static |register )*[A-Za-z_]\w*)\b"
                      r"\s*(\**)\s*(?:const\s+)?([A-Za-z_]\w*)\s*(?=[=;,)])")
NEXT = re.compile(r"\s*(?:=[^,;{}]*)?,\s*(\**)\s*([A-Za-z_]\w*)\s*(?=[=;,])")    # of one declaration of several
LOOP = re.compile(r"\bfor\s*\(\s*\Z")
LOOP_HEAD = 20                  # characters
NO_TYPES = frozenset({"return", "goto", "else", "struct", "case"})


class ScopedVariable(NamedTuple):
    """A parameter or variable of a function, and where it is in scope."""

    name: str
    kind: str                   # its type, with stars
    start: int                  # offset behind its name
    end: int                    # of the block that it is declared in


class Scopes:
    """The variables of the functions of a source."""

    def __init__(self, tokens: list[Token], text: str) -> None:
        self._text = without_comments(text)
        self._tokens = tokens
        self._bodies: list[tuple[int, int, list[ScopedVariable]]] = []       # offsets of each, and what it declares
        for first, last in functions(tokens):
            self._bodies.append((tokens[first].at, tokens[last].at, list(self._declared(first, last))))
        self._starts = [start for start, _, _ in self._bodies]
        self._known: dict[int, dict[str, str]] = {}     # by offset: one is asked for again and again

    def variables(self, at: int) -> dict[str, str]:
        """What is in scope at an offset, by name: its type."""
        if at not in self._known:
            body = bisect_left(self._starts, at) - 1
            declared = self._bodies[body][2] if body >= 0 and at <= self._bodies[body][1] else ()
            self._known[at] = {one.name: one.kind for one in declared if one.start <= at < one.end}
        return self._known[at]

    def others(self, name: str, at: int) -> list[str]:
        """The other variables of its type, the nearest declared first."""
        found = self.variables(at)
        return [other for other, kind in reversed(found.items()) if kind == found.get(name) and other != name]

    def _declared(self, first: int, last: int) -> Iterator[ScopedVariable]:
        tokens, text = self._tokens, self._text
        head = max(text.rfind(mark, 0, tokens[first].at) for mark in (";", "}", "#"))
        blocks = list(self._blocks(first, last))
        for match in DECLARED.finditer(text, max(0, head), tokens[last].at):
            kind, stars, name = match.groups()
            kind = re.sub(r"\b(?:const|static|register) ", "", kind)
            if kind in NO_TYPES or name in KEYWORDS or kind.startswith("struct ") and not stars:
                continue
            whole = match.end() < tokens[first].at
            end = tokens[last].at if whole else min(end for start, end in blocks if start < match.end() <= end)
            if LOOP.search(text[:match.start(1)][-LOOP_HEAD:]):
                end = min(end, self._end_of_loop(match.start(1)))
            yield ScopedVariable(name, kind + stars, match.end(3), end)
            more = None if whole else NEXT.match(text, match.end())
            while more:
                yield ScopedVariable(more[2], kind + more[1], more.end(2), end)
                more = NEXT.match(text, more.end())

    def _end_of_loop(self, at: int) -> int:
        """Where the statement of a loop ends in whose head an offset lies: its block, or its only statement."""
        depth, text = 1, self._text
        while depth and at < len(text):
            depth += (text[at] == "(") - (text[at] == ")")
            at += 1
        opened, closed = text.find("{", at), text.find(";", at)
        if not 0 <= opened < closed:
            return closed
        while opened < len(text):
            depth += (text[opened] == "{") - (text[opened] == "}")
            opened += 1
            if depth == 0:
                break
        return opened

    def _blocks(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Offsets of the blocks of a body, itself among them."""
        opened = list[int]()
        for token in self._tokens[first:last + 1]:
            if token.kind == "sign" and token.text == "{":
                opened.append(token.at)
            elif token.kind == "sign" and token.text == "}":
                yield opened.pop(), token.end
