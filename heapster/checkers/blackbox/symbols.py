"""What a shared object defines itself, from its own symbol table: never what a linker would add."""

import platform
import struct
from pathlib import Path
from typing import NamedTuple

from heapster.results import TargetError

MAGIC = b"\x7fELF"
ET_DYN, ET_REL, ET_EXEC = 3, 1, 2
EM_386, EM_X86_64, EM_AARCH64, EM_ARM = 3, 62, 183, 40
SHT_DYNSYM = 11
SHN_UNDEF = 0
STT_FUNC, STT_GNU_IFUNC = 2, 10
STB_LOCAL = 0
MACHINE_NAMES = {EM_386: "32-bit x86", EM_X86_64: "x86-64", EM_AARCH64: "aarch64", EM_ARM: "32-bit ARM"}
RUNS_HERE = {"x86_64": (EM_X86_64, EM_386), "aarch64": (EM_AARCH64,)}


class SharedObject(NamedTuple):
    """What its ELF header and its dynamic symbol table say."""

    bits: int
    functions: frozenset[str]       # that it defines and exports
    needs: frozenset[str]           # symbols it leaves to others


class _Layout(NamedTuple):
    """Where things stand in files of one class."""

    header: str
    section: str
    symbol: str
    value_first: bool               # 32-bit symbols have value and size before info


LAYOUTS = {1: _Layout("HHIIIIIHHHHHH", "IIIIIIIIII", "IIIBBH", True),
           2: _Layout("HHIQQQIHHHHHH", "IIQQQQIIQQ", "IBBHQQ", False)}


def read_shared_object(path: Path) -> SharedObject:
    """The symbols of a shared object, or TargetError saying why it cannot be one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}") from None
    if data[:4] != MAGIC:
        raise TargetError(f"{path} is not a shared object ({_what(data)})")
    try:
        return _read(path, data)
    except (struct.error, IndexError, UnicodeDecodeError, KeyError):
        raise TargetError(f"{path} is a damaged shared object: its tables do not lie within it") from None


def _what(data: bytes) -> str:
    if not data:
        return "it is empty"
    if data[:8] == b"!<arch>\n":
        return "it is a static library: link it with cc -shared -Wl,--whole-archive"
    if data[:2] == b"#!":
        return "it is a script"
    return "it does not start as one"


def _read(path: Path, data: bytes) -> SharedObject:
    layout, end = LAYOUTS[data[4]], {1: "<", 2: ">"}[data[5]]
    kind, machine, _, _, _, sections_at, _, _, _, _, size, count, _ = struct.unpack_from(end + layout.header, data, 16)
    _check_kind(path, kind, machine)
    sections = [struct.unpack_from(end + layout.section, data, sections_at + i * size) for i in range(count)]
    functions, needs = set(), set()
    for section in sections:
        if section[1] == SHT_DYNSYM:
            names = data[sections[section[6]][4]:][:sections[section[6]][5]]
            for name, defined, function in _symbols(data, section, names, layout, end):
                if not defined:
                    needs.add(name)
                elif function:
                    functions.add(name)
    return SharedObject(32 if data[4] == 1 else 64, frozenset(functions), frozenset(needs))


def _check_kind(path: Path, kind: int, machine: int) -> None:
    if machine not in RUNS_HERE.get(platform.machine(), (machine,)):
        raise TargetError(f"{path} is made for {MACHINE_NAMES.get(machine, f'machine {machine}')}, "
                          f"this machine is {platform.machine()}")
    if kind == ET_REL:
        raise TargetError(f"{path} is an object file, not a shared object: link it with cc -shared -fPIC")
    if kind != ET_DYN:
        raise TargetError(f"{path} is an executable or a core file, not a shared object")


def _symbols(data: bytes, section: tuple[int, ...], names: bytes, layout: _Layout,
             end: str) -> list[tuple[str, bool, bool]]:
    """Name, whether it is defined here, whether it is a function; of each global symbol."""
    found = []
    size = struct.calcsize(end + layout.symbol)
    for at in range(section[4], section[4] + section[5], size):
        fields = struct.unpack_from(end + layout.symbol, data, at)
        info, index = (fields[3], fields[5]) if layout.value_first else (fields[1], fields[3])
        if info >> 4 != STB_LOCAL:
            name = names[fields[0]:names.index(b"\0", fields[0])].decode()
            found.append((name, index != SHN_UNDEF, info & 15 in (STT_FUNC, STT_GNU_IFUNC)))
    return found
