"""What a compiler could get wrong: faults of several kinds, each planted at each place of a function where it fits."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from heapster.checkers.proofs.compiled.llvm_text import CompiledFunction, Instruction, Operand

COMPARISONS = {"slt": "sle", "sle": "slt", "sgt": "sge", "sge": "sgt", "ult": "ule", "ule": "ult", "ugt": "uge",
               "uge": "ugt", "eq": "ne", "ne": "eq"}
SHIFTS = {"lshr": "ashr", "ashr": "lshr", "shl": "lshr"}
OTHERS = {"add": "sub", "sub": "add", "and": "or", "or": "xor"}
Block = tuple[Instruction, ...]


class CodeFault(NamedTuple):
    """A fault in a function of the library."""

    kind: str
    text: str                       # of the instruction
    code: CompiledFunction


def planted(code: CompiledFunction) -> Iterator[CodeFault]:
    """The function with each fault, one at a time."""
    for name, block in code.blocks.items():
        for place, instruction in enumerate(block):
            for kind, change in KINDS.items():
                changed = change(block, place)
                if changed is not None:
                    yield CodeFault(kind, instruction.text, code._replace(blocks={**code.blocks, name: changed}))


def _instead(block: Block, place: int, *others: Instruction) -> Block:
    return (*block[:place], *others, *block[place + 1:])


def _dropped(block: Block, place: int) -> Block | None:
    return _instead(block, place) if block[place].operation == "store" and block[place].type == "i64" else None


def _later(block: Block, place: int) -> Block | None:
    """A store that is done only after an atomic access that follows it."""
    following = block[place + 1:place + 2]
    if _dropped(block, place) is None or not following or following[0].operation not in {"load", "store", "call"} or (
            block[place].words[0] == "" and (following[0].words[0] in {"", "monotonic"})):
        return None
    return (*block[:place], following[0], block[place], *block[place + 2:])


def _constant(block: Block, place: int) -> Block | None:
    i = block[place]
    if i.operation not in {"add", "and", "icmp", "call", "select", "store", "ret"}:
        return None
    index = next((index for index, operand in enumerate(i.operands)
                  if operand.kind == "number" and operand.type == "i64"), None)
    if index is None:
        return None
    other = i.operands[index]._replace(number=i.operands[index].number + 8)
    return _instead(block, place, i._replace(operands=_with(i.operands, index, other)))


def _with(operands: tuple[Operand, ...], index: int, other: Operand) -> tuple[Operand, ...]:
    return (*operands[:index], other, *operands[index + 1:])


def _predicate(block: Block, place: int) -> Block | None:
    i = block[place]
    return _instead(block, place, i._replace(words=(COMPARISONS[i.words[0]],))) if i.operation == "icmp" else None


def _shift(block: Block, place: int) -> Block | None:
    i = block[place]
    return _instead(block, place, i._replace(operation=SHIFTS[i.operation], flags=frozenset())) if (
        i.operation in SHIFTS) else None


def _operation(block: Block, place: int) -> Block | None:
    i = block[place]
    return _instead(block, place, i._replace(operation=OTHERS[i.operation], flags=frozenset())) if (
        i.operation in OTHERS) else None


def _branch(block: Block, place: int) -> Block | None:
    i = block[place]
    return _instead(block, place, i._replace(words=i.words[::-1])) if i.operation == "br" and i.operands else None


def _poison(block: Block, place: int) -> Block | None:
    """A promise that nothing wraps around."""
    i = block[place]
    return _instead(block, place, i._replace(flags=i.flags | {"nuw"})) if (
        i.operation == "sub" and "nuw" not in i.flags) else None


KINDS: Mapping[str, Callable[[Block, int], Block | None]] = {
    "a store is dropped": _dropped, "a store is done late": _later, "another constant": _constant,
    "another comparison": _predicate, "another shift": _shift, "another operation": _operation,
    "the other branch": _branch, "a wrong promise": _poison}
