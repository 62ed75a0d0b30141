"""Which lines of a C target were run: compiled with counters (gcov's), which gcovr reads and makes pages of.

The counters of all cases add up in files, wherever a case ends: `c/counters.h`.
"""

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from heapster import children
from heapster.checkers.targets.instrumented import FOLDER
from heapster.checkers.targets.recompiling import Ingredients, NoInstrumentationError, Recompilation, link, objects, run
from heapster.extras import install
from heapster.files import read_json
from heapster.results import TargetError, UsageError

COUNTED = Recompilation(("-fPIC", "-g", "-O0", "-fno-builtin", "-fno-omit-frame-pointer", "-w", "--coverage",
                         "-fprofile-update=prefer-atomic"), "--coverage", "count the lines of", "with counters")
OURS = Recompilation(("-fPIC", "-O1", "-w"), "-r", "add counters to", "with counters")
WRAPPED = ("malloc", "calloc", "realloc", "free")
CLANG, GCC = b"llvm_gcov_init", b"__gcov_init"      # what an object calls that was compiled by either
LIMIT = 300                     # seconds that gcovr may take
PAGE, COBERTURA = "index.html", "coverage.xml"
COUNTS = ("line", "branch", "function")
OF_THE_SYSTEM = re.compile(r'^(# \d+ "[^\n]*"(?: [12])?) 3(?: 4)?$', re.MULTILINE)     # a line marker
HOW = ("--exclude-throw-branches", "--exclude-unreachable-branches", "--merge-mode-functions=merge-use-line-max")
MISSING = f"--coverage needs gcovr: {install('coverage')}"


class Unreached(NamedTuple):
    """Lines after each other that were never run, of one function."""

    file: str
    first: int
    last: int
    function: str

    def __str__(self) -> str:
        lines = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{lines} ({self.function})" if self.function else lines


class Coverage(NamedTuple):
    """The covered lines, branches and functions of a target's sources."""

    lines: tuple[int, int]              # run, and all that could be
    branches: tuple[int, int]
    functions: tuple[int, int]
    unreached: tuple[Unreached, ...]


