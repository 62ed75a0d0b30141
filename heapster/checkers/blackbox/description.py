"""Pools and regions by description: a few lines of TOML become a C adapter with the usual functions.

    sources = ["o1heap.c"]                  # or object = "libpool.so"
    headers = ["o1heap.h"]                  # or declare = ["void *o1heapAllocate(O1HeapInstance *, size_t)", ...]
    region = 65536                          # bytes of the buffer that it may use
    instance = "O1HeapInstance *"           # the type of its handle, if it has one
    init = "o1heapInit(region, region_size)"
    malloc = "o1heapAllocate(instance, size)"
    free = "o1heapFree(instance, pointer)"

Values are C expressions over `region`, `region_size`, `instance`, and what the function is passed: `size`,
`pointer`, `count`, `alignment`, `out`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from heapster.checkers.blackbox.build import Compiler, compile_object, place_of
from heapster.checkers.blackbox.narrow import narrow, sizes_of, words
from heapster.checkers.blackbox.symbols import read_shared_object
from heapster.checkers.blackbox.target import ForeignTarget, from_object
from heapster.checkers.targets.instrumented import calls_hooks
from heapster.checkers.targets.making import CPLUSPLUS
from heapster.checkers.targets.recompiling import Ingredients
from heapster.files import Unreadable, read_toml, write_whole
from heapster.model.geometry import is_power_of_two
from heapster.model.operations import CALLS, OPERATIONS, OperationRow
from heapster.results import TargetError, UsageError
from heapster.suggest import instead_of

PREFIX = "heapster_adapter_"
REGION = Path(__file__).parent / "adapter" / "region.h"
DEFAULT_REGION = 1 << 16        # bytes
MOST_REGION = 1 << 32
OF_PARAMETERS = re.compile(r"\*(?:\s*\b(?:const|restrict)\b)+\s*$")


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError("must be a list of texts")
    return tuple(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text")
    return value.strip().rstrip(";")


def _instance(value: Any) -> str:
    """The type of a variable that is assigned to: what a parameter is besides, constant, it is not."""
    return OF_PARAMETERS.sub("*", _text(value))


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MOST_REGION:
        raise ValueError(f"must be a number from 1 to {MOST_REGION}")
    return value


def _power(value: Any) -> int:
    if not is_power_of_two(_number(value)):
        raise ValueError("must be a power of two")
    return int(value)


KEYS: dict[str, Callable[[Any], Any]] = {
    "sources": _texts, "object": _text, "headers": _texts, "include": _texts, "cflags": _texts,
    "declare": _texts, "region": _number, "region_alignment": _power, "alignment": _power, "instance": _instance,
    "init": _text, "check": _text, "adapter": _text, **dict.fromkeys(CALLS, _text),
}
NEEDED = ("malloc", "free")
OF_CPLUSPLUS = (".hpp", ".hh", ".hxx")
THE_REGION = re.compile(r"\bregion\b")


def _signature(row: OperationRow) -> tuple[str, str, str]:
    """The type of a call's answer, its parameters by the names that expressions have, and its body."""
    return row.answers, row.declared, "({});" if row.answers == "void" else f"return ({row.answers})({{}});"


SIGNATURES = {verb: _signature(OPERATIONS[verb]) for verb in CALLS} | {
    "check": ("int", "int line", "(void)line; return (int)({});"),
}


def from_description(path: Path, compiler: Compiler) -> ForeignTarget:
    """The allocator that a description describes."""
    told = read_description(path)
    if "adapter" in told:
        return from_adapter(path.parent / told["adapter"], None, compiler, told, path)
    made = place_of(path, compiler)
    adapter = made.with_suffix(".cpp" if _is_cplusplus(told) else ".c")
    limits = narrow(adapter_source(told), told, adapter, compiler._replace(flags=_flags(path, told, compiler)))
    write_whole(adapter, adapter_source(told, limits))
    return replace(_finished(path, told, [str(adapter)], made, compiler), as_built=words(limits))


