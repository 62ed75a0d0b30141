"""Which rules a call puts to the test: what a run may say that it has checked, and how often.

A rule is asked of an answer if some other answer to the same call would have broken it. What a target has no
function for is never asked.
"""

from collections.abc import Callable, Iterator

from heapster.model.operations import ASKING, PRODUCTS, requested
from heapster.model.rules import GIVING, POSIX, RULES
from heapster.model.spec import Operation, Promises, Result, alignment_is_bad, must_refuse

ALSO_AT = {"overlap": ASKING, "usable_too_small": GIVING}      # calls at which a rule of other functions is asked
Asks = Callable[[Operation, Result, Promises], bool]


def asked(operation: Operation, result: Result, promises: Promises) -> Iterator[str]:
    """The codes of the rules that such an answer is held to, where the operand is NULL or live."""
    for rule in RULES:
        about = not rule.of or operation.verb in rule.of or operation.verb in ALSO_AT.get(rule.code, ())
        if about and ASKED[rule.code](operation, result, promises):
            yield rule.code


def _always(*_: object) -> bool:
    return True


def _gave(operation: Operation, result: Result, promises: Promises) -> bool:
    """A block was given that may be given."""
    return bool(result.pointer) and must_refuse(operation, promises) is None


def _overlap(operation: Operation, result: Result, promises: Promises) -> bool:
    if operation.verb in ASKING:
        return operation.pointer != 0
    return _gave(operation, result, promises)


def _resized(operation: Operation, result: Result, promises: Promises) -> bool:
    return operation.pointer != 0 and _gave(operation, result, promises)


def _failed_to_resize(operation: Operation, result: Result, _: Promises) -> bool:
    return operation.pointer != 0 and not result.pointer and requested(operation) > 0


def _refused(operation: Operation, result: Result, promises: Promises) -> bool:
    """NULL was answered where errno must say why."""
    if operation.verb in POSIX:
        return result.returned != 0
    if result.pointer or not promises.errno:
        return False
    may_be_null = promises.realloc_zero != "allocates" if operation.pointer else promises.zero != "pointer"
    return requested(operation) > 0 or not may_be_null


def _overflows(operation: Operation, _: Result, promises: Promises) -> bool:
    return requested(operation) >> promises.bits != 0


def _is_huge(operation: Operation, result: Result, promises: Promises) -> bool:
    if operation.verb in PRODUCTS and _overflows(operation, result, promises):
        return False
    return requested(operation) >> (promises.bits - 1) != 0


def _is_empty(operation: Operation, _: Result, promises: Promises) -> bool:
    settled = promises.realloc_zero in ("frees", "keeps") if operation.pointer else promises.zero == "null"
    return requested(operation) == 0 and settled


def _is_confined(_: Operation, result: Result, __: Promises) -> bool:
    return result.bounds is not None or result.stray != 0


def _usable_known(operation: Operation, result: Result, promises: Promises) -> bool:
    if operation.verb in ASKING:
        return operation.pointer != 0
    return result.usable is not None and _gave(operation, result, promises)


ASKED: dict[str, Asks] = {
    "overlap": _overlap,
    "misaligned": _gave,
    "alignment_not_honoured": _gave,
    "contents_damaged": _always,
    "prefix_lost": _resized,
    "not_zeroed": _gave,
    "failed_realloc_changed_block": _failed_to_resize,
    "null_without_errno": _refused,
    "wrong_errno": _refused,
    "null_without_error": _always,
    "out_word_changed": lambda _, result, __: result.returned != 0,
    "errno_clobbered": lambda _, __, promises: promises.errno_kept,
    "free_changed_errno": _always,
    "overflow_accepted": _overflows,
    "huge_accepted": _is_huge,
    "impossible_address": _gave,
    "block_wraps": _gave,
    "outside_region": lambda operation, result, promises: (
        result.bounds is not None and _gave(operation, result, promises)),
    "touched_outside": _is_confined,
    "foreign_memory_harmed": lambda _, result, __: result.beside or result.harmed != 0,
    "bad_alignment_accepted": lambda operation, _, promises: alignment_is_bad(operation, promises),
    "usable_too_small": _usable_known,
    "usable_shrank": lambda operation, _, __: operation.pointer != 0,
    "usable_of_null": lambda operation, _, __: not operation.pointer,
    "zero_size_inconsistent": _is_empty,
}
