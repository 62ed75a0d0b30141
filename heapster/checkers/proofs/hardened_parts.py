"""Parts of a hardened heap: its pages and guards, what waits, and the words of the vault."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.hardened_calls import OneRecord
from heapster.checkers.proofs.layout_spec import ALIGN, HARDENED, NEXT, PAGE, STATICS, WORD, only
from heapster.checkers.proofs.notes import or_null
from heapster.machine.protocol import REFUSED
from heapster.machine.symbolic import HIGHEST, LOWEST

MOST_GUARDED, UNGUARDED_LINE = HARDENED["MOST_GUARDED"], HARDENED["SHOW_UNGUARDED"]
VAULT_GUARD, CHUNK_BYTES = HARDENED["VAULT_GUARD"], HARDENED["CHUNK_BYTES"]
ALIGNMENTS = (ALIGN, PAGE, 16 * PAGE)


class Vaulted(OneRecord):
    """A record and a vault with any words."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, 1, PAGE)
        self.vault = path.word("vault", LOWEST, HIGHEST, PAGE)
        self.reserve(self.vault, PAGE)
        self.m.put(self.statics + STATICS["vault"], self.vault, "vault")

    def of_vault(self, name: str, word: Any) -> Any:
        """Let the vault have the word; where."""
        self.m.put(self.vault + HARDENED[name], word, name)
        return self.vault + HARDENED[name]

    def pages(self, name: str, most: int) -> tuple[Any, Any]:
        """Where some pages lie, apart from all else, and their bytes."""
        start, length = self.path.word(name, LOWEST, HIGHEST, PAGE), self.path.word("length", PAGE, most, PAGE)
        self.reserve(start, length)
        return start, length

    def called(self, *calls: tuple[Any, ...]) -> bool:
        """Whether just these system calls were made."""
        made = self.m.calls
        return len(made) == len(calls) and all(
            one.name == name and all(bool(a == b) for a, b in zip(one.arguments, words, strict=True))
            for one, (name, *words) in zip(made, calls, strict=True))

    def is_refused(self) -> bool:
        """Whether the system refused the last call."""
        return bool(self.m.calls[-1].answer == REFUSED)


def guard(source: Any, path: Any) -> None:
    """Any pages."""
    v = Vaulted(path)
    start, length = v.pages("start", 1 << 20)
    with replaced(source.vault, **v.notes.answering(leave_unguarded=0)):
        source.vault.guard(v.m, start, start + length)
    path.claim("a_guard_has_no_access_or_is_missed", lambda: only(v.m) and v.called(("protect", start, length))
               and v.notes.are(*[("leave_unguarded", start, start + length)] * v.is_refused()))


def leave_unguarded(source: Any, path: Any) -> None:
    """The first pages without a guard, or others."""
    v = Vaulted(path)
    start, length = v.pages("start", 1 << 20)
    said, lines, word = path.choose(2), list[Any](), v.statics + HARDENED["UNGUARDED"]
    v.m.put(word, said, "said")
    v.m.show = lambda *line: lines.append(line)
    source.vault.leave_unguarded(v.m, start, start + length)
    path.claim("a_missing_guard_is_shown_once", lambda: v.m.load(word) == 1 and only(v.m, word)
               and lines == [(UNGUARDED_LINE, start, length, 0)] * (not said))


