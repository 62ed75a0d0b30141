"""Mappings that are kept: what is proved of `impl/retained.py`."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.layout_spec import (
    KEPT,
    MAX_REQUEST,
    MOST,
    NEXT,
    PAGE,
    PREV,
    STATICS,
    TOTALS,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.machine.symbolic import HIGHEST, LOWEST

FEW = "lists of up to 2 kept mappings"
REFUSED, NEW, AGED, PURGED = -1, 0, 1, 2     # marks
MOST_NODES = 6                      # no list here is longer


class BuiltPiece(NamedTuple):
    """A kept mapping as built."""

    k: Any
    length: Any


class RetainedList(Window):
    """The list of kept mappings, and what the record of the mapped blocks says of it."""

    def __init__(self, path: Any, untaken: int = 0) -> None:
        super().__init__(path)
        self.arena = self.statics + STATICS["mappings"]
        self.head = self.kept_head = self.statics + STATICS["kept"]
        self.circle = [self.head]
        self.pieces: list[BuiltPiece] = []
        self.aside_head = self.statics + STATICS["untaken"]
        self.untaken = [self.piece(f"u{number}", REFUSED, REFUSED) for number in range(untaken)]
        self._circle(self.aside_head, self.untaken)
        self.free_bytes, self.free_blocks = self.word("free_bytes"), self.word("free_blocks")

    def static(self, name: str, low: int = 0, high: int = TOTALS) -> Any:
        """Put an unknown word into the statics."""
        word = self.path.word(name, low, high)
        self.m.put(self.statics + STATICS[name], word, name)
        return word

    def pages(self, name: str) -> BuiltPiece:
        """Whole pages, apart from all that the window has."""
        start, length = self.path.word(name, LOWEST, HIGHEST, PAGE), self.path.word("length", PAGE, MOST, PAGE)
        self.reserve(start, length)
        return BuiltPiece(start, length)

    def piece(self, name: str = "k", least: int = NEW, most: int = PURGED) -> BuiltPiece:
        """Whole pages with the words of a kept mapping in them."""
        piece = self.pages(name)
        self.m.put(piece.k, piece.length, f"length of {name}")
        self.m.put(piece.k + KEPT["mark"], self.path.word("mark", least, most), f"mark of {name}")
        return piece

    def exactly(self, count: int) -> None:
        """Just so many kept mappings, none of which touches another, counted."""
        self.pieces = [self.piece(f"k{number}") for number in range(count)]
        for one, other in ((a, b) for a in self.pieces for b in self.pieces if a is not b):
            self.path.apart(one.k, one.length + 1, other.k, other.length)
        self.circle = [self.head, *[piece.k for piece in self.pieces]]
        self._circle(self.head, self.pieces)
        self.path.require(self.free_bytes, "==", self.bytes())
        self.path.require(self.free_blocks, "==", count)

    def _circle(self, head: Any, pieces: Sequence[BuiltPiece]) -> None:
        around = [head, *[piece.k for piece in pieces], head]
        for u, v in pairwise(around):
            self.m.put(u + NEXT, v, "next")
            self.m.put(v + PREV, u, "prev")

    def bytes(self) -> Any:
        """What was kept."""
        return sum([piece.length for piece in self.pieces])

    def counted(self, length: Any, blocks: int) -> bool:
        """Whether the record counts so much more as free."""
        load = self.m.load
        return bool(load(self.at("free_bytes")) == self.free_bytes + length
                    and load(self.at("free_blocks")) == self.free_blocks + blocks)

    def counts(self) -> list[Any]:
        """Where it counts."""
        return [self.at("free_bytes"), self.at("free_blocks")]

    def now(self) -> list[BuiltPiece]:
        """What is kept now, newest first."""
        return self._on(self.kept_head)

    def aside(self) -> list[BuiltPiece]:
        """What is set aside now, newest first."""
        return self._on(self.aside_head)

    def _on(self, head: Any) -> list[BuiltPiece]:
        found: list[BuiltPiece] = []
        k = self.m.load(head + NEXT)
        while k != head and len(found) < MOST_NODES:
            found.append(BuiltPiece(k, self.m.load(k)))
            k = self.m.load(k + NEXT)
        return found

    def places(self, *starts: Any) -> list[Any]:
        """Where the lists and the counts are, those of pieces that start there included."""
        pieces = [piece.k for piece in (*self.pieces, *self.untaken)]
        nodes = [self.kept_head, self.aside_head, *pieces, *starts]
        return [*(node + link for node in nodes for link in (NEXT, PREV)), *self.counts(),
                *(k + word for k in (*pieces, *starts) for word in (0, KEPT["mark"]))]

    def has(self, piece: BuiltPiece) -> bool:
        """Whether just that is kept now."""
        return any(each.k == piece.k and each.length == piece.length for each in self.now())

    def is_whole(self) -> bool:
        """Whether the list is linked both ways and counted."""
        now = self.now()
        lists = ((self.kept_head, now), (self.aside_head, self.aside()))
        return bool(all(self.m.load(v + PREV) == u for head, pieces in lists
                        for u, v in pairwise([head, *[piece.k for piece in pieces], head]))
                    and self.m.load(self.at("free_bytes")) == sum([piece.length for piece in now])
                    and self.m.load(self.at("free_blocks")) == len(now))


def enlist(source: Any, path: Any) -> None:
    """Before any first one, or on an empty list."""
    w = RetainedList(path)
    k, length = w.pages("k")
    w.listed([])
    source.retained.enlist(w.m, w.arena, k, length)
    w.with_first(k)
    first, load = w.after(k), w.m.load
    path.claim("a_kept_mapping_is_first", w.is_linked)
    path.claim("a_kept_mapping_says_its_length", lambda: load(k) == length and load(k + KEPT["mark"]) == 0)
    path.claim("a_kept_mapping_is_counted", lambda: w.counted(length, 1))
    path.claim("keeping_writes_no_more", lambda: only(w.m, k, k + KEPT["mark"], k + NEXT, k + PREV, w.head + NEXT,
                                                      first + PREV, *w.counts()))


def delist(source: Any, path: Any) -> None:
    """From any place on the list."""
    w = RetainedList(path)
    k, length = w.piece()
    w.listed([k])
    result = source.retained.delist(w.m, w.arena, k)
    links = w.links()
    w.without(k)
    path.claim("what_is_no_longer_kept_leaves_the_list", lambda: w.is_linked() and result == length)
    path.claim("what_is_no_longer_kept_is_not_counted", lambda: w.counted(-length, -1))
    path.claim("taking_off_writes_no_more", lambda: only(w.m, *links, *w.counts()) and w.m.load(k) == length)


def keep(source: Any, path: Any) -> None:
    """Beside what is kept, or apart from it."""
    w = RetainedList(path)
    w.exactly(path.choose(3))
    start, length = w.pages("start")
    source.retained.retain(w.m, w.arena, start, length)
    first = w.now()[0]
    path.claim("what_is_kept_is_part_of_the_first", lambda: first.k <= start
               and start + length <= first.k + first.length and w.is_whole())
    path.claim("what_does_not_touch_stays", lambda: all(
        piece.k + piece.length == start or start + length == piece.k or w.has(piece) for piece in w.pieces))
    path.claim("what_is_kept_grows_by_what_is_added", lambda:
               w.m.load(w.at("free_bytes")) == w.free_bytes + length)
    path.claim("retaining_writes_no_more", lambda: only(w.m, *w.places(start)))


def smallest(source: Any, path: Any) -> None:
    """Any sizes."""
    w = RetainedList(path)
    w.exactly(path.choose(4))
    length = path.word("least", PAGE, MOST, PAGE)
    result = source.retained.smallest(w.m, length)
    if result == 0:
        path.claim("nothing_kept_is_large_enough", lambda: all(piece.length < length for piece in w.pieces))
    else:
        found = next(piece for piece in w.pieces if piece.k == result)
        path.claim("the_smallest_is_large_enough", lambda: found.length >= length and all(
            piece.length < length or piece.length >= found.length for piece in w.pieces))
    path.claim("looking_for_the_smallest_writes_nothing", lambda: only(w.m))


def take_from(source: Any, path: Any) -> None:
    """Any part of any."""
    w = RetainedList(path)
    w.exactly(1 + path.choose(2))
    k, have = w.pieces[path.choose(len(w.pieces))]
    length = path.word("taken", PAGE, MOST, PAGE)
    path.require(length, "<=", have)
    source.retained.take_from(w.m, w.arena, k, length)
    path.claim("what_is_taken_is_not_kept", lambda: w.is_whole() and not any(piece.k == k for piece in w.now())
               and w.m.load(w.at("free_bytes")) == w.free_bytes - length)
    path.claim("the_rest_is_first", lambda: w.now()[0] == (k + length, have - length) if length < have else
               len(w.now()) == len(w.pieces) - 1)
    path.claim("taking_a_part_writes_no_more", lambda: only(w.m, *w.places(k + length)))


def reuse(source: Any, path: Any) -> None:
    """Any sizes."""
    w = RetainedList(path)
    w.exactly(path.choose(3))
    length = path.word("least", PAGE, MOST, PAGE)
    k = source.retained.take_retained(w.m, w.arena, length)
    if k == 0:
        path.claim("what_is_too_small_is_not_used_again", lambda: only(w.m) and all(
            piece.length < length for piece in w.pieces))
    else:
        got = w.m.load(k)
        path.claim("what_is_used_again_says_its_length", lambda:
                   w.m.load(w.at("free_bytes")) == w.free_bytes - got and w.is_whole())
        path.claim("what_is_used_again_is_large_enough", lambda: got >= length)
        path.claim("what_is_used_again_is_not_much_larger", lambda: got - length <= length >> KEPT["spare_shift"])


def largest(source: Any, path: Any) -> None:
    """Any sizes."""
    w = RetainedList(path)
    w.exactly(path.choose(4))
    result = source.retained.largest(w.m)
    if result == 0:
        path.claim("nothing_at_all_is_kept", lambda: not w.pieces)
    else:
        found = next(piece for piece in w.pieces if piece.k == result)
        path.claim("no_kept_mapping_is_larger", lambda: all(piece.length <= found.length for piece in w.pieces))
    path.claim("looking_for_the_largest_writes_nothing", lambda: only(w.m))


def stretch(source: Any, path: Any) -> None:
    """Any sizes that are too small, whatever the system answers."""
    w = RetainedList(path)
    w.exactly(path.choose(3))
    length, held = path.word("least", PAGE, MOST, PAGE), w.word("held")
    for piece in w.pieces:
        path.require(piece.length, "<", length)
    start = source.retained.stretch(w.m, w.arena, length)
    calls = w.m.calls
    if start == 0:
        path.claim("what_cannot_be_stretched_stays", lambda: only(w.m) and (
            calls[0].answer == REFUSED if calls else all(2 * piece.length < length for piece in w.pieces)))
    else:
        old = next(piece for piece in w.pieces if piece.k == calls[0].arguments[0])
        w.pieces.remove(old)
        path.claim("what_is_stretched_is_not_kept", lambda: w.m.load(start) == length and w.is_whole()
                   and len(w.now()) == len(w.pieces) and w.counted(-old.length, -1)
                   and w.m.load(w.at("held")) == held + length - old.length)
        path.claim("all_of_a_kept_mapping_is_stretched", lambda: len(calls) == 1 and calls[0].name == "remap"
                   and calls[0].arguments == (*old, length) and start == calls[0].answer
                   and 2 * old.length >= length)


def reuse_at(source: Any, path: Any) -> None:
    """Any place."""
    w = RetainedList(path)
    w.exactly(path.choose(3))
    start, length = path.word("start", LOWEST, HIGHEST, PAGE), path.word("wanted", PAGE, MOST, PAGE)
    done = source.retained.take_retained_at(w.m, w.arena, start, length)
    there = [piece for piece in w.pieces if piece.k == start and piece.length >= length]
    if done:
        path.claim("just_what_was_kept_there_is_taken", lambda: bool(there) and w.is_whole()
                   and w.m.load(w.at("free_bytes")) == w.free_bytes - length)
    else:
        path.claim("what_was_not_kept_there_is_not_taken", lambda: only(w.m) and not there)


def lately(w: RetainedList) -> tuple[Any, Any, Any]:
    """What was used lately, the setting, and what is used now; any that are legal."""
    now, before = w.static("used_lately"), w.static("used_before")
    keep, used = w.static("keep", 0, MAX_REQUEST), w.word("used_bytes")
    w.path.require(used, "<=", now)
    return (now if now >= before else before), keep, used


def room(source: Any, path: Any) -> None:
    """Whatever was used."""
    w = RetainedList(path)
    most, keep, used = lately(w)
    result = source.retained.retained_capacity(w.m, w.arena)
    path.claim("no_more_is_kept_than_is_set", lambda: result >= 0 and result <= keep and only(w.m))
    path.claim("no_more_is_held_than_lately_and_a_quarter", lambda:
               result + used <= most + (most >> KEPT["slack_shift"]))


PROOFS = (
    Proof("retained.enlist", ANY_HEAP, enlist, {
        "a_kept_mapping_is_first": "k follows the head and precedes the old first",
        "a_kept_mapping_says_its_length": "its words say its length, and that it is new",
        "a_kept_mapping_is_counted": "the record counts it as free",
        "keeping_writes_no_more": "no other word changes",
    }),
    Proof("retained.delist", ANY_HEAP, delist, {
        "what_is_no_longer_kept_leaves_the_list": "its neighbours are linked both ways",
        "what_is_no_longer_kept_is_not_counted": "the record no longer counts it",
        "taking_off_writes_no_more": "no other word changes",
    }),
    Proof("retained.retain", FEW, keep, {
        "what_is_kept_is_part_of_the_first": "they are part of the first on the list",
        "what_does_not_touch_stays": "what does not touch them stays as it is",
        "what_is_kept_grows_by_what_is_added": "what is kept grows by length",
    }, more={"retaining_writes_no_more": "no word but those of the list and the counts changes"}),
    Proof("retained.smallest", "lists of up to 3 kept mappings", smallest, {
        "nothing_kept_is_large_enough": "NULL only if none is large enough",
        "the_smallest_is_large_enough": "otherwise it is, and none that is large enough is smaller",
        "looking_for_the_smallest_writes_nothing": "no word changes",
    }),
    Proof("retained.take_from", FEW, take_from, {
        "what_is_taken_is_not_kept": "they are no longer kept",
        "the_rest_is_first": "the rest is first on the list, or there is none",
    }, more={"taking_a_part_writes_no_more": "no word but those of the list and the counts changes"}),
    Proof("retained.take_retained", FEW, reuse, {
        "what_is_too_small_is_not_used_again": "NULL only if none has as many, and then nothing has changed",
        "what_is_used_again_says_its_length": "else the first word there is how many bytes they are",
        "what_is_used_again_is_large_enough": "at least length",
        "what_is_used_again_is_not_much_larger": "at most a quarter of that more",
    }),
    Proof("retained.largest", "lists of up to 3 kept mappings", largest, {
        "nothing_at_all_is_kept": "NULL only if nothing is kept",
        "no_kept_mapping_is_larger": "no kept mapping is larger",
        "looking_for_the_largest_writes_nothing": "no word changes",
    }),
    Proof("retained.stretch", FEW, stretch, {
        "what_cannot_be_stretched_stays":
            "NULL only if each has less than half of them, or the system refused, and then nothing has changed",
        "what_is_stretched_is_not_kept":
            "else the first word there is length, they are not kept, and the record holds what was added",
    }, more={"all_of_a_kept_mapping_is_stretched": "the system is asked once, to make all of a kept mapping longer, "
                                                   "which has half of the bytes or more"}),
    Proof("retained.take_retained_at", FEW, reuse_at, {
        "what_was_not_kept_there_is_not_taken": "without success nothing changes",
        "just_what_was_kept_there_is_taken": "else just these are taken",
    }),
    Proof("retained.retained_capacity", ALL_WORDS, room, {
        "no_more_is_kept_than_is_set": "at most the setting",
        "no_more_is_held_than_lately_and_a_quarter": "with what is used, at most a quarter more than was used lately",
    }),
)
