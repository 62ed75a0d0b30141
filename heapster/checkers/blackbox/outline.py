"""The lines, functions and macros of a C source."""

import re
from bisect import bisect_right
from collections.abc import Iterable
from functools import cached_property

from heapster.checkers.blackbox.tokens import end_of_directive, renamed_by_macros, without_comments

FUNCTION = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(?P<macro>\w+)|^[A-Za-z_][\w\s*]*?\b(?P<name>\w+)\s*\([^;{}]*\)\s*\{",
                      re.MULTILINE)
OF_CPLUSPLUS = re.compile(r"^\s*(?:class|namespace|template)\b|\w::~?\w", re.MULTILINE)
METHOD = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(?P<macro>\w+)|^[ \t]*(?:[A-Za-z_][\w \t*&:<>,\[\]]*[\s*&:])?~?"
                    r"(?P<name>(?!(?:if|while|for|switch|catch|return|sizeof|decltype)\b)[A-Za-z_]\w*)\s*\([^;{}]*\)"
                    r"\s*(?:(?:const|noexcept|override|final)\b\s*)*\{", re.MULTILINE)
NO_VALUE = re.compile(r"(?:\([^)]*\))?[\s\\]*(?:$|;|\{|(?:do|if|while|for|switch)\b)")  # parameters, and no expression
WORD = re.compile(r"\w+")
ACCESSOR = re.compile(r"(?!\s*(?:if|for|while|do|switch)\b)[^;{}]*;\s*\}")       # behind a function's brace
CLOSED = re.compile(r"^\}", re.MULTILINE)        # a function of C
RUNS_ANYWAY = "constructor"     # an attribute of a function that nobody has to call


class Outline:
    """What stands where in a source text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = text.splitlines()
        self._other_names = renamed_by_macros(text)
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]         # offset of each line
        heads = list((METHOD if OF_CPLUSPLUS.search(text) else FUNCTION).finditer(without_comments(text)))
        self.functions = [(str(head["macro"] or head["name"]), head.start()) for head in heads]     # and macros
        self._heads = [start for _, start in self.functions]
        bodies = [(head["macro"], without_comments(text[head.end():end_of_directive(text, head.start())]))
                  for head in heads if head["macro"]]
        self.no_values = frozenset(name for name, body in bodies if NO_VALUE.match(body))     # macros of statements
        self.accessors = frozenset(head["name"] for head in heads if head["name"] and ACCESSOR.match(
            without_comments(text[head.end():])))       # functions of one statement, as macros are
        renamed = {head["name"] for head in heads} & self._other_names.keys()      # a lab's malloc, which is mm_malloc
        self.macros = {head["macro"]: text[head.end():end_of_directive(text, head.start())] for head in heads
                       if head["macro"] and head["macro"] not in renamed}      # their bodies, by name
        self._defined = {head.start() for head in heads if head["macro"]}

    def text_of(self, line: int) -> str:
        """A line of the source."""
        return self._lines[line - 1] if line <= len(self._lines) else ""

    def function_at(self, line: int) -> str:
        """The function, or the macro, that a line stands in."""
        return self.function_around(self.starts[min(line, len(self.starts)) - 1])

    def function_around(self, at: int) -> str:
        """The function, or the macro, that an offset stands in."""
        before = bisect_right(self._heads, at)
        return self.functions[before - 1][0] if before else ""

    def reached_from(self, roots: Iterable[str]) -> set[str]:
        """The functions and macros that what is compiled by these names may come by: what it names, and so on."""
        called, words = set(roots), self.uses
        found = {name for name, uses in words if {name, self.compiled_name(name)} & called or RUNS_ANYWAY in uses}
        before = -1
        while len(found) > before:
            before = len(found)
            found |= set().union(*(uses for name, uses in words if name in found))
        return found

    @cached_property
    def uses(self) -> list[tuple[str, set[str]]]:
        """The functions and macros, and what each names."""
        text, behind = without_comments(self._text), [*(start for _, start in self.functions[1:]), len(self._text)]
        return [(name, set(WORD.findall(text[start:self._end(start, end)])))
                for (name, start), end in zip(self.functions, behind, strict=False)]

    def users_of(self, macro: str) -> set[str]:
        """The functions that use a macro, or macros that do."""
        names, before = {macro}, 0
        while len(names) > before:
            before = len(names)
            names |= {name for name, uses in self.uses if uses & names and name in self.macros}
        return {name for name, uses in self.uses if uses & names and name not in self.macros}

    def _end(self, start: int, behind: int) -> int:
        """Where what starts there ends, of which it is known what starts behind it."""
        if start in self._defined:
            return end_of_directive(self._text, start)
        closed = CLOSED.search(self._text, start, behind)
        return closed.end() if closed else behind

    def statement_of(self, line: int) -> range:
        """The lines from the end of the statement before one on."""
        ends = (number for number in range(line - 1, 0, -1)
                if self._lines[number - 1].rstrip().endswith((";", "{", "}")))
        return range(next(ends, 0) + 1, line + 1)

    def compiled_name(self, function: str) -> str:
        """What a function is called in the object, as a lab's malloc may be mm_malloc there."""
        return str(self._other_names.get(function, function))
