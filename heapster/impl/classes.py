"""Classes of sizes: a list of free blocks for each, and a map of those that have any.

The lists of `segregated_fit`, and the bins of caches. Below EXACT each size has a class of its own; from there each
doubling has STEPS.
Masmano, Ripoll, Crespo and Real (2004), "TLSF: a new dynamic memory allocator for real-time systems".
"""

from .layout import (
    ALIGN_SHIFT,
    CLASS_BITS,
    CLASS_COUNT,
    CLASS_MAP,
    CLASS_SHIFT,
    CLASSES,
    EXACT,
    EXACT_CLASSES,
    FIRST_STEP_SHIFT,
    MAP_SHIFT,
    MIN_BLOCK,
    MOST_CACHED,
    NEXT,
    PREV,
    STEPS,
    STEPS_SHIFT,
    TOP_CLASS,
    WORD,
)
from .run_layout import SHORT


def class_of(total):
    """The class of blocks of `total` bytes.

    Requires: total is a multiple of ALIGN, at least MIN_BLOCK, or by ALIGN less: that is of class -1.
    Ensures:  result < CLASS_COUNT; larger sizes have no lesser class;
              sizes below EXACT have classes of their own.
    """
    if total < EXACT:
        return (total - MIN_BLOCK) >> ALIGN_SHIFT
    if total >= TOP_CLASS:
        return CLASS_COUNT - 1
    index = EXACT_CLASSES - STEPS
    steps = total >> FIRST_STEP_SHIFT
    while steps >= 2 * STEPS:
        steps = steps >> 1
        index = index + STEPS
    return index + steps


def least_of_class(index):
    """The least size of a class.

    Requires: 0 <= index < CLASS_COUNT.
    Ensures:  class_of(result) == index; no lesser size is of the class.
    """
    if index < EXACT_CLASSES:
        return MIN_BLOCK + (index << ALIGN_SHIFT)
    above = index - EXACT_CLASSES
    return (STEPS + (above & (STEPS - 1))) << (FIRST_STEP_SHIFT + (above >> STEPS_SHIFT))


def class_entry(units):
    """Twice the class of blocks of `units` times ALIGN bytes, counted from 1, and 1 more if a lesser size is of it.

    Compiled, it is a table: there is no branch, which in programs with blocks of many sizes nothing would foretell.

    Requires: 0 <= units times ALIGN < LEAST_LARGE.
    Ensures:  result >> 1 is its class plus 1; result is even exactly if it is the least size of its class;
              1 for what is too small for a block or too large for a bin.
    """
    if units < MIN_BLOCK >> ALIGN_SHIFT or units > MOST_CACHED >> ALIGN_SHIFT:
        return 1
    index = class_of(units << ALIGN_SHIFT)
    if least_of_class(index) == units << ALIGN_SHIFT:
        return index + 1 << 1
    return (index + 1 << 1) + 1


def class_for(total):
    """The least class of which every block has at least `total` bytes.

    Requires: total is a multiple of ALIGN, MIN_BLOCK to MOST_CACHED.
    Ensures:  least_of_class(result) >= total, by less than an eighth of it; of no lesser class it is.
    """
    return class_entry((total >> ALIGN_SHIFT) - 1) >> 1


def class_for_request(request):
    """The least class of which every block holds `request` bytes; where there are spans, of which every slot does.

    Requires: 0 <= request <= MOST_CACHED - WORD.
    Ensures:  result == class_for(block_size(request)).
    """
    return class_entry(request + WORD - 1 - SHORT >> ALIGN_SHIFT) >> 1


def class_head(arena, index):
    """The head of the list of a class: a node of which only the links exist.

    Requires: 0 <= index < CLASS_COUNT.
    Ensures:  the links lie in the arena's record from CLASSES on; classes have links of their own.
    """
    return arena + CLASSES + (index << CLASS_SHIFT) - NEXT


def class_at(arena, head):
    """The class whose list has this head.

    Ensures:  class_at(arena, class_head(arena, index)) == index.
    """
    return (head + NEXT - arena - CLASSES) >> CLASS_SHIFT


def map_word(arena, index):
    """Where the map has the bit of a class."""
    return arena + CLASS_MAP + (index >> MAP_SHIFT) * WORD


def map_bit(index):
    """The bit of a class in its word of the map."""
    return 1 << (index & (CLASS_BITS - 1))


def open_class(m, arena, index):
    """The head of the list of a class, which is marked as one that has blocks, because it is about to.

    Requires: the arena's lock.
    Ensures:  the class is marked; the list of one that was not is empty and linked both ways;
              else no word changes.
    """
    head = class_head(arena, index)
    word = map_word(arena, index)
    marked = m.load(word)
    if marked & map_bit(index) == 0:
        m.store(word, marked | map_bit(index))
        m.store(head + NEXT, head)
        m.store(head + PREV, head)
    return head


def close_class(m, arena, index):
    """Note that a class has no blocks any more.

    Requires: the arena's lock; the class is marked.
    Ensures:  it is not marked; no other bit of the map and no other word changes.
    """
    word = map_word(arena, index)
    m.store(word, m.load(word) - map_bit(index))


def lowest_bit(bits):
    """The number of the lowest bit that is set.

    Requires: 0 < bits < 1 << CLASS_BITS.
    Ensures:  that bit is set; no lower one is.
    """
    number = 0
    if bits & 0xFFFF == 0:
        bits = bits >> 16
        number = 16
    if bits & 0xFF == 0:
        bits = bits >> 8
        number = number + 8
    if bits & 0xF == 0:
        bits = bits >> 4
        number = number + 4
    if bits & 3 == 0:
        bits = bits >> 2
        number = number + 2
    return number + 1 - (bits & 1)


def next_class(m, arena, index):
    """The least class from `index` on that is marked, or CLASS_COUNT.

    Requires: the arena's lock; 0 <= index <= CLASS_COUNT.
    Ensures:  none between is marked; no word changes.
    """
    bits = m.load(map_word(arena, index)) & -map_bit(index)
    index = index & -CLASS_BITS
    while bits == 0 and index + CLASS_BITS < CLASS_COUNT:
        index = index + CLASS_BITS
        bits = m.load(map_word(arena, index))
    if bits == 0:
        return CLASS_COUNT
    return index + lowest_bit(bits)
