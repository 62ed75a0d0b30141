"""What `make test` hunts of a table of planted faults, and what `make test-faults` does."""

import pytest

from tests.hunts import hunted

FAULTS = ("late free", "late malloc", "lost free", "late realloc")


def quick(kinds: tuple[str, ...] | None = None) -> list[str]:
    """The faults that are hunted without the mark."""
    found = hunted(FAULTS, lambda fault: fault.split()[0], str, kinds)
    assert [param.id for param in found] == list(FAULTS)
    return [str(param.id) for param in found if not param.marks]


def test_the_first_of_each_kind_is_hunted_quickly() -> None:
    assert quick() == ["late free", "lost free"]


def test_kinds_that_are_named_are_hunted_quickly() -> None:
    assert quick(("lost",)) == ["lost free"]


def test_a_kind_that_nothing_planted_has_is_an_error() -> None:
    with pytest.raises(AssertionError, match="nothing planted is of kind"):
        quick(("lost", "found"))
