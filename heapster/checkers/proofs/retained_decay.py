"""Retained mappings that grow old, go back to the system, or are set aside where it refuses them."""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import KEPT, MAX_REQUEST, MOST, NEXT, PAGE, PREV, STATICS, only
from heapster.checkers.proofs.retained import AGED, FEW, NEW, PURGED, REFUSED, RetainedList, lately


def release_oldest(source: Any, path: Any) -> None:
    """Whatever the system answers."""
    w = RetainedList(path)
    w.exactly(1 + path.choose(2))
    oldest, held = w.pieces[-1], w.word("held")
    done = source.retained.release_oldest(w.m, w.arena)
    name, arguments, answer = w.m.calls[0]
    now = w.m.load(w.at("held"))
    path.claim("the_oldest_is_offered", lambda: name == "munmap" and arguments == tuple(oldest)
               and all(call.name == "purge" for call in w.m.calls[1:]))
    path.claim("what_is_given_back_is_not_kept", lambda: w.is_whole() and not w.has(oldest)
               and len(w.now()) == len(w.pieces) - 1)
    path.claim("releasing_writes_no_more", lambda: only(w.m, *w.places(), w.at("held")))
    if done:
        path.claim("what_went_back_is_not_held", lambda: answer == 0 and now == held - oldest.length and not w.aside())
    else:
        path.claim("what_was_refused_is_set_aside", lambda: answer == REFUSED and now == held
                   and w.aside() == [oldest])


def set_aside(source: Any, path: Any) -> None:
    """Whatever its mark, whatever the system answers."""
    w = RetainedList(path, untaken=path.choose(2))
    piece = k, length = w.piece()
    before = w.m.load(k + KEPT["mark"])
    source.retained.set_aside(w.m, k, length)
    path.claim("what_is_set_aside_is_first_and_marked", lambda: w.aside() == [piece, *w.untaken]
               and w.m.load(k + KEPT["mark"]) == REFUSED and w.m.load(w.m.load(k + NEXT) + PREV) == k)
    path.claim("setting_aside_writes_no_more", lambda: only(w.m, *w.places(k)))
    path.claim("what_is_set_aside_says_its_length", lambda: w.m.load(k) == length)
    path.claim("setting_aside_purges_no_page_of_another", lambda: [
        (call.name, *call.arguments) for call in w.m.calls] in ([], [("purge", k + PAGE, length - PAGE)])
        and (bool(w.m.calls) or before == PURGED or length == PAGE))


def offer_again(source: Any, path: Any) -> None:
    """Whatever the system answers."""
    w = RetainedList(path, untaken=path.choose(3))
    w.exactly(0)
    held, most = w.word("held"), path.choose(3)
    taken = source.retained.offer_again(w.m, w.arena, most)
    calls = [(call.name, *call.arguments) for call in w.m.calls]
    oldest_first = w.untaken[::-1]
    path.claim("no_more_is_offered_than_asked", lambda: taken <= most and len(calls) <= taken + 1
               and calls == [("munmap", *piece) for piece in oldest_first[:len(calls)]])
    path.claim("what_was_taken_at_last_is_not_held", lambda: w.m.load(w.at("held")) == held - sum(
        [piece.length for piece in oldest_first[:taken]]))
    path.claim("what_is_refused_again_is_the_newest", lambda: w.is_whole() and w.aside() == (
        oldest_first[taken:taken + 1] + w.untaken[:len(w.untaken) - taken - 1] if len(calls) > taken else
        w.untaken[:len(w.untaken) - taken]))
    path.claim("offering_writes_no_more", lambda: only(w.m, *w.places(), w.at("held")))


def reclaim(source: Any, path: Any) -> None:
    """Whatever was set aside, and is kept."""
    w = RetainedList(path, untaken=path.choose(3))
    w.exactly(path.choose(2))
    length = path.word("least", PAGE, MOST, PAGE)
    k = source.retained.reclaim(w.m, w.arena, length)
    if k == 0:
        path.claim("nothing_set_aside_is_large_enough", lambda: only(w.m) and all(
            piece.length < length for piece in w.untaken))
    else:
        first = w.now()[0]
        path.claim("what_is_reclaimed_is_kept", lambda: w.is_whole() and first.k == k and first.length >= length
                   and len(w.aside()) == len(w.untaken) - 1)


def trim(source: Any, path: Any) -> None:
    """Whatever was used, and whatever the system answers."""
    w = RetainedList(path)
    w.exactly(path.choose(3))
    before, keep, used = lately(w)
    w.word("held")
    source.retained.trim(w.m, w.arena)
    most = before + (before >> KEPT["slack_shift"]) - used
    path.claim("no_more_is_kept_than_may_be", lambda: w.is_whole() and bool(
        w.m.load(w.at("free_bytes")) <= most and w.m.load(w.at("free_bytes")) <= keep))
    path.claim("trimming_what_is_kept_writes_no_more", lambda: only(w.m, *w.places(), w.at("held")))


