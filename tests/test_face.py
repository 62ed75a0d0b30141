"""`from heapster import Heap`: a heap for teaching."""

import errno
import subprocess
import sys

import pytest

from heapster import Heap, Misused
from heapster.results import UsageError


def test_it_is_drawn() -> None:
    with Heap(policy="best_fit") as h:
        a = h.malloc(40)
        h.calloc(3, 100)
        h.free(a)
        assert repr(h) == "<Heap .48 #320 .3664>"
        assert str(h).startswith("best_fit")
        assert "#320=b" in str(h)
        assert h.violations() == []
    assert repr(h) == "<Heap, closed>"


@pytest.mark.parametrize("machine", ["sim", "process"])
def test_it_is_the_same_on_every_machine(machine: str) -> None:
    with Heap(machine=machine) as h:
        a, b, c = h.malloc(100), h.aligned_alloc(64, 10), h.malloc(200_000)
        assert b % 64 == 0
        assert h.usable_size(c) >= 200_000
        assert h.realloc(a, 50) == a
        h.free(c)
        assert h.statistics().used_blocks == 2
        assert repr(h) == "<Heap #64 .80 #32 .3856>"


def test_failure_is_null_and_errno() -> None:
    with Heap() as h:
        a = h.malloc(10)
        assert (h.malloc(1 << 63), h.errno) == (0, errno.ENOMEM)
        assert (h.realloc(a, (1 << 64) - 1), h.errno) == (0, errno.ENOMEM)
        assert (h.aligned_alloc(24, 1), h.errno) == (0, errno.EINVAL)
        assert (h.usable_size(a), h.errno) == (24, 0)
        h.refuse("mmap")
        h.refuse("sbrk")
        h.refuse("mmap", 2)
        assert (h.malloc(200_000), h.errno) == (0, errno.ENOMEM)


def test_misuse_is_explained() -> None:
    with Heap() as h:
        a, b = h.malloc(40), h.malloc(40)
        h.free(a)
        with pytest.raises(Misused, match="free of a pointer to a free block: the block is free already"):
            h.free(a)
        with pytest.raises(Misused, match="misaligned"):
            h.free(b + 8)
        with pytest.raises(Misused, match="into a live block"):
            h.realloc(b + 16, 100)
        h.free(b)
        h.free(0)


def test_threads_have_arenas_of_their_own() -> None:
    with Heap() as h:
        h.malloc(10)
        h.on_thread(1)
        h.malloc(10)
        assert len(h.decode().arenas) == 2


def test_unknown_names_are_told() -> None:
    with pytest.raises(UsageError, match="did you mean best_fit"):
        Heap(policy="bestfit")
    with pytest.raises(UsageError, match="unknown machine"):
        Heap(machine="moon")


def test_importing_heapster_imports_no_face() -> None:
    script = "import heapster, sys; assert 'heapster.face' not in sys.modules; heapster.Heap"
    subprocess.run([sys.executable, "-c", script], check=True)
