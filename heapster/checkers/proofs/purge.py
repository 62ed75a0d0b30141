"""Purging pages inside free blocks: what is proved of `impl/purge.py`, and of `impl/trim.py`."""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    FOOTER,
    IDLE,
    KEPT,
    NEXT,
    PAGE,
    PREV,
    TOTALS,
    a_size,
    header,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.region import growth_of

FEW = "arenas with up to 2 free blocks"
REST = 40               # bytes at a free block's ends that are never purged, and less than a page at either


def purge_block(source: Any, path: Any) -> None:
    """Any free block, whatever the system answers."""
    w = Window(path)
    m, total = w.m, a_size(path)
    b = w.span("b", total + 8)
    w.free_block(b, total, "b")
    m.put(b + NEXT, path.word("next"), "next of b")
    m.put(b + PREV, path.word("prev"), "prev of b")
    m.put(b + total, header(0, w.owner, 1, 0), "header of the right")
    done = source.purge.purge_block(m, b)
    calls = [(call.name, *call.arguments) for call in m.calls]
    path.claim("only_pages_inside_a_free_block_are_purged", lambda: not calls or (
        len(calls) == 1 and calls[0][0] == "purge" and calls[0][1] >= b + PREV + 8
        and calls[0][1] + calls[0][2] <= b + total + FOOTER))
    path.claim("purging_writes_no_word", lambda: only(m))
    path.claim("all_pages_inside_a_free_block_are_purged", lambda: total - sum(
        [length for _, _, length in calls]) < REST + 2 * PAGE)
    path.claim("purging_says_what_the_system_said", lambda: done == (bool(calls) and m.calls[0].answer == 0))


def may_stay(source: Any, path: Any) -> None:
    """Whatever was used, whatever is free, any growth."""
    w = Window(path)
    growth_of(w, path)
    lately, free = path.word("lately", 0, TOTALS), w.word("free_bytes")
    result = source.purge.may_stay(w.m, w.arena, lately)
    path.claim("idle_bytes_may_stay", lambda: result >= (lately >> KEPT["slack_shift"]) + (free >> IDLE["shift"])
               and only(w.m))


def may_return(source: Any, path: Any) -> None:
    """Whatever was used, now and before, any growth."""
    w = Window(path)
    growth_of(w, path)
    used, recent, peak = w.word("used_bytes"), w.word("recent"), path.word("peak", 0, TOTALS, 16)
    w.word("free_bytes")
    w.m.put(w.at("peak"), peak + path.word("beside the peak", 0, 15), "peak")
    stays = source.purge.may_stay(w.m, w.arena, used)
    result = source.purge.may_return(w.m, w.arena)
    path.claim("what_may_lie_idle_may_return", lambda: result >= stays and only(w.m))
    path.claim("what_was_used_lately_may_return", lambda: result >= stays + peak - used
               and result >= stays + recent - used and (
                   result == stays or result == stays + peak - used or result == stays + recent - used))


