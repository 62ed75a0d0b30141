"""The library's functions in LLVM's language, each beside the function of `impl` that it was made of."""

import ast
import importlib
import pkgutil
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import FunctionType
from typing import Any, NamedTuple

from heapster.checkers.proofs.compiled.llvm_reading import LookedUp
from heapster.checkers.proofs.compiled.llvm_text import CodeParameter, CompiledFunction, functions_in, tables_in
from heapster.checkers.proofs.compiled.source_reading import name_of, tree_of, words_of
from heapster.checkers.targets.source import Source
from heapster.impl import layout
from heapster.machine.lowering import LARGE, lowering
from heapster.native.entries import ENTRIES, PREFIX

ENDING = re.compile(r"(\.direct|\.whole|\.\d+)+$")
OPERATION = "machine_"


class Subject(NamedTuple):
    """A function of the library, and of the source."""

    code: CompiledFunction
    function: Any
    names: tuple[str, ...]          # of what the source is given besides the machine
    given: Mapping[int, CodeParameter]  # by the place among these names; what is always the same is not given
    constants: Mapping[int, int]    # what is always the same


class CompiledLibrary:
    """The text of the library, taken apart, and the source that it was made of, as it was read for that."""

    def __init__(self, text: str, tables: Mapping[str, range], source: Source) -> None:
        self._package = source.api.__name__.rpartition(".")[0]
        self.codes = functions_in(text)
        self.tables = tables_in(text)
        self.objects = {"heapster_statics": layout.STATICS_BYTES, "heapster_thread": layout.THREAD_BYTES}
        large = LARGE if source.has_spans else ""
        lowered = functions_in(lowering(layout.STATICS_BYTES, layout.THREAD_BYTES, large=large))
        self.operations = {name.removeprefix(OPERATION): code for name, code in lowered.items()}
        self._numbers = tables

    @cached_property
    def around(self) -> LookedUp:
        """What code may look up."""
        return LookedUp(self.tables, {name: code.bounds for name, code in self.codes.items() if code.bounds})

    @cached_property
    def functions(self) -> dict[str, FunctionType]:
        """The functions of `impl`, module.function."""
        places = sys.modules[self._package].__path__
        modules = [importlib.import_module(info.name) for info in pkgutil.iter_modules(places, f"{self._package}.")]
        return {name_of(value): value for module in modules for value in vars(module).values()
                if isinstance(value, FunctionType) and value.__module__ == module.__name__}

    @cached_property
    def tabled(self) -> dict[str, tuple[bytes, int]]:
        """The tables that stand for functions, and their first numbers; by the functions' names."""
        found = {}
        for name, numbers in self._numbers.items():
            entries = bytes(self.functions[name](each) for each in numbers)
            if entries in self.tables.values():
                found[name] = entries, numbers.start
        return found

    @cached_property
    def subjects(self) -> dict[str, Subject]:
        """The functions that callers meet: those that were left ones, by the names of the source."""
        return {ENDING.sub("", name): self._subject(code, self.functions[ENDING.sub("", name)])
                for name, code in self.codes.items() if not name.startswith(PREFIX)}

    @cached_property
    def entries(self) -> dict[str, Subject]:
        """The functions that C calls, by the names that it has for them."""
        return {name: self._subject(code, self._entered(ENTRIES[name.removeprefix(PREFIX)].function))
                for name, code in self.codes.items() if name.startswith(PREFIX)}

    def _entered(self, function: Any) -> Any:
        """The function of this source that C calls, as the one that ships without spans says."""
        return self.functions.get(name_of(function), function)

    def all(self) -> Iterator[Subject]:
        """Every function of the library."""
        yield from self.entries.values()
        yield from self.subjects.values()

    def of(self, name: str) -> Subject:
        """The function of that name in the library."""
        return next(subject for subject in self.all() if subject.code.name == name)

    def _subject(self, code: CompiledFunction, function: Any) -> Subject:
        names = words_of(function)
        given = {}
        for place, parameter in enumerate(each for each in code.parameters if each.type != "ptr"):
            given[self._place(code, parameter, place, names)] = parameter
        missing = [place for place in range(len(names)) if place not in given]
        constants = {place: value for place in missing if (value := self._constant(function, place)) is not None}
        return Subject(code, function, names, given, constants)

    @staticmethod
    def _place(code: CompiledFunction, parameter: CodeParameter, place: int, names: tuple[str, ...]) -> int:
        """Which of the names it is: it has the name itself, or its number after the machine, or is the next."""
        if parameter.name.startswith("arg."):
            return names.index(parameter.name.removeprefix("arg."))
        numbered = re.fullmatch(r"a(\d+)", parameter.name)
        return int(numbered[1]) - 1 if numbered and not code.name.startswith(PREFIX) else place

    def _constant(self, function: FunctionType, place: int, seen: frozenset[Any] = frozenset()) -> int | None:
        """What every call gives there, if it is one constant; it may be passed on from caller to caller."""
        if (function, place) in seen or function in self._called_from_c:
            return None
        found = set[int | None]()
        for caller, argument in self._given_to[function, place]:
            names = words_of(caller)
            if isinstance(argument, ast.Name) and argument.id in names and not _is_set(argument.id, caller):
                found.add(self._constant(caller, names.index(argument.id), seen | {(function, place)}))
            else:
                found.add(_number(argument, caller))
        return found.pop() if len(found) == 1 else None

    @cached_property
    def _called_from_c(self) -> set[Any]:
        return {self._entered(entry.function) for entry in ENTRIES.values()}

    @cached_property
    def _given_to(self) -> dict[tuple[Any, int], list[tuple[FunctionType, ast.expr]]]:
        """Of each function and place: who gives it what."""
        found: dict[tuple[Any, int], list[tuple[FunctionType, ast.expr]]] = defaultdict(list)
        for caller in self.functions.values():
            for node in ast.walk(tree_of(caller)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and isinstance(
                        caller.__globals__.get(node.func.id), FunctionType):
                    callee = caller.__globals__.get(node.func.id)
                    for place, argument in enumerate(reversed(node.args)):
                        found[callee, len(words_of(callee)) - 1 - place].append((caller, argument))
        return found


def _is_set(name: str, function: FunctionType) -> bool:
    """Whether the function gives one of its names another value."""
    return any(isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
               for node in ast.walk(tree_of(function)))


def _number(node: ast.expr, caller: FunctionType) -> int | None:
    try:
        value = eval(compile(ast.Expression(node), "impl", "eval"), dict(caller.__globals__))  # noqa: S307  it is ours
    except NameError:
        return None
    return value if isinstance(value, int) else None
