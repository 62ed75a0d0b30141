"""`operations.h`: the table of operations for C, generated so that it is written down once."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from heapster.model.operations import CALLS, OPERATIONS, REQUESTS, ROWS, Does, Row
from heapster.native import cache

OPERATIONS_H = "operations.h"


def operations_folder() -> Path:
    """A folder with `operations.h`, for the compiler to look in."""
    text = operations_header()
    return cache.entry(f"operations-{cache.digest(text)}", lambda out: _write(out, text))


def _write(out: Path, text: str) -> None:
    (out / OPERATIONS_H).write_text(text)


def operations_header() -> str:
    """`operations.h`: the table of operations, for C."""
    calls = [OPERATIONS[verb] for verb in CALLS]
    kinds, alignments = ["", *dict.fromkeys(REQUESTS.values())], ("", "asked", "page")
    return "\n".join([
        "/* Generated from heapster/model/operations.py. */",
        "#ifndef HEAPSTER_OPERATIONS_H",
        "#define HEAPSTER_OPERATIONS_H",
        "#include <stdint.h>",
        *_enum("operation", [(_constant(row), row.number) for row in ROWS] + [("OPERATIONS", len(ROWS))]),
        *_enum("does", [(f"DOES_{flag.name}", flag.value) for flag in Does]),
        *_enum("requests", [(f"REQUESTS_{kind.upper() or 'NOTHING'}", n) for n, kind in enumerate(kinds)]),
        *_enum("aligns", [("ALIGNS_AS_ANY", 0), ("ALIGNS_AS_ASKED", 1), ("ALIGNS_TO_A_PAGE", 2)]),
        "/* What it does, how many numbers it takes, how they say what it asks for, how its block is aligned. */",
        "struct operation_row { uint8_t does, numbers, requests, aligns; };",
        "static const struct operation_row operation_rows[OPERATIONS] = {",
        *(f"    [{_constant(row)}] = {{{row.does.value}, {len(row.numbers)}, {kinds.index(row.requests)}, "
          f"{alignments.index(row.alignment)}}}," for row in ROWS),
        "};",
        *_macro("EACH_CALL(X)", [f"X({_constant(row)}, {row.name})" for row in calls]),
        *_macro("CALL_FIELDS", [f"{row.answers} (*{row.name})({', '.join(row.parameters)});" for row in calls]),
        "/* A case for each call, by what it answers: a block; an error number, and *out; a size; nothing. */",
        *_macro("CALL_CASES(BLOCK, ERROR, SIZE, NOTHING)", map(_case, calls)),
        "#endif",
        ""])


def _constant(row: Row) -> str:
    return f"OP_{row.name.upper()}"


def _case(row: Row) -> str:
    kind = "ERROR" if row.out else {"void *": "BLOCK", "size_t": "SIZE", "void": "NOTHING"}[row.answers]
    arguments = ["out"] * row.out + ["operand"] * row.operand + ["first", "second"][:len(row.numbers)]
    return f"case {_constant(row)}: {kind}({row.name}, ({', '.join(arguments)}))"


def _enum(name: str, values: list[tuple[str, int]]) -> Iterator[str]:
    yield f"enum {name} {{"
    yield from (f"    {constant} = {value}," for constant, value in values)
    yield "};"


def _macro(head: str, lines: Iterable[str]) -> Iterator[str]:
    yield " \\\n".join([f"#define {head}", *(f"    {line}" for line in lines)])
