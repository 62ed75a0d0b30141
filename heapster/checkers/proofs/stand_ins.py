"""What stands in for what in the proofs of whole operations on any heap, and what proves that it may.

A stand-in does what its callee promises, and no more; where it can, it claims what the callee requires.
"""

from typing import NamedTuple


class StandIn(NamedTuple):
    """A callee that was replaced: how, and the theorems that say that it does that."""

    of: str                     # module.function
    does: str
    proved_by: tuple[str, ...]


STAND_INS = (
    StandIn("freelist.link", "puts a free block that is on no list on one; the totals count it; links may be any",
            ("linking_puts_a_block_first", "linking_counts_the_block", "linking_moves_nobody_else")),
    StandIn("freelist.unlink", "takes a free block off its list; the totals no longer count it; links may be any",
            ("unlinking_joins_the_neighbours", "unlinking_uncounts_the_block", "unlinking_moves_nobody_else",
             "unlinking_from_a_class_counts_and_moves_no_more")),
    StandIn("placement.find", "answers any free block that is large enough, or NULL; the lists stay those of the same "
            "blocks", ("first_fit_fits", "next_fit_fits", "best_fit_fits", "worst_fit_fits", "segregated_fit_fits")),
    StandIn("placement.find_further", "answers any free block that is large enough, or NULL",
            ("looking_further_finds_what_fits", "looking_further_writes_nothing")),
    StandIn("purge.note_release", "under the lock, changes what the arena knows of its epoch, and no block",
            ("a_step_changes_no_block",)),
    StandIn("arena.align_front", "makes the front a free block, or leaves it; the rest is aligned",
            ("leads_are_legal_blocks", "the_payload_after_a_lead_is_aligned", "the_lead_takes_no_more_than_it_must")),
    StandIn("thread_cache.check_in_use", "does nothing, for a block that does not wait", ("only_what_waits_aborts",)),
    StandIn("thread_cache.cache_block", "takes no block that is of no bin's size, or of a thread without a cache",
            ("what_has_no_place_in_a_bin_stays", "what_no_bin_takes_leaves_the_cache_alone",
             "without_a_cache_nothing_is_put_away")),
    StandIn("settings.attach", "answers the thread's arena, which it may just have got",
            ("a_thread_sticks_to_its_arena", "a_new_thread_is_counted")),
    StandIn("classes.class_of", "answers any class, of which the size is the least or is not",
            ("classes_are_intervals_of_sizes", "the_least_of_a_class_is_of_it", "an_entry_has_the_class")),
    StandIn("thread_cache.grow_bin", "gives the bin any limit", ("bins_have_the_room_that_may_be_kept",)),
    StandIn("bins.batch_size", "answers any number up to 3", ("a_batch_is_half_a_bin_at_most",)),
    StandIn("thread_cache.collect_remote", "under the lock, leaves any heap, and any blocks of its size in the bin",
            ("collecting_keeps_every_clause_of_any_heap", "a_collected_block_is_in_the_bin_or_free")),
    StandIn("retained.release_retained", "releases nothing; if it did, the call would be made once more, from a heap "
            "that is as it was", ("malloc_fails_only_with_the_system_in_any_heap",)),
)
