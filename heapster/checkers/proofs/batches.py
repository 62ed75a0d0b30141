"""Batches of any length, by induction on the blocks that were moved: of `stack`, `remote` and `thread_cache`."""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.any_heap_calls import check, whole
from heapster.checkers.proofs.any_heap_refill import Refilling
from heapster.checkers.proofs.bins import in_class
from heapster.checkers.proofs.cache import COUNTS, MOST_REMOTE, Caching, a_stack
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    CACHE,
    CALL_KINDS,
    CLASS,
    MAX_REQUEST,
    MIN_BLOCK,
    MOST,
    PAYLOAD,
    WORD,
    header,
    let_wait,
    longer,
    only,
    waits,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.notes import Notes, or_null
from heapster.checkers.proofs.placement import Over
from heapster.checkers.proofs.waiting import Searching
from heapster.machine.linear import Infeasible


class MovedStack:
    """The loop of `move`, cut: so many are to be moved still, any stack is left of either."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, Window(path)
        self.m = self.w.m
        self.p = self.w.span("b", MIN_BLOCK) + PAYLOAD
        (self.rest, below), (self.onto, self.count) = a_stack(path), a_stack(path)
        let_wait(self.m, self.p, self.rest)
        self.word, self.blocks = self.p + ((below + 1) << 48), path.word("blocks", 1, COUNTS)
        self.first, self.first_onto = a_stack(path)[0], a_stack(path)[0]

    def enter(self, blocks: Any, onto: Any, word: Any) -> list[Any]:
        """It begins with both stacks as they are; and is at any block, or at the last."""
        self.path.claim("moving_begins_with_both_stacks", lambda: blocks == self.blocks and onto == self.first_onto
                        and word == self.first)
        self.left = self.path.choose(2) * self.path.word("left", 1, COUNTS)
        return [self.left, self.onto, self.word]

    def again(self, blocks: Any, onto: Any, word: Any) -> None:
        """The top of the one is on top of the other, marked; one fewer is to be moved."""
        self.path.claim("each_turn_moves_the_top", lambda: blocks == self.left - 1 and word == self.rest
                        and onto == self.p + ((self.count + 1) << 48) and waits(self.m, self.p, self.onto)
                        and only(self.m, self.p, self.p + WORD))
        raise Over


def move(source: Any, path: Any) -> None:
    """Any two stacks, any number of blocks, one at a time."""
    s = MovedStack(path)
    try:
        led = cut(source.stack.move, s)(s.m, s.first, s.blocks, s.first_onto)
    except Over:
        return
    path.claim("moving_ends_when_none_is_left_to_move", lambda: s.left == 0 and led == s.onto and only(s.m))


class PushedBatch:
    """The loop of `push_remote`, cut: the list was any when it was looked at last, and the batch is on top of any."""

    def __init__(self, path: Any) -> None:
        self.path, self.w, self.notes = path, Window(path), Notes()
        self.m = self.w.m
        (self.first, _), (self.batch, _), (self.moved, _) = a_stack(path), a_stack(path), a_stack(path)
        (self.found, self.count), (self.other, _) = a_stack(path), a_stack(path)
        self.place, self.blocks = self.w.at("remote"), path.word("blocks", 1, COUNTS)
        self.m.put(self.place, self.found, "remote list")
        self.wins = bool(path.choose(2))
        self.m.cas_release = self.contended

    def contended(self, address: Any, expected: Any, value: Any) -> Any:
        """See `Machine.cas_release`: another thread may have changed the list since it was looked at."""
        if not bool(address == self.place) or not bool(expected == self.now):
            self.m.broken("the list is swapped elsewhere, or for what was not found there")
        if not self.wins:
            if bool(self.other == expected):
                raise Infeasible
            self.m.find(self.place).was = self.other        # as the other thread left it
            self.m.store(self.place, self.other)
            return self.other
        self.m.store(self.place, value)
        return expected

    def enter(self, batch: Any, found: Any) -> list[Any]:
        """It begins with the batch and the list as they are."""
        self.path.claim("handing_over_begins_with_the_whole_batch", lambda: batch == self.first and found == self.found)
        self.now = self.found
        return [self.batch, self.now]

    def again(self, batch: Any, found: Any) -> None:
        """Another was faster: the batch lies on what was found, and is to be moved onto what is there now."""
        self.path.claim("who_was_late_hands_over_onto_what_is_there_now", lambda: not self.wins and found == self.other
                        and batch == self.moved and only(self.m)
                        and self.notes.are(("move", self.batch, self.blocks, self.now)))
        raise Over


def push_remote(source: Any, path: Any) -> None:
    """Any batch, any list, however often another thread changes it meanwhile."""
    s = PushedBatch(path)
    try:
        with replaced(source.remote, **s.notes.answering(move=s.moved)):
            result = cut(source.remote.push_remote, s)(s.m, s.w.arena, s.first, s.blocks)
    except Over:
        return
    if s.count >= MOST_REMOTE:
        path.claim("nothing_goes_on_a_list_that_is_too_long", lambda: result == s.batch and only(s.m)
                   and not s.notes.done)
    else:
        path.claim("a_batch_is_handed_over_at_once", lambda: s.wins and result == 0 and s.m.load(s.place) == s.moved
                   and s.notes.are(("move", s.batch, s.blocks, s.now)) and only(s.m, s.place))


class TriedBatch:
    """The loop of `send`, cut: a batch was not handed over so far."""

    def __init__(self, path: Any) -> None:
        self.path, self.w, self.notes = path, Window(path), Notes()
        (self.first, self.blocks), (self.second, _), (self.third, _) = (a_stack(path, 1) for _ in range(3))
        self.done = path.choose(2)

    def enter(self, batch: Any) -> list[Any]:
        """It was handed over, or was not."""
        self.path.claim("a_batch_is_tried_first", lambda: batch == self.second
                        and self.notes.are(("push_remote", self.w.arena, self.first, self.blocks)))
        self.notes.done.clear()
        self.notes.held.clear()
        return [0 if self.done else self.second]

    def again(self, batch: Any) -> None:
        """The list was drained under the lock, and the batch tried again."""
        arena = self.w.arena
        self.path.claim("a_list_that_is_too_long_is_drained_first", lambda: batch == self.third and only(self.w.m)
                        and self.notes.held == [1, 0] and self.notes.are(
                            ("drain", arena), ("push_remote", arena, self.second, self.blocks)))
        raise Over


def send(source: Any, path: Any) -> None:
    """Any batch, however often the list is too long."""
    s = TriedBatch(path)
    try:
        with replaced(source.remote, **s.notes.answering(push_remote=[s.second, s.third], drain=0)):
            cut(source.remote.send, s)(s.w.m, s.w.arena, s.first)
    except Over:
        return
    path.claim("sending_ends_when_the_batch_is_handed_over", lambda: s.done == 1 and not s.notes.done and only(s.w.m)
               and not s.w.m.held)


def drain(source: Any, path: Any) -> None:
    """Any remote list."""
    w, notes, (word, _) = Window(path), Notes(), a_stack(path)
    with replaced(source.remote, **notes.answering(take_all=word, release_all=0)):
        source.remote.drain(w.m, w.arena)
    path.claim("draining_releases_all_that_was_taken", lambda: only(w.m) and notes.are(
        ("take_all", w.arena), ("release_all", w.arena, word)))


class KeptRun:
    """The loop of `carve_batch`, cut: any block of the run is next to be kept, or the first of all is left."""

    def __init__(self, path: Any) -> None:
        self.path = path
        self.c = Caching(path, path.word("class", 0, CLASS["cached"] - 1))
        self.w, self.m = self.c.w, self.c.w.m
        self.total, self.kind = path.word("total", MIN_BLOCK, CACHE["most_cached"], ALIGN), path.choose(CALL_KINDS - 1)
        self.b, self.notes = self.w.span("b", MOST), Notes()
        self.before = path.word("before the last", 0, MOST // 2, ALIGN)
        self.last, self.size = self.b + self.before, path.word("size of the last", MIN_BLOCK, MOST // 4, ALIGN)
        self.m.put(self.last, header(self.size, self.w.index), "header of the last")
        self.kept, self.count = a_stack(path)
        self.m.put(self.c.slot, self.kept, "bin")
        self.used, self.blocks = self.w.word("used_bytes"), self.w.word("used_blocks")
        self.is_at_first = bool(path.choose(2))

    def enter(self, last: Any) -> list[Any]:
        """All of the run is counted as used, as one block; the last is next."""
        load = self.m.load
        self.path.claim("a_carved_run_is_counted_whole", lambda: last == self.last
                        and load(self.w.at("used_bytes")) == self.used + self.before + self.size
                        and load(self.w.at("used_blocks")) == self.blocks + 1
                        and self.notes.done[2:] == [("count_call", self.w.arena, self.kind)])
        self.next = self.b if self.is_at_first else self.b + self.total + self.path.word("before", 0, MOST // 4, ALIGN)
        return [self.next]

    def again(self, last: Any) -> None:
        """The last is on top of the bin and counted; that left of it is next."""
        load, p = self.m.load, self.next + PAYLOAD
        self.path.claim("each_other_block_of_a_run_is_kept", lambda: last == self.next - self.total
                        and load(self.c.slot) == p + ((self.count + 1) << 48) and waits(self.m, p, self.kept))
        self.path.claim("each_other_block_of_a_run_is_counted", lambda: load(self.w.at("used_blocks")) == (
            self.blocks + 2) and only(self.m, self.c.slot, p, p + WORD, self.w.at("used_bytes"),
                                      self.w.at("used_blocks")))
        raise Over


def carve_batch(source: Any, path: Any) -> None:
    """Any run that is carved of any block that is found, or none."""
    k, most = KeptRun(path), path.word("most", 0, COUNTS)
    found = path.choose(2)
    with in_class(source, k.c.index), replaced(source.thread_cache, **k.notes.answering(
            find_or_grow=k.b if found else 0, carve=k.last, count_call=0)):
        try:
            b = cut(source.thread_cache.carve_batch, k)(k.m, k.w.arena, k.total - longer(source), most, k.kind)
        except Over:
            return
    if not found:
        path.claim("a_run_of_nothing_changes_nothing", lambda: b == 0 and only(k.m) and k.notes.are(
            ("find_or_grow", k.w.arena, k.total)))
    else:
        path.claim("keeping_ends_with_the_first_of_a_run", lambda: b == k.b and k.is_at_first and k.notes.done[:2] == [
            ("find_or_grow", k.w.arena, k.total), ("carve", k.w.arena, k.b, k.total, most)])


def _limited(path: Any) -> tuple[Any, Any]:
    """Bytes of a block that bins take, and a limit that can arise."""
    return path.word("total", MIN_BLOCK, CACHE["most_cached"], ALIGN), 1 << path.choose(16) >> 1


def grown_limit(source: Any, path: Any) -> None:
    """Each size, each limit, each setting: not only within its bounds, but as large as they allow."""
    total, limit = _limited(path)
    most, enough = path.word("most", 0, CACHE["max_cache"]), path.word("enough", 0, CACHE["max_cache"])
    grown = source.bins.grown_limit(limit, total, most, enough)
    path.claim("limits_double_where_they_may", lambda: grown == _grown(max(limit, 1), total, most, enough))


def batch_size(source: Any, path: Any) -> None:
    """Each size, each limit: as many as may move at once."""
    total, limit = _limited(path)
    blocks, half = source.bins.batch_size(limit, total), (limit + 1) // 2
    path.claim("a_batch_is_as_large_as_it_may", lambda: bool(
        blocks == half or 2 * blocks * total > CACHE["most_moved"] and (2 * blocks <= half)))


def _grown(limit: int, total: Any, most: Any, enough: Any) -> int:
    """Twice the limit where that is within both bounds; else the limit, or the first half of it that may be kept."""
    if 2 * limit * total <= most and 2 * limit * total <= enough and limit < COUNTS:
        return 2 * limit
    while limit * total > most:
        limit //= 2
    return limit


class MisledSearch(Searching):
    """The loop of `holds`, cut, where the block on top says that as many are below as it counts itself, or fewer."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.intact = False
        path.require(2, "<=", self.count)
        self.m.find(self.top).was = self.m.find(self.top).now = (self.count - 2 + 2 * path.choose(2) << 48)

    def again(self, word: Any) -> None:
        """It does not go on."""
        self.path.claim("a_stack_that_others_change_is_left", lambda: False)
        raise Over


