"""The commit that a finding came with: revisions between a good and a bad one, built and tried, halved each time."""

import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from enum import Enum
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from heapster import children
from heapster.results import TargetError, UsageError

BUILD_LIMIT, REPLAY_LIMIT = 1800, 600       # seconds
SAID = 160                      # characters of what git or a build says
FAILS, PASSES = 1, 0            # exit codes of replay


class Trial(Enum):
    """What a revision does with the finding."""

    GOOD, BAD, UNBUILT = "passes", "fails", "cannot be built or run"


class Bisected(NamedTuple):
    """What came of it."""

    first_bad: str                  # the commit, in a line of git's; empty if those left could not be tried
    left: tuple[str, ...]           # commits that it may be, each in a line
    tried: int


class Bisection:
    """A search under way in the repository of a folder; revisions are checked out beside it. A context."""

    def __init__(self, folder: Path, replay: Sequence[str], build: Sequence[str],
                 tell: Callable[[str, Trial], None]) -> None:
        self._folder, self._replay, self._build, self._tell = folder, tuple(replay), tuple(build), tell
        self._top = Path(self._git("rev-parse", "--show-toplevel"))
        self._below = folder.resolve().relative_to(self._top.resolve())
        self._stack = ExitStack()
        self.tried = 0

    def __enter__(self) -> "Bisection":
        self._tree = Path(mkdtemp(prefix="heapster-bisect-"))
        self._stack.callback(self._remove)
        self._git("worktree", "add", "--detach", "--quiet", str(self._tree), "HEAD")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _remove(self) -> None:
        children.run(["git", "-C", str(self._top), "worktree", "remove", "--force", str(self._tree)],
                     capture_output=True)
        shutil.rmtree(self._tree, ignore_errors=True)

    def search(self, good: str, bad: str) -> Bisected:
        """The first bad commit after `good`, up to `bad`. UsageError if these are not what they are called."""
        good, bad = self.commit(good), self.commit(bad)
        between = self._git("rev-list", "--topo-order", "--reverse", "--first-parent", f"{good}..{bad}").split()
        if not between or between[-1] != bad:
            raise UsageError(f"--bad {bad[:12]} does not come after --good {good[:12]}: nothing lies between them")
        self._expect(good, Trial.GOOD)
        self._expect(bad, Trial.BAD)
        low, high = -1, len(between) - 1            # good, and bad
        unbuilt: set[int] = set()
        while (open_ := [place for place in range(low + 1, high) if place not in unbuilt]):
            place = min(open_, key=lambda one: abs(2 * one - low - high))
            trial = self._try(between[place])
            if trial is Trial.UNBUILT:
                unbuilt.add(place)
            elif trial is Trial.GOOD:
                low = place
            else:
                high = place
        left = tuple(map(self._line, between[low + 1:high + 1]))
        return Bisected(left[0] if len(left) == 1 else "", left, self.tried)

    def commit(self, revision: str) -> str:
        """The commit that is meant; UsageError if there is none."""
        return self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}",
                         wrong=f"{revision} is no revision of {self._folder}")

    def _expect(self, commit: str, wanted: Trial) -> None:
        trial = self._try(commit)
        if trial is not wanted:
            raise UsageError(f"{commit[:12]} was said to be {wanted.name.lower()}, and there the finding {trial.value}")

    def _try(self, commit: str) -> Trial:
        self._git("-C", str(self._tree), "checkout", "--quiet", "--force", "--detach", commit)
        self._git("-C", str(self._tree), "clean", "-fdxq")
        trial = self._trial()
        self.tried += 1
        self._tell(self._line(commit), trial)
        return trial

    def _trial(self) -> Trial:
        folder = self._tree / self._below
        if not folder.is_dir() or self._build and self._run(self._build, folder, BUILD_LIMIT) != 0:
            return Trial.UNBUILT
        code = self._run((sys.executable, "-m", "heapster", *self._replay), folder, REPLAY_LIMIT)
        return {FAILS: Trial.BAD, PASSES: Trial.GOOD}.get(code, Trial.UNBUILT)

    @staticmethod
    def _run(command: Sequence[str], folder: Path, limit: float) -> int:
        try:
            return children.run(list(command), cwd=folder, capture_output=True, timeout=limit).returncode
        except (OSError, children.TimeoutExpired):
            return -1

    def _line(self, commit: str) -> str:
        return self._git("show", "--no-patch", "--format=%h %s", commit)

    def _git(self, *words: str, wrong: str = "") -> str:
        """What git says; UsageError with its words, or `wrong`, if it fails."""
        try:
            done = children.run(["git", *words], cwd=self._folder, capture_output=True, text=True)
        except OSError:
            raise TargetError("git is not installed, and bisecting needs it") from None
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["git fails"])[-1][:SAID]
            raise UsageError(wrong or f"git {words[0]}: {said}")
        return str(done.stdout).strip()
