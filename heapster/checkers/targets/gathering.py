"""A folder of C sources without a build: each compiled for itself, and put together by what it defines and needs."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from ctypes import CDLL
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from heapster import children
from heapster.checkers.targets import sources as texts
from heapster.checkers.targets.lines import SYMBOL_TOOLS
from heapster.checkers.targets.making import CPLUSPLUS
from heapster.checkers.targets.recompiling import Ingredients, NoInstrumentationError, Recompilation, objects
from heapster.model.operations import CALLS, OPERATIONS
from heapster.results import TargetError

ALONE = Recompilation(("-fPIC", "-fno-builtin", "-w"), "-fno-builtin", "compile", "by itself")
KNOWN = ("malloc", "mm_malloc")         # before any other that ends so
KIN = frozenset(name for verb in CALLS for name in OPERATIONS[verb].symbols)
BROUGHT = ("_", ".", "mem_")            # how names start that are not a malloc to judge
MANY = 30                       # sources that take a while to compile
MOST_TOLD = 8                   # sources that are told of by name
UNDEFINED, SHARED = "Uwv", "WVu"        # kinds of symbols, as nm has them; what is inline is shared
MANGLED, OF_CPLUSPLUS = "_Z", "libstdc++.so.6"
LIBRARY = re.compile(r"-l|.*\.(?:a|o|so)$")        # a flag that brings definitions of its own
LINKED = re.compile(                    # what comes as a target is linked, or by the judge
    r"__|\.|_(?:ITM|GLOBAL|Unwind)_|_(?:DYNAMIC|end|edata|etext)$|(?:at_quick_ex|atex)it$|pthread_atfork$"
    r"|mem_(?:(?:de)?init|sbrk|reset_brk|heap_lo|heap_hi|heapsize|pagesize|memset|memcpy)$")


class SourcePart(NamedTuple):
    """A source, and the symbols that it defines for others, and needs of them."""

    source: Path
    defines: frozenset[str]
    owns: frozenset[str]        # of these, what nobody else may define
    needs: frozenset[str]


class Gathered(NamedTuple):
    """Sources that make an allocator together, and why the others do not."""

    sources: tuple[Path, ...]
    left_out: Mapping[Path, str]

    def words(self, folder: Path) -> str:
        """Which are taken and which are not, for people; nothing of one that lies alone."""
        made = some([str(path.relative_to(folder)) for path in self.sources])
        out = some([f"{path.relative_to(folder)} ({why})" for path, why in self.left_out.items()])
        return f"made of {made}{f'; left out: {out}' if out else ''}" if out or len(self.sources) > 1 else ""


def some(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = len(names) - MOST_TOLD
    return ", ".join(names[:MOST_TOLD]) + (f" and {more} more" if more > 0 else "")


def gathered(folder: Path, compiler: tuple[str, ...], flags: tuple[str, ...], named: Path | None = None) -> Gathered:
    """The sources in and below the folder that make its allocator, or the one that `named` is a part of.

    UsageError, with what to name instead, if none defines a malloc or several do.
    """
    sources, programs = texts.parts_below(folder)
    left_out = dict.fromkeys(programs, "it defines main")
    if len(sources) < 2 or named is not None and named not in sources:
        return Gathered((named or texts.the_one(folder, sources),), left_out)
    parts, broken = _compiled(sources, Ingredients(compiler, flags, ()))
    first = _first(folder, parts) if named is None else next((one for one in parts if one.source == named), None)
    if first is None:                       # what does not compile says why as it is tried alone
        return Gathered((texts.the_one(folder, [*filter(texts.defines_malloc, broken)], sources),), left_out)
    whole, without = _whole(parts, first)
    taken = [first]
    is_lab = texts.is_of_a_lab(first.source)
    for part in _in_turn(taken, whole, all_of_it=not is_lab):
        if why := _unfit(part, taken, is_lab=is_lab):
            left_out[part.source] = why
        else:
            taken.append(part)
    left_out |= without | broken
    _check(folder, taken, {path: why for path, why in left_out.items() if path not in programs}, flags)
    return Gathered(tuple(part.source for part in taken), left_out)


def fitting(folder: Path, sources: Sequence[Path], compiler: tuple[str, ...], flags: tuple[str, ...]) -> Gathered:
    """Those of a build's sources that compile, and what else in and below the folder defines what they need.

    TargetError if nothing does.
    """
    how = Ingredients(compiler, flags, ())
    taken, broken = _compiled(sources, how)
    if not taken:
        raise TargetError(next(iter(broken.values())))
    waiting = [path for path in texts.all_parts_below(folder) if path not in sources]
    while (wanted := lacking(taken)) and (seen := [path for path in waiting if _may_define(path, wanted)]):
        waiting = [path for path in waiting if path not in seen]
        for part in _compiled(seen, how)[0]:
            if part.defines & wanted and not _unfit(part, taken, is_lab=False):
                taken.append(part)
    _check(folder, taken, broken, flags)
    return Gathered(tuple(part.source for part in taken), broken)


def _may_define(source: Path, names: Iterable[str]) -> bool:
    """Whether the text of a source may define one of the symbols: what is mangled may stand in any of C++."""
    return any(name.startswith(MANGLED) and source.suffix in CPLUSPLUS or texts.defines(source, name) for name in names)


def _check(folder: Path, taken: Sequence[SourcePart], left_out: Mapping[Path, str], flags: tuple[str, ...]) -> None:
    """TargetError if they need what none of them has, nor a library that a flag names: what, and how to mend it."""
    missed = lacking(taken)
    if missed and not any(map(LIBRARY.match, flags)):
        name = min(missed)
        needing = next(part.source for part in taken if name in part.needs)
        why = next((f"; of {path.name}: {why}" for path, why in left_out.items()), "")
        raise TargetError(f"{needing} needs {name}, which nothing that fits with it in {folder} defines (--cflags "
                          f"tells of a library that does, as '-L. -lft'){why}")


def lacking(parts: Sequence[SourcePart]) -> frozenset[str]:
    """The symbols that these need together, and neither they nor the system or the judge have."""
    defined, needed = _symbols(parts)
    return frozenset(name for name in needed - defined if not is_known(name))


def _compiled(sources: Sequence[Path], how: Ingredients) -> tuple[list[SourcePart], dict[Path, str]]:
    """The sources that compile, and why the others do not."""
    parts, broken = [], {}
    if len(sources) >= MANY:
        sys.stderr.write(f"heapster: compiling {len(sources)} sources, to see which of them make the allocator; fewer "
                         "can be named\n")
    with TemporaryDirectory(prefix="heapster-") as folder:
        for source in sources:
            try:
                objects(how._replace(sources=(str(source),)), Path(folder), ALONE)
                parts.append(_part(source, Path(folder) / "0.o"))
            except NoInstrumentationError as error:
                broken[source] = str(error)
    return parts, broken


def _part(source: Path, compiled: Path) -> SourcePart:
    for tool in SYMBOL_TOOLS:
        try:
            said = children.run([tool, "-P", "-g", compiled], capture_output=True, text=True, errors="replace").stdout
        except OSError:
            continue
        kinds = dict(line.split(" ")[:2] for line in said.splitlines() if " " in line)
        needs = frozenset(name for name, kind in kinds.items() if kind in UNDEFINED)
        shared = frozenset(name for name, kind in kinds.items() if kind in SHARED)
        return SourcePart(source, frozenset(kinds) - needs, frozenset(kinds) - needs - shared, needs)
    raise TargetError(f"{SYMBOL_TOOLS[0]}, which tells what each source defines, is not on the PATH (binutils has it)")


def _first(folder: Path, parts: Sequence[SourcePart]) -> SourcePart | None:
    """The one that defines malloc, or mm_malloc, or what ends so; UsageError if several do; None if none does."""
    for is_meant in (*(lambda name, known=known: name == known for known in KNOWN),
                     lambda name: name.endswith("malloc") and not name.startswith(BROUGHT)):
        if found := [part for part in parts if any(map(is_meant, part.defines))]:
            texts.the_one(folder, [part.source for part in found])
            return found[0]
    return None


def _in_turn(taken: list[SourcePart], parts: Sequence[SourcePart], *, all_of_it: bool) -> Iterator[SourcePart]:
    """The other parts: at each moment first what those that are taken need, then their kin, then the rest."""
    waiting = [part for part in parts if part not in taken]
    while waiting:
        defined, needed = _symbols(taken)
        wanted = needed - defined
        turn = next((part for part in waiting if part.defines & wanted), None) or next(
            (part for part in waiting if all_of_it and part.defines & KIN), waiting[0])
        waiting.remove(turn)
        yield turn


def _symbols(taken: Sequence[SourcePart]) -> tuple[frozenset[str], frozenset[str]]:
    """All that they define, and all that they need."""
    return frozenset().union(*(part.defines for part in taken)), frozenset().union(*(part.needs for part in taken))


def _whole(parts: Sequence[SourcePart], first: SourcePart) -> tuple[list[SourcePart], dict[Path, str]]:
    """The parts that have all that they need, the first in any case, and what the others lack."""
    whole, without = [*parts], dict[Path, str]()
    while True:
        defined, _ = _symbols(whole)
        lack = {part.source: name for part in whole if part is not first
                for name in sorted(part.needs - defined, reverse=True) if not is_known(name)}
        if not lack:
            return whole, without
        whole = [part for part in whole if part.source not in lack]
        without |= {source: f"it needs {name}, which nothing here defines" for source, name in lack.items()}


def _unfit(part: SourcePart, taken: Sequence[SourcePart], *, is_lab: bool) -> str:
    """Why a part is left out; empty if it is not."""
    if part.source.stem == texts.OF_THE_JUDGE:
        return "the judge has its own"
    for other in taken:
        if twice := part.owns & other.owns:
            return f"it defines {min(twice)}, as {other.source.name} does"
    defined, needed = _symbols(taken)
    return "nothing uses it" if is_lab and not part.defines & (needed - defined) else ""


@cache
def is_known(name: str) -> bool:
    """Whether the system or the compiler has what is called so, or the judge."""
    if name.startswith(MANGLED):
        return any(hasattr(library, name) for library in _of_cplusplus())
    return LINKED.match(name) is not None or hasattr(CDLL(None), name)


@cache
def _of_cplusplus() -> tuple[CDLL, ...]:
    """The library of C++, where there is one."""
    with suppress(OSError):
        return (CDLL(OF_CPLUSPLUS),)
    return ()
