"""Which single expression, written otherwise, makes all pass: the surest sign of the line that is wrong.

All variants of the sources are compiled into one object. Those that the failing trace comes by are tried on it, one
after the other; what then passes is put to other traces too, for a variant may only hide the fault.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from heapster import children
from heapster.checkers.blackbox.build import COMPILE_LIMIT, cache_folder
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.protocol import LOADS, OBSERVED, Mode
from heapster.checkers.blackbox.seed_corpus import basics
from heapster.checkers.blackbox.stepwise import hurried, run_trace, set_promises
from heapster.checkers.blackbox.target import VERB_BITS, ForeignTarget
from heapster.checkers.blackbox.variants import MOST_VARIANTS, Variant, Variants
from heapster.checkers.blackbox.volume import still_grows
from heapster.checkers.targets.instrumented import instrument
from heapster.checkers.targets.sources import INCLUDED
from heapster.model.operation import Trace
from heapster.model.operations import PAGE_ALIGNING, REQUESTS
from heapster.model.spec import Promises
from heapster.model.trace import parse
from heapster.results import TargetError

STRICT = ("-Werror=implicit-function-declaration", "-Werror=int-conversion")
ROUNDS = 12                     # of leaving out what does not compile
MESSAGE = re.compile(r"^(.*?):(\d+)(?::\d+)?: (?:fatal )?(?:error|note)", re.MULTILINE)
BATTERY, GENERATED = 30, (800, 4000, 8000)      # traces, and operations of runs, that a variant must pass
SPECTRUM = 12                   # traces that tell which lines those come by that pass
ENOUGH = 6                      # variants that mend it
MOST_TRIED, HURRY = 1200, 60    # variants, and ms for each
FORCED = 2                      # rank of variants whose condition no longer depends on anything
WORK = parse("a = malloc(40)\nb = malloc(600)\nfree(a)\nc = malloc(24)\nfree(b)\nd = malloc(100)\nfree(c)\nfree(d)")
PIECES = parse("\n".join(["a = malloc(2000)", "free(a)", *(f"{name} = malloc(40)" for name in "bcdefghijklmnopq")]))
MOST_MEMORY, ALIKE = 1 << 60, 1 << 15   # bytes: of a variant that does not come to its end; that make no difference
WASTE = 3                       # times the memory that it takes now: by merging nothing, or giving nothing again
ROUNDS_OF_WORK = 5000           # that must come to rest
CALLS = REQUESTS.keys() - PAGE_ALIGNING | {"free"}


class Repair(NamedTuple):
    """A variant under which all passes."""

    variant: Variant
    file: Path
    mended: str                 # the line, as it would read
    function: str

    def rank_of(self, distance: Callable[["Repair"], int], often: int) -> tuple[bool, int, bool, int, int]:
        """The least of several is to be believed first; what traces that pass come by `often`, last."""
        away = distance(self)
        return self.variant.rank >= FORCED, self.variant.rank, away > 0, away, often


class Repairs:
    """The variants of one target."""

    def __init__(self, target: ForeignTarget, *, headers: bool = True) -> None:
        self._target = target
        self._sources: list[tuple[Path, Variants]] = []         # the headers behind the sources
        self._left_out: set[int] = set()
        sources = list(map(Path, target.ingredients.sources)) if target.ingredients else []
        self._headers = headers_beside(sources) if headers else {}
        base = 0
        for source in (*sources, *self._headers.values()):
            ours = source.parent == cache_folder()                          # an adapter that we wrote
            variants = Variants(source.read_text(errors="replace"), base, 0 if ours else MOST_VARIANTS)
            base += len(variants.all)
            self._sources.append((source, variants))
        self.count = base

    def build(self) -> ForeignTarget:
        """The instrumented target with all of its variants in it; TargetError if it does not compile with any."""
        ingredients, made = self._target.ingredients, Path(self._target.path).with_suffix(".variants.so")
        assert ingredients is not None
        with TemporaryDirectory(dir=made.parent, prefix=made.stem) as folder:
            compiled = len(self._sources) - len(self._headers)
            texts = [Path(folder) / f"{number}{path.suffix}" for number, (path, _) in
                     enumerate(self._sources[:compiled])] + [Path(folder) / name for name in self._headers]
            sources = tuple(map(str, texts[:compiled]))
            flags = ("-O0", *ingredients.flags, *(f"-iquote{path.parent}" for path, _ in self._sources))
            for _ in range(ROUNDS):
                for text, (_, variants) in zip(texts, self._sources, strict=True):
                    text.write_text(variants.source(self._left_out))
                said = _complaints([*ingredients.compiler, *flags, *sources])
                if not said:
                    instrument(ingredients._replace(flags=flags, sources=sources), made)
                    return replace(self._target, path=str(made), instrumented=True)
                if not self._leave_out(said, texts):
                    break
        raise TargetError(f"{self._target.name} does not compile with variants of its lines")

    def _leave_out(self, said: str, texts: list[Path]) -> bool:
        """Leave out variants of the lines that the compiler complains of, the boldest first; whether there are any."""
        before = len(self._left_out)
        for file, line in set(MESSAGE.findall(said)):
            for text, (_, variants) in zip(texts, self._sources, strict=True):
                if file == str(text):
                    self._left_out |= self._boldest(variants, int(line))
        return len(self._left_out) > before

    def _boldest(self, variants: Variants, line: int) -> set[int]:
        """Of a line's variants, those that are guessed most; of a line without any, those of the macros in it."""
        on_line = [one for one in variants.all if one.line == line and one.number not in self._left_out]
        most = max((one.guess for one in on_line), default=0)
        if on_line:
            return {one.number for one in on_line if one.guess == most}
        names = set(re.findall(r"\w+", variants.text_of(line)))
        return {one.number for one in variants.all if variants.function_of(one) in names}

    @property
    def has_headers(self) -> bool:
        """Whether there are variants of headers among them."""
        return bool(self._headers)

    def all(self) -> list[Repair]:
        """Every variant that was compiled."""
        return [Repair(one, path, variants.mended(one), variants.function_of(one)) for path, variants in self._sources
                for one in variants.all if one.number not in self._left_out]


