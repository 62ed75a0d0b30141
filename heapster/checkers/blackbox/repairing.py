"""All variants of a target's sources in one object: what does not compile is left out, the boldest first."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from ctypes import CDLL
from dataclasses import replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from heapster import children
from heapster.checkers.blackbox.build import COMPILE_LIMIT, cache_folder
from heapster.checkers.blackbox.outline import Outline
from heapster.checkers.blackbox.symbols import read_shared_object
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.blackbox.variant_list import FORCED, LACKING, Variant
from heapster.checkers.blackbox.variants import MOST_VARIANTS, Variants
from heapster.checkers.targets.instrumented import instrument
from heapster.checkers.targets.making import CPLUSPLUS
from heapster.checkers.targets.sources import INCLUDED
from heapster.results import TargetError

STRICT = ("-Werror=implicit-function-declaration", "-Werror=int-conversion")
POINTING, GENTLE, ROUNDS = 6, 16, 36        # of leaving out what does not compile: in the first, only what the compiler
                                            # points into; until the next, of a line only the boldest
FEW_CHANGES = 2                 # traces that pass anyway and are given other addresses, by a slip that is mended
WORDS = re.compile(r"\w+")
LOADED = CDLL(None)             # the functions that any object finds
MESSAGE = re.compile(r"^(.*?):(\d+)(?::\d+)?: (?:(?:fatal )?error|note: (?:in|expanded)\b.*\bmacro)", re.MULTILINE)
POINTED = re.compile(r"^(.*?):(\d+):(\d+): ((?:fatal )?error|note: in expansion of macro)", re.MULTILINE)
UNDECLARED = re.compile(r"^(.*?):(\d+):\d+: error: (?:'(\w+)' undeclared|use of undeclared identifier '(\w+)')",
                        re.MULTILINE)
PUT_IN = b"? "                  # before a macro's name, where it is that of an alternative
CHOSEN = re.compile(rb"HEAPSTER_IS\((\d+)\)|HEAPSTER_AT\((\d+), |\bcase (\d+): ")


class Repair(NamedTuple):
    """A variant under which all passes."""

    variant: Variant
    file: Path
    mended: str                 # the line, as it would read
    function: str
    hides: bool = False         # parts of the target are never come by any more, which the same calls came by before
    idles: bool = False         # of its function, lines that the trace failed on its way through are never come by
    avoids: bool = False        # the trace itself no longer comes by lines that it failed on its way through
    partly: bool = False        # other traces still fail, though fewer
    narrow: bool = False        # of those that are nearly the one that fails, and fail too, some still do
    changes: int = 0            # traces that pass anyway, and are given other addresses
    memory: int = 0             # that repeated work takes then
    wastes: bool = False        # it needs clearly more memory than now
    loads: bool = False         # what it does hangs on bytes that nobody wrote, or that are a caller's
    often: int = 0              # traces that pass as it is and come by it
    usual: bool = False         # those are many of them: what is wrong only at times stands where few do

    @property
    def is_surgical(self) -> bool:
        """Whether it changes only the trace that fails, though that goes another way then."""
        return self._replace(avoids=False).is_sound and self.changes == 0 and self.variant.rank == 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing but other addresses, as a size that is mended brings them, speaks against it."""
        return bool(self.variant.before) and not (self.partly or self.narrow or self.hides or self.idles or self.avoids
                                                  or self.wastes or self.loads or self.variant.odd)

    def calls(self, other: "Repair") -> bool:
        """Whether what another mends is called on its line."""
        return other.function != self.function and bool(re.search(rf"\b{other.function} *\(", self.mended))

    def standing(self) -> tuple[bool, bool, bool, bool, bool, bool, bool, bool, bool, int]:
        """What it does to the target, the worst first: where two are alike in this, as much speaks for either.

        What nobody slips in is no worse for that where it changes nothing else: one too far is a slip of indices.
        """
        spoils = self.hides or self.idles or self.wastes or self.variant.odd and self.changes > 0
        return (self.partly, spoils, self.narrow, self.avoids, self.loads, self.changes > FEW_CHANGES,
                self.variant.odd, self.variant.rank >= FORCED, not self.variant.before, self.changes)

    def belief(self) -> tuple[tuple[bool | int, ...], bool, tuple[bool | int, ...]]:
        """Sorts several that mend a trace: what goes the same way is to be believed first, and what is bold late.

        A statement that is lacking where few traces come by is believed before a change of what nearly all come by.
        """
        standing = self.standing()
        return standing[:-2], self.usual, (*standing[-2:], self.variant.rank, self.often, self.memory)

    def rank_of(self, distance: Callable[["Repair"], int], often: int) -> tuple[bool, int, bool, int, bool, int]:
        """The least of several is to be believed first; what traces that pass come by `often`, last.

        What is lacking may be so anywhere: of that, what those come by least comes first.
        """
        away, variant = distance(self), self.variant
        if variant.rank == LACKING:
            return True, LACKING, False, often, variant.odd, away
        return variant.rank >= FORCED, variant.rank, away > 0, away, variant.odd, often


