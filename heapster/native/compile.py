"""Compile `impl` ahead of time into one object file: `python -m heapster.native.compile OUT [FAULT]`.

In a process of its own, because Numba reads its settings from the environment when imported and keeps
what is registered with it for ever. See `ENVIRONMENT` for what makes the object reproducible.
"""

import ctypes
import gc
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from numba import cfunc, types
from numba.extending import register_jitable

import heapster.impl
from heapster.impl import layout
from heapster.machine import native
from heapster.native import entries
from heapster.native.entries import ENTRIES, PREFIX, Entry

HOT = frozenset({                   # on the way of every malloc and free: inlined
    "entry", "api.allocate", "api.place", "api.give_back", "arena.acquire", "arena.take", "arena.release",
    "region.settle", "region.coalesce"})
MANGLED = re.compile(r"_ZN8heapster4impl(\d+)")


def main(out: Path, fault: str = "") -> None:
    """Write the object file, with a fault of `native.FAULTS` planted if one is named."""
    gc.disable()                    # a short life; collecting would take a tenth of it
    register_sources()
    module = link(dict(native.OPERATIONS) | dict(native.FAULTS[fault] if fault else {}))
    out.write_bytes(emit(module))


def sources() -> Iterator[Callable[..., Any]]:
    """Every function of `impl`."""
    for info in pkgutil.iter_modules(heapster.impl.__path__, "heapster.impl."):
        module = importlib.import_module(info.name)
        for _, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == info.name:
                yield function


def register_sources() -> None:
    """Let Numba compile calls of the functions of `impl`, which stay undecorated."""
    for function in (*sources(), entries.statics, entries.thread):
        register_jitable(function)


def link(operations: dict[str, native.Operation]) -> Any:
    """One LLVM module with every entry, nothing else visible in it."""
    the_machine = native.machine(operations)
    stand_in_for_missing_symbols()
    module = llvm.parse_assembly(native.THREAD_STORAGE.format(thread_bytes=layout.THREAD_BYTES))
    names = {}
    for name, entry in ENTRIES.items():
        compiled = cfunc(signature(entry), nopython=True)(wrapper(the_machine, entry))
        module.link_in(llvm.parse_assembly(wrapping(compiled.inspect_llvm())))
        names[compiled.native_name] = PREFIX + name
    module.link_in(llvm.parse_assembly(native.STATICS.format(statics_bytes=layout.STATICS_BYTES)))
    rename(module, names)
    return module


def wrapping(assembly: str) -> str:
    """The code with words that wrap around: Numba declares overflow undefined, we do not."""
    return assembly.replace(" nsw ", " ")


def signature(entry: Entry) -> Any:
    """The entry's type for Numba."""
    result = types.int64 if entry.answers else types.void
    return result(*[types.int64] * entry.arity)


def wrapper(the_machine: Any, entry: Entry) -> Callable[..., Any]:
    """The entry without its first argument, which is `the_machine`."""
    f = entry.function
    return (
        lambda: f(the_machine()),
        lambda a: f(the_machine(), a),
        lambda a, b: f(the_machine(), a, b),
        lambda a, b, c: f(the_machine(), a, b, c),
    )[entry.arity]


def stand_in_for_missing_symbols() -> None:
    """Numba also links what it compiles, into this process, where it is never called: any address serves."""
    address = ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p).value
    for name in ("heapster_thread_storage", "heapster_show", "heapster_abort", native.STATICS_NAME):
        llvm.add_symbol(name, address)


def rename(module: Any, names: dict[str, str]) -> None:
    """Give the entries their names and hide all else, under names that do not change from run to run."""
    for value in [*module.functions, *module.global_variables]:
        if value.name in names:
            value.name = names[value.name]
            value.visibility = "hidden"
        elif not value.is_declaration and value.name != native.STATICS_NAME:
            value.linkage = "internal"
            inline_if_hot(value, readable(value.name))


def inline_if_hot(value: Any, name: str) -> None:
    """Name the function or variable; results would pass through memory if hot functions were called."""
    value.name = name
    if name in HOT and value.is_function:
        value.add_function_attribute("alwaysinline")


def readable(mangled: str) -> str:
    """`arena.acquire` for what Numba made of `heapster.impl.arena.acquire` and its types."""
    found = MANGLED.match(mangled)
    if found is None:
        return "entry"
    module, rest = mangled[found.end():found.end() + int(found[1])], mangled[found.end() + int(found[1]):]
    name = re.match(r"(\d+)(.*)", rest)
    return f"{module}.{name[2][:int(name[1])]}" if name else module


def emit(module: Any) -> bytes:
    """The module, optimised for the plain processor of this architecture, as an object file."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    generator = target.create_target_machine(opt=3, reloc="pic", codemodel="small")
    module.triple = target.triple
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = False
    llvm.create_pass_builder(generator, options).getModulePassManager().run(
        module, llvm.create_pass_builder(generator, options))
    return bytes(generator.emit_object(module))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