class Epoch(Window):
    """An arena with a few free blocks on its one list, and what it knows of the epoch."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.used, self.recent, peak = (path.word(name, 0, TOTALS, ALIGN) for name in ("used", "recent", "peak"))
        self.patience, self.purged = path.choose(IDLE["most_patience"] + 1), IDLE["was_purged"] * path.choose(2)
        self.length = IDLE["epoch"] << 3 * max(self.patience - IDLE["forgiven"], 0)
        for name, word in (("used_bytes", self.used), ("recent", self.recent),
                           ("peak", peak + self.purged + self.patience)):
            self.m.put(self.at(name), word, name)
        self.word("free_bytes")
        growth_of(self, path)
        blocks = [self.span(f"b{number}", IDLE["least"] + ALIGN) for number in range(path.choose(3))]
        for b in blocks:
            self.free_block(b, IDLE["least"], "a free block")
        self.listed(blocks, gaps=1)

    def stays(self) -> bool:
        """Whether no word but what it knows of the epoch changed, and nothing but a purge was asked for."""
        return only(self.m, *(self.at(name) for name in ("recent", "peak", "turnover"))) and all(
            call.name == "purge" for call in self.m.calls)


def end_epoch(source: Any, path: Any) -> None:
    """Whatever was used, whatever the system answers."""
    w = Epoch(path)
    w.word("turnover")
    path.require(w.used, "<=", w.recent)
    source.purge.end_epoch(w.m, w.arena)
    load = w.m.load
    path.claim("the_next_epoch_has_begun", lambda: load(w.at("turnover")) == 0 and load(w.at("recent")) == w.used)
    path.claim("the_peak_is_no_less_than_what_is_used", lambda: load(w.at("peak")) >= w.used)
    path.claim("the_next_epoch_is_not_too_long", lambda: load(w.at("peak")) & 7 <= IDLE["most_patience"])
    path.claim("an_epochs_end_changes_no_block", w.stays)


def new_patience(source: Any, path: Any) -> None:
    """Whatever was used and purged."""
    w = Epoch(path)
    patience = source.purge.new_patience(w.m, w.arena, w.recent)
    path.claim("patience_has_bounds", lambda: 0 <= patience <= IDLE["most_patience"] and only(w.m))
    path.claim("patience_grows_only_after_a_purge", lambda: patience <= w.patience or w.purged > 0)


def epoch_length(source: Any, path: Any) -> None:
    """Each patience."""
    w = Epoch(path)
    length = source.purge.epoch_length(w.m, w.arena)
    path.claim("an_epoch_is_long_enough", lambda: length >= IDLE["epoch"])
    path.claim("patience_makes_epochs_longer", lambda: length == w.length and only(w.m))


def note_release(source: Any, path: Any) -> None:
    """Whatever was used, any block, whatever the system answers."""
    w = Epoch(path)
    w.word("turnover", 0, w.length - 1)
    source.purge.note_release(w.m, w.arena, a_size(path))
    load = w.m.load
    path.claim("what_was_used_is_noted", lambda: load(w.at("recent")) >= w.used)
    path.claim("a_step_changes_no_block", lambda: w.stays()
               and load(w.at("turnover")) < w.length)


def spare_top(source: Any, path: Any) -> None:
    """Any free block, any word."""
    w = Window(path)
    total, pad = a_size(path), path.word("pad")
    b = w.span("b", total)
    w.free_block(b, total, "b")
    extra = source.trim.spare_top(w.m, b, pad)
    path.claim("what_a_top_can_spare_is_whole_pages", lambda: extra & PAGE - 1 == 0 and extra >= 0 and only(w.m))
    path.claim("a_block_and_the_pad_stay", lambda: extra == 0 or (pad >= 0 and total - extra >= pad + 32))


PROOFS = (
    Proof("purge.purge_block", ANY_HEAP, purge_block, {
        "only_pages_inside_a_free_block_are_purged":
            "header, links and footer stay, and so does what lies outside the block",
        "purging_writes_no_word": "no word is written",
    }, more={
        "all_pages_inside_a_free_block_are_purged": "less than a page at either end, and its own words, stay",
        "purging_says_what_the_system_said": "it answers whether the system took pages",
    }),
    Proof("purge.may_stay", ALL_WORDS, may_stay, {
        "idle_bytes_may_stay": "at least a quarter of what was used, and a sixteenth of what is free",
    }),
    Proof("purge.may_return", ALL_WORDS, may_return, {
        "what_may_lie_idle_may_return": "at least may_stay of what is used",
        "what_was_used_lately_may_return": "more by what was used beyond that since pages were last purged",
    }),
    Proof("purge.end_epoch", FEW, end_epoch, {
        "the_next_epoch_has_begun": "the next epoch has begun",
        "the_peak_is_no_less_than_what_is_used": "the peak is at least what is used",
    }, more={"an_epochs_end_changes_no_block": "no word but the epoch's changes, and nothing but purges is asked for",
             "the_next_epoch_is_not_too_long": "the patience has its bounds"}),
    Proof("purge.new_patience", FEW, new_patience, {
        "patience_has_bounds": "0 to MOST_PATIENCE",
    }, more={"patience_grows_only_after_a_purge": "it is more only if pages were purged since the peak last rose far"}),
    Proof("purge.epoch_length", FEW, epoch_length, {
        "an_epoch_is_long_enough": "at least ARENA_EPOCH",
    }, more={"patience_makes_epochs_longer": "eight times as long for each step of patience beyond those forgiven"}),
    Proof("purge.note_release", FEW, note_release, {
        "what_was_used_is_noted": "what was used in this epoch, the block included, is noted, or the epoch has ended",
    }, more={"a_step_changes_no_block": "no word but the epoch's changes, and no epoch is longer than it may be"}),
    Proof("trim.spare_top", ALL_WORDS, spare_top, {
        "what_a_top_can_spare_is_whole_pages": "a multiple of PAGE, at least 0",
    }, more={"a_block_and_the_pad_stay": "a whole block stays, and as many bytes as were asked for"}),
)
