"""One-line changes of C, made mechanically, and many copies of a source in one program."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

BENT = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
OTHER = {"+": "-", "-": "+", "*": "+", "/": "*", "%": "/", "<<": ">>", ">>": "<<",
         "&": "|", "|": "&",
         "|=": "=", "&=": "=", "++": "--", "+=": "-="}
TOKEN = re.compile(r"<<|>>|<=|>=|==|!=|&&|\|\||\|=|&=|\+=|-=|\+\+|--|->|[-+*/%<>&|!]|\b0x[0-9a-f]+u?\b|\b\d+u?\b"
                   r"|\b[A-Za-z_]\w*\b|\S")
UNARY_AFTER = frozenset("(,=<>+-*/%&|!?:{;") | {"return", "&&", "||", "==", "!=", "<=", ">=", "|=", "&=", "+=",
                                                   "void", "char", "int", "unsigned", "uint64_t", "uintptr_t"}
NOT_CODE = re.compile(r"/\*.*?\*/|\"[^\"\n]*\"|^#[^\n]*$", re.DOTALL | re.MULTILINE)


class CMutant(NamedTuple):
    """A C source with one change."""

    name: str               # line: what stands there -> what stands there now
    text: str


def c_mutants(text: str) -> Iterator[CMutant]:
    """Every change of the code of a source; comments, preprocessing and words stay."""
    bare = NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    seen: dict[str, int] = {}
    before = ""
    for word in TOKEN.finditer(bare):
        for new in _alternatives(word[0], before, bare, word):
            start = text.rfind("\n", 0, word.start()) + 1
            line = text[start:text.find("\n", word.start())].strip()
            name = f"{line}: {word[0]} -> {new or 'nothing'}"
            seen[name] = seen.get(name, 0) + 1
            yield CMutant(name if seen[name] == 1 else f"{name} ({seen[name]})",
                          text[:word.start()] + new + text[word.end():])
        before = word[0]


def _alternatives(word: str, before: str, bare: str, at: re.Match[str]) -> Iterator[str]:
    if bare.count("{", 0, at.start()) == bare.count("}", 0, at.start()):
        return                                      # not within a function
    if word in BENT:
        yield BENT[word]
    elif word in ("&&", "||"):
        yield "||" if word == "&&" else "&&"
    elif word == "!" or word in OTHER and (before not in UNARY_AFTER or word in ("|=", "&=", "++", "+=")):
        yield OTHER.get(word, "")
    elif re.fullmatch(r"\d+u?", word):
        number = int(word.rstrip("u"))
        yield str(number + 1)
        if number:
            yield str(number - 1)


def variants(sources: Iterable[str], names: Iterable[str]) -> str:
    """All the sources in one, each with names of its own for what it defines."""
    parts = []
    for number, source in enumerate(sources):
        parts += [*(f"#define {name} {name}_{number}" for name in names), source,
                  *(f"#undef {name}" for name in names)]
    return "\n".join(parts)
