"""Where calls part for what lies in the reservation: each passes it on to what is proved of slots, and does no more.

Whether it lies there is told by `is_reserved`, which has a theorem of its own; what they do with all else is proved of
a heap without a reservation.
"""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.cache import COUNTS
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import ALIGN, CACHE, USE_AFTER_FREE, WORD, only
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.notes import Notes
from heapster.checkers.proofs.passing_on import FREE, REALLOC
from heapster.checkers.proofs.placement import Over
from heapster.checkers.proofs.run_slots import SlotsOfRun
from heapster.checkers.proofs.run_words import RUN
from heapster.machine.symbolic import HIGHEST, LOWEST

MALLOC = 0                          # a kind of call


class Parted(Window):
    """A pointer into the reservation, an arena, and who is asked."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.notes = Notes()
        self.p, self.request = path.word("p", LOWEST, HIGHEST), path.word("request")
        self.kind = (FREE, REALLOC)[path.choose(2)]

    def apart(self, length: int) -> None:
        """Let nothing else lie in so many bytes from there on."""
        self.path.apart(self.p, length, *self.m.spans[0])

    def reserved(self, m: Any, p: Any) -> bool:
        """See `impl.runs.is_reserved`: `p` is, alone."""
        return bool(p == self.p)

    def asks(self, *done: tuple[Any, ...]) -> bool:
        """Whether just these were asked, in this order, no word changed, and no lock is held."""
        return not self.m.held and only(self.m) and self.notes.are(*done)


def cache_plain(source: Any, path: Any) -> None:
    """Whatever is made of the slot."""
    c, done, base = Parted(path), bool(path.choose(2)), path.word("base")
    with replaced(source.malloc, lies_in=lambda start, p: bool(start == base) and bool(p == c.p),
                  **c.notes.answering(reservation=base, cache_slot=done)):
        told = source.malloc.cache_plain(c.m, c.p, c.kind)
    path.claim("a_slot_goes_where_slots_go", lambda: told == done and c.asks(
        ("reservation",), ("cache_slot", base, c.p, c.kind)))


def free_slow(source: Any, path: Any) -> None:
    """A slot that no bin took as it is."""
    c = Parted(path)
    with replaced(source.malloc, is_reserved=c.reserved, **c.notes.answering(free_slot_slow=0)):
        source.malloc.free_slow(c.m, c.p, c.kind)
    path.claim("a_slot_is_freed_as_one", lambda: c.asks(("free_slot_slow", c.p, c.kind)))


def usable_bytes(source: Any, path: Any) -> None:
    """Each size of slots."""
    c, word, size = Parted(path), path.word("word"), path.word("size", 32, 1024)
    with replaced(source.malloc, size_of_slot=lambda each: size if each is word else 0,
                  is_reserved=c.reserved, **c.notes.answering(used_slot=word)):
        usable = source.malloc.usable_bytes(c.m, c.p)
    path.claim("all_of_a_used_slot_is_usable", lambda: usable == size and c.asks(("used_slot", c.p, USE_AFTER_FREE)))


def leave_plain(source: Any, path: Any) -> None:
    """Any request."""
    c, left = Parted(path), bool(path.choose(2))
    with replaced(source.malloc, is_reserved=c.reserved, **c.notes.answering(leave_slot=left)):
        told = source.malloc.leave_plain(c.m, c.p, c.request)
    path.claim("a_slot_is_left_as_one", lambda: told == left and c.asks(("leave_slot", c.p, c.request)))


def resize_uncopied(source: Any, path: Any) -> None:
    """Any request."""
    c = Parted(path)
    with replaced(source.malloc, is_reserved=c.reserved, **c.notes.answering(used_slot=path.word("word"))):
        made = source.malloc.resize_uncopied(c.m, c.p, c.request)
    path.claim("a_used_slot_is_not_resized_where_it_is", lambda: made == 0 and c.asks(
        ("used_slot", c.p, USE_AFTER_FREE)))


def zero_payload(source: Any, path: Any) -> None:
    """Each size of slots."""
    c, word, size = Parted(path), path.word("word"), path.word("size", 32, 1024)
    c.apart(1024)
    with replaced(source.api, size_of_slot=lambda each: size if each is word else 0,
                  is_reserved=c.reserved, **c.notes.answering(run_word=word)):
        source.api.zero_payload(c.m, c.p)
    path.claim("all_of_a_new_slot_is_zeroed", lambda: c.asks(("run_word", c.p))
               and len(c.m.fills) == 1 and bool(c.m.fills[0][0] == c.p) and c.m.fills[0][1] == 0
               and bool(c.m.fills[0][2] == size))


def check_stated(source: Any, path: Any) -> None:
    """Any request, any alignment."""
    c, stated, alignment = Parted(path), path.word("stated"), path.word("alignment")
    with replaced(source.api, is_reserved=c.reserved, **c.notes.answering(stated_alignment=stated, check_asked_slot=0)):
        source.api.check_stated(c.m, c.p, c.request, alignment)
    path.claim("what_is_stated_of_a_slot_is_checked_as_such", lambda: c.asks(
        ("stated_alignment", c.p, alignment), ("check_asked_slot", c.p, c.request, stated)))


def owner_arena(source: Any, path: Any) -> None:
    """Any arena."""
    c, word = Parted(path), path.word("word")
    with replaced(source.thread_cache, is_reserved=c.reserved, **c.notes.answering(
            run_word=word, owner_of_slot=c.arena)):
        owner = source.thread_cache.owner_arena(c.m, c.p)
    path.claim("a_slot_leads_to_the_arena_of_its_run", lambda: owner == c.arena and c.asks(
        ("run_word", c.p), ("owner_of_slot", word)))


# What asks for slots.

def cached_aligned(source: Any, path: Any) -> None:
    """Any request, any alignment."""
    c = Parted(path)
    p = source.malloc.cached_aligned(c.m, c.request, path.word("alignment"))
    path.claim("no_slot_is_taken_for_one_that_is_aligned", lambda: p == 0 and c.asks())


def carve_batch(source: Any, path: Any) -> None:
    """A slot, or else a block of a heap that has one or not."""
    c, slot = Parted(path), bool(path.choose(2))
    total, most = path.word("total", 32, 1 << 16, 16), path.word("most", 1, 9)
    last, found = path.word("block", LOWEST, HIGHEST, 16, 8), bool(path.choose(2))
    c.m.put(c.at("used_blocks"), path.word("used", 0, HIGHEST), "used blocks")
    with replaced(source.thread_cache, size=lambda *_: total + 16, is_reserved=c.reserved, **c.notes.answering(
            pop_slot=c.p if slot else 0, find_or_grow=last if found else 0, carve=last, count_used=0, count_call=0)):
        b = source.thread_cache.carve_batch(c.m, c.arena, total, most, MALLOC)
    block = [("find_or_grow", c.arena, total + 16),
             *[("carve", c.arena, last, total + 16, most), ("count_used", c.arena, total + 16, 1),
               ("count_call", c.arena, MALLOC)] * found]
    path.claim("slots_are_asked_for_before_blocks_that_are_longer", lambda: b == (
        c.p - WORD if slot else last if found else 0) and c.asks(
            ("pop_slot", c.arena, total, most, MALLOC), *block * (not slot)))


def cache_block_slow(source: Any, path: Any) -> None:
    """Blocks that serve no class, since they are no longer than a slot of the least."""
    c = Parted(path)
    c.m.use_thread(c.span("thread", CACHE["thread_bytes"]))
    with replaced(source.thread_cache, is_reserved=c.reserved, **c.notes.answering(caches_nothing=False)):
        done = source.thread_cache.cache_block_slow(c.m, c.p, 16, c.kind)
    path.claim("the_least_blocks_serve_no_class", lambda: not done and c.asks(
        ("caches_nothing", c.m.thread())))


# Walks over stacks of slots and blocks.

class MixedStack:
    """A loop over a stack, cut: a slot is on top, or the end is reached."""

    def __init__(self, path: Any, names: tuple[str, str]) -> None:
        self.path, self.r, self.names = path, SlotsOfRun(path), names
        self.first, self.below, self.top = path.word("stack"), path.word("below"), self.r.p + (3 << 48)
        self.at: Any = 0

    def enter(self, word: Any, **others: Any) -> list[Any]:
        """It begins with the whole stack."""
        self.path.claim(self.names[0], lambda: word == self.first and all(bool(each == 0) for each in others.values()))
        self.at = self.top if self.path.choose(2) else 0
        return [*others.values(), self.at]


class ReleasedStack(MixedStack):
    """Of what is released."""

    def again(self, run: Any, word: Any) -> None:
        """The slot came back, and those of its run that followed."""
        r = self.r
        self.path.claim(self.names[1], lambda: word == self.below and run == 0 and only(r.m) and r.notes.are(
            ("release_slots", r.arena, self.top)))
        raise Over


def release_all(source: Any, path: Any) -> None:
    """Stacks of any length."""
    w = ReleasedStack(path, ("releasing_begins_with_all", "a_slot_among_blocks_comes_back"))
    r = w.r
    try:
        with replaced(source.remote, is_reserved=lambda m, p: bool(p == r.p), **r.notes.answering(
                release_slots=w.below, gather=0)):
            cut(source.remote.release_all, w)(r.m, r.arena, w.first)
    except Over:
        return
    path.claim("what_was_gathered_is_released_last", lambda: w.at == 0 and only(r.m)
               and r.notes.are(("gather", r.arena, 0, 0)))


class SlotsOfOneRun:
    """The loop that lets a run have slots back, cut: some came back, and what is left has one of it on top, or not."""

    def __init__(self, path: Any) -> None:
        self.path, self.r = path, SlotsOfRun(path)
        self.first, self.had = self.r.p + (path.word("slots", 1, COUNTS) << 48), path.word("had")
        self.back, self.grown, self.below = path.word("back"), path.word("grown"), path.word("below")
        self.is_of_it, self.q, self.left = bool(path.choose(2)), path.word("q", LOWEST, HIGHEST, ALIGN), 0

    def enter(self, back: Any, word: Any) -> list[Any]:
        """It begins with what the run had, and all that is released."""
        r = self.r
        self.path.claim("a_runs_slots_are_put_on_what_it_had", lambda: word == self.first and back == self.had
                        and r.notes.are(("back_in_run", r.p)))
        if self.is_of_it:
            self.q = r.end - self.path.word("other place", 1, r.slots) * r.size
        else:
            self.path.apart(self.q, 1, r.start, RUN)
        self.left = self.q + (self.path.word("left", 1, COUNTS) << 48) if self.path.choose(2) else 0
        return [self.back, self.left]

    def again(self, back: Any, word: Any) -> None:
        """The slot on top is of the run, which has it back."""
        r = self.r
        self.path.claim("each_turn_takes_a_slot_of_the_run", lambda: self.is_of_it and word == self.below
                        and back == self.grown and only(r.m)
                        and r.notes.are(("back_in_run", r.p), ("below", self.q), ("put", self.back, self.q)))
        raise Over


def release_slots(source: Any, path: Any) -> None:
    """Stacks of any length; an arena that is lost or not."""
    w, lost = SlotsOfOneRun(path), bool(path.choose(2))
    r = w.r
    try:
        with replaced(source.remote, is_lost=lambda *_: lost, **r.notes.answering(
                back_in_run=w.had, below=w.below, put=w.grown, unmark=0, take_back=0)):
            rest = cut(source.remote.release_slots, w)(r.m, r.arena, w.first)
    except Over:
        return
    path.claim("a_lost_arenas_slot_waits_no_more", lambda: not lost or rest == w.below and only(r.m)
               and r.notes.are(("below", r.p), ("unmark", r.p)))
    path.claim("a_run_has_all_back_that_followed", lambda: lost or rest == w.left and only(r.m)
               and (w.left == 0 or not w.is_of_it)
               and r.notes.are(("back_in_run", r.p), ("take_back", r.arena, r.p, w.back)))


class CollectedStack(MixedStack):
    """Of what others freed."""

    def again(self, word: Any) -> None:
        """The slot is collected."""
        r = self.r
        self.path.claim(self.names[1], lambda: word == self.below and only(r.m) and r.notes.are(
            ("take_all", r.arena), ("below", r.p), ("unmark", r.p), ("collect_slot", r.arena, r.p, REALLOC)))
        raise Over


def collect_remote(source: Any, path: Any) -> None:
    """Remote lists of any length."""
    w = CollectedStack(path, ("collecting_begins_with_all", "a_slot_among_blocks_is_collected_as_one"))
    r = w.r
    try:
        with replaced(source.thread_cache, is_reserved=lambda m, p: bool(p == r.p), **r.notes.answering(
                take_all=w.first, below=w.below, unmark=0, collect_slot=0)):
            cut(source.thread_cache.collect_remote, w)(r.m, r.arena, REALLOC)
    except Over:
        return
    path.claim("collecting_slots_ends_with_the_last", lambda: w.at == 0 and only(r.m)
               and r.notes.are(("take_all", r.arena)))


class CountedStack(MixedStack):
    """Of what statistics count."""

    def __init__(self, path: Any, names: tuple[str, str]) -> None:
        super().__init__(path, names)
        self.out = self.r.span("figures", 104) + WORD
        self.figures = {self.out + STAT: path.word("figure", 0, HIGHEST) for STAT in (48, 56)}
        for at, figure in self.figures.items():
            self.r.m.put(at, figure, "a figure")

    def again(self, word: Any) -> None:
        """The slot is counted."""
        r, (of_bytes, of_blocks) = self.r, self.figures
        self.path.claim(self.names[1], lambda: word == self.below and only(r.m, of_bytes, of_blocks)
                        and r.m.load(of_bytes) == self.figures[of_bytes] + r.size
                        and r.m.load(of_blocks) == self.figures[of_blocks] + 1 and r.notes.are(("below", r.p)))
        raise Over


def add_remote(source: Any, path: Any) -> None:
    """Remote lists of any length, slots of each class."""
    w = CountedStack(path, ("counting_begins_with_all", "a_slot_on_a_remote_list_is_counted"))
    r = w.r
    r.m.put(r.at("remote"), w.first, "remote list")
    try:
        with replaced(source.stats, is_reserved=lambda m, p: bool(p == r.p), **r.notes.answering(below=w.below)):
            cut(source.stats.add_remote, w)(r.m, r.arena, w.out)
    except Over:
        return
    path.claim("counting_ends_with_the_last", lambda: w.at == 0 and only(r.m) and not r.m.held and r.notes.are())


# The whole heap.

def trim(source: Any, path: Any) -> None:
    """A pool that gives something or not; nothing else gives anything."""
    c, gave = Parted(path), bool(path.choose(2))
    c.m.use_thread(c.span("thread", CACHE["thread_bytes"]))
    c.m.put(c.m.thread() + CACHE["registered"], 0, "registered")
    with replaced(source.trim, release_retained=lambda _: False, trim_arena=lambda *_: False,
                  **c.notes.answering(purge_pool=gave)):
        taken = source.trim.trim(c.m, 0)
    path.claim("trimming_asks_the_pool_of_runs", lambda: taken == int(gave) and c.asks(("purge_pool",)))


def finalize(source: Any, path: Any) -> None:
    """A reservation that goes back or not; all else does."""
    c, gone = Parted(path), bool(path.choose(2))
    with replaced(source.lifecycle, empty_caches=lambda _: None, return_mappings=lambda _: 0, return_vault=lambda _: 0,
                  return_arena=lambda *_: 0, **c.notes.answering(forget_runs=gone)):
        left = source.lifecycle.finalize(c.m)
    path.claim("a_reservation_that_does_not_go_back_is_counted", lambda: left == int(not gone) and c.asks(
        ("forget_runs",)))


def mend_mappings(source: Any, path: Any) -> None:
    """A lock that a thread took along, or none."""
    c = Parted(path)
    with replaced(source.lifecycle, lose=lambda *_: None, open_list=lambda *_: None, forget_records=lambda _: None,
                  **c.notes.answering(lose_pool=0)):
        source.lifecycle.mend_mappings(c.m)
    lost = bool(c.notes.done)
    path.claim("a_pool_whose_lock_was_taken_along_is_lost", lambda: c.asks(
        *[("lose_pool",)] * lost) and bool(c.m.fills) == lost)


def verify_ledger(source: Any, path: Any) -> None:
    """Any arena."""
    c, held = Parted(path), path.word("held", 0, HIGHEST)
    with replaced(source.verify, is_reserved=c.reserved, **c.notes.answering(verify_runs_ledger=0)):
        source.verify.verify_ledger(c.m, c.arena, held)
    path.claim("the_ledger_is_verified_with_its_runs", lambda: c.asks(
        ("verify_runs_ledger", c.arena, held)))


def calloc(source: Any, path: Any) -> None:
    """What a bin had, slot or block."""
    c, size = Parted(path), path.word("usable", 0, 1 << 17)
    c.apart(1 << 17)
    with replaced(source.api, product=lambda *_: c.request,
                  is_reserved=c.reserved, **c.notes.answering(cached=c.p, cached_bytes=size)):
        p = source.api.calloc(c.m, 3, 5)
    path.claim("calloc_zeroes_what_a_bin_had", lambda: p == c.p and c.asks(
        ("cached", c.request, 16, 1), ("cached_bytes", c.p, c.request)) and len(c.m.fills) == 1
        and bool(c.m.fills[0][0] == c.p) and c.m.fills[0][1] == 0 and bool(c.m.fills[0][2] == size))


def _proof(of: str, body: Any, **more: str) -> Proof:
    return Proof(of, ANY_HEAP, body, more=more, suffix="_with_spans", spans=True)


PROOFS = (
    _proof("malloc.cache_plain", cache_plain, a_slot_goes_where_slots_go="nothing else is asked or changed"),
    _proof("malloc.free_slow", free_slow, a_slot_is_freed_as_one="nothing else is asked or changed"),
    _proof("malloc.usable_bytes", usable_bytes, all_of_a_used_slot_is_usable="it has no header; no word changes"),
    _proof("malloc.leave_plain", leave_plain, a_slot_is_left_as_one="nothing else is asked or changed"),
    _proof("malloc.resize_uncopied", resize_uncopied,
           a_used_slot_is_not_resized_where_it_is="NULL, unless it aborts; no word changes"),
    _proof("malloc.cached_aligned", cached_aligned,
           no_slot_is_taken_for_one_that_is_aligned="NULL, and nothing is read"),
    _proof("api.zero_payload", zero_payload, all_of_a_new_slot_is_zeroed="and no byte beside it"),
    _proof("api.check_stated", check_stated, what_is_stated_of_a_slot_is_checked_as_such="no word changes"),
    _proof("api.calloc", calloc, calloc_zeroes_what_a_bin_had="slot or block, all of it and no more"),
    _proof("thread_cache.owner_arena", owner_arena, a_slot_leads_to_the_arena_of_its_run="no word changes"),
    _proof("thread_cache.carve_batch", carve_batch,
           slots_are_asked_for_before_blocks_that_are_longer="by 16 bytes: so blocks serve as slots do"),
    _proof("thread_cache.cache_block_slow", cache_block_slow, the_least_blocks_serve_no_class="no word changes"),
    _proof("thread_cache.collect_remote", collect_remote,
           collecting_begins_with_all="that the remote list has",
           a_slot_among_blocks_is_collected_as_one="no longer marked; no other word changes",
           collecting_slots_ends_with_the_last="no other word changes"),
    _proof("remote.release_slots", release_slots,
           a_runs_slots_are_put_on_what_it_had="it begins with the whole stack",
           each_turn_takes_a_slot_of_the_run="no other word changes",
           a_lost_arenas_slot_waits_no_more="nothing goes back",
           a_run_has_all_back_that_followed="once; it ends with the first of another run, or none, which is the rest"),
    _proof("remote.release_all", release_all,
           releasing_begins_with_all="with nothing gathered",
           a_slot_among_blocks_comes_back="no longer marked; what is gathered stays so; no other word changes",
           what_was_gathered_is_released_last="no other word changes"),
    _proof("stats.add_remote", add_remote,
           counting_begins_with_all="that the remote list has",
           a_slot_on_a_remote_list_is_counted="with all its bytes; no other word changes",
           counting_ends_with_the_last="no lock is held then"),
    _proof("trim.trim", trim, trimming_asks_the_pool_of_runs="the answer says whether it gave something"),
    _proof("lifecycle.finalize", finalize, a_reservation_that_does_not_go_back_is_counted="it is asked once"),
    _proof("lifecycle.mend_mappings", mend_mappings,
           a_pool_whose_lock_was_taken_along_is_lost="with what is retained; and only then"),
    _proof("verify.verify_ledger", verify_ledger, the_ledger_is_verified_with_its_runs="no word changes"),
)
