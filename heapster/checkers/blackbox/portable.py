"""What is said of a target in files that go to other machines: its build and its name, without a path of this one."""

import os
import re
from pathlib import Path

from heapster.checkers.blackbox.build import LAB_HEADERS, cache_folder
from heapster.checkers.blackbox.target import ForeignTarget

DIGEST = re.compile(r"-[0-9a-f]{12}(?=\.so$)")
ADAPTER = "adapter.c"
OF_THE_SYSTEM = ("/usr/", "/lib")


def library(target: ForeignTarget) -> str:
    """The object that is loaded, as whoever has built or received it names it."""
    path = Path(target.path)
    if not path.is_absolute():
        return target.path
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
    told = "".join(f"{name}={value} " for name, value in target.environment.items())
    return f"{told}./repro {library(target)}"


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