def map_pages(source: Any, path: Any) -> None:
    """Guards of any length, pieces up to those that have some and beyond, at each kind of alignment."""
    v, pieces, length = Vaulted(path), path.word("pieces", 0, 1 << 20), path.word("length", PAGE, 1 << 40, PAGE)
    before, after = (path.word(name, PAGE, 16 * PAGE, PAGE) for name in ("before", "after"))
    alignment, counted, sizes = ALIGNMENTS[path.choose(3)], v.of_vault("PIECES", pieces), [before, after]
    with replaced(source.vault, draw=lambda *_: 9, guard_bytes=lambda _: sizes.pop(0),
                  **v.notes.answering(guard=0, leave_unguarded=0)):
        made = source.vault.map_pages(v.m, v.record, length, alignment)
    if not made:
        path.claim("refused_pages_change_nothing", lambda: v.is_refused() and only(v.m) and not v.notes.done)
        return
    start, words = v.m.calls[0].answer, [v.record + HARDENED[name] for name in (
        "BASE", "LENGTH", "MAPPING_START", "MAPPING_BYTES")]
    base, _, _, total = (v.m.load(word) for word in words)
    end = start + total
    guards = [("guard", start, base), ("guard", base + length, end)]
    path.claim("new_pages_are_zero", lambda: [bool(a == base and n == length) for a, n in v.m.zeroed] == [True])
    path.claim("new_pages_lie_between_guards", lambda: v.called(("mmap", total)) and base & alignment - 1 == 0
               and base - start >= before and end - base - length >= after and v.notes.are(
                   *guards if pieces < MOST_GUARDED else [("leave_unguarded", start, base)]))
    path.claim("new_pages_are_noted_and_counted", lambda: only(v.m, counted, *words) and v.m.load(words[1]) == length
               and v.m.load(words[2]) == start and v.m.load(counted) == pieces + 1)


def unmap_pages(source: Any, path: Any) -> None:
    """Any pages."""
    v, pieces = Vaulted(path), path.word("pieces", 1, 1 << 20)
    start, total = v.pages("start", 1 << 40)
    for name, word in (("MAPPING_START", start), ("MAPPING_BYTES", total)):
        v.m.put(v.record + HARDENED[name], word, name)
    counted = v.of_vault("PIECES", pieces)
    taken = source.vault.unmap_pages(v.m, v.record)
    path.claim("pages_go_with_their_guards", lambda: v.called(("munmap", start, total)) and only(v.m, counted)
               and bool(taken) == (not v.is_refused()) and v.m.load(counted) == pieces - bool(taken))


def map_guarded(source: Any, path: Any) -> None:
    """Any length."""
    v, length = Vaulted(path), path.word("length", PAGE, 1 << 20, PAGE)
    with replaced(source.vault, **v.notes.answering(guard=0)):
        at = source.vault.map_guarded(v.m, length)
    end = at + length
    path.claim("pieces_of_the_vault_lie_between_guards", lambda: only(v.m) and v.called(
        ("mmap", length + 2 * VAULT_GUARD)) and bool(at == 0) == v.is_refused() and v.notes.are(
            *[("guard", at - VAULT_GUARD, at), ("guard", end, end + VAULT_GUARD)] * (not v.is_refused()))
        and [bool(a == at and n == length) for a, n in v.m.zeroed] == [True] * (not v.is_refused()))


def unmap_guarded(source: Any, path: Any) -> None:
    """Any piece."""
    v, length = Vaulted(path), path.word("length", PAGE, 1 << 20, PAGE)
    at = path.word("at", LOWEST + VAULT_GUARD, HIGHEST, PAGE)
    taken = source.vault.unmap_guarded(v.m, at, length)
    path.claim("a_piece_of_the_vault_goes_with_its_guards", lambda: only(v.m) and v.called(
        ("munmap", at - VAULT_GUARD, length + 2 * VAULT_GUARD)) and bool(taken) == (not v.is_refused()))


def open_vault(source: Any, path: Any) -> None:
    """A vault, or none and the system gives one or not."""
    v, has, word = Vaulted(path), path.choose(2), STATICS["vault"]
    new = path.choose(2) * path.word("new", LOWEST, HIGHEST, PAGE)
    v.m.store(v.statics + word, v.vault * has)
    with replaced(source.vault, **v.notes.answering(map_guarded=new)):
        vault = source.vault.open_vault(v.m)
    path.claim("a_vault_is_made_where_there_is_none", lambda: vault == (v.vault if has else new)
               and v.m.load(v.statics + word) == vault and only(v.m, v.statics + word)
               and v.notes.are(*[("map_guarded", HARDENED["VAULT_BYTES"])] * (not has)))


