"""Segregated fit, by induction on the list of a class: what is proved of it in `impl/placement.py`."""

from itertools import pairwise
from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.classes import COUNT, PER_WORD, a_size_of
from heapster.checkers.proofs.layout_spec import MIN_BLOCK, NEXT, PREV, header, only
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import HERE, Over, Walk
from heapster.machine.symbolic import HIGHEST
from heapster.model import placement as model
from heapster.model.geometry import PROBES

SEGREGATED = list(model.POLICIES).index("segregated_fit")
OWN, NEXT_UP = 40, 57               # stand for the class of a request and the next above that is marked
SOME_CLASSES = (3, 40, 57, COUNT - 1)


class InClass(Walk):
    """Every block seen is too small, and fewer were seen than may be looked at."""

    PARTS = ("tells_none", "takes_the_first")

    def __init__(self, path: Any, name: str) -> None:
        super().__init__(path, name)
        self.most = path.word("most", 1, 1 << 40)
        self.looked = path.word("looked", 0, 1 << 40)

    def _window(self, path: Any) -> Window:
        w = Window(path, segregated=True)
        w.look_at(w.of_class(OWN))
        return w

    def enter(self, b: Any, most: Any) -> list[Any]:
        """The walk begins at the first block."""
        self.unfinished(self.PARTS, lambda: b == self.first and most == self.most)
        self.arrive()
        self.path.require(self.looked, "<", self.most)
        if self.seen():
            self.no_fit()
        return [self.here, self.most - self.looked]

    def again(self, b: Any, most: Any) -> None:
        """It goes on to the next; this one was too small, and one fewer may be looked at."""
        self.unfinished(self.PARTS, lambda: b == self.next and most == self.most - self.looked - 1 and most > 0
                        and (self.place != HERE or self.size < self.want))
        raise Over

    def ended(self, result: Any) -> None:
        """What it answers."""
        if result == 0:
            self.claim("tells_none", lambda: self.witness_size < self.want if self.at_end else
                       self.looked + 1 == self.most)
        else:
            self.claim("takes_the_first", lambda: result == self.here and self.size >= self.want
                       and not self.at_end and (not self.seen() or self.witness_size < self.want))
        self.claim("writes_nothing", lambda: only(self.m))


def fitting_in_class(source: Any, path: Any) -> None:
    """Any list of a class."""
    loop = InClass(path, "fitting")
    try:
        result = cut(source.placement.fitting_in_class, loop)(loop.m, loop.w.arena, OWN, loop.want, loop.most)
    except Over:
        return
    loop.ended(result)


class ClassLists:
    """Lists of classes of any length, of which a proof knows what the contracts of what is called say.

    Of the classes only their order matters here: OWN is that of the request; of those above, NEXT_UP is the
    least that has blocks, if one has. The witness is any block, of any class.
    """

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, Window(path, segregated=True)
        self.m = self.w.m
        self.want, self.blocks = path.word("want", MIN_BLOCK, 1 << 47), path.word("blocks", 1, 1 << 40)
        self.m.put(self.w.at("free_blocks"), self.blocks, "free blocks")
        self.own, self.above = path.choose(2), path.choose(2)       # have they blocks?
        self.witness = path.word("witness", MIN_BLOCK, 1 << 47)
        self.of_witness = (-1, OWN, NEXT_UP)[path.choose(3)]
        if self.of_witness < OWN:                                   # larger sizes have no lesser class
            path.require(self.witness, "<", self.want)
        self.first = self.w.span("first", MIN_BLOCK)
        self.first_size = path.word("first_size", MIN_BLOCK, 1 << 47)
        if self.above:
            path.require(self.want, "<", self.first_size)
            self.m.put(self.w.of_class(NEXT_UP) + NEXT, self.first, "first of the next class")
        self.found, self.found_size = self.w.span("found", MIN_BLOCK), path.word("found_size", MIN_BLOCK, 1 << 47)
        self.looked: list[tuple[int, Any]] = []                     # at which class, and at how many at most, in vain

    def exists(self) -> bool:
        """Whether the class of the witness has blocks, as it must."""
        return self.of_witness < OWN or bool(self.own if self.of_witness == OWN else self.above)

    def class_of(self, total: Any) -> int:
        """See `impl.classes.class_of`; only the request's is asked for."""
        self.path.claim("segregated_fit_fits", lambda: total == self.want)
        return OWN

    def next_class(self, m: Any, arena: Any, index: int) -> int:
        """See `impl.classes.next_class`."""
        if index <= OWN and self.own:
            return OWN
        return NEXT_UP if self.above and index <= NEXT_UP else COUNT

    def fitting_in_class(self, m: Any, arena: Any, index: int, want: Any, most: Any) -> Any:
        """See `impl.placement.fitting_in_class`: if it looked at all, none fits where it answers NULL."""
        if self.path.choose(2):
            self.path.require(want, "<=", self.found_size)
            return self.found
        if index == OWN == self.of_witness and most is self.blocks:     # no class has more than there are
            self.path.require(self.witness, "<", want)
        self.looked.append((index, most))
        return 0


