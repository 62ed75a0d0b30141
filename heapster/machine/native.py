"""The native machine: what `m.load(a)` and its sisters become in compiled code.

A machine is a Numba type without data; its operations are LLVM instructions, or calls of libc and of
four C functions (`heapster_thread_storage`, `heapster_show`, `heapster_abort`, and the mutex's). A
word is an i64, always: mixing in unsigned words would make Numba reach for floats.
"""

# ruff: noqa: ARG001, ARG005    # Numba calls by position and by name, with more than is wanted here

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, overload_method, register_model

from .protocol import REFUSED

WORD = ir.IntType(64)
INT = ir.IntType(32)
BYTE = ir.IntType(8)
WORD_BYTES = 8
CACHE_LINE = 64                     # bytes
PROT_READ_WRITE = 1 | 2             # the same on every Linux, as are the next
MAP_PRIVATE_ANONYMOUS = 0x02 | 0x20

Lower = Callable[[Any, Any], Any]   # (LLVM builder, words) -> the answer's word, or None


class Operation(NamedTuple):
    """How one operation of the machine is lowered."""

    arity: int                      # words it takes
    answers: bool                   # whether it answers a word
    lower: Lower


# Memory.

def _pointer(b: Any, address: Any) -> Any:
    return b.inttoptr(address, WORD.as_pointer())


def _load(b: Any, words: Any) -> Any:
    return b.load(_pointer(b, words[0]))


def _store(b: Any, words: Any) -> None:
    b.store(words[1], _pointer(b, words[0]))


def _load_atomic(b: Any, words: Any) -> Any:
    return b.load_atomic(_pointer(b, words[0]), "acquire", WORD_BYTES)


def _store_atomic(b: Any, words: Any) -> None:
    b.store_atomic(words[1], _pointer(b, words[0]), "release", WORD_BYTES)


def _copy(b: Any, words: Any) -> None:
    call(b, "memcpy", WORD, *words)


def _fill(b: Any, words: Any) -> None:
    target, byte, count = words
    call(b, "memset", WORD, target, b.trunc(byte, INT), count)


def _known_zero(b: Any, words: Any) -> None:
    """The system's pages are zero: nothing to do."""


# Calls of C.