class RepairLayer(NamedTuple):
    """Variants that are in one object, and the instrumented target that has them."""

    repairs: tuple[Repair, ...]
    target: ForeignTarget
    highest: int                # no number of a variant is higher
    checking: frozenset[str]    # functions that nothing but the target's heap check comes by
    marks: tuple[Repair, ...] = ()              # beside macros: what only tells which lines of functions are come by
    users: Mapping[str, frozenset[str]] = {}    # of a macro: the functions that it stands in


class Repairs:
    """The variants of one target."""

    def __init__(self, target: ForeignTarget, late: Callable[[], bool] = lambda: False, *,
                 headers: bool = True) -> None:
        self._target, self._late = target, late
        self._sources: list[tuple[Path, Variants]] = []         # the headers behind the sources
        self._left_out: set[int] = set()
        sources = list(map(Path, target.ingredients.sources)) if target.ingredients else []
        self._headers = headers_beside(sources) if headers else {}
        base, texts = 0, {source: source.read_text(errors="replace") for source in (*sources, *self._headers.values())}
        no_values = frozenset[str]().union(*(Outline(text).no_values for text in texts.values()))
        for source, text in texts.items():
            ours = source.parent == cache_folder()                          # an adapter that we wrote
            variants = Variants(text, base, 0 if ours else MOST_VARIANTS, no_values)
            base += len(variants.all)
            self._sources.append((source, variants))
        self.count = base
        self._bodies = {name: body for _, variants in self._sources for name, body in variants.outline.macros.items()}

    def layers(self) -> Iterator[RepairLayer]:
        """Objects with all variants: those of functions, then those of macros, by how deep these use each other.

        Where a macro varies and so do those that it uses, or that are handed to it, what one line comes to multiplies.
        TargetError if it does not compile with any.
        """
        by_depth, reached = dict[int, set[int]](), self._reached(self._target.symbols.values())
        marks = set[int]()
        for _, variants in self._sources:
            for one in variants.all:
                function = variants.function_of(one)
                if reached is None or function in reached:
                    by_depth.setdefault(self._depth(function), set()).add(one.number)
                    marks |= {one.number} if one.is_left_out and function not in self._bodies else set()
        made = [layer for number, depth in enumerate(sorted(by_depth))
                if (layer := self._layer(number, by_depth[depth], marks if depth else set())) is not None]
        if not made:
            raise TargetError(f"{self._target.name} does not compile with variants of its lines")
        yield from made

    @cached_property
    def _users(self) -> dict[str, frozenset[str]]:
        return {name: frozenset(variants.outline.compiled_name(user) for _, variants in self._sources
                                for user in variants.outline.users_of(name)) for name in self._bodies}

    @cached_property
    def _checking(self) -> frozenset[str]:
        """The functions that only the target's heap check comes by: what they find went wrong elsewhere."""
        calls = dict(self._target.symbols)
        check = calls.pop("check", "")
        every, others = (self._reached(names) for names in ((check, *calls.values()), calls.values()))
        return frozenset({check} if every is None or others is None else every - others)

    def _reached(self, calls: Iterable[str]) -> set[str] | None:
        """The functions and macros that the target's calls, or an adapter's, come by; None where C++ hides it."""
        if any(path.name.endswith(CPLUSPLUS) for path, _ in self._sources):
            return None
        found = {*calls}
        for path, variants in self._sources:
            found |= set(WORDS.findall(variants.text)) if path.parent == cache_folder() else set()
        before = -1
        while len(found) > before:
            before = len(found)
            found |= set().union(*(variants.outline.reached_from(found) for _, variants in self._sources))
        return found

    def _depth(self, name: str) -> int:
        """How many macros deep a macro uses others, itself counted; 0 of a function."""
        deep, names = 0, {name} & self._bodies.keys()
        while names and deep <= len(self._bodies):
            deep, names = deep + 1, {word for one in names for word in WORDS.findall(self._bodies[one])
                                     if word in self._bodies and word not in names}
        return deep

    def _layer(self, number: int, members: set[int], marks: set[int]) -> RepairLayer | None:
        """One object with these variants and marks, but for what does not compile; None if nothing is left."""
        self._left_out = {one.number for _, variants in self._sources for one in variants.all} - members - marks
        if not members:
            return None
        target = self._built(Path(self._target.path).with_suffix(f".variants{number}.so"))
        made = self._all()
        return RepairLayer(tuple(one for one in made if one.variant.number in members), target, self.count,
                           self._checking, tuple(one for one in made if one.variant.number in marks),
                           self._users) if target else None

    def _built(self, made: Path) -> ForeignTarget | None:
        ingredients = self._target.ingredients
        assert ingredients is not None
        with TemporaryDirectory(dir=made.parent, prefix=made.stem) as folder:
            compiled = len(self._sources) - len(self._headers)
            texts = [Path(folder) / f"{number}{path.suffix}" for number, (path, _) in
                     enumerate(self._sources[:compiled])] + [Path(folder) / name for name in self._headers]
            sources = tuple(map(str, texts[:compiled]))
            flags = ("-O0", *ingredients.flags, *(f"-iquote{path.parent}" for path, _ in self._sources))
            for done in takewhile(lambda _: not self._late(), range(ROUNDS)):
                for text, (_, variants) in zip(texts, self._sources, strict=True):
                    text.write_text(variants.source(self._left_out))
                said = _complaints([*ingredients.compiler, *flags, *sources])
                if not said:
                    instrument(ingredients._replace(flags=flags, sources=sources), made)
                    if self._leave_out_unlinked(made):
                        continue
                    return replace(self._target, path=str(made), instrumented=True)
                if not (self._leave_out_undeclared(said, texts)
                        or done < POINTING and self._leave_out_told(said, texts)
                        or self._leave_out(said, texts, gently=done < GENTLE)
                        or self._leave_out(said, texts, gently=False)):
                    break
        return None

    def _leave_out_unlinked(self, made: Path) -> bool:
        """Leave out what names functions that nobody defines, as code that is not compiled does; whether any does."""
        before, needed = len(self._left_out), read_shared_object(Path(self._target.path)).needs
        lacking = {name for name in read_shared_object(made).needs - needed if not hasattr(LOADED, name)}
        self._left_out |= {one.number for _, variants in self._sources for one in variants.all
                           if lacking & set(WORDS.findall(one.after))}
        return len(self._left_out) > before

    def _leave_out_undeclared(self, said: str, texts: list[Path]) -> bool:
        """Leave out what names a word that its function does not know; whether there is any.

        A compiler tells of it once in each function: else a round would go by for every line of it.
        """
        before = len(self._left_out)
        for file, line, *names in UNDECLARED.findall(said):
            for text, (_, variants) in zip(texts, self._sources, strict=True):
                if file == str(text):
                    self._left_out |= variants.naming("".join(names), variants.outline.function_at(int(line)))
        return len(self._left_out) > before

    def _leave_out_told(self, said: str, texts: list[Path]) -> bool:
        """Leave out the alternatives that the compiler points into, by line and byte; whether there is any."""
        before, lines = len(self._left_out), dict[Path, list[bytes]]()
        for file, line, byte, what in POINTED.findall(said):
            if (path := Path(file)) in texts:
                written = lines.setdefault(path, path.read_bytes().partition(b"#line 1\n")[2].split(b"\n"))
                before_it = written[int(line) - 1][:int(byte) - 1]
                self._left_out |= _chosen_last(before_it) if "error" in what or before_it.endswith(PUT_IN) else set()
        return len(self._left_out) > before

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
        some = next(filter(None, self._complained(variants, line, in_function=most is not None)), [])
        least = max((one.guess for one in some), default=0) if most is None else most
        return {one.number for one in some if one.guess >= least}

    def _complained(self, variants: Variants, line: int, *, in_function: bool) -> Iterator[list[Variant]]:
        """What a complaint about a line may be of, and is not left out yet: the likeliest first."""
        left = [one for one in variants.all if one.number not in self._left_out]
        yield [one for one in left if one.line == line]
        uses = self._macros_of(variants.outline.text_of(line))
        yield [one for _, others in self._sources for one in others.all
               if one.number not in self._left_out and others.function_of(one) in uses]
        within, function = variants.outline.statement_of(line), variants.outline.function_at(line)
        yield [one for one in left if one.line in within]
        yield [one for one in left if variants.function_of(one) == function] if in_function else []

    def _macros_of(self, text: str) -> set[str]:
        """The macros of the sources that a text uses, and those that these use in turn."""
        found, waiting = set[str](), [text]
        while waiting:
            new = set(WORDS.findall(waiting.pop())) & self._bodies.keys() - found
            found |= new
            waiting += (self._bodies[name] for name in new)
        return found

    @property
    def has_headers(self) -> bool:
        """Whether there are variants of headers among them."""
        return bool(self._headers)

    def _all(self) -> list[Repair]:
        """Every variant that was compiled."""
        return [Repair(one, path, variants.mended(one), variants.outline.compiled_name(variants.function_of(one)))
                for path, variants in self._sources
                for one in variants.all if one.number not in self._left_out]


