"""What `heapster` and its packages export is decided here, not by chance."""

import importlib
import pkgutil
from collections.abc import Sequence

import pytest

import heapster

EXPORTS = {
    "heapster": ["Heap", "Misused", "__version__"],
}


def wrong_exports(name: str, listed: Sequence[str], pinned: Sequence[str], present: Sequence[str]) -> list[str]:
    """What is wrong with the list of names that a module exports."""
    problems = []
    if list(listed) != list(pinned):
        problems.append(f"{name} exports {listed}, pinned are {pinned}")
    if list(listed) != sorted(set(listed)):
        problems.append(f"{name} does not list its names in order, once each")
    return problems + [f"{name} exports {export}, which it does not have" for export in listed if export not in present]


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_are_pinned(name: str) -> None:
    module = importlib.import_module(name)
    present = [export for export in module.__all__ if hasattr(module, export)]
    assert wrong_exports(name, module.__all__, EXPORTS[name], present) == []


def test_rooms_export_modules_only() -> None:
    """What a room offers is in its modules; its __init__ says what it is for."""
    for room in pkgutil.iter_modules(heapster.__path__):
        if room.ispkg:
            module = importlib.import_module(f"heapster.{room.name}")
            assert module.__doc__
            assert not hasattr(module, "__all__")


@pytest.mark.parametrize(("listed", "present"), [
    (["a"], ["a", "b"]),
    (["b", "a"], ["a", "b"]),
    (["a", "a", "b"], ["a", "b"]),
    (["a", "b"], ["a"]),
])
def test_wrong_exports_are_noticed(listed: list[str], present: list[str]) -> None:
    assert wrong_exports("some", listed, ["a", "b"], present)
    assert not wrong_exports("some", ["a", "b"], ["a", "b"], ["a", "b"])
