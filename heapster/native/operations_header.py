"""The table of operations for C, generated so that it is written down once.

`operations.h` is for all; `calls.h` and `words.h` are for the compiled library, whose functions take words.
"""

import ctypes
from pathlib import Path
from typing import Annotated, NamedTuple

from heapster.model.operations import CALLS, NUMBER, OPERATIONS, REQUESTS, ROWS, Does, OperationRow
from heapster.native import shared_structs
from heapster.native.entries import ENTRIES, PREFIX
from heapster.native.shared_structs import I32, U32, enum, header, macro, packing, structs

OPERATIONS_H = "operations.h"
HARNESS_FAULT = 70                  # exit status of a driver of ours that went wrong itself
DIRECT = ("malloc", "free")         # the core's functions are libc's, but for the name: no jump leads to them


class DriverOp(NamedTuple):
    """An operation of a trace, as every driver of ours reads it."""

    verb: U32                       # its number in the table
    result: I32                     # the handle that it defines
    operand: I32                    # the handle that it is given
    unused: U32
    numbers: Annotated[tuple[int, int], ctypes.c_uint64 * 2]


OP = packing(DriverOp)


def operations_folder() -> Path:
    """A folder with `operations.h`, for the compiler to look in."""
    return shared_structs.folder({OPERATIONS_H: operations_header()})


def operations_header() -> str:
    """`operations.h`: the table of operations, for C."""
    calls = [OPERATIONS[verb] for verb in CALLS]
    kinds, alignments = ["", *dict.fromkeys(REQUESTS.values())], ("", "asked", "page")
    return header(OPERATIONS_H, "heapster/model/operations.py", [
        *enum("", [("HARNESS_FAULT", HARNESS_FAULT)]),
        *structs({"op": DriverOp}),
        *enum("operation", [(_constant(row), row.number) for row in ROWS] + [("OPERATIONS", len(ROWS))]),
        *enum("does", [(f"DOES_{flag.name}", flag.value) for flag in Does]),
        *enum("requests", [(f"REQUESTS_{kind.upper() or 'NOTHING'}", n) for n, kind in enumerate(kinds)]),
        *enum("aligns", [("ALIGNS_AS_ANY", 0), ("ALIGNS_AS_ASKED", 1), ("ALIGNS_TO_A_PAGE", 2)]),
        "/* What it does, how many numbers it takes, how they say what it asks for, how its block is aligned; and the",
        "   number of what does the same where a library lacks it: else its own. */",
        "struct operation_row { uint8_t does, numbers, requests, aligns, instead; };",
        "static const struct operation_row operation_rows[OPERATIONS] = {",
        *(f"    [{_constant(row)}] = {{{row.does.value}, {len(row.numbers)}, {kinds.index(row.requests)}, "
          f"{alignments.index(row.alignment)}, {NUMBER[row.instead or row.name]}}}," for row in ROWS),
        "};",
        "/* Number, name here, and name in C, of each call. */",
        *macro("EACH_CALL(X)", [f"X({_constant(row)}, {row.name}, {row.symbol})" for row in calls]),
        *macro("CALL_FIELDS", [f"{row.answers} (*{row.name})({', '.join(row.parameters)});" for row in calls]),
        "/* A case for each call, by what it answers: a block; an error number, and *out; a size; nothing. */",
        *macro("CALL_CASES(BLOCK, ERROR, SIZE, NOTHING)", map(_case, calls))])


def words_header() -> str:
    """`words.h`: the compiled allocator's entry points, over words."""
    prototypes = [f"{'word' if entry.answers else 'void'} {PREFIX}{name}"
                  f"({', '.join(['word'] * entry.arity) or 'void'});" for name, entry in ENTRIES.items()]
    return header("words.h", "heapster/native/entries.py", [
        "#pragma GCC visibility push(hidden)",
        "typedef long word;",
        '_Static_assert(sizeof(word) == 8 && sizeof(void *) == 8, "a word holds an address");',
        *prototypes,
        "#pragma GCC visibility pop",
        *macro("EACH_ENTRY(X)", [f"X({name})" for name in ENTRIES])])


def calls_header() -> str:
    """`calls.h`: how C calls the compiled library, and with which words that calls the core.

    Of each call: the type that it answers, its name here and in C, its parameters, and the words of these.
    """
    calls = [OPERATIONS[verb] for verb in CALLS]
    return header("calls.h", "heapster/model/operations.py", [
        "#include <stddef.h>",
        *macro("DIRECT_CALLS(ANSWERS, NOTHING)", [_defined(row) for row in calls if row.name in DIRECT]),
        *macro("OTHER_CALLS(ANSWERS, NOTHING)", [_defined(row) for row in calls if row.name not in DIRECT])])


def _defined(row: OperationRow) -> str:
    words = ", ".join(f"(word){name}" for name in row.parameter_names)
    kind = "NOTHING(" if row.answers == "void" else f"ANSWERS({row.answers}, "
    return f"{kind}{row.name}, {row.symbol}, ({row.declared}), ({words}))"


def _constant(row: OperationRow) -> str:
    return f"OP_{row.name.upper()}"


def _case(row: OperationRow) -> str:
    kind = "ERROR" if row.out else {"void *": "BLOCK", "size_t": "SIZE", "void": "NOTHING"}[row.answers]
    arguments = ["out"] * row.out + ["operand"] * row.operand + ["first", "second"][:len(row.numbers)]
    return f"case {_constant(row)}: {kind}({row.name}, ({', '.join(arguments)}))"
