"""The pages of the tour, others with prompts, and their generated parts: below a prompt is what running it gives.

In a block marked `python`, `>>>` starts a statement; in one marked `console`, `$ heapster` a command, of
whose output `| head -N` leaves N lines. The Python of a page is one story: names stay. `python -m tests.tour`
writes the pages.
"""

import io
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from doctest import DocTestParser
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from heapster.cli import main

DOCS = Path(__file__).parents[1] / "docs"
TOUR = DOCS / "tour"
PROMPT = re.compile(r"^(?:>>> |\$ heapster )", re.MULTILINE)
FENCE = re.compile(r"^```(?P<kind>python|console)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
TIMES = re.compile(r"\b\d+\.\d+ s\b|  kept\b")     # of proofs, or that they were kept from before


def pages() -> list[Path]:
    """The pages of the tour, in order."""
    return sorted(TOUR.glob("*.md"))


def others() -> list[Path]:
    """The further pages of the site with prompts in them."""
    return [page for page in sorted(DOCS.rglob("*.md")) if page not in pages() and "_build" not in page.parts
            and PROMPT.search(page.read_text())]


def told(text: str) -> str:
    """The page with every generated part made anew."""
    names: dict[str, Any] = {"__name__": "tour"}
    kinds: dict[str, Callable[[str], Iterator[str]]] = {
        "python": lambda body: _python(body, names), "console": _console}
    return FENCE.sub(lambda m: f"```{m['kind']}\n{''.join(kinds[m['kind']](m['body']))}```", text)


def prompts(text: str) -> int:
    """How many statements and commands a page runs."""
    return sum(len(re.findall(r"^(?:>>> |\$ )", m["body"], re.MULTILINE)) for m in FENCE.finditer(text))


def _python(body: str, names: dict[str, Any]) -> Iterator[str]:
    for example in DocTestParser().get_examples(body):
        lines = example.source.splitlines()
        yield "".join(f"{'...' if i else '>>>'} {line}".rstrip() + "\n" for i, line in enumerate(lines))
        yield _output(partial(exec, compile(example.source, "tour", "single"), names))


def _console(body: str) -> Iterator[str]:
    for line in body.splitlines():
        if line.startswith("$ heapster "):
            yield f"{line}\n"
            command, _, most = line.partition(" | head -")
            output = _output(partial(main, shlex.split(command)[2:])).splitlines(keepends=True)
            yield TIMES.sub("... s", "".join(output[:int(most)] if most else output))


def _output(run: Callable[[], object]) -> str:
    """What it prints on stdout, 80 columns wide, or what it raises."""
    out = io.StringIO()
    with redirect_stdout(out), patch.dict(os.environ, COLUMNS="80", LINES="25"):
        try:
            run()
        except Exception as error:      # noqa: BLE001  the page shows it
            out.write(f"{type(error).__name__}: {error}")
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())


if __name__ == "__main__":
    for page in (*pages(), *others()):
        page.write_text(told(page.read_text()))
        sys.stdout.write(f"{page.name}\n")
