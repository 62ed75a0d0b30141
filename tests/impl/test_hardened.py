"""A hardened heap: what no other does, on the simulated machine."""

import random
from collections.abc import Callable
from itertools import pairwise
from math import log2

import pytest

from heapster.impl import (
    api,
    arena,
    layout,
    lifecycle,
    quarantine,
    randomness,
    records,
    settings,
    spans,
    stats,
    thread_cache,
    trim,
    vault,
    verify,
)
from heapster.machine.protocol import Aborted, MachineFault
from heapster.machine.simulated import Simulated
from heapster.model.misuse import abort_name
from heapster.model.system import SYSTEM_CALL_NAMES
from heapster.native.headers import ABORT_NAMES, HARDENED_INVARIANTS

KEY = 0x9E3779B97F4A7C15
MANY = 1 << 30                  # loads: a look at all records takes more than a call may


def hardened(key: int = KEY) -> Simulated:
    m = Simulated()
    settings.set_key(m, key)
    settings.set_hardened(m, 1)
    return m


def checked(m: Simulated) -> None:
    """Each record, slot and total is as it must be."""
    m.fuel = MANY
    verify.verify(m)
    m.refuel()


def ended(call: Callable[[], object]) -> str:
    """How the call ends the program."""
    with pytest.raises(Aborted) as aborted:
        call()
    return abort_name(aborted.value.code)


def blocks(m: Simulated, count: int, request: int) -> list[int]:
    return [api.malloc(m, request) for _ in range(count)]


def test_of_a_lost_arena_nothing_is_known_but_the_block_that_is_freed() -> None:
    """A thread that is no more may have been amid any other: what it had not yet written is no overflow."""
    m = hardened()
    p, q = next((p, q) for p, q in pairwise(sorted(blocks(m, 200, 40))) if q - p == 48)
    m.store(q - layout.WORD, 0)
    first = settings.arena_at(m.statics(), 0)
    looks = (lambda: checked(m), lambda: records.look_once_more(m), lambda: api.free(m, q))
    for look in looks:
        assert ended(look) == "overflow"
        m.renew(first + layout.ARENA_LOCK)
    lifecycle.lose(m, first, arena.owner_of(m, first))
    for look in looks:
        look()
    assert ended(lambda: api.free(m, p)) == "overflow"


def test_any_calls_leave_a_whole_heap_and_give_back_all() -> None:
    m, rng = hardened(), random.Random(3)
    live: dict[int, int] = {}
    for _ in range(600):
        request = rng.choice((0, 1, 24, 25, 40, 100, 500, 1000, 4000, 9000, 73_720, 73_721, 90_000))
        choice = rng.random()
        if choice < 0.5 or not live:
            p = rng.choice((api.malloc(m, request), api.calloc(m, request, 1), api.aligned_alloc(m, 256, request)))
        else:
            old = rng.choice(list(live))
            kept = live.pop(old)
            p = api.realloc(m, old, request) if choice > 0.8 and request else api.free(m, old)
            assert not p or not kept or m.load(p) & 0xFF == 0xAB
        if p:
            usable = api.usable_size(m, p)
            assert p not in live and usable >= request and p % layout.ALIGN == 0
            m.fill(p, 0xAB, usable)
            live[p] = request
        m.refuel()
    checked(m)
    m.fuel = MANY
    assert (lifecycle.finalize(m), m.system(), m.held()) == (0, (), ())


@pytest.mark.parametrize("request_", [24, 1000, 100_000])
@pytest.mark.parametrize("again", [api.free, api.usable_size, lambda m, p: api.realloc(m, p, 5),
                                   lambda m, p: api.free_sized(m, p, 24)])
def test_what_is_freed_is_never_a_block_again(request_: int, again: Callable[[Simulated, int], object]) -> None:
    m = hardened()
    p, other = blocks(m, 2, request_)
    api.free(m, p)
    assert ended(lambda: again(m, p)) == "double_free"
    assert other


def test_a_second_free_is_told_behind_many_others() -> None:
    m = hardened()
    p = api.malloc(m, 24)
    api.free(m, p)
    for q in blocks(m, 100, 24):
        api.free(m, q)
    assert ended(lambda: api.free(m, p)) == "double_free"