def call(b: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call the C function of that name; its prototype is what the arguments are."""
    prototype = ir.FunctionType(result, [argument.type for argument in arguments])
    return b.call(cgutils.get_or_insert_function(b.module, prototype, name), arguments)


def keeping_errno(system_call: Lower) -> Lower:
    """The call, with errno as it was before: an allocator says ENOMEM itself, and only when it fails."""
    def lower(b: Any, words: Any) -> Any:
        place = call(b, "__errno_location", INT.as_pointer())
        kept = b.load(place)
        answer = system_call(b, words)
        b.store(kept, place)
        return answer
    return lower


def _sbrk(b: Any, words: Any) -> Any:
    return call(b, "sbrk", WORD, words[0])


def _mmap(b: Any, words: Any) -> Any:
    return call(b, "mmap", WORD, WORD(0), words[0], INT(PROT_READ_WRITE), INT(MAP_PRIVATE_ANONYMOUS),
                INT(-1), WORD(0))


def _munmap(b: Any, words: Any) -> Any:
    return b.sext(call(b, "munmap", INT, *words), WORD)


def _lock(b: Any, words: Any) -> None:
    """A zeroed pthread_mutex_t is an unlocked one on Linux."""
    call(b, "pthread_mutex_lock", INT, words[0])


def _unlock(b: Any, words: Any) -> None:
    call(b, "pthread_mutex_unlock", INT, words[0])


def _set_errno(b: Any, words: Any) -> None:
    b.store(b.trunc(words[0], INT), call(b, "__errno_location", INT.as_pointer()))


def _show(b: Any, words: Any) -> None:
    call(b, "heapster_show", ir.VoidType(), *words)


def _abort(b: Any, words: Any) -> Any:
    call(b, "heapster_abort", ir.VoidType(), *words).attributes.add("noreturn")
    return WORD(REFUSED)


# Storage.

def _thread(b: Any, words: Any) -> Any:
    """Numba's linker cannot place thread-locals, so a function answers; see `THREAD_STORAGE`."""
    return call(b, "heapster_thread_storage", WORD)


def _statics(b: Any, words: Any) -> Any:
    """Declared only: Numba never links, and the build defines it once; see `STATICS`."""
    storage = cgutils.add_global_variable(b.module, BYTE, STATICS_NAME) \
        if STATICS_NAME not in b.module.globals else b.module.globals[STATICS_NAME]
    storage.linkage = "external"
    storage.initializer = None
    return b.ptrtoint(storage, WORD)


STATICS_NAME = "heapster_statics"
STATICS = f"@{STATICS_NAME} = hidden global [{{statics_bytes}} x i8] zeroinitializer, align {CACHE_LINE}\n"

THREAD_STORAGE = """
@heapster_thread = internal thread_local(initialexec) global [{thread_bytes} x i8] zeroinitializer, align 64
define i64 @heapster_thread_storage() alwaysinline {{
  %word = ptrtoint ptr @heapster_thread to i64
  ret i64 %word
}}
"""

OPERATIONS: Mapping[str, Operation] = {
    "load": Operation(1, True, _load),
    "store": Operation(2, False, _store),
    "load_atomic": Operation(1, True, _load_atomic),
    "store_atomic": Operation(2, False, _store_atomic),
    "copy": Operation(3, False, _copy),
    "fill": Operation(3, False, _fill),
    "known_zero": Operation(2, False, _known_zero),
    "sbrk": Operation(1, True, keeping_errno(_sbrk)),
    "mmap": Operation(1, True, keeping_errno(_mmap)),
    "munmap": Operation(2, True, keeping_errno(_munmap)),
    "lock": Operation(1, False, _lock),
    "unlock": Operation(1, False, _unlock),
    "thread": Operation(0, True, _thread),
    "statics": Operation(0, True, _statics),
    "set_errno": Operation(1, False, _set_errno),
    "show": Operation(4, False, _show),
    "abort": Operation(2, True, _abort),
}


# Faults that may be planted, to show that translation validation finds them.

def _store_narrowed(b: Any, words: Any) -> None:
    b.store(b.trunc(words[1], INT), b.inttoptr(words[0], INT.as_pointer()))


def _unlock_dropped(b: Any, words: Any) -> None:
    pass


def _fill_short(b: Any, words: Any) -> None:
    target, byte, count = words
    call(b, "memset", WORD, target, b.trunc(byte, INT), b.and_(count, WORD(-16)))


FAULTS: Mapping[str, Mapping[str, Operation]] = {
    "narrow_store": {"store": Operation(2, False, _store_narrowed)},
    "dropped_unlock": {"unlock": Operation(1, False, _unlock_dropped)},
    "clobbered_errno": {"sbrk": Operation(1, True, _sbrk), "mmap": Operation(1, True, _mmap)},
    "short_fill": {"fill": Operation(3, False, _fill_short)},
}


# The Numba type.

class Native(types.Type):                       # type: ignore[misc]
    """The type of a native machine."""

    def __init__(self) -> None:
        super().__init__(name="Native")


def machine(operations: Mapping[str, Operation]) -> Any:
    """A function for compiled code that answers the machine with these operations.

    Once in a process: Numba keeps them with the type.
    """
    native = Native()
    register_model(Native)(models.OpaqueModel)
    for name, operation in operations.items():
        overload_method(Native, name)(_method(_instruction(operation), operation.arity))

    @intrinsic                                  # type: ignore[untyped-decorator]
    def the_machine(typing: Any) -> Any:
        return native(), lambda context, b, signature, arguments: context.get_dummy_value()

    return the_machine


def _instruction(operation: Operation) -> Any:
    """The operation as a function that compiled code may call."""
    result = types.int64 if operation.answers else types.void
    signature = result(*[types.int64] * operation.arity)

    def generate(context: Any, b: Any, signature: Any, words: Any) -> Any:
        answer = operation.lower(b, words)
        return answer if operation.answers else context.get_dummy_value()

    typed = (signature, generate)
    return intrinsic((
        lambda typing: typed,
        lambda typing, a: typed,
        lambda typing, a, b: typed,
        lambda typing, a, b, c: typed,
        lambda typing, a, b, c, d: typed,
    )[operation.arity])


def _method(instruction: Any, arity: int) -> Any:
    """What Numba wants of a method: a function of types that answers a function of values."""
    return (
        lambda m: lambda m: instruction(),
        lambda m, a: lambda m, a: instruction(a),
        lambda m, a, b: lambda m, a, b: instruction(a, b),
        lambda m, a, b, c: lambda m, a, b, c: instruction(a, b, c),
        lambda m, a, b, c, d: lambda m, a, b, c, d: instruction(a, b, c, d),
    )[arity]
