"""The part of the docs' page of proofs about whole operations on any heap, and about what stands in for what."""

from collections.abc import Iterator

from heapster.checkers.mutation.fault import SHIPPED_FOLDER
from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP
from heapster.checkers.proofs.builds import is_of
from heapster.checkers.proofs.catalogue import PROOFS, theorems
from heapster.checkers.proofs.contracts import required
from heapster.checkers.proofs.replacements import callees
from heapster.checkers.proofs.stand_ins import STAND_INS
from heapster.checkers.proofs.unproved import UNPROVED, functions

WHOLE = (
    "A call is run from its C name on. The machine knows nothing of the heap but what the code asks for: then",
    "it puts there whatever may stand there, by the clauses that are claimed afterwards of all that was met:",
    "right of a block a used one, a free one or the fence; left of one that knows its left as free, that one;",
    "behind a fence its region; the newest region, the top, and the regions beside one. A word that nothing",
    "explains may not be touched, so what was not met is as it was. What is assumed before and what is claimed",
    "after is one predicate: so it holds after any sequence of these calls, and says nothing of how many",
    "blocks, regions or arenas there are.",
    "",
    "Claimed of each: every clause of every block, fence and region that was met or made; the arena's totals",
    "differ as its blocks do, and it holds what the system gave and has not back; no other word changed; no",
    "lock is held; blocks of others are as they were. The system may refuse anything, and a foreigner may move",
    "the break.",
    "",
    "And any number of other threads may be calling too: of those that keep to the locks no access conflicts with what",
    "others do meanwhile unless both are atomic, and all that a call changes of what its arena has it changes in one",
    "critical section, where it is linearized; calls on mapped blocks do, too. Before that it may rely on what others",
    "leave to it alone: of a block's header that it reads without the lock, whether the left neighbour is used may",
    "change.",
    "",
    "Blocks with mappings of their own are on any list; what is retained is any too: it is not looked at, but handed",
    "out and taken as the functions of `retained` promise. A realloc that moves is one request, one copy and one free,",
    "each of which is proved. A bin that is full is flushed turn by turn, from stacks of any length.",
    "",
    "Batches have any length: where one is carved block by block, up to 3; where it is longer, by what `carve_batch`",
    "promises, which is proved turn by turn.",
    "",
    "Not covered: arenas and lists that a child of a fork lost; another thread's cache; statistics.",
    "`heapster prove --covers --fuzz 60` says how many calls start where one of these theorems applies.",
    "What stands in for a callee does no more than that promises:",
)


def any_heap_lines() -> Iterator[str]:
    """Of the docs' page: what whole operations on any heap are proved under."""
    bounds = {theorem.name: theorem.bound for theorem in theorems()}
    yield from ("## Whole operations on any heap", "", *WHOLE, "",
                "| callee | what stands in its place | is proved by | of |", "|---|---|---|---|")
    for each in STAND_INS:
        names = ", ".join(f"`{name}`" for name in each.proved_by)
        reach = ", ".join(dict.fromkeys(bounds[name] for name in each.proved_by))
        yield f"| `{each.of}` | {each.does} | {names} | {reach} |"
    yield ""
    yield from _spans_lines()
    yield from _stand_in_lines()
    yield from _unproved_lines()


REPLACED = (
    "Read off the source of the proofs: each function that any proof replaces by what it promises, the proofs that do,",
    "by the functions that they are about, and what proves the promise. Its *Requires* is what the replacement may",
    "count on; that callers keep to it is claimed by whole operations, which run them.",
)


def _stand_in_lines() -> Iterator[str]:
    """Of the docs' page: what is replaced in which proofs, and what proves that it does what it promises."""
    yield from ("## What stands in for what, in all proofs", "", *REPLACED, "",
                "| callee | in proofs of | is proved by | of | requires |", "|---|---|--:|---|---|")
    needs = required(SHIPPED_FOLDER)
    for each in callees(PROOFS):
        users = ", ".join(f"`{of}`" for of in dict.fromkeys(proof.of for proof in each.proofs))
        bounds = [theorem.bound for theorem in theorems() if theorem.of == each.of]
        whole = [bound for bound in (ALL_WORDS, ANY_HEAP) if bound in bounds]
        reach = ", ".join(whole or dict.fromkeys(bounds)) or "nothing"
        yield f"| `{each.of}` | {users} | {len(bounds)} | {reach} | {needs[each.of]} |"
    yield ""


SPANS = (
    "Theorems that reach \"with spans\" are of what is built with spans alone; `heapster prove` proves them with the",
    "others, of what ships; `heapster prove sim:spans=0` what holds without spans. Most functions are the same in",
    "either; what is not about runs is proved with spans of a heap without a reservation, whose bins have blocks of 16",
    "bytes more.",
)


def _spans_lines() -> Iterator[str]:
    """Of the docs' page: what is proved of what is built with spans, and what is not."""
    proofs = [proof for proof in PROOFS if not proof.thorough]
    alone = [proof for proof in proofs if proof.spans]
    both = [proof for proof in proofs if not proof.spans and is_of(proof, spans=True)]
    without = [proof for proof in proofs if not is_of(proof, spans=True)]
    yield from ("## What is built with spans", "", *SPANS, "", "| proofs | runs of a function | theorems |",
                "|---|--:|--:|")
    for title, some in (("of what is built with spans alone", alone), ("of either build", both),
                        ("of what is built without alone", without)):
        yield f"| {title} | {len(some)} | {len(theorems(tuple(some)))} |"
    names = dict.fromkeys(f"`{each.of}`" for each in without)
    yield from ("", f"The last are of {', '.join(names)}.", "")


def _unproved_lines() -> Iterator[str]:
    """Of the docs' page: the functions that no theorem is about, by the reason."""
    alone = {reason: [name for name in UNPROVED if UNPROVED[name] == reason] for reason in UNPROVED.values()}
    yield from ("## Functions that no theorem is about", "",
                f"All others of the {len(functions())} of `impl` have one of their own.", "",
                "| why | functions |", "|---|---|")
    yield from (f"| {reason} | {', '.join(f'`{name}`' for name in names)} |" for reason, names in alone.items())
    yield ""
