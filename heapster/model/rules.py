"""The rules that `spec` holds any allocator to, each with its source.

C17 is ISO/IEC 9899:2018; POSIX is IEEE Std 1003.1-2024; glibc is the GNU C Library's manual,
section 3.2.3, and malloc(3) the Linux manual page that goes with it.
"""

from typing import NamedTuple

from heapster.model.operations import (
    ALIGNING,
    ASKING,
    OPERATIONS,
    PAGE_ALIGNING,
    PRODUCTS,
    RELEASING,
    REQUESTS,
    RESIZING,
)


class Rule(NamedTuple):
    """A rule and where it comes from."""

    code: str
    claim: str
    source: str
    of: frozenset[str] = frozenset()    # the functions that it is about; none: all


GIVING = frozenset(REQUESTS)
ALIGNED = ALIGNING | PAGE_ALIGNING
POSIX = frozenset(verb for verb in GIVING if OPERATIONS[verb].out)
WITH_ERRNO = GIVING - POSIX

RULES = (
    Rule("overlap", "A block shares no byte with another live block, within what was asked for or is usable.",
         "C17 7.22.3p1: each allocation yields an object disjoint from any other; so does an empty one",
         GIVING),
    Rule("misaligned", "Every payload is aligned for any object that fits it.",
         "C17 7.22.3p1; glibc 3.2.3.6: to 16 bytes on 64-bit systems. C23 7.24.3p1: at most to the size", GIVING),
    Rule("alignment_not_honoured", "An aligned block is aligned as asked, valloc's and pvalloc's to a page.",
         "C17 7.22.3.1; POSIX posix_memalign; glibc 3.2.3.6", ALIGNED),
    Rule("contents_damaged", "The contents of live blocks are the caller's alone.",
         "C17 6.2.4p2: an object retains its last-stored value throughout its lifetime"),
    Rule("prefix_lost", "realloc keeps the contents up to the lesser of the old and new sizes.",
         "C17 7.22.3.5p2", RESIZING),
    Rule("not_zeroed", "calloc's block is all zero bits.", "C17 7.22.3.2p2", frozenset({"calloc"})),
    Rule("failed_realloc_changed_block", "When realloc fails, the old block is left as it was.",
         "C17 7.22.3.5p3: the old object is not deallocated and its value is unchanged", RESIZING),
    Rule("null_without_errno", "A failed allocation sets errno.", "POSIX malloc, calloc, realloc: ENOMEM", WITH_ERRNO),
    Rule("wrong_errno", "ENOMEM says that there is no memory, EINVAL that the alignment is illegal.",
         "POSIX malloc, posix_memalign; C17 7.22.3.1p2 with DR 460: unusual alignments may be refused", GIVING),
    Rule("null_without_error", "posix_memalign returns 0 only with a block.", "POSIX posix_memalign", POSIX),
    Rule("out_word_changed", "A failed posix_memalign leaves the caller's pointer alone, or makes it NULL.",
         "POSIX posix_memalign, RETURN VALUE", POSIX),
    Rule("errno_clobbered", "Success leaves errno alone, for targets that promise so.",
         "a promise of ours; C17 7.5p3 and POSIX leave it open", GIVING),
    Rule("free_changed_errno", "free leaves errno alone.", "POSIX free; glibc since 2.33", RELEASING),
    Rule("overflow_accepted", "calloc and reallocarray refuse a product that does not fit a size_t.",
         "C17 7.22.3.2 (an array of nmemb objects); POSIX calloc, reallocarray: ENOMEM; glibc 3.2.3.5", PRODUCTS),
    Rule("huge_accepted", "Sizes above PTRDIFF_MAX are refused.",
         "malloc(3) NOTES: glibc since 2.30; C17 6.5.6p9: no pointer difference could measure the block", GIVING),
    Rule("impossible_address", "No block is in the first page, nor where the system's own memory is.",
         "C17 6.3.2.3p3: a null pointer points to no object; Linux: vm.mmap_min_addr, and the user's half of 2^64",
         GIVING),
    Rule("block_wraps", "A block ends before memory does.", "C17 6.5.8p5: addresses grow through an object", GIVING),
    Rule("outside_region", "A block lies within the memory that its allocator was given to divide.",
         "C17 7.22.3p1: the space is the object's own; CS:APP, malloc lab: payloads lie between mem_heap_lo "
         "and mem_heap_hi", GIVING),
    Rule("touched_outside", "An allocator that was given a buffer leaves the bytes on either side of it alone.",
         "C17 6.5.6p8: a pointer into an array reaches no further than its end"),
    Rule("foreign_memory_harmed", "What others in the process have of the system is theirs: an allocator looks whether "
         "the break is still where it left it.", "sbrk(2): the break belongs to the process; C17 6.2.4p2"),
    Rule("bad_alignment_accepted", "An alignment that is no power of two is refused; posix_memalign also "
         "refuses less than a pointer's.", "C17 7.22.3.1p2 with DR 460; POSIX posix_memalign: EINVAL", ALIGNING),
    Rule("usable_too_small", "The usable size is at least what was asked for.", "malloc_usable_size(3)", ASKING),
    Rule("usable_shrank", "A live block keeps the usable size that it was said to have.",
         "malloc_usable_size(3): the bytes of the block, which may be written; C17 6.2.4p2: throughout its lifetime",
         ASKING),
    Rule("usable_of_null", "NULL has no usable bytes.", "malloc_usable_size(3)", ASKING),
    Rule("zero_size_inconsistent", "An allocator treats size 0 the same way each time.",
         "C17 7.22.3p1 and 7.22.3.5p3: implementation-defined, so documented and kept", GIVING),
)

RULE = {rule.code: rule for rule in RULES}
