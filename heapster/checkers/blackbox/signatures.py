"""What functions take, as debug information or a header beside them says; and a draft of a description by it.

An allocator that takes an instance cannot be called as malloc is: it is recognised, and never guessed at.
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from heapster import children
from heapster.model.operations import OPERATIONS

MOST_FILES, MOST_TEXT = 64, 1 << 20         # beside the target, and bytes of each, that are looked through
LIMIT = 20                                  # seconds for readelf
INTEGER = re.compile(r"\b(?:s?size_t|u?int(?:\d+|ptr)?(?:_t)?|unsigned|signed|long|short|ptrdiff_t|bool|_Bool|char)\b")
EXPECTED = {verb: "".join("p" if "*" in kind else "i" for kind in row.parameters)
            for verb, row in OPERATIONS.items() if row.is_call}
OF_INSTANCES = re.compile(r"(?:^|_)(?:pool|arena|m?space|region|zone|tlsf|slab|instance|ctx|o1heap|heap)_$")
ALLOCATES = re.compile(r"(?:alloc|allocate|malloc|get|take|acquire)$", re.IGNORECASE)
KIN = re.compile(r"(?:c|z|re|aligned_?)alloc\w*$", re.IGNORECASE)      # taken for malloc where nothing else is
FREES = re.compile(r"(?:free|release|dealloc|deallocate|give|put|return)$", re.IGNORECASE)
STARTS = re.compile(r"(?:init|create|new|make|setup|open|create_with_pool)$", re.IGNORECASE)
OF_A_BLOCK = re.compile(r"(?:block|blk|elem|item|obj|slot|unit|chunk|cell)\w*?_?(?:size|sz|bytes|len)|stride"
                        r"|^(?:block|blk|elem|element|item|obj|object|slot|unit|chunk|cell)$", re.IGNORECASE)
HOW_MANY = re.compile(r"count|^n$|num|blocks$|items$|capacity", re.IGNORECASE)
ALIGNS = re.compile(r"align", re.IGNORECASE)
FLAGS = re.compile(r"flag|mode$|option", re.IGNORECASE)
OF_HEADERS = ("include", "inc", "includes")     # folders beside that of sources
DRAFT_BLOCK, DRAFT_ALIGNMENT = 64, 16       # bytes
DRAFT_REGION = 1 << 16                      # bytes, where what is told of it can hold so many
BITS = re.compile(r"(?<![a-z])int(\d+)_t")
ENTRY = re.compile(r"^ <(\d+)><([0-9a-f]+)>: .*\((DW_TAG_\w+)\)")
NAME = re.compile(r"DW_AT_name\s*: (?:\(.*?\): )?(.*?)\s*$")
COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
FUNCTION = re.compile(r"^[ \t]*((?:[\w*]+[\s*]+)+?)\**(\w+)\s*\([^(){};]*\)\s*[;{]", re.MULTILINE)
PLAIN_POINTERS = ("void *", "char *", "unsigned char *", "const void *")
KEYWORDS = frozenset({"if", "while", "for", "switch", "return", "sizeof"})
TYPE = re.compile(r"DW_AT_type\s*: (?:\(.*?\) )?<0x([0-9a-f]+)>")


class Parameter(NamedTuple):
    """One parameter."""

    text: str                   # its type in C
    kind: str                   # "i": an integer; "p": a pointer, or a handle of some other type
    name: str = ""              # if it is known


Prototype = tuple[Parameter, ...]


def prototypes(built: Path, beside: Path, names: Iterable[str]) -> dict[str, Prototype]:
    """What is known of the functions: from debug information, else from headers and sources in the folder."""
    wanted = frozenset(names)
    found = {name: made for name, made in _debugged(built).items() if name in wanted}
    return _written(beside, wanted - found.keys()) | found


def disagrees(verb: str, prototype: Prototype | None) -> bool:
    """Whether a function is not called as the verb is."""
    return prototype is not None and verb in EXPECTED and "".join(one.kind for one in prototype) != EXPECTED[verb]


def signature(name: str, prototype: Prototype) -> str:
    """As C writes it."""
    return f"{name}({', '.join(one.text for one in prototype) or 'void'})"


def draft(target: Path, names: Iterable[str], known: dict[str, Prototype]) -> str:
    """A description to be corrected, of as much as can be told from names and prototypes; paths are from here."""
    functions = sorted(names)
    takes, starts, frees = (_first(functions, kind) for kind in (ALLOCATES, STARTS, FREES))
    instance = next((one.text for one in known[takes][:1] if one.kind == "p"), "") if takes in known else "void *"
    is_ours = instance in (one.text for one in known.get(starts, ()))       # a place for it is given
    named = _from_here(target)
    lines = [f'sources = ["{named}"]' if target.suffix == ".c" else f'object = "{named}"']
    header = next((path for path in _headers_near(target.parent) if takes in path.read_text(errors="replace")), None)
    if header is not None:
        lines.append(f'headers = ["{_from_here(header)}"]')
        lines += [f'include = ["{_from_here(header.parent)}"]'] if header.parent != target.parent else []
    elif declared := list(_declarations(functions, known, "void *" if instance and not is_ours else "void")):
        lines.append(f"declare = [{', '.join(declared)}]")
    lines.append(f"region = {_region(known.get(starts, ()))}")
    if instance:
        lines.append(f'instance = "{instance.rstrip(" *") if is_ours else instance}"')
    handle = "&instance" if is_ours else "instance"
    if starts:
        lines.append(f'init = "{_start(starts, known.get(starts), instance if is_ours else "")}"')
    lines.append(f'malloc = "{_taking(takes or "FUNCTION", known.get(takes), handle)}"')
    lines.append(_giving(frees or "FUNCTION", known.get(frees), handle))
    lines += [f'realloc = "{_resizing(name, known[name], handle)}"' for name in functions
              if name.endswith("realloc") and [one.kind for one in known.get(name, ())].count("i") == 1][:1]
    return "".join(f"\n  {line}" for line in lines)


def _from_here(path: Path) -> str:
    """The path as a description has it that is saved here; of what lies elsewhere the name alone."""
    here, whole = Path.cwd(), path.resolve()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else path.name


def _headers_near(folder: Path) -> Iterator[Path]:
    """The headers in the folder, and in those where projects keep the headers of such a folder."""
    for near in (folder, *(folder / os.pardir / name for name in OF_HEADERS)):
        yield from _texts(near, ".h") if near.is_dir() else ()


def _declarations(functions: list[str], known: dict[str, Prototype], started: str) -> Iterator[str]:
    """What the adapter needs to know where no header says it, of functions whose types are C's own."""
    for kind, answers in ((STARTS, started), (ALLOCATES, "void *"), (FREES, "void")):
        name = _first(functions, kind)
        if name in known and all(one.kind == "i" or one.text.startswith(PLAIN_POINTERS) for one in known[name]):
            yield f'"{answers} {signature(name, known[name])}"'


