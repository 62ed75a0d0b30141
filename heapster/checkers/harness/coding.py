"""Bytes as operations, and operations as bytes: what a fuzzer varies. `c/driver.c` reads them in the same way.

    byte 0      which of the target's functions, in the order of `verbs_of`, going round
    byte 1      which of the open blocks the call takes, going round; from 0xf8 on NULL; of calls that align: the power
    bytes 2, 3  the size, low byte first: 12 bits, shifted left by the other 4; from 0xf000 on the largest there are

A block is open from the step that asks for it to the step that frees or resizes it, whatever was answered.
"""

from collections.abc import Iterator

from heapster.model.geometry import SIZE_MAX
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import ALIGNING, OPERATIONS, REQUESTS, RESIZING, requested

OP_BYTES, MOST_OPS = 4, 256
NULL, HUGE = 0xf8, 0xf
LEAST_POWER, POWERS = 3, 10     # alignments of 8 to 4096 bytes
FIRST, LAST = ("malloc", "free"), ("usable_size",)
CODED = (*FIRST, *(verb for verb, kind in REQUESTS.items() if kind != "pages" and verb not in FIRST), *LAST)


def verbs_of(has: frozenset[str]) -> tuple[str, ...]:
    """The functions that a harness calls, of those that a target has: their places are what byte 0 tells."""
    return tuple(verb for verb in CODED if verb in has)


def decoded(data: bytes, verbs: tuple[str, ...]) -> Trace:
    """The steps that the bytes stand for; those beyond the largest number are passed over."""
    return tuple(_steps(data, verbs))


def _steps(data: bytes, verbs: tuple[str, ...]) -> Iterator[Step]:
    open_: list[int] = []
    for number in range(min(len(data) // OP_BYTES, MOST_OPS)):
        which, chosen, low, high = data[number * OP_BYTES:(number + 1) * OP_BYTES]
        verb = verbs[which % len(verbs)]
        takes = OPERATIONS[verb].operand
        operand = open_[chosen % len(open_)] if takes and open_ and chosen < NULL else NO_HANDLE
        if verb == "usable_size":
            yield Step(verb, (), NO_HANDLE, operand)
            continue
        if operand != NO_HANDLE:
            open_.remove(operand)
        if verb == "free":
            yield Step(verb, (), NO_HANDLE, operand)
            continue
        yield Step(verb, _numbers(verb, _size(low | high << 8, verb), chosen), number, operand)
        open_.append(number)


def _size(code: int, verb: str) -> int:
    shift, bits = code >> 12, code & 0xfff
    size = SIZE_MAX - bits if shift == HUGE else bits << shift
    return max(1, size) if verb in RESIZING else size


def _numbers(verb: str, size: int, chosen: int) -> tuple[int, ...]:
    if verb in ALIGNING:
        return 1 << LEAST_POWER + chosen % POWERS, size
    return (1, size) if REQUESTS[verb] == "product" else (size,)


def encoded(trace: Trace, verbs: tuple[str, ...]) -> bytes:
    """Bytes that stand for the steps, as near as they come: what has no code is left out, sizes are rounded up."""
    data, open_ = bytearray(), list[int]()
    names: dict[int, int] = {}              # a handle of the trace: the number of its step here
    for step in trace:
        number = len(data) // OP_BYTES
        if step.verb not in verbs or number >= MOST_OPS or _unknown(step, names):
            continue
        data.append(verbs.index(step.verb))
        data.append(_chosen(step, names, open_))
        data += _code(requested(step) if step.verb in REQUESTS else 0).to_bytes(2, "little")
        if step.operand in names and step.verb != "usable_size":
            open_.remove(names.pop(step.operand))
        if step.verb in REQUESTS:
            names[step.result] = number
            open_.append(number)
    return bytes(data)


def _unknown(step: Step, names: dict[int, int]) -> bool:
    return step.operand != NO_HANDLE and step.operand not in names


def _chosen(step: Step, names: dict[int, int], open_: list[int]) -> int:
    if step.verb in ALIGNING:
        return min(max(step.numbers[0].bit_length() - 1 - LEAST_POWER, 0), POWERS - 1)
    if not OPERATIONS[step.verb].operand or step.operand == NO_HANDLE:
        return NULL
    return min(open_.index(names[step.operand]), NULL - 1)


def _code(size: int) -> int:
    """The code of the least size that is not below it."""
    for shift in range(HUGE):
        if (bits := -(-size >> shift)) <= 0xfff:
            return shift << 12 | bits
    return HUGE << 12 | min(SIZE_MAX - min(size, SIZE_MAX), 0xfff)