class Counting:
    """A target compiled with counters into `made`, in a folder that has them; pages of `sources` go to another.

    Raises UsageError where gcovr or the folder of the pages is missing, NoInstrumentationError where the compiler
    cannot.
    """

    def __init__(self, ingredients: Ingredients, sources: Sequence[str], folder: Path, pages: Path,
                 more: Sequence[str] = ()) -> None:
        whole = tuple(str(Path(source).resolve()) for source in ingredients.sources)
        self._ingredients, self._folder, self._pages = ingredients._replace(sources=whole), folder, pages
        self._sources = [Path(source).resolve() for source in sources]
        self.made = folder / "counted.so"
        check_pages(pages)
        self._compile(more)
        first = (folder / "0.o").read_bytes()
        self._is_clang = CLANG in first
        if not self._is_clang and GCC not in first:
            raise NoInstrumentationError(f"{ingredients.name} takes --coverage and counts nothing: "
                                         "gcc and clang do (--cc)")
        link(self._ingredients, folder, self.made, COUNTED, [self._teller()])

    def _compile(self, more: Sequence[str]) -> None:
        """Sources of C go through the preprocessor first, so that gcc has a function where it is defined.

        It has it at its declaration where that stands in a header of the system, as malloc's does.
        """
        own = self._ingredients
        if all(source.endswith(".c") for source in own.sources) and "++" not in own.name:
            with suppress(NoInstrumentationError):      # what is wrong with it is told of the source itself
                objects(own._replace(sources=tuple(self._preprocessed())), self._folder, COUNTED, more)
                return
        objects(own, self._folder, COUNTED, more)

    def _preprocessed(self) -> Iterator[str]:
        for number, source in enumerate(self._ingredients.sources):
            text = run(self._ingredients, [*self._ingredients.flags, "-E", source], COUNTED)
            made = self._folder / f"{number}.i"
            made.write_text(OF_THE_SYSTEM.sub(r"\1", text))
            yield str(made)

    def _teller(self) -> str:
        """The object that tells the counters, and brings what else these need."""
        compiled, whole = self._folder / "teller.o", self._folder / "whole.o"
        source = FOLDER / ("counters_clang.c" if self._is_clang else "counters_gcc.c")
        run(self._ingredients, [*OURS.flags, "-x", "c", "-c", str(source), "-o", str(compiled)], OURS)
        if self._is_clang:
            return str(compiled)
        library = run(self._ingredients, ["-print-file-name=libgcov.a"], OURS).strip()
        run(self._ingredients, ["-r", "-nostdlib", str(compiled), "-Wl,--whole-archive", library,
                                "-Wl,--no-whole-archive", *(f"-Wl,--wrap={name}" for name in WRAPPED),
                                "-o", str(whole)], OURS)
        return str(whole)

    def read(self) -> Coverage:
        """The coverage so far; the pages and Cobertura's file are written. TargetError if that cannot be read."""
        told, summary = self._folder / "told.json", self._folder / "summary.json"
        names = ", ".join(source.name for source in self._sources)
        command: list[str | Path] = [
            sys.executable, "-m", "gcovr", "--root", os.path.commonpath([s.parent for s in self._sources]),
            "--gcov-executable", self._reader(), *_filters(self._sources), *HOW, "--json", told,
            "--json-summary", summary, "--cobertura", self._pages.resolve() / COBERTURA,
            "--html-details", self._pages.resolve() / PAGE, "--html-title", f"Lines of {names} that were run",
            self._folder]
        done = children.run(command, cwd=self._folder, capture_output=True, text=True, errors="replace", timeout=LIMIT)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise TargetError(f"gcovr cannot read the counters: {said[:300]}")
        return _coverage(read_json(summary), read_json(told)["files"])

    def _reader(self) -> str:
        """The program that reads the compiler's counters; TargetError if there is none."""
        asked = (run(self._ingredients, [word], COUNTED).strip() for word in ("-dumpmachine", "-dumpversion"))
        machine, version = asked
        if self._is_clang:
            printed = run(self._ingredients, ["-print-prog-name=llvm-cov"], COUNTED).strip()
            names = [printed, f"llvm-cov-{version.split('.')[0]}", "llvm-cov"]
        else:
            names = [f"{machine}-gcov-{version}", f"gcov-{version}", "gcov"]
        found = next(filter(None, map(shutil.which, names)), None)
        if found is None:
            raise TargetError(f"--coverage: {names[-1]}, which reads the counters of {self._ingredients.name}, "
                              f"is not on the PATH")
        return f"{found} gcov" if self._is_clang else found


def check_pages(pages: Path) -> None:
    """UsageError unless gcovr is here, and files can be written to the folder, which is made."""
    if importlib.util.find_spec("gcovr") is None:
        raise UsageError(MISSING)
    try:
        pages.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--coverage {pages}: {error.strerror}") from None
    if not os.access(pages, os.W_OK | os.X_OK):
        raise UsageError(f"--coverage {pages}: nothing can be written there")


def _filters(sources: Iterable[Path]) -> Iterator[str]:
    """What lies in the folders of the sources: headers have lines too."""
    for folder in sorted({source.parent for source in sources}):
        yield from ("--filter", re.escape(f"{folder}/"))


def _coverage(summary: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> Coverage:
    lines, branches, functions = ((summary[f"{what}_covered"], summary[f"{what}_total"]) for what in COUNTS)
    return Coverage(lines, branches, functions, tuple(gap for file in files for gap in _unreached(file)))


def _unreached(file: Mapping[str, Any]) -> Iterator[Unreached]:
    """Runs of lines of code that were never reached, each within one function."""
    starts = sorted((function["lineno"], function["name"]) for function in file["functions"])
    lines = sorted((line["line_number"], line["count"] > 0) for line in file["lines"]
                   if not line.get("gcovr/noncode") and not line.get("gcovr/excluded"))
    for (reached, function), run_of in groupby(lines, lambda line: (line[1], _function_at(starts, line[0]))):
        if not reached:
            numbers = [number for number, _ in run_of]
            yield Unreached(file["file"], numbers[0], numbers[-1], function)


def _function_at(starts: Sequence[tuple[int, str]], line: int) -> str:
    """The function that the line is in: the last that starts before it."""
    return next((name for start, name in reversed(starts) if start <= line), "")
