"""The lines, functions and macros of a C source."""

import re

from heapster.checkers.blackbox.tokens import end_of_directive, renamed_by_macros

FUNCTION = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(?P<macro>\w+)|^[A-Za-z_][\w\s*]*?\b(?P<name>\w+)\s*\([^;{}]*\)\s*\{",
                      re.MULTILINE)


class Outline:
    """What stands where in a source text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = text.splitlines()
        self._other_names = renamed_by_macros(text)
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]         # offset of each line
        heads = list(FUNCTION.finditer(text))
        self.functions = [(str(head["macro"] or head["name"]), head.start()) for head in heads]     # and macros
        self.macros = {head["macro"]: text[head.end():end_of_directive(text, head.start())] for head in heads
                       if head["macro"]}        # their bodies, by name

    def text_of(self, line: int) -> str:
        """A line of the source."""
        return self._lines[line - 1] if line <= len(self._lines) else ""

    def function_at(self, line: int) -> str:
        """The function, or the macro, that a line stands in."""
        return self.function_around(self.starts[min(line, len(self.starts)) - 1])

    def function_around(self, at: int) -> str:
        """The function, or the macro, that an offset stands in."""
        return next((name for name, start in reversed(self.functions) if start <= at), "")

    def statement_of(self, line: int) -> range:
        """The lines from the end of the statement before one on."""
        ends = (number for number in range(line - 1, 0, -1)
                if self._lines[number - 1].rstrip().endswith((";", "{", "}")))
        return range(next(ends, 0) + 1, line + 1)

    def compiled_name(self, function: str) -> str:
        """What a function is called in the object, as a lab's malloc may be mm_malloc there."""
        return str(self._other_names.get(function, function))
