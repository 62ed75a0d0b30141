"""The native machine: what `m.load(a)` and its sisters become in compiled code.

To Numba a machine is a type without data, whose methods call functions named `machine_...`. What these
do is written below in LLVM's own language, and inlined when the two are linked. A word is an i64,
always: mixing in unsigned words would make Numba reach for floats.
"""

# ruff: noqa: ARG001    # Numba calls by position and by name, with more than is wanted here

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, overload_method, register_model

from .orders import ATOMICS

WORD = ir.IntType(64)
BYTE = ir.IntType(8)
PREFIX = "machine_"


class OperationType(NamedTuple):
    """An operation's type."""

    arity: int                      # words it takes
    answers: bool                   # whether it answers a word


ATOMIC_OPERATIONS: Mapping[str, OperationType] = {
    "load": OperationType(1, True), "store": OperationType(2, False), "cas": OperationType(3, True),
    "exchange": OperationType(2, True)}
OPERATIONS: Mapping[str, OperationType] = {
    "load": OperationType(1, True),
    "store": OperationType(2, False),
    "load_any": OperationType(1, True),
    **{name: ATOMIC_OPERATIONS[atomic.kind] for name, atomic in ATOMICS.items()},
    "copy": OperationType(3, False),
    "fill": OperationType(3, False),
    "known_zero": OperationType(2, False),
    "prefetch": OperationType(1, False),
    "sbrk": OperationType(1, True),
    "mmap": OperationType(1, True),
    "munmap": OperationType(2, True),
    "remap": OperationType(3, True),
    "purge": OperationType(2, True),
    "protect": OperationType(2, True),
    "unprotect": OperationType(2, True),
    "lock": OperationType(1, False),
    "unlock": OperationType(1, False),
    "renew": OperationType(1, True),
    "thread": OperationType(0, True),
    "at_thread_end": OperationType(0, False),
    "statics": OperationType(0, True),
    "set_errno": OperationType(1, False),
    "show": OperationType(4, False),
    "abort": OperationType(2, True),
}


class Native(types.Type):
    """The type of the native machine."""

    def __init__(self) -> None:
        super().__init__(name="Native")


def machine() -> Callable[[], Any]:
    """A function for compiled code that answers the machine. Call once: Numba keeps what it is told."""
    register_model(Native)(models.OpaqueModel)
    for name, operation in OPERATIONS.items():
        overload_method(Native, name)(_method(_instruction(name, operation), operation.arity))

    @intrinsic                      # type: ignore[untyped-decorator]
    def the_machine(typing: Any) -> Any:
        return Native()(), lambda context, b, signature, arguments: context.get_dummy_value()

    return the_machine              # type: ignore[no-any-return]


def _instruction(name: str, operation: OperationType) -> Any:
    """The operation as a function that compiled code may call."""
    result = types.int64 if operation.answers else types.void
    prototype = ir.FunctionType(WORD if operation.answers else ir.VoidType(), [WORD] * operation.arity)

    def generate(context: Any, b: Any, signature: Any, words: Any) -> Any:
        answer = b.call(cgutils.get_or_insert_function(b.module, prototype, PREFIX + name), words)
        return answer if operation.answers else context.get_dummy_value()

    typed = (result(*[types.int64] * operation.arity), generate)
    return intrinsic((
        lambda typing: typed,
        lambda typing, a: typed,
        lambda typing, a, b: typed,
        lambda typing, a, b, c: typed,
        lambda typing, a, b, c, d: typed,
    )[operation.arity])


def _method(instruction: Any, arity: int) -> Any:
    """A method as Numba takes it: a function of types that answers a function of values."""
    return (
        lambda m: lambda m: instruction(),
        lambda m, a: lambda m, a: instruction(a),
        lambda m, a, b: lambda m, a, b: instruction(a, b),
        lambda m, a, b, c: lambda m, a, b, c: instruction(a, b, c),
        lambda m, a, b, c, d: lambda m, a, b, c, d: instruction(a, b, c, d),
    )[arity]


def tabled(function: Callable[[int], int], numbers: range) -> Any:
    """A function as Numba compiles it to a table of its values, 0 to 255, for consecutive numbers."""
    values = ir.Constant(ir.ArrayType(BYTE, len(numbers)), bytearray(map(function, numbers)))

    def generate(context: Any, b: Any, signature: Any, words: Any) -> Any:
        place = b.sub(words[0], WORD(numbers.start))
        return b.zext(b.load(b.gep(cgutils.global_constant(b.module, "table", values), [WORD(0), place])), WORD)

    look_up = intrinsic(lambda typing, number: (types.int64(types.int64), generate))
    return lambda number: lambda number: look_up(number)    # noqa: PLW0108  Numba wants a function of Python's
