"""Classes of sizes and the map of those that have blocks: what is proved of `impl/classes.py`."""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.layout_spec import ALIGN, CACHE, CLASS, MIN_BLOCK, NEXT, PREV, WORD, only
from heapster.checkers.proofs.local_heap import Window

LARGEST = 1 << 47
COUNT, PER_WORD = CLASS["count"], CLASS["bits"]
MAP_WORDS = range(COUNT // PER_WORD + 1)


def least(index: int) -> int:
    """The least size of a class: each size has its own below 512, then each doubling has eight; -1 is of 16 bytes."""
    if index < CLASS["exact"]:
        return MIN_BLOCK + ALIGN * index
    octave, step = divmod(index - CLASS["exact"], CLASS["steps"])
    return CLASS["first_step"] // CLASS["steps"] * (CLASS["steps"] + step) << octave


def a_size_of(path: Any, index: int) -> Any:
    """Any size of a class."""
    return path.word("total", least(index), least(index + 1) - ALIGN if index + 1 < COUNT else LARGEST, ALIGN)


def class_of(source: Any, path: Any) -> None:
    """Each size, by the class that it should be of."""
    index = path.choose(COUNT + 1) - 1
    total = a_size_of(path, index)
    result = source.classes.class_of(total)
    path.claim("there_are_so_many_classes", lambda: result < COUNT)
    path.claim("classes_are_intervals_of_sizes", lambda: result == index)
    path.claim("small_sizes_have_classes_of_their_own", lambda: (
        total >= CLASS["first_step"] or total == least(index)))


def least_of_class(source: Any, path: Any) -> None:
    """Each class."""
    index = path.choose(COUNT)
    total = source.classes.least_of_class(index)
    path.claim("the_least_of_a_class_is_of_it", lambda: source.classes.class_of(total) == index)
    path.claim("below_the_least_of_a_class_is_another", lambda: source.classes.class_of(total - ALIGN) == index - 1)


def class_entry(source: Any, path: Any) -> None:
    """Each size that caches have, by the class that it should be of, and the size before them."""
    index = path.choose(CLASS["cached"])
    units = path.word("units", least(index) // ALIGN, min(least(index + 1), CACHE["most_cached"] + ALIGN) // ALIGN - 1)
    result = source.classes.class_entry(units)
    path.claim("an_entry_has_the_class", lambda: result >> 1 == index + 1)
    path.claim("the_least_of_a_class_is_told_from_others", lambda: (result & 1 == 0) == (units * ALIGN == least(index)))


def class_entry_of_none(source: Any, path: Any) -> None:
    """Each size that is too small for a block, or too large for a bin."""
    less, more = MIN_BLOCK // ALIGN - 1, CACHE["most_cached"] // ALIGN + 1
    units = path.word("units", *((0, less), (more, CACHE["least_large"] // ALIGN - 1))[path.choose(2)])
    path.claim("what_no_bin_has_is_the_least_of_no_class", lambda: source.classes.class_entry(units) == 1)


def class_for(source: Any, path: Any) -> None:
    """Each size that caches have, by the class that it should be answered."""
    index = path.choose(CLASS["cached"])
    total = path.word("total", least(index - 1) + ALIGN, least(index), ALIGN)
    result = source.classes.class_for(total)
    path.claim("a_class_for_a_size_has_no_smaller_block", lambda: result == index and least(index) >= total
               and 8 * (least(index) - total) < total)
    path.claim("no_lesser_class_would_do", lambda: result == index and least(index - 1) < total)


def class_for_request(source: Any, path: Any) -> None:
    """Each request that caches may have blocks for, by the class that it should be answered."""
    index = path.choose(CLASS["cached"])
    request = path.word("request", least(index - 1) - WORD + 1 if index else 0, least(index) - WORD)
    result = source.classes.class_for_request(request)
    path.claim("a_request_has_the_class_of_its_block", lambda: result == index == source.classes.class_for(
        source.block.block_size(request)))


def class_head(source: Any, path: Any) -> None:
    """Each arena and any two classes."""
    w = Window(path)
    one, other = (path.word(name, 0, COUNT - 1) for name in ("one", "other"))
    head, another = (source.classes.class_head(w.arena, index) for index in (one, other))
    path.claim("links_of_classes_lie_in_the_record", lambda: head + NEXT >= w.at("classes")
               and head + PREV + 8 <= w.at("remote"))
    path.claim("classes_have_links_of_their_own", lambda: head - another == (one - other) * (PREV - NEXT + 8))
    path.claim("a_head_tells_its_class", lambda: source.classes.class_at(w.arena, head) == one)


def some_bits(path: Any, low: int, high: int) -> Any:
    """Any word of which no bits are set but those from `low` up to `high`."""
    return path.word("bits", 0, (1 << high - low) - 1) * (1 << low) if low < high else 0


def others_marked(path: Any, index: int) -> Any:
    """Any word of the map, without the bit of the class."""
    place = index % PER_WORD
    return some_bits(path, 0, place) + some_bits(path, place + 1, PER_WORD)


def map_word(w: Window, index: int) -> Any:
    """Where the map has the bit of the class."""
    return w.at("class_map") + 8 * (index // PER_WORD)


def open_class(source: Any, path: Any) -> None:
    """Each class, marked or not, and any others marked."""
    w = Window(path)
    m, index = w.m, path.choose(COUNT)
    marked, bit, where, others = path.choose(2), 1 << index % PER_WORD, map_word(w, index), others_marked(path, index)
    m.put(where, others + marked * bit, "map")
    links = source.classes.class_head(w.arena, index) + NEXT
    first, last = path.word("first"), path.word("last")
    m.put(links, first, "first")
    m.put(links + 8, last, "last")
    head = source.classes.open_class(m, w.arena, index)
    path.claim("an_open_class_is_marked", lambda: head == links - NEXT and m.load(where) == others + bit)
    if marked:
        path.claim("an_open_class_stays", lambda: only(m))
    else:
        path.claim("a_new_class_has_an_empty_list", lambda: m.load(links) == head and m.load(links + 8) == head
                   and only(m, where, links, links + 8))


def close_class(source: Any, path: Any) -> None:
    """Each class that is marked, and any others marked."""
    w = Window(path)
    m, index = w.m, path.choose(COUNT)
    where, others = map_word(w, index), others_marked(path, index)
    m.put(where, others + (1 << index % PER_WORD), "map")
    source.classes.close_class(m, w.arena, index)
    path.claim("a_closed_class_is_not_marked", lambda: m.load(where) == others)
    path.claim("closing_a_class_changes_no_more", lambda: only(m, where))


def lowest_bit(source: Any, path: Any) -> None:
    """Each word, by its lowest bit."""
    place = path.choose(PER_WORD)
    bits = path.word("bits", 1 << place, (1 << PER_WORD) - 1, 2 << place, 1 << place)
    result = source.classes.lowest_bit(bits)
    path.claim("the_lowest_bit_is_set", lambda: result <= place)
    path.claim("no_lower_bit_is_set", lambda: result >= place)


def next_class(source: Any, path: Any) -> None:
    """From each class, each next one that is marked, or none, and any others marked."""
    w = Window(path)
    m, index = w.m, path.choose(COUNT + 1)
    following = index + path.choose(COUNT + 1 - index)
    for word in MAP_WORDS:
        m.put(w.at("class_map") + 8 * word, _map_word(path, word, index, following), "map")
    result = source.classes.next_class(m, w.arena, index)
    path.claim("the_next_class_is_the_next_that_is_marked", lambda: result == following)
    path.claim("looking_for_a_class_writes_nothing", lambda: only(m))


def _map_word(path: Any, word: int, index: int, following: int) -> Any:
    """A word of a map in which `following` is marked, none from `index` to it is, and any other may be."""
    first, end = word * PER_WORD, min(word * PER_WORD + PER_WORD, COUNT)
    below = some_bits(path, 0, min(index, end) - first)
    above = some_bits(path, max(following + 1, first) - first, end - first)
    return below + above + (1 << following - first if first <= following < end else 0)


PROOFS = (
    Proof("classes.class_of", ALL_WORDS, class_of, {
        "there_are_so_many_classes": "result < CLASS_COUNT",
        "classes_are_intervals_of_sizes": "larger sizes have no lesser class",
        "small_sizes_have_classes_of_their_own": "sizes below EXACT have classes of their own",
    }),
    Proof("classes.least_of_class", ALL_WORDS, least_of_class, {
        "the_least_of_a_class_is_of_it": "class_of(result) == index",
        "below_the_least_of_a_class_is_another": "no lesser size is of the class",
    }),
    Proof("classes.class_entry", ALL_WORDS, class_entry, {
        "an_entry_has_the_class": "result >> 1 is its class plus 1",
        "the_least_of_a_class_is_told_from_others": "result is even exactly if it is the least size of its class",
    }),
    Proof("classes.class_entry", ALL_WORDS, class_entry_of_none, {
        "what_no_bin_has_is_the_least_of_no_class": "1 for what is too small for a block or too large for a bin",
    }, suffix="_of_what_no_bin_has"),
    Proof("classes.class_for_request", ALL_WORDS, class_for_request, {
        "a_request_has_the_class_of_its_block": "result == class_for(block_size(request))",
    }),
    Proof("classes.class_for", ALL_WORDS, class_for, {
        "a_class_for_a_size_has_no_smaller_block":
            "least_of_class(result) >= total, by less than an eighth of it",
        "no_lesser_class_would_do": "of no lesser class it is",
    }),
    Proof("classes.class_head", ALL_WORDS, class_head, {
        "links_of_classes_lie_in_the_record": "the links lie in the arena's record from CLASSES on",
        "classes_have_links_of_their_own": "classes have links of their own",
    }, also={
        "a_head_tells_its_class": ("classes.class_at", "class_at(arena, class_head(arena, index)) == index"),
    }),
    Proof("classes.open_class", ANY_HEAP, open_class, {
        "an_open_class_is_marked": "the class is marked",
        "a_new_class_has_an_empty_list": "the list of one that was not is empty and linked both ways",
        "an_open_class_stays": "else no word changes",
    }),
    Proof("classes.close_class", ANY_HEAP, close_class, {
        "a_closed_class_is_not_marked": "it is not marked",
        "closing_a_class_changes_no_more": "no other bit of the map and no other word changes",
    }),
    Proof("classes.lowest_bit", ALL_WORDS, lowest_bit, {
        "the_lowest_bit_is_set": "that bit is set",
        "no_lower_bit_is_set": "no lower one is",
    }),
    Proof("classes.next_class", ANY_HEAP, next_class, {
        "the_next_class_is_the_next_that_is_marked": "none between is marked",
        "looking_for_a_class_writes_nothing": "no word changes",
    }),
)
