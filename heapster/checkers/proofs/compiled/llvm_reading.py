"""One function of LLVM's language, carried out on unknown words, block by block."""

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import z3

from heapster.checkers.proofs.compiled.llvm_text import CompiledFunction, Instruction, Operand
from heapster.checkers.proofs.compiled.memory import low_half
from heapster.checkers.proofs.compiled.ways import JointWay, NotCovered
from heapster.checkers.proofs.compiled.words import (
    BINARY,
    WIDTH,
    Slot,
    Value,
    as_bit,
    as_condition,
    bits_set,
    calculated,
    compared,
    converted,
    either,
    limited,
    number,
    picked,
    width_of,
    within,
)
from heapster.checkers.proofs.compiled.world import World, checked

MOST_TURNS = 40                     # through one block
THREAD, STATICS, ALONE = "heapster_thread", "heapster_statics", "__libc_single_threaded"
ERRNO = "__errno_location"
IGNORED = ("llvm.lifetime.", "llvm.prefetch")
BEST = ("llvm.smax", "llvm.smin", "llvm.umax", "llvm.umin")


class LookedUp(NamedTuple):
    """What a function may look up: tables of bytes, and the ranges of what others answer."""

    tables: Mapping[str, bytes]
    ranges: Mapping[str, tuple[int, int]]


NOTHING = LookedUp({}, {})


class LoopFound(NotCovered):
    """The code runs through one block too often: a loop whose end is not in sight."""


