"""Blocks that other threads free: what is proved of `impl/remote.py`."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.cache import MOST_REMOTE, a_batch, a_stack, is_on_top, same, two_words
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import MIN_BLOCK, let_wait, only
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.notes import Notes, or_null


def a_remote_list(path: Any, w: Window) -> list[Any]:
    """The blocks on the arena's remote list, up to three."""
    blocks = [w.span("b", MIN_BLOCK) for _ in range(path.choose(4))]
    word: Any = 0
    for place, b in enumerate(blocks):
        let_wait(w.m, b + 8, word)
        word = b + 8 + ((place + 1) << 48)
    w.m.put(w.at("remote"), word, "remote list")
    return blocks


def take_all(source: Any, path: Any) -> None:
    """Any remote list."""
    w = Window(path)
    word, _ = a_stack(path)
    w.m.put(w.at("remote"), word, "remote list")
    result = source.remote.take_all(w.m, w.arena)
    path.claim("all_on_the_list_is_taken_off", lambda: result == word)
    path.claim("an_emptied_list_is_empty", lambda: w.m.load(w.at("remote")) == 0)
    path.claim("emptying_changes_no_more", lambda: only(w.m, w.at("remote")))


def drain(source: Any, path: Any) -> None:
    """A remote list of up to three blocks."""
    w = Window(path)
    blocks = a_remote_list(path, w)
    released: list[Any] = []

    def gather(_: Any, arena: Any, run: Any, b: Any) -> Any:
        """See `impl.remote.gather`."""
        if run != 0:
            released.append(arena - w.arena + run)
        return b

    with replaced(source.remote, gather=gather):
        source.remote.drain(w.m, w.arena)
    path.claim("draining_releases_each_block_once", lambda: same(released, blocks))
    path.claim("a_drained_list_is_empty", lambda: w.m.load(w.at("remote")) == 0
               and only(w.m, w.at("remote"), *two_words(b + 8 for b in blocks)))
    path.claim("what_is_drained_is_no_longer_marked", lambda: all(
        w.m.load(word) == 0 for word in two_words(b + 8 for b in blocks)))


def gather(source: Any, path: Any) -> None:
    """A run and a block, one of them or none, neighbours or not."""
    w, notes = Window(path), Notes()
    run, b, joined = or_null(path, "run"), or_null(path, "block"), or_null(path, "joined")
    with replaced(source.remote, **notes.answering(join_used=joined, release=0)):
        result = source.remote.gather(w.m, w.arena, run, b)
    asked = [("join_used", w.arena, run, b)] if b != 0 else []
    if run == 0:
        path.claim("without_a_run_the_block_is_next", lambda: result == b and not notes.done and only(w.m))
    elif b != 0 and joined != 0:
        path.claim("neighbours_are_gathered", lambda: result == joined and notes.are(*asked) and only(w.m))
    else:
        path.claim("a_run_that_has_no_neighbour_is_released", lambda: result == b and only(w.m)
                   and notes.are(*asked, ("release", w.arena, run)))


class Rival:
    """Another thread, which may put any stack at a word just before the first compare-and-swap of it."""

    def __init__(self, path: Any, m: Any, stack: tuple[Any, Any]) -> None:
        self.stack = stack                  # what the word holds, as far as anyone knows: the word, its count
        self.before: tuple[Any, Any] | None = None      # what it held until it was changed
        self._path, self._m, self._cas = path, m, m.cas_relaxed
        self._waits = True
        m.cas_relaxed = m.cas_release = self._contended     # a proof's words have one order

    def _contended(self, address: Any, expected: Any, value: Any) -> Any:
        if self._waits and self._path.choose(2):
            self.before, self.stack = self.stack, a_stack(self._path)
            self._m.store(address, self.stack[0])
        self._waits = False
        return self._cas(address, expected, value)