def table_in(source: Any, path: Any) -> None:
    """A table, or none and the system gives one or not."""
    v, count = Vaulted(path), path.word("count", 512, 1 << 13, 512)
    old, new = (path.choose(2) * path.word(name, LOWEST, HIGHEST, PAGE) for name in ("old", "new"))
    word = v.of_vault("MAPPINGS_WAIT", old)
    with replaced(source.vault, **v.notes.answering(map_guarded=new)):
        table = source.vault.table_in(v.m, word, count)
    path.claim("a_table_is_made_where_there_is_none", lambda: table == (old if old != 0 else new)
               and v.m.load(word) == table and only(v.m, word)
               and v.notes.are(*[("map_guarded", count * WORD)] * bool(old == 0)))


def enter(source: Any, path: Any) -> None:
    """Tables, or none and the system gives some or not."""
    v, middle, leaf = Vaulted(path), or_null(path, "middle"), or_null(path, "leaf")
    at, root, record = v.vault + 512, v.vault + 256, or_null(path, "told")
    v.m.put(at, path.word("before"), "word of the leaf")
    with replaced(source.vault, root_word=lambda *_: root, middle_word=lambda table, _: table + WORD,
                  leaf_word=lambda *_: at, **v.notes.answering(table_in=[middle, leaf])):
        told = source.vault.enter(v.m, v.p, record)
    has, both = bool(middle != 0), bool(middle != 0) and bool(leaf != 0)
    path.claim("a_refused_table_leads_where_it_did", lambda: bool(told) == both and (both or only(v.m)))
    path.claim("the_leaf_leads_to_the_record", lambda: (not both or v.m.load(at) == record) and only(v.m, at)
               and v.notes.are(("table_in", root, HARDENED["MIDDLE_COUNT"]),
                               *[("table_in", middle + WORD, HARDENED["LEAF_COUNT"])] * has))


def new_record(source: Any, path: Any) -> None:
    """A record that was given up, one that is fresh, or neither, and the system gives more or not."""
    v, given_up, has_fresh, more = Vaulted(path), path.choose(2), path.choose(2), bool(path.choose(2))
    other, ends = path.word("other", LOWEST, HIGHEST, 256), path.choose(2)
    chunk = path.word("chunk", LOWEST, HIGHEST, 256)
    v.reserve(chunk, 256)
    free = v.of_vault("FREE_RECORDS", v.record * given_up)
    fresh = v.of_vault("FRESH_RECORD", v.record * has_fresh)
    v.m.put(v.record + NEXT, other, "next")
    v.m.store(v.record + HARDENED["KIND"], HARDENED["LAST_RECORD"] * ends)

    def add_chunk(m: Any, vault: Any) -> bool:
        """See `impl.vault.add_chunk`."""
        v.notes.done.append(("add_chunk", vault))
        if more:
            m.store(fresh, chunk)
        return more

    with replaced(source.vault, add_chunk=add_chunk):
        record = source.vault.new_record(v.m, v.vault)
    usable = has_fresh and not ends
    expected = v.record if given_up or usable else chunk if more else 0
    path.claim("records_that_were_given_up_come_first", lambda: record == expected and (
        not given_up or v.m.load(free) == other and only(v.m, free, v.record + HARDENED["KIND"])))
    path.claim("a_fresh_record_is_the_next_of_its_chunk", lambda: given_up or bool(record == 0)
               or v.m.load(fresh) == record + 256)
    path.claim("chunks_are_added_where_one_ends", lambda: v.notes.are(
        *[("add_chunk", v.vault)] * (not given_up and not usable)))


