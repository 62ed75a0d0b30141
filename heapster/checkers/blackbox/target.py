"""What is judged: a shared object, the names of its functions, and what they may be expected to do."""

import re
from collections.abc import Iterable, Mapping
from ctypes import CDLL
from dataclasses import dataclass, field
from pathlib import Path

from heapster import children
from heapster.checkers.blackbox.classes import described
from heapster.checkers.blackbox.initializing import Start, start_of, words
from heapster.checkers.blackbox.sanitizing import is_sanitized, runtime_first
from heapster.checkers.blackbox.signatures import (
    ALLOCATES,
    FREES,
    OF_INSTANCES,
    disagrees,
    draft,
    prototypes,
    signature,
)
from heapster.checkers.blackbox.symbols import SharedObject, read_shared_object
from heapster.checkers.targets.edges import tells_edges
from heapster.checkers.targets.instrumented import calls_hooks
from heapster.checkers.targets.making import CPLUSPLUS
from heapster.checkers.targets.recompiling import Ingredients
from heapster.model.operations import CALLS, OPERATIONS
from heapster.results import TargetError, UsageError
from heapster.suggest import instead_of

VERBS = (*OPERATIONS, "init", "check")       # the judge's numbers: those of the table, and what else a target may have
VERB_NUMBER = {verb: number for number, verb in enumerate(VERBS)}
VERB_BITS = {verb: 1 << number for number, verb in enumerate(VERBS)}
CHECKERS = ("mm_checkheap", "mm_check", "checkheap")
LAB_ALIGNMENT, USUAL_ALIGNMENT = 8, 16         # bytes
ALIGNMENT_OF_32_BITS = 8
LAB_HEAP = 20 << 20             # bytes; MAX_HEAP of CS:APP's config.h
LIBC = "libc.so.6"
MANGLED = re.compile(r"_Z(?:N\w*?)?\d+\w*malloc")


@dataclass(frozen=True)
class ForeignTarget:
    """An allocator that somebody else wrote, ready to be loaded."""

    name: str                       # as the user gave it
    path: str                       # what is loaded
    symbols: Mapping[str, str]      # verb: the symbol that serves it
    shape: str                      # "standard", "prefixed", "malloc-lab" or "described"
    bits: int = 64
    alignment: int = USUAL_ALIGNMENT
    heap_limit: int = LAB_HEAP      # of memlib
    region: int = 0                 # bytes that it may use, if it is confined to a buffer
    init_answers: bool = True       # its init answers whether it worked; else it answers nothing
    check_means: bool = False       # its own checker answers 0 when something is wrong
    low: bool = False               # its memory lies where addresses have 31 bits: it was written for 32
    as_built: tuple[str, ...] = ()  # what its own build had us do, for people
    build: tuple[str, ...] = ()     # the commands that made `path`, for whoever does it by hand
    source: Path | None = None      # the C source, for annotations
    lines: Mapping[str, int] = field(default_factory=dict)      # verb: line of its definition
    sandboxed: bool = False         # nothing of it runs outside of a sandbox
    environment: Mapping[str, str] = field(default_factory=dict)        # what it is told when it is loaded
    ingredients: Ingredients | None = None      # what it was compiled of, if we have compiled it
    instrumented: bool = False      # it calls the hooks of c/hooks.h
    stepped: bool = False           # it does not, and is taken an instruction at a time where accesses are asked for
    traced: bool = False            # it tells the edges that it takes: c/edges.c
    code: Path | None = None        # the object whose code it is, where what is loaded only adapts it
    counters: Path | None = None    # the folder that it adds the counters of its lines up in, if it has them

    def started(self, command: children.Command, *shown: Path) -> children.Command:
        """How a command of ours that runs it is started; what is `shown` it can read."""
        return children.sandboxed(command, command[0], self.path, *shown,
                                  written=self.counters) if self.sandboxed else command

    @property
    def code_path(self) -> Path:
        """The object in which its accesses lie."""
        return self.code or Path(self.path)

    @property
    def is_watched(self) -> bool:
        """Whether the judge is told of its accesses."""
        return self.instrumented or self.stepped

    @property
    def is_sanitized(self) -> bool:
        """Whether AddressSanitizer's runtime has to be in the process first."""
        return "ASAN_OPTIONS" in self.environment

    @property
    def verbs(self) -> frozenset[str]:
        """What it can be asked."""
        return frozenset(self.symbols)

    @property
    def room(self) -> int:
        """Bytes that it has at most, 0 if only the system sets a limit."""
        return self.region or (self.heap_limit if self.shape == "malloc-lab" else 0)

    @property
    def edges(self) -> tuple[str, str]:
        """What the start and the end of the memory that it is confined to are called."""
        return ("mem_heap_lo", "mem_heap_hi") if self.shape == "malloc-lab" else (
            "the start of its region", "the end of its region")

    @property
    def missing(self) -> tuple[str, ...]:
        """What it lacks of what every allocator should have."""
        return tuple(verb for verb in ("calloc", "realloc") if verb not in self.symbols)


