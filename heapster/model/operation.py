"""A trace as frozen values: the steps, each an operation of the table in `model/operations.py`.

A step speaks of handles, never of addresses: small numbers that stand for what earlier steps
answered. `NO_HANDLE` is NULL as an operand and nothing as a result.
"""

from collections.abc import Iterable
from typing import NamedTuple

NO_HANDLE = -1


class Step(NamedTuple):
    """One call of the allocator, or one change of the world around it."""

    verb: str                       # a key of OPERATIONS
    numbers: tuple[int, ...] = ()   # as OPERATIONS[verb].numbers names them; sizes as size_t, never negative
    result: int = NO_HANDLE         # the handle that the answer defines
    operand: int = NO_HANDLE        # the handle whose pointer is passed
    offset: int = 0                 # bytes added to that pointer
    name: str = ""                  # one of OPERATIONS[verb].names


Trace = tuple[Step, ...]


def handles(trace: Iterable[Step]) -> tuple[int, ...]:
    """The handles of a trace, by first appearance."""
    seen: dict[int, None] = {}
    for step in trace:
        seen.setdefault(step.operand)
        seen.setdefault(step.result)
    seen.pop(NO_HANDLE, None)
    return tuple(seen)


def canonical(trace: Iterable[Step]) -> Trace:
    """The same trace with its handles renumbered 0, 1, ... by first appearance."""
    steps = tuple(trace)
    fresh = {old: new for new, old in enumerate(handles(steps))}
    fresh[NO_HANDLE] = NO_HANDLE
    return tuple(step._replace(result=fresh[step.result], operand=fresh[step.operand]) for step in steps)


def undefined_handle(trace: Iterable[Step]) -> int:
    """Index of the first step that takes a handle no earlier step defined, or -1."""
    defined = {NO_HANDLE}
    for index, step in enumerate(trace):
        if step.operand not in defined:
            return index
        defined.add(step.result)
    return -1
