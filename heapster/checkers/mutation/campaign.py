"""Drawn changes, each planted in a copy of the project and hunted until a checker notices it."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import heapster
from heapster.checkers.jobs.local import ALONE
from heapster.checkers.jobs.pool import Pool
from heapster.checkers.jobs.travel import Goods, goods_of
from heapster.checkers.mutation.drawing import Change, drawn
from heapster.checkers.mutation.hunters import HUNTERS, Hunter, killer
from heapster.checkers.mutation.hunting import Hunting, HuntPiece, HuntTold, compile_all
from heapster.checkers.mutation.reviewed import why_unseen
from heapster.results import TargetError, UsageError

PROJECT = Path(heapster.__file__).parent.parent
MOST_KILLERS = 4                        # tests of a file that are asked before all others
JUDGES = "checkers/lockstep/*.py"       # what says no, besides the model
UNCOPIED = shutil.ignore_patterns("__pycache__")
COPIED = ("heapster", "tests", "docs", "pyproject.toml", "README.md", "requirements.txt", "Makefile")


@dataclass(frozen=True)
class HuntResult:
    """What came of a change."""

    file: str
    line: int
    kind: str
    before: str                 # the line, without its indentation
    after: str
    verdict: str                # killed, survived, timed out, equivalent
    by: str = ""                # who noticed
    said: str = ""              # its words, or why the change is equivalent

    @property
    def diff(self) -> str:
        """The change, as a difference of two lines."""
        return f"{self.file}:{self.line}  {self.kind}\n- {self.before}\n+ {self.after}"


class FaultCampaign(NamedTuple):
    """What came of all of them, in the order of the draw; of those that were hunted, if it was interrupted."""

    results: list[HuntResult]
    interrupted: bool
    useless: tuple[str, ...]        # commands of hunters that fail on the source as it is: their word did not count


@dataclass(frozen=True)
class HuntPlan:
    """What is drawn and who hunts."""

    count: int
    seed: int
    only: tuple[str, ...] = ()      # files below the package, or rooms; empty: all that decide
    by: tuple[str, ...] = ()        # names of hunters; empty: all

    def hunters(self) -> tuple[Hunter, ...]:
        """Those who hunt, cheapest first; each change is loaded first."""
        return tuple(hunter for hunter in HUNTERS if not self.by or hunter.name in ("load", *self.by))


def sources(only: Sequence[str] = ()) -> dict[str, str]:
    """The files that changes are drawn of, by name below the package: the allocator, the model, and what judges."""
    folder = PROJECT / "heapster"
    files = [file for pattern in ("impl/*.py", "model/*.py", JUDGES) for file in folder.glob(pattern)]
    texts = {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in sorted(files)
             if file.name != "__init__.py"}
    for name in only:
        if not any(_is_in(file, name) for file in texts):
            raise UsageError(f"--only {name}: no such file; give impl, model, checkers, or one as impl/block.py")
    return {file: text for file, text in texts.items() if not only or any(_is_in(file, name) for name in only)}


def _is_in(file: str, name: str) -> bool:
    return file == name or file.startswith(f"{name.rstrip('/')}/")


def campaign(plan: HuntPlan, log: "Log", progress: Callable[[float, HuntResult], None],
             pool: Pool = ALONE) -> "FaultCampaign":
    """Hunt what is drawn, in the order of the draw; what the log knows already is not hunted again.

    TargetError if the project's own source and tests are not at hand.
    """
    if not (PROJECT / "tests").is_dir():
        raise TargetError("drawn faults are hunted by the project's tests too: run this in a checkout of Heapster")
    texts = sources(plan.only)
    changes = drawn(texts, plan.count, plan.seed)
    results = {change: found for change in changes
               if (found := _judged(change, texts[change.file]) or log.get(change, plan))}
    left = [change for change in changes if change not in results]
    passes: dict[str, bool] = {}

    def hear(told: HuntTold) -> None:
        change, hunt = told.change, told.hunt
        passes.update(told.passes)
        results[change] = log.add(change, plan, HuntResult(
            change.file, change.line, change.kind, *change.of(texts[change.file]), hunt.ending.value, hunt.by,
            hunt.said))
        progress(len(results) / len(changes), results[change])

    pieces = (HuntPiece(change, texts[change.file], log.killers(change.file), dict(passes)) for change in left)
    interrupted = False
    try:
        if left:
            with _hunting(plan, pool) as hunting:
                for _ in pool.telling(pieces, hunting, hear):
                    pass
    except KeyboardInterrupt:
        interrupted = True
    useless = tuple(command for command, passed in passes.items() if not passed)
    return FaultCampaign([results[change] for change in changes if change in results], interrupted, useless)


@contextmanager
def _hunting(plan: HuntPlan, pool: Pool) -> Iterator[Hunting]:
    """The work of hunting: on this machine beside a copy of the project, which nobody edits meanwhile."""
    if not pool.is_here:
        yield Hunting(plan.hunters(), plan.seed)
        return
    with tempfile.TemporaryDirectory(prefix="heapster-mutate-") as name:
        clean = Path(name) / "clean"
        clean.mkdir()
        for part in COPIED:
            _copy(PROJECT / part, clean / part)
        compile_all(clean)
        yield Hunting(plan.hunters(), plan.seed, clean)


def _copy(source: Path, to: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, to, symlinks=True, ignore=UNCOPIED)
    elif source.exists():
        shutil.copy2(source, to)


def project_goods() -> Goods:
    """All that hunters need on another machine: the project's files."""
    return goods_of((path for part in COPIED for path in (PROJECT / part, *sorted((PROJECT / part).rglob("*")))
                     if path.is_file() and "__pycache__" not in path.parts), PROJECT)


