"""A folder of C sources: which of them make its allocator, where there is one sensible choice or its build says so."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from heapster.checkers.targets.making import SOURCES, BuiltSource, has_build
from heapster.checkers.targets.source import holds_source
from heapster.results import TargetError, UsageError

MALLOC = re.compile(r"^(?:extern \"C\" )?[\w \t*]*\b\w*malloc[ \t]*\([^;{)]*\)\s*\{", re.MULTILINE)
LAB = re.compile(r"\bmm_init\b")      # its build makes a driver of it
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
OPENS, CLOSES = re.compile(r"[ \t]*#[ \t]*if"), re.compile(r"[ \t]*#[ \t]*endif")
MAIN = re.compile(r"^[\w \t*]*\bmain[ \t]*\(", re.MULTILINE)
INCLUDED = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
DEEPEST = 3                     # folders that are looked into for sources
OF_THE_JUDGE = "memlib"         # the lab's sbrk, of which the judge has its own


def holds_sources(folder: Path) -> bool:
    """Whether C sources lie in the folder, or what says how some are built, and no copy of impl."""
    return not holds_source(folder) and (bool(_sources_of(folder)) or has_build(folder))


def sources_in(folder: Path, built: Sequence[BuiltSource] = ()) -> tuple[Path, ...]:
    """What the folder's build compiles, but for programs; in a lab, or without a build, the one that defines a malloc.

    Those whose headers that one includes come with it.
    UsageError, with what to name instead, if none does or several do.
    """
    texts = {path: _text(path) for path in sorted({*_sources_of(folder), *(one.source for one in built)})}
    included = {(path.parent / name).resolve() for path, text in texts.items() for name in INCLUDED.findall(text)}
    parts = [path for path, text in texts.items()
             if not _is_program(text) and path.resolve() not in included] or list(texts)
    choices = [path for path in parts if MALLOC.search(texts[path])]
    made = {one.source for one in built}.intersection(parts)
    if meant := [path for path in choices if path in made]:
        if not any(LAB.search(texts[path]) for path in meant):
            return (*meant, *sorted(path for path in made if path not in meant and path.stem != OF_THE_JUDGE))
        choices = meant if len(meant) == 1 else choices
    if not choices and made:                # under names that only the compiler sees
        return tuple(sorted(made))
    if not choices:
        raise UsageError(f"no source in {folder} defines a malloc beside its programs: "
                         f"{_to_name(folder, parts[:2])}")
    if len(choices) > 1:
        raise UsageError(f"{len(choices)} sources in {folder} define a malloc ({', '.join(p.name for p in choices)}): "
                         f"name the one that is meant, as in {min(choices, key=_is_no_lab)}")
    return (choices[0], *_included_by(choices[0], parts))


def companions(source: Path, needs: Iterable[str]) -> list[Path]:
    """Of the sources whose headers a source includes, those that define what it needs and does not have itself."""
    parts = [path for path in sorted(_sources_of(source.parent)) if not _is_program(_text(path))]
    wanted = [re.compile(rf"^[\w \t*]*\b{re.escape(name)}[ \t]*\([^;{{]*\{{", re.MULTILINE) for name in needs]
    return [path for path in _included_by(source, parts) if any(one.search(_text(path)) for one in wanted)]


def _sources_of(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix in SOURCES]


def _is_program(text: str) -> bool:
    """Whether a source defines main: in no comment, and under no condition of the preprocessor's, as tests do."""
    depth, code = 0, []
    for line in COMMENT.sub(" ", text).splitlines():
        depth += bool(OPENS.match(line)) - bool(CLOSES.match(line))
        code += [line] if depth == 0 else []
    return MAIN.search("\n".join(code)) is not None


def _included_by(first: Path, parts: Sequence[Path]) -> list[Path]:
    """The sources beside the headers that it includes, or that these include."""
    seen, waiting, included = {first}, [_text(first)], {first}
    while waiting:
        for name in INCLUDED.findall(waiting.pop()):
            header = first.parent / name
            included |= {header} if header.suffix == ".c" else set()        # a part of what includes it
            beside = {path for path in (header, *map(header.with_suffix, SOURCES)) if path.is_file()} - seen
            if header.stem != OF_THE_JUDGE:
                seen |= beside
                waiting += map(_text, beside)
    return sorted(seen.intersection(parts) - included)


def _to_name(folder: Path, parts: Sequence[Path]) -> str:
    """What to name instead of the folder."""
    if parts:
        return f"name the sources that make the allocator, as in {' '.join(map(str, parts))}"
    inner = within(folder)
    return f"name the folder that does, as in {inner}" if inner else "name the sources that make the allocator"


def within(folder: Path) -> Path | None:
    """A folder below, the uppermost, that holds C sources or says how some are built."""
    below = (path for depth in range(1, DEEPEST + 1) for path in sorted(folder.glob("/".join("*" * depth))))
    return next((path for path in below if path.is_dir() and holds_sources(path)), None)


def _is_no_lab(path: Path) -> bool:
    return path.name != "mm.c"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise TargetError(f"{path} cannot be read: {error.strerror}") from None
