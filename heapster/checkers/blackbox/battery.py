"""What a variant of a target must pass besides the trace that fails: it may only hide the fault."""

from collections.abc import Iterator
from itertools import islice, product

from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.protocol import LOADS, NONE, OBSERVED, Ended, Mode
from heapster.checkers.blackbox.seed_corpus import basics, steady
from heapster.checkers.blackbox.stepwise import run_trace, set_promises
from heapster.checkers.blackbox.target import VERB_BITS
from heapster.checkers.blackbox.volume import still_grows
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import PAGE_ALIGNING, REQUESTS
from heapster.model.spec import Promises
from heapster.model.trace import parse

TRACES, GENERATED = 30, (800, 3000, 6000)      # of the corpus; operations of runs
ENDURED, ENDURED_SIZES, ENDURED_LIVES = 20_000, (1 << 6, 1 << 9, 1 << 13), (1 << 3, 1 << 6)    # of what passes all else
ENDURED_SPENDS = 150            # ms, after which a run of those is enough
SMALL, MANY = (1 << 7, 1 << 10), 1 << 11        # bytes of blocks of which so many live, and fill what small ones lie in
SPECTRUM = 12                   # traces of the corpus that tell which lines those come by that pass
WORK = parse("a = malloc(40)\nb = malloc(600)\nfree(a)\nc = malloc(24)\nfree(b)\nd = malloc(100)\nfree(c)\nfree(d)")
PIECES = parse("\n".join(["a = malloc(2000)", "free(a)", *(f"{name} = malloc(40)" for name in "bcdefghijklmnopq")]))
MOST_NEAR, SCALES = 12, (0.5, 0.9, 1.1, 2)      # steps of which one is left out; sizes' factors
MOST_MEMORY = 1 << 60           # bytes: of a variant that does not come to its end
ROUNDS_OF_WORK, LEAST_LOST = (400, 2000), 1 << 16       # that must come to rest; bytes that a lost block makes of it
ROUNDS_OF_PIECES = 300          # after which no more memory is taken, or far too much
FILLING, LEAST_SLOT, MOST_FILLED = 13, 64, 1500     # bytes asked for; that a block of a region takes; blocks
CALLS = REQUESTS.keys() - PAGE_ALIGNING | {"free"}


def near(trace: Trace) -> Iterator[Trace]:
    """Itself, and traces that have a step less, or smaller or larger blocks."""
    yield trace
    for index in reversed(range(len(trace))[-MOST_NEAR:] if len(trace) > 1 else ()):
        yield trace[:index] + trace[index + 1:]
    for scale in SCALES:
        yield tuple(step._replace(numbers=(*step.numbers[:-1], min(int(step.numbers[-1] * scale), NONE)))
                    if step.verb in REQUESTS else step for step in trace)


