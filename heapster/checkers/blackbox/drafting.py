"""A description of a pool's functions, drafted for its author to correct: nothing is called with guessed arguments."""

import os
from pathlib import Path

from heapster.checkers.blackbox.classes import HEADERS, described
from heapster.checkers.blackbox.signatures import ALLOCATES, declared, draft, prototypes, signature
from heapster.checkers.blackbox.symbols import read_shared_object
from heapster.checkers.targets.making import SOURCES
from heapster.results import TargetError

OF_SOURCES = ("src", "source", "lib")     # folders beside that of headers
FEW = 12                        # functions that are listed


def drafted(given: Path) -> str:
    """The description as a file, from a header, a source or a shared object; TargetError if none allocates."""
    if not given.is_file():
        raise TargetError(f"{given} is a folder: name a header in it" if given.is_dir()
                          else f"{given}: No such file or directory")
    if given.suffix in (*HEADERS, *SOURCES) and (of_class := described(given)):
        return _file(given, [], of_class)
    if given.suffix in (*HEADERS, *SOURCES):
        names, made = declared(given), _made_of(given)
    else:
        names, made = sorted(read_shared_object(given).functions), given
    if not any(map(ALLOCATES.search, names)):
        raise TargetError(f"{given}: none of its functions has a name of one that allocates: "
                          f"{', '.join(names[:FEW]) or 'it declares none'}")
    known = prototypes(given, given.parent, names)
    body = (line.strip() for line in draft(made, names, known).splitlines() if line.strip())
    return _file(given, [signature(name, known[name]) for name in names[:FEW] if name in known], [*body])


def _file(given: Path, declared: list[str], body: list[str]) -> str:
    told = ["# What is declared:", *(f"#   {one}" for one in declared)] if declared else []
    return "\n".join([
        f"# A draft of how {given.name} is called: correct it, then `heapster fuzz` it.",
        "# The values are C expressions over region, region_size, instance, size and pointer.", *told, *body]) + "\n"


def _made_of(given: Path) -> Path:
    """The source beside a header, or the object that is to be named in its stead."""
    if given.suffix in SOURCES:
        return given
    folders = (given.parent, *(given.parent / os.pardir / name for name in OF_SOURCES))
    sources = (folder / f"{given.stem}{suffix}" for folder in folders for suffix in SOURCES)
    return next(filter(Path.is_file, sources), given.with_name(f"lib{given.stem}.so"))
