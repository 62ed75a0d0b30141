"""The table of operations: a row for each call of malloc's family, and for each setting of a trace.

Everything else that lists them derives from it: text and binary traces, the rules of the specification, the C
of the judge and of the drivers, the observed library, workloads and reproducers. So a function that C gains goes
in here, and where somebody has to say what it does.
"""

from collections.abc import Iterable
from enum import Flag, auto
from typing import NamedTuple, Protocol

from heapster.model.geometry import PAGE, up
from heapster.model.placement import POLICY_NAMES
from heapster.model.system import SYSTEM_CALL_NAMES


class Does(Flag):
    """The effect of an operation on blocks; none: it changes the world around the allocator."""

    ALLOCATES = auto()              # answers a block
    RESIZES = auto()                # takes a block, and answers one in its place
    RELEASES = auto()               # takes a block for good
    ASKS = auto()                   # looks at a block that stays as it is
    WRITES = auto()                 # the caller writes a word where a pointer leads, wherever that is
    SETS = auto()                   # is written `name words`, not `name(arguments)`


GIVES = Does.ALLOCATES.value                                            # as numbers: what every step asks for
POINTS = (Does.RESIZES | Does.RELEASES | Does.ASKS | Does.WRITES).value
CALLS_IT = (Does.ALLOCATES | Does.RESIZES | Does.RELEASES | Does.ASKS).value


class OperationRow(NamedTuple):
    """An operation. Its number is what binary traces store: never change one; give a new row the next."""

    number: int
    name: str                       # as traces write it; of a call, as C does
    does: Does = Does(0)
    numbers: tuple[str, ...] = ()   # its numbers' names, in order, after its pointer or name
    requests: str = ""              # how its numbers say what it asks for: "size", "product", "pages"
    alignment: str = ""             # its block's: as "asked", to a "page", or as any
    names: tuple[str, ...] = ()     # it takes one of these words, before its numbers
    standard: str = ""              # of a call: which says first what it does
    symbols: tuple[str, ...] = ()   # of a call: what libraries call it; none: its name
    out: bool = False               # it stores its block where its first argument says, and answers an error number
    instead: str = ""               # of a call: what does the same, where a library lacks it
    letter: str = ""                # of a call: its own in programs of several threads, if these have it

    @property
    def result(self) -> bool:
        """Whether it defines a handle."""
        return self.does.value & GIVES != 0

    @property
    def operand(self) -> bool:
        """Whether it takes a pointer, before its numbers."""
        return self.does.value & POINTS != 0

    @property
    def setting(self) -> bool:
        """Whether it is written `name words`, not `name(arguments)`."""
        return Does.SETS in self.does

    @property
    def is_call(self) -> bool:
        """Whether it is a call of an allocator."""
        return self.does.value & CALLS_IT != 0

    @property
    def symbol(self) -> str:
        """The first of its names in C."""
        return self.symbols[0] if self.symbols else self.name

    @property
    def answers(self) -> str:
        """The C type of a call's answer."""
        if self.out:
            return "int"
        return "void *" if self.result else "size_t" if Does.ASKS in self.does else "void"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The C types of a call's parameters."""
        return ("void **",) * self.out + ("void *",) * self.operand + ("size_t",) * len(self.numbers)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Their names."""
        return ("out",) * self.out + ("pointer",) * self.operand + self.numbers

    @property
    def declared(self) -> str:
        """A call's parameters, as C declares them."""
        return ", ".join(f"{kind} {name}".replace("* ", "*")
                         for kind, name in zip(self.parameters, self.parameter_names, strict=True))


_NEW, _OLD = Does.ALLOCATES, Does.ALLOCATES | Does.RESIZES

