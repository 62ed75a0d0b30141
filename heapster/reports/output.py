"""Results go to stdout, warnings and progress to stderr; a reader that goes away changes no verdict."""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from io import StringIO

from rich.console import Console
from rich.text import Text

from heapster.wording import legible

COPIED = "heapster "            # in lines with a command

Line = tuple[str, str]          # text and style


def say(lines: Iterable[Line]) -> None:
    """Print lines; in colour on a terminal that wants it, cut to its width."""
    on_terminal = sys.stdout.isatty()
    buffer = StringIO()
    console = Console(file=buffer, force_terminal=on_terminal, highlight=False)
    width = Console(file=sys.stdout).width if on_terminal else 0
    for text, style in lines:
        console.print(Text(_cut(legible(text), width), style), soft_wrap=True)
    _write(buffer.getvalue())


def _cut(text: str, width: int) -> str:
    """The text in so many columns, unless it is there to be copied; 0 sets no limit."""
    if not width or len(text) <= width or COPIED in text:
        return text
    return text[:width - 3] + "..."


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _write_no_more()
    except OSError as error:
        _write_no_more()
        warn(f"results cannot be printed: {error.strerror or error}")


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
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
