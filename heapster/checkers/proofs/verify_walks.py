"""The walks that `verify` is made of, a node at a time: the rest of `impl/verify.py`."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.dump import ShownHeap
from heapster.checkers.proofs.layout_spec import (
    ARENA_RECORD,
    CLASS,
    LAYOUT,
    LOST,
    MAPPED_LEAD,
    MIN_BLOCK,
    NEXT,
    NODE,
    PAGE,
    PAYLOAD,
    PREV,
    STATICS,
    TOTALS,
    aborts,
    header,
    mapped_header,
)
from heapster.checkers.proofs.local_heap import no_longer_first
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import Over
from heapster.machine.linear import Infeasible
from heapster.machine.symbolic import HIGHEST, LOWEST


class CountedNodes:
    """The loop of `listed`, cut: so many nodes were passed; any is next, or the end."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, ShownHeap(path)
        self.head, self.k = self.w.statics + STATICS["kept"], self.w.span("k", MIN_BLOCK)
        self.after, self.before = path.word("after", LOWEST, HIGHEST, 8), path.word("before", 0, TOTALS)
        self.w.m.put(self.head + NEXT, self.k, "first")
        self.w.m.put(self.k + NEXT, self.after, "next")

    def enter(self, count: Any, k: Any) -> list[Any]:
        """It begins with the first, and none."""
        self.path.claim("nodes_are_counted_from_the_first", lambda: count == 0 and k == self.k)
        no_longer_first(self.path, self.w.m, self.head + NEXT)
        return [self.before, self.k if self.path.choose(2) else self.head]

    def again(self, count: Any, k: Any) -> None:
        """One more, and the next is next."""
        self.path.claim("each_node_of_a_list_counts_once", lambda: count == self.before + 1 and k == self.after
                        and self.w.are())
        raise Over


def listed(source: Any, path: Any) -> None:
    """Any list, a node at a time."""
    c = CountedNodes(path)
    try:
        count = cut(source.verify.listed, c)(c.w.m, c.head)
    except Over:
        return
    path.claim("how_many_nodes_a_list_has_is_told", lambda: count == c.before and c.w.are())


class SoughtCursor:
    """The loop of `verify_cursor`, cut: any block is next, at the cursor or not, or the head."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, ShownHeap(path)
        self.b, self.after = self.w.span("b", MIN_BLOCK), path.word("after", LOWEST, HIGHEST, 8)
        self.cursor = (self.b, self.w.head, self.w.span("elsewhere", MIN_BLOCK))[path.choose(3)]
        for place, word in ((self.w.head + NEXT, self.b), (self.b + NEXT, self.after),
                            (self.w.at("cursor"), self.cursor)):
            self.w.m.put(place, word, "word")

    def enter(self, b: Any) -> list[Any]:
        """It begins with the first."""
        self.path.claim("the_cursor_is_sought_from_the_first", lambda: b == self.b)
        no_longer_first(self.path, self.w.m, self.w.head + NEXT)
        if self.path.choose(2):
            return [self.b]
        if self.cursor is self.b:
            raise Infeasible            # it would have been found there
        return [self.w.head]

    def again(self, b: Any) -> None:
        """The cursor is not there: the next is next."""
        self.path.claim("the_search_for_the_cursor_goes_on", lambda: b == self.after and self.cursor != self.b
                        and self.w.are())
        raise Over


def verify_cursor(source: Any, path: Any) -> None:
    """Any list, a block at a time; the cursor is anywhere."""
    s, ended = SoughtCursor(path), []

    def run() -> None:
        try:
            cut(source.verify.verify_cursor, s)(s.w.m, s.w.arena)
            ended.append(1)
        except Over:
            pass

    code = aborts(s.w.m, run, s.cursor)
    if code or ended:
        away = bool(s.cursor != s.b) and bool(s.cursor != s.w.head)
        path.claim("a_cursor_that_is_on_no_list_is_named", lambda: code == (
            LAYOUT["CURSOR_IS_ON_THE_LIST"] if away else 0) and s.w.are())


class WalkedMappings:
    """The loop of `verify_mappings`, cut: any mapped block is next, rightly linked or not, or the end."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, ShownHeap(path)
        w, self.true, self.lost = self.w, (path.choose(2), path.choose(2)), path.choose(2)
        self.record = w.statics + STATICS["mappings"]
        self.head, self.node = self.record + ARENA_RECORD["head"], w.span("node", MIN_BLOCK + MAPPED_LEAD)
        self.size, self.before = path.word("size", PAGE, 1 << 44, PAGE), (
            path.word("count before", 0, TOTALS), path.word("total before", 0, TOTALS))
        before, self.after = (w.span(name, MIN_BLOCK) for name in ("before", "after"))
        self.told = {name: path.word(name, 0, TOTALS) for name in ("used_bytes", "used_blocks")}
        for name, word in self.told.items():
            w.m.put(self.record + ARENA_RECORD[name], word, name)
        for place, word in ((self.head, header(0, 0) + LOST * self.lost), (self.head + NEXT, self.node),
                            (self.node - NODE, mapped_header(self.size)), (self.node + NEXT, self.after),
                            (self.node + PREV, before), (before + NEXT, self.node if self.true[0] else before),
                            (self.after + PREV, self.node if self.true[1] else before)):
            w.m.put(place, word, "word")

    def enter(self, count: Any, node: Any, total: Any) -> list[Any]:
        """It begins with the first, and none."""
        self.path.claim("mapped_blocks_are_checked_from_the_first", lambda: count == 0 == total and node == self.node)
        no_longer_first(self.path, self.w.m, self.head + NEXT)
        return [self.before[0], self.node if self.path.choose(2) else self.head, self.before[1]]

    def again(self, count: Any, node: Any, total: Any) -> None:
        """It was checked and counted, and the next is next."""
        self.path.claim("each_mapped_block_is_checked_and_counted", lambda: count == self.before[0] + 1 and self.w.are()
                        and total == self.before[1] + self.size and node == self.after and all(self.true)
                        and self.w.notes.are(("verify_mapped", self.node - NODE)))
        raise Over


