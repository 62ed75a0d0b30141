"""Whether a trace frees and resizes only what it holds, and says no wrong of it: long runs leave misuse to `fuzz`."""

from heapster.checkers.traces.compact import FINALIZE, RELEASES, VERBS, Compact
from heapster.model.operation import NO_HANDLE
from heapster.model.operations import NUMBER, ON_BLOCKS, REQUESTS, STATING, Stated, alignment_asked, requested, stated
from heapster.wording import counted

TAKES = bytes(verb in ON_BLOCKS for verb in VERBS)
Misuse = tuple[int, str]


def first_misuse(trace: Compact) -> Misuse | None:
    """Index and description of the first step that takes a pointer that is not live, or says of it what is not so."""
    return min(filter(None, (_first_dead(trace), _first_misstated(trace))), default=None)


def _first_misstated(trace: Compact) -> Misuse | None:
    """The first step that says of a block that it was asked for with what it was not."""
    if not {NUMBER[verb] for verb in STATING} & set(trace.columns.verbs):
        return None
    asked: dict[int, Stated] = {}
    for index, step in enumerate(trace):
        block, said = asked.get(step.operand), stated(step)
        if said and block and said != block:
            return index, f"{step.verb} with {_told(said)} of a block that was asked for with {_told(block)}"
        if step.verb in REQUESTS:
            asked[step.result] = Stated(alignment_asked(step), requested(step))
    return None


def _told(block: Stated) -> str:
    where = f" at a multiple of {block.alignment:,}" if block.alignment is not None else ""
    return f"{counted(block.size, 'byte')}{where}"


def _first_dead(trace: Compact) -> Misuse | None:
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