def misled(source: Any, path: Any) -> None:
    """One turn, of any stack that others are changing."""
    s = MisledSearch(path)
    s.first, _ = a_stack(path)
    try:
        found = cut(source.stack.holds, s)(s.m, s.first, s.p)
    except Over:
        return
    path.claim("a_stack_that_others_change_is_left", lambda: bool(found) == bool(s.top == s.p) and only(s.m))


def refill(source: Any, path: Any) -> None:
    """Each small request of which the bin has no block: whatever was collected, whatever is carved, of any length."""
    r = Refilling(path)
    m, heap = r.m, r.heap
    r.batch = path.word("batch", 0, COUNTS)
    b, asked = or_null(path, "carved"), []
    if b != 0:
        size = r.total + longer(source)
        path.require(b + size, "<=", 1 << 47)
        heap.reserve(b, size)
        m.put(b, header(size, heap.index), "header of a carved block")

    def carve_batch(m: Any, *words: Any) -> Any:
        """See `impl.thread_cache.carve_batch`."""
        asked.append((*words, len(m.held)))
        return b

    with replaced(source.thread_cache, carve_batch=carve_batch):
        p = r.malloc(source, path.word("request", 0, MAX_REQUEST))
    collected = [r.collected, r.collected + WORD] if r.collected != 0 else []
    check(path, r.caller, "refilling_by_any_batch", r.slot, r.slot + WORD, r.count, *collected)
    wanted = (heap.arena, r.total, r.batch, 0, 1)
    if r.collected != 0:
        path.claim("no_batch_is_carved_while_others_freed_some", lambda: p == r.collected and not asked)
    elif b == 0:
        path.claim("a_batch_of_any_length_is_carved_under_the_lock", lambda: p == 0 and bool(asked) and all(
            words == wanted for words in asked))
    else:
        path.claim("a_batch_of_any_length_is_carved_under_the_lock", lambda: p == b + PAYLOAD and asked == [wanted])


