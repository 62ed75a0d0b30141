"""Results go to stdout, warnings and progress to stderr; a reader that goes away changes no verdict.

What cannot be printed is warned of, and noted in `UNPRINTED`: a command that would exit with 0 then does not.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from io import StringIO
from textwrap import wrap
from typing import TextIO

from rich.console import Console
from rich.text import Text

from heapster.files import UNPRINTED
from heapster.wording import legible

COPIED = re.compile(r"(?<![`(])\bheapster \S")      # in lines with a command; one in a sentence stands in marks
WHOLE = (">", "for example:", "also ", "it ", "called from ")      # how lines begin that are told whole all the same
TAB = 4                         # columns of a tab in sources
MOST_INDENT = 2                 # of a sentence; what stands further in is a picture or a source

Line = tuple[str, str]          # text and style

STEP_ASIDE: list[Callable[[], AbstractContextManager[None]]] = []     # of bars that are shown: where results come, go


def say(lines: Iterable[Line]) -> None:
    """Print lines; in colour on a terminal that wants it, cut to its width."""
    buffer, columns = StringIO(), width()
    console = Console(file=buffer, force_terminal=columns > 0, highlight=False)
    for text, style in lines:
        for part in _fitted(legible(text).expandtabs(TAB), columns):
            console.print(Text(part, style), soft_wrap=True)
    write_out(buffer.getvalue())


def say_whole(text: str) -> None:
    """Print what is there to be saved: no line of it is cut or wrapped."""
    write_out(legible(text))


def width(stream: TextIO | None = None) -> int:
    """Columns of the terminal that the stream is, stdout if none is named; 0 if it is no terminal: no limit then."""
    stream = stream or sys.stdout
    return Console(file=stream).width if stream.isatty() else 0


def _fitted(text: str, columns: int) -> list[str]:
    """The text in so many columns: sentences are wrapped, pictures and sources cut, what is there to be copied is left.

    0 sets no limit.
    """
    if not columns or len(text) <= columns or COPIED.search(text):
        return [text]
    indent = len(text) - len(text.lstrip())
    is_cut = indent > MOST_INDENT and not text.lstrip().startswith(WHOLE)
    parts = [text] if is_cut else wrap(text, columns, subsequent_indent=" " * (indent + 4), break_long_words=False,
                                       break_on_hyphens=False)
    return [part if len(part) <= columns else part[:columns - 3] + "..." for part in parts]


def write_out(text: str) -> None:
    """Print text that is made already, once any bar has stepped aside."""
    try:
        with ExitStack() as aside:
            for step_aside in STEP_ASIDE:
                aside.enter_context(step_aside())
            sys.stdout.write(text)
            sys.stdout.flush()
    except BrokenPipeError:
        _write_no_more()
    except OSError as error:
        _write_no_more()
        UNPRINTED.append(error.strerror or str(error))
        warn(f"results cannot be printed: {UNPRINTED[-1]}")


def _write_no_more() -> None:
    """Let what is still to be printed go nowhere, also at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def warn(message: str) -> None:
    """One line on stderr; the run goes on."""
    note(f"heapster: warning: {' '.join(message.split())}")


def note(text: str) -> None:
    """A line on stderr, if anyone is there to read it."""
    with suppress(OSError):
        sys.stderr.write("\n".join([*_fitted(legible(text), width(sys.stderr)), ""]))
        sys.stderr.flush()
