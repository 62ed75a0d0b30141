"""A target as a value: its kind, how it is named, what is set of it, and where its files are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from heapster.model.operation import NO_HANDLE, Step, Trace


class View(Enum):
    """A way to reach a target; its value says what a command needs that looks at targets in this way."""

    LOCKSTEP = "an allocator that runs in lock-step with the model"
    ENGINE = "an allocator that plays traces in lock-step with the model"
    SOURCE = "the source of impl, whose every access is seen"
    CALLS = "compiled functions to call"
    PRELOAD = "a malloc to be preloaded"
    THREADS = "a compiled malloc that threads can call"


class Settings(NamedTuple):
    """What is set before an allocator of ours serves anyone; None for what is left as it is."""

    policy: str | None = None
    cache: int | None = None        # bytes of one size that a thread may keep
    arenas: int | None = None

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
        return {f"HEAPSTER_{name.upper()}": str(value) for name, value in self._asdict().items() if value is not None}

    @property
    def steps(self) -> Trace:
        """The steps of a trace that set the same."""
        policy = (Step("policy", name=self.policy),) if self.policy else ()
        numbers = [("cache", self.cache), ("arenas", self.arenas)]
        return (*policy, *[Step(verb, (number,), NO_HANDLE) for verb, number in numbers if number is not None])


UNSET = Settings()


@dataclass(frozen=True)
class Target:
    """What is to be checked."""

    kind: str                       # the name of its row in `kinds.KINDS`
    name: str                       # without its settings
    settings: Settings = UNSET
    paths: tuple[Path, ...] = field(default=(), compare=False)      # of a file or folder, and of further sources

    def __str__(self) -> str:
        return ":".join((self.name, *self.settings.words))

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