@pytest.mark.parametrize("offset", [1, 8, 16, -16, 4096, 1 << 20, 1 << 47, -(1 << 62)])
@pytest.mark.parametrize("request_", [100, 100_000])
def test_what_is_no_block_is_told(request_: int, offset: int) -> None:
    m = hardened()
    p = api.malloc(m, request_)
    assert ended(lambda: api.free(m, p + offset)) in ("invalid_pointer", "double_free")


def test_no_pointer_is_a_block_before_there_is_one() -> None:
    assert ended(lambda: api.free(hardened(), layout.LEAST_PAYLOAD)) == "invalid_pointer"


def test_a_header_that_was_forged_is_not_looked_at() -> None:
    m = hardened()
    p = api.malloc(m, 200)
    m.fill(p, 0, 200)
    m.store(p + 56, 64 | layout.USED | layout.PREV_USED)
    assert ended(lambda: api.free(m, p + 64)) == "invalid_pointer"


@pytest.mark.parametrize("request_", [1, 24, 40, 3000, 73_720])
def test_a_word_past_the_end_is_told_at_free(request_: int) -> None:
    m = hardened()
    p = api.malloc(m, request_)
    m.store(p + api.usable_size(m, p), 0x41)
    for call in (api.usable_size, api.free):
        assert ended(lambda call=call: call(m, p)) == "overflow"        # type: ignore[misc]
        m.owners.clear()


def test_a_write_past_a_mapping_faults() -> None:
    m = hardened()
    p = api.malloc(m, 100_000)
    for place in (p - layout.WORD, p + api.usable_size(m, p)):
        with pytest.raises(MachineFault, match="has no access"):
            m.store(place, 1)


def test_a_freed_mapping_has_no_access() -> None:
    m = hardened()
    p = api.malloc(m, 100_000)
    m.store(p, 1)
    api.free(m, p)
    with pytest.raises(MachineFault, match="has no access"):
        m.load(p)


def test_a_write_after_free_is_told_when_the_slot_is_used_again() -> None:
    m = hardened()
    p = api.malloc(m, 100)
    api.free(m, p)
    m.store(p + 16, 1)

    def use_all() -> None:
        for _ in range(2000):
            api.free(m, api.malloc(m, 100))

    assert ended(use_all) == "write_after_free"


def test_what_malloc_hands_out_is_zero() -> None:
    m = hardened()
    for _ in range(400):
        p = api.malloc(m, 24)
        assert not any(m.load(p + place) for place in (0, 8, 16))
        m.fill(p, 0xFF, 24)
        api.free(m, p)


@pytest.mark.parametrize(("request_", "stated"), [(24, 25), (100, 24), (100_000, 24), (100_000, 200_000), (24, -1)])
def test_a_wrong_size_is_told(request_: int, stated: int) -> None:
    m = hardened()
    p = api.malloc(m, request_)
    assert ended(lambda: api.free_sized(m, p, stated)) == "wrong_size"


def test_right_sizes_and_alignments_are_taken() -> None:
    m = hardened()
    for request in (0, 1, 24, 25, 500, 73_720, 73_721, 100_000):
        api.free_sized(m, api.malloc(m, request), request)
        for alignment in (16, 64, 4096, 1 << 16):
            p = api.aligned_alloc(m, alignment, request)
            assert p % alignment == 0
            api.free_aligned_sized(m, p, alignment, request)
    checked(m)


def test_a_mapping_that_realloc_made_has_some_more() -> None:
    m = hardened()
    p = api.malloc(m, 100_000)
    m.store(p, 7)
    q = api.realloc(m, p, 200_000)
    assert q != p and m.load(q) == 7
    assert api.realloc(m, q, 210_000) == q
    api.free_sized(m, q, 210_000)
    checked(m)


@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("request_", [24, 100_000])
def test_memory_that_is_refused_is_no_block_and_leaves_nothing_broken(request_: int, nth: int) -> None:
    m = hardened()
    m.refuse("mmap", nth)
    got = blocks(m, 3, request_)
    checked(m)
    for p in filter(None, got):
        api.free(m, p)
    checked(m)
    assert got.count(0) <= 1 and (m.errno == layout.ENOMEM) == (0 in got)