ROWS = (
    OperationRow(0, "malloc", _NEW, ("size",), "size", standard="C89", letter="m"),
    OperationRow(1, "calloc", _NEW, ("count", "size"), "product", standard="C89", letter="c"),
    OperationRow(2, "realloc", _OLD, ("size",), "size", standard="C89", letter="r"),
    OperationRow(3, "reallocarray", _OLD, ("count", "size"), "product", standard="POSIX.1-2024"),
    OperationRow(4, "aligned_alloc", _NEW, ("alignment", "size"), "size", "asked", standard="C11", letter="a"),
    OperationRow(5, "posix_memalign", _NEW, ("alignment", "size"), "size", "asked", standard="POSIX.1-2001", out=True),
    OperationRow(6, "memalign", _NEW, ("alignment", "size"), "size", "asked", standard="glibc"),
    OperationRow(7, "valloc", _NEW, ("size",), "size", "page", standard="BSD"),
    OperationRow(8, "pvalloc", _NEW, ("size",), "pages", "page", standard="glibc"),
    OperationRow(9, "free", Does.RELEASES, standard="C89", letter="f"),
    OperationRow(10, "usable_size", Does.ASKS, standard="glibc", letter="u",
                 symbols=("malloc_usable_size", "usable_size", "malloc_size", "msize")),
    OperationRow(11, "policy", Does.SETS, names=POLICY_NAMES),
    OperationRow(12, "threshold", Does.SETS, ("size",)),             # requests from here on get their own mapping
    OperationRow(13, "growth", Does.SETS, ("size",)),                # init's arena size
    OperationRow(14, "arenas", Does.SETS, ("count",)),               # how many arenas threads are spread over
    OperationRow(15, "thread", Does.SETS, ("index",)),               # the thread that makes the calls from here on
    OperationRow(16, "foreign_sbrk", numbers=("delta",)),            # someone else moves the break
    OperationRow(17, "fail", Does.SETS, ("nth",), names=SYSTEM_CALL_NAMES),
    # the nth such call from here is refused; 0: each
    OperationRow(18, "fork", Does.SETS),                             # the process forks and goes on
    OperationRow(19, "stats", Does.SETS),                            # the statistics and the status are asked for
    OperationRow(20, "finalize", Does.SETS),
    OperationRow(21, "cache", Does.SETS, ("size",)),                 # bytes of one size that threads may keep
    OperationRow(22, "thread_end", Does.SETS),                       # the thread ends; another begins under its number
    OperationRow(23, "keep", Does.SETS, ("size",)),                  # bytes of freed mappings that may be kept
    OperationRow(24, "trim", Does.SETS, ("size",)),                  # malloc_trim: that many bytes at the top may stay
    OperationRow(25, "free_sized", Does.RELEASES, ("size",), standard="C23", instead="free", letter="b"),
    OperationRow(26, "free_aligned_sized", Does.RELEASES, ("alignment", "size"), standard="C23", instead="free"),
    OperationRow(27, "poke", Does.SETS | Does.WRITES, ("word",)),    # the caller writes that word there
)

OPERATIONS = {row.name: row for row in ROWS}
NUMBER = {row.name: row.number for row in ROWS}


def that(does: Does) -> frozenset[str]:
    """The operations that do something of that."""
    return frozenset(row.name for row in ROWS if row.does & does)


def in_order(verbs: Iterable[str]) -> tuple[str, ...]:
    """These operations, as the table has them."""
    wanted = frozenset(verbs)
    return tuple(row.name for row in ROWS if row.name in wanted)


CALLS = tuple(row.name for row in ROWS if row.is_call)      # of an allocator
ALLOCATING = that(Does.ALLOCATES)
SETTING = that(Does.SETS)
RESIZING = that(Does.RESIZES)
RELEASING = that(Does.RELEASES)
TAKING = RESIZING | RELEASING                               # may take a live block from the caller
ASKING = that(Does.ASKS)
WRITING = that(Does.WRITES)
STATING = frozenset(verb for verb in RELEASING if OPERATIONS[verb].numbers)     # say what their block was asked for
ON_BLOCKS = TAKING | ASKING                                 # are passed a block, or NULL
ALIGNING = frozenset(row.name for row in ROWS if row.alignment == "asked")
PAGE_ALIGNING = frozenset(row.name for row in ROWS if row.alignment == "page")
REQUESTS = {row.name: row.requests for row in ROWS if row.requests}    # what asks for a block, and how
PRODUCTS = frozenset(verb for verb, kind in REQUESTS.items() if kind == "product")


class Asks(Protocol):
    """A step, or a call of the allocator."""

    @property
    def verb(self) -> str:
        """A key of OPERATIONS."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """As OPERATIONS[verb].numbers names them."""


def requested(call: Asks) -> int:
    """Bytes that the caller may use of the answer, as the standards say; 0 for what asks for none.

    The one definition: pvalloc asks for whole pages, a product may be more than a size_t holds. The C
    drivers have theirs in operation.h.
    """
    kind = REQUESTS.get(call.verb)
    if kind is None:
        return 0
    numbers = call.numbers
    if kind == "product":
        return numbers[0] * numbers[1]
    return up(numbers[0], PAGE) if kind == "pages" else numbers[-1]


def alignment_asked(call: Asks) -> int | None:
    """The alignment that the caller asks for, if any."""
    if call.verb in ALIGNING:
        return call.numbers[0]
    return PAGE if call.verb in PAGE_ALIGNING else None


class Stated(NamedTuple):
    """The size, and perhaps the alignment, that a caller states when it frees a block."""

    alignment: int | None           # that it was asked for with, if any
    size: int                       # likewise, in bytes


def stated(call: Asks) -> Stated | None:
    """The statement of a call about the block that it frees; None if it makes none."""
    if call.verb not in STATING:
        return None
    return Stated(call.numbers[0] if len(call.numbers) > 1 else None, call.numbers[-1])


def release_stating(block: Stated) -> tuple[str, tuple[int, ...]]:
    """The call that frees a block and says this of it: its name and its numbers."""
    verb = next(verb for verb in sorted(STATING)
                if ("alignment" in OPERATIONS[verb].numbers) == (block.alignment is not None))
    return verb, tuple(getattr(block, name) for name in OPERATIONS[verb].numbers)


def bits(verbs: Iterable[str]) -> int:
    """A set of operations as a word, a bit for each at the place that its number says."""
    return sum(1 << NUMBER[verb] for verb in verbs)