def libc() -> ForeignTarget:
    """The allocator of this machine's C library."""
    library = CDLL(LIBC)
    path = next(words[-1] for line in Path("/proc/self/maps").read_text().splitlines()
                if (words := line.split())[-1].endswith(f"/{LIBC}"))
    has = [OPERATIONS[verb].symbol for verb in CALLS if hasattr(library, OPERATIONS[verb].symbol)]
    return ForeignTarget("libc", path, symbols_for("", has), "standard")


def from_object(path: Path, name: str, prefix: str | None, source: Path | None = None) -> ForeignTarget:
    """The allocator that a shared object, perhaps made of a source, defines; TargetError if it defines none."""
    found = read_shared_object(path)
    environment = runtime_first(path, found, name) if is_sanitized(found) else {}
    told = prefix is not None
    if prefix is None:
        prefix = _prefix(name, found, path, source or path)
    symbols = symbols_for(prefix, found.functions)
    _refuse_instances(name, symbols, found, path, source or path, told=told)
    needed = ("malloc",) if not any(map(FREES.search, found.functions)) else ("malloc", "free")   # else it only grows
    absent = [verb for verb in needed if verb not in symbols]
    if absent:
        raise TargetError(f"{name} defines no {prefix}{absent[0]}{_nearest(prefix + absent[0], found.functions)}")
    lab = prefix == "mm_" and "mm_init" in found.functions
    start = None if lab else _start(name, prefix, found, path, source or path, told=told)
    if start and start.is_plain:
        symbols["init"] = start.symbol
    check = next((check for check in CHECKERS if lab and check in found.functions), None)
    if lab:
        symbols["init"] = "mm_init"
        if check:
            symbols["check"] = check
    shape = "malloc-lab" if lab else "prefixed" if prefix else "standard"
    return ForeignTarget(name, str(path.resolve()), symbols, shape, found.bits,
                         LAB_ALIGNMENT if lab else USUAL_ALIGNMENT if found.bits == 64 else ALIGNMENT_OF_32_BITS,
                         init_answers=lab, as_built=(words(prefix, start, found.functions),) if start else (),
                         environment=environment, instrumented=calls_hooks(found.needs),
                         traced=tells_edges(found.needs))


def symbols_for(prefix: str, functions: Iterable[str]) -> dict[str, str]:
    """The symbol of each verb, of those with the prefix."""
    defined = frozenset(functions)
    symbols: dict[str, str] = {}
    for verb in CALLS:
        for name in OPERATIONS[verb].symbols or (verb,):
            if prefix + name in defined:
                symbols.setdefault(verb, prefix + name)
    return symbols


