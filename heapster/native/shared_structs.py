"""Memory that Python and C share, described once: Python's types say it, and C's declarations are made of them.

A record that is only read is a named tuple whose annotations say how wide its fields are; one that is written too is
a `ctypes.Structure`.
"""

import ctypes
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from heapster.native import cache

U64 = Annotated[int, ctypes.c_uint64]
I64 = Annotated[int, ctypes.c_int64]
U32 = Annotated[int, ctypes.c_uint32]
I32 = Annotated[int, ctypes.c_int32]
U16 = Annotated[int, ctypes.c_uint16]
U8 = Annotated[int, ctypes.c_uint8]


class Scalar(NamedTuple):
    """A C type."""

    code: str                       # as `struct` has it
    name: str                       # as C has it


SCALARS: Mapping[Any, Scalar] = {
    ctypes.c_uint64: Scalar("Q", "uint64_t"), ctypes.c_int64: Scalar("q", "int64_t"),
    ctypes.c_uint32: Scalar("I", "uint32_t"), ctypes.c_int32: Scalar("i", "int32_t"),
    ctypes.c_uint16: Scalar("H", "uint16_t"), ctypes.c_uint8: Scalar("B", "uint8_t"),
    ctypes.c_char: Scalar("s", "char")}


def _fields(record: Any) -> Iterator[tuple[str, Any]]:
    """Names and ctypes of a record's fields."""
    if issubclass(record, ctypes.Structure):
        yield from record._fields_
        return
    for name, hint in get_type_hints(record, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            raise TypeError(f"{record.__name__}.{name}: nothing says how wide it is")
        yield name, get_args(hint)[1]


def structure(record: Any) -> type[ctypes.Structure]:
    """A record that is only read, as one that can be written and stand in another's arrays."""
    return type(record.__name__, (ctypes.Structure,), {"_fields_": list(_fields(record))})


def packing(record: Any) -> struct.Struct:
    """How the fields of a record lie in memory, one after the other; those of arrays one by one."""
    return struct.Struct("<" + "".join(_code(kind) for _, kind in _fields(record)))


def _code(kind: Any) -> str:
    scalar, dimensions = _taken_apart(kind)
    return "".join(map(str, dimensions)) + SCALARS[scalar].code


def _taken_apart(kind: Any) -> tuple[Any, list[int]]:
    """The type of an array's items, and how many there are, outermost first."""
    dimensions = []
    while issubclass(kind, ctypes.Array):
        dimensions.append(kind._length_)
        kind = kind._type_
    return kind, dimensions


def structs(records: Mapping[str, Any]) -> Iterator[str]:
    """C's declarations of records, by the names of their structs; each is as long as Python knows it to be."""
    names = {record: name for name, record in records.items()}
    for name, record in records.items():
        yield f"struct {name} {{"
        for field, kind in _fields(record):
            scalar, dimensions = _taken_apart(kind)
            said = SCALARS[scalar].name if scalar in SCALARS else f"struct {names[scalar]}"
            yield f"    {said} {field}{''.join(f'[{count}]' for count in dimensions)};"
        yield "};"
        size = ctypes.sizeof(record) if issubclass(record, ctypes.Structure) else packing(record).size
        yield f'_Static_assert(sizeof(struct {name}) == {size}, "Python knows its size");'


def enum(name: str, values: Iterable[tuple[str, int]]) -> Iterator[str]:
    """C's declaration of an enumeration; without a name, of constants."""
    yield f"enum {name} {{" if name else "enum {"
    yield from (f"    {constant} = {value}," for constant, value in values)
    yield "};"


def enum_of(name: str, members: type[IntEnum], named: Callable[[Any], str] = lambda member: str(member.name),
            ) -> Iterator[str]:
    """The same of Python's, with C's names of its members."""
    return enum(name, [(named(member), member.value) for member in members])


def macro(head: str, lines: Iterable[str]) -> Iterator[str]:
    """The definition of a macro of several lines."""
    yield " \\\n".join([f"#define {head}", *(f"    {line}" for line in lines)])


def header(name: str, source: str, lines: Iterable[str]) -> str:
    """The text of a header of that name, made of the Python file `source`."""
    guard = f"HEAPSTER_{name.upper().replace('.', '_')}"
    return "\n".join([f"/* Generated from {source}. */", f"#ifndef {guard}", f"#define {guard}", "#include <stdint.h>",
                      *lines, "#endif", ""])


def folder(headers: Mapping[str, str]) -> Path:
    """A folder with these headers, by their names, for the compiler to look in."""
    parts = [part for item in sorted(headers.items()) for part in item]
    return cache.entry(f"headers-{cache.digest(*parts)}", lambda out: _write(out, headers))


def _write(out: Path, headers: Mapping[str, str]) -> None:
    for name, text in headers.items():
        (out / name).write_text(text)
