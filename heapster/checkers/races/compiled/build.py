"""The scheduler's program, and a target as it needs it: instrumented."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from heapster.checkers.blackbox.build import Compiler, cache_folder, compile_program
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.symbols import read_shared_object
from heapster.checkers.blackbox.target import symbols_for
from heapster.checkers.blackbox.unseen import assembly
from heapster.checkers.races.compiled.shared import headers_folder
from heapster.checkers.targets.instrumented import FOLDER, HOOK_HEADERS, HOOKS, instrument
from heapster.checkers.targets.opening import resolve
from heapster.checkers.targets.target import NATIVE, Target
from heapster.impl import layout
from heapster.native.library import START, scheduled
from heapster.results import UsageError

SOURCES = Path(__file__).parent.parent / "c"
FLAGS = ("-std=gnu11", "-O2", "-g", "-rdynamic")
LIBRARIES = ("-ldl", "-lpthread")
HANDLES_FORK = frozenset({"pthread_atfork", "__register_atfork"})
ATOMIC = "__tsan_atomic"
SYNCHRONISES = ("pthread_", "mtx_", "sem_", "call_once", ATOMIC, "__cxa_guard", "syscall")


class Prepared(NamedTuple):
    """A target, instrumented, and what its functions are called."""

    path: Path
    symbols: dict[str, str]
    alignment: int
    version: str                # of what it was made of
    sources: tuple[Path, ...]
    has_atomics: bool
    handles_fork: bool          # it is made to be used by programs that fork while other threads are in its calls


class NotInstrumentedError(UsageError):
    """The target's accesses give a scheduler no hooks; the message says how to build it so."""


def scheduler_program() -> Path:
    """The scheduler, compiled if it is not yet."""
    sources = [*sorted(SOURCES.glob("*.c")), *HOOKS]
    flags = (*FLAGS, f"-I{FOLDER}", f"-I{headers_folder()}")
    digest = sha256(repr(flags).encode())
    for file in (*sources, *sorted(SOURCES.glob("*.h")), *HOOK_HEADERS):
        digest.update(file.read_bytes())
    made = cache_folder() / f"scheduler-{digest.hexdigest()[:16]}"
    if not made.exists():
        compile_program([*Compiler().command, *flags, *map(str, sources)], made, LIBRARIES)
    return made


def prepare(options: ForeignOptions) -> Prepared:
    """The target, compiled instrumented where we have its source; NotInstrumentedError where nothing can be done."""
    if options.target.kind == NATIVE.kind:
        return native(options.target)
    found = resolve(options)
    path, sources = Path(found.path), list[Path]()
    if found.ingredients is not None:
        path = cache_folder() / f"{path.stem}-scheduled.so"
        instrument(found.ingredients, path)
        sources = [Path(source) for source in found.ingredients.sources]
    elif not found.instrumented:
        raise NotInstrumentedError(str(options.target))
    digest = sha256(" ".join(options.compiler.flags).encode())
    for source in sources or (path,):
        digest.update(source.read_bytes())
    version = digest.hexdigest()[:8]
    symbols, needs = dict(found.symbols), read_shared_object(path).needs
    handles_fork = symbols.get("malloc") == "malloc" or not HANDLES_FORK.isdisjoint(needs)
    has_atomics = any(name.startswith(ATOMIC) for name in needs)
    return Prepared(path.resolve(), symbols, found.alignment, version, tuple(sources), has_atomics, handles_fork)


def native(target: Target, fault: str = "") -> Prepared:
    """Our compiled library, of either build, with hooks and in the settings that ship; a fault may be named.

    The fault is one of its lowering.
    """
    if target.settings._replace(spans=None).given:
        raise UsageError(f"races runs the compiled library with the settings that ship: 'native', not '{target}'")
    path = scheduled(fault, spans=target.settings.has_spans)
    symbols = dict(symbols_for("heapster_", read_shared_object(path).functions)) | {"init": START}
    version = sha256(path.read_bytes()).hexdigest()[:8]
    return Prepared(path, symbols, layout.ALIGN, version, (), has_atomics=True, handles_fork=True)


def recipe(target: Target) -> tuple[str, ...]:
    """The two lines that build a target so that its accesses are seen; none where it is not the user who builds it."""
    if not target.paths:
        return ()
    stem = target.path.name.split(".")[0].removeprefix("lib")
    return (f"cc -g -O1 -fPIC -fsanitize=thread -c {stem}.c", f"cc -shared {stem}.o -o {stem}.so")


def unseen(prepared: Prepared) -> Iterator[str]:
    """What of the target is not seen, or makes schedules of it mean less."""
    if at := assembly(prepared.sources):
        yield (f"inline assembly ({at}): what it reads and writes, and the system calls that it makes (a futex by "
               "hand), are not seen")
    if not any(name.startswith(SYNCHRONISES) for name in read_shared_object(prepared.path).needs):
        yield "whether it is made for threads at all: it takes no lock, and has no atomics"
