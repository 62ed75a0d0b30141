"""The laws of the machine, held against every machine that runs in this process."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from heapster.machine.guards import PAGE
from heapster.machine.process import Process
from heapster.machine.protocol import MUTEX_BYTES, REFUSED, Aborted, Call, MachineFault
from heapster.machine.simulated import Simulated

MACHINES: tuple[Callable[[], Any], ...] = (Simulated, Process)
WORD = 8


@pytest.fixture(params=MACHINES, ids=lambda make: make.__name__)
def m(request: pytest.FixtureRequest) -> Iterator[Any]:
    machine = request.param()
    yield machine
    machine.close()


def repeat(call: Callable[[], object]) -> None:
    """Call it until it raises."""
    while True:
        call()


def fault(code: str, function: Callable[..., object], *arguments: Any) -> MachineFault:
    """The fault that a call raises, which must be of this code."""
    with pytest.raises(MachineFault) as caught:
        function(*arguments)
    assert caught.value.code == code
    return caught.value


# Words.

@pytest.mark.parametrize("word", [0, 1, -1, 1 << 40, (1 << 63) - 1, -(1 << 63)])
def test_a_word_is_what_was_stored_last(m: Any, word: int) -> None:
    a = m.mmap(PAGE)
    m.store(a + 8, 7)
    m.store(a + 8, word)
    assert m.load(a + 8) == m.load_relaxed(a + 8) == m.load_acquire(a + 8) == m.peek(a + 8) == m.reader()(a + 8) == word
    m.store_relaxed(a + 8, 9)
    assert m.load(a + 8) == 9
    m.store_release(a + 8, 10)
    assert m.load(a + 8) == 10


@pytest.mark.parametrize("order", ["relaxed", "release"])
def test_a_swap_needs_the_word_that_it_expects(m: Any, order: str) -> None:
    a, cas = m.mmap(PAGE), getattr(m, f"cas_{order}")
    m.store(a, 7)
    assert (cas(a, 6, 8), m.load(a)) == (7, 7)
    assert (cas(a, 7, 8), m.load(a)) == (7, 8)


@pytest.mark.parametrize("order", ["relaxed", "acquire"])
def test_an_exchange_answers_what_was_there(m: Any, order: str) -> None:
    a = m.mmap(PAGE)
    m.store(a, 7)
    assert (getattr(m, f"exchange_{order}")(a, 8), m.load(a)) == (7, 8)


def test_stores_touch_one_word(m: Any) -> None:
    a = m.mmap(PAGE)
    for offset in (0, 8, 16):
        m.store(a + offset, offset)
    m.store(a + 8, -1)
    assert [m.load(a + offset) for offset in (0, 8, 16)] == [0, -1, 16]


def test_more_than_64_bits_are_no_word(m: Any) -> None:
    a = m.mmap(PAGE)
    for word in (1 << 63, -(1 << 63) - 1):
        fault("not_a_word", m.store, a, word)


def test_a_misaligned_access_is_a_fault(m: Any) -> None:
    a = m.mmap(PAGE)
    for call in (m.load, lambda b: m.store(b, 0), lambda b: m.fill(b, 0, 8), lambda b: m.copy(b, a, 8)):
        assert fault("misaligned", call, a + 4).address == a + 4


def test_an_access_outside_is_a_fault_that_names_address_and_nearest_mapping(m: Any) -> None:
    a = m.mmap(PAGE)
    for call in (m.load, lambda b: m.store(b, 0), lambda b: m.fill(b, 0, 8), lambda b: m.copy(b, a, 8),
                 lambda b: m.copy(a, b, 8), m.lock):
        found = fault("unmapped", call, a + 3 * PAGE)
        assert found.address == a + 3 * PAGE
        assert f"{2 * PAGE} bytes past the mapping [{a:#x}, {a + PAGE:#x})" in str(found)
        assert f"{a + 3 * PAGE:#x}" in str(found)
    assert f"{PAGE} bytes before the mapping" in str(fault("unmapped", m.load, a - PAGE))
    assert "across the end" in str(fault("unmapped", m.fill, a + PAGE - 8, 0, 16))


def test_null_is_no_address(m: Any) -> None:
    for address in (0, 8, -8):
        fault("unmapped", m.load, address)


def test_an_onlooker_sees_no_word_where_there_is_none(m: Any) -> None:
    assert m.peek(8) is None
    with pytest.raises((MachineFault, LookupError)):
        m.reader()(8)


def test_a_call_without_end_is_a_fault(m: Any) -> None:
    m.store(m.scratch, 0)
    m.refuel()
    fault("hang", repeat, lambda: m.load(m.scratch))
    m.refuel()
    assert m.load(m.scratch) == 0


# Ranges.

@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 24, 31])
def test_copy_and_fill_change_just_their_bytes(m: Any, count: int) -> None:
    a = m.mmap(PAGE)
    m.fill(a, 0x11, 64)
    m.fill(a + 64, 0x22, 64)
    m.copy(a, a + 64, count)
    m.fill(a + 64, 0x33, count)
    for start, new, old in ((a, 0x22, 0x11), (a + 64, 0x33, 0x22)):
        assert memory(m, start, 64) == bytes([new] * count + [old] * (64 - count))


def memory(m: Any, start: int, count: int) -> bytes:
    """Bytes as the machine has them; zero where none was written."""
    return b"".join((m.peek(a) or 0).to_bytes(WORD, "little", signed=True) for a in range(start, start + count, WORD))


def test_a_negative_count_is_a_fault(m: Any) -> None:
    a = m.mmap(PAGE)
    fault("negative_count", m.fill, a, 0, -1)
    fault("negative_count", m.copy, a, a + 64, -8)


def test_ranges_that_overlap_are_not_copied(m: Any) -> None:
    a = m.mmap(PAGE)
    m.fill(a, 0, 128)
    fault("overlapping_copy", m.copy, a, a + 8, 16)
    fault("overlapping_copy", m.copy, a + 8, a, 16)
    m.copy(a, a + 16, 16)


def test_fresh_pages_are_known_zero_until_written(m: Any) -> None:
    a = m.mmap(PAGE)
    m.known_zero(a, PAGE)
    assert m.load(a + 64) == 0
    b = m.mmap(PAGE)
    m.store(b + 128, 5)
    fault("not_known_zero", m.known_zero, b, PAGE)
    start = m.sbrk(PAGE)
    fault("not_known_zero", m.known_zero, start + -start % 8, 64)


@pytest.mark.parametrize("address", [0, 8, -1, 1 << 47, -(1 << 63), (1 << 63) - 1])
def test_what_is_asked_for_soon_may_be_anywhere(m: Any, address: int) -> None:
    a = m.mmap(PAGE)
    m.store(a, 5)
    calls = list(m.calls)
    m.prefetch(a)
    m.prefetch(address)
    assert m.load(a) == 5 and list(m.calls) == calls


def test_the_callers_words_are_compared(m: Any) -> None:
    a = m.mmap(PAGE)
    words = {a: 1, a + 8: 2, a + 16: 3}
    m.write(words)
    assert m.first_difference(words) is None
    m.store(a + 16, 9)
    m.store(a + 8, 9)
    assert m.first_difference(words) == a + 8
    b = m.mmap(PAGE)
    m.store(b, 4)
    assert m.first_difference({b: 4, a: 1, b + PAGE: 0}) == b + PAGE
    assert m.first_difference({}) is None


def test_machines_agree_word_for_word() -> None:
    """The same stores, copies and fills leave the same memory in all of them."""
    machines = [make() for make in MACHINES]
    bases = [machine.mmap(PAGE) for machine in machines]
    for machine, base in zip(machines, bases, strict=True):
        machine.fill(base, 0, PAGE)
    rng = Random(1)
    for _ in range(300):
        verb, n = rng.choice(("store", "fill", "copy")), rng.randrange(300)
        x, y = rng.randrange(200), rng.randrange(200)
        for machine, base in zip(machines, bases, strict=True):
            if verb == "store":
                machine.store(base + WORD * x, n - 150)
            elif verb == "fill":
                machine.fill(base + WORD * x, y, n)
            elif abs(x - y) * WORD >= n:
                machine.copy(base + WORD * x, base + WORD * y, n)
        states = {memory(machine, base, PAGE) for machine, base in zip(machines, bases, strict=True)}
        assert len(states) == 1
    for machine in machines:
        machine.close()


@pytest.mark.parametrize("byte", [0, 0xAA])
def test_a_long_fill_reaches_what_was_there_from_the_start(m: Any, byte: int) -> None:
    start, count = m.statics(), 1 << 14
    for offset in (0, 8, count - 8, count):
        m.store(start + offset, 7)
    m.fill(start, byte, count)
    assert [m.load(start + offset) & 0xFF for offset in (0, 8, count - 8, count)] == [byte, byte, byte, 7]


def test_a_long_copy_takes_what_was_there_from_the_start_and_reaches_it(m: Any) -> None:
    start, count = m.statics(), 1 << 14
    a = m.mmap(count)
    m.fill(a, 0, count)
    m.store(a + 8, 7)
    m.store(start + 16, 9)
    m.copy(start, a, count)
    assert [m.load(start + offset) for offset in (0, 8, 16, count - 8)] == [0, 7, 0, 0]
    m.store(start + 24, 5)
    m.copy(a, start, count)
    assert [m.load(a + offset) for offset in (0, 8, 16, 24)] == [0, 7, 0, 5]


# The system.

def test_mappings_are_whole_pages_at_multiples_of_the_page(m: Any) -> None:
    starts = [m.mmap(length) for length in (PAGE, 3 * PAGE, PAGE)]
    assert all(start > 0 and start % PAGE == 0 for start in starts)
    assert sum(end - start for start, end in m.system()) == 5 * PAGE
    for length in (0, -PAGE, 100):
        fault("bad_length", m.mmap, length)


def test_a_part_of_a_mapping_can_be_unmapped(m: Any) -> None:
    a = m.mmap(3 * PAGE)
    assert m.munmap(a + PAGE, PAGE) == 0
    m.store(a, 1)
    m.store(a + 2 * PAGE, 1)
    fault("unmapped", m.load, a + PAGE)
    assert m.system() == ((a, a + PAGE), (a + 2 * PAGE, a + 3 * PAGE))
    fault("not_yours", m.munmap, a, 3 * PAGE)
    fault("not_yours", m.munmap, a + PAGE, PAGE)
    for call, *lengths in ((m.munmap, PAGE), (m.protect, PAGE), (m.remap, PAGE, 2 * PAGE)):     # of the break's
        fault("not_yours", call, m.sbrk(PAGE) & -PAGE, *lengths)
    fault("bad_unmap", m.munmap, a, 100)
    fault("bad_unmap", m.munmap, a + 8, PAGE)


def test_a_mapping_is_extended_with_what_it_holds_there_or_elsewhere(m: Any) -> None:
    a = m.mmap(2 * PAGE)
    after = m.mmap(PAGE)
    for offset in (0, PAGE, 2 * PAGE - 8):
        m.store(a + offset, offset + 5)
    b = m.remap(a, 2 * PAGE, 5 * PAGE)
    assert b % PAGE == 0
    assert [m.load(b + offset) for offset in (0, PAGE, 2 * PAGE - 8)] == [5, PAGE + 5, 2 * PAGE - 3]
    assert (m.peek(b + 2 * PAGE) or 0, m.peek(b + 5 * PAGE - 8) or 0) == (0, 0)
    m.store(b + 5 * PAGE - 8, 1)
    assert sum(end - start for start, end in m.system()) == 6 * PAGE
    if b != a:
        fault("unmapped", m.load, a + PAGE)
    m.store(after, 1)
    assert m.munmap(b, 5 * PAGE) == 0
    fault("unmapped", m.load, b)


def test_an_extension_that_is_refused_changes_nothing(m: Any) -> None:
    a = m.mmap(PAGE)
    m.store(a, 7)
    m.refuse("remap", 1)
    m.set_errno(12)
    assert m.remap(a, PAGE, 2 * PAGE) == m.remap(a, PAGE, 1 << 46) == REFUSED
    assert (m.errno, m.load(a), m.system()) == (12, 7, ((a, a + PAGE),))
    assert m.calls[1:] == [Call("remap", (a, PAGE, 2 * PAGE), REFUSED), Call("remap", (a, PAGE, 1 << 46), REFUSED)]


def test_only_whole_pages_of_a_mapping_are_extended(m: Any) -> None:
    a = m.mmap(2 * PAGE)
    for wrong in ((a + 8, PAGE, 2 * PAGE), (a, 100, PAGE), (a, 0, PAGE), (a, PAGE, PAGE), (a, PAGE, PAGE + 8)):
        fault("bad_remap", m.remap, *wrong)
    fault("not_yours", m.remap, a, 3 * PAGE, 4 * PAGE)
    moved = m.remap(a, PAGE, 3 * PAGE)
    assert m.system() in (((moved, moved + 3 * PAGE), (a + PAGE, a + 2 * PAGE)),
                          ((a + PAGE, a + 2 * PAGE), (moved, moved + 3 * PAGE)))


def test_pages_that_are_known_to_be_zero_stay_so_when_they_move(m: Any) -> None:
    a = m.mmap(2 * PAGE)
    m.mmap(PAGE)
    m.known_zero(a + 64, PAGE)
    b = m.remap(a, 2 * PAGE, 4 * PAGE)
    assert m.load(b + 64) == 0


def test_purged_pages_stay_mapped_and_hold_what_is_stored_next(m: Any) -> None:
    a = m.mmap(3 * PAGE)
    for offset in (0, PAGE, 2 * PAGE):
        m.store(a + offset, 7)
    m.set_errno(12)
    assert m.purge(a + PAGE, PAGE) == 0
    assert (m.errno, m.load(a), m.load(a + 2 * PAGE), m.system()) == (12, 7, 7, ((a, a + 3 * PAGE),))
    assert m.peek(a + PAGE) in (None, 0, 7)
    m.load_any(a + PAGE)
    m.store(a + PAGE, 9)
    assert m.load(a + PAGE) == 9
    m.refuse("purge", 1)
    assert m.purge(a, PAGE) == REFUSED
    assert m.load(a) == 7
    assert m.calls[1:] == [Call("purge", (a + PAGE, PAGE), 0), Call("purge", (a, PAGE), REFUSED)]


def test_only_whole_pages_of_a_mapping_are_purged(m: Any) -> None:
    a = m.mmap(2 * PAGE)
    for wrong in ((a + 8, PAGE), (a, 100), (a, 0), (a, -PAGE)):
        fault("bad_purge", m.purge, *wrong)
    fault("not_yours", m.purge, a + PAGE, 2 * PAGE)


def test_protected_pages_are_held_and_have_no_access_until_they_are_unmapped(m: Any) -> None:
    a = m.mmap(4 * PAGE)
    for offset in range(0, 4 * PAGE, PAGE):
        m.store(a + offset, 7)
    m.set_errno(12)
    assert m.protect(a + PAGE, 2 * PAGE) == 0
    assert (m.errno, m.load(a), m.load(a + 3 * PAGE), m.system()) == (12, 7, 7, ((a, a + 4 * PAGE),))
    for touch in (lambda: m.load(a + PAGE), lambda: m.store(a + 3 * PAGE - 8, 1), lambda: m.fill(a, 0, 2 * PAGE)):
        with pytest.raises(MachineFault):
            touch()
    assert m.protect(a + PAGE, PAGE) == 0
    m.refuse("protect", 1)
    assert m.protect(a, PAGE) == REFUSED
    assert m.load(a) == 7
    assert m.munmap(a, 3 * PAGE) == 0
    assert (m.load(a + 3 * PAGE), m.system()) == (7, ((a + 3 * PAGE, a + 4 * PAGE),))
    assert m.calls[-2] == Call("protect", (a, PAGE), REFUSED)


def test_only_whole_pages_of_a_mapping_are_protected(m: Any) -> None:
    a = m.mmap(2 * PAGE)
    for wrong in ((a + 8, PAGE), (a, 100), (a, 0), (a, -PAGE)):
        fault("bad_protect", m.protect, *wrong)
    fault("not_yours", m.protect, a + PAGE, 2 * PAGE)


def test_pages_that_were_purged_and_protected_are_as_new_when_they_get_access_again(m: Any) -> None:
    a = m.mmap(4 * PAGE)
    m.store(a + PAGE, 7)
    assert (m.purge(a, 4 * PAGE), m.protect(a, 4 * PAGE)) == (0, 0)
    m.refuse("unprotect", 1)
    assert m.unprotect(a + PAGE, 2 * PAGE) == REFUSED
    with pytest.raises(MachineFault):
        m.load(a + PAGE)
    m.set_errno(12)
    assert (m.unprotect(a + PAGE, 2 * PAGE), m.errno) == (0, 12)
    m.known_zero(a + PAGE, 2 * PAGE)
    assert m.load(a + PAGE) == 0
    m.store(a + 3 * PAGE - 8, 5)
    assert m.load(a + 3 * PAGE - 8) == 5
    for wrong in ((a + PAGE, PAGE), (a, 2 * PAGE), (a + 8, PAGE), (a, 0)):
        fault("bad_unprotect", m.unprotect, *wrong)
    for touch in (lambda: m.load(a), lambda: m.store(a + 3 * PAGE, 1)):
        with pytest.raises(MachineFault):
            touch()
    assert m.calls[-1] == Call("unprotect", (a + PAGE, 2 * PAGE), 0)


def test_the_break_moves_and_answers_where_it_was(m: Any) -> None:
    before = m.sbrk(0)
    start = m.sbrk(2 * PAGE)
    assert start >= before
    assert m.sbrk(0) >= start + 2 * PAGE
    m.store(start + -start % 8, 5)
    assert (start, start + 2 * PAGE) in m.system()


def test_what_was_got_can_be_given_back(m: Any) -> None:
    start = m.sbrk(2 * PAGE)
    if m.sbrk(0) == start + 2 * PAGE:                       # else the C library was faster
        assert m.sbrk(-PAGE) == start + 2 * PAGE
        assert m.system() == ((start, start + PAGE),)
        fault("unmapped", m.load, start + PAGE + -start % 8)


def test_what_was_not_got_cannot_be_given_back(m: Any) -> None:
    m.foreign_sbrk(PAGE)
    fault("not_yours", m.sbrk, -PAGE)


def test_a_foreigner_moves_the_break_by_any_amount_but_not_below_what_is_ours(m: Any) -> None:
    start = m.sbrk(PAGE)
    assert m.foreign_sbrk(24)
    assert m.sbrk(0) >= start + PAGE + 24
    fault("not_yours", m.sbrk, -24)
    assert m.foreign_sbrk(-24) or m.sbrk(0) > start + PAGE + 24
    if m.sbrk(0) == start + PAGE:
        assert not m.foreign_sbrk(-8)


def test_a_plan_says_which_call_is_refused(m: Any) -> None:
    for name, call in (("sbrk", lambda: m.sbrk(PAGE)), ("mmap", lambda: m.mmap(PAGE))):
        m.refuse(name, 2)
        assert [call() == REFUSED for _ in range(4)] == [False, True, False, False]
    a = m.mmap(2 * PAGE)
    m.refuse("munmap", 1)
    before = m.system()
    assert m.munmap(a, PAGE) == REFUSED
    assert m.system() == before
    assert m.munmap(a, PAGE) == 0


def test_the_impossible_is_refused(m: Any) -> None:
    assert m.sbrk(1 << 46) == REFUSED
    assert m.mmap(1 << 46) == REFUSED
    assert m.system() == ()


def test_calls_are_logged_with_their_answers(m: Any) -> None:
    a = m.mmap(PAGE)
    m.refuse("munmap", 1)
    m.munmap(a, PAGE)
    at = m.sbrk(0)
    assert m.calls == [Call("mmap", (PAGE,), a), Call("munmap", (a, PAGE), REFUSED), Call("sbrk", (0,), at)]


def test_disowned_memory_is_no_longer_ours(m: Any) -> None:
    start = m.sbrk(PAGE)
    a = m.mmap(PAGE)
    m.disown()
    assert m.system() == ()
    fault("not_yours", m.munmap, a, PAGE)
    fault("unmapped", m.store, start + -start % 8 + 64, 0)


# Threads, and the rest.

def test_mutexes_notice_who_may_not(m: Any) -> None:
    mutex = m.statics()
    m.lock(mutex)
    assert m.held() == (mutex,)
    fault("relock", m.lock, mutex)
    m.on_thread(1)
    fault("relock", m.lock, mutex)
    fault("stranger_unlock", m.unlock, mutex)
    m.on_thread(0)
    m.unlock(mutex)
    fault("stranger_unlock", m.unlock, mutex)
    assert m.held() == ()


def test_a_mutex_lies_in_memory_of_ours(m: Any) -> None:
    a = m.mmap(PAGE)
    fault("unmapped", m.lock, a + PAGE - MUTEX_BYTES + 8)
    fault("misaligned", m.lock, a + 4)


def test_each_thread_has_storage_of_its_own_zero_at_first(m: Any) -> None:
    storage = []
    for thread in (0, 1, 2):
        m.on_thread(thread)
        storage.append(m.thread())
        assert m.load(m.thread()) == 0
        m.store(m.thread(), thread + 5)
    m.on_thread(1)
    assert (m.thread(), m.load(m.thread())) == (storage[1], 6)
    assert len(set(storage)) == 3


def test_statics_start_as_zero(m: Any) -> None:
    assert {m.load(m.statics() + offset) for offset in range(0, 0x8400, 8)} == {0}


def test_the_callers_memory_is_zero_and_apart(m: Any) -> None:
    a, b = m.outside(100), m.outside(8)
    assert b >= a + 100
    assert memory(m, a, 104) == bytes(104)
    fault("outside_exhausted", repeat, lambda: m.outside(PAGE))


def test_errno_is_what_was_set_and_system_calls_leave_it(m: Any) -> None:
    m.set_errno(12)
    for call in (lambda: m.sbrk(1 << 46), lambda: m.mmap(1 << 46), lambda: m.sbrk(PAGE), lambda: m.mmap(PAGE)):
        call()
        assert m.errno == 12
    m.errno = 0
    assert m.errno == 0


def test_status_lines_are_kept_and_abort_ends_the_call(m: Any) -> None:
    m.show(1, 2, 3, 4)
    assert m.shown == [(1, 2, 3, 4)]
    with pytest.raises(Aborted) as caught:
        m.abort(3, 64)
    assert (caught.value.code, caught.value.address) == (3, 64)