def _first(functions: list[str], kind: re.Pattern[str]) -> str:
    """The first of that kind; malloc itself before its kin."""
    return min((name for name in functions if kind.search(name)), key=lambda name: bool(KIN.search(name)), default="")


def _start(name: str, prototype: Prototype | None, own: str) -> str:
    """The call that starts a pool, with what each parameter is likely to be; `own` is the type of what it fills.

    One number says how many bytes the region has: the next that could is how many a block has.
    """
    words = ["region", "region_size"] if prototype is None else [
        _number(one, "region_size") if one.kind == "i" else "&instance" if one.text == own else "region"
        for one in prototype]
    sizes = [place for place, word in enumerate(words) if word == "region_size"]
    for place in sizes[1:]:
        words[place] = str(DRAFT_BLOCK)
    return f"{name}({', '.join(words)})"


def _taking(name: str, prototype: Prototype | None, handle: str) -> str:
    """The call that takes memory; of a pool that is not told how much, blocks of the size that it was started with."""
    words = [handle, "size"] if prototype is None else [
        _number(one, "size") if one.kind == "i" else handle for one in prototype]
    call = f"{name}({', '.join(words)})"
    if prototype is None or "size" in words:
        return _guarded(call, [one for one, word in zip(prototype or (), words, strict=False) if word == "size"])
    return f"size <= {DRAFT_BLOCK} ? {call} : NULL"