class CodeReading:
    """A function that is being carried out."""

    def __init__(self, code: CompiledFunction, world: World, given: Mapping[str, Any],
                 around: LookedUp = NOTHING) -> None:
        self.code, self.world, self.way = code, world, world.steps.way
        self._tables, self._ranges = around
        self.registers: dict[str, Any] = dict(given)
        self.slots: dict[str, Value | None] = {}
        self.answer: Value | None = None
        self.ended = ""                 # ret or unreachable, once it did
        self._turns: dict[str, int] = {}

    # Values.

    def value(self, operand: Operand) -> Any:
        """A word or an address."""
        if operand.kind == "local":
            found = self.registers[operand.name]
            if found is None:
                raise NotCovered(f"%{operand.name} has no value")
            return found
        if operand.kind == "number":
            return Value(number(operand.number, width_of(operand.type)))
        if operand.kind == "global":
            return self._global(operand.name)
        return self._expression(operand)

    def _global(self, name: str) -> Any:
        if name in self._tables:
            return Slot(name, number(0))
        if name in {THREAD, STATICS, ALONE}:
            return Value(z3.BitVec(name, WIDTH))
        raise NotCovered(f"the address of {name} is taken")

    def _expression(self, operand: Operand) -> Any:
        of = [self.value(each) for each in operand.of]
        if operand.name.startswith("getelementptr"):
            return self._moved(operand.name.split(maxsplit=1)[1], of, operand.flags)
        if operand.name in BINARY:
            return calculated(operand.name, operand.flags, *of)
        return of[0]

    def _moved(self, element: str, of: list[Any], flags: frozenset[str]) -> Any:
        """An address that lies so many elements further."""
        if element != "i8" or len(of) != 2:
            raise NotCovered(f"an address within {element}")
        base, further = of
        if isinstance(base, Slot):
            return Slot(base.object, z3.simplify(base.offset + checked(further, self.way, "an address")))
        return calculated("add", flags & {"nuw"}, base, further)

    def term(self, operand: Operand, what: str) -> Any:
        """A word that is acted upon."""
        value = self.value(operand)
        if isinstance(value, Slot):
            raise NotCovered("an address of its own is passed on")
        return checked(value, self.way, what)

    # Running.

    def run(self) -> Iterator[None]:
        """Carry it out; pause after each step."""
        before, block = "", self.code.first
        while not self.ended:
            self._turns[block] = self._turns.get(block, 0) + 1
            if self._turns[block] > MOST_TURNS:
                raise LoopFound("a loop")
            self._choose(block, before)
            for instruction in self.code.blocks[block]:
                if instruction.operation == "phi":
                    continue
                following: str = yield from self._carried(instruction)
                if following:
                    before, block = block, following

    def _choose(self, block: str, before: str) -> None:
        """Give the registers that depend on where the code came from their values, all at once."""
        made = {}
        for instruction in self.code.blocks[block]:
            if instruction.operation == "phi":
                made[instruction.result] = self.value(instruction.operands[instruction.words.index(before)])
        self.registers.update(made)

    def _carried(self, i: Instruction) -> Generator[None, None, str]:
        """Carry out an instruction; the block that follows if it ends this one."""
        if i.operation in self.ENDINGS:
            return self.ENDINGS[i.operation](self, i)
        if i.operation == "call":
            yield from self._call(i)
            return ""
        steps = len(self.world.steps.of[self.world.reading])
        result = self.DONE[i.operation](self, i) if i.operation in self.DONE else self._worked_out(i)
        if i.result:
            self.registers[i.result] = result
        if len(self.world.steps.of[self.world.reading]) > steps:
            yield
        return ""

    def _worked_out(self, i: Instruction) -> Any:
        of = [self.value(operand) for operand in i.operands]
        if i.operation == "getelementptr":
            return self._moved(i.words[0], of, i.flags)
        if i.operation == "select" and isinstance(of[1], Slot) or any(isinstance(each, Slot) for each in of[:1]):
            raise NotCovered(f"an address of its own in {i.operation}")
        if i.operation in BINARY:
            made = calculated(i.operation, i.flags, *of)
            product = self.way.product(of[0].term, of[1].term) if i.operation == "mul" else made.term
            return made._replace(term=z3.simplify(product))
        if i.operation == "icmp":
            return compared(i.words[0], i.flags, *of)
        if i.operation == "select":
            return picked(of[0], of[1], of[2], self.way.implied)
        return converted(i.operation, i.flags, width_of(i.type), of[0])

    # Memory.

    def _load(self, i: Instruction) -> Any:
        order, align = i.words
        place = self.value(i.operands[0])
        if isinstance(place, Slot):
            return self._own(place, i)
        address = checked(place, self.way, "an address")
        self._aligned(address, int(align), i)
        if order:
            return Value(self.world.load_atomic(address, order))
        if i.type == "i64":
            return Value(self.world.load(address))
        if i.type == "i8" and address.eq(z3.BitVec(ALONE, WIDTH)):
            return Value(self.world.memory.alone)
        if i.type == "i32":
            is_errno = address.eq(z3.BitVec(ERRNO, WIDTH))
            return Value(self.world.memory.errno if is_errno else low_half(self.world.load(address)))
        raise NotCovered(f"a load of {i.type}")

    def _own(self, place: Slot, i: Instruction) -> Value:
        """What lies in a slot or a table."""
        if place.object in self._tables:
            return self._entry(self._tables[place.object], place.offset)
        found = self.slots.get(place.object)
        if found is None or found.term.size() != width_of(i.type):
            raise NotCovered("a slot is read that nobody wrote so")
        return found

    def _entry(self, table: bytes, offset: Any) -> Value:
        self.way.insist(z3.ULT(offset, len(table)), lambda: "a table is read beyond its end")
        return Value(z3.simplify(entry_of(table, offset, self.way)))

    def _aligned(self, address: Any, align: int, i: Instruction) -> None:
        if align > WIDTH // 8 and i.type == "i64":
            self.way.insist(address & (align - 1) == 0, lambda: "an access is not as aligned as it is called")

    def _store(self, i: Instruction) -> None:
        value, place = i.operands
        order, align = i.words
        where = self.value(place)
        if isinstance(where, Slot):
            self.slots[where.object] = self.value(value)
            return
        address, word = checked(where, self.way, "an address"), self.term(value, "a word that is stored")
        self._aligned(address, int(align), i)
        if order:
            self.world.store_atomic(address, word, order)
        elif i.type == "i64":
            self.world.store(address, word)
        elif i.type == "i32" and address.eq(z3.BitVec(ERRNO, WIDTH)):
            self.world.memory = self.world.memory._replace(errno=word)
        else:
            raise NotCovered(f"a store of {i.type}")

    def _cmpxchg(self, i: Instruction) -> Any:
        address, expected, word = (self.term(operand, "what is exchanged") for operand in i.operands)
        found = self.world.compare_exchange(address, expected, word, i.words[0])
        return Value(found), Value(as_bit(found == expected))

    def _exchange(self, i: Instruction) -> Value:
        address, word = (self.term(operand, "what is exchanged") for operand in i.operands)
        return Value(self.world.exchange(address, word, i.words[0]))

    def _extract(self, i: Instruction) -> Any:
        return self.registers[i.operands[0].name][int(i.words[0])]

    def _freeze(self, i: Instruction) -> Any:
        value = self.value(i.operands[0])
        return Value(checked(value, self.way, "what is frozen"))

    def _alloca(self, i: Instruction) -> Slot:
        self.slots[i.result] = None
        return Slot(i.result, number(0))

    # Calls.

    def _call(self, i: Instruction) -> Iterator[None]:
        name = i.words[0]
        if name.startswith(IGNORED):
            return
        if name.startswith("llvm.threadlocal"):
            self.registers[i.result] = Value(z3.BitVec(THREAD, WIDTH))
        elif name == ERRNO:
            self.registers[i.result] = Value(z3.BitVec(ERRNO, WIDTH))
        elif name.startswith("llvm.") and not name.startswith(("llvm.mem",)):
            self.registers[i.result] = self._intrinsic(name, i)
        else:
            self._called(name, i)
            yield

    def _intrinsic(self, name: str, i: Instruction) -> Any:
        a, *more = (self.value(operand) for operand in i.operands)
        if name.startswith(BEST):
            return limited(name.split(".")[1], a, more[0], self.way.implied)
        if name.startswith("llvm.usub.sat"):
            return self._saturated(a, more[0])
        if name.startswith("llvm.ctpop"):
            return Value(bits_set(a.term), a.poison)
        if name.startswith(("llvm.usub.with", "llvm.uadd.with")):
            b = more[0]
            poison = either(a.poison, b.poison)
            wraps = z3.ULT(a.term, b.term) if "usub" in name else z3.ULT(a.term + b.term, a.term)
            term = a.term - b.term if "usub" in name else a.term + b.term
            return Value(z3.simplify(term), poison), Value(z3.simplify(as_bit(wraps)), poison)
        if name.startswith("llvm.assume"):
            self.way.insist(as_condition(checked(a, self.way, "what is assumed")), lambda: "what is assumed is false")
            return None
        raise NotCovered(f"a call of {name}")

    def _saturated(self, a: Value, b: Value) -> Value:
        """The difference, 0 where that would be less."""
        less = compared("ult", frozenset(), a, b)
        return picked(less, Value(number(0)), calculated("sub", frozenset(), a, b), self.way.implied)

    def _called(self, name: str, i: Instruction) -> None:
        """A call of a function that was left one, or of a stranger."""
        given, slot = [], ""
        for operand in i.operands:
            value = self.value(operand)
            if isinstance(value, Slot):
                slot = value.object
            else:
                given.append(checked(value, self.way, f"what {name} is given"))
        kept = CALLED_AS.get(name, lambda words: (name, tuple(words)))
        answers = self._slot_type(slot) if slot else i.type
        called, words = kept(given)
        answer = self.world.call(called, words, answers)
        if slot:
            self.slots[slot] = Value(answered(answer, answers))
        if i.result:
            self.registers[i.result] = Value(answered(answer, i.type))
        if name in self._ranges:
            self.way.assume(within(answer, self._ranges[name]))

    def _slot_type(self, slot: str) -> str:
        return next(i.type for block in self.code.blocks.values() for i in block
                    if i.operation == "alloca" and i.result == slot)

    # Ends of blocks.

    def _jump(self, i: Instruction) -> str:
        if not i.operands:
            return i.words[0]
        condition = checked(self.value(i.operands[0]), self.way, "what a branch asks")
        return i.words[0] if self.way.decide(as_condition(condition)) else i.words[1]

    def _switch(self, i: Instruction) -> str:
        asked, *cases = i.operands
        word = self.term(asked, "what a branch asks")
        for case, label in zip(cases, i.words[1:], strict=True):
            if self.way.decide(word == self.value(case).term):
                return label
        return i.words[0]

    def _ret(self, i: Instruction) -> str:
        self.ended = "ret"
        self.answer = self.value(i.operands[0]) if i.operands else None
        return ""

    def _unreachable(self, _i: Instruction) -> str:
        self.ended = "unreachable"
        return ""

    ENDINGS: ClassVar[Mapping[str, Callable[["CodeReading", Instruction], str]]] = {
        "br": _jump, "switch": _switch, "ret": _ret, "unreachable": _unreachable}
    DONE: ClassVar[Mapping[str, Callable[["CodeReading", Instruction], Any]]] = {
        "load": _load, "store": _store, "cmpxchg": _cmpxchg, "atomicrmw": _exchange, "extractvalue": _extract,
        "freeze": _freeze, "alloca": _alloca}


