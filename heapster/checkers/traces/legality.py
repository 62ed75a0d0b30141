"""Whether a trace frees and resizes only what it holds: long runs leave misuse to `fuzz` and `replay`."""

from heapster.checkers.traces.compact import FINALIZE, RELEASES, VERBS, Compact
from heapster.model.operation import NO_HANDLE
from heapster.model.operations import ON_BLOCKS

TAKES = bytes(verb in ON_BLOCKS for verb in VERBS)
Misuse = tuple[int, str]


def first_misuse(trace: Compact) -> Misuse | None:
    """Index and description of the first step that takes a pointer that is not live."""
    live = bytearray(trace.handles() + 1)
    ever = bytearray(len(live))
    for index, (verb, result, operand, _, _, offset) in enumerate(zip(*trace.columns, strict=True)):
        if TAKES[verb] and operand != NO_HANDLE:
            if not live[operand] or offset:
                return index, _words(VERBS[verb], ever[operand], offset)
            if RELEASES[verb]:
                live[operand] = 0
        if result != NO_HANDLE:
            live[result] = ever[result] = 1
        elif verb == FINALIZE:
            live = bytearray(len(live))
    return None


def _words(verb: str, ever: int, offset: int) -> str:
    if offset:
        return f"{verb} of a pointer into a block"
    return f"{verb} of a block that was freed already" if ever else f"{verb} of a block that was never allocated"
