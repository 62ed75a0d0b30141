"""What is said of a target in files that go to other machines: its build and its name, without a path of this one."""

import os
import re
from pathlib import Path
from shlex import quote

from heapster.checkers.blackbox.build import LAB_HEADERS, cache_folder
from heapster.checkers.blackbox.sanitizing import as_a_shell_says
from heapster.checkers.blackbox.target import ForeignTarget

DIGEST = re.compile(r"-[0-9a-f]{12}(?=\.so$)")
ADAPTER = "adapter.c"
OF_THE_SYSTEM = ("/usr/", "/lib")
CHANGED = Path(__file__).parent / "repro" / "changed.c"


def library(target: ForeignTarget) -> str:
    """The object that is loaded, as whoever has built or received it names it."""
    named = target.name if _is_changed(target) else target.path
    path = Path(named)
    if not path.is_absolute():
        return named
    if target.build:
        return f"./{DIGEST.sub('', path.name)}"
    if str(path).startswith(OF_THE_SYSTEM):
        return path.name
    return within_here(path)


def within_here(path: Path) -> str:
    """The path from where we are; of what lies elsewhere the name alone."""
    here = Path.cwd()
    return f"./{path.relative_to(here) if path.is_relative_to(here) else path.name}"


def builds(target: ForeignTarget, folder: Path) -> list[str]:
    """The commands that make the object, from where we are; what they need of ours lies in the finding's `folder`."""
    shown, adapter = os.path.relpath(folder), _adapter(target)
    ours = [(str(adapter), f"{shown}/{ADAPTER}")] if adapter else []
    pairs = [(target.path, library(target).removeprefix("./")), *ours, (str(LAB_HEADERS), shown),
             (f"{Path.cwd()}/", ""), (str(Path.cwd()), ".")]
    lines = list(target.build)
    for path, instead in pairs:
        lines = [line.replace(path, instead) for line in lines]
    return lines


def running(target: ForeignTarget) -> str:
    """How a program that shows a finding is started."""
    told = "".join(f"{as_a_shell_says(name, value)} " for name, value in target.environment.items())
    return f"{told}./repro {quote(library(target))}"


def loader(target: ForeignTarget) -> list[str]:
    """C that defines `load(path)`, as the object has to be loaded: ours is a copy, where it cannot be as it stands."""
    binding = "0" if target.is_sanitized else "RTLD_DEEPBIND"       # which AddressSanitizer forbids
    if not _is_changed(target):
        return [f"#define load(path) dlopen(path, RTLD_NOW | {binding})"]
    return [f"#define BINDING {binding}", f"#define SANITIZED {int(target.is_sanitized)}",
            *CHANGED.read_text(encoding="utf-8").splitlines()]


def loaded_here(target: ForeignTarget) -> str:
    """The object that such a program loads on this machine, wherever it runs."""
    return str(Path(target.name).absolute()) if _is_changed(target) else target.path


def _is_changed(target: ForeignTarget) -> bool:
    """Whether a copy is loaded in place of an object that cannot be: see `loading`."""
    return not target.build and Path(target.path).parent == cache_folder()


def companions(target: ForeignTarget) -> dict[str, str]:
    """Files of ours that the build needs, by their names in the finding's folder."""
    adapter = _adapter(target)
    files = {ADAPTER: adapter} if adapter else {}
    if target.shape == "malloc-lab":
        files |= {path.name: path for path in sorted(LAB_HEADERS.iterdir())}
    return {name: path.read_text(encoding="utf-8", errors="replace") for name, path in files.items()}


def _adapter(target: ForeignTarget) -> Path | None:
    """The adapter that was written for a description."""
    sources = target.ingredients.sources if target.ingredients else ()
    first = Path(sources[0]) if sources else None
    return first if first and first.parent == cache_folder() else None
