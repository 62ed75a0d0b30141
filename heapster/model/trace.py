"""Traces as text that people can read and edit.

One step a line, or several separated by `;`. `#` starts a comment; blank lines are skipped.

    policy best_fit; threshold 8192
    a = malloc(40)              # handles are identifiers
    b = calloc(3, 0x10)
    a = realloc(a, SIZE_MAX - 7)
    free(b + 8)                 # misuse is legal input
    poke b - 8 0x41             # a word written over, there the header of b
    fail sbrk 3; thread 2; foreign_sbrk(-24)

`parse(format_trace(trace)) == trace` for every trace whose handles are defined before they are used.
"""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache

from heapster.model.amounts import NAMED, amount, format_number
from heapster.model.geometry import PTRDIFF_MAX, SIZE_MAX, WORD
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import ALLOCATING, OPERATIONS, SETTING, WRITING, OperationRow

STATEMENT = re.compile(
    r"(?:(?P<result>[^\W\d]\w*)\s*=\s*)?(?P<verb>[^\W\d]\w*)\b\s*(?P<rest>\(.*\)|[^(\s=].*|)", re.ASCII)
POINTER = re.compile(r"(?P<handle>[^\W\d]\w*)\s*(?:(?P<sign>[+-])\s*(?P<offset>\w+))?", re.ASCII)
NUMBER = re.compile(r"(?P<first>-?\s*\w+)(?P<more>(?:\s*[+-]\s*\w+)*)", re.ASCII)
LITERAL = re.compile(r"0[xX][0-9a-fA-F]{1,32}|[0-9]{1,40}")
PLAIN_DIGITS = 19              # fewer are in the range of every kind of number
LETTERS = 26


class TraceError(ValueError):
    """A text that is no trace, and where it stops being one."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line, self.message = line, message


def parse_bytes(data: bytes) -> Trace:
    """The trace in the bytes of a file, or TraceError."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TraceError(data.count(b"\n", 0, error.start) + 1, "this is not text (UTF-8)") from None
    return parse(text)


def parse(text: str) -> Trace:
    """The trace in a text, or TraceError."""
    steps = tuple(parse_lines(text.split("\n")))
    if not steps:
        raise TraceError(1, "there is no step in this trace")
    return steps


def parse_lines(lines: Iterable[str]) -> Iterator[Step]:
    """The steps that lines say, one after the other, or TraceError; for texts of any length."""
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        for statement in _statements(line):
            yield reader.read(number, statement)


def statements_in(line: str) -> int:
    """How many steps a line says."""
    return len(_statements(line))


def _statements(line: str) -> list[str]:
    return [stripped for statement in line.split("#", 1)[0].split(";") if (stripped := statement.strip())]


def format_trace(trace: Iterable[Step]) -> str:
    """The trace as text, a step a line."""
    return "".join(f"{line}\n" for line in format_steps(trace))


def format_steps(trace: Iterable[Step]) -> tuple[str, ...]:
    """The steps of a trace, each as text."""
    return tuple(format_step(step) for step in trace)


def format_step(step: Step) -> str:
    """One step as text."""
    words = [step.name] if step.name else []
    if OPERATIONS[step.verb].operand:
        words.append(_format_pointer(step))
    words += [hex(number) if step.verb in WRITING else format_number(number) for number in step.numbers]
    if step.verb in SETTING:
        return " ".join([step.verb, *words])
    call = f"{step.verb}({', '.join(words)})"
    return f"{handle_name(step.result)} = {call}" if step.verb in ALLOCATING else call


@cache
def handle_name(handle: int) -> str:
    """The name of a handle: a, b, ... z, aa, ab, ...; NULL for none."""
    if handle == NO_HANDLE:
        return "NULL"
    name, left = "", handle + 1
    while left:
        left, letter = divmod(left - 1, LETTERS)
        name = chr(ord("a") + letter) + name
    return name


def _handle_number(name: str) -> int:
    """The handle with that name, or -1 when it is a name of the user's own making."""
    if len(name) > 3 or not (name.isascii() and name.isalpha() and name.islower()):
        return -1
    number = 0
    for letter in name:
        number = number * LETTERS + ord(letter) - ord("a") + 1
    return number - 1


def _format_pointer(step: Step) -> str:
    name = handle_name(step.operand)
    if not step.offset:
        return name
    return f"{name} {'+' if step.offset > 0 else '-'} {abs(step.offset)}"