def test_a_guard_that_is_refused_is_said_once() -> None:
    m = hardened()
    m.refuse("protect", 0)
    assert all(blocks(m, 300, 500)) and api.malloc(m, 100_000)
    assert [line[0] for line in m.shown] == [layout.SHOW_UNGUARDED]
    checked(m)


def test_mappings_are_left_for_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    m = hardened()
    monkeypatch.setattr(vault, "MOST_GUARDED", 3)
    held = blocks(m, 3, 100_000)
    guards = len(tuple(m.guards))
    freed(m, blocks(m, 40, 100_000))
    assert [line[0] for line in m.shown] == [layout.SHOW_UNGUARDED] and len(tuple(m.guards)) <= guards + 40
    freed(m, held)
    trim.trim(m, 0)
    assert m.load(vault.vault_of(m) + layout.PIECES) == 0
    p = api.malloc(m, 100_000)
    assert m.guards.touch(p - 1, p) and m.guards.touch(p + 102_400, p + 102_401)
    checked(m)


def turned_over(m: Simulated, times: int, request: int) -> list[int]:
    """Where blocks lay that were each freed before the next."""
    seen = []
    for _ in range(times):
        seen.append(api.malloc(m, request))
        freed(m, seen[-1:])
    return seen


def test_a_mapping_that_has_waited_is_used_again_with_new_guards() -> None:
    m = hardened()
    seen = turned_over(m, 200, 100_000)
    asked = [call.name for call in m.calls]
    assert asked.count("mmap") < 60 and asked.count("unprotect") > 140 and asked.count("munmap") < 20
    assert len({*seen}) > 60
    for place in range(200):
        assert seen[place] not in seen[place + 1:place + layout.WAITING_MAPPINGS]
    p = api.malloc(m, 100_000)
    assert not any(m.load(p + word) for word in range(0, 100_000, 8))
    for beside in (p - layout.WORD, p + api.usable_size(m, p)):
        with pytest.raises(MachineFault, match="has no access"):
            m.store(beside, 1)
    checked(m)


def test_a_smaller_block_takes_a_spare_mapping_and_a_larger_one_does_not() -> None:
    m = hardened()
    turned_over(m, 34, 400_000)
    vaults = vault.vault_of(m)
    spare = m.load(vaults + layout.SPARES)
    assert spare == 1
    assert api.malloc(m, 900_000) and m.load(vaults + layout.SPARES) == spare
    p = api.aligned_alloc(m, 1 << 16, 50_000)
    assert p % (1 << 16) == 0 and m.load(vaults + layout.SPARES) == spare - 1
    freed(m, [p])
    assert ended(lambda: api.free(m, p)) == "double_free"
    m.owners.clear()
    checked(m)
    assert (trim.trim(m, 0), m.load(vaults + layout.SPARES)) == (1, 0)
    checked(m)


@pytest.mark.parametrize("call", SYSTEM_CALL_NAMES)
def test_a_refusal_leaves_what_is_spare_as_it_was(call: str) -> None:
    m = hardened()
    turned_over(m, 40, 100_000)
    m.refuse(call, 0)
    assert all(turned_over(m, 40, 100_000))
    checked(m)


def test_no_more_mappings_are_spare_than_may_be() -> None:
    m = hardened()
    freed(m, [*blocks(m, 100, 80_000), api.malloc(m, layout.MOST_SPARE), *blocks(m, 33, 80_000)])
    vaults = vault.vault_of(m)
    assert m.load(vaults + layout.SPARES) == layout.MOST_SPARES
    assert m.load(vaults + layout.PIECES) == layout.MOST_SPARES + layout.WAITING_MAPPINGS
    checked(m)


def pages(m: Simulated) -> int:
    """Bytes of pages that the arena's spans have."""
    return m.load(settings.attach(m) + layout.HELD_BYTES)


def freed(m: Simulated, held: list[int]) -> None:
    for p in held:
        api.free(m, p)
        m.refuel()


