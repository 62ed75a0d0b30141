"""The source that is proved: the shipped modules of `impl`, or a copy with one fault in it."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from heapster.checkers.planting import Fault, plant
from heapster.checkers.races.sources import shipped, source_in

MODULES = ("layout", "block", "freelist", "placement", "settings", "region", "arena", "mapping", "resize", "api",
           "lifecycle", "stats")


@contextmanager
def opened(fault: Fault | None = None) -> Iterator[SimpleNamespace]:
    """The modules by their names; a faulty copy lies in a folder of its own meanwhile."""
    if fault is None:
        yield _modules(shipped())
        return
    with TemporaryDirectory(prefix="heapster-") as folder:
        yield _modules(source_in(plant(fault, Path(folder))))


def _modules(source: Any) -> SimpleNamespace:
    package = source.api.__package__
    return SimpleNamespace(**{name: importlib.import_module(f"{package}.{name}") for name in MODULES})