def answered(answer: Any, kind: str) -> Any:
    """What a call answered, as that type: of 8 bits, yes or no."""
    if kind == "i8":
        return z3.simplify(z3.ZeroExt(7, z3.Extract(0, 0, answer)))
    if kind == "void":
        return answer
    return answer if width_of(kind) == WIDTH else z3.simplify(z3.Extract(width_of(kind) - 1, 0, answer))


def entry_of(table: bytes, offset: Any, way: JointWay) -> Any:
    """An entry of a table: of what is in it, only what a known number finds."""
    if z3.is_bv_value(offset) and offset.as_long() < len(table):
        return number(table[offset.as_long()], 8)
    return way.found_at(f"table{len(table)}", offset, 8)


def _filled(given: list[Any]) -> tuple[str, tuple[Any, ...]]:
    return "memset", (given[0], z3.simplify(z3.Extract(7, 0, given[1])), given[2])


def _copied(given: list[Any]) -> tuple[str, tuple[Any, ...]]:
    return "memcpy", tuple(given[:3])


CALLED_AS: Mapping[str, Callable[[list[Any]], tuple[str, tuple[Any, ...]]]] = {
    "memset": _filled, "llvm.memset.p0.i64": _filled, "memcpy": _copied, "llvm.memcpy.p0.p0.i64": _copied}
