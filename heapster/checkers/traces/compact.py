"""A trace of millions of steps in memory: six columns of plain numbers, 33 bytes a step.

    trace = Compact()
    trace.append(Step("malloc", (40,), 0))
    assert trace.step(0) == Step("malloc", (40,), 0)
"""

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import NUMBER, OPERATIONS, ROWS, TAKING

VERBS = tuple(OPERATIONS)               # by number
WORD_MASK = (1 << 64) - 1
SIGN = 1 << 63
ARITY = tuple(len(row.numbers) for row in ROWS)
NAMES = tuple(row.names for row in ROWS)
MOST_STEPS = 200_000_000         # 7 GB; and a file that inflates to more is no trace
RELEASES = bytes(verb in TAKING for verb in VERBS)
FINALIZE = NUMBER["finalize"]
IS_DELTA = frozenset(row.number for row in ROWS if "delta" in row.numbers)


class Columns(NamedTuple):
    """One number of each step a column; all of one length."""

    verbs: "array[int]"             # places in VERBS
    results: "array[int]"           # handles; NO_HANDLE
    operands: "array[int]"
    firsts: "array[int]"            # the step's numbers, 0 where it has none; deltas modulo 2**64
    seconds: "array[int]"           # of steps that take a name, its place in Row.names
    offsets: "array[int]"


CODES = ("B", "i", "i", "Q", "Q", "q")      # of the columns, in `array`'s letters


class Compact:
    """A sequence of steps."""

    __slots__ = ("columns", "warnings")

    def __init__(self, columns: Columns | None = None, warnings: tuple[str, ...] = ()) -> None:
        self.columns = columns or Columns(*[array(code) for code in CODES])
        self.warnings = list(warnings)      # what was odd about the file it came from, a line each

    def __len__(self) -> int:
        return len(self.columns.verbs)

    def __iter__(self) -> Iterator[Step]:
        return map(_step, *self.columns)

    def append(self, step: Step) -> None:
        """Add a step."""
        number = NUMBER[step.verb]
        numbers = (*step.numbers, 0, 0)
        second = NAMES[number].index(step.name) if step.name else numbers[1]
        self.add(number, step.result, step.operand, numbers[0], second, step.offset)

    def add(self, verb: int, result: int, operand: int, first: int = 0, second: int = 0, offset: int = 0) -> None:
        """Add a step, in the numbers of the columns."""
        columns = self.columns
        columns.verbs.append(verb)
        columns.results.append(result)
        columns.operands.append(operand)
        columns.firsts.append(first & WORD_MASK)
        columns.seconds.append(second & WORD_MASK)
        columns.offsets.append(offset)

    def step(self, index: int) -> Step:
        """The step at that place."""
        return _step(*[column[index] for column in self.columns])

    def steps(self, start: int, end: int) -> Trace:
        """The steps from `start` up to `end`."""
        return tuple(map(_step, *[column[start:end] for column in self.columns]))

    @property
    def is_full(self) -> bool:
        """Whether it has all the steps that a trace may have."""
        return len(self) >= MOST_STEPS

    def handles(self) -> int:
        """One more than the greatest handle."""
        return max(max(self.columns.results, default=NO_HANDLE), max(self.columns.operands, default=NO_HANDLE)) + 1


def dense(trace: Compact) -> Compact:
    """The same steps, with handles that are not greater than there are."""
    names = {NO_HANDLE: NO_HANDLE}
    handles = [array("i", [names.setdefault(handle, len(names) - 1) for handle in column])
               for column in (trace.columns.results, trace.columns.operands)]
    return Compact(trace.columns._replace(results=handles[0], operands=handles[1]), tuple(trace.warnings))


def frugal(trace: Compact) -> Compact:
    """The same steps, with the handles of freed blocks used again: no more of them than blocks live at once.

    Requires: the trace frees and resizes only what it holds.
    """
    names, unused, fresh = {NO_HANDLE: NO_HANDLE}, list[int](), 0
    results, operands = array("i"), array("i")
    for verb, result, operand in zip(*trace.columns[:3], strict=True):
        operands.append(names[operand])
        if RELEASES[verb] and operand != NO_HANDLE:
            unused.append(names.pop(operand))
        if result != NO_HANDLE:
            names[result] = unused.pop() if unused else fresh
            fresh += names[result] == fresh
        elif verb == FINALIZE:
            names, unused, fresh = {NO_HANDLE: NO_HANDLE}, [], 0
        results.append(names[result])
    return Compact(trace.columns._replace(results=results, operands=operands), tuple(trace.warnings))


def compact(steps: Iterator[Step] | Trace) -> Compact:
    """The steps, compactly."""
    trace = Compact()
    for step in steps:
        trace.append(step)
    return trace


def _step(verb: int, result: int, operand: int, first: int, second: int, offset: int) -> Step:
    arity, names = ARITY[verb], NAMES[verb]
    if verb in IS_DELTA and first & SIGN:
        first -= 1 << 64
    numbers = (first, second)[:arity] if arity else ()
    return Step(VERBS[verb], numbers, result, operand, offset, names[second] if names else "")
