"""What the standards leave to an allocator, learnt by asking it, shown in the report, and held to be consistent."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import gcd
from typing import NamedTuple

from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.protocol import Ended, Guard, Mode, Observation, Status
from heapster.checkers.blackbox.stepwise import SIGABRT, hurried, run_trace, set_promises
from heapster.model.geometry import SIZE_MAX
from heapster.model.operation import Step, Trace
from heapster.model.spec import Promises
from heapster.wording import counted

MOST_LEARNT = 16                # bytes: no more alignment is expected of plain blocks
SWEEP = (*range(16, 260, 4), *range(512, 4097, 512))
LEAST_REQUEST = 16
LEAST_SEEN = 8                  # blocks: of fewer nothing is said that would hold for all
LEAST_GRANULE = 4               # bytes: what is supposed of addresses that were not seen
QUICK = 300                     # ms: what takes longer is not learnt
DOUBTED = "its own heap checker says no of any heap: it is not believed"


@dataclass(frozen=True)
class Learnt:
    """A target's promises, and the words for them."""

    promises: Promises
    words: tuple[str, ...]
    aborts_huge: bool = False       # a request above PTRDIFF_MAX ends the process
    stub: str = ""                  # what realloc answers whatever it is asked, if it is none


class AddressesSeen(NamedTuple):
    """What the addresses of blocks have in common."""

    usual: int                  # bytes that all plain blocks were aligned to
    tiny: int                   # and that the smallest were
    blocks: int

    @property
    def are_enough(self) -> bool:
        """Whether more blocks would hardly tell otherwise: the target did not die of the first."""
        return self.blocks >= LEAST_SEEN

    @property
    def granule(self) -> int:
        """Bytes that every block is aligned to, as far as is known."""
        return min(self.usual, self.tiny) if self.are_enough else LEAST_GRANULE


def learn(judge: Judge, alignment: int | None) -> Learnt:
    """Ask the target how it treats what is open; `alignment` is expected where it is given."""
    guarded, judge.header.guarded = judge.header.guarded, Guard.UNBOUNDED      # answers are looked at, not faults
    try:
        with hurried(judge, QUICK):
            return _learn(judge, alignment)
    finally:
        judge.header.guarded = guarded


def _learn(judge: Judge, alignment: int | None) -> Learnt:
    target = judge.target
    bits = target.bits
    open_to_all = Promises(alignment=1, errno=False, bits=bits, bad_alignment=False)
    addresses = _addresses(judge, open_to_all)
    small = addresses.tiny < min(addresses.usual, MOST_LEARNT)
    judge.header.granule = addresses.granule
    expected = alignment or target.alignment
    aborts = _aborts_huge(judge, open_to_all)
    zero, realloc_zero = _zero(judge, open_to_all), _realloc_zero(judge, open_to_all)
    is_held_to_errno = target.shape in ("standard", "prefixed") and not aborts
    errno = _sets_errno(judge, open_to_all) if is_held_to_errno else False
    refuses = _refuses_bad_alignment(judge, open_to_all)
    promises = Promises(alignment=expected, small_blocks=small, errno=errno is not False, bad_alignment=refuses is True,
                        zero=zero or "either", realloc_zero=realloc_zero, bits=bits, start=target.edges[0],
                        end=target.edges[1])
    doubted = _doubts_fresh_heaps(judge, promises)
    if doubted:
        judge.header.check_means = False
    set_promises(judge, promises)
    words = [_alignment_words(promises, addresses), *_zero_words(zero, realloc_zero, target.verbs),
             *([_errno_words(errno)] if is_held_to_errno else []),
             *(["a request above PTRDIFF_MAX ends in abort()"] if aborts else []),
             *(["an alignment that is no power of two is taken"] if refuses is False else [])]
    stub = _stub(judge, open_to_all)
    told = (f"realloc is a stub, which always answers {stub}: that is told once",) if stub else ()
    return Learnt(promises, (*words, *told, *((DOUBTED,) if doubted else ())), aborts, stub)


def _ask(judge: Judge, trace: Trace, promises: Promises) -> list[Observation]:
    """What was seen of the steps that were taken; learning looks at answers, not at faults."""
    set_promises(judge, promises)
    judge.header.masked = SIZE_MAX
    judge.run(Mode.PRECISE, judge.set_steps(trace))
    return [seen for seen in judge.observed(len(trace)) if seen.status == Status.DONE]


def _addresses(judge: Judge, promises: Promises) -> AddressesSeen:
    limit = judge.target.region // 64 if judge.target.region else SIZE_MAX
    sizes = [size for size in SWEEP if size <= limit] or [LEAST_REQUEST]
    usual = _ask(judge, _mallocs(sizes), promises)
    tiny = _ask(judge, _mallocs([1, 1, 2, 3, 4, 4, 5, 7, 8, 8, 8, 9, 12]), promises)
    of_all = (*usual, *tiny) if len(usual) == len(sizes) else usual      # where it dies of a size, small ones tell less
    return AddressesSeen(_common(usual), _common(tiny), sum(one.pointer > 0 for one in of_all))


def _mallocs(sizes: Iterable[int]) -> Trace:
    return tuple(Step("malloc", (size,), n) for n, size in enumerate(sizes))


def _common(seen: Iterable[Observation]) -> int:
    """The largest power of two that divides every pointer."""
    divisor = gcd(*(one.pointer for one in seen), 1 << 20)
    return divisor & -divisor