def compiled_repairs(target: ForeignTarget, late: Callable[[], bool] = lambda: False) -> list[RepairLayer]:
    """The target's variants, of its headers too if they compile so, and it with them; TargetError if none does.

    Where it is `late`, an object that does not compile yet is given up.
    """
    repairs = Repairs(target, late)
    try:
        return list(repairs.layers())
    except TargetError:
        if not repairs.has_headers or late():
            raise
        return list(Repairs(target, late, headers=False).layers())


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


def _chosen_last(text: bytes) -> set[int]:
    """The number of the alternative that starts last in the start of a line with variants in it; none if none does."""
    found, first = set[int](), 0
    for match in CHOSEN.finditer(text):
        alone, place, case = (int(number) if number else -1 for number in match.groups())
        first = place if place >= 0 else first
        found = {alone if alone >= 0 else first + max(0, case)}
    return found


def _complaints(command: list[str]) -> str:
    """What the compiler says of sources that it does not take."""
    try:
        done = children.run([*command, "-w", *STRICT, "-fsyntax-only"], capture_output=True, text=True,
                            errors="replace", timeout=COMPILE_LIMIT, env={**os.environ, "LC_ALL": "C"})
    except (OSError, children.TimeoutExpired) as error:
        raise TargetError(f"{command[0]}: {error}") from None
    return done.stderr if done.returncode else ""