def verify_mappings(source: Any, path: Any) -> None:
    """Any list of mapped blocks, one at a time, and any totals."""
    walk, ended, turned = WalkedMappings(path), [], []
    m = walk.w.m

    def run() -> None:
        try:
            cut(source.verify.verify_mappings, walk)(m)
            ended.append(1)
        except Over:
            turned.append(1)

    with replaced(source.verify, **walk.w.notes.answering(verify_mapped=0, verify_kept=0)):
        code = aborts(m, run, walk.record)
    if turned:
        return
    agrees = walk.lost or bool(walk.told["used_blocks"] == walk.before[0] and walk.told["used_bytes"] == walk.before[1])
    if ended:
        path.claim("mapped_blocks_are_what_is_counted", lambda: agrees and not m.held
                   and walk.w.notes.are(("verify_kept", walk.record)))
    elif code == LAYOUT["LEDGERS_EQUAL_RECOMPUTED_TOTALS"]:
        path.claim("mapped_blocks_are_what_is_counted", lambda: not agrees)
    else:
        path.claim("a_false_link_of_a_mapped_block_is_named", lambda: not all(walk.true))


def verify_classes(source: Any, path: Any) -> None:
    """Lists of up to two classes of up to two blocks, of which one may be of another class."""
    w, classes = ShownHeap(path), (3, CLASS["count"] - 1)[:path.choose(3)]
    wrong, count, done = path.choose(2), path.word("count", 0, TOTALS), []
    first, lists = True, {}
    for index in classes:
        blocks = [w.span("b", MIN_BLOCK) for _ in range(path.choose(3))]
        lists[index] = blocks
        for u, v in zip([w.of_class(index), *blocks], [*blocks, w.of_class(index)], strict=True):
            w.m.put(u + NEXT, v, "next")
        for b in blocks:
            w.m.put(b, header(MIN_BLOCK if first and wrong else 64 * (1 + classes.index(index)), w.owner, 0), "header")
            first = False

    def verify_list(_: Any, head: Any, may_come: Any) -> Any:
        """See `impl.verify.verify_list`: so many fewer may come then."""
        index = next(each for each in classes if bool(head == w.of_class(each)))
        done.append((index, may_come))
        return may_come - len(lists[index])

    broken = _first_broken(w, lists, wrong=bool(wrong))
    answers: list[Any] = []
    with replaced(source.verify, verify_list=verify_list,
                  class_of=lambda size: {64: 3, 128: CLASS["count"] - 1}.get(size, -1),
                  next_class=lambda m, arena, index: next((each for each in classes if each >= index), CLASS["count"])):
        code = aborts(w.m, lambda: answers.append(source.verify.verify_classes(w.m, w.arena, count)), broken[1])
    if broken[0]:
        path.claim("a_class_that_is_marked_for_nothing_is_named", lambda: code == LAYOUT[broken[0]])
    else:
        path.claim("blocks_of_all_classes_are_counted", lambda: code == 0 and w.are() and answers == [
            count - sum(len(blocks) for blocks in lists.values())] and [index for index, _ in done] == list(classes))


def _first_broken(w: ShownHeap, lists: dict[int, list[Any]], *, wrong: bool) -> tuple[str, Any]:
    """The clause that is broken first, and what is said to break it; none, if none is."""
    for blocks in lists.values():
        if not blocks:
            return "CLASSES_ARE_MARKED_WHILE_THEY_HAVE_BLOCKS", w.arena
        if wrong:
            return "FREE_BLOCKS_ARE_IN_THEIR_CLASS", blocks[0] + PAYLOAD
    return "", w.arena


PROOFS = (
    Proof("verify.listed", ANY_HEAP, listed, more={
        "nodes_are_counted_from_the_first": "it begins with the first",
        "each_node_of_a_list_counts_once": "each turn counts one, and goes on",
        "how_many_nodes_a_list_has_is_told": "at the end their number is answered"}),
    Proof("verify.verify_cursor", ANY_HEAP, verify_cursor, more={
        "the_cursor_is_sought_from_the_first": "it begins with the first",
        "the_search_for_the_cursor_goes_on": "each turn passes a block that it is not at",
        "a_cursor_that_is_on_no_list_is_named": "it aborts at the end where the cursor is nowhere, and only then"}),
    Proof("verify.verify_mappings", ANY_HEAP, verify_mappings, more={
        "mapped_blocks_are_checked_from_the_first": "it begins with the first",
        "each_mapped_block_is_checked_and_counted": "each turn checks one, and goes on",
        "mapped_blocks_are_what_is_counted": "it aborts if the totals are others, unless the list is lost; else what "
                                             "is kept is checked",
        "a_false_link_of_a_mapped_block_is_named": "it aborts on a false link"}),
    Proof("verify.verify_classes", "lists of up to 2 classes of up to 2 blocks", verify_classes, more={
        "a_class_that_is_marked_for_nothing_is_named": "it aborts on a class without blocks, and on a block of another",
        "blocks_of_all_classes_are_counted": "else it answers how many lack"}),
)
