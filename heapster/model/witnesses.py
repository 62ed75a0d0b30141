"""Events that a run must have seen to mean anything.

The reference names these events as it predicts (`Reference.events`); a run counts them. One that a
run never saw is a part of the allocator that the run did not check.
"""

from typing import NamedTuple


class Witness(NamedTuple):
    """An event that a run should have seen, and what it is."""

    name: str
    claim: str


SOMETIMES = (
    Witness("no_neighbour_free_on_free", "a block was freed between used blocks"),
    Witness("left_neighbour_free_on_free", "a freed block was absorbed by its left neighbour"),
    Witness("right_neighbour_free_on_free", "a freed block absorbed its right neighbour"),
    Witness("both_neighbours_free_on_free", "a freed block joined both its neighbours"),
    Witness("split_left_no_remainder", "the block found was exactly as large as wanted"),
    Witness("split_left_too_little", "the block found was larger than wanted, but not by a whole block"),
    Witness("policy_passed_over_the_first_fit", "a policy chose another block than first fit would have"),
    Witness("next_fit_wrapped_around", "next fit found nothing before the list's end and began again"),
    Witness("free_blocks_changed_their_lists", "a policy with other lists found free blocks to move"),
    Witness("a_block_of_the_last_class_changed_its_list", "free blocks of 512 KiB or more moved to other lists"),
    Witness("a_block_of_the_last_class_was_used", "an arena handed out 512 KiB or more in one block"),
    Witness("cursor_left_its_block", "the block at next fit's cursor was taken off the list"),
    Witness("policy_switched_with_blocks_on_the_list", "the policy changed while a free list had blocks"),
    Witness("growth_was_set_below_a_page", "a growth below a page was taken for a page"),
    Witness("arena_was_full_and_grew", "nothing on the list fitted, and the arena asked for more"),
    Witness("another_arena_grew", "an arena other than the main one got a region"),
    Witness("top_was_trimmed", "the top of the main arena was given back"),
    Witness("foreigner_moved_the_break", "growth found the break moved by someone else"),
    Witness("foreigner_kept_the_top_from_being_trimmed", "the top stayed, for someone else had the break"),
    Witness("main_arena_fell_back_to_mmap", "sbrk was refused and mmap served instead"),
    Witness("memory_was_trimmed", "all that is idle was given back at once"),
    Witness("idle_pages_were_purged", "pages inside a free block were given to the system"),
    Witness("an_epoch_of_an_arena_ended", "what an arena had used before was forgotten"),
    Witness("an_arena_that_was_idle_was_purged", "an arena that used far less than before gave its idle pages back"),
    Witness("an_arena_used_what_was_purged", "an arena used much of what it had purged, and got more patience"),
    Witness("region_was_returned", "a region that was all free was unmapped"),
    Witness("block_freed_by_another_thread", "a block was freed into an arena that is not the thread's"),
    Witness("realloc_grew_in_place", "realloc grew into a free right neighbour"),
    Witness("realloc_grew_into_the_top", "realloc extended the top to grow in place"),
    Witness("realloc_shrank_in_place", "realloc gave a block's end back"),
    Witness("realloc_moved", "realloc answered another address"),
    Witness("failed_realloc_kept_the_block", "realloc failed, and the old block was still there"),
    Witness("calloc_reused_memory", "calloc answered an address that had been in use before"),
    Witness("aligned_block_left_a_lead", "alignment left a free block before the aligned one"),
    Witness("a_block_was_aligned_beyond_two_pages", "an alignment beyond two pages was served"),
    Witness("alignment_refused", "an illegal alignment was refused"),
    Witness("large_block_mapped", "a large request got a mapping of its own"),
    Witness("large_block_shrank", "realloc gave pages of a mapping back"),
    Witness("large_block_returned", "a mapping that was freed was unmapped, for enough is kept"),
    Witness("a_kept_mapping_was_used_again", "a large block got pages that another had left"),
    Witness("a_kept_mapping_was_stretched", "a large block got a mapping that was kept, and that the system extended"),
    Witness("a_kept_mapping_could_not_be_stretched", "the system refused to extend a mapping that was kept"),
    Witness("a_kept_mapping_was_cut", "a large block got a part of a mapping that was kept"),
    Witness("realloc_left_the_block_as_it_was", "realloc of a thread with a cache had nothing to do, and took no lock"),
    Witness("kept_mappings_were_joined", "a freed mapping was joined with a kept one beside it"),
    Witness("large_block_grew_into_what_was_kept", "realloc extended a mapping by what was kept after it"),
    Witness("large_block_grew_where_it_was", "the system extended a mapping where it was"),
    Witness("large_block_was_moved_by_the_system", "the system moved a mapping to extend it, without a copy"),
    Witness("remap_refused", "the system refused to extend a mapping"),
    Witness("calloc_reused_a_mapping", "calloc answered pages that another block had left"),
    Witness("too_many_mappings_were_kept", "a kept mapping was unmapped because there were too many"),
    Witness("an_epoch_of_mappings_ended", "what mapped blocks had used before was forgotten"),
    Witness("a_kept_mapping_was_purged", "what an idle mapping held was given to the system"),
    Witness("a_mapping_that_was_set_aside_was_used_again", "a large block got pages that the system had refused"),
    Witness("a_mapping_that_was_set_aside_was_taken", "the system took back what it had refused before"),
    Witness("what_was_kept_went_back_when_memory_was_out", "kept mappings went back before memory was said to be out"),
    Witness("sbrk_refused", "the system refused an sbrk"),
    Witness("mmap_refused", "the system refused an mmap"),
    Witness("munmap_refused", "the system refused a munmap"),
    Witness("a_fork_gave_back_what_another_thread_kept", "a child gave back what a thread of its parent kept"),
    Witness("allocation_failed", "an allocation answered NULL and ENOMEM"),
    Witness("allocation_succeeded_after_a_failure", "the allocation after a failed one succeeded"),
    Witness("a_cached_block_was_used_again", "an allocation was served by what the thread had freed before"),
    Witness("a_run_of_blocks_was_carved", "a cache that was empty got several blocks at once"),
    Witness("a_long_run_was_carved", "a cache that was empty got 64 blocks or more at once"),
    Witness("a_full_bin_was_flushed", "a thread had more to keep than it may, and gave blocks back"),
    Witness("neighbours_were_released_at_once", "blocks side by side went back to their arena as one"),
    Witness("a_block_was_sent_to_its_owner", "a block of another's arena went on that arena's remote list"),
    Witness("blocks_were_sent_in_a_batch", "several blocks of one arena went on its remote list at once"),
    Witness("a_first_block_went_home", "the first block of a size that a thread freed was another arena's"),
    Witness("a_remote_list_was_full", "a remote list had 256 blocks, and whoever would add some drained it"),
    Witness("a_remote_list_was_drained", "an arena took back what other threads had freed"),
    Witness("a_drained_block_was_kept", "what other threads had freed went into the bins of the arena's own"),
    Witness("a_thread_gave_its_cache_back", "a thread that kept blocks ended"),
    Witness("more_blocks_were_live_than_most_runs_have", "more than 64 blocks were live at once"),
    Witness("heap_was_finalized", "everything was given back at once"),
)