def _resizing(name: str, prototype: Prototype, handle: str) -> str:
    """The call that makes a block larger or smaller."""
    return _guarded(f"{name}({', '.join(_words(prototype, handle, 'size'))})", prototype)


def _guarded(call: str, told: Iterable[Parameter]) -> str:
    """The call, for sizes alone that what it is told can hold: that C cuts a larger one is no fault of the pool."""
    limits = [limit for one in told if (limit := _largest(one))]
    return f"size <= {min(limits)} ? {call} : NULL" if limits else call


def _largest(parameter: Parameter) -> int:
    """The largest number that one can hold whose type is an integer narrower than size_t; 0 of any other."""
    kind = parameter.text if parameter.kind == "i" else ""
    words, exact = frozenset(re.findall(r"\w+", kind)), BITS.search(kind.replace("u", ""))
    bits = (int(exact[1]) if exact else 0 if "long" in words else 8 if "char" in words else 16 if "short" in words
            else 32 if words & {"int", "unsigned", "signed"} else 0)
    is_unsigned = "unsigned" in words or bool(re.search(r"\buint", kind))
    return (1 << bits - (not is_unsigned)) - 1 if 0 < bits < 64 else 0


def _region(starts: Prototype) -> int:
    """Bytes of a region that each integer can hold which a pool is started with."""
    limits = [limit for one in starts if (limit := _largest(one))]
    size = DRAFT_REGION
    while limits and size > min(limits):
        size //= 2
    return size


def _number(parameter: Parameter, usual: str) -> str:
    """What an integer is likely to be, by its name."""
    if FLAGS.search(parameter.name):
        return "0"
    if usual == "region_size" and OF_A_BLOCK.search(parameter.name):
        return str(DRAFT_BLOCK)
    if usual == "region_size" and HOW_MANY.search(parameter.name):
        return f"region_size / {2 * DRAFT_BLOCK}"
    return str(DRAFT_ALIGNMENT) if ALIGNS.search(parameter.name) else usual


def _giving(name: str, prototype: Prototype | None, handle: str) -> str:
    """The line of the call that gives a block back, its last pointer; as a comment if it wants to be told more."""
    words = [handle, "pointer"] if prototype is None else _words(prototype, handle, "...")
    call = f'free = "{name}({", ".join(words)})"'
    return f"# {call}: what ... is, an adapter must keep (--adapter)" if "..." in words else call


def _words(prototype: Prototype, handle: str, number: str) -> list[str]:
    """What the parameters of a call are that is given a block, which is its last pointer."""
    kinds = [one.kind for one in prototype]
    last = max((place for place, kind in enumerate(kinds) if kind == "p"), default=0)
    return [number if kind == "i" else "pointer" if place == last else handle for place, kind in enumerate(kinds)]


def declared(path: Path) -> list[str]:
    """The functions that a header declares, or a source defines for others, in order."""
    text = COMMENTS.sub(" ", path.read_text(errors="replace"))
    return [name for before, name in FUNCTION.findall(text)
            if not {"static", "typedef", "return", "else"} & set(before.split()) and name not in KEYWORDS]


def _texts(folder: Path, *suffixes: str) -> list[Path]:
    found = (path for path in sorted(folder.iterdir()) if path.suffix in suffixes and path.is_file()
             and path.stat().st_size <= MOST_TEXT)
    return [path for path, _ in zip(found, range(MOST_FILES), strict=False)]