def _judged(change: Change, text: str) -> HuntResult | None:
    """What was said of the change when it was reviewed."""
    reason = why_unseen(change, text)
    if not reason:
        return None
    return HuntResult(change.file, change.line, change.kind, *change.of(text), "equivalent", "review", reason)


class Log:
    """Results in a file, a line each, written as they come: a campaign that was stopped goes on from them.

    A result counts for the source and the hunters that it was found with, and no others.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._source = digest()
        self._known: dict[str, HuntResult] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                with suppress(ValueError):              # a line that was cut short, by a full disk or a kill
                    row = json.loads(line)
                    key = row.pop("key")
                    self._known[key] = HuntResult(**row)

    def get(self, change: Change, plan: HuntPlan) -> HuntResult | None:
        """What was found before."""
        return self._known.get(self._key(change, plan))

    def killers(self, file: str) -> tuple[str, ...]:
        """The tests that noticed changes of the file, of whatever source, those that noticed most first."""
        tests = Counter(test for result in tuple(self._known.values())
                        if result.file == file and result.verdict == "killed" and (test := killer(result.said)))
        return tuple(test for test, _ in tests.most_common(MOST_KILLERS))

    def add(self, change: Change, plan: HuntPlan, result: HuntResult) -> HuntResult:
        """Keep a result; the same result."""
        key = self._key(change, plan)
        self._known[key] = result
        row: dict[str, Any] = {"key": key, **asdict(result)}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        return result

    def _key(self, change: Change, plan: HuntPlan) -> str:
        return sha256(repr((self._source, change, plan.seed, plan.by)).encode()).hexdigest()[:24]


def digest() -> str:
    """What the results hang on: all of the source and the tests."""
    whole = sha256()
    for part in ("heapster", "tests"):
        for path in sorted((PROJECT / part).rglob("*.py")):
            whole.update(str(path.relative_to(PROJECT)).encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()


def counts(results: Sequence[HuntResult]) -> dict[str, int]:
    """How many came to which end."""
    return {verdict.replace(" ", "_"): sum(result.verdict == verdict for result in results)
            for verdict in ("killed", "timed out", "survived", "equivalent")}