def give_up(source: Any, path: Any) -> None:
    """A record of any kind."""
    v, first = Vaulted(path), or_null(path, "first")
    free = v.of_vault("FREE_RECORDS", first)
    v.m.store(v.record + HARDENED["KIND"], 1 + path.choose(3))
    v.m.put(v.record + NEXT, path.word("next"), "next")
    source.vault.give_up(v.m, v.vault, v.record)
    words = free, v.record + NEXT, v.record + HARDENED["KIND"]
    path.claim("what_is_given_up_is_the_first_of_no_kind", lambda: only(v.m, *words)
               and [bool(v.m.load(word) == now) for word, now in zip(words, (v.record, first, 0), strict=True)]
               == [True] * 3)


def abandon(source: Any, path: Any) -> None:
    """A record of a span or a mapping, whose pages the system takes or not."""
    v, taken = Vaulted(path), bool(path.choose(2))
    kind = v.record + HARDENED["KIND"]
    v.m.store(kind, 1 + path.choose(2))
    with replaced(source.vault, **v.notes.answering(unmap_pages=taken, give_up=0)):
        source.vault.abandon(v.m, v.vault, v.record)
    path.claim("a_record_is_given_up_with_its_pages_or_keeps_them", lambda: v.notes.are(
        ("unmap_pages", v.record), *[("give_up", v.vault, v.record)] * taken) and only(v.m, kind)
        and (taken or bool(v.m.load(kind) == HARDENED["UNFOUND"])))


def add_chunk(source: Any, path: Any) -> None:
    """Chunks, or none; the system gives one or not."""
    v, older, has = Vaulted(path), or_null(path, "older"), path.choose(2)
    chunk = path.word("new", LOWEST, HIGHEST, PAGE)
    v.reserve(chunk, CHUNK_BYTES)
    last = chunk + CHUNK_BYTES - 256
    words = {v.of_vault("CHUNKS", older): chunk, v.of_vault("FRESH_RECORD", path.word("fresh")): chunk,
             last + NEXT: older, last + HARDENED["KIND"]: HARDENED["LAST_RECORD"]}
    for word in (last + NEXT, last + HARDENED["KIND"]):
        v.m.put(word, 0, "a fresh word")
    with replaced(source.vault, **v.notes.answering(map_guarded=chunk * has)):
        done = source.vault.add_chunk(v.m, v.vault)
    path.claim("a_chunk_ends_with_the_way_to_the_one_before", lambda: bool(done) == bool(has)
               and v.notes.are(("map_guarded", CHUNK_BYTES)) and only(v.m, *list(words) * has)
               and all(bool(v.m.load(word) == now) for word, now in words.items() if has))


def turn(source: Any, path: Any) -> None:
    """Rings of each length, with the oldest at any place."""
    v, length = Vaulted(path), (8, 32, 128)[path.choose(3)]
    at, entry, oldest = path.choose(length) * WORD, path.word("entry"), path.word("oldest")
    ring, turns = v.vault + 64, v.vault + 32
    v.m.put(turns, at, "turns")
    v.m.put(ring + at, oldest, "oldest")
    found = source.quarantine.turn(v.m, ring, length, turns, entry)
    path.claim("the_oldest_makes_room", lambda: found == oldest and v.m.load(ring + at) == entry
               and only(v.m, ring + at, turns))
    path.claim("the_next_is_the_oldest_then", lambda: v.m.load(turns) == (at + WORD) % (length * WORD))


def exchange(source: Any, path: Any) -> None:
    """Pools of each group, and any place in them, where something waits or nothing."""
    v, group = Vaulted(path), path.choose(3)
    length, entry, other = 128 >> 2 * group, path.word("entry", 1), path.choose(2) * path.word("other", 1)
    number = path.choose(length)
    pool = v.vault + (2048 >> 2 * group)
    v.m.put(pool + number * WORD, other, "place")
    with replaced(source.quarantine, **v.notes.answering(draw=number + 3 * length, turn=77)):
        found = source.quarantine.exchange(v.m, v.vault, group, entry)
    has = bool(other != 0)
    path.claim("what_waits_takes_a_place_at_random", lambda: v.m.load(pool + number * WORD) == entry
               and only(v.m, pool + number * WORD))
    path.claim("what_was_there_waits_in_its_turn", lambda: found == (77 if has else 0) and v.notes.are(
        ("draw", v.vault),
        *[("turn", pool + length * WORD, length, v.vault + 8 + group * WORD, other)] * has))