PROOFS = (
    Proof("stack.move", ANY_HEAP, move, more={
        "moving_begins_with_both_stacks": "it begins with both as they are",
        "each_turn_moves_the_top": "each turn takes the top of one to the other, marked; no other word changes",
        "moving_ends_when_none_is_left_to_move": "it ends with the last of so many",
    }, suffix="_turn_by_turn"),
    Proof("remote.push_remote", ANY_HEAP, push_remote, more={
        "handing_over_begins_with_the_whole_batch": "it begins with the batch, and what is on the list",
        "who_was_late_hands_over_onto_what_is_there_now": "each turn that another thread was faster in is made again",
        "a_batch_is_handed_over_at_once": "else the list leads to the batch on top of what was there",
        "nothing_goes_on_a_list_that_is_too_long": "where it is too long, the batch is answered",
    }, suffix="_turn_by_turn"),
    Proof("remote.send", ANY_HEAP, send, more={
        "a_batch_is_tried_first": "all of it",
        "a_list_that_is_too_long_is_drained_first": "each turn drains the list, under the lock, and tries again",
        "sending_ends_when_the_batch_is_handed_over": "and nothing else changes",
    }, suffix="_turn_by_turn"),
    Proof("remote.drain", ANY_HEAP, drain, more={
        "draining_releases_all_that_was_taken": "all that was on the list, of any length",
    }, suffix="_by_its_parts"),
    Proof("bins.grown_limit", ALL_WORDS, grown_limit, more={
        "limits_double_where_they_may": "where twice the limit is within both bounds; else it is halved as it must be",
    }, suffix="_as_large_as_may_be"),
    Proof("bins.batch_size", ALL_WORDS, batch_size, more={
        "a_batch_is_as_large_as_it_may": "twice as many would be more than half, or more bytes than may move at once",
    }, suffix="_as_large_as_may_be"),
    Proof("stack.holds", ANY_HEAP, misled, more={
        "a_stack_that_others_change_is_left": "the walk ends where what is below is not one fewer",
    }, suffix="_that_others_change"),
    Proof("thread_cache.carve_batch", ANY_HEAP, carve_batch, more={
        "a_carved_run_is_counted_whole": "all bytes of it, and the call",
        "each_other_block_of_a_run_is_kept": "each turn puts the last on the bin, marked, and goes on to another",
        "each_other_block_of_a_run_is_counted": "and counts it; no other word changes",
        "keeping_ends_with_the_first_of_a_run": "it is answered, and nobody else has it",
        "a_run_of_nothing_changes_nothing": "NULL where no block was found",
    }, suffix="_turn_by_turn"),
    Proof("api.malloc", ANY_HEAP, refill, more={
        **whole("refilling_by_any_batch"),
        "no_batch_is_carved_while_others_freed_some": "what others freed is handed out first",
        "a_batch_of_any_length_is_carved_under_the_lock": "its first block is handed out; NULL, if there is none",
    }, suffix="_by_any_batch"),
)
