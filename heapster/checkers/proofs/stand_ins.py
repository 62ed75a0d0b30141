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
            ("each_page_that_becomes_free_is_a_step", "an_epoch_ends_when_it_is_long_enough",
             "an_epochs_end_changes_no_block")),
    StandIn("arena.align_front", "makes the front a free block, or leaves it; the rest is aligned",
            ("leads_are_legal_blocks", "the_payload_after_a_lead_is_aligned", "the_lead_takes_no_more_than_it_must")),
    StandIn("region.lower_break", "lowers the break by just that; or not, and what lay there may be anything",
            ("a_break_that_moved_is_left", "the_break_is_lowered_where_it_is_ours")),
    StandIn("thread_cache.check_in_use", "does nothing, for a block that does not wait", ("only_what_waits_aborts",)),
    StandIn("thread_cache.cache_block", "takes no block that is of no bin's size, or of a thread without a cache",
            ("what_has_no_place_in_a_bin_stays", "what_no_bin_takes_leaves_the_cache_alone",
             "without_a_cache_nothing_is_put_away")),
    StandIn("settings.attach", "answers the thread's arena, which it may just have got",
            ("who_has_an_arena_asks_nobody", "a_new_thread_gets_the_emptiest_arena",
             "of_equal_arenas_the_first_stays", "looking_ends_with_the_last_or_an_empty_one")),
    StandIn("classes.class_of", "answers any class, of which the size is the least or is not",
            ("classes_are_intervals_of_sizes", "the_least_of_a_class_is_of_it", "an_entry_has_the_class")),
    StandIn("thread_cache.grow_bin", "gives the bin any limit", ("bins_have_the_room_that_may_be_kept",)),
    StandIn("bins.batch_size", "answers any number, or where runs are carved block by block any up to 3",
            ("a_batch_is_half_a_bin_at_most",)),
    StandIn("thread_cache.carve_batch", "under the lock, answers the first block of a run of any length, the others of "
            "which are in the bin, or NULL", (
                "runs_of_any_length_are_used", "what_any_run_leaves_is_listed", "carving_spares_earlier_blocks",
                "a_carved_run_is_counted_whole", "each_other_block_of_a_run_is_kept",
                "each_other_block_of_a_run_is_counted", "keeping_ends_with_the_first_of_a_run",
                "a_run_of_nothing_changes_nothing")),
    StandIn("thread_cache.collect_remote", "under the lock, leaves any heap, and any blocks of its size in the bin",
            ("collecting_keeps_every_clause_of_any_heap", "a_collected_block_is_in_the_bin_or_free")),
    StandIn("retained.retain", "under the lock, takes whole pages, which nobody touches any more, and counts them",
            ("what_is_kept_beside_new_pages_joins_them", "all_that_was_joined_is_kept_as_one",
             "what_is_kept_grows_by_what_is_added")),
    StandIn("retained.take_retained", "under the lock, hands out as many bytes, or up to a quarter more, or NULL",
            ("a_retained_mapping_is_cut_unless_little_would_be_left", "what_nobody_retained_is_not_taken",
             "of_equal_kept_mappings_the_newest_stays", "the_smallest_that_is_large_enough_is_answered",
             "what_is_reclaimed_is_kept", "what_is_left_of_a_retained_mapping_stays")),
    StandIn("retained.stretch", "under the lock, hands out just as many bytes, half of them retained before, or NULL",
            ("a_stretched_mapping_leaves_the_list_wherever_it_is", "what_the_system_does_not_stretch_stays",
             "too_little_is_not_stretched")),
    StandIn("retained.take_retained_at", "under the lock, hands out what was retained there, or nothing",
            ("what_is_kept_at_a_place_and_has_as_much_is_taken", "the_search_for_a_place_goes_on_elsewhere",
             "what_is_left_of_a_retained_mapping_stays")),
    StandIn("retained.step", "under the lock, gives any of what is retained or set aside back, or sets it aside",
            ("what_was_used_is_noted_at_each_step", "at_an_epochs_end_all_grows_older",
             "what_is_too_much_is_released_the_oldest_first", "the_oldest_goes_back_or_is_set_aside",
             "what_was_set_aside_is_offered_one_by_one")),
    StandIn("arena.acquire", "answers some block, or NULL",
            ("a_block_is_found_taken_and_counted_under_the_lock", "malloc_answers_a_block_of_nobody_in_any_heap",
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
    StandIn("remote.gather", "in `release_all`, releases the run, or makes it one with the block", (
            "neighbours_are_gathered", "a_run_that_has_no_neighbour_is_released", "without_a_run_the_block_is_next")),
    StandIn("arena.join_used", "makes neighbours one, or answers NULL", ("neighbours_become_one",
            "what_is_no_neighbour_is_left")),
    StandIn("arena.release", "in `gather`, frees the block", ("what_is_freed_in_any_heap_is_free_or_gone",
            "free_keeps_every_clause_of_any_heap")),
    StandIn("retained.release_retained", "releases nothing; if it did, the call would be made once more, from a heap "
            "that is as it was", ("malloc_fails_only_with_the_system_in_any_heap",)),
)