def compiled_repairs(target: ForeignTarget) -> tuple[Repairs, ForeignTarget]:
    """The target's variants, of its headers too if they compile so, and it with them; TargetError if none does."""
    repairs = Repairs(target)
    try:
        return repairs, repairs.build()
    except TargetError:
        if not repairs.has_headers:
            raise
        repairs = Repairs(target, headers=False)
        return repairs, repairs.build()


def headers_beside(sources: Iterable[Path]) -> dict[str, Path]:
    """The headers in the folders of the sources that these include, by the names that they include them by."""
    found: dict[str, Path] = {}
    waiting = list(sources)
    while waiting:
        source = waiting.pop()
        for name in INCLUDED.findall(source.read_text(errors="replace")):
            header = source.parent / name
            if name not in found and Path(name).name == name and header.suffix != ".c" and header.is_file():
                found[name] = header
                waiting.append(header)
    return found


def _complaints(command: list[str]) -> str:
    """What the compiler says of sources that it does not take."""
    try:
        done = children.run([*command, "-w", *STRICT, "-fsyntax-only"], capture_output=True, text=True,
                            errors="replace", timeout=COMPILE_LIMIT, env={**os.environ, "LC_ALL": "C"})
    except (OSError, children.TimeoutExpired) as error:
        raise TargetError(f"{command[0]}: {error}") from None
    return done.stderr if done.returncode else ""


