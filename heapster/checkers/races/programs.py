"""Small programs of several threads, and their text form: `n1,m24/m24,f1|m24`.

Before the slash stands what thread 0 does before the others start; then one lane a thread. Blocks are
numbered as they are allocated, from left to right. A block may be used by the lane that allocated it
and by one other, which waits until the first has no more to do with it.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from heapster.model.operations import ROWS, Does, OperationRow
from heapster.model.placement import POLICY_NAMES
from heapster.model.system import SYSTEM_CALLS
from heapster.results import UsageError
from heapster.wording import counted

MOST_THREADS = 8
MOST_OPS = 64
MOST_REPEATED = 1000
NO_BLOCK = -1
CALLS_BY_LETTER = {call.letter: name for name, call in SYSTEM_CALLS.items()}


class OpKind(NamedTuple):
    """What an operation does with its block and how many numbers it takes."""

    name: str
    text: str                   # its text form, a regular expression
    block: str = ""             # "new", "uses" or "frees"




def _of(row: OperationRow) -> OpKind:
    """A call: the block that it takes, then its numbers; of a product the last; none that say what its block is."""
    block = "new" if not row.operand else "frees" if Does.RELEASES in row.does else "uses"
    numbers = 0 if block == "frees" else min(1, len(row.numbers)) if row.requests == "product" else len(row.numbers)
    return OpKind(row.name, row.letter + ":".join([r"(\d+)"] * (row.operand + numbers)), block)


KINDS = {
    **{row.letter: _of(row) for row in ROWS if row.letter},
    "i": OpKind("free_marked", r"i(\d+)", "frees"),
    "o": OpKind("as_shipped", r"o"),
    "j": OpKind("harden", r"j"),
    "p": OpKind("policy", r"p(\d+)"),
    "t": OpKind("threshold", r"t(\d+)"),
    "g": OpKind("growth", r"g(\d+)"),
    "n": OpKind("arenas", r"n(\d+)"),
    "h": OpKind("cache", r"h(\d+)"),
    "q": OpKind("queue", r"q(\d+)"),
    "R": OpKind("alone_in_its_run", r"R(\d+)", "uses"),
    "l": OpKind("keep", r"l(\d+)"),
    "d": OpKind("trim", r"d(\d+)"),
    "v": OpKind("realloc_alike", r"v(\d+):(\d+)", "uses"),
    "e": OpKind("thread_end", r"e"),
    "s": OpKind("stats", r"s"),
    "y": OpKind("stats_of_all", r"y"),
    "w": OpKind("status", r"w"),
    "k": OpKind("fork", r"k"),
    "z": OpKind("finalize", r"z"),
    "x": OpKind("fail", rf"x([{''.join(CALLS_BY_LETTER)}])(\d+)"),
}


class Op(NamedTuple):
    """One call, or one change of the world."""

    code: str                       # a key of KINDS
    numbers: tuple[int, ...] = ()
    block: int = NO_BLOCK           # that it allocates, uses or frees
    name: str = ""                  # of the system call that is to fail


class Program(NamedTuple):
    """What thread 0 does first, and then all threads at once."""

    prologue: tuple[Op, ...]
    lanes: tuple[tuple[Op, ...], ...]


def lanes_of(program: Program) -> Iterator[tuple[int, Op]]:
    """Every operation in text order with its lane, the prologue's as -1."""
    for op in program.prologue:
        yield -1, op
    for lane, ops in enumerate(program.lanes):
        for op in ops:
            yield lane, op


def numbered(program: Program) -> Program:
    """The program with its blocks numbered from left to right, as its text has them: what they hold hangs on that."""
    new = [op.block for _, op in lanes_of(program) if KINDS[op.code].block == "new"]
    number = {NO_BLOCK: NO_BLOCK, **{block: i for i, block in enumerate(new)}}
    prologue, *lanes = (tuple(op._replace(block=number[op.block]) for op in ops)
                        for ops in (program.prologue, *program.lanes))
    return Program(prologue, tuple(lanes))


def format_program(program: Program) -> str:
    """The text form, blocks numbered from left to right."""
    whole = numbered(program)
    prologue, *lanes = (",".join(map(_format_op, ops)) for ops in (whole.prologue, *whole.lanes))
    return f"{prologue}/{'|'.join(lanes)}" if prologue else "|".join(lanes)


def _format_op(op: Op) -> str:
    if op.code == "x":
        return f"x{SYSTEM_CALLS[op.name].letter}{op.numbers[0]}"
    words = [str(n) for n in op.numbers]
    if KINDS[op.code].block in ("uses", "frees"):
        words.insert(0, str(op.block))
    return op.code + ":".join(words)


def parse_program(text: str) -> Program:
    """The program in its text form, or UsageError."""
    before, slash, rest = text.partition("/")
    if not slash:
        before, rest = "", text
    count = 0
    parts = []
    for part in (before, *rest.split("|")):
        ops = [_parse_op(word.strip(), part) for word in part.split(",") if word.strip()]
        named = []
        for op in ops:
            is_new = KINDS[op.code].block == "new"
            named.append(op._replace(block=count) if is_new else op)
            count += is_new
        parts.append(tuple(named))
    program = Program(parts[0], tuple(parts[1:]))
    problem = wrong(program)
    if problem:
        raise UsageError(f"'{text}' is no program: {problem}")
    return program