def grow_older(source: Any, path: Any) -> None:
    """Whatever its mark."""
    w = RetainedList(path)
    k, length = w.piece()
    mark = w.m.load(k + KEPT["mark"])
    w.listed([k])
    inside = path.word("a word of what it holds", 0, MOST, PAGE)
    path.require(inside, "<", length)
    w.m.put(k + inside + 64, 5, "a word of what it holds")
    source.retained.grow_older(w.m, k)
    now = w.m.load(k + KEPT["mark"])
    path.claim("no_page_of_another_is_purged", lambda: not w.m.calls or (mark == AGED and len(w.m.calls) == 1
               and w.m.calls[0].name == "purge" and w.m.calls[0].arguments == (k + PAGE, length - PAGE)))
    path.claim("an_older_mapping_keeps_its_words", lambda: w.is_linked() and w.m.load(k) == length and now == (
        AGED if mark == NEW else PURGED if mark == AGED else mark) and only(w.m, k + KEPT["mark"], k + inside + 64))


def release_retained(source: Any, path: Any) -> None:
    """Whatever the system takes, of up to two kept mappings and of what was set aside."""
    w = RetainedList(path)
    count, held, back = path.choose(3), w.word("held"), path.word("back", 0, MOST)
    path.require(back, "<=", held)
    w.m.store(w.at("free_blocks"), count)
    done: list[Any] = []

    def release_oldest_(m: Any, _: Any) -> bool:
        """See `impl.retained.release_oldest`."""
        done.append(len(m.held))
        m.store(w.at("free_blocks"), m.load(w.at("free_blocks")) - 1)
        return True

    def offer_again_(m: Any, record: Any, most: int) -> int:
        """See `impl.retained.offer_again`."""
        done.append((record, most, len(m.held)))
        m.store(w.at("held"), held - back)
        return 0

    with replaced(source.retained, release_oldest=release_oldest_, offer_again=offer_again_):
        taken = source.retained.release_retained(w.m)
    path.claim("all_that_is_retained_or_set_aside_is_offered", lambda: done == [1] * count + [
        (w.arena, KEPT["most"], 1)] and not w.m.held and only(w.m, w.at("free_blocks"), w.at("held")))
    path.claim("whether_the_system_took_any_is_told", lambda: bool(taken) == bool(back > 0))


def set_keep(source: Any, path: Any) -> None:
    """Every word, while nothing is kept."""
    w = RetainedList(path)
    w.exactly(0)
    lately(w)
    most = path.word("most")
    source.retained.set_keep(w.m, most)
    now = source.settings.get_keep(w.m)
    path.claim("what_is_kept_has_bounds", lambda: now >= 0 and now <= MAX_REQUEST
               and only(w.m, w.statics + STATICS["keep"]))
    path.claim("a_legal_bound_is_taken", lambda: now == most or most < 0 or most > MAX_REQUEST)


PROOFS = (
    Proof("retained.release_oldest", FEW, release_oldest, {
        "what_is_given_back_is_not_kept": "it is no longer kept",
        "what_went_back_is_not_held": "on success the record no longer holds it",
        "what_was_refused_is_set_aside": "else it is set aside",
    }, more={
        "the_oldest_is_offered": "exactly the oldest is offered to the system, once",
        "releasing_writes_no_more": "no word but those of the lists and the counts changes",
    }),
    Proof("retained.set_aside", FEW, set_aside, {
        "what_is_set_aside_is_first_and_marked": "they are first on the list of those set aside, and marked",
        "what_is_set_aside_says_its_length": "their length stands there",
        "setting_aside_purges_no_page_of_another": "no page of another is purged",
    }, more={"setting_aside_writes_no_more": "no word but those of the lists changes"}),
    Proof("retained.offer_again", FEW, offer_again, {
        "no_more_is_offered_than_asked": "at most `most`",
        "what_was_taken_at_last_is_not_held": "the record no longer holds them",
        "what_is_refused_again_is_the_newest": "one that is refused becomes the newest",
    }, more={"offering_writes_no_more": "no word but those of the lists and the counts changes"}),
    Proof("retained.reclaim", FEW, reclaim, {
        "nothing_set_aside_is_large_enough": "NULL only if none of these is large enough, and then no word changes",
        "what_is_reclaimed_is_kept": "else it is the first kept mapping, and no longer set aside",
    }),
    Proof("retained.trim", FEW, trim, {
        "no_more_is_kept_than_may_be": "no more is kept than may be",
    }, more={"trimming_what_is_kept_writes_no_more": "no word but those of the lists and the counts changes"}),
    Proof("retained.grow_older", ANY_HEAP, grow_older, {
        "an_older_mapping_keeps_its_words": "its words are unchanged but for the mark",
        "no_page_of_another_is_purged": "no page of another is purged",
    }),
    Proof("retained.release_retained", "lists of up to 2 kept mappings", release_retained, more={
        "all_that_is_retained_or_set_aside_is_offered": "each kept mapping is offered, under the lock, then what "
                                                        "was set aside",
        "whether_the_system_took_any_is_told": "true if the record holds less than before",
    }),
    Proof("retained.set_keep", ALL_WORDS, set_keep, {
        "what_is_kept_has_bounds": "it is 0 to MAX_REQUEST",
        "a_legal_bound_is_taken": "a legal value is taken as it is",
    }),
)