def _written(folder: Path, names: frozenset[str]) -> dict[str, Prototype]:
    """The prototypes that headers and sources of a folder have of functions."""
    if not names or not folder.is_dir():
        return {}
    pattern = re.compile(rf"[\w*]\s+\**({'|'.join(map(re.escape, sorted(names)))})\s*\(([^(){{}};]*)\)\s*[;{{]")
    found: dict[str, Prototype] = {}
    for path in _texts(folder, ".h", ".c"):
        text = COMMENTS.sub(" ", path.read_text(errors="replace"))
        for match in pattern.finditer(text):
            if match[2].strip():            # f() says nothing of what it takes
                found.setdefault(match[1], parameters(match[2]))
    return found


def parameters(text: str) -> Prototype:
    """What stands between the parentheses of a declaration."""
    if text.strip() in ("", "void"):
        return ()
    return tuple(Parameter(_without_name(one), "i" if "*" not in one and INTEGER.search(one) else "p", _name_of(one))
                 for one in text.split(","))


def _without_name(text: str) -> str:
    words = " ".join(text.split())
    match = re.fullmatch(r"(.*[\s*])(\w+)", words)
    return match[1].strip() if match and not INTEGER.fullmatch(match[2]) else words


def _name_of(text: str) -> str:
    """What a parameter is called, if it is."""
    words = " ".join(text.split())
    return words[len(_without_name(words)):].strip()


def _debugged(path: Path) -> dict[str, Prototype]:
    """The prototypes in a shared object's debug information; none if it has none, or nobody can read it."""
    tool = shutil.which("readelf") or shutil.which("llvm-readelf")
    if tool is None or b".debug_info\0" not in path.read_bytes():
        return {}
    try:
        said = children.run([tool, "--debug-dump=info", path], capture_output=True, text=True, errors="replace",
                            timeout=LIMIT).stdout
    except children.TimeoutExpired:
        return {}
    entries = list(_entries(said.splitlines()))
    types = {entry.at: entry for entry in entries}
    found: dict[str, Prototype] = {}
    for number, entry in enumerate(entries):
        if entry.tag == "DW_TAG_subprogram" and entry.name:
            taken = [child for child in _children(entries, number) if child.tag == "DW_TAG_formal_parameter"]
            if taken or not any(child.tag == "DW_TAG_unspecified_parameters" for child in _children(entries, number)):
                found.setdefault(entry.name, tuple(
                    _of_type(types, child.type)._replace(name=child.name) for child in taken))
    return found


class _Entry(NamedTuple):
    depth: int
    at: str
    tag: str
    name: str = ""
    type: str = ""


def _entries(lines: Iterable[str]) -> Iterator[_Entry]:
    entry = None
    for line in lines:
        if start := ENTRY.match(line):
            if entry:
                yield entry
            entry = _Entry(int(start[1]), start[2], start[3])
        elif entry and (name := NAME.search(line)):
            entry = entry._replace(name=name[1])
        elif entry and (kind := TYPE.search(line)):
            entry = entry._replace(type=kind[1])
    if entry:
        yield entry


def _children(entries: list[_Entry], parent: int) -> Iterator[_Entry]:
    for entry in entries[parent + 1:]:
        if entry.depth <= entries[parent].depth:
            return
        if entry.depth == entries[parent].depth + 1:
            yield entry


def _of_type(types: dict[str, _Entry], at: str) -> Parameter:
    """A parameter by the type that it has: its name is the first that is met on the way to what it is."""
    entry, name, stars = types.get(at), "", ""
    kind = "p"
    while entry is not None:
        if entry.tag == "DW_TAG_pointer_type" and not name:
            stars += "*"
        elif not name:
            name = ("struct " if entry.tag == "DW_TAG_structure_type" else "") + entry.name if entry.name else ""
        if entry.tag in ("DW_TAG_base_type", "DW_TAG_enumeration_type") and not stars:
            kind = "i"
        if entry.tag == "DW_TAG_pointer_type" and name:
            break                           # a name for a pointer
        entry = types.get(entry.type)
    return Parameter(f"{name or 'void'} {stars}".strip(), kind)
