"""Which target is meant, and how it is to be loaded: kept beside its findings, so that they can be replayed."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from heapster import children
from heapster.checkers.blackbox.build import Compiler, from_source
from heapster.checkers.blackbox.campaign import SECONDS
from heapster.checkers.blackbox.description import from_adapter, from_description
from heapster.checkers.blackbox.own_library import from_setting
from heapster.checkers.blackbox.target import ForeignTarget, from_object, libc
from heapster.files import write_whole
from heapster.results import TargetError, UsageError

LIBC = "libc"
SUFFIXES = (".c", ".toml")
OTHER_SOURCES = (".cc", ".cpp", ".cxx", ".C", ".rs", ".h")
REMEMBERED = "options.json"


@dataclass(frozen=True)
class ForeignOptions:
    """What is judged, and how."""

    target: str
    seconds: float = SECONDS
    seed: int = 0
    prefix: str | None = None
    alignment: int | None = None
    compiler: Compiler = field(default_factory=Compiler)
    threads: int = 0
    heap_limit: int | None = None       # bytes of memlib
    adapter: str | None = None          # a C file that stands between
    baseline: Path | None = None
    sandbox: bool = False               # run it in a sandbox
    strict: bool = False                # known deviations of well-known libraries are findings too
    coverage: Path | None = None        # the folder for pages of the lines that were run


def is_foreign(target: str) -> bool:
    """Whether the target is somebody else's: by its name it is a file, or `libc`."""
    return target == LIBC or "/" in target or target.endswith(SUFFIXES) or ".so" in target


def resolve(options: ForeignOptions) -> ForeignTarget:
    """The target, compiled if need be; TargetError if it cannot be used."""
    if options.target == LIBC:
        if options.adapter:
            raise UsageError("--adapter stands between us and a file: libc needs none")
        if options.sandbox:
            raise UsageError("--sandbox is for files of others: libc runs outside of it anyway")
        return libc()
    if ours := from_setting(options.target):
        return ours
    path = Path(options.target)
    if not path.exists():
        raise TargetError(f"{path}: No such file or directory")
    if not path.is_file():
        raise TargetError(f"{path} is no file")
    if path.suffix in OTHER_SOURCES:
        raise TargetError(f"{path} is no C: compile it yourself with c++ -shared -fPIC, and name what comes out")
    if path.suffix == ".toml":
        found = from_description(path, options.compiler)
    elif options.adapter:
        found = from_adapter(Path(options.adapter), path, options.compiler)
    elif path.suffix == ".c":
        found = from_source(path, options.target, options.prefix, options.compiler)
    else:
        found = from_object(path, options.target, options.prefix)
    if options.sandbox:
        _check_sandbox()
    return replace(found, heap_limit=options.heap_limit or found.heap_limit, sandboxed=options.sandbox)


def _check_sandbox() -> None:
    """TargetError unless there can be a sandbox here."""
    try:
        done = children.run(children.sandboxed(["true"]), capture_output=True, text=True, errors="replace")
    except OSError:
        raise TargetError("--sandbox needs bubblewrap, which is not installed (bwrap): install it, or leave "
                          "the option out") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise TargetError(f"--sandbox: bubblewrap can make none here: {said}")


def remember(folder: Path, options: ForeignOptions, repeat: int, threads: tuple[int, int, int]) -> None:
    """Keep beside a finding how its target is loaded and how often its steps are taken."""
    value = {**asdict(options), "baseline": None, "coverage": None,
             "compiler": [options.compiler.name, *options.compiler.flags], "repeat": repeat, "race": threads}
    write_whole(folder / REMEMBERED, json.dumps(value, indent=2) + "\n")
