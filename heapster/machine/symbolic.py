"""Memory of which some words are known and all others are arbitrary, over the words of a path.

A word of memory is a cell: an address and what is there. An access forks until its address must be
that of a known cell, or can be none of them; then it is a new cell with an arbitrary word. So
aliasing is covered, not excluded, and what a path never touched is what it was. Locks, system calls
and aborts keep the laws of `protocol.Machine`; the system's answers are choices.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from heapster.machine.linear import STAYS, Infeasible, Word, bounds, plus, relation, widest
from heapster.machine.protocol import REFUSED, Call

PAGE = 4096
LOWEST, HIGHEST = 1 << 16, 1 << 47      # user addresses of today's 64-bit systems
MOST_CALLS = 16                         # system calls of one operation
MOST_ACCESSES = 1 << 13                 # of one path to memory: more is a loop without end
MOST_UNKNOWN = 64                       # words of which nothing was known, on one path: more is a loop without end


class Cell:
    """A word of memory: where, what it was when the code began, what it is."""

    __slots__ = ("address", "name", "now", "span", "was")

    def __init__(self, address: Any, was: Any, name: str) -> None:
        self.address, self.was, self.now, self.name = address, was, was, name
        self.span: int | None = None        # which of the machine's spans it lies in, if that is known


class Shape(Protocol):
    """A heap of any size, as a proof knows it: it says what stands at a word when that is asked for first."""

    def explain(self, address: Any) -> None:
        """Put cells where the heap has something that nobody asked for yet at this address."""

    def allows(self, address: Any) -> bool:
        """Whether the code may touch what is there although nothing is known of it."""


class MisuseAbort(Exception):
    """The code noticed misuse; the address may be unknown."""

    def __init__(self, code: int, address: Any) -> None:
        super().__init__(f"abort {code}")
        self.code, self.address = code, address


class Symbolic:
    """The machine of a proof."""

    def __init__(self, path: Any, statics: Any = 0, thread: Any = 0) -> None:
        self.path, self._statics, self._thread = path, statics, thread
        self.cells: list[Cell] = []
        self._by_form: dict[Any, Cell] = {}     # the cells, by how their addresses are written
        self.held: list[Any] = []               # mutexes
        self.spans: list[tuple[Any, Any]] = []  # start and bytes of all that memory has; new memory is apart
        self.calls: list[Call] = []
        self.copies: list[tuple[Any, Any, Any]] = []
        self.torn: list[Cell] = []              # of what was copied, words that were no longer what they had been
        self.fills: list[tuple[Any, int, Any]] = []
        self.zeroed: list[tuple[Any, Any]] = []
        self.errno = 0
        self.gone: list[tuple[Any, Any]] = []   # start and bytes of what was given back
        self.reader: Any = None                 # how to read the heap in a memory, for pictures
        self.break_unit = 1                     # what foreigners move the break by
        self._where: dict[Any, int] = {}        # addresses of which the span is known
        self.brk: Any = None                    # the break, where the path fixes it
        self._overtaken: tuple[Any, Any, Any] | None = None     # start and bytes of what must come back; those of ours
        self.most_unknown = MOST_UNKNOWN
        self._unknown = self._accesses = 0
        self.may_abort = False                  # misuse is what is looked at: an abort is an answer
        self.shape: Shape | None = None         # what says what stands at words that are not known yet; None: anything

    def put(self, address: Any, word: Any, name: str = "") -> None:
        """Let memory hold `word` at `address` before the code begins; no known cell may be there."""
        self._add(Cell(address, word, name))

    def _add(self, cell: Cell) -> Cell:
        self.cells.append(cell)
        self._by_form.setdefault(form_of(cell.address), cell)
        return cell

    def put_lazily(self, address: Any, word: Callable[[], Any], name: str) -> None:
        """As `put`, a word that is not chosen before the code looks at it."""
        self.put(address, word, name)

    def find(self, address: Any) -> Cell | None:
        """The cell at `address`; a path for each that it can be, and for none."""
        known = self._by_form.get(form_of(address))
        if known is not None:
            return known
        where = self._span(address)
        for cell in self.cells:
            if (where is None or self._may_lie_in(cell, where)) and cell.address == address:
                self._by_form[form_of(address)] = cell
                return cell
        return None

    def elsewhere(self, a: Any, b: Any) -> bool:
        """Whether two addresses surely lie in different spans."""
        span = self._span(a)
        return span is not None and self._span(b) not in (None, span)

    def _span(self, address: Any) -> int | None:
        """Which of the spans, of which no two overlap, a word at `address` surely lies in."""
        if not isinstance(address, Word):
            return None
        key = form_of(address)
        if key not in self._where:
            span = self.path.once(address, lambda: self._found_span(address))
            if span is None:
                return None
            self._where[key] = span
        return self._where[key]

    def _found_span(self, address: Word) -> int | None:
        span = self._span_by_bounds(address)
        return self._span_by_proof(address) if span is None else span

    def _span_by_bounds(self, address: Word) -> int | None:
        for index, (start, length) in enumerate(self.spans):
            offset = plus(address, start, -1)
            if bounds(offset)[0] >= 0 and bounds(plus(plus(length, offset, -1), -8, 1))[0] >= 0:
                return index
        return None

    def _span_by_proof(self, address: Word) -> int | None:
        implied = self.path.implied
        for index, (start, length) in enumerate(self.spans):
            if isinstance(start, Word) and widest(start) in address.terms.counts and (
                    implied(relation(start, "<=", address))
                    and implied(relation(plus(address, 8, 1), "<=", plus(start, length, 1)))):
                return index
        return None

    def _may_lie_in(self, cell: Cell, span: int) -> bool:
        if cell.span is None:
            cell.span = self._span(cell.address)
        return cell.span is None or cell.span == span

    def load(self, address: Any) -> Any:
        """See `Machine.load`; a word that nobody put there is arbitrary."""
        cell = self._cell(address)
        if callable(cell.now):
            cell.was = cell.now = cell.now()
        return cell.now

    def store(self, address: Any, value: Any) -> None:
        """See `Machine.store`."""
        self._cell(address).now = value

    load_any = load
    load_relaxed = load_acquire = load
    store_relaxed = store_release = store

    def cas_relaxed(self, address: Any, expected: Any, value: Any) -> Any:
        """See `Machine.cas_relaxed`: a path for either outcome."""
        found = self.load(address)
        if found == expected:
            self.store(address, value)
        return found

    def exchange_relaxed(self, address: Any, value: Any) -> Any:
        """See `Machine.exchange_relaxed`."""
        found = self.load(address)
        self.store(address, value)
        return found

    cas_release = cas_relaxed
    exchange_acquire = exchange_relaxed

    def _cell(self, address: Any) -> Cell:
        self._accesses += 1
        if self._accesses > MOST_ACCESSES:
            self.broken("no end of accesses to memory")
        if any(not self.elsewhere(address, start) and address >= start and address < start + length
               for start, length in self.gone):
            self.broken("an access to memory that was given back")
        if self.shape is not None:
            self.shape.explain(address)
        cell = self.find(address)
        if cell is None:
            if self.shape is not None and not self.shape.allows(address):
                self.broken("an access to what nothing in the heap explains")
            if address & 7 != 0:
                self.broken("an access that is not aligned")
            if address < LOWEST:
                self.broken("an access where nothing is mapped")
            self._unknown += 1
            if self._unknown > self.most_unknown:
                self.broken("no end of accesses to memory of which nothing is known")
            cell = self._add(Cell(address, self.path.word("arbitrary"), ""))
        return cell

    def peek(self, address: Any) -> Any:
        """The word at `address`, or None where nothing was ever known."""
        cell = self.find(address)
        return None if cell is None else cell.now

    def written(self) -> list[Cell]:
        """The cells that may not hold what they did."""
        return [cell for cell in self.cells if cell.now is not cell.was and not _same(cell.now, cell.was)]

    def broken(self, law: str) -> None:
        """The code broke a law of the machine: that refutes the body."""
        self.path.refute(STAYS, law)
        raise Infeasible

    # Blocks of bytes.

    def copy(self, target: Any, source: Any, count: Any) -> None:
        """See `Machine.copy`: what was known of the target is not any more."""
        if count < 0:
            self.broken("a negative count")
        self.copies.append((target, source, count))
        self.torn += self._within(source, count, self.written())
        for cell in self._within(target, count):
            cell.now = self.path.word("copied")

    def fill(self, target: Any, byte: int, count: Any) -> None:
        """See `Machine.fill`."""
        if count < 0:
            self.broken("a negative count")
        self.fills.append((target, byte, count))
        for cell in self._within(target, count):
            cell.now = byte * 0x0101010101010101

    def prefetch(self, address: Any) -> None:
        """See `Machine.prefetch`: all memory is as near."""

    def known_zero(self, target: Any, count: Any) -> None:
        """See `Machine.known_zero`."""
        self.zeroed.append((target, count))

    def _within(self, target: Any, count: Any, cells: Sequence[Cell] | None = None) -> list[Cell]:
        return [cell for cell in (self.cells if cells is None else cells) if not self.elsewhere(cell.address, target)
                and cell.address >= target and cell.address < target + count]

    # The system.

    def _refused(self) -> bool:
        if len(self.calls) >= MOST_CALLS:
            self.broken("no end of system calls")
        return bool(self.path.choose(2))

    def _new_memory(self, start: Any, length: Any) -> None:
        self.path.require(start + length, "<=", HIGHEST)
        for other, count in self.spans:
            self.path.apart(start, length, other, count)
        self.spans.append((start, length))

    def sbrk(self, delta: Any) -> Any:
        """See `Machine.sbrk`: refused, at the break of before, or above it, where a foreigner moved it."""
        answer: Any = REFUSED
        if self._overtaken is not None:
            answer = self._raise_again(delta, *self._overtaken)
        elif not self._refused():
            answer, known = self._break(), self.brk
            if delta > 0:
                self._new_memory(answer, delta)
            elif delta < 0:
                self.gone.append((answer + delta, -delta))
                if known is not None and answer is not known:
                    self._overtaken = answer + delta, -delta, known - answer - delta
            self.brk = answer + delta
        self.calls.append(Call("sbrk", (delta,), answer))
        return answer

    def _raise_again(self, delta: Any, start: Any, length: Any, ours: Any) -> Any:
        """Who lowered the break below what a foreigner had just got gives it back; what was there may be anything."""
        if delta != length:
            self.broken("what a foreigner got from sbrk is kept from him")
        self._overtaken = None
        self.gone.pop()
        self.brk = start + length
        self.lose(start, ours)
        return start

    def lose(self, start: Any, length: Any) -> None:
        """Let what lies in these bytes be anything: a foreigner had them."""
        for cell in self._within(start, length):
            self.store(cell.address, self.path.word("lost"))

    def _break(self) -> Any:
        if self.brk is not None and self.path.choose(2):
            return self.brk
        moved = self.path.word("break", LOWEST, HIGHEST, self.break_unit)
        if self.brk is not None:
            self.path.require(self.brk, "<", moved)
        return moved

    def mmap(self, length: Any) -> Any:
        """See `Machine.mmap`."""
        if length <= 0 or length & PAGE - 1 != 0:
            self.broken("mmap of no whole pages")
        answer: Any = REFUSED
        if not self._refused():
            answer = self.path.word("mapping", LOWEST, HIGHEST, PAGE)
            self._new_memory(answer, length)
        self.calls.append(Call("mmap", (length,), answer))
        return answer

    def munmap(self, address: Any, length: Any) -> Any:
        """See `Machine.munmap`."""
        return self._of_pages("munmap", address, length, lambda: self.gone.append((address, length)))

    def remap(self, address: Any, length: Any, longer: Any) -> Any:
        """See `Machine.remap`: refused, or as large where it is, or moved."""
        if address & PAGE - 1 != 0 or length <= 0 or length & PAGE - 1 != 0 or longer <= length or (
                longer & PAGE - 1 != 0):
            self.broken("remap of no whole pages")
        answer: Any = REFUSED
        if not self._refused():
            answer = address if self.path.choose(2) else self.path.word("mapping", LOWEST, HIGHEST, PAGE)
            if answer is address:
                self._new_memory(address + length, longer - length)
            else:
                self._new_memory(answer, longer)
                self._carry(address, length, answer)
                self.gone.append((address, length))
        self.calls.append(Call("remap", (address, length, longer), answer))
        return answer

    def purge(self, address: Any, length: Any) -> Any:
        """See `Machine.purge`: what was there may be anything."""
        def lose() -> None:
            for cell in self._within(address, length):
                cell.now = self.path.word("purged")
        return self._of_pages("purge", address, length, lose)

    def protect(self, address: Any, length: Any) -> Any:
        """See `Machine.protect`: what was there is gone."""
        return self._of_pages("protect", address, length, lambda: self.gone.append((address, length)))

    def unprotect(self, address: Any, length: Any) -> Any:
        """See `Machine.unprotect`."""
        return self._of_pages("unprotect", address, length, lambda: self._new_memory(address, length))

    def _of_pages(self, name: str, address: Any, length: Any, effect: Callable[[], None]) -> Any:
        """The answer of a call of the system on whole pages, which has this effect if it is not refused."""
        if address & PAGE - 1 != 0 or length <= 0 or length & PAGE - 1 != 0:
            self.broken(f"{name} of no whole pages")
        answer = REFUSED
        if not self._refused():
            answer = 0
            effect()
        self.calls.append(Call(name, (address, length), answer))
        return answer

    def _carry(self, start: Any, length: Any, target: Any) -> None:
        """Copy the known cells of `length` bytes at `start` to `target`."""
        for cell in self._within(start, length):
            self._add(Cell(target + (cell.address - start), cell.now, cell.name))

    # Threads, and the rest.

    def lock(self, mutex: Any) -> None:
        """See `Machine.lock`."""
        if any(mutex == held for held in self.held):
            self.broken("a lock taken twice")
        self.held.append(mutex)

    def unlock(self, mutex: Any) -> None:
        """See `Machine.unlock`."""
        held = next((index for index, held in enumerate(self.held) if mutex == held), None)
        if held is None:
            self.broken("a lock released that is not held")
        else:
            del self.held[held]

    def renew(self, mutex: Any) -> int:
        """See `Machine.renew`: a path for either answer."""
        return int(self.path.choose(2))

    def use_thread(self, thread: Any) -> None:
        """Let the calling thread's storage lie there."""
        self._thread = thread

    def thread(self) -> Any:
        """See `Machine.thread`."""
        return self._thread

    def at_thread_end(self) -> None:
        """See `Machine.at_thread_end`; no thread ends during a call."""

    def statics(self) -> Any:
        """See `Machine.statics`."""
        return self._statics

    def set_errno(self, code: int) -> None:
        """See `Machine.set_errno`."""
        self.errno = code

    def show(self, kind: int, address: Any, size: Any, used: Any) -> None:
        """See `Machine.show`; nothing is proved of the status dump."""

    def abort(self, code: int, address: Any) -> int:
        """See `Machine.abort`: on a legal heap, nothing aborts."""
        if self.may_abort:
            raise MisuseAbort(code, address)
        self.broken(f"abort {code}")
        return 0


def form_of(word: Any) -> Any:
    """A key that two words share if they are written the same."""
    if isinstance(word, Word):
        return word.const, word.terms
    return word if isinstance(word, int) else (None, word.term.get_id())


def _same(a: Any, b: Any) -> bool:
    """Whether two words are the same form, without asking anyone."""
    if isinstance(a, int) or isinstance(b, int):
        return isinstance(a, int) and isinstance(b, int) and a == b
    return a.const == b.const and a.terms is b.terms if hasattr(a, "terms") else bool(a.term.eq(b.term))
