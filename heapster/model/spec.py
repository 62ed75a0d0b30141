"""May a correct allocator answer this? A relation of what the caller holds, an operation and a result.

It knows nothing of blocks, lists or arenas, and judges any allocator: ours, libc's, a stranger's. What
the standards leave open is a promise of the target (`Promises`), learnt or given. `RULES` names the
source of every rule.

    reasons = explains(live, Operation("malloc", (40,)), Result(pointer), promises)
    if not reasons:
        advance(live, operation, result, promises)
"""

from collections.abc import Iterator
from typing import NamedTuple

from heapster.model.amounts import figure, in_bytes
from heapster.model.geometry import EINVAL, ENOMEM, PAGE, WORD, is_power_of_two
from heapster.model.live import Held, Live
from heapster.model.operations import (
    ALIGNING,
    ASKING,
    RELEASING,
    REQUESTS,
    RESIZING,
    alignment_asked,
    requested,
)
from heapster.model.problem import Problem
from heapster.model.rules import POSIX


class Operation(NamedTuple):
    """A call of the allocator."""

    verb: str                       # as a Step's; other verbs than the allocator's change nothing
    numbers: tuple[int, ...] = ()   # as a Step's: (size), (count, size) or (alignment, size)
    pointer: int = 0                # what was passed to free, realloc, reallocarray or usable_size


class Result(NamedTuple):
    """The result of a call, as its caller sees it."""

    pointer: int = 0                # answered, or stored by posix_memalign
    errno: int = 0                  # what it set errno to; 0: it left errno alone
    returned: int = 0               # by posix_memalign
    usable: int | None = None       # usable size of `pointer`, or the answer of usable_size; None: not asked
    damaged: tuple[tuple[int, int], ...] = ()   # (payload, offset): live blocks whose contents changed
    prefix_lost: int | None = None  # first offset at which a reallocated block differs from the old
    dirty: int | None = None        # first offset at which a calloc'ed block is not zero
    out_changed: bool = False       # a failed posix_memalign stored something other than NULL
    bounds: tuple[int, int] | None = None       # where the memory starts and ends that the target may use
    stray: int = 0                  # how far from there a byte changed: before its start, if negative; 0: none did
    harmed: int = 0                 # what became of memory that others have of the system: a key of HARMS; 0: none
    beside: bool = False            # others have some


class Promises(NamedTuple):
    """A target's choices where the standards leave room."""

    alignment: int = 16             # of every payload, at least
    small_blocks: bool = False      # True: a block need not be aligned beyond its own size (C23 7.24.3p1)
    errno: bool = True              # NULL comes with ENOMEM or EINVAL
    errno_kept: bool = False        # success leaves errno alone
    bad_alignment: bool = True      # aligned_alloc and memalign refuse what is no power of two
    zero: str = "either"            # an empty block is "null", a "pointer", or "either"
    realloc_zero: str = "open"      # realloc(p, 0) "frees", "keeps" p and gives NULL, "allocates", or "open"
    bits: int = 64                  # of a size_t
    start: str = "the start of its memory"      # what the bounds of a target are called that has some
    end: str = "the end of its memory"


OURS = Promises(errno_kept=True, zero="pointer", realloc_zero="frees")

FAR = 1 << 20                   # bytes; what is touched so far outside of a heap has nothing to do with its edge
HARMS = {1: "changed memory that somebody else took from the system",
         2: "gave memory back to the system that somebody else had taken from it",
         3: "gave a block in memory that somebody else had taken from the system"}


def explains(
    live: Live, operation: Operation, result: Result, promises: Promises = OURS,
) -> tuple[Problem, ...]:
    """The reasons why no correct allocator could have answered so; none: it could.

    Misuse explains everything: an operand must be NULL or live for a rule to hold of it, and what is said of it so.
    """
    verb, pointer = operation.verb, operation.pointer
    if pointer and (pointer not in live or live[pointer].is_misstated(operation)):
        return ()
    reasons = list(_contents(live, operation, result))
    if verb in RELEASING:
        if result.errno:
            reasons.append(Problem("free_changed_errno", f"{verb} set errno to {result.errno}", pointer))
    elif verb in ASKING:
        reasons += _usable_size(live, pointer, result)
    elif verb in REQUESTS:
        reasons += _answer(live, operation, result, promises)
    if result.stray:
        reasons.append(Problem("touched_outside", f"{verb} changed what lies {where_outside(result.stray, promises)}"))
    if result.harmed:
        reasons.append(Problem("foreign_memory_harmed", f"{verb} {HARMS[result.harmed]}"))
    return tuple(reasons)


def where_outside(stray: int, promises: Promises) -> str:
    """A byte outside of a target's memory, in words."""
    edge, side = (promises.start, "before") if stray < 0 else (promises.end, "beyond")
    return f"{in_bytes(abs(stray)) if abs(stray) < FAR else 'far'} {side} {edge}"


