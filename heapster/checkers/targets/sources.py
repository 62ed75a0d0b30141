"""A folder of C sources: which of them make its allocator, where there is one sensible choice or its build says so."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
ANY_INCLUDED = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
OF_THE_SYSTEM = Path("/usr/include")
BESIDE = ("include", "includes", "inc", "headers")      # what folders for headers are called, beside one for sources
HINTING = re.compile("alloc|heap|pool|mem", re.IGNORECASE)      # what the sources of allocators are called
MOST_NAMED = 2
DEEPEST = 3                     # folders that are looked into for sources
OF_THE_JUDGE = "memlib"         # the lab's sbrk, of which the judge has its own


def holds_sources(folder: Path) -> bool:
    """Whether C sources lie in or below the folder, or what says how some are built, and no copy of impl."""
    return not holds_source(folder) and (has_build(folder) or bool(sources_below(folder)))


def sources_in(folder: Path, built: Sequence[BuiltSource]) -> tuple[Path, ...]:
    """What the folder's build compiles, but for programs; in a lab the one that defines a malloc.

    Those whose headers that one includes come with it.
    UsageError, with what to name instead, if none does or several do.
    """
    texts = {path: _text(path) for path in sorted({*_sources_of(folder), *(one.source for one in built)})}
    parts = _parts(texts) or list(texts)
    choices = [path for path in parts if MALLOC.search(texts[path])]
    made = {one.source for one in built}.intersection(parts)
    if meant := [path for path in choices if path in made]:
        if not any(LAB.search(texts[path]) for path in meant):
            return (*meant, *sorted(path for path in made if path not in meant and path.stem != OF_THE_JUDGE))
        choices = meant if len(meant) == 1 else choices
    if not choices and made:                # under names that only the compiler sees
        return tuple(sorted(made))
    first = the_one(folder, choices, parts)
    return (first, *_included_by(first, parts))


def parts_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """The sources in and below the folder, and those of them that are programs, or only parts of others."""
    texts = {path: _text(path) for path in sources_below(folder)}
    parts = _parts(texts)
    return (parts, [path for path, text in texts.items() if _is_program(text)]) if parts else (list(texts), [])


def all_parts_below(folder: Path) -> list[Path]:
    """The sources in and below the folder that are neither programs nor parts of others, whoever builds them."""
    return _parts({path: _text(path) for place in _folders_below(folder) for path in sorted(_sources_of(place))})


def the_one(folder: Path, choices: Sequence[Path], parts: Sequence[Path] = ()) -> Path:
    """The only source that defines a malloc; UsageError, with what to name instead, if there is none or are several."""
    if not choices:
        raise UsageError(f"no source in {folder} defines a malloc beside its programs: {_to_name(folder, parts)}")
    if len(choices) > 1:
        raise UsageError(f"{len(choices)} sources in {folder} define a malloc ({', '.join(p.name for p in choices)}): "
                         f"name the one that is meant, as in {min(choices, key=_is_no_lab)}")
    return choices[0]


def defines_malloc(source: Path) -> bool:
    """Whether a function whose name ends in malloc is seen in the text of the source."""
    return MALLOC.search(_text(source)) is not None


def is_of_a_lab(source: Path) -> bool:
    """Whether the source is one of a malloc lab."""
    return LAB.search(_text(source)) is not None


def companions(source: Path, needs: Iterable[str], built: Iterable[Path] = ()) -> list[Path]:
    """Of the sources whose headers a source includes, and those built with it, what defines what it has not itself."""
    parts = [path for path in sorted(_sources_of(source.parent)) if not _is_program(_text(path))]
    with_it = [path for path in built if path.resolve() != source.resolve() and not _is_program(_text(path))
               and path.stem != OF_THE_JUDGE]
    among = {path.resolve(): path for path in (*_included_by(source, parts), *with_it)}
    names = tuple(needs)
    return [path for path in among.values() if any(defines(path, name) for name in names)]


def defines(source: Path, name: str) -> bool:
    """Whether a function of that name is seen in the text of the source."""
    return re.search(rf"^[\w \t*]*\b{re.escape(name)}[ \t]*\([^;{{]*\{{", _text(source), re.MULTILINE) is not None


def include_flags(folder: Path, sources: Iterable[Path]) -> tuple[str, ...]:
    """What lets the compiler find the headers in, below or beside the folder that the sources include, or these do."""
    places = [*_folders_below(folder), *(folder.resolve().parent / name for name in BESIDE)]
    found: dict[Path, None] = {}
    waiting, seen = [*sources], set[Path]()
    while waiting:
        source = waiting.pop()
        for quoted, named in ANY_INCLUDED.findall(_text(source)):
            beside = source.parent / quoted
            if quoted and beside.is_file() or named and (OF_THE_SYSTEM / named).exists():
                header = beside
            else:
                place = next((place for place in places if (place / (quoted or named)).is_file()), None)
                header = place / (quoted or named) if place else beside
                found |= {place: None} if place else {}
            plain = Path(os.path.normpath(header))
            if plain.is_file() and plain not in seen:
                seen.add(plain)
                waiting.append(plain)
    return tuple(f"-I{place}" for place in found)


def _folders_below(folder: Path, deep: int = DEEPEST) -> Iterator[Path]:
    """The folder and those below it, in order."""
    yield folder
    for path in sorted(folder.iterdir()) if deep else ():
        is_own = path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
        if is_own and os.access(path, os.R_OK | os.X_OK):
            yield from _folders_below(path, deep - 1)


def _sources_of(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix in SOURCES]


def sources_below(folder: Path) -> list[Path]:
    """Those of the folder, and of folders below that are not built by themselves, in order."""
    built = [place for place in _folders_below(folder) if place != folder and has_build(place)]
    return [source for place in _folders_below(folder) if not any(map(place.is_relative_to, built))
            for source in sorted(_sources_of(place))]


def _parts(texts: Mapping[Path, str]) -> list[Path]:
    """The sources that are neither programs nor included by others."""
    included = {(path.parent / name).resolve() for path, text in texts.items() for name in INCLUDED.findall(text)}
    return [path for path, text in texts.items() if not _is_program(text) and path.resolve() not in included]


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
        named = sorted(parts, key=lambda path: (not HINTING.search(path.stem), len(path.parts)))[:MOST_NAMED]
        return f"name the sources that make the allocator, as in {' '.join(map(str, named))}"
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
