"""One-expression variants of a C source, all compiled at once: each is chosen by a number when the object runs.

The source is read as tokens, never parsed: a variant is a few words put around an operator, a constant, a name or a
condition, so that the line's number stays and a macro stays a macro. What does not compile is left out again.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

TOKEN = re.compile(r"""
    (?P<skip>\s+|//[^\n]*|/\*.*?\*/|\\\n)
  | (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*(?![\w.]))
  | (?P<name>[A-Za-z_]\w*)
  | (?P<sign>->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]\#])
  | (?P<other>.)
""", re.VERBOSE | re.DOTALL)
HEAD = ("#ifndef HEAPSTER_HEAD\n#define HEAPSTER_HEAD\n"
        "extern unsigned heapster_choice; extern unsigned char *heapster_seen; "
        "__attribute__((weak)) unsigned heapster_choice; __attribute__((weak)) unsigned char *heapster_seen;\n"
        "static __attribute__((noinline, unused, no_sanitize(\"thread\"))) int HEAPSTER_IS(unsigned n) "
        "{ if (heapster_seen) heapster_seen[n] = 1; return heapster_choice == n; }\n#endif\n")
KEYWORDS = frozenset((
    "if", "else", "while", "for", "do", "return", "sizeof", "struct", "union", "enum", "switch", "case",
    "default", "break", "continue", "goto", "static", "const", "void", "char", "short", "int", "long", "float",
    "double", "signed", "unsigned", "volatile", "extern", "register", "inline", "typedef", "NULL", "size_t",
    "intptr_t", "uintptr_t", "ptrdiff_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t", "int32_t", "int64_t"))
TWINS = (("next", "prev"), ("NEXT", "PREV"), ("left", "right"), ("LEFT", "RIGHT"), ("succ", "pred"), ("SUCC", "PRED"),
         ("HDR", "FTR"), ("head", "tail"), ("HEAD", "FOOT"), ("head", "foot"), ("first", "last"), ("min", "max"),
         ("MIN", "MAX"), ("old", "new"), ("lo", "hi"))
CLOSER = {"(": ")", "[": "]", "{": "}"}
LOOSER = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
SHIFTED = {"<": 1, "<=": -1, ">": -1, ">=": 1}      # what its right side is moved by to take the equal in, or leave it
CALL_STEPS = (8, -8, 16, -16)
STATEMENT = frozenset({";", "{", "}", ")", "else", "do", ""})       # before what is called for nothing that it answers
STEPS = (8, -8, 4, -4, 16, -16, 15, 7, 1, -1)     # bytes more or less in a sum: a word, or to round up by
FUNCTION = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(?P<macro>\w+)|^[A-Za-z_][\w\s*]*?\b(?P<name>\w+)\s*\([^;{}]*\)\s*\{",
                      re.MULTILINE)
MOST_VARIANTS = 4000
FEW_VALUES = 4                  # the first other values of a constant, which are the likeliest
MOST_VALUES = 6                 # other values of one constant
ASSIGNS = frozenset({"=", "+=", "-=", "*=", "/=", "|=", "&=", "^=", "%=", "++", "--", "["})
DECLARED = re.compile(r"(?:^|[;{(,}])\s*((?:unsigned |struct |const )*[A-Za-z_]\w*)\b"
                      r"\s*(\**)\s*([A-Za-z_]\w*)\s*(?=[=;,)])")


class Token(NamedTuple):
    """A word of the source."""

    kind: str
    text: str
    at: int                     # offset in the source

    @property
    def end(self) -> int:
        """Offset of what follows."""
        return self.at + len(self.text)


class Variant(NamedTuple):
    """One expression written otherwise."""

    number: int
    line: int
    before: str                 # what stands there
    after: str                  # what would
    start: int                  # offset of it in the source
    rank: int                   # how much it changes: an operator or a constant least, a whole condition most
    guess: int = 0              # how little says that it compiles: the most is left out first


class TextEdit(NamedTuple):
    """Words put in at an offset, or in place of `length` characters."""

    at: int
    length: int
    text: str
    number: int
    order: int                  # of what stands at the same offset: wrappers outside


class Variants:
    """The variants of one source text."""

    def __init__(self, text: str, base: int = 0, most: int = MOST_VARIANTS) -> None:
        self.text, self.base = text, base
        self.all: list[Variant] = []
        self._edits: list[list[TextEdit]] = []      # of each
        self._most = most
        self._tokens = [token for token in _tokens(text) if token.kind != "skip"]
        self._partner = _partners(self._tokens)
        self._names = {token.text for token in self._tokens if token.kind == "name"}
        self._constants = _object_macros(text)
        self._lines = _line_starts(text)
        self._condition_end = 0                 # index of the token that ends the last condition so far
        self._in_macro = False                  # their words multiply where macros stand in each other
        self._heads = list(FUNCTION.finditer(text))
        self._locals = _locals(self._tokens, text)
        for index, in_macro in _in_code(self._tokens, text):
            self._in_macro = in_macro
            self._at(index)

    def source(self, left_out: Iterable[int] = ()) -> str:
        """The source with all variants in it, but for those left out."""
        out = frozenset(left_out)
        edits = sorted((edit for number, some in enumerate(self._edits, self.base + 1) if number not in out
                        for edit in some), key=lambda edit: (edit.at, edit.order))
        parts, at = [], 0
        for edit in edits:
            if edit.at < at:
                continue
            parts += [self.text[at:edit.at], edit.text]
            at = edit.at + edit.length
        return HEAD + "#line 1\n" + "".join(parts) + self.text[at:]

    def mended(self, variant: Variant) -> str:
        """The line of a variant, as it would read."""
        start = self._lines[variant.line - 1]
        end = self.text.find("\n", start)
        line = self.text[start:end if end >= 0 else None]
        at = variant.start - start
        return line[:at] + variant.after + line[at + len(variant.before):]

    def text_of(self, line: int) -> str:
        """A line of the source."""
        return self.text.splitlines()[line - 1] if line <= self.text.count("\n") else ""

    def function_of(self, variant: Variant) -> str:
        """The function, or the macro, that a variant stands in."""
        return self._function_at(variant.start)

    def _function_at(self, at: int) -> str:
        heads = [match for match in self._heads if match.start() <= at]
        return (heads[-1]["macro"] or heads[-1]["name"]) if heads else ""

    # Where something may be written otherwise.

    def _at(self, index: int) -> None:
        token = self._tokens[index]
        if token.kind == "number":
            others = [f"{value}{suffix}" for value, suffix in _other_numbers(token.text)]
            named = self._in_macro and self._function_at(token.at) in self._constants       # it is used in many places
            self._values(token, others, [int(named or n >= FEW_VALUES) for n in range(len(others))])
        elif token.kind == "name":
            self._name(index)
        elif token.text in SHIFTED:
            self._relation(token)
        elif token.text in ("+", "-") and self._is_binary(index):
            self._sign(index)
        elif token.text == "!" and self._text(index + 1) != "=":
            self._replace(token, "", "HEAPSTER_IS({n}) != !", 1)

    def _name(self, index: int) -> None:
        token, before, after = self._tokens[index], self._text(index - 1), self._text(index + 1)
        if token.text in ("if", "while") and after == "(":
            self._condition(index + 1, token.text)
        elif token.text == "sizeof" and after == "(":
            self._sizeof(index)
        elif token.text in KEYWORDS:
            return
        elif before in ("->", "."):
            self._member(index)
        elif after == "(":
            self._call(index)
        elif token.text in (names := self._locals.get(index, {})) and before not in ("&", "++", "--", "*"):
            if after not in ASSIGNS and self._tokens[index - 1].text not in names and before not in KEYWORDS:
                others = [name for name in names[token.text] if self.text.find(name, 0, token.at) >= 0][:MOST_VALUES]
                less = [f"{token.text} - {other}" for other in others[:2]]
                loose = int(index < self._condition_end)
                self._values(token, others + less, [loose] * len(others) + [1] * len(less), guess=2)
        elif token.text in self._constants:
            others = [name for name in self._constants if name != token.text][:MOST_VALUES]
            near = [name for name in self._locals.get(index, {}) if name in self.text[:token.at]][:MOST_VALUES]
            loose = int(index < self._condition_end)
            self._values(token, others + near, [loose] * len(others) + [1] * len(near), guess=2 if near else 0)

    def _text(self, index: int) -> str:
        return self._tokens[index].text if 0 <= index < len(self._tokens) else ""

    def _is_binary(self, index: int) -> bool:
        before = self._tokens[index - 1]
        return before.kind in ("number",) or before.text in (")", "]") or (
            before.kind == "name" and before.text not in KEYWORDS)

    def _values(self, token: Token, others: list[str], ranks: list[int], guess: int = 0) -> None:
        """A word that is one value, and others that it might be."""
        first = self.base + len(self.all) + 1
        choice = "".join(f"HEAPSTER_IS({first + n}) ? {other} : " for n, other in enumerate(others))
        for n, other in enumerate(others):
            edit = TextEdit(token.at, len(token.text), f"({choice}{token.text})", first, 5)
            self._add(token, other, [edit] if n == 0 else [], ranks[n], guess)

    def _replace(self, token: Token, after: str, text: str, rank: int) -> None:
        number = self.base + len(self.all) + 1
        self._add(token, after, [TextEdit(token.at, len(token.text), text.format(n=number), number, 5)], rank)

    def _sign(self, index: int) -> None:
        token, number = self._tokens[index], self.base + len(self.all) + 1
        other = "-" if token.text == "+" else "+"
        steps = STEPS[:4] if self._in_macro else STEPS
        more = "".join(f"HEAPSTER_IS({number + 2 + n}) ? {step} : " for n, step in enumerate(steps))
        text = f"{token.text} ({more}0) {token.text} (HEAPSTER_IS({number}) ? -1 : HEAPSTER_IS({number + 1}) ? 0 : 1) *"
        self._add(token, other, [TextEdit(token.at, 1, text, number, 5)], 0, 1)
        self._add(token, f"{token.text} 0 *", [], 1, 1)
        for step in steps:
            self._add(token, f"{token.text} {step} {token.text}", [], 1, 1)

    def _relation(self, token: Token) -> None:
        number = self.base + len(self.all) + 1
        steps = () if self._in_macro else STEPS
        moves = (SHIFTED[token.text], *steps)
        more = "".join(f"HEAPSTER_IS({number + n}) ? {move} : " for n, move in enumerate(moves))
        text = f"{token.text} ({more}0) +"
        self._add(token, LOOSER[token.text], [TextEdit(token.at, len(token.text), text, number, 5)], 0)
        for step in steps:
            self._add(token, f"{token.text} {step} +", [], 1)

    def _sizeof(self, index: int) -> None:
        closing = self._partner.get(index + 1)
        if closing is None:
            return
        token = self._tokens[index]
        whole = Token("name", self.text[token.at:self._tokens[closing].end], token.at)
        self._values(whole, [f"2 * {whole.text}", f"{whole.text} / 2", "0"], [0, 0, 1])

    def _call(self, index: int) -> None:
        closing = self._partner.get(index + 1)
        token = self._tokens[index]
        if closing is None:
            return
        whole = self.text[token.at:self._tokens[closing].end]
        macro = self._function_at(token.at)
        for other in _twins(token.text, self._names - {macro}):
            number = self.base + len(self.all) + 1
            edits = [TextEdit(token.at, 0, f"(HEAPSTER_IS({number}) ? {other}{whole[len(token.text):]} : ", number, 1),
                     TextEdit(self._tokens[closing].end, 0, ")", number, 0)]
            self._add(token, other, edits, 0)
        if self._text(index - 1) not in STATEMENT and not self._in_macro:
            self._call_and_more(whole, token.at, self._tokens[closing].end)

    def _call_and_more(self, whole: str, start: int, end: int) -> None:
        """What a call answers, and some bytes more or less."""
        number = self.base + len(self.all) + 1
        more = "".join(f"HEAPSTER_IS({number + n}) ? {step} : " for n, step in enumerate(CALL_STEPS))
        edits = [TextEdit(start, 0, "(", number, 1), TextEdit(end, 0, f" + ({more}0))", number, 0)]
        for n, step in enumerate(CALL_STEPS):
            self._add(Token("name", whole, start), f"({whole} + {step})", edits if n == 0 else [], 1, 3)

    def _member(self, index: int) -> None:
        token, first = self._tokens[index], index
        while self._text(first - 1) in ("->", ".") and self._tokens[first - 2].kind == "name":
            first -= 2
        if first == index or self._text(index + 1) == "(":
            return
        whole = self.text[self._tokens[first].at:token.at]
        for other in _twins(token.text, self._names):
            number = self.base + len(self.all) + 1
            text = f"(*(HEAPSTER_IS({number}) ? &{whole}{other} : &{whole}{token.text}))"
            edit = TextEdit(self._tokens[first].at, token.end - self._tokens[first].at, text, number, 5)
            self._add(token, other, [edit], 0)

    def _condition(self, opening: int, word: str) -> None:
        closing = self._partner.get(opening)
        if closing is None:
            return
        self._condition_end = max(self._condition_end, closing)
        for first, last in _operands(self._tokens, self._partner, opening, closing):
            self._operand(first, last, alone=(first, last) == (opening + 1, closing - 1), word=word)

    def _operand(self, first: int, last: int, *, alone: bool, word: str) -> None:
        start, end = self._tokens[first].at, self._tokens[last].end
        whole, n = Token("other", self.text[start:end], start), self.base + len(self.all) + 1
        values = f"HEAPSTER_IS({n + 1}) ? 0 : HEAPSTER_IS({n + 2}) ? 1 : " if word == "if" or not alone else ""
        edits = [TextEdit(start, 0, f"({values}HEAPSTER_IS({n}) != !!(", n, 0), TextEdit(end, 0, "))", n, 0)]
        self._add(whole, f"!({whole.text})", edits, 1)
        if values:
            self._add(whole, "0", [], 2)
            self._add(whole, "1", [], 2)

    def _add(self, token: Token, after: str, edits: list[TextEdit], rank: int, guess: int = 0) -> None:
        if len(self.all) >= self._most:
            return
        line = self.text.count("\n", 0, token.at) + 1
        self.all.append(Variant(self.base + len(self.all) + 1, line, token.text, after, token.at, rank,
                                guess))
        self._edits.append(edits)


def _tokens(text: str) -> Iterator[Token]:
    for match in TOKEN.finditer(text):
        yield Token(match.lastgroup or "other", match.group(), match.start())


def _partners(tokens: list[Token]) -> dict[int, int]:
    """Of each opening bracket, the one that closes it."""
    found, open_ones = {}, list[int]()
    for index, token in enumerate(tokens):
        if token.text in CLOSER and token.kind == "sign":
            open_ones.append(index)
        elif open_ones and token.text == CLOSER[tokens[open_ones[-1]].text]:
            found[open_ones.pop()] = index
    return found


def _in_code(tokens: list[Token], text: str) -> Iterator[tuple[int, bool]]:
    """The tokens that are evaluated when a function runs: in bodies of functions, and whether in those of macros."""
    depth, skipped_to = 0, -1
    for index, token in enumerate(tokens):
        if token.text == "#" and _starts_line(text, token.at):
            end = _end_of_directive(text, token.at)
            if re.match(r"#\s*define\b", text[token.at:]):
                body = _macro_body(text, token.at, end)
                yield from ((i, True) for i in range(index, len(tokens)) if body <= tokens[i].at < end)
            skipped_to = max(skipped_to, end)
        if token.at < skipped_to:
            continue
        depth += (token.text == "{") - (token.text == "}")
        if token.text in ("static", "enum", "case") and depth:
            skipped_to = min(at for at in (text.find(";", token.at), text.find(":", token.at)) if at >= 0)
        elif depth:
            yield index, False


def _locals(tokens: list[Token], text: str) -> dict[int, dict[str, list[str]]]:
    """For each token of a function: its parameters and variables, and the others of each one's type."""
    found: dict[int, dict[str, list[str]]] = {}
    depth = first = 0
    for index, token in enumerate(tokens):
        if token.text == "{" and token.kind == "sign":
            first = index if depth == 0 else first
            depth += 1
        elif token.text == "}" and token.kind == "sign":
            depth -= 1
            if depth == 0:
                start = max(text.rfind(mark, 0, tokens[first].at) for mark in (";", "}", "#"))
                names = _same_types(text[max(0, start):token.at])
                found.update(dict.fromkeys(range(first, index), names))
    return found


def _same_types(text: str) -> dict[str, list[str]]:
    types = {name: kind + stars for kind, stars, name in DECLARED.findall(text)
             if kind not in ("return", "goto", "else", "struct") and name not in KEYWORDS
             and (stars or not kind.startswith("struct "))}
    return {name: [other for other, kind in types.items() if kind == types[name] and other != name] for name in types}


def _starts_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1:at].strip()


