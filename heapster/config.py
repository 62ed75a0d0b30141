"""Settings, and who sets them: the command line over HEAPSTER_* over `heapster.toml` or `[tool.heapster]`.

A key stands for the option and the environment variable of its name. In a file, keys at the top hold
for every command that has the option, and a table named after a command for that command alone. The
target may be a table of its own: `path` and what is to be known about it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heapster.files import Unreadable, read_toml
from heapster.model.placement import POLICY_NAMES
from heapster.results import LEVELS, UsageError
from heapster.suggest import instead_of

POLICIES = POLICY_NAMES
CLASSIC = POLICIES[:4]          # the textbooks', which diff and the pages set side by side
MOST_ARENAS = 64
SIZE_MAX = (1 << 64) - 1
PREFIX = "HEAPSTER_"
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")

# Variables that are no options: of the command itself, and of libheapster in the programs it serves.
OTHER_VARIABLES = frozenset({"HEAPSTER_DEBUG", "HEAPSTER_CACHE", "HEAPSTER_KEEP", "HEAPSTER_MMAP_THRESHOLD",
                             "HEAPSTER_HARDEN", "HEAPSTER_STATS", "HEAPSTER_STATS_FILE", "HEAPSTER_VERIFY",
                             "HEAPSTER_RECORD", "HEAPSTER_SPANS", "HEAPSTER_STATS_SIGNAL"})

Read = Callable[[Any], Any]


@dataclass(frozen=True)
class Key:
    """Something that can be set: the value's kind, and how to read it from text or from a file."""

    name: str
    meaning: str
    kind: str               # as shown in help
    read: Read              # text, or a value of TOML, to the value; ValueError says what is wrong

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()


def _whole(least: int, most: int | None = None) -> Read:
    limits = f"a whole number from {least}" + (f" to {most}" if most is not None else " on")

    def read(value: Any) -> int:
        number: int | None
        try:
            number = int(value, 16 if value.lower().startswith("0x") else 10) if isinstance(value, str) else value
        except ValueError:
            number = None
        if not isinstance(number, int) or isinstance(number, bool):
            raise ValueError(f"{value!r} is not {limits}")
        if number < least or most is not None and number > most:
            raise ValueError(f"{value} is not {limits}")
        return number

    return read


def _alignment(value: Any) -> int:
    number: int = _whole(1, 1 << 20)(value)
    if number & (number - 1):
        raise ValueError(f"{value} is no power of two")
    return number


def _seconds(value: Any) -> float:
    try:
        number = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 <= number < float("inf"):
        raise ValueError(f"{value!r} is not a number of seconds")
    return number


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in TRUE + FALSE:
        return value.lower() in TRUE
    raise ValueError(f"{value!r} is neither true nor false")


def _text(value: Any) -> str:
    if value == "":
        raise ValueError("it is empty")
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text")
    return value


def _address(value: Any) -> str:
    text = _text(value)
    if not text.startswith(("https://", "http://")):
        raise ValueError(f"{text!r} is no address that begins with https:// or http://")
    return text


def read_policies(value: Any) -> tuple[str, ...]:
    """Policies from `all`, from names separated by commas, or from a list of names."""
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names:
        raise ValueError(f"{value!r} is not a policy")
    for name in names:
        if name not in (*POLICIES, "all"):
            raise ValueError(f"unknown policy {name!r}: {instead_of(str(name), (*POLICIES, 'all'))}")
    return POLICIES if "all" in names else tuple(dict.fromkeys(names))


def read_sizes(value: Any) -> tuple[int, ...] | None:
    """Sizes from names separated by commas, or from a list of numbers; None for `auto`."""
    if value == "auto":
        return None
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names:
        raise ValueError(f"{value!r} is neither sizes nor auto")
    return tuple(SIZE_MAX if name == "SIZE_MAX" else _whole(0, SIZE_MAX)(name) for name in names)


def _codes(value: Any) -> tuple[str, ...]:
    """Codes of findings, separated by commas or as a list; whether there are such is asked by whoever knows them."""
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{value!r} is no code of a finding")
    return tuple(names)


def _level(value: Any) -> str:
    if value not in LEVELS:
        raise ValueError(f"{value!r} is no level: {instead_of(str(value), LEVELS)}")
    return str(value)