def from_adapter(adapter: Path, library: Path | None, compiler: Compiler, told: dict[str, Any] | None = None,
                 described: Path | None = None) -> ForeignTarget:
    """The allocator that a C or Python adapter makes of a library.

    A C adapter defines heapster_adapter_malloc and _free, and what else of their kin there is, and
    heapster_adapter_init if it must be started. A Python adapter defines `adapter(library)`, which
    returns the text of a C adapter.
    """
    if not adapter.is_file():
        raise TargetError(f"{adapter}: No such file or directory")
    made = place_of(adapter, compiler, *((library,) if library else ()))
    told = dict(told or {})
    if library is not None:
        told["sources" if library.suffix == ".c" else "object"] = (
            [str(library.resolve())] if library.suffix == ".c" else str(library.resolve()))
    if adapter.suffix == ".py":
        text = made.with_suffix(".c")
        write_whole(text, _asked_of_python(adapter, library))
        adapter = text
    return _finished(described or library or adapter, told, [str(adapter)], made, compiler)


def _asked_of_python(adapter: Path, library: Path | None) -> str:
    space: dict[str, Any] = {"__name__": "heapster_adapter", "__file__": str(adapter)}
    try:
        exec(compile(adapter.read_text(), str(adapter), "exec"), space)  # noqa: S102  the user's own file
        return str(space["adapter"](str(library) if library else ""))
    except KeyError:
        raise TargetError(f"{adapter} defines no function adapter(library)") from None
    except Exception as error:  # noqa: BLE001  whatever their file does
        raise TargetError(f"{adapter}: {type(error).__name__}: {error}") from None


def read_description(path: Path) -> dict[str, Any]:
    """The keys of a description, checked; UsageError names what is wrong."""
    try:
        table = read_toml(path)
    except Unreadable as error:
        raise UsageError(f"{path}{error}") from None
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}") from None
    table = table.get("target", table)
    told = {}
    for key, value in table.items():
        if key not in KEYS:
            raise UsageError(f"{path}: unknown key '{key}': {instead_of(key, KEYS)}")
        try:
            told[key] = KEYS[key](value)
        except ValueError as error:
            raise UsageError(f"{path}: {key} {error}") from None
    for key in NEEDED:
        if key not in told and "adapter" not in told:
            raise UsageError(f"{path} does not say how to call {key}: {key} = \"...\"")
    if not any(key in told for key in ("sources", "object", "adapter")) and not _is_cplusplus(told):
        raise UsageError(f"{path} names neither sources nor object")
    if not any(key in told for key in ("headers", "declare", "cflags", "adapter")):
        raise UsageError(f"{path} does not say what the functions take and answer: name the file that declares them, "
                         'headers = ["pool.h"], or declare = ["void *pool_get(size_t)", ...]')
    return told


def adapter_source(told: dict[str, Any], limits: Mapping[str, int] = MappingProxyType({})) -> str:
    """The adapter in C, which refuses sizes beyond the limits, by call."""
    size, boundary = told.get("region", DEFAULT_REGION), told.get("region_alignment", 4096)
    linked = 'extern "C" ' if _is_cplusplus(told) else ""
    lines = [f"#define REGION_SIZE {size}", f"#define REGION_ALIGNMENT {boundary}",
             *(["#include <new>"] if linked else []), "#include <stdbool.h>", "#include <stddef.h>",
             "#include <stdint.h>", "#include <string.h>",
             *(f'#include "{header}"' for header in told.get("headers", ())),
             *(f"{one.rstrip(';')};" for one in told.get("declare", ())),
             *_region(told, linked), f"static {told.get('instance', 'void *')} instance;",
             f"{linked}int {PREFIX}init(void) {{ {_init(told)} }}"]
    for verb, (kind, parameters, body) in SIGNATURES.items():
        if verb in told:
            refused = " || ".join(f"{name} > {limits[verb]}u" for name in sizes_of(verb)) if verb in limits else ""
            before = f"(void)instance; {f'if ({refused}) return NULL; ' if refused else ''}"
            lines.append(f"{linked}{kind} {PREFIX}{verb}({parameters}) {{ {before}{body.format(told[verb])} }}")
    return "\n".join(lines) + "\n"