def push_remote(source: Any, path: Any) -> None:
    """Up to three blocks, and any remote list, which another thread may change once meanwhile.

    Each turn begins as the first did, but for the order of the blocks: each turns it about.
    """
    w = Window(path)
    m, blocks = w.m, [w.span("b", MIN_BLOCK) for _ in range(1 + path.choose(3))]
    payloads = [b + 8 for b in blocks]
    batch = a_batch(m, blocks)
    rival = Rival(path, m, a_stack(path))
    m.put(w.at("remote"), rival.stack[0], "remote list")
    result = source.remote.push_remote(m, w.arena, batch, len(blocks))
    word, count = rival.stack
    if result == 0:
        path.claim("a_list_that_is_too_long_stays", lambda: count < MOST_REMOTE)
        order = payloads[::-1] if rival.before and rival.before[0] != word else payloads
        path.claim("what_is_handed_over_is_on_top", lambda: is_on_top(m, m.load(w.at("remote")), order, word, count))
    else:
        path.claim("a_list_that_is_too_long_stays", lambda: count >= MOST_REMOTE and m.load(w.at("remote")) == word)
        onto, order = rival.before or (0, 0), payloads if rival.before else payloads[::-1]
        path.claim("what_was_not_handed_over_is_left", lambda: is_on_top(m, result, order, *onto))
    path.claim("handing_over_disturbs_no_other", lambda: only(m, w.at("remote"), *two_words(payloads)))


def send(source: Any, path: Any) -> None:
    """Any batch, and a list that is too long up to two times."""
    w, tries = Window(path), path.choose(3)
    stacks = [a_stack(path, 1) for _ in range(tries + 1)]
    pushed: list[Any] = []
    drained: list[Any] = []

    def push_remote(m: Any, arena: Any, batch: Any, blocks: Any) -> Any:
        """See `impl.remote.push_remote`."""
        pushed.append((arena, batch, blocks, len(m.held)))
        return stacks[len(pushed)][0] if len(pushed) <= tries else 0

    with replaced(source.remote, push_remote=push_remote,
                  drain=lambda m, arena: drained.append((arena, len(m.held)))):
        source.remote.send(w.m, w.arena, stacks[0][0])
    path.claim("what_was_not_handed_over_is_tried_again", lambda: pushed == [
        (w.arena, word, stacks[0][1], 0) for word, _ in stacks])
    path.claim("what_is_too_long_is_drained_under_the_lock", lambda: drained == [(w.arena, 1)] * tries
               and not w.m.held and only(w.m))


PROOFS = (
    Proof("remote.take_all", ANY_HEAP, take_all, {
        "all_on_the_list_is_taken_off": "the result leads to all that were on the list",
        "an_emptied_list_is_empty": "the list is empty",
        "emptying_changes_no_more": "no other word changes",
    }),
    Proof("remote.drain", "lists of up to 3 blocks", drain, more={
        "draining_releases_each_block_once": "each block on the list is released, once",
        "what_is_drained_is_no_longer_marked": "it is no longer marked",
        "a_drained_list_is_empty": "the list is empty, and nothing else changes",
    }),
    Proof("remote.gather", ANY_HEAP, gather, more={
        "without_a_run_the_block_is_next": "where there is no run, the block is next",
        "neighbours_are_gathered": "neighbours are made one, which is next",
        "a_run_that_has_no_neighbour_is_released": "else the run is released, and the block is next, if there is one",
    }),
    Proof("remote.push_remote", "batches of up to 3 blocks, and any list", push_remote, {
        "what_is_handed_over_is_on_top":
            "0, and they are on top, all others keep their order, and the list counts so many more",
        "what_was_not_handed_over_is_left":
            "or, if the list is too long, it is as it was, and the result leads to a stack that has them on top",
    }, more={
        "a_list_that_is_too_long_stays": "nothing is put on a list that is too long, and all on one that is not",
        "handing_over_disturbs_no_other": "no word but the list's and those that link the blocks changes",
    }),
    Proof("remote.send", "lists that are too long up to 2 times", send, more={
        "what_was_not_handed_over_is_tried_again": "the whole batch is handed over, however often it takes",
        "what_is_too_long_is_drained_under_the_lock": "a list that is too long is drained, under its arena's lock",
    }),
)