ALL_KEYS = (
    Key("target", "What is checked: sim, native, libc, ./libx.so ...", "TARGET", _text),
    Key("policy", "Placement policies: " + ", ".join(POLICIES) + ", or all.", "P|all", read_policies),
    Key("seconds", "Stop after this long; exhaust, fuzz and races count processor time.", "S", _seconds),
    Key("examples", "Stop after this many examples.", "N", _whole(0)),
    Key("threads", "Threads that run at the same time.", "N", _whole(1, 64)),
    Key("ops", "Operations of each generated thread, at most.", "N", _whole(1)),
    Key("calls", "Calls of each program, at most.", "N", _whole(1, 15)),
    Key("sizes", "Bytes that are asked for: 24,25,4096, or auto for the target's thresholds.", "LIST|auto", read_sizes),
    Key("schedules", "Stop after this many schedules.", "N", _whole(1)),
    Key("strategy", "How schedules are chosen: dfs, pct or random.", "dfs|pct|random", _text),
    Key("bound", "Preemptions, at most; PCT's depth is one more.", "K", _whole(0)),
    Key("pattern", "A pattern of use by its name, or all.", "NAME|all", _text),
    Key("replays", "Stop after as many replays of a short trace; of longer ones fewer.", "N", _whole(1)),
    Key("seed", "Where chance starts; the same seed gives the same run.", "N", _whole(0, (1 << 63) - 1)),
    Key("arenas", "Arenas that threads are spread over, at most.", "N", _whole(1, MOST_ARENAS)),
    Key("faults", "Let the system refuse sbrk, mmap and munmap.", "BOOL", _flag),
    Key("json", "Write the run as JSON.", "FILE", _text),
    Key("junit", "Write the run as JUnit XML.", "FILE", _text),
    Key("store", "Where findings are kept.", "DIR", _text),
    Key("sarif", "Write the run as SARIF 2.1.0.", "FILE", _text),
    Key("docs", "Where this documentation is published: SARIF leads from each code to its page.", "URL", _address),
    Key("baseline", "Findings that are accepted: a run that --json has written.", "FILE", _text),
    Key("only", "Report findings of these codes alone.", "CODE,...", _codes),
    Key("ignore", "Leave out findings of these codes; they are counted.", "CODE,...", _codes),
    Key("fail_on", "The least level that fails a run: warning, error or never.", "LEVEL", _level),
    Key("prefix", "What a foreign allocator's functions start with.", "NAME_", _text),
    Key("alignment", "What a foreign allocator's blocks must be aligned to.", "N", _alignment),
    Key("cc", "The compiler of C targets.", "CC", _text),
    Key("cflags", "What it is told besides.", "FLAGS", _text),
    Key("build", "The command that builds C sources: it is run in a copy of their folder, to learn how.", "CMD", _text),
    Key("heap_limit", "Bytes that mem_sbrk gives a malloc-lab allocator.", "N", _whole(4096, 1 << 32)),
    Key("adapter", "A C or Python file that stands between us and a foreign allocator.", "FILE", _text),
    Key("sandbox", "Run a foreign allocator in a sandbox (bubblewrap): a read-only system, no network.", "BOOL", _flag),
    Key("coverage", "Count the lines of a C target that are run; a page of them goes there.", "DIR", _text),
    Key("corpus", "Let coverage guide what is drawn for a C target; traces that reach new edges are kept there.", "DIR",
        _text),
    Key("scheduler", "Hand the work to the workers of a Dask cluster; local: one on this machine, with a dashboard.",
        "ADDRESS", _text),
    Key("minimise", "Make the corpus small instead: fewer and shorter traces, the same edges.", "BOOL", _flag),
    Key("strict", "What well-known libraries are known for is a finding as well.", "BOOL", _flag),
)
KEYS = {key.name: key for key in ALL_KEYS}


def from_files(folder: Path, command: str, commands: Iterable[str]) -> dict[str, Any]:
    """Settings for `command` in the file of `folder`; UsageError names the file and the key that is wrong."""
    name, table = _table(folder)
    known = list(commands)
    table = _with_target(name, table)
    for key in table:
        if key not in KEYS and key not in known:
            raise UsageError(f"{name}: unknown key '{key}': {instead_of(key, [*KEYS, *known])}")
    own = table.get(command, {})
    tables = [one for one in known if isinstance(table.get(one), dict)]       # build is a key and a command
    values = _checked(name, "", {key: value for key, value in table.items() if key in KEYS and key not in tables})
    if command in KEYS and command not in tables:
        return values
    if not isinstance(own, dict):
        raise UsageError(f"{name}: '{command}' must be a table of settings of that command")
    return values | _checked(name, f"{command}.", own)


def _with_target(name: str, table: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table, and at its top what the table `target` in it says."""
    told = table.get("target")
    if not isinstance(told, dict):
        return table
    about = {key: value for key, value in told.items() if key != "path"}
    _checked(name, "target.", about)
    if "path" in told and not isinstance(told["path"], str):
        raise UsageError(f"{name}: target.path: {told['path']!r} is not a text")
    path = {"target": told["path"]} if "path" in told else {}
    return {key: value for key, value in table.items() if key != "target"} | about | path


def _table(folder: Path) -> tuple[str, Mapping[str, Any]]:
    own, shared = folder / "heapster.toml", folder / "pyproject.toml"
    if own.is_file():
        return own.name, _parse(own)
    if shared.is_file():
        table = _parse(shared).get("tool", {}).get("heapster", {})
        if not isinstance(table, dict):
            raise UsageError(f"{shared.name}: tool.heapster must be a table")
        return shared.name, table
    return "", {}


def _parse(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read: {error.strerror or error}") from None
    except Unreadable as error:
        raise UsageError(f"{path.name}{error}") from None


def _checked(name: str, prefix: str, table: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for key, value in table.items():
        if key not in KEYS:
            raise UsageError(f"{name}: unknown key '{prefix}{key}': {instead_of(key, KEYS)}")
        try:
            values[key] = KEYS[key].read(value)
        except ValueError as error:
            raise UsageError(f"{name}: {prefix}{key}: {error}") from None
    return values


def check_environment(variables: Iterable[str]) -> None:
    """UsageError if a HEAPSTER_* variable means nothing."""
    known = sorted({key.variable for key in KEYS.values()} | OTHER_VARIABLES)
    for variable in variables:
        if variable.startswith(PREFIX) and variable not in known:
            raise UsageError(f"unknown environment variable {variable}: {instead_of(variable, known)}")
