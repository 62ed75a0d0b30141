"""Compile `impl` ahead of time, in two steps, each in a process of its own.

    python -m heapster.native.compile front OUT.bc          Numba: `impl` to LLVM's language; slow
    python -m heapster.native.compile back IN.bc OUT.o [FAULT] [VARIANT] [TRIPLE]     LLVM: to an object file
    python -m heapster.native.compile text IN.bc OUT.o OUT.ll [LARGE]   the same, and what LLVM made it of, to be read

In processes of their own, because Numba reads its settings from the environment when imported and
keeps what is registered with it for ever. `library.REPRODUCIBLE` makes the bytes reproducible.
"""

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

import heapster.impl
from heapster.impl import layout, run_layout
from heapster.impl.classes import class_entry
from heapster.machine.lowering import lowering
from heapster.native import entries
from heapster.native.entries import ENTRIES, PREFIX, Entry
from heapster.native.lowered import WITHOUT_WRAPPERS, lower_only, modules_of

HOT = frozenset({                   # on the way of every malloc and free: inlined
    "entry", "malloc.allocate", "malloc.cached", "malloc.is_small", "malloc.free_block", "malloc.cache_plain",
    "malloc.leave_plain",
    "bins.bin_at", "bins.bin_of", "classes.class_of", "classes.class_for_request", "classes.least_of_class",
    "thread_cache.pop_cached", "thread_cache.cache_block", "bins.push", "thread_cache.count_freed", "bins.pop",
    "thread_cache.count_mine", "slots.cache_slot", "runs.reservation", "runs.lies_in", "runs.is_reserved",
    "runs.run_word", "runs.entry_in", "runs.entry_of", "runs.begins_slot",
    "arena.acquire", "arena.take", "arena.carve", "arena.release", "region.settle", "region.coalesce"})
COLD = frozenset({                  # off that way, where a call costs less than to save registers for it
    "malloc.malloc_slow", "malloc.free_slow", "malloc.out_of_memory", "api.realloc_slow", "api.free_other",
    "api.calloc_slow", "settings.attach_anew"})
TABLES = {                          # functions that are compiled to tables, and of which numbers; spans are 0 or 1
    class_entry: lambda spans: range(-spans, layout.LEAST_LARGE >> layout.ALIGN_SHIFT)}
ZEROED_SLOT = re.compile(           # Numba's own slots: calls write to them, before they are read
    r"(?P<made>(?P<slot>%(?:\.\d+|excinfo\S*)) = alloca (?:i\d+|ptr)(?:, align \d+)?\n)"
    r"\s*store (?:i\d+ 0|i1 false|ptr null), ptr (?P=slot)(?:, align \d+)?\n")
NUMBERED = re.compile(r"\.\d+$")        # LLVM's mark of a name that was taken
DEFINED = re.compile(               # a function of Numba's, or what C calls
    r"^define (?:linkonce_odr )?(?P<kind>i32|ptr) @(?P<name>\S+?)\((?P<given>.*)\) {$", re.MULTILINE)
WHOLE, ITSELF = ".whole", ".direct"     # of what is inlined into a direct function; of that
DIRECT = """
define i64 @{name}.direct({named}) noinline cold {{
  %answer = alloca i64
  %raised = alloca ptr
  %status = call i32 @{name}.whole(ptr %answer, ptr %raised, {named})
  %word = load i64, ptr %answer
  ret i64 %word
}}
define i32 @{name}(ptr %answer, ptr %raised, {named}) alwaysinline {{
  %word = call i64 @{name}.direct({named})
  store i64 %word, ptr %answer
  ret i32 0
}}
"""
SILENT = """
define void @{name}({named}) {{
  %nothing = call ptr @{name}.whole({named})
  ret void
}}
"""
MANGLED = re.compile(r"_ZN8heapster4impl(\d+)")


# The front: from Python to LLVM's language.

def front(out: Path) -> None:
    """Write the allocator as LLVM bitcode that calls a machine."""
    gc.disable()                    # a short life; collecting would take a tenth of it
    register_sources()
    out.write_bytes(translated().as_bitcode())


def sources() -> Iterator[Callable[..., Any]]:
    """Every function of `impl`."""
    for info in pkgutil.iter_modules(heapster.impl.__path__, "heapster.impl."):
        module = importlib.import_module(info.name)
        for _, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == info.name:
                yield function


def register_sources() -> None:
    """Let Numba compile calls of the functions of `impl`, which stay undecorated."""
    from numba.extending import overload, register_jitable  # noqa: PLC0415  the back does without

    from heapster.machine import native  # noqa: PLC0415

    for function in (*sources(), entries.statics, entries.thread):
        if function in TABLES:
            overload(function)(native.tabled(function, TABLES[function](run_layout.SPANS)))
        else:
            register_jitable(**WITHOUT_WRAPPERS)(function)


