"""Recorded answers, and where the reference and the allocator part."""

from typing import NamedTuple

import pytest

from heapster.model.reference import Reference
from heapster.model.system import Divergence, System


class Call(NamedTuple):
    """As a machine records it."""

    name: str
    arguments: tuple[int, ...]
    answer: int


def test_recorded_calls_are_answered_in_order() -> None:
    """The same calls get the same answers."""
    system = System([Call("sbrk", (4096,), 100), Call("mmap", (8192,), -1), Call("munmap", (64, 4096), 0)])
    assert (system.sbrk(4096), system.mmap(8192), system.munmap(64, 4096)) == (100, -1, 0)
    system.done()


@pytest.mark.parametrize(("calls", "message"), [
    ([], "predicted sbrk(4096), the allocator called nothing"),
    ([Call("mmap", (8192,), 0)], "predicted sbrk(4096), the allocator called mmap(8192)"),
    ([Call("sbrk", (8192,), 0)], "predicted sbrk(4096), the allocator called sbrk(8192)"),
])
def test_other_calls_diverge(calls: list[Call], message: str) -> None:
    """With what was predicted and what came."""
    with pytest.raises(Divergence) as caught:
        System(calls).sbrk(4096)
    assert str(caught.value) == message


def test_unmapping_elsewhere_diverges() -> None:
    """Told by distance, not by address."""
    with pytest.raises(Divergence) as caught:
        System([Call("munmap", (0x8000, 4096), 0)]).munmap(0x9000, 4096)
    assert str(caught.value) == (
        "predicted munmap(..., 4096), the allocator called munmap(..., 4096) at -4096 bytes from there")


def test_calls_left_over_diverge() -> None:
    """The allocator must not ask for more than predicted."""
    reference = Reference()
    system = System([Call("sbrk", (131072,), 0x10000), Call("sbrk", (0,), 0x30000)])
    reference.malloc(system, 40)
    with pytest.raises(Divergence) as caught:
        system.done()
    assert str(caught.value) == "predicted no further call, the allocator called sbrk(0)"
