"""All variants of a target's sources in one object: what does not compile is left out, the boldest first."""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from heapster import children
from heapster.checkers.blackbox.build import COMPILE_LIMIT, cache_folder
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.blackbox.variant_list import FORCED, Variant
from heapster.checkers.blackbox.variants import MOST_VARIANTS, Variants
from heapster.checkers.targets.instrumented import instrument
from heapster.checkers.targets.sources import INCLUDED
from heapster.results import TargetError

STRICT = ("-Werror=implicit-function-declaration", "-Werror=int-conversion")
ROUNDS, GENTLE = 30, 10         # of leaving out what does not compile; in which a line loses only its boldest
MESSAGE = re.compile(r"^(.*?):(\d+)(?::\d+)?: (?:(?:fatal )?error|note: (?:in|expanded)\b.*\bmacro)", re.MULTILINE)


class Repair(NamedTuple):
    """A variant under which all passes."""

    variant: Variant
    file: Path
    mended: str                 # the line, as it would read
    function: str
    hides: bool = False         # parts of the target are never come by any more, which the same calls came by before
    avoids: bool = False        # the trace itself no longer comes by lines that it failed on its way through
    partly: bool = False        # other traces still fail, though fewer
    changes: int = 0            # traces that pass anyway, and are given other addresses
    memory: int = 0             # that repeated work takes then
    mapped: int = 0             # bytes that are mapped for it

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
            for done in range(ROUNDS):
                for text, (_, variants) in zip(texts, self._sources, strict=True):
                    text.write_text(variants.source(self._left_out))
                said = _complaints([*ingredients.compiler, *flags, *sources])
                if not said:
                    instrument(ingredients._replace(flags=flags, sources=sources), made)
                    return replace(self._target, path=str(made), instrumented=True)
                if not self._leave_out(said, texts, gently=done < GENTLE) and (
                        not self._leave_out(said, texts, gently=False)):
                    break
        raise TargetError(f"{self._target.name} does not compile with variants of its lines")

    def _leave_out(self, said: str, texts: list[Path], *, gently: bool) -> bool:
        """Leave out what the compiler complains of, of each line the boldest variants or all; whether there is any."""
        before = len(self._left_out)
        for file, line in set(MESSAGE.findall(said)):
            for text, (_, variants) in zip(texts, self._sources, strict=True):
                if file == str(text) and int(line):
                    self._left_out |= self._boldest(variants, int(line), None if gently else 0)
        return len(self._left_out) > before

    def _boldest(self, variants: Variants, line: int, most: int | None) -> set[int]:
        """Of what a complaint about a line may be of, those that are guessed most, or at least so much.

        That is what stands on the line; else in the macros that it uses, and those that these use; else in the rest of
        its statement; and, where `most` says that there was patience enough, of its function.
        """
        left = [one for one in variants.all if one.number not in self._left_out]
        uses = self._macros_of(variants.outline.text_of(line))
        within = variants.outline.statement_of(line)
        in_uses = [one for _, others in self._sources for one in others.all
                   if one.number not in self._left_out and others.function_of(one) in uses]
        in_function = [one for one in left if variants.function_of(one) == variants.outline.function_at(line)]
        for some in ([one for one in left if one.line == line], in_uses, [one for one in left if one.line in within],
                     in_function if most is not None else []):
            if some:
                least = max(one.guess for one in some) if most is None else most
                return {one.number for one in some if one.guess >= least}
        return set()

    def _macros_of(self, text: str) -> set[str]:
        """The macros of the sources that a text uses, and those that these use in turn."""
        found, waiting = set[str](), [text]
        bodies = {name: body for _, variants in self._sources for name, body in variants.outline.macros.items()}
        while waiting:
            new = set(re.findall(r"\w+", waiting.pop())) & bodies.keys() - found
            found |= new
            waiting += (bodies[name] for name in new)
        return found

    @property
    def has_headers(self) -> bool:
        """Whether there are variants of headers among them."""
        return bool(self._headers)

    def all(self) -> list[Repair]:
        """Every variant that was compiled."""
        return [Repair(one, path, variants.mended(one), variants.outline.compiled_name(variants.function_of(one)))
                for path, variants in self._sources
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
