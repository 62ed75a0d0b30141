"""A counterexample run again: the same body on plain integers, its memory that of the simulated machine."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from inspect import unwrap
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

from heapster.checkers.lockstep.overflow import CheckedWord
from heapster.checkers.proofs.layout_spec import (
    ALL_SIZE_BITS,
    MAPPED,
    PREV_USED,
    USED,
    owner_in,
)
from heapster.machine.checked_memory import LIMIT
from heapster.machine.linear import STAYS, Infeasible
from heapster.machine.protocol import MachineFault
from heapster.machine.simulated import Simulated
from heapster.machine.symbolic import LOWEST, Symbolic
from heapster.model.sketch import picture
from heapster.results import HeapsterError

MOST_LINES = 14
CRASHES = (TypeError, NameError, AttributeError, ArithmeticError, RecursionError)   # of a broken source


def crash(error: Exception) -> str:
    """What a broken source raised, as a reason."""
    return f"it raises {type(error).__name__}: {error}"


class Concrete(Symbolic):
    """The machine of a replay: what it holds lies in a simulated machine, which checks every access."""

    def __init__(self, path: "PathReplay", statics: int = 0, thread: int = 0) -> None:
        super().__init__(path, statics, thread)
        self.simulated = Simulated()
        self.simulated.words.clear()            # the proof says what is where, statics too
        self.simulated.extents = [(LOWEST, LIMIT)]

    def put(self, address: Any, word: Any, name: str = "") -> None:
        """See `Symbolic.put`."""
        super().put(address, word, name)
        self.simulated.store(address, word)

    def put_lazily(self, address: Any, word: Callable[[], Any], name: str) -> None:
        """See `Symbolic.put_lazily`."""
        super().put(address, word, name)

    def load(self, address: Any) -> Any:
        """See `Symbolic.load`."""
        known = super().load(address)
        self.simulated.words[address] = known       # fills, copies and what a proof put there later are of the cells
        return self.simulated.load(address)

    def store(self, address: Any, value: Any) -> None:
        """See `Symbolic.store`."""
        super().store(address, value)
        try:
            self.simulated.store(address, value)
        except MachineFault as fault:
            self.broken(str(fault))

    load_relaxed = load_acquire = load
    store_relaxed = store_release = store


class Made(NamedTuple):
    """A call of one of the source's functions."""

    name: str                   # module.function
    words: tuple[int, ...]      # without the machine


class PathReplay:
    """A path that was taken: its words and choices are given."""

    def __init__(self, choices: Sequence[int], words: Sequence[int]) -> None:
        self._choices, self._words = list(choices), list(words)
        self.machines: list[Concrete] = []
        self.failed: dict[str, str] = {}        # claim: reason
        self.calls: list[str] = []              # of the source's functions, with what they answered
        self.made: list[Made] = []              # the same, as values

    def word(self, name: str, *_: Any, **__: Any) -> int:
        """The next word that the path asked for."""
        return CheckedWord(self._words.pop(0)) if self._words else LOWEST

    def choose(self, count: int) -> int:
        """The next choice that the path made."""
        return self._choices.pop(0) if self._choices else 0

    def require(self, left: Any, sign: str, right: Any) -> None:
        """The words satisfy it."""

    def apart(self, a: Any, a_bytes: Any, b: Any, b_bytes: Any) -> None:
        """The words satisfy it."""

    def settled(self, word: int) -> int:
        """It has one value."""
        return word

    def is_product(self, result: int, a: int, b: int, most: int) -> bool:
        """See `Integers.is_product`."""
        exact = int(a) * int(b)
        return int(result) == (exact if exact <= most else -1)

    def machine(self, statics: int = 0, thread: int = 0) -> Concrete:
        """See `Decisions.machine`."""
        self.machines.append(Concrete(self, statics, thread))
        return self.machines[-1]

    def claim(self, name: str, holds: Callable[[], bool], why: Callable[[], str] = str) -> None:
        """See `Path.claim`."""
        if not holds():
            self.refute(name, why())

    def refute(self, name: str, reason: str) -> None:
        """The claim is false here."""
        self.failed.setdefault(name, reason)