class RepairSearch:
    """Looks for the variant that mends one failing trace."""

    def __init__(self, repairs: Repairs, judge: Judge, promises: Promises) -> None:
        self._repairs, self._judge, self._promises = repairs, judge, promises
        self.tried = 0
        self._often = list[int]()           # by number: how many traces that pass come by it
        self._earlier = list[Repair]()      # what has mended other traces: one fault may show in many ways

    def mending(self, fails: Callable[[Judge], bool], most: int = MOST_TRIED,
                distance: Callable[[Repair], int] = lambda _: 0) -> list[Repair]:
        """Variants under which `fails` no longer holds and the battery passes: the nearest, of the least changes.

        Those further away are not tried once one is found.
        """
        self.tried = 0
        self._judge.header.observed = OBSERVED
        found = list[Repair]()
        best: tuple[bool, int] | None = None
        met, often = self._met(fails), self._how_often()
        candidates = sorted(((one.rank_of(distance, often[one.variant.number]), one) for one in met),
                            key=lambda pair: pair[0])
        if again := [one for one in self._earlier if one in met and not self._still(one, fails)]:
            return again[:1]
        with hurried(self._judge, HURRY):
            for rank, one in candidates[:most]:
                if best is not None and (len(found) >= ENOUGH or rank[:2] > best) or rank[0] and rank[2]:
                    break
                self.tried += 1
                self._choose(one.variant.number)
                if not fails(self._judge) and self._passes_battery():
                    found.append(one)
                    best = rank[:2]
            found = self._thriftiest(found)
        self._choose(0)
        self._earlier += found[:1]
        return found

    def _how_often(self) -> list[int]:
        if not self._often:
            self._often = [0] * (self._repairs.count + 1)
            self._judge.header.observed = OBSERVED
            for trace in islice(self._basics(), SPECTRUM):
                self._judge.met(len(self._often))
                if not run_trace(self._judge, trace, self._promises).reasons:
                    met = self._judge.met(len(self._often))
                    self._often = [sum(both) for both in zip(self._often, met, strict=True)]
        return self._often

    def _basics(self) -> Iterable[Trace]:
        target = self._judge.target
        return basics(target.verbs, target.room // 4 or 1 << 20)

    def _still(self, one: Repair, fails: Callable[[Judge], bool]) -> bool:
        self.tried += 1
        self._choose(one.variant.number)
        try:
            return fails(self._judge)
        finally:
            self._choose(0)

    def _met(self, fails: Callable[[Judge], bool]) -> list[Repair]:
        """The variants that a failing run comes by; none if it does not fail here."""
        self._choose(0)
        for observed in (OBSERVED, 0):          # what fails may hang on what is in memory that nobody wrote
            self._judge.header.observed = observed
            self._judge.met(self._repairs.count + 1)
            if fails(self._judge):
                met = self._judge.met(self._repairs.count + 1)
                return [one for one in self._repairs.all() if met[one.variant.number]]
        return []

    def _choose(self, number: int) -> None:
        self._judge.header.choice = number

    def _passes_battery(self) -> bool:
        judge = self._judge
        if not all(self._passes_generated(*one) for one in enumerate(GENERATED)):
            return False
        traces = islice(self._basics(), BATTERY)
        passes = not any(run_trace(judge, trace, self._promises).reasons for trace in traces)
        return passes and not self._loses() and self._decides_on_its_own()

    def _decides_on_its_own(self) -> bool:
        """Whether it loads neither what nobody wrote nor what is a caller's; else it passes by chance."""
        judge = self._judge
        judge.header.observed = OBSERVED | LOADS
        try:
            return not any(run_trace(judge, trace, self._promises).reasons for trace in (WORK, PIECES))
        finally:
            judge.header.observed = OBSERVED

    def _loses(self) -> bool:
        """Whether memory is lost that is freed."""
        return self._in_volume(WORK)[0]

    def _in_volume(self, work: Trace) -> tuple[bool, int]:
        """Whether memory grows where the work is done over and over, and how much there is at its end."""
        judge = self._judge
        observed, judge.header.observed = judge.header.observed, 0
        try:
            grows = still_grows(judge, work, ROUNDS_OF_WORK)
            samples = judge.header.samples
            return grows, judge.header.footprint[samples - 1] if samples else MOST_MEMORY
        finally:
            judge.header.observed = observed

    def _thriftiest(self, found: list[Repair]) -> list[Repair]:
        """Those first that do with least memory; what takes far more than it does now only hides a fault."""
        def memory(number: int) -> int:
            self._choose(number)
            return self._in_volume(PIECES)[1] // ALIKE

        most = WASTE * (memory(0) + 1)
        return sorted((one for one in found if memory(one.variant.number) < most),
                      key=lambda one: memory(one.variant.number))

    def _passes_generated(self, seed: int, most: int) -> bool:
        set_promises(self._judge, self._promises)
        header = self._judge.header
        header.masked, header.seed, header.least_size = 0, seed + 1, 0
        header.verbs = sum(VERB_BITS[verb] for verb in CALLS if verb in self._judge.target.verbs)
        header.most_size, header.most_live, header.live_budget = 1 << 12, 1 << 7, 1 << 20
        ending = self._judge.run(Mode.GENERATE, most)
        return not ending.died and not ending.suspicion
