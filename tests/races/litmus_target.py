"""The litmus tests as one instrumented C target: each lane's code is what a malloc of one size runs.

A lane answers where in its area the block lies: that encodes what it read. A last lane, which waits for the others'
blocks, reads the last values of places.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from heapster.checkers.races.compiled.target import CompiledTarget
from heapster.checkers.races.exploring import SearchTally
from heapster.checkers.races.litmus import LitmusStep, Outcome
from heapster.checkers.races.litmus_tests import Litmus
from heapster.checkers.races.programs import parse_program
from heapster.machine.orders import ACQ_REL, ACQUIRE, RELAXED, RELEASE, SEQ_CST

ORDERS = {RELAXED: "relaxed", ACQUIRE: "acquire", RELEASE: "release", ACQ_REL: "acq_rel", SEQ_CST: "seq_cst",
          SEQ_CST & ~RELEASE: "seq_cst"}
MOST_PREEMPTIONS = {3: 1, 4: 0}         # by the number of threads
LANES, UNIT, PLACES = 8, 1024, "xyz"     # UNIT: bytes, more than are ever asked for
BASE, MOST_READ = 4, 3                  # values, and how many of them a lane reads
HEAD = f"""\
#include <stdatomic.h>
#include <stddef.h>
static atomic_int x, y, z;
static char given[{UNIT}];
static char area[{LANES}][{BASE ** MOST_READ * UNIT}] __attribute__((aligned({BASE ** MOST_READ * UNIT})));
void litmus_free(void *block) {{ (void)block; }}
void *litmus_malloc(size_t lane)
{{
    int a = 0, b = 0, c = 0, d = 0, e = 0;
    if (given[lane]++)
        return NULL;
    switch (lane) {{
"""
FOOT = "    }\n    return NULL;\n}\n"


def size(test: int, lane: int) -> int:
    """Which malloc runs a lane of a test."""
    return test * LANES + lane + 1


def source(tests: Sequence[Litmus]) -> str:
    """The target's text."""
    return "".join((HEAD, *(case for number, test in enumerate(tests) for case in _cases(number, test)), FOOT))


def _cases(number: int, test: Litmus) -> Iterator[str]:
    for lane, steps in enumerate(test.lanes):
        code = " ".join(_text(step) for step in steps)
        yield _case(size(number, lane), code, _block(lane, [step.name for step in steps if step.name]))
    last = " ".join(f"{name} = atomic_load({place});" for name, place in zip("abc", ("&x", "&y", "&z"), strict=True))
    yield _case(size(number, len(test.lanes)), last, _block(len(test.lanes), ["a", "b", "c"]))


def _case(asked: int, code: str, block: str) -> str:
    return f"    case {asked}: {code}\n        return {block};\n"


def _block(lane: int, names: list[str]) -> str:
    return f"area[{lane}]" + "".join(f" + {UNIT * BASE ** i} * {name}" for i, name in enumerate(names))


def _text(step: LitmusStep) -> str:
    order, place = f"memory_order_{ORDERS[step.order]}", f"&{step.place}"
    if step.kind == "fence":
        return f"atomic_thread_fence({order});"
    if step.kind == "store":
        return f"atomic_store_explicit({place}, {step.value}, {order});"
    if step.kind == "load":
        return f"{step.name} = atomic_load_explicit({place}, {order});"
    if step.kind == "exchange":
        return f"{step.name} = atomic_exchange_explicit({place}, {step.value}, {order});"
    failed = f"memory_order_{ORDERS[step.order & ~RELEASE]}"
    return (f"{step.name} = {step.expected}; "
            f"atomic_compare_exchange_strong_explicit({place}, &{step.name}, {step.value}, {order}, {failed});")


def outcomes(target: CompiledTarget, number: int, test: Litmus) -> tuple[set[Outcome], int]:
    """All that is observed in the schedules of one test, and how many these are.

    Of two threads all schedules are run; of more those with few preemptions, which have all outcomes too.
    """
    lanes = [f"m{size(number, lane)}" for lane in range(len(test.lanes))]
    if not {*PLACES}.isdisjoint(test.observed):
        lanes.append("".join(f"f{lane}," for lane in range(len(lanes))) + f"m{size(number, len(lanes))}")
    session = target.session(parse_program("|".join(lanes)))
    found, tally = set(), SearchTally()
    for outcome in session.every_schedule(MOST_PREEMPTIONS.get(len(test.lanes)), tally):
        assert outcome.problem is None, outcome.problem
        found.add(_observed(test, session.answers()))
    return found, tally.schedules


def _observed(test: Litmus, answers: list[tuple[int, int]]) -> Outcome:
    """What the lanes' blocks say."""
    seen: dict[str, int] = {}
    for lane, block in answers:
        offset = block % (BASE ** MOST_READ * UNIT)
        names = [step.name for step in test.lanes[lane] if step.name] if lane < len(test.lanes) else [*PLACES]
        seen |= {name: offset // UNIT // BASE ** i % BASE for i, name in enumerate(names)}
    return tuple(seen[name] for name in test.observed)


def write(folder: Path, tests: Sequence[Litmus]) -> Path:
    """The target's file."""
    made = folder / "litmus.c"
    made.write_text(source(tests))
    return made
