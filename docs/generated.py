"""Pages of the reference that are made from what they describe: options, keys, codes, schema, the C header."""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from heapster.checkers.findings.codes import explanations
from heapster.cli import EXIT_CODES
from heapster.commands import COMMANDS
from heapster.config import ALL_KEYS
from heapster.extras import EXTRAS
from heapster.native.headers import public_header
from heapster.native.library import C_SOURCES, HEADER

DOCS = Path(__file__).parent
SCHEMA = DOCS.parent / "heapster" / "reports" / "run.schema.json"
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+((?:heapster|tests|\.github)/[^)]+)\)")     # to files of the checkout


def write(folder: Path) -> None:
    """Write the pages, but for those that say the same already."""
    pages = {"command-line": command_line(), "configuration": configuration(), "codes": codes(), "json": schema(),
             "c-api": c_api(), "installing": installing()}
    pages |= {f"commands/{name}": _command(f"heapster {name}", found(name), 1) for name in COMMANDS}
    for name, lines in pages.items():
        path, text = folder / f"{name}.md", "\n".join(lines).strip() + "\n"
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def readable(name: str, text: str) -> str:
    """A page as the site shows it: files of the checkout are named, not linked."""
    del name
    return OUTSIDE.sub(lambda link: f"`{link[2]}`" if link[1] in link[2] else f"{link[1]} (`{link[2]}`)", text)


def drawings(lines: list[str]) -> None:
    """Let what a docstring indents below an empty line be shown as it is, which is what it means."""
    for place in range(len(lines) - 1, 0, -1):
        before = next((line for line in reversed(lines[:place]) if line.strip()), "")
        if lines[place].startswith(" ") and not lines[place - 1].strip() and before and not before.startswith(" "):
            lines[place:place] = ["::", ""]


def found(name: str) -> click.Command:
    """A command, declared."""
    command = import_module(f"heapster.commands.usage.{name}").command
    assert isinstance(command, click.Command)
    return command


def command_line() -> Iterator[str]:
    """All commands and the exit codes."""
    yield from ("# The command line", "", "| command | what for |", "|---|---|")
    yield from (f"| [heapster {name}](commands/{name}.md) | {_cell(about)} |" for name, about in COMMANDS.items())
    yield from ("", "| exit code | meaning |", "|--:|---|")
    yield from (f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())
    yield from ("", "```{toctree}", ":hidden:", "", *(f"commands/{name}" for name in COMMANDS), "```")


def _command(name: str, command: click.Command, level: int) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    yield from ("", f"{'#' * level} {name}", "", "```text", _usage(command, context), "```", "")
    yield from (_marked(command.help), "")
    options = [row for row in (one.get_help_record(context) for one in command.params) if row]
    if options:
        yield from ("| option | meaning |", "|---|---|")
        yield from (f"| `{_cell(flags)}` | {_cell(meaning)} |" for flags, meaning in options)
    if command.epilog:
        yield from ("", _marked(command.epilog))
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            part = command.get_command(context, inner)
            assert part is not None
            yield from _command(f"{name} {inner}", part, level + 1)


def _usage(command: click.Command, context: click.Context) -> str:
    return command.get_usage(context).removeprefix("Usage: ")


def _marked(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").replace("<", "&lt;").split("\n\n"))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def configuration() -> Iterator[str]:
    """Every key, with its option and its variable."""
    yield from (
        "# Configuration", "",
        "Settings stand in `[tool.heapster]` of `pyproject.toml`, or in `heapster.toml`. The command line wins over",
        "variables, these over the file. A table named after a command holds for that command alone:", "",
        "```toml", "[tool.heapster]", "seconds = 20", "", "[tool.heapster.fuzz]", "seed = 1", "",
        "[tool.heapster.target]         # all that is to be known of a stranger's allocator",
        'path = "./libmine.so"',
        'prefix = "my_"', "alignment = 8", "```", "", "| key | variable | value | meaning |", "|---|---|---|---|")
    yield from (f"| `{key.name}` | `{key.variable}` | `{_cell(key.kind)}` | {_cell(key.meaning)} |" for key in ALL_KEYS)


def codes() -> Iterator[str]:
    """Every code of a finding, under an anchor of its name."""
    yield from ("# Codes", "", "What `heapster explain CODE` prints, for each kind of finding.")
    for one in explanations().values():
        yield from ("", f"(code-{one.code})=", "", f"## {one.code}", "", _marked(one.means), "",
                    f"- How it arises: {_marked(one.arises)}", f"- What to look at: {_marked(one.look_at)}")
        if one.source:
            yield f"- The rule: {_marked(one.source)}"


def installing() -> Iterator[str]:
    """What there is to install: text of a file, with the table of extras in it."""
    rows = ["| extra | brings | needed for |", "|---|---|---|"]
    rows += [f"| `{name}` | {', '.join(part.modules)} | {_cell(part.needed_for)} |" for name, part in EXTRAS.items()]
    for line in (DOCS / "installing.txt").read_text().splitlines():
        yield from rows if line == "EXTRAS" else [line]


def schema() -> Iterator[str]:
    """What `--json` writes, from its schema."""
    whole = json.loads(SCHEMA.read_text())
    yield from ("# The JSON of a run", "", "What `--json FILE` writes. Keys may be added; none changes.", "")
    yield from _properties(whole)
    for name, part in whole.get("$defs", {}).items():
        yield from ("", f"## {name}", "", _marked(part.get("description")), "")
        yield from _properties(part)
    yield from ("", "## The schema", "", "```json", json.dumps(whole, indent=2), "```")


def _properties(part: dict[str, Any]) -> Iterator[str]:
    if part.get("properties"):
        yield from ("| key | type | meaning |", "|---|---|---|")
        for name, said in part["properties"].items():
            yield f"| `{name}` | {_type(said)} | {_cell(said.get('description', ''))} |"


def _type(said: dict[str, Any]) -> str:
    kind = said.get("type") or said.get("$ref", "").rpartition("/")[2] or "any"
    return ", ".join(kind) if isinstance(kind, list) else str(kind)


def c_api() -> Iterator[str]:
    """The header of libheapster, and the variables that it reads."""
    yield from ("# The C interface", "",
                "`heapster build` writes `libheapster.so`, `libheapster.a`, this header, and what pkg-config and CMake",
                "need. The library for LD_PRELOAD, which `heapster run` uses, defines malloc and its kin by name.", "",
                "## Variables", "", "| variable | value |", "|---|---|")
    text = (C_SOURCES / "process.c").read_text() + (C_SOURCES / "verify.c").read_text()
    found = dict(re.findall(r'read_number\("(HEAPSTER_\w+)", [^"]*"([^"]+)"', text))
    rows = {"HEAPSTER_POLICY": "a placement policy",
            "HEAPSTER_STATS_FILE": "a file that figures are written to at exit", **found}
    yield from (f"| `{name}` | {_cell(meaning)} |" for name, meaning in sorted(rows.items()))
    yield from ("", "A value that cannot be used is told on stderr, and the usual one taken.", "", "## heapster.h", "",
                "```c", public_header((C_SOURCES / HEADER).read_text()).strip(), "```")
