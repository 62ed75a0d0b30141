"""A target as a value: its kind, how it is named, what is set of it, and where its files are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from heapster.impl.layout import MAX_ARENAS, MAX_CACHE, MAX_REQUEST
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import OPERATIONS
from heapster.native.spans import SHIPPED


class View(Enum):
    """A way to reach a target; its value says what a command needs that looks at targets in this way."""

    LOCKSTEP = "an allocator that runs in lock-step with the model"
    ENGINE = "an allocator that plays traces in lock-step with the model"
    SOURCE = "the source of impl, whose every access is seen"
    SHIPPED = "the source that ships, beside the library that is made of it"
    CALLS = "compiled functions to call"
    PRELOAD = "a malloc to be preloaded"
    THREADS = "a compiled malloc that threads can call"


class Number(NamedTuple):
    """A setting that is a number: the verb of traces that sets it, if one does, and its limits in the library."""

    verb: str
    least: int
    most: int

    @property
    def variable(self) -> str:
        """The environment variable of the compiled library."""
        return f"HEAPSTER_{self.verb.upper()}"


class TargetSettings(NamedTuple):
    """Settings of an allocator of ours before it serves anyone; None for what is left as it is."""

    policy: str | None = None
    cache: int | None = None        # bytes of one size that a thread may keep
    arenas: int | None = None
    retained: int | None = None     # bytes of freed mappings that may be kept
    harden: int | None = None       # 1 for a hardened heap
    spans: int | None = None        # 1 for what is built with spans, 0 for what is built without

    @property
    def has_spans(self) -> bool:
        """Whether it is built with spans: as what ships is, where nothing is said."""
        return SHIPPED if self.spans is None else self.spans != 0

    @property
    def has_runs(self) -> bool:
        """Whether small sizes come from runs, if threads have caches: a hardened heap has none."""
        return self.has_spans and not self.harden

    @property
    def given(self) -> tuple[str, ...]:
        """The names of those that are set."""
        return tuple(name for name, value in self._asdict().items() if value is not None)

    @property
    def words(self) -> tuple[str, ...]:
        """The settings as the grammar spells them; a policy stands alone."""
        named = [f"{name}={value}" for name, value in self._asdict().items() if value is not None and name != "policy"]
        return (self.policy, *named) if self.policy else tuple(named)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that tell the compiled library."""
        policy = {"HEAPSTER_POLICY": self.policy} if self.policy else {}
        return policy | {number.variable: str(value) for number, value in self._numbers}

    @property
    def steps(self) -> Trace:
        """The steps of a trace that set the same, but for what is settled before any step: whether it is hardened."""
        policy = (Step("policy", name=self.policy),) if self.policy else ()
        return (*policy, *[Step(number.verb, (value,), NO_HANDLE) for number, value in self._numbers
                           if number.verb in OPERATIONS])

    @property
    def _numbers(self) -> list[tuple[Number, int]]:
        """The numbers that are set."""
        given = self._asdict()
        return [(number, given[name]) for name, number in NUMBERS.items()
                if given[name] is not None and name != BUILT_IN]


NUMBERS = {"cache": Number("cache", 0, MAX_CACHE), "arenas": Number("arenas", 1, MAX_ARENAS),
           "retained": Number("keep", 0, MAX_REQUEST), "harden": Number("harden", 0, 1), "spans": Number("spans", 0, 1)}
BUILT_IN = "spans"              # a setting that another library has, and no variable
UNSET = TargetSettings()


def built(*, with_spans: bool) -> TargetSettings:
    """What names the build with spans, or that without: nothing if it is what ships."""
    return UNSET if with_spans is UNSET.has_spans else TargetSettings(spans=int(with_spans))


@dataclass(frozen=True)
class Target:
    """A target of the checkers."""

    kind: str                       # the name of its row in `kinds.KINDS`
    name: str                       # without its settings
    settings: TargetSettings = UNSET
    paths: tuple[Path, ...] = field(default=(), compare=False)      # of a file or folder, and of further sources

    def __str__(self) -> str:
        return ":".join((self.name, *self.settings.words))

    @property
    def key(self) -> str:
        """Its name in tables of the JSON: what the version before did, who spelled settings of ours otherwise."""
        policy, cache, *others = self.settings
        if self.name != "native" or not policy or any(other is not None for other in others):
            return str(self)
        return policy if cache is None else f"{self.name}/{policy}/{cache}"

    @property
    def path(self) -> Path:
        """Its file or folder."""
        return self.paths[0]


SIM = Target("sim", "sim")
NATIVE = Target("native", "native")
LIBC = Target("libc", "libc")


def folder(path: Path) -> Target:
    """A copy of impl in a folder."""
    return Target("folder", str(path), paths=(path,))


class Preload(NamedTuple):
    """How a program gets an allocator: a library that is preloaded, none for libc, and variables that it reads."""

    library: str = ""
    environment: Mapping[str, str] = {}
    own: bool = False               # it has the functions that only our library has
    prefix: str = ""                # of its functions, which stand beside the C library's: nothing is preloaded
