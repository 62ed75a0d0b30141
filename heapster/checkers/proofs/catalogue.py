"""All proofs, in the order in which they are run, and what is only assumed."""

from collections.abc import Sequence

from heapster.checkers.proofs import (
    Assumption,
    Proof,
    Theorem,
    any_flush,
    any_heap_calls,
    any_heap_realloc,
    any_heap_refill,
    any_mapped,
    api,
    arena,
    batches,
    bins,
    block,
    by_parts,
    cache,
    cached_calls,
    calls,
    carving,
    classes,
    dump,
    few_words,
    freelist,
    growing_steps,
    hardened_calls,
    hardened_checks,
    hardened_ends,
    hardened_parts,
    hardened_slots,
    hardened_spares,
    hardened_steps,
    hardened_walks,
    hardened_words,
    layout,
    lifecycle,
    lost,
    mapping,
    mapping_steps,
    model,
    passing_on,
    placement,
    purge,
    region,
    registration,
    remote,
    resize,
    retained,
    retained_decay,
    retained_walks,
    run_branches,
    run_calls,
    run_lists,
    run_refills,
    run_slots,
    run_walks,
    run_whole_calls,
    run_words,
    segregated,
    settings,
    settings_read,
    sized,
    slot_frees,
    spans,
    stats,
    step_bounds,
    sums,
    thread_steps,
    trimming,
    verify,
    verify_walks,
    waiting,
    whole_calls,
)
from heapster.checkers.proofs.builds import is_of
from heapster.native.spans import SHIPPED
from heapster.results import UsageError
from heapster.suggest import instead_of

PROOFS: tuple[Proof, ...] = (
    *layout.PROOFS, *block.PROOFS, *classes.PROOFS, *freelist.PROOFS, *placement.PROOFS,
    *segregated.PROOFS, *settings.PROOFS, *region.PROOFS, *purge.PROOFS,
    *arena.PROOFS, *cache.PROOFS, *remote.PROOFS, *waiting.PROOFS, *bins.PROOFS, *registration.PROOFS, *carving.PROOFS,
    *retained.PROOFS, *retained_decay.PROOFS, *mapping.PROOFS, *resize.PROOFS,
    *lost.PROOFS, *api.PROOFS, *passing_on.PROOFS, *calls.PROOFS, *sized.PROOFS, *cached_calls.PROOFS,
    *any_heap_calls.PROOFS, *mapping_steps.PROOFS, *settings_read.PROOFS, *trimming.PROOFS,
    *thread_steps.PROOFS, *retained_walks.PROOFS, *dump.PROOFS, *batches.PROOFS,
    *by_parts.PROOFS, *verify_walks.PROOFS, *growing_steps.PROOFS, *step_bounds.PROOFS,
    *hardened_steps.PROOFS, *hardened_calls.PROOFS, *hardened_parts.PROOFS, *hardened_slots.PROOFS,
    *hardened_spares.PROOFS, *hardened_walks.PROOFS, *hardened_checks.PROOFS, *hardened_ends.PROOFS,
    *hardened_words.PROOFS, *sums.PROOFS, *few_words.PROOFS,
    *any_heap_refill.PROOFS, *any_mapped.PROOFS, *any_heap_realloc.PROOFS, *any_flush.PROOFS,
    *stats.PROOFS, *verify.PROOFS, *lifecycle.PROOFS, *spans.PROOFS,
    *run_words.PROOFS, *run_lists.PROOFS, *run_slots.PROOFS, *run_calls.PROOFS, *run_walks.PROOFS,
    *run_branches.PROOFS, *run_whole_calls.PROOFS, *run_refills.PROOFS, *slot_frees.PROOFS,
    *whole_calls.PROOFS, *model.PROOFS, *whole_calls.THOROUGH,
)
ASSUMED: tuple[Assumption, ...] = (
    Assumption("the_machine_keeps_its_laws", "memory, locks and system calls do what `machine/protocol.py` says",
               "the conformance suite holds each machine to them; no proof does"),
    Assumption("compilers_and_processors_are_right",
               "Numba, LLVM, the C compiler and the processor do what they should",
               "proofs are about the source; the compiled library is compared with it word for word instead"),
    Assumption("caches_follow_their_steps",
               "what threads keep and hand over is whole after any sequence of calls",
               "each step is proved, by the contracts of those that it calls; sequences are held by the reference, in "
               "lock-step"),
    Assumption("checksums_are_a_function",
               "a header has the same checksum whenever it is worked out at the same place, with its own bits alone",
               "it is a product that wraps, which words of proofs must not; tests compare it with its definition, and "
               "each header of a run in lock-step", "block.checksum"),
    Assumption("z3_is_right", "z3 says unsat only of what cannot be",
               "`heapster prove --cross-check` asks cvc5 again; a run without it believes z3"),
    Assumption("a_lock_excludes_others", "between lock and unlock no other thread touches the arena",
               "proofs run one thread; `heapster races` explores the others"),
    Assumption("who_raises_the_break_again_is_not_overtaken",
               "where a foreigner moved the break between the look at it and its lowering, it is raised again before "
               "he moves it once more, and the system does not refuse",
               "no call of the C library looks and lowers in one: between two calls he may do anything"),
    Assumption("an_arena_is_used_by_the_lists_it_has", "list and heap neighbours are legal before each call",
               "proved of what each operation leaves, on heaps of a few blocks"),
    *(Assumption(name, clause, "64 arenas are too many cases; `heapster fuzz` compares it after each run", of, clause)
      for name, of, clause in (
          ("finalizing_closes_all", "lifecycle.finalize", "every arena is closed and every ledger zero"),
          ("trimming_says_what_was_taken", "trim.trim", "1 if the system took anything, else 0"),
          ("trimming_changes_no_used_block", "trim.trim", "no used block changes"),
          ("finalizing_keeps_settings", "lifecycle.finalize", "settings stay, threads keep their arenas"),
          ("a_childs_locks_are_free", "lifecycle.after_fork_in_child", "every lock is free"),
          ("a_childs_cache_is_its_threads", "lifecycle.after_fork_in_child",
           "what the calling thread keeps is as it was"),
          ("a_child_gives_other_caches_back", "lifecycle.after_fork_in_child",
           "what others kept is given back, if the lock of their list was free"),
          ("statistics_are_a_walks", "stats.stats", "each figure is what a walk over the blocks would find"),
          ("sums_take_arenas_in_turn", "stats.stats", "sums are over one arena at a time"))),
    *spans.ASSUMED,
)


