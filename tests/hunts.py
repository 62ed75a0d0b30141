"""Parameters of hunts: a few planted faults are hunted by `make test`, all others by `make test-faults`."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest
from _pytest.mark import ParameterSet

Fault = TypeVar("Fault")


def first_hunted(names: Iterable[str]) -> list[ParameterSet]:
    """A parameter for each name; the first is hunted quickly, as all take the same way and each takes long."""
    return hunted(names, lambda _: None, str)


def hunted(faults: Iterable[Fault], kind: Callable[[Fault], object], name: Callable[[Fault], str],
           kinds: Iterable[object] | None = None) -> list[ParameterSet]:
    """A parameter for each fault; the first of each kind, or of each of these kinds, is hunted quickly."""
    left = None if kinds is None else set(kinds)
    seen: set[object] = set()
    found = []
    for fault in faults:
        is_first = kind(fault) not in seen and (left is None or kind(fault) in left)
        seen.add(kind(fault))
        found.append(pytest.param(fault, id=name(fault), marks=() if is_first else pytest.mark.faults))
    assert left is None or left <= seen, f"nothing planted is of kind {left - seen}"
    return found
