"""free where the thread's bin is full, on any heap: half of it goes back, neighbours at once, and the block goes in.

What `flush`, `send_home` and `release_all` do is proved turn by turn, of stacks of any length.
"""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.cache import COUNTS, a_stack, show_nothing
from heapster.checkers.proofs.cached_calls import FREE, Growing
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.classes import least
from heapster.checkers.proofs.layout_spec import (
    ARENA_BYTES,
    CLASS,
    MAX_ARENAS,
    MIN_BLOCK,
    PAYLOAD,
    STATICS,
    WORD,
    header,
    let_wait,
    longer,
    only,
    waits,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.notes import or_null
from heapster.checkers.proofs.placement import Over
from heapster.machine.linear import Infeasible

MOST_SENT = 64                      # blocks that go on a remote list at once
OVERFLOWED = 1


def fill_bin(c: "Growing") -> tuple[Any, Any]:
    """Any blocks in the bin, and any limit, so that it is full even if it grows: that, and a batch."""
    path = c.path
    word, count = a_stack(path, 1)
    limit, c.grown, batch = path.word("limit", 0, COUNTS), path.choose(2) * c.grown, path.word("batch", 0, COUNTS)
    for left, right in ((limit, count), (c.grown, count), (batch, c.grown)):
        path.require(left, "<=", right)
    for place, held in ((c.slot, word), (c.slot + WORD, limit << 48)):
        c.m.put(place, held, "bin")
    return limit, batch


def into_a_full_bin(source: Any, path: Any) -> None:
    """Each class that has bins: any bin that is full even if it grows, any used block of its size, of any arena."""
    index = path.choose(CLASS["cached"])
    c = Growing(path, index)
    freed_into_a_full_bin(source, path, c, c.block(least(index) + longer(source)))


def freed_into_a_full_bin(source: Any, path: Any, c: Growing, p: Any) -> None:
    """What is used at `p`, a block or a slot, is freed."""
    m = c.m
    limit, batch = fill_bin(c)
    show_nothing(path, m, p)
    place, calls = c.count_of(FREE)
    left_over, flushed, home, released = a_stack(path), [], [], []
    path.require(left_over[1], "<=", c.grown - batch)

    def flush(m: Any, *words: Any) -> None:
        """See `impl.thread_cache.flush`."""
        flushed.append(words)
        m.store(c.slot, left_over[0])

    def send_if_remote(_: Any, p: Any) -> bool:
        """See `impl.thread_cache.send_if_remote`."""
        home.append(p)
        return bool(path.choose(2))

    with replaced(source.thread_cache, grow_bin=c.grow_bin, flush=flush, batch_size=lambda *_: batch,
                  send_if_remote=send_if_remote), replaced(
                      source.malloc, free_to_arena=lambda _, b, *words: released.append(b + PAYLOAD)), replaced(
                          source.slots, count_call=lambda *_: None,
                          release_slot=lambda _m, _arena, p: released.append(p)):
        source.api.free(m, p)
    path.claim("a_full_bin_gives_a_batch_back", lambda: len(flushed) == 1 and flushed[0][0] == c.slot
               and flushed[0][1] == c.grown - batch)
    if c.grown == 0:
        path.claim("what_a_bin_without_room_does_not_take_goes_to_its_arena", lambda: released == [p]
                   and c.is_alone() and only(m, c.slot, c.slot + WORD))
        return
    is_on_top = m.load(c.slot) == p + ((left_over[1] + 1) << 48)
    path.claim("what_is_freed_into_a_flushed_bin_is_on_top", lambda: not released and m.load(place) == calls + 1 and (
        waits(m, p, left_over[0]) if is_on_top else home == [p] and limit == 0 and m.load(c.slot) == left_over[0]))
    path.claim("a_flushed_bin_is_told_from_others", lambda: m.load(c.slot + WORD) == (c.grown << 48) + OVERFLOWED)
    path.claim("a_free_into_a_flushed_bin_touches_no_more", lambda: c.is_alone() and only(
        m, c.slot, c.slot + WORD, place, *[p, p + WORD] * is_on_top))


class Flushing:
    """Both loops of `flush`, cut: any blocks were taken off the bin, and lie on two stacks; any is left of either."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, Window(path)
        self.m, self.loops = self.w.m, 0
        self.slot = self.w.span("bin", 2 * WORD)
        self.most, self.is_mine = path.word("most", 0, COUNTS), bool(path.choose(2))
        self.p = self.w.span("b", MIN_BLOCK) + PAYLOAD
        owner = self.w.index if self.is_mine else path.word("other", 0, MAX_ARENAS - 1)
        if not self.is_mine and owner == self.w.index:
            raise Infeasible
        self.home = self.w.statics + STATICS["arenas"] + owner * ARENA_BYTES
        self.m.put(self.p - PAYLOAD, header(MIN_BLOCK, owner), "header of b")
        self.rest, self.below = a_stack(path)
        self.word = self.p + ((self.below + 1) << 48)
        let_wait(self.m, self.p, self.rest)
        self.stacks = {"mine": a_stack(path), "foreign": a_stack(path)}
        self.sent: list[Any] = []

    def enter(self, foreign: Any, mine: Any) -> list[Any]:
        """Nothing was taken off yet; then, the bin is at most so full."""
        path, m = self.path, self.m
        self.loops += 1
        if self.loops == 1:
            path.claim("flushing_begins_with_nothing_taken", lambda: foreign == 0 and mine == 0 and only(m))
            return [word for word, _ in (self.stacks["foreign"], self.stacks["mine"])]
        path.claim("flushing_of_any_bin_leaves_so_many", lambda: m.load(self.slot) >> 48 <= self.most)
        path.claim("flushing_loses_no_block", lambda: foreign == self.stacks["foreign"][0]
                   and mine == self.stacks["mine"][0])
        if not self.is_mine and path.choose(2):
            return [self.word, mine]
        return [0, mine]

    def send_home(self, m: Any, home: Any, word: Any) -> Any:
        """See `impl.thread_cache.send_home`."""
        self.path.claim("flushing_sends_others_to_their_owner", lambda: home == self.home and word == self.word)
        return self.rest

    def again(self, foreign: Any, mine: Any) -> None:
        """The block on top went onto the stack that it belongs to; or those of its owner went home."""
        path, m = self.path, self.m
        if self.loops == 2:
            path.claim("flushing_goes_on_with_others", lambda: foreign == self.rest and mine == self.stacks["mine"][0])
            raise Over
        words = {"mine": mine, "foreign": foreign}
        onto, other = ("mine", "foreign") if self.is_mine else ("foreign", "mine")
        below, count = self.stacks[onto]
        path.claim("flushing_takes_the_top_to_its_kind", lambda: words[other] == self.stacks[other][0]
                   and words[onto] == self.p + ((count + 1) << 48) and waits(m, self.p, below)
                   and m.load(self.slot) == self.rest)
        path.claim("flushing_turns_write_no_more", lambda: only(m, self.slot, self.p, self.p + WORD))
        raise Over


def flush(source: Any, path: Any) -> None:
    """One turn of either loop, of any bin."""
    try:
        f = Flushing(path)
        m = f.m
        full = path.choose(2)
        word = f.word if full else a_stack(path)[0]
        m.put(f.slot, word, "bin")
        if full:
            path.require(f.most, "<", f.below + 1)
        else:
            path.require(word >> 48, "<=", f.most)
        released: list[Any] = []
        with replaced(source.thread_cache, attach=lambda _: f.w.arena, send_home=f.send_home,
                      release_all=lambda m, *words: released.append((*words, list(m.held)))):
            cut(source.thread_cache.flush, f)(m, f.slot, f.most)
    except Over:
        return
    mine = f.stacks["mine"][0]
    path.claim("flushing_releases_its_own_under_the_lock", lambda: not m.held and (
        not released if mine == 0 else released == [(f.w.arena, mine, [f.w.arena])]))


class Sending:
    """The loop of `send_home`, cut: any blocks are left of the stack, any are in the batch and among the rest."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, Window(path)
        self.m, self.is_home = self.w.m, bool(path.choose(2))
        self.p = self.w.span("b", MIN_BLOCK) + PAYLOAD
        owner = self.w.index if self.is_home else path.word("other", 0, MAX_ARENAS - 1)
        if not self.is_home and owner == self.w.index:
            raise Infeasible
        self.m.put(self.p - PAYLOAD, header(MIN_BLOCK, owner), "header of b")
        self.left, count = a_stack(path)
        let_wait(self.m, self.p, self.left)
        self.word = self.p + ((count + 1) << 48)
        self.batch, self.rest = a_stack(path), a_stack(path)
        path.require(self.batch[1], "<", MOST_SENT)
        self.sent: list[Any] = []

    def enter(self, batch: Any, rest: Any, word: Any) -> list[Any]:
        """The batch and the rest are empty; or any, the batch with room."""
        self.path.claim("sending_begins_with_nothing", lambda: batch == 0 and rest == 0 and word == self.word)
        return [self.batch[0], self.rest[0], self.word if self.path.choose(2) else 0]

    def again(self, batch: Any, rest: Any, word: Any) -> None:
        """The block is in the batch, which goes when it is full, or among the rest."""
        m, (before, count) = self.m, self.batch if self.is_home else self.rest
        put = self.p + ((count + 1) << 48)
        is_full = self.is_home and count + 1 == MOST_SENT
        self.path.claim("sending_parts_home_from_others", lambda: word == self.left and waits(m, self.p, before) and (
            (rest == self.rest[0] and batch == (0 if is_full else put)) if self.is_home else
            (rest == put and batch == self.batch[0])))
        self.path.claim("a_full_batch_is_sent", lambda: self.sent == ([(self.w.arena, put)] if is_full else []))
        self.path.claim("sending_turns_write_no_more", lambda: only(m, self.p, self.p + WORD))
        raise Over


def send_home(source: Any, path: Any) -> None:
    """One turn, of any stack."""
    try:
        s = Sending(path)
        with replaced(source.thread_cache, send=lambda _, *words: s.sent.append(words)):
            rest = cut(source.thread_cache.send_home, s)(s.m, s.w.arena, s.word)
    except Over:
        return
    path.claim("sending_ends_with_the_last_batch", lambda: rest == s.rest[0] and only(s.m) and s.sent == (
        [] if s.batch[0] == 0 else [(s.w.arena, s.batch[0])]))


class Releasing:
    """The loop of `release_all`, cut: any stack is left, on top of which lies some block."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, Window(path)
        self.m = self.w.m
        self.b = self.w.span("b", MIN_BLOCK)
        self.p = self.b + PAYLOAD
        self.rest, count = a_stack(path)
        let_wait(self.m, self.p, self.rest)
        self.word = self.p + ((count + 1) << 48)
        self.run, self.next = or_null(path, "run"), or_null(path, "next")
        self.gathered: list[Any] = []

    def gather(self, m: Any, arena: Any, run: Any, b: Any) -> Any:
        """See `impl.remote.gather`: what waited is no longer marked."""
        self.gathered.append((arena, run, b))
        if b != 0 and (m.load(self.p) != 0 or m.load(self.p + WORD) != 0):
            m.broken("a block is released that is marked still")
        return self.next

    def enter(self, run: Any, word: Any) -> list[Any]:
        """It begins with the whole stack; and is at any block of it, or at its end, any run gathered."""
        self.path.claim("releasing_begins_with_the_whole_stack", lambda: word == self.word and run == 0)
        return [self.run, self.word if self.path.choose(2) else 0]

    def again(self, run: Any, word: Any) -> None:
        """The block on top was gathered; the rest is left."""
        self.path.claim("releasing_goes_on_with_the_rest", lambda: word == self.rest and run == self.next
                        and self.gathered == [(self.w.arena, self.run, self.b)])
        self.path.claim("releasing_turns_write_no_more", lambda: only(self.m, self.p, self.p + WORD))
        raise Over


def release_all(source: Any, path: Any) -> None:
    """One turn, of any stack of blocks of the arena."""
    loop = Releasing(path)
    with replaced(source.remote, gather=loop.gather):
        try:
            cut(source.remote.release_all, loop)(loop.m, loop.w.arena, loop.word)
        except Over:
            return
    path.claim("releasing_ends_with_the_last", lambda: only(loop.m)
               and loop.gathered == [(loop.w.arena, loop.run, 0)])


PROOFS = (
    Proof("api.free", ANY_HEAP, into_a_full_bin, more={
        "a_full_bin_gives_a_batch_back": "it is flushed, once, of a batch",
        "what_is_freed_into_a_flushed_bin_is_on_top": "it is on top of the bin, marked; the first may go home",
        "a_flushed_bin_is_told_from_others": "its limit says that it was full",
        "a_free_into_a_flushed_bin_touches_no_more": "no other word changes but what `flush` changes",
        "what_a_bin_without_room_does_not_take_goes_to_its_arena": "where none may stay, it goes to its arena",
    }, suffix="_into_a_full_bin"),
    Proof("thread_cache.flush", ANY_HEAP, flush, more={
        "flushing_begins_with_nothing_taken": "it begins with the bin as it is",
        "flushing_takes_the_top_to_its_kind": "each turn takes the top off the bin, to the thread's own or to others'",
        "flushing_turns_write_no_more": "a turn writes no word but the bin's and the block's link and mark",
        "flushing_of_any_bin_leaves_so_many": "it ends when at most so many are left",
        "flushing_loses_no_block": "all that was taken off is on either stack",
        "flushing_sends_others_to_their_owner": "others go to the owner of the first of them, until none is left",
        "flushing_goes_on_with_others": "what did not go is left for the next turn",
        "flushing_releases_its_own_under_the_lock": "its own are released under the arena's lock, which is released",
    }, suffix="_turn_by_turn"),
    Proof("thread_cache.send_home", ANY_HEAP, send_home, more={
        "sending_begins_with_nothing": "it begins with the whole stack",
        "sending_parts_home_from_others": "each turn puts the top into the batch if it is the arena's, else among the "
                                          "rest",
        "a_full_batch_is_sent": "a batch is sent as soon as it has as many as may go at once",
        "sending_turns_write_no_more": "a turn writes no word but the block's link and mark",
        "sending_ends_with_the_last_batch": "what is left in the batch is sent at the end, and the rest is answered",
    }, suffix="_turn_by_turn"),
    Proof("remote.release_all", ANY_HEAP, release_all, more={
        "releasing_begins_with_the_whole_stack": "it begins with the whole stack",
        "releasing_goes_on_with_the_rest": "each turn gathers the block on top, no longer marked, and leaves the rest",
        "releasing_turns_write_no_more": "but for what `gather` does, it writes no word but the block's link and mark",
        "releasing_ends_with_the_last": "at the end what was gathered is released",
    }, suffix="_turn_by_turn"),
)