def _refuse_instances(name: str, symbols: Mapping[str, str], found: SharedObject, built: Path, given: Path,
                      *, told: bool) -> None:
    """TargetError if the functions are not called as malloc and its kin are, or nobody can tell."""
    if symbols.get("malloc", "malloc") == "malloc" or symbols["malloc"].startswith("heapster_"):
        return                              # what has malloc's own name is called as malloc is
    known = prototypes(built, given.parent, found.functions)
    for verb, symbol in symbols.items():
        if disagrees(verb, known.get(symbol)):
            raise TargetError(f"{name}: {signature(symbol, known[symbol])} is not called as {verb} is. {_asks(given)}"
                              f"{draft(given, found.functions, known)}")
    malloc, stem = symbols["malloc"], symbols["malloc"].removesuffix("malloc")
    if not told and malloc not in known and OF_INSTANCES.search(stem):
        raise TargetError(f"{name}: nothing says whether {malloc} takes an instance: build it with -g, or put its "
                          f"header beside it, or say --prefix {stem} if it takes none. {_asks(given)}"
                          f"{draft(given, found.functions, known)}")


def _start(name: str, prefix: str, found: SharedObject, built: Path, given: Path, *, told: bool) -> Start | None:
    """What starts it; TargetError if that takes memory or a size, unless the user has `told` its prefix."""
    symbol = start_of(prefix, found.functions)
    if not symbol:
        return None
    known = prototypes(built, given.parent, found.functions)
    start = Start(symbol, known.get(symbol))
    if start.wants_memory and not told:
        raise TargetError(f"{name}: {start.written} has to be called first, and nothing says with which size. "
                          f"{_asks(given)}{draft(given, found.functions, known)}")
    return start


def _asks(given: Path) -> str:
    """How a description is given; its draft follows."""
    described = given.with_suffix(".toml").name
    return (f"Describe it: correct this, save it as {described} (or: heapster describe {given} -o {described}), "
            f"and run heapster fuzz {described}")


def _prefix(name: str, found: SharedObject, built: Path, given: Path) -> str:
    """The one prefix under which the object defines both malloc and free."""
    stems = sorted((symbol[:-len("malloc")] for symbol in found.functions if symbol.endswith("malloc")), key=len)
    pairs = [stem for stem in stems if stem + "free" in found.functions] or _growing(stems, found)
    for known in ("", "mm_"):
        if known in pairs:
            return known
    pairs = [stem for stem in pairs if not stem.startswith("__")] or pairs
    if len(pairs) > 1 and not all(stem.startswith(pairs[0]) for stem in pairs):     # else they are its kin
        choices = ", ".join(f"--prefix {pair}" for pair in pairs[:6])
        raise UsageError(f"{name} defines several allocators; choose one: {choices}")
    if not pairs:
        needs = "; it expects malloc from elsewhere" if "malloc" in found.needs else ""
        takes = prototypes(built, given.parent, found.functions)
        drafted = f" {_asks(given)}{draft(given, found.functions, takes)}" if any(
            map(ALLOCATES.search, found.functions)) else ""
        if drafted_class := described(given) if given.suffix in CPLUSPLUS else []:
            raise TargetError(f"{name} defines a pool that is a class. {_asks(given)}\n  " + "\n  ".join(drafted_class))
        if any(MANGLED.match(symbol) for symbol in found.functions):
            raise TargetError(f"{name} defines malloc and free as functions of C++, under names that only C++ knows: "
                              'declare them extern "C"')
        raise TargetError(f"{name} defines no malloc and free, under any prefix{needs}. A pool or a region allocator "
                          f"needs a description, which heapster describe drafts of its header.{drafted}")
    return pairs[0]


def _growing(stems: Iterable[str], found: SharedObject) -> list[str]:
    """The prefix of an allocator that never takes a block back, as far as it can be told."""
    return [stem for stem in stems if stem in ("", "mm_") and not any(map(FREES.search, found.functions))]


def _nearest(name: str, functions: Iterable[str]) -> str:
    near = [other for other in functions if "alloc" in other or "free" in other]
    return f": {instead_of(name, near)}" if near else " (nor anything like it)"