def advance(live: Live, operation: Operation, result: Result, promises: Promises = OURS) -> None:
    """Make `live` what the caller holds after the operation."""
    verb, pointer = operation.verb, operation.pointer
    if verb == "finalize":
        live.clear()
    elif verb in RELEASING:
        if pointer:
            live.remove(pointer)
    elif verb in ASKING:
        if pointer and result.usable:
            live.add(live[pointer]._replace(usable=max(live[pointer].extent, result.usable)))
    elif verb in REQUESTS:
        if pointer and (result.pointer or _gives_up(operation, promises)):
            live.remove(pointer)
        if result.pointer:
            live.add(Held(result.pointer, requested(operation), result.usable, alignment_asked(operation)))


def _gives_up(operation: Operation, promises: Promises) -> bool:
    """True if NULL from realloc means that the old block is gone, or may be."""
    return requested(operation) == 0 and promises.realloc_zero in ("frees", "open")


def _contents(live: Live, operation: Operation, result: Result) -> Iterator[Problem]:
    """Nobody but the caller writes into live blocks."""
    for pointer, offset in result.damaged:
        held = live[pointer]
        if pointer == operation.pointer and operation.verb in RESIZING:
            yield Problem("failed_realloc_changed_block",
                          f"{operation.verb} failed, yet byte {offset} of its block changed", pointer)
        else:
            yield Problem("contents_damaged",
                          f"byte {offset} of a live block of {in_bytes(held.request)} changed", pointer)


def _usable_size(live: Live, pointer: int, result: Result) -> Iterator[Problem]:
    usable = result.usable or 0
    if not pointer:
        if usable:
            yield Problem("usable_of_null", f"NULL has {figure(usable)} usable bytes")
        return
    held = live[pointer]
    if held.usable is not None and held.request <= usable < held.usable:
        yield Problem("usable_shrank", f"{in_bytes(usable)} are usable, and {figure(held.usable)} were", pointer)
    yield from _usable(held.request, usable, pointer)
    yield from _overlap(live, pointer, usable, pointer)


def _answer(live: Live, operation: Operation, result: Result, promises: Promises) -> Iterator[Problem]:
    """The rules for everything that answers a block."""
    request = requested(operation)
    if operation.verb in POSIX:
        yield from _posix_memalign(operation, result, promises)
        if result.returned:
            return
    if not result.pointer:
        yield from _null(operation, request, result, promises)
        return
    if promises.errno_kept and result.errno:
        yield Problem("errno_clobbered", f"{operation.verb} succeeded, yet set errno to {result.errno}",
                      result.pointer)
    refusal = must_refuse(operation, promises)
    if refusal:
        yield refusal._replace(where=result.pointer)
        return
    yield from _block(live, operation, result, promises)


def must_refuse(operation: Operation, promises: Promises) -> Problem | None:
    """Why an operation that asks for a block must answer NULL, if it must."""
    request = requested(operation)
    if request >> promises.bits and REQUESTS[operation.verb] == "product":
        count, size = operation.numbers
        return Problem("overflow_accepted", f"{figure(count)} times {in_bytes(size)} is more than SIZE_MAX")
    if request >> (promises.bits - 1):
        return Problem("huge_accepted", f"{operation.verb} of more than PTRDIFF_MAX bytes succeeded")
    if operation.pointer and request == 0 and promises.realloc_zero in ("frees", "keeps"):
        return Problem("zero_size_inconsistent", f"{operation.verb}(p, 0) gave a block, not NULL as elsewhere")
    if request == 0 and not operation.pointer and promises.zero == "null":
        return Problem("zero_size_inconsistent", "a block of 0 bytes was given, not NULL as elsewhere")
    if alignment_is_bad(operation, promises):
        return Problem("bad_alignment_accepted",
                       f"{operation.verb} took {figure(operation.numbers[0])}, which is no legal alignment")
    return None