HARDENED_SOMETIMES = (              # of a hardened heap, of which nothing is predicted: they are seen in its memory
    Witness("a_slot_was_used_again", "a block got the address of one that was freed"),
    Witness("a_slot_waited", "a block was freed, and its slot was not free yet"),
    Witness("a_span_was_full", "no slot of a span was left"),
    Witness("a_span_held_nothing", "no slot of a span was taken, and the span stayed"),
    Witness("a_span_went_back", "a span of which no slot was taken was given back"),
    Witness("a_mapping_waited", "a large block was freed, and its addresses stayed taken"),
    Witness("a_guard_was_refused", "the system refused to take the access from a guard"),
    Witness("realloc_moved", "realloc answered another address"),
)


SPANS_SOMETIMES = (                 # of a heap with spans, beside what others see
    Witness("a_run_was_cut", "a class got a run"),
    Witness("a_run_got_slots_back", "slots went from a bin, or from a remote list, to their run"),
    Witness("slots_of_a_run_came_back_at_once", "a run got several slots back at once"),
    Witness("slots_were_taken_as_they_lay", "a bin took all that a run had got back"),
    Witness("slots_were_taken_in_turn", "a bin took some of what a run had got back"),
    Witness("a_run_went_to_the_pool", "no slot of a run was out any more, and nobody had it then"),
    Witness("a_run_of_the_pool_was_cut_again", "a run that had been given up got slots of another class"),
    Witness("a_run_of_the_pool_was_purged", "what a run held that nobody has was given to the system"),
    Witness("a_slot_was_sent_to_its_owner", "a slot of another's arena went on that arena's remote list"),
    Witness("a_block_served_as_a_slot", "a block of an arena served what slots serve"),
    Witness("no_memory_was_reserved", "the system refused the reservation, and arenas served all"),
)


def sometimes(*, hardened: bool, spans: bool = False) -> tuple[Witness, ...]:
    """What a run on such a heap should have seen."""
    if spans:
        return (*SOMETIMES, *SPANS_SOMETIMES)
    return HARDENED_SOMETIMES if hardened else SOMETIMES
