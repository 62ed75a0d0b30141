"""What `verify` says of a heap in which one word was changed, against what the invariants say of it."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from heapster.checkers.lockstep.calls import CRASHES
from heapster.checkers.lockstep.decode import decode
from heapster.checkers.lockstep.undecodable import Undecodable
from heapster.impl import layout
from heapster.machine.protocol import Aborted, MachineFault
from heapster.machine.simulated import Simulated
from heapster.model.invariants import violations
from heapster.native.headers import ABORT_NAMES, INVARIANTS

CHANGES = (1, 8, 16, -16, 48, -48, layout.PAGE, -layout.PAGE, layout.OWNER_ONE)     # that are added to a word
CHANGED_AT_ONCE = 6                 # words, one after the other, of a heap that is looked at
UNDECODABLE = "undecodable"
BESIDES = frozenset({               # where the walk sees less than the model
    UNDECODABLE,                    # links that come back, bits that no block has
    "the_top_region_ends_at_the_break",     # a top that is none of its regions
    "free_list_is_linked_both_ways", "mapped_list_is_linked_both_ways",     # the head's own link back
    "stacks_count_their_blocks"})   # the remote lists, which others change meanwhile
BEYOND = frozenset({                # and where it sees more
    "",
    UNDECODABLE,                    # a list that ends in nothing instead of its head
    "owners_are_right",             # who a list's head says that it is
    "cursor_is_on_the_list",        # a cursor that was never set
    "stacks_count_their_blocks"})   # below the top of a bin, too
FIRST = frozenset({                 # and what it may meet first
    "sizes_are_legal", "blocks_tile_their_region", "no_two_free_neighbours", "boundary_tags_agree",
    "bins_hold_blocks_of_their_size", "mapped_blocks_fit_their_mappings"})
MUST = {name.lower() for name in INVARIANTS} - BESIDES


def wrong_verdicts(source: Any, m: Any, seed: int, *, spans: bool) -> Iterator[str]:
    """What `verify` says of a sound heap with one word changed, and that is not so; each is put back.

    Of memory that is not simulated nothing: there a walk that is led astray may end the process.
    """
    if not isinstance(m, Simulated):
        return
    words, rng = own_words(m), Random(seed)
    for address in rng.sample(words, min(CHANGED_AT_ONCE, len(words))):
        yield from disagreement(source, m, address, rng.choice(changed(m.words[address])), spans=spans)


def own_words(m: Simulated) -> list[int]:
    """Addresses of words that the allocator wrote, but the estimate of use; a caller's are negative, locks 0."""
    return [address for address, word in sorted(m.words.items())
            if word > 0 and address != m.statics() + layout.USED_LATELY]


def changed(word: int) -> list[int]:
    """What may stand in the place of a word."""
    return [*(word + change for change in CHANGES), 0, word ^ layout.USED, word ^ layout.PREV_USED]


def disagreement(source: Any, m: Simulated, address: int, word: int, *, spans: bool = False) -> Iterator[str]:
    """Where the walk and the model do not say the same of the heap with that word at the address."""
    before, threads = m.words[address], m.threads()
    m.words[address] = word
    walked, modelled = told(source, m, threads), known(m, spans=spans)
    m.words[address] = before
    named = modelled | BEYOND | FIRST if modelled else BEYOND
    if walked not in named and UNDECODABLE not in modelled:
        yield f"verify says {walked} where the word at {address:#x} is {word:#x}, and that holds"
    elif not walked and (unsaid := modelled & MUST):
        yield f"verify says nothing where the word at {address:#x} is {word:#x}, and {min(unsaid)} does not hold"


def told(source: Any, m: Simulated, threads: Iterable[int]) -> str:
    """What the walk says first of the heap, begun by each of the threads; nothing if all find it sound."""
    running, said = m.running, ""
    for thread in threads:
        m.on_thread(thread)
        said = said or _walked(source, m)
        for mutex in m.held():
            m.unlock(mutex)
    m.on_thread(running)
    return said


def _walked(source: Any, m: Simulated) -> str:
    m.refuel()
    try:
        source.verify.verify(m)
    except Aborted as aborted:
        return said_by(aborted)
    except (MachineFault, *CRASHES):
        return UNDECODABLE
    return ""


def said_by(aborted: Aborted) -> str:
    """The name of the invariant that a walk ended with."""
    return ABORT_NAMES.get(aborted.code, f"code {aborted.code}")


def known(m: Simulated, *, spans: bool) -> set[str]:
    """Which invariants do not hold, of a heap that has no runs yet where there are spans."""
    m.refuel()
    try:
        return {violation.code for violation in violations(decode(m, spans=spans))}
    except (Undecodable, MachineFault):
        return {UNDECODABLE}