def _parse_op(word: str, part: str) -> Op:
    kind = KINDS.get(word[:1])
    match = kind and re.fullmatch(kind.text, word, re.ASCII)
    if kind is None or match is None:
        raise UsageError(f"'{word}' in '{part}' is no operation: write m24, c24, a64:24, r0:48, f0, b0, i0, u0, "
                         "o, j, p2, t4096, g4096, n1, h64, q1, l4096, d0, v0:9, R0, e, s, y, w, k, z or xb1")
    if word[0] == "x":
        return Op("x", (int(match[2]),), name=CALLS_BY_LETTER[match[1]])
    numbers = tuple(int(group) for group in match.groups())
    if kind.block in ("uses", "frees"):
        return Op(word[0], numbers[1:], numbers[0])
    return Op(word[0], numbers)


def wrong(program: Program) -> str:
    """Why the program makes no sense, or nothing."""
    if not 1 <= len(program.lanes) <= MOST_THREADS:
        return f"it has {counted(len(program.lanes), 'thread')}, not 1 to {MOST_THREADS}"
    if sum(1 for _ in lanes_of(program)) > MOST_OPS:
        return f"it has more than {MOST_OPS} operations"
    if is_hardened(program) and any(op.code in "ki" for _, op in lanes_of(program)):
        return "of a hardened heap no fork is explored, and no block has a mark: leave k and i out"
    return _wrong_number(program) or _wrong_block(program) or _wrong_order(program)


def is_hardened(program: Program) -> bool:
    """Whether its heap is hardened from the start."""
    return any(op.code == "j" for op in program.prologue)


def _wrong_number(program: Program) -> str:
    for lane, op in lanes_of(program):
        if any(n >= 1 << 63 for n in op.numbers):
            return f"{max(op.numbers)} is more than a word can hold"
        if op.code == "p" and op.numbers[0] >= len(POLICY_NAMES):
            return f"policy {op.numbers[0]} is none of 0 to {len(POLICY_NAMES) - 1}: {', '.join(POLICY_NAMES)}"
        if op.code == "x" and op.numbers[0] < 1:
            return "calls that fail are counted from 1"
        if op.code in "oj" and lane >= 0:
            return f"{op.code} stands before the slash: it is how the library starts"
        if op.code == "r" and op.numbers[0] == 0:
            return "a realloc to 0 bytes frees; write f"
        if op.code == "R" and lane >= 0:
            return "R stands before the slash: it is how runs are when threads meet"
        if op.code in "qv" and (lane >= 0 or not 1 <= op.numbers[0] <= MOST_REPEATED):
            return f"{op.code} stands before the slash, and repeats 1 to {MOST_REPEATED} times"
    return ""


def _wrong_block(program: Program) -> str:
    uses: dict[int, list[tuple[int, str]]] = {}
    for lane, op in lanes_of(program):
        if op.block != NO_BLOCK:
            uses.setdefault(op.block, []).append((lane, KINDS[op.code].block))
    problems = ((block, _wrong_use(steps)) for block, steps in uses.items())
    return next((f"block {block} {problem}" for block, problem in problems if problem), "")


def _wrong_use(steps: list[tuple[int, str]]) -> str:
    """What is wrong about what lanes do with one block, in text order."""
    home = next((lane for lane, role in steps if role == "new"), None)
    if home is None:
        return "is never allocated"
    lanes = {lane for lane, _ in steps}
    if len(lanes - {home}) > 1 or -1 in lanes - {home}:
        return "is used by more than two lanes"
    for lane in lanes:
        roles = [role for at, role in steps if at == lane]
        if lane == home and roles[0] != "new":
            return "is used before it is allocated"
        if "frees" in roles[:-1]:
            return "is used after it was freed"
        if lane == home and len(lanes) > 1 and roles[-1] == "frees":
            return "is freed by one lane and used by another"
    return ""


def handovers(program: Program) -> dict[tuple[int, int], tuple[list[int], list[int]]]:
    """For each (lane, index of an operation): the blocks it waits for, and those it hands over after."""
    owner = {op.block: lane for lane, op in lanes_of(program) if KINDS[op.code].block == "new"}
    first: dict[tuple[int, int], int] = {}
    last: dict[tuple[int, int], int] = {}
    for lane, ops in enumerate(program.lanes):
        for index, op in enumerate(ops):
            if op.block != NO_BLOCK:
                first.setdefault((op.block, lane), index)
                last[op.block, lane] = index
    found: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
    for (block, lane), index in first.items():
        home = owner[block]
        if home not in (lane, -1):
            found.setdefault((lane, index), ([], []))[0].append(block)
            found.setdefault((home, last[block, home]), ([], []))[1].append(block)
    return found


def _wrong_order(program: Program) -> str:
    """Lanes that wait for each other's blocks must be able to end."""
    links = handovers(program)
    at = [0] * len(program.lanes)
    known: set[int] = set()
    moved = True
    while moved:
        moved = False
        for lane, ops in enumerate(program.lanes):
            while at[lane] < len(ops) and known.issuperset(links.get((lane, at[lane]), ((), ()))[0]):
                known.update(links.get((lane, at[lane]), ((), ()))[1])
                at[lane] += 1
                moved = True
    return "" if all(at[lane] == len(ops) for lane, ops in enumerate(program.lanes)) else \
        "its lanes wait for each other's blocks for ever"
