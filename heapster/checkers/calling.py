"""Steps of a trace as calls of the implementation on a machine."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

from heapster import impl
from heapster.checkers.decode import POLICIES
from heapster.checkers.words import word
from heapster.impl import api, layout, lifecycle, settings, stats
from heapster.model.geometry import signed
from heapster.model.operation import Step

SHIPPED = SimpleNamespace(api=api, lifecycle=lifecycle, settings=settings, stats=stats, package=impl)


class Answer(NamedTuple):
    """What a call answered."""

    value: int = 0              # a pointer, a usable size or a code
    returned: int = 0           # what posix_memalign returned
    errno: int = 0              # as the call set it; 0 when left alone
    problem: str = ""           # what is wrong about it that needs no model


Call = Callable[[Any, Any, Step, int], Answer | int | None]


def call(source: Any, m: Any, step: Step, pointer: int) -> Answer:
    """Make the call that `step` says, its operand at `pointer`; faults and aborts pass through."""
    m.errno = 0
    m.refuel()
    answer = CALLS[step.verb](source, m, step, pointer)
    if isinstance(answer, Answer):
        return answer._replace(value=int(answer.value), errno=m.errno)
    return Answer(int(answer or 0), errno=m.errno)


def _words(step: Step) -> list[int]:
    return [word(signed(number)) for number in step.numbers]


def _posix_memalign(source: Any, m: Any, step: Step, pointer: int) -> Answer:
    """The out word starts as a mark that only a successful call may replace."""
    out, mark = m.scratch, -0x5EED
    m.store(out, mark)
    returned = source.api.posix_memalign(m, out, *_words(step))
    value = m.load(out)
    if value != mark:
        return Answer(value, returned)
    return Answer(0, returned, problem="" if returned else "returned 0 and stored no pointer")


def _set_policy(source: Any, m: Any, step: Step, pointer: int) -> Answer:
    number = POLICIES.index(step.name)
    wrong = [source.settings.set_policy(m, unknown) for unknown in (-1, len(POLICIES))]
    refused = source.settings.set_policy(m, number)
    problem = ""
    if wrong != [-1, -1]:
        problem = "set_policy took a policy that does not exist"
    elif refused != 0 or source.settings.get_policy(m) != number:
        problem = f"set_policy({step.name}) was not taken"
    return Answer(problem=problem)


def _set_threshold(source: Any, m: Any, step: Step, pointer: int) -> Answer:
    source.settings.set_threshold(m, *_words(step))
    expected = max(signed(step.numbers[0]), layout.MIN_THRESHOLD)
    got = source.settings.get_threshold(m)
    return Answer(problem="" if got == expected else f"the threshold became {got}, not {expected}")


def _init(source: Any, m: Any, step: Step, pointer: int) -> Answer:
    """init with an unknown policy must change nothing; then with the policy in force."""
    policy, growth = source.settings.get_policy(m), source.settings.get_growth(m)
    refused = source.api.init(m, 1 << 20, len(POLICIES))
    kept = source.settings.get_policy(m), source.settings.get_growth(m)
    taken = source.api.init(m, *_words(step), policy)
    if refused != -1 or kept != (policy, growth) or taken != 0:
        return Answer(problem="init did not refuse an unknown policy, or did not take a known one")
    return Answer()


def _fork(source: Any, m: Any, step: Step, pointer: int) -> Answer:
    """Around a fork every lock must be held, and after it none."""
    source.lifecycle.before_fork(m)
    held = len(m.held())
    source.lifecycle.after_fork(m)
    locks = layout.MAX_ARENAS + 2
    return Answer(problem="" if held == locks else f"before a fork {held} of {locks} locks were held")


def _plain(name: str) -> Call:
    return lambda source, m, step, pointer: getattr(source.api, name)(m, *_words(step))


def _on_pointer(name: str) -> Call:
    return lambda source, m, step, pointer: getattr(source.api, name)(m, pointer, *_words(step))


CALLS: dict[str, Call] = {
    "malloc": _plain("malloc"),
    "calloc": _plain("calloc"),
    "realloc": _on_pointer("realloc"),
    "reallocarray": _on_pointer("reallocarray"),
    "aligned_alloc": _plain("aligned_alloc"),
    "memalign": _plain("memalign"),
    "posix_memalign": _posix_memalign,
    "valloc": _plain("valloc"),
    "pvalloc": _plain("pvalloc"),
    "free": _on_pointer("free"),
    "usable_size": _on_pointer("usable_size"),
    "policy": _set_policy,
    "threshold": _set_threshold,
    "growth": _init,
    "arenas": lambda source, m, step, pointer: source.settings.set_arenas(m, *_words(step)),
    "thread": lambda source, m, step, pointer: m.on_thread(step.numbers[0]),
    "foreign_sbrk": lambda source, m, step, pointer: Answer() if m.foreign_sbrk(*step.numbers) else Answer(),
    "fail": lambda source, m, step, pointer: m.refuse(step.name, step.numbers[0]),
    "fork": _fork,
    "stats": lambda source, m, step, pointer: Answer(),        # `statistics` asks and compares
    "finalize": lambda source, m, step, pointer: source.lifecycle.finalize(m),
}
