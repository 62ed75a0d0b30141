"""The functions of the library that is made here, with spans or without, each held against its source."""

from collections.abc import Sequence
from functools import cache

from heapster.checkers.proofs.compiled.library_text import CompiledLibrary, Subject
from heapster.checkers.proofs.compiled.source_reading import name_of
from heapster.checkers.proofs.compiled.validation import Validation, validated
from heapster.checkers.targets.source import with_spans, without_spans
from heapster.native.library import DEFAULTS, text
from heapster.results import UsageError
from heapster.suggest import instead_of


@cache
def this_library(*, spans: bool = DEFAULTS.spans) -> CompiledLibrary:
    """The library as it is made here."""
    from heapster.native.compile import TABLES  # noqa: PLC0415  loads llvmlite

    tables = {name_of(function): numbers(int(spans)) for function, numbers in TABLES.items()}
    return CompiledLibrary(text(spans=spans), tables, with_spans() if spans else without_spans())


def named(names: Sequence[str], *, spans: bool = DEFAULTS.spans) -> list[str]:
    """The functions of the library that have these names, the shortest first; all of them if there are no names.

    A name is that of a function of `impl`, of one of its files, or of a function of the library.
    """
    library = this_library(spans=spans)
    subjects = sorted(library.all(), key=_length)
    known = {subject.code.name: _names(subject) for subject in subjects}
    for name in names:
        every = {each for found in known.values() for each in found}
        if name not in every:
            said = "is compiled into those that call it" if name in library.functions else (
                f"is no function of the library, nor of impl: {instead_of(name, sorted(every))}")
            raise UsageError(f"{name} {said} (heapster prove --compiled --list)")
    return [name for name, found in known.items() if not names or found & set(names)]


def _length(subject: Subject) -> int:
    return sum(len(block) for block in subject.code.blocks.values())


def _names(subject: Subject) -> set[str]:
    of = name_of(subject.function)
    return {subject.code.name, of, of.partition(".")[0]}


def held(seconds: float, name: str, *, spans: bool = DEFAULTS.spans) -> Validation:
    """The function of that name, held against its source within so many seconds of processor time."""
    library = this_library(spans=spans)
    return validated(library, library.of(name), seconds)
