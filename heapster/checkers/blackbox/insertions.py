"""Statements that a C source may lack: those that it has elsewhere, put where others of their kind stand.

A function's own statements, and those of other functions whose variables have their like in it, by name or by type;
first what stands beside the like of a statement that is there.
"""

import re
from collections.abc import Iterator
from itertools import islice, product
from typing import NamedTuple

from heapster.checkers.blackbox.analogies import crossed, likeness, said_here
from heapster.checkers.blackbox.completions import completions, renamed
from heapster.checkers.blackbox.scopes import Scopes
from heapster.checkers.blackbox.tokens import Token, functions
from heapster.checkers.blackbox.wholes import ASSIGNING, Span, Wholes

BITS = ((re.compile(r"\|= (?=[\w( ]+;)"), "&= ~ "), (re.compile(r"&= ~ (?=[\w( ]+;)"), "|= "))     # and what undoes it
COUNTS = ((re.compile(r"\+= "), "-= "), (re.compile(r"-= "), "+= "),       # by another function
          (re.compile(r"\+\+(?=;)"), "--"), (re.compile(r"--(?=;)"), "++"))
LEAVES = frozenset({"return", "break", "continue", "goto"})         # what follows is not come by
NO_PLACE = frozenset({*LEAVES, "case", "default", "do", "#"})
GOES_ON = frozenset({"else", "while", ";", ",", ")"})       # behind a statement or block that is not at its end
MOST_HERE = 16                  # statements at one place
LIKENESSES = 3                  # ways to name another function's variables here
MOST_BESIDE = 6                 # statements that stand beside the like of one elsewhere
GOT = re.compile(r"(?:(?:struct )?\w+ \* )?(?P<name>\w+) = (?:\( [\w *]+\) )?\w+ \(")    # by a call, perhaps cast
NOTHING = ("NULL", "0")         # what a function gives up with
CALL = re.compile(r"\w+ \([^=]*\) ?;")
MADE_OF = re.compile(r"(?P<kept>\w+ =) \w+ \( (?P<variable>\w+) \);")
WORD = re.compile(r"(?<!-> )(?<!\. )\b[A-Za-z_]\w*")     # but for members, of words with blanks between


class Insertion(NamedTuple):
    """Statements, each of which may be put in at a place."""

    token: int                  # the index of that behind which it is
    statements: tuple[str, ...]
    beside: int                 # how many of them, the first, go with a statement that is there
    usual: int                  # how many, those with them, stand in such a place elsewhere in the function


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
    lasts: bool                             # it does more than to set a variable of its function


class _StatementPair(NamedTuple):
    """Two statements of which one follows the other, or is done otherwise."""

    first: str
    second: str
    function: int
    variables: frozenset[str]               # that are in scope there