def replayed(body: Any, source: Any, choices: Sequence[int], words: Sequence[int]) -> PathReplay:
    """Run a body once more, on the words that refuted it."""
    path = PathReplay(choices, words)
    try:
        body(_told(source, path), path)
    except Infeasible:
        path.failed.setdefault(STAYS, "it stopped")
    except MachineFault as fault:
        path.failed.setdefault(STAYS, str(fault))
    except CRASHES as error:
        path.failed.setdefault(STAYS, crash(error))
    return path


class ReplayWords:
    """The words of a replay before or after it, for reading."""

    def __init__(self, m: Concrete, *, after: bool) -> None:
        words = {int(cell.address): cell.now if after else cell.was for cell in m.cells}
        self._words = {address: word for address, word in words.items() if not callable(word)}
        self.held: list[int] = []

    def load(self, address: int) -> int:
        """The word there; 0 where none is known."""
        return int(self._words.get(address, 0))


def drawn(path: PathReplay, *, after: bool) -> str:
    """The heap before the code ran, or after it, if it can be read; else the words that are known."""
    for m in path.machines:
        if m.reader is not None:
            with suppress(HeapsterError, AssertionError):
                return picture(m.reader(ReplayWords(m, after=after)), lines=MOST_LINES)
    return _words_drawn(path, after=after)


def _words_drawn(path: PathReplay, *, after: bool) -> str:
    lines = []
    for cell in (cell for m in path.machines for cell in m.cells):
        word = cell.now if after else cell.was
        if not callable(word) and (cell.name or cell.now != cell.was):
            changed = "  <- was " + _word(cell.was, cell.name) if after and cell.now != cell.was else ""
            lines.append(f"{cell.address:#x}  {_word(word, cell.name)}  {cell.name}{changed}".rstrip())
    lines.sort(key=lambda line: int(line.split()[0], 16))
    return "\n".join(lines[:MOST_LINES] + [f"... {len(lines) - MOST_LINES} more"] * (len(lines) > MOST_LINES))


def _word(word: Any, name: str) -> str:
    if callable(word):
        return "any word"
    if not name.startswith("header"):
        return hex(word) if abs(word) >= 1 << 16 else str(word)
    flags = [text for bit, text in ((USED, "used"), (PREV_USED, "left used"), (MAPPED, "mapped")) if word & bit]
    return f"[{word & ALL_SIZE_BITS} bytes, {', '.join(flags) or 'free'}, owner {owner_in(word)}]"


def _told(source: Any, path: PathReplay) -> SimpleNamespace:
    """The source's modules, each call from outside noted."""
    return SimpleNamespace(**{name: _Told(module, path) for name, module in vars(source).items()})


class _Told:
    """A module whose functions note that they were called."""

    def __init__(self, module: ModuleType, path: PathReplay) -> None:
        vars(self).update(_module=module, _path=path)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        return self._telling(value, name) if callable(value) else value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._module, name, unwrap(value))

    def _telling(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        label = f"{self._module.__name__.rpartition('.')[2]}.{name}"

        @wraps(function)
        def told(*words: Any) -> Any:
            calls, place = self._path.calls, len(self._path.calls)
            calls.append(f"{label}({', '.join(_argument(word) for word in words)})")
            self._path.made.append(Made(label, tuple(int(word) for word in words if isinstance(word, int))))
            result = function(*words)
            calls[place] += "" if result is None else f" = {_argument(result)}"
            return result

        vars(told)["telling"] = lambda other: self._telling(other, name)
        return told


def _argument(word: Any) -> str:
    if isinstance(word, bool) or not isinstance(word, int):
        return "m" if isinstance(word, Symbolic) else str(word)
    return hex(word) if abs(word) >= LOWEST else str(word)