def exchange_mapping(source: Any, path: Any) -> None:
    """Any record."""
    v, oldest = Vaulted(path), or_null(path, "oldest")
    with replaced(source.quarantine, **v.notes.answering(turn=oldest)):
        found = source.quarantine.exchange_mapping(v.m, v.vault, v.record)
    path.claim("mappings_wait_in_their_turn", lambda: found == oldest and only(v.m) and v.notes.are(
        ("turn", v.vault + HARDENED["MAPPINGS_WAIT"], 32, v.vault + HARDENED["MAPPINGS_TURN"], v.record)))


def _proof(of: str, body: Any, **more: str) -> Proof:
    return Proof(of, ANY_HEAP, body, more=more)


PROOFS = (
    _proof("vault.guard", guard, a_guard_has_no_access_or_is_missed="no word changes; what the system refuses is left"),
    _proof("vault.leave_unguarded", leave_unguarded, a_missing_guard_is_shown_once="with the first that is missing"),
    Proof("vault.map_pages", ANY_HEAP, map_pages, {
        "new_pages_are_zero": "the pages are zero",
        "refused_pages_change_nothing": "false only if the system refused, and then nothing has changed"}, more={
        "new_pages_lie_between_guards": "of at least the random sizes, aligned; beyond MOST_GUARDED pieces of none",
        "new_pages_are_noted_and_counted": "in the record and the vault; no other word changes"}),
    _proof("vault.unmap_pages", unmap_pages, pages_go_with_their_guards="and are counted no more where they went"),
    _proof("vault.map_guarded", map_guarded, pieces_of_the_vault_lie_between_guards="of 64 KiB on both sides"),
    _proof("vault.unmap_guarded", unmap_guarded, a_piece_of_the_vault_goes_with_its_guards="unless that is refused"),
    _proof("vault.open_vault", open_vault, a_vault_is_made_where_there_is_none="NULL where the system refuses one"),
    _proof("vault.table_in", table_in, a_table_is_made_where_there_is_none="NULL where the system refuses one"),
    Proof("vault.enter", ANY_HEAP, enter, {
        "a_refused_table_leads_where_it_did":
            "false only if the system refused memory for the table, and then it leads where it did"}, more={
        "the_leaf_leads_to_the_record": "found from the root and the middle; no other word changes"}),
    _proof("vault.new_record", new_record,
           records_that_were_given_up_come_first="then fresh ones, of a new chunk where need be; NULL if refused",
           a_fresh_record_is_the_next_of_its_chunk="the one after is fresh then",
           chunks_are_added_where_one_ends="or where there is none"),
    _proof("vault.give_up", give_up, what_is_given_up_is_the_first_of_no_kind="before those that were there"),
    _proof("vault.abandon", abandon,
           a_record_is_given_up_with_its_pages_or_keeps_them="what the system refuses to take is known still"),
    _proof("vault.add_chunk", add_chunk, a_chunk_ends_with_the_way_to_the_one_before="nothing changes if refused"),
    _proof("quarantine.turn", turn,
           the_oldest_makes_room="it is answered, the entry takes its place",
           the_next_is_the_oldest_then="round the end"),
    _proof("quarantine.exchange", exchange,
           what_waits_takes_a_place_at_random="in the pool of its group",
           what_was_there_waits_in_its_turn="in the ring; 0 where nothing was there"),
    _proof("quarantine.exchange_mapping", exchange_mapping, mappings_wait_in_their_turn="32 of them"),
)
