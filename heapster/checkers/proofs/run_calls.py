"""Slots as programs free and resize them, and as bins take them: function by function; who is asked stands in notes."""

from itertools import pairwise
from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.classes import least
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    CACHE,
    DOUBLE_FREE,
    INVALID_POINTER,
    LAYOUT,
    MAX_WORD,
    PAYLOAD,
    WORD,
    WRONG_SIZE,
    aborts,
    only,
)
from heapster.checkers.proofs.passing_on import FREE, REALLOC
from heapster.checkers.proofs.run_lists import TOTALS_OF_RUNS
from heapster.checkers.proofs.run_slots import COUNT_PLACE, MOST_COUNTED, SlotsOfRun
from heapster.checkers.proofs.run_words import SLOT_SIZES, Reservation

CACHED_CLASSES, FREED = 88, 7       # classes that have bins; a code of an abort
MOST_LIMIT = 1 << 14                # blocks that a bin may hold
LEDGER, LEDGERS_EQUAL = TOTALS_OF_RUNS, 28


class FreedSlot(SlotsOfRun):
    """A slot of some class that a program frees or resizes, of a run that somebody has or nobody."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.nobodys = bool(path.choose(2))
        if self.nobodys:
            cell = self.m.find(self.entry)
            cell.was = cell.now = 0
        self.begins, self.marked, self.looked = False, True, False      # as long as nobody asked

    def begins_slot(self, word: Any, p: Any) -> bool:
        """See `impl.runs.begins_slot`: where nobody has a run no slot begins."""
        self.begins = bool(p == self.p) and bool(word != 0) and bool(self.path.choose(2))
        return self.begins

    def is_marked(self, _: Any, p: Any) -> bool:
        """See `impl.stack.is_marked`."""
        self.looked = True
        self.marked = bool(p != self.p) or bool(self.path.choose(2))
        return self.marked


def cache_slot(source: Any, path: Any) -> None:
    """A run that somebody has or nobody, a bin with room or without, any address of the run, marked or not."""
    r, full, kind = FreedSlot(path), path.choose(2), (FREE, REALLOC)[path.choose(2)]
    bin_ = r.bin - (r.class_index + 1) * ALIGN * r.nobodys
    word, limit = path.word("bin", 0), path.word("limit", 0)
    path.require(*((limit, "<=", word) if full else (word, "<", limit)))
    r.m.put(bin_, word, "bin")
    r.m.put(bin_ + 8, limit, "limit")
    with replaced(source.slots, begins_slot=r.begins_slot, is_marked=r.is_marked,
                  **r.notes.answering(push=0, count_freed=0)):
        done = source.slots.cache_slot(r.m, r.base, r.p, kind)
    taken = not full and r.begins and not r.marked
    path.claim("a_slot_goes_into_a_bin_that_has_room", lambda: bool(done) == taken and only(r.m) and r.notes.are(
        *[("push", bin_, r.p), ("count_freed", r.thread, kind)] * taken))


def free_slot_slow(source: Any, path: Any) -> None:
    """A slot that a bin takes, or none, of each class; freed by a program, or by its realloc."""
    r, kind, cached = SlotsOfRun(path), (FREE, REALLOC)[path.choose(2)], bool(path.choose(2))
    with replaced(source.slots, **r.notes.answering(
            used_slot=r.word_there, cache_block_slow=cached, count_call=0, release_slot=0)):
        source.slots.free_slot_slow(r.m, r.p, kind)
    counted = [("count_call", r.arena, kind)] * (kind == FREE)
    path.claim("what_no_bin_takes_its_run_has_back", lambda: r.is_left() and r.notes.are(
        ("used_slot", r.p, DOUBLE_FREE), ("cache_block_slow", r.p, r.size, kind),
        *[*counted, ("release_slot", r.arena, r.p)] * (not cached)))
    path.claim("slots_come_back_under_their_arenas_lock", lambda: r.notes.held == [
        0, 0, *[1] * (len(counted) + 1) * (not cached)])


def used_slot(source: Any, path: Any) -> None:
    """A run that somebody has or nobody; a slot that is new, or was handed out and waits somewhere or not."""
    r, where = FreedSlot(path), path.choose(4)
    fresh = path.word("fresh", 0)
    r.put("RUN_FRESH", fresh)
    found, waits = list[Any](), [where == place for place in (1, 2, 3)]
    with replaced(source.slots, begins_slot=r.begins_slot, is_marked=r.is_marked, **r.notes.answering(
            is_cached=waits[0], is_remote=waits[1], is_back=waits[2])):
        code = aborts(r.m, lambda: found.append(source.slots.used_slot(r.m, r.p, FREED)), r.p)
    used = not r.nobodys and r.begins and bool(r.p < fresh)
    expected = INVALID_POINTER if not used else FREED if r.marked and where > 0 else 0
    path.claim("only_slots_that_were_handed_out_may_be_freed", lambda: code == expected and only(r.m))
    path.claim("what_a_used_slots_run_has_is_answered", lambda: expected != 0
               or len(found) == 1 and found[0] == r.word_there)
    asked = (("is_cached", r.class_index, r.p), ("is_remote", r.arena, r.p), ("is_back", r.arena, r.p))
    path.claim("a_marked_slot_is_looked_for_everywhere", lambda: r.notes.are(
        *asked[:where or 3] if used and r.marked else []) and r.looked == used)


def is_back(source: Any, path: Any) -> None:
    """A run with slots back or none."""
    r, there = SlotsOfRun(path), bool(path.choose(2))
    stack = r.stack("slots")
    r.put("RUN_FREE", stack)
    with replaced(source.slots, **r.notes.answering(holds=there)):
        found = source.slots.is_back(r.m, r.arena, r.p)
    path.claim("what_came_back_is_looked_for_under_the_lock", lambda: bool(found) == there and r.is_left()
               and r.notes.are(("holds", stack, r.p)) and r.notes.held == [1])


def leave_slot(source: Any, path: Any) -> None:
    """Each class, any request; of a thread that counts its calls or not."""
    r, request = FreedSlot(path), path.word("request")
    r.m.put_lazily(r.thread + CACHE["registered"], lambda: path.choose(2), "registered")
    with replaced(source.slots, begins_slot=r.begins_slot, is_marked=r.is_marked, **r.notes.answering(count_mine=0)):
        left = source.slots.leave_slot(r.m, r.p, request)
    below = SLOT_SIZES[r.class_index - 1] if r.class_index else 0
    stays = bool(request > below) and bool(request <= r.size) and r.begins and not r.marked and bool(
        r.m.load(r.thread + CACHE["registered"]) != 0)
    path.claim("a_slot_whose_class_serves_the_request_stays", lambda: bool(left) == stays and only(r.m)
               and r.notes.are(*[("count_mine", r.thread, REALLOC)] * stays))


# Bins.

def pop_slot(source: Any, path: Any) -> None:
    """Each class; slots, or none."""
    r, most = SlotsOfRun(path), path.word("most", 0, 1 << 12)
    stack = r.stack("slots")
    word = path.word("bin")
    r.m.put(r.bin, word, "bin")
    with replaced(source.thread_cache, **r.notes.answering(take_slots=stack, make_room=0, count_call=0, pop=r.p)):
        found = source.thread_cache.pop_slot(r.m, r.arena, r.size, most, REALLOC)
    has = bool(stack != 0)
    path.claim("slots_come_by_way_of_the_bin", lambda: found == (r.p if has else 0) and r.notes.are(
        ("take_slots", r.arena, r.class_index, most), *[
            ("make_room", r.bin, stack >> COUNT_PLACE), ("count_call", r.arena, REALLOC), ("pop", r.bin)] * has))
    path.claim("a_bin_has_the_slots_that_were_taken", lambda: r.m.load(r.bin) == (stack if has else word)
               and only(r.m, r.bin))


def make_room(source: Any, path: Any) -> None:
    """Any limit, any number of slots that come at once."""
    r, come = SlotsOfRun(path), path.word("come", 1, MOST_COUNTED)
    may, full = path.word("may", 0, MOST_LIMIT), path.word("was full", 0, 1)
    limit = r.bin + WORD
    r.m.put(limit, (may << COUNT_PLACE) + full * bool(may != 0), "limit")
    source.bins.make_room(r.m, r.bin, come)
    grows = bool(may > 0) and bool(may < come)
    path.claim("a_bin_that_may_hold_any_may_hold_what_it_gets_at_once", lambda: only(r.m, limit) if grows
               else only(r.m))
    path.claim("a_limit_is_no_less_than_what_comes", lambda: not grows or r.m.load(limit) == come << COUNT_PLACE)


def collect_slot(source: Any, path: Any) -> None:
    """Each class; a bin that has room, or none."""
    r, cached = SlotsOfRun(path), bool(path.choose(2))
    with replaced(source.thread_cache, **r.notes.answering(cache_block=cached, release_slot=0)):
        source.thread_cache.collect_slot(r.m, r.arena, r.p, REALLOC)
    path.claim("a_slot_that_was_freed_by_others_goes_into_a_bin_or_back", lambda: only(r.m) and r.notes.are(
        ("cache_block", r.p, r.size, REALLOC), *[("release_slot", r.arena, r.p)] * (not cached)))


def class_for_request(source: Any, path: Any) -> None:
    """Each request that a bin serves, by the class that it should be answered."""
    index = path.choose(CACHED_CLASSES)
    request = path.word("request", least(index - 1) + 1 if index else 0, least(index))
    found = source.classes.class_for_request(request)
    path.claim("a_request_has_the_least_class_of_which_slots_hold_it", lambda: found == index)


# Sizes.

def cached_bytes(source: Any, path: Any) -> None:
    """Each class that has bins; a slot, or a block."""
    r, reserved, index = Reservation(path), bool(path.choose(2)), path.choose(CACHED_CLASSES)
    with replaced(source.api, is_reserved=lambda *_: reserved, class_for_request=lambda _: index):
        found = source.api.cached_bytes(r.m, path.word("p"), path.word("request"))
    path.claim("what_a_bin_had_is_zeroed_whole", lambda: only(r.m) and found == (
        least(index) if reserved else least(index) + ALIGN - PAYLOAD))


def check_asked_slot(source: Any, path: Any) -> None:
    """Each class, any request, by its class, at each kind of alignment."""
    r, alignment = SlotsOfRun(path), (1, ALIGN, 2 * ALIGN)[path.choose(3)]
    asked = path.choose(r.class_index + 3)
    ranges = [(low + 1, high) for low, high in pairwise((-1, *SLOT_SIZES[:r.class_index + 1]))]
    request = path.word("request", *[*ranges, (LAYOUT["LEAST_WORD"], -1), (r.size + 1, MAX_WORD)][asked])
    with replaced(source.api, **r.notes.answering(used_slot=r.word_there)):
        code = aborts(r.m, lambda: source.api.check_asked_slot(r.m, r.p, request, alignment), r.p)
    fits = asked == r.class_index and alignment <= ALIGN
    path.claim("a_slot_that_no_such_request_gets_aborts", lambda: code == (0 if fits else WRONG_SIZE)
               and only(r.m) and r.notes.are(("used_slot", r.p, DOUBLE_FREE)))


def is_slot_of(source: Any, path: Any) -> None:
    """Each class, of each size; an address at which a slot begins or none."""
    r, begins, other = SlotsOfRun(path), bool(path.choose(2)), path.choose(3)
    total = r.size + (0, ALIGN, -ALIGN)[other]
    with replaced(source.verify, begins_slot=lambda *_: begins):
        found = source.verify.is_slot_of(r.word_there, r.p, total)
    path.claim("a_slot_of_that_size_begins_at_its_start", lambda: bool(found) == (begins and other == 0))


def verify_runs_ledger(source: Any, path: Any) -> None:
    """Totals that agree with the walks, or one that does not."""
    r, held = Reservation(path), path.word("held", 0, 1 << 50)
    walked = {name: path.word(f"walked {name}", 0, 1 << 50) for name in LEDGER[1:]}
    of_runs = {name: path.word(f"{name} of runs", 0, 1 << 50) for name in LEDGER}
    wrong = path.choose(len(LEDGER) + 1)
    for place, name in enumerate(LEDGER):
        r.m.put(r.at(name), walked.get(name, held) + of_runs[name] + (place == wrong), name)
    name_of = {(free, in_bytes): f"{'free' if free else 'used'}_{'bytes' if in_bytes else 'blocks'}"
               for free in (False, True) for in_bytes in (False, True)}
    with replaced(source.verify, runs_hold=lambda *_: of_runs["held"],
                  walked_bytes=lambda m, arena, free: walked[name_of[free, True]],
                  walked_blocks=lambda m, arena, free: walked[name_of[free, False]],
                  runs_have=lambda m, arena, free, in_bytes: of_runs[name_of[free, in_bytes]],
                  **r.notes.answering(expect=0)):
        source.verify.verify_runs_ledger(r.m, r.arena, held)
    path.claim("totals_that_blocks_and_runs_do_not_come_to_are_named", lambda: only(r.m) and r.notes.are(
        ("expect", wrong == len(LEDGER), LEDGERS_EQUAL, r.arena)))




def _proof(of: str, body: Any, bound: str = ANY_HEAP, suffix: str = "", **more: str) -> Proof:
    return Proof(of, bound, body, more=more, suffix=suffix, spans=True)


PROOFS = (
    _proof("slots.cache_slot", cache_slot,
           a_slot_goes_into_a_bin_that_has_room="if it begins there and is not marked; no other word changes"),
    _proof("slots.free_slot_slow", free_slot_slow,
           what_no_bin_takes_its_run_has_back="no other word changes",
           slots_come_back_under_their_arenas_lock="which is released"),
    _proof("slots.used_slot", used_slot,
           only_slots_that_were_handed_out_may_be_freed="and wait nowhere; it aborts, nothing changed, of all else",
           what_a_used_slots_run_has_is_answered="no word changes",
           a_marked_slot_is_looked_for_everywhere="and no other"),
    _proof("slots.is_back", is_back, what_came_back_is_looked_for_under_the_lock="no word changes"),
    _proof("slots.leave_slot", leave_slot,
           a_slot_whose_class_serves_the_request_stays="the call counted; where nobody counts, nothing stays"),
    _proof("thread_cache.pop_slot", pop_slot,
           slots_come_by_way_of_the_bin="NULL if there are none; the arena counts the call",
           a_bin_has_the_slots_that_were_taken="no other word changes"),
    _proof("bins.make_room", make_room,
           a_bin_that_may_hold_any_may_hold_what_it_gets_at_once="no other word changes",
           a_limit_is_no_less_than_what_comes="and just that where it was less"),
    _proof("thread_cache.collect_slot", collect_slot,
           a_slot_that_was_freed_by_others_goes_into_a_bin_or_back="no other word changes"),
    _proof("classes.class_for_request", class_for_request, ALL_WORDS,
           "_of_slots",
           a_request_has_the_least_class_of_which_slots_hold_it="they have no header"),
    _proof("api.cached_bytes", cached_bytes, what_a_bin_had_is_zeroed_whole="a slot, or a block without its header"),
    _proof("api.check_asked_slot", check_asked_slot,
           a_slot_that_no_such_request_gets_aborts="nothing changed; and no other does"),
    _proof("verify.is_slot_of", is_slot_of, a_slot_of_that_size_begins_at_its_start="and nothing else does"),
    _proof("verify.verify_runs_ledger", verify_runs_ledger,
           totals_that_blocks_and_runs_do_not_come_to_are_named="only then; no word changes"),
)