def segregated_fit(source: Any, path: Any) -> None:
    """Any lists, by the contracts of what looks at them."""
    c = ClassLists(path)
    if not c.exists():
        return
    with replaced(source.placement, class_of=c.class_of, next_class=c.next_class,
                  fitting_in_class=c.fitting_in_class):
        result = source.placement.segregated_fit(c.m, c.w.arena, c.want)
    if result == 0:
        path.claim("segregated_fit_misses_few", lambda: not c.above and c.looked == [(OWN, PROBES)] * c.own)
    else:
        path.claim("segregated_fit_fits", lambda: result == c.found and c.found_size >= c.want
                   or bool(c.above) and result == c.first and c.first_size >= c.want)
    path.claim("segregated_fit_writes_nothing", lambda: only(c.m))


def find_further(source: Any, path: Any) -> None:
    """Any lists that `find` searched in vain: there is no block of a larger class."""
    c = ClassLists(path)
    if c.above or not c.exists():
        return
    with replaced(source.placement, class_of=c.class_of, next_class=c.next_class,
                  fitting_in_class=c.fitting_in_class):
        result = source.placement.find_further(c.m, c.w.arena, c.want)
    if result == 0:
        path.claim("looking_further_misses_nothing", lambda: c.witness < c.want)
    else:
        path.claim("looking_further_finds_what_fits", lambda: result == c.found and c.found_size >= c.want)
    path.claim("looking_further_writes_nothing", lambda: only(c.m))


def find_further_on_one_list(source: Any, path: Any) -> None:
    """An arena with one list, which its policy searched whole."""
    w = Window(path)
    result = source.placement.find_further(w.m, w.arena, a_size_of(path, SOME_CLASSES[path.choose(len(SOME_CLASSES))]))
    path.claim("one_list_is_not_searched_twice", lambda: result == 0 and only(w.m))


