"""The commands in the pages: `sh` blocks, each with a note above it that says in which folder its lines run.

`<!-- in: lab -->` is a folder of `tests/first_hour/folders.py`, `<!-- elsewhere -->` says that they do not run here.
"""

import re
import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"(?:<!-- (?:in: (?P<folder>\w+)|(?P<elsewhere>elsewhere)) -->\n)?```sh\n(?P<body>.*?)^```$",
                   re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(heapster [^`]+)`")
SECONDS = re.compile(r"--seconds \d+")


class Block(NamedTuple):
    """Lines that a reader types one after another."""

    page: str
    folder: str                 # that they run in; none if they cannot run here
    marked: bool
    lines: tuple[str, ...]


def pages() -> list[Path]:
    """Every page that somebody wrote."""
    return [page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts]


def blocks() -> Iterator[Block]:
    """The blocks of all pages."""
    for page in pages():
        for found in BLOCK.finditer(page.read_text()):
            lines = tuple(line.partition("  #")[0].rstrip() for line in found["body"].splitlines()
                          if line and not line.startswith("#"))
            yield Block(str(page.relative_to(DOCS)), found["folder"] or "",
                        bool(found["folder"] or found["elsewhere"]), lines)


def typed(line: str) -> Iterator[list[str]]:
    """The words of each command of ours in a line that a shell reads, also of one that it hands to another shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    for is_end, words in groupby(lexer, lambda word: word in {"&&", "||", ";", "|"}):
        command = [] if is_end else list(words)
        if command[:1] == ["heapster"]:
            yield command[1:]
        else:
            for word in command:
                yield from typed(word) if "heapster " in word else ()


def hurried(line: str) -> str:
    """The line, with no more than a second or two for whatever takes an amount of time."""
    return SECONDS.sub("--seconds 2", line)
