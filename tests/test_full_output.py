"""A stdout that takes nothing, as on a full disk: one rule for every command.

It is told in one line, what was asked for in files is written, a verdict that is not good stays, and nothing exits
with 0.
"""

import ast
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import heapster
from heapster.commands import COMMANDS
from tests.processes import HEAPSTER

pytestmark = pytest.mark.usefixtures("empty_folder")
FULL = "No space left on device"
PACKAGE = Path(heapster.__file__).parent
TRACE = "a = malloc(40); free(a)"
LINES = {                       # commands that print at little cost, and their exit codes where it can be read
    "describe x.h": 0,
    "diff e.trace --policy best_fit": 0,
    "doctor": 0,
    "exhaust sim --calls 1 --sizes 24": 0,
    "explain crash": 0,
    "findings": 0,
    "fuzz sim --examples 1": 0,
    "prove --list": 0,
    "races sim --schedules 2": 0,
    "replay x.trace": 0,
    "replay two.trace --target one.c": 1,
    "score e.trace --targets libc": 0,
    "trace info e.trace": 0,
    "view x.trace": 0,
}


class Done(NamedTuple):
    """How a command ended that could not print."""

    code: int
    err: str


def full(*words: str) -> Done:
    """Run the command with its stdout on a full disk."""
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        done = subprocess.run([*HEAPSTER, *words], stdout=stream, stderr=subprocess.PIPE, text=True, check=False)
    return Done(done.returncode, done.stderr)


@pytest.fixture(autouse=True)
def folder(empty_folder: Path) -> None:
    Path("x.trace").write_text(TRACE)
    Path("e.trace").write_text("a = malloc(24)\nb = malloc(100)\nfree(a)\n")
    Path("two.trace").write_text("a = malloc(8); b = malloc(8)")
    Path("one.c").write_text("#include <stddef.h>\nstatic _Alignas(16) char block[64];\n"
                             "void *malloc(size_t size) { return size > 64 ? NULL : block; }\n"
                             "void free(void *pointer) { (void)pointer; }\n")
    Path("x.h").write_text("#include <stddef.h>\nvoid *x_alloc(size_t size);\nvoid x_free(void *block);\n")


@pytest.mark.parametrize("line", LINES)
def test_nothing_that_cannot_be_read_exits_with_0(line: str) -> None:
    done = full(*line.split())
    assert done.code == (LINES[line] or 2), done.err
    assert done.err.count(f"results cannot be printed: {FULL}") == 1, done.err


@pytest.mark.parametrize("line", ["--version", "--help", *(f"{name} --help" for name in COMMANDS)])
def test_help_that_cannot_be_read_is_told(line: str) -> None:
    assert full(*line.split()) == (2, f"heapster: {FULL}\n")


def test_files_are_written_all_the_same() -> None:
    assert full("fuzz", "sim", "--examples", "1", "--json", "r.json").code == 2
    assert json.loads(Path("r.json").read_text())["verdict"] == "passed"


def prints(text: str) -> Iterator[int]:
    """The lines that print by other means than those of reports/output."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            called, whole = ast.unparse(node.func), ast.unparse(node)
            if called in ("print", "sys.stdout.write") or whole.startswith("os.write(1,") or (
                    called == "click.echo" and "err=True" not in whole):
                yield node.lineno


@pytest.mark.parametrize("room", ["commands", "reports", "checkers"])
def test_every_command_prints_by_what_keeps_the_rule(room: str) -> None:
    own = {PACKAGE / "reports" / "output.py",
           *(PACKAGE / "checkers" / "mutation" / f"{name}.py" for name in ("first_failure", "first_refuted"))}
    wrong = [f"{path}:{line}" for path in (PACKAGE / room).rglob("*.py") if path not in own
             for line in prints(path.read_text())]
    assert wrong == []


@pytest.mark.parametrize("text", ["print(1)", "click.echo('a')", "sys.stdout.write('a')", "os.write(1, b'a')"])
def test_what_prints_by_other_means_is_noticed(text: str) -> None:
    assert list(prints(text)) == [1]
    assert not list(prints("click.echo('a', err=True)\nsay([('a', '')])\nos.write(2, b'')"))
