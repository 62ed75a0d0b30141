"""Pools that are classes of C++: recognised in a header or a source, and a draft of how one is described."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from heapster.checkers.blackbox.signatures import ALLOCATES, COMMENTS, FREES, STARTS, Prototype, parameters
from heapster.checkers.targets.making import CPLUSPLUS

CLASS = re.compile(r"(?:template\s*<([^<>]*)>\s*)?\b(class|struct)\s+(\w+)(?:\s+final)?\s*(?::[^{;()]*)?\{")
NAMESPACE = re.compile(r"\bnamespace\s+([\w:]+)\s*\{")
ACCESS = re.compile(r"\b(public|private|protected)\s*:(?!:)")
METHOD = re.compile(r"(?<![\w~])(\w+)\s*\(([^()]*)\)\s*(?:const\b|noexcept\b|override\b|=\s*default\b|\s)*[;{:]")
HEADERS = (".hpp", ".hh", ".hxx", ".h")
USUAL_NUMBER, USUAL_TYPE = "4096", "char"       # for what a template is of, to be corrected
FIXED = "size <= BLOCK_SIZE ? {} : NULL"


class PoolClass(NamedTuple):
    """A class that gives memory out and takes it back: its methods by name, all of them public."""

    name: str                   # with its namespaces and what it is a template of
    plain: str                  # without
    methods: dict[str, Prototype]

    def lines(self) -> Iterator[str]:
        """How it is described."""
        yield f'instance = "{self.name} *"'
        yield f'init = "{self._made()}"'
        gives, takes = _first(self.methods, ALLOCATES), _first(self.methods, FREES)
        call = f"instance->{_call(gives, self.methods[gives])}"
        yield f'malloc = "{call if self.methods[gives] else FIXED.format(call)}"'
        yield f'free = "instance->{_call(takes, self.methods[takes])}"'

    def _made(self) -> str:
        made = f"new {_call(self.name, self.methods.get(self.plain, ()), 'region')}"
        starts = _first(self.methods, STARTS)
        return f"(instance = {made}, instance->{_call(starts, self.methods[starts], 'region')}, instance)" if starts \
            else made


def pools_of(path: Path) -> list[PoolClass]:
    """The classes in a file that have public methods to give memory out and to take it back."""
    text = COMMENTS.sub(" ", path.read_text(errors="replace"))
    spaces = [(match.end(), _closing(text, match.end()), match[1]) for match in NAMESPACE.finditer(text)]
    found = []
    for match in CLASS.finditer(text):
        body = text[match.end():_closing(text, match.end())]
        methods = {name: parameters(",".join(one for one in taken.split(",") if "=" not in one))
                   for name, taken in METHOD.findall(_public(body, is_open=match[2] == "struct"))}
        if _first(methods, ALLOCATES) and _first(methods, FREES):
            around = "".join(f"{name}::" for start, end, name in spaces if start <= match.start() < end)
            found.append(PoolClass(f"{around}{match[3]}{_template(match[1])}", match[3], methods))
    return found


def described(given: Path) -> list[str]:
    """A draft for the first such class of a header or a source, or of the header beside it; none if there is none."""
    beside = (given, *(given.with_suffix(suffix) for suffix in HEADERS))
    files = (path for path in beside if path.is_file())
    holder, pools = next(((path, found) for path in files if (found := pools_of(path))), (given, []))
    sources = [path.name for path in map(given.with_suffix, CPLUSPLUS) if path.is_file() and path != holder]
    return [*([f'sources = ["{sources[0]}"]'] if sources else []), f'headers = ["{holder.name}"]', "region = 65536",
            *pools[0].lines()] if pools else []


def _closing(text: str, start: int) -> int:
    """Where what was opened before `start` is closed."""
    depth = 1
    for at in range(start, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if not depth:
            return at
    return len(text)


def _public(body: str, *, is_open: bool) -> str:
    """What of a class's body others may use, without the bodies of its functions."""
    shallow, at = [], 0
    while (opens := body.find("{", at)) >= 0:
        shallow.append(body[at:opens + 1])
        at = _closing(body, opens + 1) + 1
    parts = ACCESS.split("".join(shallow) + body[at:])
    rights = ["public" if is_open else "private", *parts[1::2]]
    return " ".join(part for right, part in zip(rights, parts[::2], strict=True) if right == "public")


def _template(of: str | None) -> str:
    if of is None:
        return ""
    needed = [one for one in of.split(",") if "=" not in one]
    return f"<{', '.join(USUAL_TYPE if re.search(r'typename|class', one) else USUAL_NUMBER for one in needed)}>"


def _first(methods: dict[str, Prototype], kind: re.Pattern[str]) -> str:
    return next((name for name in methods if kind.search(name)), "")


def _call(name: str, takes: Prototype, memory: str = "pointer") -> str:
    size = "region_size" if memory == "region" else "size"
    return f"{name}({', '.join(size if one.kind == 'i' else memory for one in takes)})"