def test_few_spans_that_hold_nothing_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    m = hardened()
    monkeypatch.setattr(spans, "MOST_EMPTY", most := 5 * spans.span_length(32))
    held = blocks(m, 3000, 24)
    many = pages(m)
    freed(m, held)
    assert many > 2 * most and most <= pages(m) < many
    assert m.load(vault.keep_of(m, settings.attach(m)) + layout.KEEP_EMPTY) <= most
    checked(m)


def test_spans_that_hold_nothing_are_used_again_and_trimmed() -> None:
    m = hardened()
    held = blocks(m, 700, 24)
    many = pages(m)
    freed(m, held)
    assert pages(m) == many
    freed(m, blocks(m, 500, 24))
    assert pages(m) == many
    assert (trim.trim(m, 0), trim.trim(m, 0)) == (1, 0) and pages(m) < many
    checked(m)


def test_memory_that_is_refused_is_looked_for_in_what_waits() -> None:
    m = hardened()
    api.free(m, api.malloc(m, 100_000))
    m.refuse("mmap", 1)
    assert api.malloc(m, 100_000) and "mmap" in {call.name for call in m.calls if call.answer == layout.REFUSED}
    checked(m)


def test_the_largest_free_slot_is_in_the_figures() -> None:
    m = hardened()
    for request, largest in ((24, 32), (3000, 3072), (100, 3072)):
        api.malloc(m, request)
        stats.stats(m, layout.ALL_ARENAS, m.scratch)
        assert m.load(m.scratch + layout.STAT_LARGEST_FREE) == largest


def test_a_span_that_the_system_does_not_take_stays() -> None:
    m = hardened()
    m.refuse("munmap", 0)
    freed(m, blocks(m, 1500, 24))
    trim.trim(m, 0)
    checked(m)
    assert ended(lambda: [api.free(m, p) for p in [api.malloc(m, 24)] * 2]) == "double_free"


def test_a_child_of_a_fork_goes_on() -> None:
    m = hardened()
    mine, large = api.malloc(m, 24), api.malloc(m, 100_000)
    m.on_thread(1)
    other = api.malloc(m, 24)
    arena = m.load(m.thread() + layout.MY_ARENA)
    for lock in (arena, m.statics() + layout.MAPPINGS):         # held while the process forks
        m.lock(lock + layout.ARENA_LOCK)
    m.on_thread(0)
    lifecycle.after_fork_in_child(m)
    m.leave_alone()
    for p in (mine, large, other):
        assert api.usable_size(m, p)
        api.free(m, p)
    assert ended(lambda: api.free(m, mine)) == "double_free"


def test_threads_have_spans_of_their_own() -> None:
    m = hardened()
    mine = api.malloc(m, 24)
    m.on_thread(1)
    assert vault.record_at(m, api.malloc(m, 24)) != vault.record_at(m, mine)
    api.free(m, mine)
    thread_cache.thread_end(m)
    checked(m)


@pytest.mark.parametrize(("word", "change", "told"), [
    (layout.SPAN_FREE, 1, "slots_are_counted"),
    (layout.SLOT, 16, "slots_are_counted"), (layout.LENGTH, layout.PAGE, "slots_are_counted")])
def test_a_broken_record_is_verified(word: int, change: int, told: str) -> None:
    m = hardened()
    record = vault.record_at(m, api.malloc(m, 24))
    m.store(record + word, m.load(record + word) + change)
    m.fuel = MANY
    with pytest.raises(Aborted) as aborted:
        verify.verify(m)
    assert ABORT_NAMES[aborted.value.code] == told


def test_a_slot_that_waits_and_is_not_taken_is_verified() -> None:
    m = hardened()
    p = api.malloc(m, 24)
    record = vault.record_at(m, p)
    number = spans.nearest_free(m, record, 0)
    spans.set_bit(m, record, layout.WAITING, number)
    m.fuel = MANY
    with pytest.raises(Aborted) as aborted:
        verify.verify(m)
    assert ABORT_NAMES[aborted.value.code] == "waiting_slots_are_taken"


