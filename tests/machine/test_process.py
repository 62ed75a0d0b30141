"""The real break, mappings and mutexes: what this process has that a simulation has not."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from heapster.impl import api, lifecycle
from heapster.machine.guards import PAGE
from heapster.machine.libc import LIBC, Break
from heapster.machine.process import Process
from heapster.machine.protocol import REFUSED, MachineFault


def is_mapped(address: int) -> bool:
    """Whether the system has something at an address, by its own word."""
    for line in Path("/proc/self/maps").read_text(encoding="ascii").splitlines():
        low, high = (int(part, 16) for part in line.split()[0].split("-"))
        if low <= address < high:
            return True
    return False


def test_words_are_really_in_memory() -> None:
    with Process() as m:
        a = m.mmap(PAGE)
        m.store(a + 8, -2)
        assert ctypes.c_int64.from_address(a + 8).value == -2
        ctypes.c_int64.from_address(a + 16).value = 77
        assert m.load(a + 16) == 77


def test_mappings_are_really_made_and_unmapped() -> None:
    with Process() as m:
        a = m.mmap(2 * PAGE)
        assert is_mapped(a)
        m.munmap(a, PAGE)
        assert not is_mapped(a)
        assert is_mapped(a + PAGE)
    assert not is_mapped(a + PAGE)


def test_the_break_is_really_moved() -> None:
    with Process() as m:
        start = m.sbrk(16 * PAGE)
        assert LIBC.sbrk(0) >= start + 16 * PAGE
        assert is_mapped(start + 8 * PAGE)


def test_closing_returns_all_that_nobody_has_taken_memory_above() -> None:
    with Process() as m:
        start = m.sbrk(PAGE)
        m.foreign_sbrk(24)
        second = m.sbrk(PAGE)
        a = m.mmap(PAGE)
        m.disown()
        b = m.mmap(PAGE)
        kept = m.close()
    assert not is_mapped(a)
    assert not is_mapped(b)
    assert kept == 0 or LIBC.sbrk(0) > second + PAGE > start
    assert m.system() == ()


def test_memory_that_cannot_be_returned_is_counted() -> None:
    lower, upper = Process(), Process()
    lower.sbrk(PAGE)
    upper.sbrk(PAGE)
    assert lower.close() == PAGE
    upper.close()


def test_two_machines_are_foreigners_to_each_other() -> None:
    with Process() as one, Process() as other:
        start = one.sbrk(PAGE)
        other.sbrk(PAGE)
        with pytest.raises(MachineFault) as caught:
            one.sbrk(-PAGE)
        assert caught.value.code == "not_yours"
        assert one.system() == ((start, start + PAGE),)
        with pytest.raises(MachineFault):
            other.load(start + -start % 8)


def test_a_break_that_moved_after_it_was_asked_for_is_a_refusal() -> None:
    """The C library may be faster; that is no fault of the allocator's."""
    with Process() as m, Process() as library:
        m.sbrk(PAGE)
        m.sbrk(0)
        library.sbrk(PAGE)
        assert m.sbrk(-PAGE) == REFUSED


def test_the_break_is_lowered_over_one_owners_memory_only() -> None:
    ours = Break()
    ours.rise(PAGE, ours=True)
    ours.rise(PAGE, ours=False)
    assert ours.fall(PAGE, ours=True) == REFUSED
    assert ours.fall(2 * PAGE, ours=False) == REFUSED
    ours.disown()
    assert len(ours.pieces) in (1, 2)           # two where the C library lies between
    ours.close()


def test_a_real_mutex_is_locked() -> None:
    with Process() as m:
        mutex = m.statics()
        m.lock(mutex)
        assert m.load(mutex) != 0
        m.unlock(mutex)
        assert m.load(mutex) == 0
        m.store(mutex + 16, 2)              # glibc: an error-checking mutex, which nobody owns
        m.owners[mutex] = 0
        with pytest.raises(MachineFault) as caught:
            m.unlock(mutex)
        assert caught.value.code == "bad_mutex"


def test_the_allocator_lives_beside_the_c_library() -> None:
    """Both get memory in turn; neither's contents change, and the heap is given back."""
    with Process() as m:
        ours, theirs = [], []
        for n in range(300):
            m.refuel()
            p = api.malloc(m, 100 + 13 * n)
            m.store(p, n)
            ours.append(p)
            q = LIBC.malloc(64 + n)
            ctypes.c_int64.from_address(q).value = -n
            theirs.append(q)
        assert [m.load(p) for p in ours] == list(range(300))
        assert [ctypes.c_int64.from_address(q).value for q in theirs] == [-n for n in range(300)]
        for p, q in zip(ours, theirs, strict=True):
            m.refuel()
            api.free(m, p)
            LIBC.free(q)
        lifecycle.finalize(m)


def test_a_stray_access_does_not_end_the_process() -> None:
    """In a fresh interpreter: reads and writes anywhere are faults."""
    script = """
from heapster.machine.process import Process
from heapster.machine.protocol import MachineFault
with Process() as m:
    for address in (0, 8, -8, 1 << 47, id(m), 0x7fff_ffff_f000, -(1 << 62)):
        for call in (lambda: m.load(address), lambda: m.store(address, 1), lambda: m.fill(address, 0, 8)):
            try:
                call()
            except MachineFault:
                print("fault")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["fault"] * 21)
