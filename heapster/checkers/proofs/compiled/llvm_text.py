"""LLVM's language as text, read into functions, blocks and instructions: as much of it as the library is made of."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

TOKEN = re.compile(r'%"[^"]*"|[%@][-\w.$]+|"[^"]*"|-?\d+|\.\.\.|[\w.]+|[][(){}*,=<>]')
DEFINED = re.compile(r"^define (?P<kind>[^@\n]*)@(?P<name>[-\w.$]+)\((?P<given>[^\n]*)\)(?P<rest>[^()\n]*) \{\n"
                     r"(?P<body>(?:[^}\n][^\n]*\n|\n)*)^\}", re.MULTILINE)
LABEL = re.compile(r'^(?P<name>"[^"]+"|[-\w.$]+):')
TABLE = re.compile(r'^@(?P<name>[-\w.$]+) = [^\n]*constant \[(?P<count>\d+) x i8\] c"(?P<bytes>.*?)"(?:, align \d+)?$',
                   re.MULTILINE)
ESCAPED = re.compile(r"\\([0-9A-F]{2}|\\)")
RANGE = re.compile(r"range\(i\d+ (-?\d+), (-?\d+)\)")
NUMBERS = {"true": 1, "false": 0, "null": 0}
FLAGS = frozenset({"nsw", "nuw", "exact", "disjoint", "samesign", "nneg", "inbounds", "nusw", "inrange"})


class Operand(NamedTuple):
    """A value that an instruction takes: of a register, a global, a number, or worked out of others."""

    kind: str                       # local, global, number, expression
    type: str
    name: str = ""                  # of the register, the global, or the operation
    number: int = 0
    of: tuple["Operand", ...] = ()
    flags: frozenset[str] = frozenset()


class Instruction(NamedTuple):
    """One instruction."""

    result: str                     # the register, empty if none
    operation: str
    type: str                       # of the result, or of what is stored
    operands: tuple[Operand, ...]
    flags: frozenset[str]
    words: tuple[str, ...]          # the predicate, the order, whom a call calls, labels
    text: str


class CodeParameter(NamedTuple):
    """What a function is given."""

    name: str
    type: str
    bounds: tuple[int, int] | None  # from the first up to, without, the second; they may wrap


class CompiledFunction(NamedTuple):
    """A function."""

    name: str
    answers: str                    # the type of what it returns
    bounds: tuple[int, int] | None
    parameters: tuple[CodeParameter, ...]
    blocks: Mapping[str, tuple[Instruction, ...]]
    first: str

    @property
    def has_loop(self) -> bool:
        """Whether it can come to a block again."""
        left = {name: {word for i in block if i.operation in {"br", "switch"} for word in i.words}
                for name, block in self.blocks.items()}
        while last := [name for name, follow in left.items() if not follow & left.keys()]:
            for name in last:
                del left[name]
        return bool(left)


class Unread(Exception):
    """Something that this reader does not know."""


def functions_in(text: str) -> dict[str, CompiledFunction]:
    """Each function that the text defines."""
    return {found["name"]: _function(found) for found in DEFINED.finditer(text)}


def tables_in(text: str) -> dict[str, bytes]:
    """Each constant table of bytes."""
    return {found["name"]: _bytes(found["bytes"]) for found in TABLE.finditer(text)}


def _bytes(written: str) -> bytes:
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] != "\\" else "\\", written).encode("latin-1")


def bounds_in(text: str) -> tuple[int, int] | None:
    """What `range` says there."""
    found = RANGE.search(text)
    return (int(found[1]), int(found[2])) if found else None


def _function(found: re.Match[str]) -> CompiledFunction:
    parameters = tuple(_parameter(each) for each in _split(found["given"]))
    blocks: dict[str, list[Instruction]] = {}
    current = "entry"
    for line in _lines(found["body"]):
        label = LABEL.match(line)
        if label:
            current = label["name"].strip('"')
            blocks[current] = []
        else:
            blocks.setdefault(current if blocks else "0", []).append(_instruction(line))
            current = current if len(blocks) > 1 or current in blocks else "0"
    kind = found["kind"]
    return CompiledFunction(found["name"], _type_of(kind), bounds_in(kind), parameters,
                {name: tuple(inside) for name, inside in blocks.items()}, next(iter(blocks)))


def _type_of(kind: str) -> str:
    return re.sub(r"\([^)]*\)", "", kind).split()[-1]


def _split(given: str) -> Iterator[str]:
    """The parts between commas that no bracket encloses."""
    depth, start = 0, 0
    for place, sign in enumerate(given):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth:
            yield given[start:place]
            start = place + 1
    if given[start:].strip():
        yield given[start:]


def _parameter(text: str) -> CodeParameter:
    kind, *_, name = text.split()
    return CodeParameter(name.lstrip("%"), kind, bounds_in(text))


def _lines(body: str) -> Iterator[str]:
    """One line an instruction, without remarks and metadata."""
    held = ""
    for raw in body.splitlines():
        line = raw.partition(" ; ")[0].partition(";  ")[0].strip()
        held = f"{held} {line}" if held else line
        if held and held.count("[") == held.count("]"):
            yield held.partition(", !")[0] if not held.startswith("switch") else held
            held = ""


class _Tokens:
    """The tokens of a line, taken one by one."""

    def __init__(self, text: str) -> None:
        self.left: list[str] = TOKEN.findall(text)
        self.text = text

    def peek(self) -> str:
        return self.left[0] if self.left else ""

    def take(self) -> str:
        if not self.left:
            raise Unread(self.text)
        return self.left.pop(0)

    def skip(self, word: str) -> bool:
        if self.peek() == word:
            self.left.pop(0)
            return True
        return False

    def flags(self) -> frozenset[str]:
        found = set()
        while self.peek() in FLAGS:
            found.add(self.take())
        return frozenset(found)

    def type(self) -> str:
        word = self.take()
        if word == "[":
            inside = [self.take() for _ in range(3)]
            self.take()
            return f"[{' '.join(inside)}]"
        if word == "{":
            inside = []
            while not self.skip("}"):
                inside.append(self.take())
            return "{" + " ".join(inside) + "}"
        return word

    def value(self, kind: str) -> Operand:
        word = self.take()
        if word[0] == "%":
            return Operand("local", kind, word[1:].strip('"'))
        if word[0] == "@":
            return Operand("global", kind, word[1:])
        if word in NUMBERS or word.lstrip("-").isdigit():
            return Operand("number", kind, number=NUMBERS[word] if word in NUMBERS else int(word))
        if word in {"add", "sub", "inttoptr", "ptrtoint", "getelementptr"}:
            return self._expression(word, kind)
        raise Unread(self.text)

    def _expression(self, operation: str, kind: str) -> Operand:
        flags = self.flags()
        self.take()
        name = operation
        if operation == "getelementptr":
            name = f"getelementptr {self.type()}"
            self.take()
        of = [self.typed()]
        while self.skip(","):
            of.append(self.typed())
        if self.skip("to"):
            self.type()
        self.take()
        return Operand("expression", kind, name, of=tuple(of), flags=flags)

    def typed(self) -> Operand:
        """A type, attributes, a value."""
        kind = self.type()
        while self.peek() in ATTRIBUTES:
            self._attribute()
        return self.value(kind)

    def _attribute(self) -> None:
        word = self.take()
        if word == "align" and self.peek() != "(":
            self.take()
        elif self.skip("("):
            while not self.skip(")"):
                self.take()


ATTRIBUTES = frozenset({
    "noundef", "nonnull", "align", "dereferenceable", "noalias", "writeonly", "readonly", "captures", "range", "immarg",
    "initializes", "nocapture", "signext", "zeroext"})
BINARY = frozenset({"add", "sub", "mul", "shl", "lshr", "ashr", "and", "or", "xor", "udiv", "sdiv", "urem", "srem"})
CONVERSIONS = frozenset({"zext", "sext", "trunc", "inttoptr", "ptrtoint", "bitcast", "freeze"})


def _instruction(line: str) -> Instruction:
    tokens = _Tokens(line)
    result = ""
    if tokens.left[1:2] == ["="]:
        result = tokens.take()[1:].strip('"')
        tokens.take()
    while tokens.peek() in {"tail", "musttail", "notail"}:
        tokens.take()
    operation = tokens.take()
    reader = READERS.get(operation) or (_binary if operation in BINARY else _conversion if operation in CONVERSIONS
                                        else None)
    if reader is None:
        raise Unread(line)
    kind, operands, flags, words = reader(tokens)
    return Instruction(result, operation, kind, tuple(operands), flags, tuple(words), line)


Parts = tuple[str, list[Operand], frozenset[str], list[str]]
NONE: frozenset[str] = frozenset()


def _binary(tokens: _Tokens) -> Parts:
    flags = tokens.flags()
    kind = tokens.type()
    first = tokens.value(kind)
    tokens.take()
    return kind, [first, tokens.value(kind)], flags, []


def _conversion(tokens: _Tokens) -> Parts:
    flags = tokens.flags()
    first = tokens.typed()
    kind = tokens.type() if tokens.skip("to") else first.type
    return kind, [first], flags, []


def _icmp(tokens: _Tokens) -> Parts:
    flags = tokens.flags()
    predicate = tokens.take()
    kind = tokens.type()
    first = tokens.value(kind)
    tokens.take()
    return "i1", [first, tokens.value(kind)], flags, [predicate]


def _select(tokens: _Tokens) -> Parts:
    condition = tokens.typed()
    tokens.take()
    first = tokens.typed()
    tokens.take()
    return first.type, [condition, first, tokens.typed()], NONE, []


def _phi(tokens: _Tokens) -> Parts:
    kind, operands, words = tokens.type(), [], []
    while tokens.skip("["):
        operands.append(tokens.value(kind))
        tokens.take()
        words.append(tokens.take()[1:].strip('"'))
        tokens.take()
        tokens.skip(",")
    return kind, operands, NONE, words


def _label(tokens: _Tokens) -> str:
    tokens.take()
    return tokens.take()[1:].strip('"')


def _br(tokens: _Tokens) -> Parts:
    if tokens.peek() == "label":
        return "", [], NONE, [_label(tokens)]
    condition = tokens.typed()
    tokens.take()
    first = _label(tokens)
    tokens.take()
    return "", [condition], NONE, [first, _label(tokens)]


def _switch(tokens: _Tokens) -> Parts:
    operands = [tokens.typed()]
    tokens.take()
    words = [_label(tokens)]
    tokens.take()
    while not tokens.skip("]"):
        operands.append(tokens.typed())
        tokens.take()
        words.append(_label(tokens))
    return "", operands, NONE, words


def _ret(tokens: _Tokens) -> Parts:
    return ("", [], NONE, []) if tokens.peek() == "void" else ("", [tokens.typed()], NONE, [])


def _unreachable(_tokens: _Tokens) -> Parts:
    return "", [], NONE, []


def _alignment(tokens: _Tokens) -> str:
    return tokens.left[tokens.left.index("align") + 1] if "align" in tokens.left else "1"


def _load(tokens: _Tokens) -> Parts:
    atomic = tokens.skip("atomic")
    kind = tokens.type()
    tokens.take()
    place = tokens.typed()
    order = tokens.take() if atomic else ""
    return kind, [place], NONE, [order, _alignment(tokens)]


def _store(tokens: _Tokens) -> Parts:
    atomic = tokens.skip("atomic")
    value = tokens.typed()
    tokens.take()
    place = tokens.typed()
    order = tokens.take() if atomic else ""
    return value.type, [value, place], NONE, [order, _alignment(tokens)]


def _cmpxchg(tokens: _Tokens) -> Parts:
    operands = []
    for _ in range(3):
        operands.append(tokens.typed())
        tokens.skip(",")
    return "pair", operands, NONE, [tokens.take()]


def _atomicrmw(tokens: _Tokens) -> Parts:
    if tokens.take() != "xchg":
        raise Unread(tokens.text)
    place = tokens.typed()
    tokens.take()
    value = tokens.typed()
    return value.type, [place, value], NONE, [tokens.take()]


def _getelementptr(tokens: _Tokens) -> Parts:
    flags = tokens.flags()
    element = tokens.type()
    operands = []
    while tokens.skip(","):
        operands.append(tokens.typed())
    return "ptr", operands, flags, [element]


def _alloca(tokens: _Tokens) -> Parts:
    return tokens.type(), [], NONE, []


def _extractvalue(tokens: _Tokens) -> Parts:
    pair = tokens.typed()
    tokens.take()
    return "i64" if tokens.peek() == "0" else "i1", [pair], NONE, [tokens.take()]


def _call(tokens: _Tokens) -> Parts:
    kind = ""
    while not tokens.peek().startswith("@"):
        word = tokens.take()
        if word == "(":
            while not tokens.skip(")"):
                tokens.take()
        elif re.fullmatch(r"i\d+|ptr|void", word):
            kind = word
    name = tokens.take()[1:]
    tokens.take()
    operands = []
    while not tokens.skip(")"):
        operands.append(tokens.typed())
        tokens.skip(",")
    return kind, operands, NONE, [name]


READERS = {"icmp": _icmp, "select": _select, "phi": _phi, "br": _br, "switch": _switch, "ret": _ret,
           "unreachable": _unreachable, "load": _load, "store": _store, "cmpxchg": _cmpxchg, "atomicrmw": _atomicrmw,
           "getelementptr": _getelementptr, "alloca": _alloca, "extractvalue": _extractvalue, "call": _call}