class Insertions:
    """The statements of a source, and where they may be lacking."""

    def __init__(self, tokens: list[Token], partner: dict[int, int], wholes: Wholes, scopes: Scopes) -> None:
        self._tokens, self._partner, self._wholes, self._scopes = tokens, partner, wholes, scopes
        self._bodies = [(first, last) for first, last in functions(tokens) if self._at(first - 1) == ")"]
        self._first = {token.text: index for index, token in reversed(list(enumerate(tokens))) if self._is_own(index)}
        self._names = {token.text for token in tokens if token.kind == "name"}
        self._leaving = [self._refusal(first, last) for first, last in self._bodies]
        self._guards = list(dict.fromkeys(self._asked_first()))
        self._told = list(dict.fromkeys(self._statements()))
        self._pairs = list(dict.fromkeys(self._following()))
        self._local = frozenset(name for pair in self._pairs for name in pair.variables)
        self._anchors = frozenset(self._names - self._local)

    def all(self) -> Iterator[Insertion]:
        """Each place, and what may be lacking there; what stands beside it already is not."""
        for number, (first, last) in enumerate(self._bodies):
            for index in self._places(first, last):
                before, behind = self._beside(index)
                here = [told for told in self._told if told.function == number]
                others = [told for told in self._told if told.function != number and told.lasts]
                alike = [told for told in here if self._is_alike(told.place, self._place(index + 1, index + 1))]
                fits = [list(dict.fromkeys(text for told in some for text in self._named_here(told, index)
                                           if text not in (before, behind) and self._is_known(text, index)))
                        for some in (alike, here, sorted(others, key=lambda told: self._strangeness(told, index)))]
                completing = dict.fromkeys(self._completing(before, behind, index))
                usual = dict.fromkeys((*completing, *self._refusing(number, index), *fits[0]))
                own = dict.fromkeys((*usual, *fits[1]))
                fitting = tuple(islice(dict.fromkeys((*own, *fits[2])), MOST_HERE))
                if fitting:
                    yield Insertion(index, fitting, len(completing), min(len(usual), MOST_HERE))

    def _completing(self, before: str, behind: str, index: int) -> Iterator[str]:
        """What goes with one of the statements that a place is between, and is not the other."""
        for statement in (before, behind):
            yield from (text for text in completions(statement, self._names)
                        if text not in (before, behind) and self._is_known(text, index))
        yield from islice(self._analogous(index), MOST_BESIDE)

    def _analogous(self, index: int) -> Iterator[str]:
        """What follows the like of the statement before a place, or comes before the like of that behind it.

        Where two names have changed places there, it comes behind all else.
        """
        before, behind = self._unit_before(index), self._unit(index + 1)
        alike = [(beside, likes) for pair in self._pairs for like, beside, statement in (
                    (pair.first, pair.second, before), (pair.second, pair.first, behind))
                 if statement and like != statement
                 and (likes := likeness(like, statement, self._anchors)) is not None]
        alike += [(beside, crossed(likes, beside)) for beside, likes in alike]
        here = self._scopes.variables(self._tokens[index].end)
        for beside, likes in alike:
            for text in said_here(beside, likes):
                known = self._local & set(WORD.findall(text)) <= here.keys()
                others = dict.fromkeys((text, *(one.sub(other, text) for one, other in (*BITS, *COUNTS))))
                yield from (text for text in others if known and text not in (before, behind)
                            and self._is_known(text, index))

    def _following(self) -> Iterator[_StatementPair]:
        """Statements that follow each other in a block; and what is done on a condition, with what is done else."""
        for number, (first, last) in enumerate(self._bodies):
            for index in range(first + 1, last):
                if (span := self._span(index)) is None:
                    continue
                known = frozenset(self._scopes.variables(self._tokens[index].at))
                one, behind = self._unit(index), span[1] + 2
                if other := self._unit(behind):
                    yield _StatementPair(one, other, number, known)
                if self._at(index) == "if" and self._at(behind) == "else" and (other := self._unit(behind + 1)):
                    asked = self._wholes.in_one_line(index + 2, self._partner.get(index + 1, index) - 1)
                    yield _StatementPair(one, f"if ( ! ( {asked} ) ) {other}", number, known)

    def _span(self, index: int) -> Span | None:
        """The statement that starts at a token, perhaps done on a condition; whatever is done else is not counted."""
        if self._at(index) == "if" and self._at(index + 1) == "(":
            inner = self._wholes.statement(self._partner.get(index + 1, index) + 1)
            return (index, inner[1]) if inner else None
        return self._wholes.statement(index)

    def _unit(self, index: int) -> str:
        span = self._span(index)
        return f"{self._wholes.in_one_line(*span)};" if span else ""

    def _unit_before(self, index: int) -> str:
        """The statement that ends at a token, with the condition on which it is done."""
        start = self._start_of(index)
        unit, span = self._unit(start), self._span(start)
        return unit if span and span[1] + 1 == index else ""

    def _refusing(self, number: int, index: int) -> Iterator[str]:
        """That a function gives up: where it has just got no pointer, or is handed none, or as others give up."""
        here, (first, _) = self._scopes.variables(self._tokens[index].end), self._bodies[number]
        got = GOT.match(self._wholes.in_one_line(self._start_of(index), index))
        names = [got["name"]] if got and self._at(index + 1) != "if" else list(here) if index == first else []
        yield from (f"if ( ! {name} ) {self._leaving[number]}" for name in names if here.get(name, "").endswith("*"))
        others = [told for told in self._guards if told.function != number] if index == first else []
        yield from (f"{text} {self._leaving[number]}" for told in others for text in self._named_here(told, index)
                    if self._is_known(text, index))

    def _refusal(self, first: int, last: int) -> str:
        """How a function gives up: with NULL or 0, if it returns anything."""
        answers = [self._at(index + 1) for index in range(first, last) if self._at(index) == "return"]
        return next((f"return {answer};" for answer in answers if answer in NOTHING),
                    "return;" if all(answer == ";" for answer in answers) else "return 0;")

    def _strangeness(self, told: WrittenStatement, index: int) -> tuple[int, bool, int]:
        """Sorts statements of other functions: first what names variables of a place too, and what is short."""
        here = self._scopes.variables(self._tokens[index].end)
        return sum(not _is_like(here.get(name, ""), kind) for name, kind in told.names), not told.names, len(told.text)

    def _place(self, first: int, behind: int) -> _Surroundings:
        """Of a statement that starts at a token, or may: what is before it, and whether its block ends behind it."""
        start = self._start_of(first - 1)
        return _Surroundings(self._at(start) if self._at(first - 1) == ";" else "", self._at(behind) == "}")

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
                    yield self._written(span, number, f"{self._wholes.in_one_line(*span)};")

    def _written(self, span: Span, number: int, text: str) -> WrittenStatement:
        index, names = span[0], self._scopes.variables(self._tokens[span[0]].at)
        words = dict.fromkeys(word for word in WORD.findall(text) if word in names)
        lasts = self._at(index) not in names or self._at(index + 1) not in ASSIGNING
        return WrittenStatement(text, number, tuple((word, names[word]) for word in words),
                                self._place(index, span[1] + 2), lasts)

    def _guarded(self, index: int) -> Span | None:
        """A statement of one line that is done on a condition, and nothing else otherwise."""
        if self._at(index) != "if" or self._at(index + 1) != "(":
            return None
        inner = self._wholes.statement(self._partner.get(index + 1, index) + 1)
        return (index, inner[1]) if inner and self._at(inner[1] + 2) != "else" else None

    def _asked_first(self) -> Iterator[WrittenStatement]:
        """On what a function gives up before it does anything, as "if ( ... )"."""
        for number, (first, last) in enumerate(self._bodies):
            span = next(((index, self._wholes.closing(index + 1)) for index in range(first, last)
                         if self._at(index) in ("if", "for", "while", "do")), (first, first))
            behind = span[1] + (2 if self._at(span[1] + 1) == "{" else 1)
            words = self._wholes.in_one_line(*span)
            if self._at(span[0]) == "if" and self._at(behind) == "return" and "=" not in words.split():
                yield self._written(span, number, words)

    def _named_here(self, told: WrittenStatement, index: int) -> Iterator[str]:
        """The statement with the variables that there are at a place, if each has its like."""
        here = self._scopes.variables(self._tokens[index].end)
        of_kind = {kind: [other for other, its in reversed(here.items()) if its == kind] for _, kind in told.names}
        alone = len(told.names) == 1 and CALL.match(told.text)         # it may be meant for another that is here too
        likes = [[name, *(of_kind[kind] if alone else [])] if _is_like(here.get(name, ""), kind) else of_kind[kind]
                 for name, kind in told.names]
        for chosen in islice(product(*likes), LIKENESSES):
            if len(set(chosen)) == len(chosen):
                text = renamed(told.text, {name: other for (name, _), other in zip(told.names, chosen, strict=True)})
                first, last = self._bodies[told.function]
                undoing = BITS if first <= index < last else (*BITS, *COUNTS)
                yield from dict.fromkeys((text, *(one.sub(other, text) for one, other in undoing), _itself(text)))

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

    def _beside(self, index: int) -> tuple[str, str]:
        """What stands before and behind a place; nothing, where that is no call or assignment."""
        behind, before = self._wholes.statement(index + 1), self._wholes.statement(self._start_of(index))
        one, other = (f"{self._wholes.in_one_line(*span)};" if span else "" for span in (before, behind))
        return one, other

    def _start_of(self, end: int) -> int:
        """Where the statement starts that ends at a token, or its last part."""
        start = end - 1
        while self._at(start) not in (";", "{", "}", ""):
            start = self._wholes.opener(start) - 1
        return start + 1

    def _at(self, index: int) -> str:
        return self._tokens[index].text if 0 <= index < len(self._tokens) else ""


def _itself(text: str) -> str:
    """That a variable is kept, where a statement keeps what a function makes of it: as a rover points to a block."""
    return MADE_OF.sub(r"\g<kept> \g<variable>;", text)


def _is_like(kind: str, other: str) -> bool:
    """Whether a variable of one type may stand where one of the same name, and of another, does: both are pointers."""
    return kind == other or kind.endswith("*") and other.endswith("*")
