"""The codes of a stranger's findings that are no rules of `spec`, and the usual causes of them all."""

from typing import NamedTuple


class Code(NamedTuple):
    """What a code means, for `heapster explain`."""

    code: str
    meaning: str
    look_at: str            # the usual cause


CODES = (
    Code("crash", "A call that no rule forbids ends in a signal.",
         "a block's header or a free list's links were overwritten, or a NULL was followed"),
    Code("abort", "A call that no rule forbids ends in abort() or a failed assertion.",
         "an internal check fired: its words are what the target printed"),
    Code("exit", "A call of the allocator ends the process.", "an exit() on a path that should answer NULL"),
    Code("hang", "A call does not come back, within a limit and a retry of four times that.",
         "a free list with a cycle, a loop over a block of size 0, or a lock that is taken twice"),
    Code("unusable_block", "Writing to a block that was just given ends in a signal.",
         "the block lies outside of what was asked of the system: a size was rounded down, or sbrk's failure missed"),
    Code("block_vanished", "A live block can no longer be read.",
         "memory was returned to the system while a block in it was live"),
    Code("runaway_memory", "A call takes gigabytes.", "a size that overflowed, or a loop that grows the heap"),
    Code("record_changed", "What a run has told the judge is not what the judge reads: the target has written over it.",
         "a write through a wild pointer, or code that means to deceive: nothing that this run says holds"),
    Code("spurious_null", "NULL, although a free gap is certain to be large enough.",
         "freed blocks are not merged with their neighbours, or not found again"),
    Code("memory_never_returned", "The same work over and over takes ever more memory, though all is freed each time.",
         "a freed block is not put back on the list, a split's remainder is lost, or neighbours are never merged"),
    Code("heap_check_failed", "The target's own heap checker complains.", "what the checker says, or the checker"),
    Code("init_failed", "The target's initialisation fails.", "static state that is not reset"),
    Code("usable_too_large", "Writing to all bytes that are said to be usable damages the heap.",
         "the usable size counts the block's header or footer"),
    Code("fork_hang", "A child that is forked while other threads allocate does not come back.",
         "a lock that another thread held at the fork stays locked in the child: pthread_atfork takes and releases it"),
    Code("fork_unsafe", "A child that is forked while other threads allocate cannot use its heap.",
         "at the fork another thread was in the middle of a change: pthread_atfork waits for its end"),
    Code("block_too_small", "The heap keeps words of its own in the last bytes of a block that were asked for.",
         "the size that is looked for leaves out the header or the footer, or it is rounded down"),
    Code("writes_into_live_block", "A store into a payload that the caller holds, outside of what the call may touch.",
         "the line that is named: where it takes the end of its block to be, and which block it takes for free"),
    Code("reads_live_block", "What the allocator does hangs on bytes of a payload that the caller holds.",
         "the line that is named: it takes a caller's bytes for a header, a footer or a link"),
    Code("outside_its_memory", "An access beyond the memory that the allocator has, or in what it gave back.",
         "the line that is named: an end that is off by a word, or a list that still leads there"),
    Code("uses_never_written", "What the allocator does hangs on bytes that nobody ever wrote.",
         "the line that is named: a field is read before it is set, or fresh memory is taken to be zero"),
    Code("misaligned_access", "A word is accessed where it is not aligned for its type.",
         "the line that is named: a header placed at an odd offset; memcpy reads and writes at any"),
    Code("undefined_behaviour", "An expression whose value the C language leaves undefined.",
         "the line that is named: a signed overflow, a shift out of range, arithmetic on NULL"),
    Code("size_truncated", "A size of 4 GiB or more is served as what its low 32 bits say.",
         "the size passes through an int or an unsigned int: a field of the header, a variable, a parameter"),
    Code("race_damage", "Under threads the contents of a block change, as they never do with one thread.",
         "shared state is read or written outside of the lock"),
    Code("race_crash", "Under threads a call ends in a signal, as it never does with one thread.",
         "shared state is read or written outside of the lock"),
    Code("race_hang", "Under threads the calls do not come back, as they do with one thread.",
         "a lock is not released on some path, or two are taken in different orders"),
)
BY_CAUSE = frozenset({          # they show as others
    "usable_too_large", "size_truncated", "block_too_small", "failed_realloc_changed_block"})
CODE = {code.code: code for code in CODES}

USUAL_CAUSES = {
    "overlap": "two blocks share memory: a split that is too small, a size rounded down, or a block listed twice",
    "misaligned": "the header's size is no multiple of the alignment, or the heap's start is not aligned",
    "alignment_not_honoured": "the aligned address is computed before the header is added, or the request ignored",
    "contents_damaged": "metadata is written into a live block: a footer placed by the wrong size, or links of "
                        "a block that is not free",
    "prefix_lost": "realloc copies too little (the new size, or the wrong one of the two), or after writing links",
    "not_zeroed": "calloc trusts memory that was used before, or zeroes too few bytes",
    "failed_realloc_changed_block": "realloc frees the old block before it knows that there is a new one",
    "null_without_errno": "the path that answers NULL does not set errno = ENOMEM",
    "wrong_errno": "errno is left as a failed system call set it",
    "null_without_error": "posix_memalign must return ENOMEM when there is no block",
    "out_word_changed": "posix_memalign stores its result before it knows that it succeeded",
    "free_changed_errno": "free must save errno around its system calls",
    "overflow_accepted": "calloc multiplies without looking whether the product fits (__builtin_mul_overflow)",
    "huge_accepted": "a size near SIZE_MAX wraps when the header is added or it is rounded up",
    "impossible_address": "sbrk's or mmap's failure, (void *)-1, or NULL plus a header's size, is answered as a block",
    "block_wraps": "a size near SIZE_MAX wraps when the header is added",
    "outside_region": "mem_sbrk is asked for less than the block and its header take, or an end is compared wrongly",
    "foreign_memory_harmed": "the break is lowered, or taken to be the heap's end, without a look at sbrk(0); or "
                             "munmap is called with too great a length",
    "touched_outside": "the last block's right neighbour is updated though there is none, or an end marker lies past "
                       "the end",
    "bad_alignment_accepted": "the alignment is used without asking whether it is a power of two",
    "usable_too_small": "the usable size is computed from the wrong header, or the block is too small",
    "usable_shrank": "the usable size counts bytes that another call may take from the block",
    "usable_of_null": "malloc_usable_size(NULL) must be 0",
    "zero_size_inconsistent": "size 0 takes another path in one of the functions",
}


def usual_cause(code: str) -> str:
    """Where to look first."""
    return USUAL_CAUSES.get(code) or (CODE[code].look_at if code in CODE else "")
