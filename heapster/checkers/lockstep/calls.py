"""Steps of a trace as calls of the implementation on a machine."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

from heapster import impl
from heapster.checkers.lockstep.overflow import word
from heapster.impl import api, layout, lifecycle, malloc, retained, settings, stats, thread_cache, trim, verify
from heapster.model.geometry import signed
from heapster.model.operation import Step
from heapster.model.operations import CALLS as CALLS_OF_C
from heapster.model.operations import OPERATIONS, OperationRow
from heapster.model.placement import POLICY_NAMES

CRASHES = (ArithmeticError, AttributeError, LookupError, NameError, RecursionError, TypeError, ValueError)
SHIPPED = SimpleNamespace(api=api, lifecycle=lifecycle, malloc=malloc, retained=retained, settings=settings,
                          stats=stats, thread_cache=thread_cache, trim=trim, verify=verify, package=impl)


class Answer(NamedTuple):
    """The answer of a call."""

    value: int = 0              # a pointer, a usable size or a code
    returned: int = 0           # what posix_memalign returned
    errno: int = 0              # as the call set it; 0 when left alone
    problem: str = ""           # what is wrong about it that needs no model


class Calling(NamedTuple):
    """A call about to be made."""

    source: Any                 # the modules of `impl`, shipped or planted
    m: Any                      # the machine
    step: Step
    pointer: int                # the operand's

    @property
    def words(self) -> list[int]:
        """The step's numbers, as the allocator gets them."""
        return [word(signed(number)) for number in self.step.numbers]


Make = Callable[[Calling], Answer | int | None]


def call(source: Any, m: Any, step: Step, pointer: int) -> Answer:
    """Make the call that `step` says, its operand at `pointer`; faults and aborts pass through."""
    m.errno = 0
    m.refuel()
    answer = CALLS[step.verb](Calling(source, m, step, pointer))
    if isinstance(answer, Answer):
        return answer._replace(value=int(answer.value), errno=m.errno)
    return Answer(int(answer or 0), errno=m.errno)


def _posix_memalign(c: Calling) -> Answer:
    """The out word starts as a mark that only a successful call may replace."""
    out, mark = c.m.scratch, -0x5EED
    c.m.store(out, mark)
    returned = c.source.api.posix_memalign(c.m, out, *c.words)
    value = c.m.load(out)
    if value != mark:
        return Answer(value, returned)
    return Answer(0, returned, problem="" if returned else "returned 0 and stored no pointer")


def _set_policy(c: Calling) -> Answer:
    number = POLICY_NAMES.index(c.step.name)
    wrong = [c.source.settings.set_policy(c.m, unknown) for unknown in (-1, len(POLICY_NAMES))]
    refused = c.source.settings.set_policy(c.m, number)
    problem = ""
    if wrong != [-1, -1]:
        problem = "set_policy took a policy that does not exist"
    elif refused != 0 or c.source.settings.get_policy(c.m) != number:
        problem = f"set_policy({c.step.name}) was not taken"
    return Answer(problem=problem)


def _set_threshold(c: Calling) -> Answer:
    c.source.settings.set_threshold(c.m, *c.words)
    expected = max(*c.words, layout.MIN_THRESHOLD)
    got = c.source.settings.get_threshold(c.m)
    return Answer(problem="" if got == expected else f"the threshold became {got}, not {expected}")


def _set_cache(c: Calling) -> Answer:
    c.source.settings.set_cache(c.m, *c.words)
    expected = min(max(*c.words, 0), layout.MAX_CACHE)
    got = c.source.settings.get_cache(c.m)
    return Answer(problem="" if got == expected else f"the cache's bytes became {got}, not {expected}")


def _set_keep(c: Calling) -> Answer:
    c.source.retained.set_keep(c.m, *c.words)
    expected = min(max(*c.words, 0), layout.MAX_REQUEST)
    got = c.source.settings.get_keep(c.m)
    return Answer(problem="" if got == expected else f"the bytes to keep became {got}, not {expected}")


def _end_thread(c: Calling) -> None:
    c.source.thread_cache.thread_end(c.m)
    c.m.new_thread()


def _init(c: Calling) -> Answer:
    """An unknown policy must change nothing; then with the policy in force."""
    api, settings_ = c.source.api, c.source.settings
    policy, growth = settings_.get_policy(c.m), settings_.get_growth(c.m)
    refused = api.init(c.m, layout.PAGE, len(POLICY_NAMES))
    kept = settings_.get_policy(c.m), settings_.get_growth(c.m)
    taken = api.init(c.m, *c.words, policy)
    if refused != -1 or kept != (policy, growth) or taken != 0:
        return Answer(problem="init did not refuse an unknown policy, or did not take a known one")
    return Answer()


def _fork(c: Calling) -> None:
    """The process forks, and it is the child that goes on: other threads are gone."""
    c.source.lifecycle.after_fork_in_child(c.m)
    c.m.leave_alone()


def _foreign_sbrk(c: Calling) -> None:
    """The foreigner may be refused: it may not lower the break below what is not its own."""
    c.m.foreign_sbrk(*c.step.numbers)


def _plain(name: str) -> Make:
    return lambda c: getattr(c.source.api, name)(c.m, *c.words)


def _on_pointer(name: str) -> Make:
    return lambda c: getattr(c.source.api, name)(c.m, c.pointer, *c.words)


def _of(row: OperationRow) -> Make:
    """A call of malloc's family."""
    if row.out:
        return _posix_memalign
    return _on_pointer(row.name) if row.operand else _plain(row.name)


CALLS: dict[str, Make] = {
    **{verb: _of(OPERATIONS[verb]) for verb in CALLS_OF_C},
    "policy": _set_policy,
    "threshold": _set_threshold,
    "growth": _init,
    "cache": _set_cache,
    "keep": _set_keep,
    "trim": lambda c: c.source.trim.trim(c.m, *c.words),
    "thread_end": _end_thread,
    "arenas": lambda c: c.source.settings.set_arenas(c.m, *c.words),
    "thread": lambda c: c.m.on_thread(c.step.numbers[0]),
    "foreign_sbrk": _foreign_sbrk,
    "fail": lambda c: c.m.refuse(c.step.name, c.step.numbers[0]),
    "fork": _fork,
    "poke": lambda c: c.m.store(c.pointer, signed(c.step.numbers[0])),
    "stats": lambda c: None,                # `statistics` asks and compares
    "finalize": lambda c: c.source.lifecycle.finalize(c.m),
}
