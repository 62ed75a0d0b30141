"""The machine's operations with the calls in them that -fsanitize=thread makes: made of the lowering's own lines.

Each load, store and atomic operation of a word is told, or done, by a hook of the same order, so that what the lowering
says of orders is what a scheduler explores. Bytes that are copied or filled are told by libc's functions, which are
taken over; errno and libc's flag are nobody else's.
"""

import re
from collections.abc import Callable

from .orders import ORDER_NAMES

NUMBERS = dict(zip(ORDER_NAMES.values(), (0, 2, 3, 4, 5), strict=True))     # as compilers number them: __ATOMIC_...
HOOKS = """
declare void @__tsan_read8(ptr)
declare void @__tsan_write8(ptr)
declare void @__tsan_write4(ptr)
declare i64 @__tsan_atomic64_load(ptr, i32)
declare void @__tsan_atomic64_store(ptr, i64, i32)
declare i64 @__tsan_atomic64_exchange(ptr, i64, i32)
declare i64 @__tsan_atomic64_compare_exchange_val(ptr, i64, i64, i32, i32)
"""
Change = Callable[["re.Match[str]"], str]


def _order(name: str) -> str:
    return f"i32 {NUMBERS[name]}"


LINES: tuple[tuple[str, Change], ...] = (
    (r"(%\w+) = load atomic i64, ptr %p (\w+), align 8",
     lambda m: f"{m[1]} = call i64 @__tsan_atomic64_load(ptr %p, {_order(m[2])})"),
    (r"store atomic i64 (%\w+), ptr %p (\w+), align 8",
     lambda m: f"call void @__tsan_atomic64_store(ptr %p, i64 {m[1]}, {_order(m[2])})"),
    (r"(%\w+) = atomicrmw xchg ptr %p, i64 (%\w+) (\w+), align 8",
     lambda m: f"{m[1]} = call i64 @__tsan_atomic64_exchange(ptr %p, i64 {m[2]}, {_order(m[3])})"),
    (r"%pair = cmpxchg ptr %p, i64 (%\w+), i64 (%\w+) (\w+) (\w+), align 8\n\s*(%\w+) = extractvalue .* %pair, 0",
     lambda m: f"{m[5]} = call i64 @__tsan_atomic64_compare_exchange_val(ptr %p, i64 {m[1]}, i64 {m[2]}, "
               f"{_order(m[3])}, {_order(m[4])})"),
    (r"%\w+ = load i64, ptr %p, align 8", lambda m: f"call void @__tsan_read8(ptr %p)\n  {m[0]}"),
    (r"store i64 %\w+, ptr %p, align 8", lambda m: f"call void @__tsan_write8(ptr %p)\n  {m[0]}"),
    (r"store i32 %\w+, ptr %p, align 8", lambda m: f"call void @__tsan_write4(ptr %p)\n  {m[0]}"),
)


def hooked(assembly: str) -> str:
    """The lowering with its hooks."""
    for form, change in LINES:
        assembly = re.sub(form, change, assembly)
    left = [word for word in ("load atomic", "store atomic", "atomicrmw", "cmpxchg") if word in assembly]
    assert not left, f"{left} have no hooks"
    return assembly + HOOKS
