"""How a target that is called from outside is loaded and judged: kept beside its findings, to replay them."""

import json
import shlex
from dataclasses import asdict, dataclass, field
from pathlib import Path

from heapster.checkers.blackbox.build import Compiler
from heapster.checkers.blackbox.campaign import SECONDS
from heapster.checkers.targets.target import Target
from heapster.files import write_whole
from heapster.results import UsageError

REMEMBERED = "options.json"


@dataclass(frozen=True)
class ForeignOptions:
    """What is judged, and how."""

    target: Target
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
    corpus: Path | None = None          # the folder of traces that guide generation
    build: str | None = None            # the command that builds its C sources

    @property
    def words(self) -> str:
        """How its code is compiled and named, as a command line says it; nothing of what is usual."""
        compiler = self.compiler
        said = (("prefix", self.prefix), ("cc", compiler.name if compiler.name != Compiler().name else ""),
                ("cflags", shlex.join(compiler.flags)), ("build", self.build))
        return "".join(f" --{name} {shlex.quote(value)}" for name, value in said if value)


def refuse_options(options: ForeignOptions) -> None:
    """UsageError for options that are for files, as the target is none."""
    if options.adapter:
        raise UsageError(f"--adapter stands between us and a file: {options.target} needs none")
    if options.sandbox:
        raise UsageError(f"--sandbox is for files of others: {options.target} runs outside of it anyway")


def remember(folder: Path, options: ForeignOptions, repeat: int, threads: tuple[int, int, int]) -> None:
    """Keep beside a finding how its target is loaded and how often its steps are taken."""
    value = {**asdict(options), "target": str(options.target), "baseline": None, "coverage": None, "corpus": None,
             "compiler": [options.compiler.name, *options.compiler.flags], "repeat": repeat, "race": threads}
    write_whole(folder / REMEMBERED, json.dumps(value, indent=2) + "\n")