def filling(region: int) -> Trace:
    """As many blocks as a region may have, given back and taken once more: of none, nothing.

    A pool's last blocks are what lies beyond its end, or is its own head: if it has fewer, it never comes to give them.
    """
    blocks = range(min(region // LEAST_SLOT, MOST_FILLED))
    taken, given_back = (Step("malloc", (FILLING,), number) for number in blocks), (
        Step("free", (), NO_HANDLE, number) for number in blocks)
    again = (Step("malloc", (FILLING,), number) for number in blocks)
    return (*taken, *given_back, *again)


class Battery:
    """Traces, runs of random calls and repeated work, put to whatever a judge has chosen."""

    def __init__(self, judge: Judge, promises: Promises) -> None:
        self._judge, self._promises = judge, promises
        self._minds_loads = True

    def compare(self) -> None:
        """Hold against a variant no load that the target makes as it is: some look at what nobody wrote by design."""
        self._minds_loads = self.decides_on_its_own()

    def passes(self) -> bool:
        """Whether nothing of it fails."""
        return not any(self._checks())

    def endures(self) -> bool:
        """Whether it passes many more random calls, of small blocks and large, few that live and many.

        Of a target that takes its time, as many as it does in that.
        """
        self._judge.header.spend_ms = ENDURED_SPENDS
        try:
            return self._endures()
        finally:
            self._judge.header.spend_ms = 0

    def _endures(self) -> bool:
        return all(self._passes_generated(seed, ENDURED, size, live) for seed, (size, live) in
                   enumerate(product(ENDURED_SIZES, ENDURED_LIVES), len(GENERATED)))

    def flaws(self) -> int:
        """How much of it fails."""
        return sum(self._checks())

    def spectrum(self) -> Iterator[Trace]:
        """Traces of every kind of work."""
        yield from islice(self._basics(), SPECTRUM)
        yield from (*steady(self._judge.target.verbs), WORK, PIECES)

    def fails(self, trace: Trace) -> bool:
        """Whether a trace does."""
        return bool(run_trace(self._judge, trace, self._promises).reasons)

    def answers(self, trace: Trace) -> tuple[int, ...] | None:
        """What a trace is given, address by address; None if it fails."""
        outcome = run_trace(self._judge, trace, self._promises)
        return None if outcome.reasons else tuple(seen.pointer for seen in outcome.seen)

    def wander(self) -> None:
        """Make random calls, to come by what they come by."""
        self._passes_generated(1, GENERATED[1])

    def memory(self) -> tuple[int, int]:
        """Bytes that a large block which is cut to pieces over and over takes, and that are mapped for it at most."""
        self._judge.header.mapped = 0
        return self._in_volume(PIECES, ROUNDS_OF_PIECES)[1], self._judge.header.mapped

    def _checks(self) -> Iterator[bool]:
        """Whether each part fails."""
        quick, *longer = enumerate(GENERATED)
        yield not self._passes_generated(*quick)
        yield from map(self.fails, islice(self._basics(), TRACES))
        yield self._minds_loads and not self.decides_on_its_own()
        yield bool(self._judge.target.region) and self.fails(filling(self._judge.target.region))
        yield from (not self._passes_generated(*quick, size=size, live=MANY) for size in SMALL)
        few, many = ROUNDS_OF_WORK                  # whether memory is lost that is freed: it takes longest
        yield self._in_volume(WORK, few)[0]
        yield from (not self._passes_generated(*one) for one in longer)
        yield self._in_volume(WORK, many)[0]

    def _basics(self) -> Iterator[Trace]:
        target = self._judge.target
        return basics(target.verbs, target.room // 4 or 1 << 20)

    def decides_on_its_own(self) -> bool:
        """Whether it loads neither what nobody wrote nor what is a caller's; else it passes by chance."""
        judge = self._judge
        judge.header.observed = OBSERVED | LOADS
        try:
            return not any(map(self.fails, (WORK, PIECES)))
        finally:
            judge.header.observed = OBSERVED

    def _in_volume(self, work: Trace, rounds: int) -> tuple[bool, int]:
        """Whether memory grows where the work is done over and over, and how much there is at its end."""
        judge = self._judge
        observed, judge.header.observed = judge.header.observed, 0
        try:
            grows = still_grows(judge, work, rounds, LEAST_LOST)
            samples = judge.header.samples
            return grows, judge.header.footprint[samples - 1] if samples else MOST_MEMORY
        finally:
            judge.header.observed = observed

    def _passes_generated(self, seed: int, most: int, size: int = 1 << 12, live: int = 1 << 7) -> bool:
        set_promises(self._judge, self._promises)
        header = self._judge.header
        header.masked, header.seed, header.least_size = 0, seed + 1, 0
        header.verbs = sum(VERB_BITS[verb] for verb in CALLS if verb in self._judge.target.verbs)
        header.most_size, header.most_live, header.live_budget = size, live, 1 << 20
        ending = self._judge.run(Mode.GENERATE, most)
        slow = live == MANY and ending.ended is Ended.TIMED_OUT         # long lists take their time
        return slow or not ending.died and not ending.suspicion