def _doubts_fresh_heaps(judge: Judge, promises: Promises) -> bool:
    """Whether its own checker answers 0 after the first block: then 0 does not mean that something is wrong."""
    if not judge.header.check_means:
        return False
    return any(one.own_check_failed for one in _ask(judge, (Step("malloc", (24,), 0),), promises))


def _zero(judge: Judge, promises: Promises) -> str:
    """What empty requests get; empty if one of them was not seen and the others agree."""
    steps = [Step("malloc", (0,), 0), Step("malloc", (24,), 1), Step("malloc", (0,), 2)]
    if "calloc" in judge.target.verbs:
        steps += [Step("calloc", (0, 8), 3), Step("calloc", (8, 0), 4)]
    if "realloc" in judge.target.verbs:
        steps.append(Step("realloc", (0,), 5))
    seen = _ask(judge, tuple(steps), promises)
    given = {bool(one.pointer) for step, one in zip(steps, seen, strict=False) if step.numbers != (24,)}
    if len(given) == 1 and len(seen) == len(steps):
        return "pointer" if True in given else "null"
    return "either" if len(given) > 1 else ""


def _realloc_zero(judge: Judge, promises: Promises) -> str:
    if "realloc" not in judge.target.verbs:
        return "open"
    trace = (Step("malloc", (40,), 0), Step("realloc", (0,), 1, 0), Step("malloc", (600,), 2),
             Step("realloc", (0,), 3, 2))
    seen = _ask(judge, trace, promises)
    if len(seen) < len(trace):
        return "open"
    given = {bool(seen[1].pointer), bool(seen[3].pointer)}
    return "open" if len(given) > 1 else "allocates" if True in given else "frees"


def _stub(judge: Judge, promises: Promises) -> str:
    """What realloc answers to any size, if it looks at none; empty if it is a realloc."""
    if "realloc" not in judge.target.verbs:
        return ""
    absurd = SIZE_MAX >> (64 - promises.bits) >> 1
    trace = (Step("malloc", (24,), 0), Step("realloc", (24,), 1), Step("realloc", (absurd,), 2, 0),
             Step("malloc", (24,), 3), Step("realloc", (16,), 4, 3), Step("malloc", (24,), 5),
             Step("realloc", (48,), 6, 5))
    answers = [one.pointer for one in _ask(judge, trace, promises)]
    if len(answers) < len(trace) or not answers[0]:
        return ""
    given, fresh, same, _, lesser, _, more = answers
    if not fresh and same == given:
        return "its argument"
    return "" if any((fresh, same, lesser, more)) else "NULL"


def _huge(verbs: frozenset[str], bits: int) -> Trace:
    most = SIZE_MAX >> (64 - bits)
    steps = [Step("malloc", (most - 4096,), 0), Step("malloc", (most // 2 + 1,), 1)]
    if "calloc" in verbs:
        steps.append(Step("calloc", (most // 2, 3), 2))
    if "realloc" in verbs:
        steps += [Step("malloc", (24,), 3), Step("realloc", (most - 4096,), 4, 3)]
    return tuple(steps)


def _sets_errno(judge: Judge, promises: Promises) -> bool | None:
    """False if no failure sets errno: ISO C asks for nothing, and so does the target. None if there was no failure."""
    trace = _huge(judge.target.verbs, promises.bits)
    failed = [one for one in _ask(judge, trace, promises) if not one.pointer]
    return any(one.error for one in failed) if failed else None


def _aborts_huge(judge: Judge, promises: Promises) -> bool:
    """Whether it is the size at which it aborts: as many small requests pass."""
    huge = _huge(judge.target.verbs, promises.bits)
    small = tuple(step._replace(numbers=(LEAST_REQUEST,) * len(step.numbers)) for step in huge)
    outcome = run_trace(judge, huge, promises)
    ending = outcome.ending
    aborts = bool(ending and ending.ended is Ended.SIGNALLED and ending.code == SIGABRT and outcome.last == 0)
    return aborts and len(_ask(judge, small, promises)) == len(small)


def _refuses_bad_alignment(judge: Judge, promises: Promises) -> bool | None:
    """Whether it refuses an alignment that is no power of two; None if that was not seen."""
    verb = next((verb for verb in ("aligned_alloc", "memalign") if verb in judge.target.verbs), None)
    if verb is None:
        return None
    seen = _ask(judge, (Step(verb, (24, 48), 0), Step(verb, (3, 24), 1)), promises)
    return not any(one.pointer for one in seen) if len(seen) == 2 else None


def _alignment_words(promises: Promises, addresses: AddressesSeen) -> str:
    expected = f"{counted(promises.alignment, 'byte', 'are')} expected"
    if not addresses.are_enough:
        return f"how blocks are aligned is not settled, of {counted(addresses.blocks, 'block')}; {expected}"
    small = ", smaller ones to their size" if promises.small_blocks else ""
    return f"blocks are aligned to {counted(min(addresses.usual, 4096), 'byte')}{small}; {expected}"


def _zero_words(zero: str, realloc_zero: str, verbs: frozenset[str]) -> Iterator[str]:
    yield {"null": "malloc(0) gives NULL", "pointer": "malloc(0) gives a block",
           "either": "malloc(0) gives NULL or a block", "": "malloc(0) is not settled"}[zero]
    if "realloc" in verbs:
        yield {"frees": "realloc(p, 0) gives NULL", "keeps": "realloc(p, 0) keeps p",
               "allocates": "realloc(p, 0) gives a block",
               "open": "realloc(p, 0) is not settled"}[realloc_zero]


def _errno_words(errno: bool | None) -> str:
    return {True: "failures set errno", False: "failures leave errno alone",
            None: "what failures do to errno is not settled: none was seen"}[errno]