def test_a_page_that_the_table_has_not_is_verified() -> None:
    m = hardened()
    record = vault.record_at(m, api.malloc(m, 24))
    vault.leave_pages(m, m.load(record + layout.BASE) + layout.PAGE, layout.PAGE)
    m.fuel = MANY
    with pytest.raises(Aborted) as aborted:
        verify.verify(m)
    assert ABORT_NAMES[aborted.value.code] == "the_table_leads_to_each_record"
    assert {ABORT_NAMES[getattr(layout, name)] for name in HARDENED_INVARIANTS} == {
        "the_table_leads_to_each_record", "slots_are_counted", "waiting_slots_are_taken"}


# What is random, and how far.

SEEDS = range(2, 800, 2)            # the lowest bit of a key is no choice


def bits(kinds: int) -> float:
    return log2(kinds)


def test_the_slot_of_a_block_is_one_of_many() -> None:
    places = {p - m.load(vault.record_at(m, p) + layout.BASE)
              for m, p in ((m, api.malloc(m, 24)) for m in map(hardened, SEEDS))}
    assert bits(len(places)) > 7.4                              # 256 slots: 8


def test_guards_have_one_of_sixteen_lengths() -> None:
    found = set()
    for m in map(hardened, SEEDS):
        p = api.malloc(m, 100_000)
        start, before, after = m.load(vault.record_at(m, p) + layout.MAPPING_START), p, p + api.usable_size(m, p)
        end = start + m.load(vault.record_at(m, p) + layout.MAPPING_BYTES)
        assert m.guards.touch(start, before) and m.guards.touch(after, end)
        found.add((before - start, end - after))
    assert {length for pair in found for length in pair} == {layout.PAGE * pages for pages in range(1, 17)}
    assert bits(len(found)) > 7                                 # 16 times 16: 8


def test_canaries_and_numbers_do_not_repeat() -> None:
    m = hardened()
    assert len({randomness.canary(m, p) for p in range(1 << 20, 1 << 21, 16)}) == (1 << 16)
    assert len({randomness.canary(m, 1 << 20) for m in map(hardened, SEEDS)}) == len(SEEDS)
    counter = m.scratch
    drawn = [randomness.draw(m, counter) for _ in range(20_000)]
    assert len({*drawn}) == len(drawn) and min(drawn) >= 0
    for bit in range(63):
        assert abs(sum(number >> bit & 1 for number in drawn) / len(drawn) - 0.5) < 0.02


def test_a_freed_slot_is_used_again_after_one_of_many_times() -> None:
    waits = set()
    for key in range(2, 120, 2):
        m = hardened(key)
        p = api.malloc(m, 24)
        api.free(m, p)
        turns = 0
        while vault.record_at(m, p) and spans.is_set(m, record := vault.record_at(m, p), layout.TAKEN,
                                                     spans.slot_number(m, record, p)):
            api.free(m, api.malloc(m, 24))
            turns += 1
            m.refuel()
        waits.add(turns)
    assert min(waits) >= quarantine.pool_length(0) and bits(len(waits)) > 4


@pytest.mark.parametrize("index", range(88))
def test_each_slot_of_a_class_is_found_and_no_other_address(index: int) -> None:
    m = hardened()
    api.malloc(m, 24)
    record = vault.new_record(m, vault.vault_of(m))
    slot = 32 + 16 * index if index < 30 else (8 + (index - 30) % 8) * 64 << (index - 30) // 8
    assert vault.map_pages(m, record, spans.span_length(slot), layout.PAGE)
    spans.write_span(m, m.statics() + layout.ARENAS, record, index)
    slots, base = m.load(record + layout.SLOTS), m.load(record + layout.BASE)
    assert slots == min(256, m.load(record + layout.LENGTH) // slot)
    for number in range(slots):
        assert spans.slot_number(m, record, base + number * slot) == number
        assert {spans.slot_number(m, record, base + number * slot + behind) for behind in (1, 16, slot - 1)} == {-1}
    taken = set()
    while m.load(record + layout.SPAN_FREE):
        number = spans.nearest_free(m, record, index * 5 % slots)
        assert number not in taken and number < slots
        taken.add(number)
        spans.set_bit(m, record, layout.TAKEN, number)
        m.store(record + layout.SPAN_FREE, m.load(record + layout.SPAN_FREE) - 1)
    assert len(taken) == slots
