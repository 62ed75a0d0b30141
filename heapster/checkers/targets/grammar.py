"""How targets are spelled, as text and in lists.

    sim | process | native | libc | jemalloc | mimalloc | tcmalloc
    ./libx.so | ./mm.c [more.c ...] | ./folder-with-a-copy-of-impl | pool.toml

with settings after colons where the allocator is ours: native:policy=best_fit:cache=64:arenas=2, in short
native:best_fit. A list has commas between its targets.
"""

import re
from glob import escape
from pathlib import Path

from heapster.checkers.targets.kinds import BY_NAME, KINDS, NAMES, TargetKind, is_there
from heapster.checkers.targets.making import SOURCES
from heapster.checkers.targets.source import holds_source
from heapster.checkers.targets.target import NUMBERS, Target, TargetSettings, folder
from heapster.model.placement import POLICY_NAMES
from heapster.results import UsageError
from heapster.suggest import instead_of

NUMBER = re.compile(r"[0-9]{1,19}")
LIBRARY = re.compile(r"\.so(\.\d+)*$", re.ASCII)
WITH_CACHE = re.compile(r"native/([a-z]+_fit)/(\d{1,7})", re.ASCII)     # how the version before spelled it


def modern(text: str) -> str:
    """The text, if it is spelled as the version before had it, as it is spelled now."""
    if match := WITH_CACHE.fullmatch(text):
        return f"native:{match[1]}:cache={match[2]}"
    return f"native:{text}" if text in POLICY_NAMES else text


def parse(text: str) -> Target:
    """The target that is meant; UsageError if there is no such. Whether its file is there is seen when it is opened."""
    text = modern(text.strip())
    if kind := _several_sources(text):
        words = text.split()
        return Target(kind.name, text, paths=tuple(map(Path, words)))
    name, colon, rest = (text, "", "") if is_there(text) else text.partition(":")
    kind = next((kind for kind in KINDS if kind.claims(name)), None)
    if kind is None:
        if is_there(name):
            raise UsageError(f"'{name}' is a file of no kind that is judged: name a shared object (.so), C sources "
                             f"({', '.join(SOURCES)}), a description (.toml), or a folder")
        raise UsageError(f"unknown target '{name}': {_instead(name)}")
    if colon and not kind.settings:
        raise UsageError(f"{name} is {kind.about}, which has no settings: leave out ':{rest}'")
    settings = _settings(text, rest.split(":")) if colon else TargetSettings()
    if lost := [word for word in settings.given if word not in kind.settings]:
        raise UsageError(f"{name} is {kind.about}, which has no {' and '.join(lost)}: leave that out of '{text}'")
    return Target(kind.name, name, settings, (Path(name),) if kind.is_file else ())


def _instead(name: str) -> str:
    """How to mend a name that is none: the file that has it and an ending, or a name that is known."""
    path = Path(name)
    files = [str(file) for file in sorted(path.parent.glob(f"{escape(path.name)}.*"))
             if any(kind.is_file and kind.claims(str(file)) for kind in KINDS)] if path.name else []
    if files:
        return f"did you mean {' or '.join(files)}?"
    return f"{instead_of(name, NAMES)}, or the path of a file or a folder"


def is_clearly_target(text: str) -> bool:
    """Whether the text names a target where a trace may be meant, which is a file of any name."""
    try:
        target = parse(text)
    except UsageError:
        return False
    if target.kind == "folder":
        return holds_source(target.path)
    if target.kind == "object":
        return LIBRARY.search(text) is not None
    return BY_NAME[target.kind].is_file or not is_there(text)


def recalled(text: str) -> Target:
    """The target that a finding was kept with; if nothing has that name any more, the folder that had it."""
    try:
        return parse(text)
    except UsageError:
        return folder(Path(text))


def parse_list(text: str) -> tuple[Target, ...]:
    """The targets of a list, each once."""
    return tuple(dict.fromkeys(parse(word) for word in split(text)))


def split(text: str) -> tuple[str, ...]:
    """The words of a list."""
    return tuple(word for word in map(str.strip, text.split(",")) if word)


def _several_sources(text: str) -> TargetKind | None:
    """The kind of C sources, if the text names several."""
    words = text.split()
    several = len(words) > 1 and all(word.endswith(SOURCES) for word in words) and not is_there(text)
    return BY_NAME["source"] if several else None


def _settings(text: str, words: list[str]) -> TargetSettings:
    found: dict[str, str | int] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            name, value = "policy", word
        if name in found:
            raise UsageError(f"{name} is set twice in '{text}'")
        found[name] = _value(text, name, value)
    return TargetSettings(**found)        # type: ignore[arg-type]  # the value of each is of its kind


def _value(text: str, name: str, value: str) -> str | int:
    if name == "policy":
        if value not in POLICY_NAMES:
            raise UsageError(f"unknown policy '{value}' in '{text}': {instead_of(value, POLICY_NAMES)}")
        return value
    if name not in NUMBERS:
        raise UsageError(f"unknown setting '{name}' in '{text}': {instead_of(name, TargetSettings._fields)}")
    number = NUMBERS[name]
    if not NUMBER.fullmatch(value) or not number.least <= int(value) <= number.most:
        raise UsageError(f"{name}={value} in '{text}': give a number from {number.least} to {number.most}")
    return int(value)