def translated() -> Any:
    """One LLVM module with every entry, nothing else visible in it."""
    from numba import cfunc, types  # noqa: PLC0415

    from heapster.machine import native  # noqa: PLC0415

    the_machine = native.machine()
    lower_only()
    module, names, seen = llvm.parse_assembly(""), {}, set[Any]()
    for name, entry in ENTRIES.items():
        result = types.int64 if entry.answers else types.void
        compiled = cfunc(result(*[types.int64] * entry.arity), nopython=True)(wrapper(the_machine, entry))
        for part in modules_of(compiled, seen):
            module.link_in(llvm.parse_assembly(DEFINED.sub(direct, plain(str(part)))))
        names[compiled.native_name] = PREFIX + name
    rename(module, names)
    return module


def plain(assembly: str) -> str:
    """The code with words that wrap around, where Numba declares overflow undefined, and free to be inlined."""
    return ZEROED_SLOT.sub(r"\g<made>", assembly).replace(" nsw ", " ").replace("{ noinline }", "{ nounwind }")


def direct(defined: re.Match[str]) -> str:
    """The definition of a cold function, or of an entry without an answer, whose callers meet another of its name.

    A function of Numba's writes its answer where the first argument says, and answers whether it raised, which none
    of ours does. Who calls such a one last needs a frame for the answer on every way; who calls a direct one jumps.
    """
    name, line = defined["name"], defined[0]
    is_entry = name.startswith("cfunc.") and defined["kind"] == "ptr"
    if not is_entry and readable(name) not in COLD:
        return line
    kinds = re.findall(r"(?:^|, )(ptr|i64)", defined["given"])[0 if is_entry else 2:]
    named = ", ".join(f"{kind} %a{place}" for place, kind in enumerate(kinds))
    return (SILENT if is_entry else DIRECT).format(name=name, named=named) + line.replace(name, f"{name}{WHOLE}")


def wrapper(the_machine: Callable[[], Any], entry: Entry) -> Callable[..., Any]:
    """The entry without its first argument, which is `the_machine`."""
    f = entry.function
    return (
        lambda: f(the_machine()),
        lambda a: f(the_machine(), a),
        lambda a, b: f(the_machine(), a, b),
        lambda a, b, c: f(the_machine(), a, b, c),
    )[entry.arity]


def rename(module: Any, names: dict[str, str]) -> None:
    """Give the entries their names and hide all else, under names that do not change from run to run."""
    for value in [*module.functions, *module.global_variables]:
        if value.name in names:
            value.name = names[value.name]
            value.visibility = "hidden"
        elif not value.is_declaration:
            value.linkage = "internal"
            value.name = readable(value.name)


def readable(mangled: str) -> str:
    """`arena.acquire` for what Numba made of `heapster.impl.arena.acquire` and its types."""
    found = MANGLED.match(mangled)
    if found is None:
        return "entry"
    for ending in (WHOLE, ITSELF):
        if mangled.endswith(ending):
            return readable(mangled.removesuffix(ending)) + ending
    module, rest = mangled[found.end():found.end() + int(found[1])], mangled[found.end() + int(found[1]):]
    name = re.match(r"(\d+)(.*)", rest)
    return f"{module}.{name[2][:int(name[1])]}" if name else module


# The back: from LLVM's language to an object file.

def back(source: Path, out: Path, fault: str = "", variant: str = "", triple: str = "", large: str = "") -> None:
    """Write the allocator on its machine, with a fault of `lowering.FAULTS` planted if one is named.

    For the processor and system of the triple, or for those that this runs on. `large` is of what may be reserved.
    """
    out.write_bytes(emit(on_machine(source, fault, variant, large), target_of(triple)))


def text(source: Path, out: Path, written: Path, large: str = "") -> None:
    """Write the allocator as `back` does, and its code: after it LLVM only chooses the processor's instructions."""
    module = on_machine(source, large=large)
    out.write_bytes(emit(module, target_of("")))
    written.write_text(str(module), encoding="utf-8")


def on_machine(source: Path, fault: str = "", variant: str = "", large: str = "") -> Any:
    """The allocator with its machine."""
    module = llvm.parse_bitcode(source.read_bytes())
    module.link_in(llvm.parse_assembly(lowering(layout.STATICS_BYTES, layout.THREAD_BYTES, fault, variant, large)))
    for function in module.functions:
        if not function.is_declaration and not function.name.startswith(PREFIX):
            function.linkage = "internal"
            if NUMBERED.sub("", function.name) in HOT or function.name.endswith(WHOLE):
                function.add_function_attribute("alwaysinline")
    return module


def target_of(triple: str) -> Any:
    """LLVM's target of that name; the one that this runs on without a name."""
    if not triple:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        return llvm.Target.from_default_triple()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple(triple)


def emit(module: Any, target: Any) -> bytes:
    """The module, optimised for the target's plain processor, as an object file."""
    generator = target.create_target_machine(opt=3, reloc="pic", codemodel="small")
    module.triple, module.data_layout = target.triple, str(generator.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = False
    builder = llvm.create_pass_builder(generator, options)
    builder.getModulePassManager().run(module, builder)
    return bytes(generator.emit_object(module))


if __name__ == "__main__":
    step, *arguments = sys.argv[1:]
    if step == "front":
        front(Path(arguments[0]))
    elif step == "text":
        text(Path(arguments[0]), Path(arguments[1]), Path(arguments[2]), *arguments[3:])
    else:
        back(Path(arguments[0]), Path(arguments[1]), *arguments[2:])
