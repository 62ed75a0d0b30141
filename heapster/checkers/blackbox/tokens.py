"""A C source as words: its tokens, which of its brackets belong together, and which of them are evaluated."""

import re
from collections.abc import Iterator
from typing import NamedTuple

TOKEN = re.compile(r"""
    (?P<skip>\s+|//[^\n]*|/\*.*?\*/|\\\n)
  | (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*(?![\w.]))
  | (?P<name>[A-Za-z_]\w*)
  | (?P<sign>->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]\#])
  | (?P<other>.)
""", re.VERBOSE | re.DOTALL)
CONSTANT = re.compile(r"^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)[ \t]+\(?[\d(][^\n\"{]*$"
                      r"|^(?:static |inline )*(?:const|constexpr) [\w :]+ (\w+) *= *[\w(~]", re.MULTILINE)
LISTED = re.compile(r"\benum\b[^;{}()]*\{([^{}]*)\}")
RENAMED = re.compile(r"^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)[ \t]+([A-Za-z_]\w*)[ \t]*(?:/.*)?$", re.MULTILINE)
CLOSER = {"(": ")", "[": "]", "{": "}"}
KEYWORDS = frozenset((
    "if", "else", "while", "for", "do", "return", "sizeof", "struct", "union", "enum", "switch", "case",
    "default", "break", "continue", "goto", "static", "const", "void", "char", "short", "int", "long", "float",
    "double", "signed", "unsigned", "volatile", "extern", "register", "inline", "typedef", "NULL", "size_t",
    "intptr_t", "uintptr_t", "ptrdiff_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t", "int32_t", "int64_t"))


class Token(NamedTuple):
    """A word of the source."""

    kind: str
    text: str
    at: int                     # offset in the source

    @property
    def end(self) -> int:
        """Offset of what follows."""
        return self.at + len(self.text)


def tokens_of(text: str) -> list[Token]:
    """The words of a source, without blanks and comments."""
    found = (Token(match.lastgroup or "other", match.group(), match.start()) for match in TOKEN.finditer(text))
    return [token for token in found if token.kind != "skip"]


def without_comments(text: str) -> str:
    """The source with blanks for its comments, so that each offset stays."""
    def blank(match: re.Match[str]) -> str:
        return " " * len(match.group()) if match.group().startswith(("//", "/*")) else match.group()

    return TOKEN.sub(blank, text)


def partners(tokens: list[Token]) -> dict[int, int]:
    """Of each opening bracket, the one that closes it."""
    found, open_ones = {}, list[int]()
    for index, token in enumerate(tokens):
        if token.text in CLOSER and token.kind == "sign":
            open_ones.append(index)
        elif open_ones and token.text == CLOSER[tokens[open_ones[-1]].text]:
            found[open_ones.pop()] = index
    return found


def functions(tokens: list[Token]) -> Iterator[tuple[int, int]]:
    """The first and the last token of each body at the outermost level, its braces."""
    depth = first = 0
    for index, token in enumerate(tokens):
        if token.text == "{" and token.kind == "sign":
            first = index if depth == 0 else first
            depth += 1
        elif token.text == "}" and token.kind == "sign":
            depth -= 1
            if depth == 0:
                yield first, index


def in_code(tokens: list[Token], text: str, partner: dict[int, int]) -> Iterator[tuple[int, bool]]:
    """The tokens that are evaluated when a function runs: in bodies of functions, and whether in those of macros."""
    depth, skipped_to = 0, -1
    for index, token in enumerate(tokens):
        if token.text == "#" and _starts_line(text, token.at):
            end = end_of_directive(text, token.at)
            if re.match(r"#\s*define\b", text[token.at:]):
                body = _macro_body(text, token.at, end)
                yield from ((i, True) for i in range(index, len(tokens)) if body <= tokens[i].at < end)
            skipped_to = max(skipped_to, end)
        if token.at < skipped_to:
            continue
        if token.text == "{" and depth == 0 and _is_list(text, token.at):
            skipped_to = tokens[partner.get(index, index)].end
            continue
        depth += (token.text == "{") - (token.text == "}")
        if token.text in ("static", "enum", "case") and depth:
            skipped_to = min(at for at in (text.find(";", token.at), text.find(":", token.at)) if at >= 0)
        elif depth:
            yield index, False


def _is_list(text: str, at: int) -> bool:
    """Whether a brace at the outermost level opens a list of values or of an enum's names."""
    head = text[max(text.rfind(mark, 0, at) for mark in (";", "}", "#", "/")) + 1:at]
    return head.rstrip().endswith("=") or re.search(r"\benum\b", head) is not None and ")" not in head


def _starts_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1:at].strip()


def end_of_directive(text: str, at: int) -> int:
    """Where a line of the preprocessor's ends, with those that it goes on in."""
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


def constants_of(text: str) -> list[str]:
    """Names of macros, of variables that are none, and of an enum's, which stand for a plain number."""
    listed = (name for match in LISTED.finditer(text) for name in re.findall(r"(\w+)\s*=", match[1]))
    return [*(match[1] or match[2] for match in CONSTANT.finditer(text)), *listed]


def renamed_by_macros(text: str) -> dict[str, str]:
    """Names that macros stand for, by the names of these."""
    return dict(RENAMED.findall(text))


def outside_functions(text: str, tokens: list[Token]) -> str:
    """A source without what its functions do: its types and declarations."""
    parts, at = list[str](), 0
    for first, last in (body for body in functions(tokens) if tokens[body[0] - 1].text == ")"):
        parts.append(text[at:tokens[first].end])
        at = tokens[last].at
    return "".join((*parts, text[at:]))
