"""Every command in the pages is one: it is read by the command line, and, with the mark `docs`, run."""

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from heapster.cli import EXIT_CODES
from heapster.commands import COMMANDS
from tests.docs.commands import INLINE, Block, blocks, hurried, pages, typed
from tests.first_hour.folders import FOLDERS

NO_ANSWER = {2, 4, 5, 70}               # of the exit codes: a command that was run for nothing


def read(words: list[str]) -> None:
    """Let the command line read the words, and do nothing; a ClickException says what is wrong."""
    command: click.Command = import_module(f"heapster.commands.usage.{words[0]}").command
    while isinstance(command, click.Group) and len(words) > 1:
        found = command.get_command(click.Context(command), words[1])
        assert found is not None, words
        command, words = found, words[1:]
    command.make_context(words[0], words[1:])


@pytest.mark.parametrize("block", [*blocks()], ids=lambda block: block.page)
def test_a_block_says_where_it_runs_and_its_commands_can_be_read(block: Block) -> None:
    assert block.marked
    assert block.folder in {"", *FOLDERS}
    for line in block.lines:
        for words in typed(line):
            read(words)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_a_command_in_a_sentence_is_one_of_ours(page: Path) -> None:
    for line in INLINE.findall(page.read_text()):
        assert line.split()[1].rstrip(",;") in {*COMMANDS, "COMMAND"} or line.split()[1].startswith("-"), line


def test_a_command_that_is_none_is_noticed() -> None:
    with pytest.raises(click.ClickException):
        read(["fuzz", "mm.c", "--secnods", "3"])


def stories() -> dict[tuple[str, str], list[str]]:
    """What a reader of a page types in a folder, from its first block to its last."""
    found: dict[tuple[str, str], list[str]] = {}
    for block in blocks():
        if block.folder:
            found.setdefault((block.page, block.folder), []).extend(block.lines)
    return found


@pytest.mark.docs
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("page", "folder"), list(stories()))
def test_the_commands_of_a_page_do_what_they_say(page: str, folder: str, empty_folder: Path) -> None:
    """In the folder that the page is about, with little time each; none is refused, none fails to answer."""
    FOLDERS[folder](empty_folder)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HEAPSTER_SECONDS": "2", "HEAPSTER_SEED": "1"}
    for line in stories()[page, folder]:
        done = subprocess.run(["sh", "-c", hurried(line)], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in EXIT_CODES.keys() - NO_ANSWER, f"{line}\n{done.stdout}\n{done.stderr}"
        assert not re.search(r"Traceback", done.stderr)