def _end_of_directive(text: str, at: int) -> int:
    while True:
        end = text.find("\n", at)
        if end < 0:
            return len(text)
        if text[end - 1] != "\\":
            return end
        at = end + 1


def _macro_body(text: str, at: int, end: int) -> int:
    """Where the body of a macro starts."""
    head = re.compile(r"#\s*define\s+\w+(?:\([^)]*\))?").match(text, at)
    return head.end() if head else end


def _object_macros(text: str) -> list[str]:
    """Names of macros that stand for a plain number."""
    return re.findall(r"^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)[ \t]+\(?[\d(][^\n\"{]*$", text, re.MULTILINE)


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _other_numbers(text: str) -> Iterator[tuple[str, str]]:
    digits = text.rstrip("uUlL")
    suffix = text[len(digits):]
    value = int(digits, 16 if digits[:2] in ("0x", "0X") else 8 if digits[:1] == "0" else 10)
    others = dict.fromkeys((value + 1, value - 1, 2 * value, value // 2, value + 8, value - 8, 2 * value + 1, 0))
    for other in list(others)[:MOST_VALUES + 1]:
        if other >= 0 and other != value:
            yield str(other), suffix


def _twins(name: str, names: set[str]) -> Iterator[str]:
    """Names of the source that say the opposite."""
    for one, other in TWINS:
        for this, that in ((one, other), (other, one)):
            if this in name and (twin := name.replace(this, that)) in names and twin != name:
                yield twin


def _operands(tokens: list[Token], partner: dict[int, int], opening: int, closing: int) -> Iterator[tuple[int, int]]:
    """First and last token of each operand of a condition's outermost && or ||; of the whole, if there is none."""
    first, index = opening + 1, opening + 1
    while index < closing:
        if tokens[index].text in ("&&", "||"):
            yield first, index - 1
            first = index + 1
        index = partner.get(index, index) + 1
    if first < closing:
        yield first, closing - 1