def alignment_is_bad(operation: Operation, promises: Promises) -> bool:
    """True if the operation must refuse its alignment."""
    if operation.verb not in ALIGNING:
        return False
    alignment = operation.numbers[0]
    if operation.verb in POSIX:
        return not is_power_of_two(alignment) or alignment % (promises.bits // WORD) != 0
    return promises.bad_alignment and not is_power_of_two(alignment)


def _block(live: Live, operation: Operation, result: Result, promises: Promises) -> Iterator[Problem]:
    """The rules for a block that was rightly given."""
    request, pointer = requested(operation), result.pointer
    extent = Held(pointer, request, result.usable).extent
    end = _end_of_memory(promises)
    if not PAGE <= pointer < end:
        where = "in the first page, where NULL points" if pointer < PAGE else "where no program has memory"
        yield Problem("impossible_address", f"the payload is {where}", pointer)
        return
    if pointer + extent > end:
        yield Problem("block_wraps", f"the block's {in_bytes(extent)} reach beyond the end of memory", pointer)
        return
    yield from _within(pointer, max(request, result.usable or 0), result.bounds, promises)
    yield from _alignment(operation, request, pointer, promises)
    yield from _overlap(live, pointer, extent, operation.pointer)
    if result.usable is not None:
        yield from _usable(request, result.usable, pointer)
    if result.prefix_lost is not None:
        yield Problem("prefix_lost", f"byte {result.prefix_lost} is not what the old block held", pointer)
    if result.dirty is not None:
        yield Problem("not_zeroed", f"byte {result.dirty} of the block is not zero", pointer)


def _within(pointer: int, extent: int, bounds: tuple[int, int] | None, promises: Promises) -> Iterator[Problem]:
    if bounds is None:
        return
    low, high = bounds
    if pointer < low:
        yield Problem("outside_region", f"the block starts {in_bytes(low - pointer)} before {promises.start}", pointer)
    elif pointer + extent > high:
        beyond = pointer + extent - high
        yield Problem("outside_region", f"the block ends {in_bytes(beyond)} beyond {promises.end}", pointer)


def _end_of_memory(promises: Promises) -> int:
    """The first address that is no program's: of 64 bits the system has the upper half."""
    return 1 << min(promises.bits, 63)


def _alignment(operation: Operation, request: int, pointer: int, promises: Promises) -> Iterator[Problem]:
    least = promises.alignment
    if promises.small_blocks and request < least:
        least = 1 << max(request, 1).bit_length() - 1
    if pointer & (least - 1):
        yield Problem("misaligned", f"the payload is {_remainder(pointer, least)}", pointer)
    asked = alignment_asked(operation)
    if asked and is_power_of_two(asked) and asked > least and pointer & (asked - 1):
        yield Problem("alignment_not_honoured", f"the payload is {_remainder(pointer, asked)}", pointer)


def _remainder(pointer: int, alignment: int) -> str:
    return f"{in_bytes(pointer & (alignment - 1))} beyond a multiple of {figure(alignment)}"


def _overlap(live: Live, pointer: int, extent: int, besides: int) -> Iterator[Problem]:
    other = live.overlapping(pointer, extent, besides)
    if other is None:
        return
    away = pointer - other.pointer
    by, reach = abs(away), "into" if away == abs(away) else "before, and reaches into,"
    where = f"starts {in_bytes(by)} {reach}" if by else "starts where there is"
    yield Problem("overlap", f"the block of {in_bytes(extent)} {where} a live block of {in_bytes(other.extent)}",
                  other.pointer)


def _usable(request: int, usable: int, pointer: int) -> Iterator[Problem]:
    if usable < request:
        yield Problem("usable_too_small", f"of {in_bytes(request)} asked for {figure(usable)} can be used", pointer)


def _null(operation: Operation, request: int, result: Result, promises: Promises) -> Iterator[Problem]:
    """The rules for NULL. `posix_memalign` has its own."""
    if request == 0 and operation.pointer:
        if promises.realloc_zero in ("frees", "keeps", "open"):
            if promises.errno_kept and result.errno:
                yield Problem("errno_clobbered", f"{operation.verb}(p, 0) set errno to {result.errno}")
            return
    elif request == 0 and promises.zero in ("null", "either"):
        return
    if operation.verb in POSIX or not promises.errno:
        return
    allowed = allowed_errors(operation, promises)
    if not result.errno:
        yield Problem("null_without_errno", f"{operation.verb} answered NULL and left errno alone")
    elif result.errno not in allowed:
        yield Problem("wrong_errno",
                      f"{operation.verb} failed with errno {result.errno}, not {_either(allowed)}")


def allowed_errors(operation: Operation, promises: Promises) -> tuple[int, ...]:
    """The values that errno may take when an operation that asks for a block fails."""
    request = requested(operation)
    if operation.verb not in ALIGNING:
        return (ENOMEM,)
    alignment = operation.numbers[0]
    if alignment_is_bad(operation, promises):
        return (EINVAL, ENOMEM) if request >> (promises.bits - 1) else (EINVAL,)
    usual = operation.verb in POSIX or (
        is_power_of_two(alignment) and alignment <= PAGE and request % alignment == 0)
    return (ENOMEM,) if usual else (ENOMEM, EINVAL)


def _posix_memalign(operation: Operation, result: Result, promises: Promises) -> Iterator[Problem]:
    """It returns its error, and on failure leaves the caller's pointer alone or NULL."""
    code = result.returned
    if promises.errno_kept and result.errno and not result.pointer:
        yield Problem("errno_clobbered", f"posix_memalign set errno to {result.errno}")
    if code == 0:
        if not result.pointer and (operation.numbers[1] or promises.zero == "pointer"):
            yield Problem("null_without_error", "posix_memalign returned 0 and stored no block")
        return
    if result.out_changed or result.pointer:
        yield Problem("out_word_changed", f"posix_memalign returned {code}, yet stored a pointer")
    allowed = allowed_errors(operation, promises)
    if code not in allowed:
        yield Problem("wrong_errno", f"posix_memalign returned {code}, not {_either(allowed)}")


def _either(codes: tuple[int, ...]) -> str:
    return " or ".join(str(code) for code in codes)