def _is_cplusplus(told: dict[str, Any]) -> bool:
    """Whether what is described is C++: its adapter is, too."""
    files = (*told.get("sources", ()), *told.get("headers", ()))
    return any(name.endswith((*CPLUSPLUS, *OF_CPLUSPLUS)) for name in files)


def _is_confined(told: dict[str, Any]) -> bool:
    """Whether it is given the region: an expression names it."""
    return any(THE_REGION.search(told[key]) for key in ("init", *SIGNATURES) if key in told)


def _region(told: dict[str, Any], linked: str) -> list[str]:
    """The region, and where it lies for the judge; only its size of what is not given it."""
    if not _is_confined(told):
        return ["static const size_t region_size = REGION_SIZE;"]
    text = REGION.read_text(encoding="utf-8")
    return [f"{linked}{{", text, "}"] if linked else [text]


def _init(told: dict[str, Any]) -> str:
    """The body of the function that starts it."""
    placed = "place_region(); (void)region; (void)region_size; " if _is_confined(told) else "(void)region_size; "
    return placed + _starting(told)


def _starting(told: dict[str, Any]) -> str:
    if "init" not in told:
        return "return 0;"
    if "instance" in told and told["instance"].endswith("*"):
        return f"instance = {told['init']}; return instance == NULL;"
    return f"{told['init']}; return 0;" if "instance" in told else f"(void)({told['init']}); return 0;"


def _finished(path: Path, told: dict[str, Any], adapter: list[str], made: Path, compiler: Compiler) -> ForeignTarget:
    base = path.parent.resolve()
    for needed in (*told.get("sources", ()), *((told["object"],) if "object" in told else ())):
        if not (base / needed).is_file():
            raise TargetError(f"{path} names {needed}, which is not there")
    sources = [*adapter, *(str(base / source) for source in told.get("sources", ()))]
    library = [str(base / told["object"]), f"-Wl,-rpath,{(base / told['object']).parent}"] if "object" in told else []
    library += ["-lstdc++"] if _is_cplusplus(told) else []
    compiler = compiler._replace(flags=_flags(path, told, compiler))
    try:
        build = compile_object(sources, made, compiler, *library)
    except TargetError as error:
        wrong = f"{path} describes calls that do not compile: correct its expressions. " if "malloc" in told else ""
        raise TargetError(f"{wrong}{error}") from None
    found = from_object(made, str(path), PREFIX)
    symbols = dict(found.symbols)
    for verb in ("init", "check"):
        name = PREFIX + verb
        if verb in told or verb == "init" and name in _defined(made):
            symbols[verb] = name
    written = told.get("sources") or (told.get("headers", ()) if _is_cplusplus(told) and "object" not in told else ())
    first = base / written[0] if written else None
    code = (base / told["object"]).resolve() if "object" in told and first is None else None
    return replace(found, symbols=symbols, shape="described", as_built=(), init_answers=True, build=(build,),
                   source=first, code=code,
                   instrumented=calls_hooks(read_shared_object(code or made).needs),
                   ingredients=Ingredients(tuple(compiler.command), compiler.flags, tuple(sources), tuple(library)),
                   check_means="check" in told, region=_room(told),
                   alignment=told.get("alignment", found.bits // 8))


def _flags(path: Path, told: dict[str, Any], compiler: Compiler) -> tuple[str, ...]:
    """What the compiler is told: where the description's headers lie, and what else it says."""
    folders = (f"-I{path.parent.resolve() / folder}" for folder in (".", *told.get("include", ())))
    return (*folders, *told.get("cflags", ()), *compiler.flags)


def _room(told: dict[str, Any]) -> int:
    """Bytes of the region that it is confined to, 0 if to none: of an adapter that was written, as is said."""
    if "malloc" not in told:
        return int(told.get("region", 0))
    return int(told.get("region", DEFAULT_REGION)) if _is_confined(told) else 0


def _defined(made: Path) -> frozenset[str]:
    return read_shared_object(made).functions
