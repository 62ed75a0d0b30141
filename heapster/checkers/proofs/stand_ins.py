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
    StandIn("retained.retain", "under the lock, takes whole pages, which nobody touches any more, and counts them",
            ("what_is_kept_is_part_of_the_first", "what_is_kept_grows_by_what_is_added", "retaining_writes_no_more")),
    StandIn("retained.take_retained", "under the lock, hands out as many bytes, or up to a quarter more, or NULL",
            ("what_is_used_again_is_large_enough", "what_is_used_again_is_not_much_larger",
             "what_is_used_again_says_its_length", "what_is_too_small_is_not_used_again")),
    StandIn("retained.stretch", "under the lock, hands out just as many bytes, half of them retained before, or NULL",
            ("what_is_stretched_is_not_kept", "all_of_a_kept_mapping_is_stretched", "what_cannot_be_stretched_stays")),
    StandIn("retained.take_retained_at", "under the lock, hands out what was retained there, or nothing",
            ("just_what_was_kept_there_is_taken", "what_was_not_kept_there_is_not_taken")),
    StandIn("retained.step", "under the lock, gives any of what is retained or set aside back, or sets it aside",
            ("no_more_is_kept_than_may_be", "trimming_what_is_kept_writes_no_more", "releasing_writes_no_more",
             "offering_writes_no_more")),
    StandIn("arena.acquire", "answers some block, or NULL", ("malloc_answers_a_block_of_nobody_in_any_heap",
            "aligning_answers_a_block_of_nobody_in_any_heap", "malloc_fails_only_with_the_system_in_any_heap")),
    StandIn("malloc.resize_uncopied", "answers NULL, and nothing changed",
            ("what_cannot_be_resized_in_any_heap_stays", "a_mapping_of_any_heap_that_cannot_grow_stays")),
    StandIn("malloc.allocate", "answers the payload of a block that nobody had and that holds the request, or NULL",
            ("malloc_answers_a_block_of_nobody_in_any_heap", "a_mapped_block_of_any_heap_is_for_the_request",
             "what_a_bin_has_is_handed_out", "a_batch_is_for_the_caller_and_the_bin")),
    StandIn("malloc.free_block", "frees the block", ("what_is_freed_in_any_heap_is_free_or_gone",
            "the_mapping_of_what_is_freed_is_retained_whole", "what_is_freed_into_a_bin_is_on_top")),
    StandIn("sized.could_serve", "answers yes of a block that holds the request",
            ("what_no_request_gets_serves_none",)),
    StandIn("thread_cache.flush", "leaves any stack of at most so many in the bin",
            ("flushing_of_any_bin_leaves_so_many", "flushing_takes_the_top_to_its_kind")),
    StandIn("thread_cache.send_home", "leaves any stack", ("sending_parts_home_from_others",
            "sending_ends_with_the_last_batch")),
    StandIn("remote.release_all", "releases each block of the stack", ("releasing_goes_on_with_the_rest",
            "releasing_ends_with_the_last")),
    StandIn("arena.release", "in `release_all`, frees the block", ("what_is_freed_in_any_heap_is_free_or_gone",
            "free_keeps_every_clause_of_any_heap")),
    StandIn("retained.release_retained", "releases nothing; if it did, the call would be made once more, from a heap "
            "that is as it was", ("malloc_fails_only_with_the_system_in_any_heap",)),
)
