"""One function of the library held against its source, on every way through both."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from types import FunctionType
from typing import Any, NamedTuple

import z3

from heapster.checkers.proofs.compiled.library_text import CompiledLibrary, Subject
from heapster.checkers.proofs.compiled.llvm_reading import CodeReading, LoopFound, answered
from heapster.checkers.proofs.compiled.llvm_text import CodeParameter
from heapster.checkers.proofs.compiled.memory import insist_same
from heapster.checkers.proofs.compiled.source_reading import SourceReading, condition, name_of, word
from heapster.checkers.proofs.compiled.ways import JointWay, NotCovered, NoWay, OtherReading, all_ways
from heapster.checkers.proofs.compiled.words import WIDTH, Slot, Value, as_bit, number, within
from heapster.checkers.proofs.compiled.world import COMPILED, SOURCE, Steps, World, checked

ANSWER = "its answer"
LOWEST, HIGHEST = 1 << 16, 1 << 47      # where objects of a program lie
OBJECT_ALIGN = 64
ASSUMED = (
    "the operations of the machine are what their lowering says, in LLVM's language: held by traces (heapster check)",
    "LLVM makes the processor's instructions of the code that was read, and z3 is right",
    ("the source keeps the machine's laws: words that it touches are aligned, mapped, and no part of a running call's "
     "frame, of errno or of the compiler's tables; statics and thread storage lie where programs have memory"),
    "plain accesses race with nobody: held by heapster races, and by theorems about what a thread's bin serves",
    "words wrap around: that none does but where it may is said by the theorems about the source",
    ("what a compiled function is called with is in the ranges that LLVM notes of its parameters: held of each caller "
     "that is VALIDATED"))
LONGEST = 60.0                      # seconds of processor time for one function


class Validity(Enum):
    """What came of it."""

    VALIDATED = "VALIDATED"
    REFUTED = "REFUTED"
    NOT_COVERED = "NOT COVERED"


class Validation(NamedTuple):
    """What is known of one function of the library."""

    name: str
    of: str                         # the function of impl
    held: Validity
    ways: int
    reason: str                     # of what is not validated
    words: str                      # for which the readings part
    met: frozenset[str]             # functions of impl that were carried out


def validated(library: CompiledLibrary, subject: Subject, seconds: float = LONGEST) -> Validation:
    """Hold the function against its source, within so many seconds of processor time."""
    ways, met = 0, set[str]()

    def came_out(held: Validity, reason: str = "", words: str = "") -> Validation:
        return Validation(subject.code.name, name_of(subject.function), held, ways, reason, words, frozenset(met))

    try:
        for _ in all_ways(lambda way: _both(way, library, subject, met), seconds):
            ways += 1
    except OtherReading as other:
        return came_out(Validity.REFUTED, other.reason, other.words)
    except NotCovered as reason:
        looping = "it has a loop, and " * (subject.code.has_loop and not isinstance(reason, LoopFound))
        return came_out(Validity.NOT_COVERED, f"{looping}{reason}")
    return came_out(Validity.VALIDATED)


def _both(way: JointWay, library: CompiledLibrary, subject: Subject, met: set[str]) -> None:
    _assume_objects(way, library)
    pair = _Pair(way, library, subject)
    source = SourceReading(way, pair)
    answer, aborted = None, False
    try:
        answer = source.call(subject.function, pair.words)
    except _Aborted:
        aborted = True
    finally:
        met |= source.met
    pair.finish(answer, aborted=aborted)


class _Aborted(Exception):
    """The source ended the program."""


def _assume_objects(way: JointWay, library: CompiledLibrary) -> None:
    for name, size in library.objects.items():
        start = z3.BitVec(name, WIDTH)
        way.assume(z3.And(z3.ULE(LOWEST, start), z3.ULE(start, HIGHEST - size), start & (OBJECT_ALIGN - 1) == 0))


class _Pair:
    """Both readings of a function on one way: what the source meets is what the compiled code did, or does next."""

    def __init__(self, way: JointWay, library: CompiledLibrary, subject: Subject) -> None:
        self.way, self._library, self._subject = way, library, subject
        self._steps = Steps(way)
        self._source = World(SOURCE, self._steps)
        self._world = World(COMPILED, self._steps)
        self.words: list[Any] = []
        given = self._given()
        self._frame = CodeReading(subject.code, self._world, given, library.around)
        self._running = self._frame.run()

    def _given(self) -> Mapping[str, Any]:
        """What the function is given, and the same for the source."""
        given: dict[str, Any] = {}
        for each in self._subject.code.parameters:
            if each.type == "ptr":
                given[each.name] = Slot(ANSWER, number(0))
        for place, name in enumerate(self._subject.names):
            parameter = self._subject.given.get(place)
            constant = self._subject.constants.get(place)
            if parameter is None:
                self.words.append(self.way.word(name) if constant is None else number(constant))
            else:
                given[parameter.name] = Value(self._any(name, parameter))
        return given

    def _any(self, name: str, parameter: CodeParameter) -> Any:
        """Any word that a parameter may be, and the same for the source: of 8 bits, yes or no."""
        bit = self.way.word(name, 1) if parameter.type == "i8" else None
        term = self.way.word(name) if bit is None else z3.ZeroExt(7, bit)
        self.words.append(term if bit is None else bit == 1)
        if parameter.bounds:
            self.way.assume(within(term, parameter.bounds))
        return term

    # What the source meets.

    def machine(self, operation: str, words: Sequence[Any]) -> Any:
        """See `Meets.machine`: the function of the lowering, carried out on the source's memory."""
        code = self._library.operations[operation]
        given = {parameter.name: Value(each) for parameter, each in zip(code.parameters, words, strict=True)}
        frame = CodeReading(code, self._source, given)
        for _ in frame.run():
            pass
        if frame.ended == "unreachable":
            raise _Aborted
        return None if frame.answer is None else checked(frame.answer, self.way, operation)

    def table(self, function: FunctionType) -> tuple[bytes, int] | None:
        """See `Meets.table`."""
        return self._library.tabled.get(name_of(function))

    def called(self, function: FunctionType, words: Sequence[Any]) -> tuple[Any] | None:
        """See `Meets.called`: whether the compiled code's next step is this call."""
        callee = self._library.subjects.get(name_of(function))
        place = len(self._steps.of[SOURCE])
        if callee is None or not self._ahead(place):
            return None
        step = self._steps.of[COMPILED][place]
        if step.name != f"call {callee.code.name}":
            return None
        self._hold_constants(callee, words)
        given = tuple(self._passed(callee.given[index], words[index]) for index in sorted(callee.given))
        answer = self._source.call(callee.code.name, given, step.answers)
        return (_told(answer, step.answers),)

    def _hold_constants(self, callee: Subject, words: Sequence[Any]) -> None:
        """What the callee is not given, because it is always the same, is."""
        for index, constant in callee.constants.items():
            if index not in callee.given:
                self.way.insist(word(words[index]) == constant,
                                lambda: f"{callee.code.name} is called with another constant")

    def _passed(self, parameter: Any, value: Any) -> Any:
        term = z3.ZeroExt(7, as_bit(condition(value))) if parameter.type == "i8" else word(value)
        if parameter.bounds:
            self.way.insist(within(term, parameter.bounds), lambda: f"{parameter.name} is not in its range")
        return z3.simplify(term)

    def _ahead(self, place: int) -> bool:
        """Let the compiled code run until it has taken the step at this place; whether it takes one."""
        for _ in self._until(place):
            pass
        return len(self._steps.of[COMPILED]) > place

    def _until(self, place: int) -> Iterator[None]:
        while len(self._steps.of[COMPILED]) <= place and not self._frame.ended:
            if next(self._running, self) is self:
                break
            yield

    # The end.

    def finish(self, answer: Any, *, aborted: bool) -> None:
        """The source is done: so is the compiled code, in the same way."""
        for _ in self._running:
            pass
        self._steps.ended()
        if aborted or self._frame.ended == "unreachable":
            if not aborted or self._frame.ended != "unreachable":
                self.way.part("only one of the two ends the program" if aborted else "the code runs where it must not")
            raise NoWay
        insist_same(self.way, self._source.memory, self._world.memory, "at the end")
        self._same_answer(answer)

    def _same_answer(self, answer: Any) -> None:
        code, frame = self._subject.code, self._frame
        if any(parameter.type == "ptr" for parameter in code.parameters):
            found = frame.slots.get(ANSWER)
            if found is None:
                self.way.part("it writes no answer")
                return
        elif frame.answer is None:
            return
        else:
            found = frame.answer
        term = checked(found, self.way, "the answer")
        if code.bounds and frame.answer is not None:
            self.way.insist(within(term, code.bounds), lambda: "the answer is not in its range")
        if answer is not None:
            expected = z3.ZeroExt(7, as_bit(condition(answer))) if term.size() == 8 else word(answer)
            self.way.insist(term == expected, lambda: "the answer differs")


def _told(answer: Any, kind: str) -> Any:
    """The answer of a call as the source has it."""
    if kind == "i8":
        return z3.simplify(answered(answer, kind) == 1)
    return None if kind in {"ptr", "void"} else answer