class Few:
    """A few free blocks of some classes, on one list or on those of their classes, in any order."""

    def __init__(self, path: Any, *, segregated: bool) -> None:
        w = self.w = Window(path, segregated=segregated)
        self.m = w.m
        self.m.put(w.at("cursor"), w.head if segregated else path.word("cursor", 0, HIGHEST), "cursor")
        self.blocks = [self._block(path, number) for number in range(path.choose(4))]
        self.m.put(w.at("free_blocks"), len(self.blocks), "free blocks")
        for head, blocks in self.lists(segregated=segregated):
            for u, v in pairwise((head, *blocks, head)):
                self.m.put(u + NEXT, v, "next")
                self.m.put(v + PREV, u, "prev")
        for word, bits in self.marked(segregated=segregated).items():
            self.m.put(w.at("class_map") + 8 * word, bits, "map")

    def _block(self, path: Any, number: int) -> tuple[Any, Any, int]:
        """A free block: its address, size and class."""
        index = SOME_CLASSES[path.choose(len(SOME_CLASSES))]
        size = a_size_of(path, index)
        b = self.w.span(f"block{number}", size)
        self.m.put(b, header(size, self.w.owner, 0), f"header of block {number}")
        return b, size, index

    def of_class(self, index: int) -> list[Any]:
        """The blocks of a class, in their order."""
        return [b for b, _, at in self.blocks if at == index]

    def lists(self, *, segregated: bool) -> list[tuple[Any, list[Any]]]:
        """Heads, and what should be on their lists."""
        if not segregated:
            return [(self.w.head, [b for b, _, _ in self.blocks])]
        return [(self.w.head, []), *((self.w.of_class(index), self.of_class(index))
                                     for index in SOME_CLASSES if self.of_class(index))]

    def marked(self, *, segregated: bool) -> dict[int, int]:
        """What the words of the map should be."""
        classes = {index for _, _, index in self.blocks} if segregated else set()
        return {word: sum(1 << index % PER_WORD for index in classes if index // PER_WORD == word)
                for word in range(COUNT // PER_WORD + 1)}

    def places(self) -> list[Any]:
        """Where arranging them otherwise may write: links, the map, the cursor, and which lists there are."""
        heads = (self.w.head, *(self.w.of_class(index) for index in SOME_CLASSES))
        return [self.w.at("cursor"), self.w.at("segregated"),
                *(self.w.at("class_map") + 8 * word for word in range(COUNT // PER_WORD + 1)),
                *(node + link for node in (*heads, *(b for b, _, _ in self.blocks)) for link in (NEXT, PREV))]

    def is_arranged(self, *, segregated: bool) -> bool:
        """Whether memory has the lists, both ways, and the map."""
        load = self.m.load
        links = [(u, v) for head, blocks in self.lists(segregated=segregated)
                 for u, v in pairwise((head, *blocks, head))]
        return all(load(u + NEXT) == v and load(v + PREV) == u for u, v in links) and all(
            load(self.w.at("class_map") + 8 * word) == bits for word, bits in self.marked(segregated=segregated).items()
        ) and load(self.w.at("segregated")) == segregated and load(self.w.at("cursor")) == self.w.head and (
            load(self.w.head) == header(0, self.w.owner))


def segregate(source: Any, path: Any) -> None:
    """Each list of up to three blocks."""
    few = Few(path, segregated=False)
    source.freelist.segregate(few.m, few.w.arena)
    path.claim("segregating_keeps_the_order", lambda: few.is_arranged(segregated=True))
    path.claim("segregating_writes_no_more", lambda: only(few.m, *few.places()))


def unite(source: Any, path: Any) -> None:
    """Up to three blocks on the lists of their classes."""
    few = Few(path, segregated=True)
    source.freelist.unite(few.m, few.w.arena)
    path.claim("uniting_writes_no_more", lambda: only(few.m, *few.places()))
    few.blocks.sort(key=lambda block: block[2])
    path.claim("uniting_goes_class_by_class", lambda: few.is_arranged(segregated=False))


def arrange(source: Any, path: Any) -> None:
    """Each policy, on lists of either kind."""
    segregated, policy, called = bool(path.choose(2)), path.choose(len(model.POLICIES)), []
    w = Window(path, segregated=segregated)
    with replaced(source.placement, segregate=lambda *_: called.append("segregate"),
                  unite=lambda *_: called.append("unite")):
        source.placement.arrange(w.m, w.arena, policy)
    wanted = policy == SEGREGATED
    path.claim("lists_are_those_of_the_policy", lambda: called == (
        [] if wanted == segregated else ["segregate"] if wanted else ["unite"]) and only(w.m))


def find(source: Any, path: Any) -> None:
    """Up to three blocks of some classes, on either kind of lists."""
    few = Few(path, segregated=bool(path.choose(2)))
    want = a_size_of(path, SOME_CLASSES[path.choose(len(SOME_CLASSES))])
    numbered = [(place + 1, size) for place, (_, size, _) in enumerate(few.blocks)]

    def class_of(total: Any) -> int:
        return int(path.settled(source.classes.class_of(total)))

    with replaced(model, class_of=class_of):
        index = model.segregated_fit(numbered, want, 0)
    result = source.placement.find(few.m, few.w.arena, want, SEGREGATED)
    path.claim("segregated_fit_agrees_with_the_model", lambda: result == (
        0 if index == model.NONE_FITS else few.blocks[index][0]))
    path.claim("looking_moves_no_block", lambda: few.is_arranged(segregated=True))


FEW = "heaps of up to 3 free blocks"
PROOFS = (
    Proof("freelist.segregate", FEW, segregate, {
        "segregating_keeps_the_order": "each class has its blocks in the order in which they were on the list",
    }, more={"segregating_writes_no_more": "no word but links, the map and the cursor changes"}),
    Proof("freelist.unite", FEW, unite, {
        "uniting_goes_class_by_class":
            "they are there class by class, least first, and in each in the order in which they were",
    }, more={"uniting_writes_no_more": "no word but links, the map and the cursor changes"}),
    Proof("placement.arrange", ANY_HEAP, arrange, more={
        "lists_are_those_of_the_policy": "free blocks are on the lists of classes exactly if the policy searches those",
    }),
    Proof("placement.fitting_in_class", ANY_HEAP, fitting_in_class, more={
        "fitting_takes_the_first": "the first block of the class that fits",
        "fitting_tells_none": "NULL only if no block of the class fits, or so many were looked at",
        "fitting_writes_nothing": "no word changes",
    }),
    Proof("placement.segregated_fit", ANY_HEAP, segregated_fit, {
        "segregated_fit_misses_few":
            "NULL only if no block of a larger class is there, and none of these few of its own fits",
        "segregated_fit_fits": "otherwise it fits",
        "segregated_fit_writes_nothing": "no word changes",
    }),
    Proof("placement.find_further", ANY_HEAP, find_further, {
        "looking_further_misses_nothing": "NULL only if no free block fits",
        "looking_further_finds_what_fits": "otherwise it fits",
        "looking_further_writes_nothing": "no word changes",
    }),
    Proof("placement.find_further", ANY_HEAP, find_further_on_one_list, more={
        "one_list_is_not_searched_twice": "where blocks are on one list, which `find` searched, it answers NULL",
    }, suffix="_on_one_list"),
    Proof("placement.find", FEW, find, more={
        "segregated_fit_agrees_with_the_model": "segregated fit chooses as the model's policy of that name",
        "looking_moves_no_block": "each block is on the list of its class, in the old order",
    }, suffix="_by_classes"),
)