def theorems(proofs: tuple[Proof, ...] = PROOFS) -> list[Theorem]:
    """What the proofs show."""
    return [theorem for proof in proofs for theorem in proof.theorems()]


def selected(names: tuple[str, ...], *, thorough: bool, spans: bool = SHIPPED) -> tuple[Proof, ...]:
    """The proofs of the named theorems, functions or files; of all, without a name; of those of a build."""
    found = _named(names, thorough=thorough)
    chosen = tuple(proof for proof in found if is_of(proof, spans=spans))
    if not chosen:
        raise UsageError(f"what is proved of {' and '.join(names)} does not hold with spans: name sim:spans=0")
    return chosen


def _named(names: tuple[str, ...], *, thorough: bool) -> Sequence[Proof]:
    if not names:
        return [proof for proof in PROOFS if thorough or not proof.thorough]
    chosen: list[Proof] = []
    for name in names:
        found = [proof for proof in PROOFS if _answers_to(proof, name)]
        if not thorough and any(not proof.thorough for proof in found):
            found = [proof for proof in found if not proof.thorough]
        if not found:
            raise UsageError(f"no theorem is called {name}; {instead_of(name, _known())}")
        chosen += [proof for proof in found if proof not in chosen]
    return chosen


def is_known(name: str) -> bool:
    """Whether a theorem, a function or a file that is proved has this name."""
    return any(_answers_to(proof, name) for proof in PROOFS)


def _answers_to(proof: Proof, name: str) -> bool:
    return name in (proof.of, proof.of.partition(".")[0]) or any(t.name == name for t in proof.theorems())


def _known() -> list[str]:
    return list(dict.fromkeys([t.name for t in theorems()] + [proof.of for proof in PROOFS]))
