"""Numba as a compiler alone: it lowers functions to LLVM's language, and leaves out what would run them here.

As it comes, Numba links each function with all that it calls, compiles that for this process, makes wrappers that
Python can call, and times its own locks: more than half of the work, and nothing of it reaches our library. It looks
for array expressions to rewrite, of which there are none, and asks at each operator anew what words make of words.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

OPERATORS = "_operator"         # the module of Python's own operators
WITHOUT_WRAPPERS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}       # what makes a function callable here


def lower_only() -> None:
    """Let Numba lower what it is given, and do nothing else with it, in this process from now on."""
    from numba.core import codegen, cpu, event, typed_passes, untyped_passes, utils  # noqa: PLC0415  only who compiles
    from numba.core.typing.context import BaseContext  # noqa: PLC0415  loads them

    def get_executable(*_: Any) -> Callable[..., Any]:
        made: list[Any] = []
        return made.append              # never called; each another one, by which Numba looks functions up, built in

    def finalize(library: Any) -> None:
        library._finalized = True       # noqa: SLF001  Numba asks for it

    changed: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (cpu.CPUContext, "get_executable", get_executable),
        (codegen.CPUCodeLibrary, "finalize", finalize),
        (codegen.CPUCodeLibrary, "_optimize_functions", lambda *_: None),
        (codegen.JITCodeLibrary, "get_pointer_to_function", lambda *_: 0),
        (event, "broadcast", lambda _: None),
        (untyped_passes.GenericRewrites, "run_pass", lambda *_: False),
        (typed_passes.NopythonRewrites, "run_pass", lambda *_: False),
        (utils, "pysignature", cache(utils.pysignature)),
        (BaseContext, "_resolve_user_function_type", remembered(BaseContext._resolve_user_function_type)),  # noqa: SLF001
    )
    for owner, name, function in changed:
        assert hasattr(owner, name), f"this version of Numba has no {name}"
        setattr(owner, name, function)


def remembered(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """The same, asked once of each operator and its operands' types."""
    known: dict[Any, Any] = {}

    def ask(context: Any, function: Any, given: Any, named: Any, *more: Any) -> Any:
        if getattr(function, "__module__", "") != OPERATORS or named:
            return resolve(context, function, given, named, *more)
        asked = function, tuple(given)
        if asked not in known:
            known[asked] = resolve(context, function, given, named)
        return known[asked]

    return ask


def modules_of(compiled: Any, seen: set[Any]) -> Iterator[Any]:
    """The modules of a compiled function and of all that it calls, each once over all calls with the same `seen`.

    That keeps the libraries which it has: one that were let go could have its identity taken by the next.
    """
    todo = [compiled._library]      # noqa: SLF001  Numba has no other way to parts that are not linked
    while todo:
        library = todo.pop()
        if library not in seen:
            seen.add(library)
            todo += library._linking_libraries      # noqa: SLF001
            yield library._final_module             # noqa: SLF001