class _Reader:
    """The names of the handles so far."""

    def __init__(self) -> None:
        self._handles: dict[str, int] = {}
        self._taken: set[int] = set()       # their numbers
        self._least = 0                     # no lower number is free
        self._line = 0

    def read(self, line: int, statement: str) -> Step:
        """The step that the statement says."""
        self._line = line
        if not statement.replace("\t", "").isprintable():
            raise self._error("this is not text")
        match = STATEMENT.fullmatch(statement)
        if match is None:
            raise self._error(f"not a step: {_clip(statement)}")
        shape = self._shape(match["verb"])
        operand, offset, name, numbers = self._arguments(match["verb"], shape, match["rest"])
        result = self._define(match["verb"], shape, match["result"])
        return Step(match["verb"], numbers, result, operand, offset, name)

    def _error(self, message: str) -> TraceError:
        return TraceError(self._line, message)

    def _shape(self, verb: str) -> OperationRow:
        if verb in OPERATIONS:
            return OPERATIONS[verb]
        known = _suggest(verb, OPERATIONS) or "; if a newer Heapster wrote it, read it with that"
        raise self._error(f"unknown operation '{_clip(verb)}'{known}")

    def _arguments(self, verb: str, shape: OperationRow, rest: str) -> tuple[int, int, str, tuple[int, ...]]:
        """Operand, offset, name and numbers of a step."""
        words = _words(rest, shape)
        expected = ["pointer"] * shape.operand + ["name"] * bool(shape.names) + list(shape.numbers)
        if len(words) != len(expected):
            wanted = f"({', '.join(expected)})" if expected else "no arguments"
            raise self._error(f"{verb} takes {wanted}, not {amount(len(words), 'argument')}")
        operand, offset = self._pointer(words.pop(0)) if shape.operand else (NO_HANDLE, 0)
        if verb in WRITING and offset % WORD:
            raise self._error(f"{verb} writes a word: {offset} is no multiple of {WORD}")
        name = self._name(words.pop(0), shape.names) if shape.names else ""
        numbers = tuple(self._number(word, kind) for word, kind in zip(words, shape.numbers, strict=True))
        return operand, offset, name, numbers

    def _name(self, word: str, names: tuple[str, ...]) -> str:
        if word in names:
            return word
        raise self._error(f"'{_clip(word)}' is none of {', '.join(names)}{_suggest(word, names)}")

    def _pointer(self, word: str) -> tuple[int, int]:
        if word in self._handles:               # as most are said
            return self._handles[word], 0
        match = POINTER.fullmatch(word)
        if match is None:
            raise self._error(f"'{_clip(word)}' is no handle; write a, a + 8 or NULL")
        offset = self._literal(match["offset"]) if match["offset"] else 0
        offset = -offset if match["sign"] == "-" else offset
        if match["handle"] == "NULL":
            if offset:
                raise self._error("NULL takes no offset")
            return NO_HANDLE, 0
        if match["handle"] not in self._handles:
            raise self._error(f"handle '{_clip(match['handle'])}' is not defined by any step before")
        return self._handles[match["handle"]], offset

    def _number(self, word: str, kind: str) -> int:
        if len(word) < PLAIN_DIGITS and word.isascii() and word.isdigit():
            return int(word)                    # as most are said, in the range of each kind
        match = NUMBER.fullmatch(word)
        if match is None:
            raise self._error(f"'{_clip(word)}' is no number")
        number = self._term(match["first"].replace(" ", ""))
        for sign, term in re.findall(r"([+-])\s*(\w+)", match["more"]):
            number += self._term(term) if sign == "+" else -self._term(term)
        return self._in_range(number, kind)

    def _in_range(self, number: int, kind: str) -> int:
        """Negative sizes wrap as C's do; a delta may be negative; an index or a rank may be neither."""
        if kind == "delta":
            least, most = -PTRDIFF_MAX, PTRDIFF_MAX
        elif kind in ("index", "nth"):
            least, most = 0, PTRDIFF_MAX
        else:
            least, most = -PTRDIFF_MAX - 1, SIZE_MAX
        if not least <= number <= most:
            raise self._error(f"the {kind} {_clip(str(number))} is out of range")
        return number & SIZE_MAX if number < 0 and kind != "delta" else number

    def _term(self, word: str) -> int:
        if word.startswith("-"):
            return -self._term(word[1:])
        return NAMED[word] if word in NAMED else self._literal(word)

    def _literal(self, word: str) -> int:
        if LITERAL.fullmatch(word) is None:
            raise self._error(f"'{_clip(word)}' is no number{_suggest(word, NAMED)}")
        return int(word, 16 if word[:2] in ("0x", "0X") else 10)

    def _define(self, verb: str, shape: OperationRow, name: str | None) -> int:
        if name is None:
            if shape.result:
                raise self._error(f"the answer of {verb} needs a handle: a = {verb}(...)")
            return NO_HANDLE
        if not shape.result:
            raise self._error(f"{verb} answers no pointer, so it cannot define '{_clip(name)}'")
        if name == "NULL":
            raise self._error("NULL is no handle")
        if name not in self._handles:
            self._handles[name] = self._fresh(name)
        return self._handles[name]

    def _fresh(self, name: str) -> int:
        """A number no other handle has: the name's own, if it has one."""
        number = _handle_number(name)
        if number < 0 or number in self._taken:
            while self._least in self._taken:
                self._least += 1
            number = self._least
        self._taken.add(number)
        return number


def _words(rest: str, shape: OperationRow) -> list[str]:
    """The arguments of a step: between commas in a call, between blanks after a setting."""
    if rest.startswith("("):
        inner = rest[1:-1].strip()
        return [word.strip() for word in inner.split(",")] if inner else []
    if shape.operand:
        return rest.rsplit(None, 1)
    if shape.names or not shape.numbers:
        return rest.split(None, 1)
    return [rest] if rest else []


def _suggest(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _clip(word: str) -> str:
    return word if len(word) <= 40 else word[:37] + "..."
