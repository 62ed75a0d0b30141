"""Sources that do one thing otherwise, each with a trace that shows it: what the lock-step must say, and no more."""

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from heapster.checkers.lockstep.calls import SHIPPED
from heapster.checkers.lockstep.lockstep import CHECKS, Lockstep
from heapster.impl import layout
from heapster.impl.bins import bin_of
from heapster.impl.bins import push as put_into
from heapster.machine.protocol import Aborted, MachineFault
from heapster.machine.simulated import Simulated
from heapster.model.trace import parse

SMALL = "growth 4096; threshold 8192; "
NOWHERE = 0x50000000            # an address that nobody gave


class Altered(NamedTuple):
    """What is done otherwise, and what comes of it."""

    how: str
    where: str                          # module and function of the source
    what: Callable[..., Any]            # in its place: of what stands there, the machine and the arguments
    trace: str
    codes: tuple[str, ...]              # of all that is wrong after the last step, most telling first
    says: str = ""                      # part of the first message
    misused: str = ""


def source(altered: Altered) -> Any:
    """The shipped source but for that."""
    module, _, name = altered.where.partition(".")
    before = getattr(SHIPPED, module)
    function = getattr(before, name)
    changed = SimpleNamespace(**{**vars(before), name: lambda m, *words: altered.what(function, m, *words)})
    return SimpleNamespace(**{**vars(SHIPPED), module: changed})


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise error
    return fail


def after(act: Callable[..., object]) -> Callable[..., Any]:
    """As it is; then what `act` does to the machine, given the answer and the arguments."""
    def then(function: Any, m: Any, *words: int) -> Any:
        answer = function(m, *words)
        act(m, answer, *words)
        return answer
    return then


def leaving(figure: int) -> Callable[..., Any]:
    """As it is, but for one figure, which is not written."""
    def all_but_one(function: Any, m: Any, which: int, out: int) -> None:
        before = m.load(out + figure)
        function(m, which, out)
        m.store(out + figure, before)
    return all_but_one


def set_word(word: int, value: int) -> Callable[..., object]:
    return lambda m, *_: m.store(m.statics() + word, value)


def first_payload(m: Any) -> int:
    """The payload of the first block of the break."""
    return m.load(m.statics() + layout.ARENAS + layout.TOP) + layout.FIRST_BLOCK + layout.PAYLOAD   # type: ignore[no-any-return]


def spoil(m: Any, *_: int) -> None:
    m.store(first_payload(m), 1)


def cached_though_live(m: Any, *_: int) -> None:
    """The first block waits in a bin as well."""
    put_into(m, bin_of(m.thread(), 48), first_payload(m))


def let_pass(free: Any, m: Any, p: int) -> None:
    """What is free already is let pass."""
    if m.load(p - 8) & layout.USED:
        free(m, p)


def misnaming(verify: Any, m: Any) -> None:
    """Whatever is wrong, the list of mapped blocks is said to be."""
    try:
        verify(m)
    except (Aborted, MachineFault):
        raise Aborted(layout.MAPPED_LIST_IS_LINKED_BOTH_WAYS, 0) from None


A40 = SMALL + "a = malloc(40)"
ALTERED = (
    Altered("answers NULL", "api.malloc", lambda f, m, n: 0, A40, ("null_without_errno", "structure_diverges",
            "system_calls_diverge"), "malloc answered NULL"),
    Altered("answers where nothing is", "api.malloc", lambda f, m, n: f(m, n) and NOWHERE, A40,
            ("fault_unmapped", "answer_diverges"), "looking at what malloc answered"),
    Altered("answers a failure of the system's", "api.malloc", lambda f, m, n: -1 if f(m, n) else 0, A40, (
            "impossible_address", "aborted_invalid_pointer", "answer_diverges"), "the payload is "),
    Altered("answers a block elsewhere", "api.malloc", lambda f, m, n: f(m, n) + 16, A40,
            ("aborted_invalid_pointer", "answer_diverges"),
            "malloc answers a block +16 bytes from where the reference"),
    Altered("answers NULL though it has a block", "api.malloc", lambda f, m, n: f(m, n) and 0, A40, (
            "null_without_errno", "answer_diverges"), "malloc answers NULL, the reference the contrary"),
    Altered("answers a block that is too large to be", "api.malloc", lambda f, m, n: f(m, n) or m.scratch,
            SMALL + "a = malloc(PTRDIFF_MAX)", (
                "errno_clobbered", "block_wraps", "fault_unmapped", "answer_diverges"),
            "malloc answers a block, the reference the contrary"),
    Altered("faults", "api.malloc", raising(MachineFault("unmapped", "no page", 0)), A40, ("fault_unmapped",),
            "malloc: "),
    Altered("aborts", "api.malloc", raising(Aborted(4, 0)), A40, ("aborted_corrupt_list",), "malloc: aborts with corr"),
    Altered("aborts with no code", "api.malloc", raising(Aborted(9, 0)), A40, ("aborted_invalid_code",)),
    Altered("raises", "api.malloc", raising(KeyError("x")), A40, ("crashed",), "malloc: raises KeyError"),
    Altered("has no usable size", "api.usable_size", raising(MachineFault("unmapped", "no page", 0)), A40,
            ("fault_unmapped", ), "looking at what malloc answered: "),
    Altered("has a smaller usable size", "api.usable_size", lambda f, m, p: f(m, p) - 8, SMALL + "a = malloc(30)",
            ()),
    Altered("has too small a usable size", "api.usable_size", lambda f, m, p: 32, A40, ("usable_too_small",)),
    Altered("does not clear", "api.calloc", after(lambda m, p, *_: m.store(p + 16, 1)), SMALL + "a = calloc(5, 8)",
            ("not_zeroed",), "byte 16 "),
    Altered("does not keep what it moves", "api.realloc", after(lambda m, q, *_: m.store(q + 8, 1)),
            A40 + "; b = malloc(40); a = realloc(a, 400)", ("prefix_lost",), "byte 8 "),
    Altered("keeps what it does not move", "api.realloc", after(lambda m, q, *_: m.store(q + 48, 1)),
            A40 + "; b = malloc(40); a = realloc(a, 400)", ()),
    Altered("writes into a block as it allocates", "api.malloc", after(spoil), A40 + "; b = malloc(8)",
            ("contents_damaged",), "byte 0 "),
    Altered("writes into a block as it frees another", "api.free", after(spoil), A40 + "; b = malloc(8); free(b)",
            ("contents_damaged",), "byte 0 "),
    Altered("writes into a block as it is set", "settings.set_cache", after(spoil), A40 + "; cache 100",
            ("contents_damaged",), "byte 0 of a live block changed"),
    Altered("asks the system once more", "api.malloc", after(lambda m, *_: m.sbrk(0)), A40, ("system_calls_diverge",)),
    Altered("has a usable size of another", "api.usable_size", lambda f, m, p: f(m, p) + (m.load(
        m.statics() + layout.THRESHOLD) == 9000) * 8, A40 + "; b = malloc(40); threshold 9000; usable_size(b)",
            ("answer_diverges",), "usable_size answers 48, the reference 40"),
    Altered("sets errno", "api.malloc", after(lambda m, *_: m.set_errno(5)), A40, ("errno_clobbered",
            "answer_diverges"), "malloc succeeded, yet"),
    Altered("has a policy of its own", "api.malloc", after(set_word(layout.POLICY, 9)), A40, ("undecodable_heap",),
            "the policy is 9"),
    Altered("grows otherwise from now on", "api.malloc", after(set_word(layout.GROWTH, 8192)), A40,
            ("structure_diverges",), "the growth is 8192, predicted 4096"),
    Altered("breaks an invariant", "api.malloc", after(set_word(layout.GROWTH, 5)), A40,
            ("settings_are_legal", "structure_diverges"), "the growth is 5"),
    Altered("keeps a lock", "api.malloc", after(lambda m, *_: m.lock(m.statics() + layout.ATTACH_LOCK)), A40,
            ("locks_are_released",)),
    Altered("caches what is live", "api.free", after(cached_though_live), "cache 1000; a = malloc(40); b = malloc(40); "
            "free(b)", ("contents_damaged", "live_block_is_cached", "structure_diverges")),
    Altered("leaves memory behind", "lifecycle.finalize", lambda f, m: m.mmap(4096) and f(m), A40 + "; finalize",
            ("memory_not_returned", "system_calls_diverge"), "finalize left 4096 bytes unreturned"),
    Altered("says that something is left", "lifecycle.finalize", lambda f, m: f(m) + 1, A40 + "; finalize",
            ("answer_diverges",), "finalize answers 1, the reference 0"),
    Altered("does not finalize", "lifecycle.finalize", lambda f, m: 0, A40 + "; finalize",
            ("memory_not_returned", "system_calls_diverge")),
    Altered("counts wrong", "stats.stats", after(lambda m, answer, which, out: m.store(out, 5)), A40 + "; stats",
            ("wrong_statistics",) * 4, "stats of all arenas differ"),
    Altered("counts the last figure wrong", "stats.stats", after(lambda m, answer, which, out: m.store(
        out + layout.STATS_BYTES - 8, 5)), A40 + "; stats", ("wrong_statistics",) * 4, "stats of all arenas differ"),
    *(Altered(f"writes a word {where} its buffer", "stats.stats", after(
        lambda m, answer, which, out, beside=beside: m.store(out + beside, 5)), A40 + "; stats",
        ("wrong_statistics",) * 4, "stats of all arenas write beside the figures")
      for where, beside in (("before", -8), ("behind", layout.STATS_BYTES))),
    Altered("leaves a figure as it was", "stats.stats", leaving(layout.STATS_BYTES - 8), A40 + "; stats",
            ("wrong_statistics",) * 4, "stats of all arenas differ"),
    Altered("does not count", "stats.stats", raising(MachineFault("unmapped", "no page", 0)), A40 + "; stats",
            ("fault_unmapped",), "asking for statistics: "),
    Altered("shows nothing", "stats.status", lambda f, m: None, A40 + "; stats", ("wrong_statistics",),
            "the status dump differs"),
    Altered("finds fault with a sound heap", "verify.verify", raising(Aborted(layout.SIZES_ARE_LEGAL, 0)),
            A40 + "; stats", ("wrong_verdict",), "verify of a sound heap ends with sizes_are_legal"),
    Altered("does not end its walk", "verify.verify", raising(MachineFault("hang", "no end", 0)), A40 + "; stats",
            ("fault_hang",), "verifying: "),
    Altered("finds fault with nothing", "verify.verify", lambda f, m: None, A40 + "; stats", ("wrong_verdict",),
            "verify says nothing where the word at "),
    Altered("finds fault with anything that it finds fault with", "verify.verify", misnaming, A40 + "; stats",
            ("wrong_verdict",) * 2, "verify says mapped_list_is_linked_both_ways where the word at "),
    Altered("does not notice", "api.free", let_pass,
            A40 + "; free(a); free(a)", ("misuse_unnoticed",), "is unnoticed", "unnoticed"),
    Altered("does not notice what was just absorbed", "api.free", let_pass,
            SMALL + "a = malloc(40); b = malloc(40); free(a); free(b); free(b)", ("misuse_unnoticed",), "is unnoticed",
            "unnoticed"),
    Altered("does not notice what was absorbed some time ago", "api.free", let_pass,
            SMALL + "a = malloc(40); b = malloc(40); free(a); free(b); c = malloc(8); free(b)",
            ("misuse_unnoticed",), "is unnoticed", "unnoticed"),
    Altered("does not notice what a move absorbed", "api.free", let_pass,
            SMALL + "a = malloc(40); b = malloc(40); z = malloc(40); free(a); c = realloc(b, 400); free(b)",
            ("misuse_unnoticed",), "is unnoticed", "unnoticed"),
    Altered("takes it for another", "api.free", lambda f, m, p: m.abort(3, p) if m.load(p - 8) & 1 == 0 else f(m, p),
            A40 + "; free(a); free(a)", ("misuse_unnoticed",), "is corrupt_header", "corrupt_header"),
    Altered("takes any policy", "settings.set_policy", lambda f, m, n: 0 if n == 5 else f(m, n),
            "policy best_fit", ("wrong_answer",), "set_policy took a policy"),
    Altered("takes no policy", "settings.set_policy", lambda f, m, n: -1, "policy best_fit",
            ("wrong_answer", "structure_diverges"), "set_policy(best_fit) was not taken"),
    Altered("forgets the policy", "settings.set_policy", lambda f, m, n: f(m, n) if n < 0 or n > 4 else 0,
            "policy best_fit", ("wrong_answer", "structure_diverges"), "set_policy(best_fit) was not taken"),
    Altered("takes another threshold", "settings.set_threshold", lambda f, m, n: f(m, n + 1), "threshold 9000",
            ("wrong_answer", "structure_diverges"), "the threshold became 9001, not 9000"),
    Altered("takes another cache", "settings.set_cache", lambda f, m, n: f(m, n + 1), "cache 100",
            ("wrong_answer", "structure_diverges"), "the cache's bytes became 101, not 100"),
    Altered("takes another keep", "retained.set_keep", lambda f, m, n: f(m, n + 1), "keep 100",
            ("wrong_answer", "structure_diverges"), "the bytes to keep became 101, not 100"),
    Altered("takes any policy at first", "api.init", lambda f, m, n, policy: f(m, n, min(policy, 4)), "growth 8192",
            ("wrong_answer",), "init did not refuse"),
    Altered("grows although it refuses", "api.init", lambda f, m, n, policy: m.store(
            m.statics() + layout.GROWTH, 12288) or f(m, n, policy), "growth 8192", ("wrong_answer",),
            "init did not refuse"),
    Altered("refuses a policy that it has", "api.init", lambda f, m, n, policy: f(m, n, policy) or -(policy == 0),
            "growth 8192", ("wrong_answer",), "init did not refuse"),
    Altered("keeps a lock in the child of a fork", "lifecycle.after_fork_in_child", after(lambda m, *_: m.lock(
            m.statics() + layout.ATTACH_LOCK)), "fork", ("locks_are_released",)),
    Altered("stores nothing", "api.posix_memalign", lambda f, m, *_: 0, "a = posix_memalign(64, 8)",
            ("wrong_answer", "null_without_error", "structure_diverges", "system_calls_diverge"),
            "returned 0 and stored no pointer"),
    Altered("stores NULL as it fails", "api.posix_memalign", lambda f, m, out, *w: m.store(out, 0) or f(m, out, *w),
            "a = posix_memalign(3, 8)", ()),
    Altered("fails otherwise", "api.posix_memalign", lambda f, m, out, *w: f(m, out, *w) and 12,
            "a = posix_memalign(3, 8)", ("wrong_errno", "answer_diverges"),
            "posix_memalign returns 12 with errno 0, the reference 22 with errno 0"),
    Altered("sets errno as it fails", "api.malloc", lambda f, m, n: f(m, n) or m.set_errno(22) or 0,
            SMALL + "a = malloc(PTRDIFF_MAX)", ("wrong_errno", "answer_diverges"),
            "malloc returns 0 with errno 22, the reference 0 with errno 12"),
    Altered("stores NULL as it succeeds", "api.posix_memalign", lambda f, m, out, *w: f(m, out, *w) or m.store(
            out, 0) or 0, "a = posix_memalign(64, 8)", ("null_without_error", "answer_diverges"),
            "posix_memalign answers NULL, the"),
    Altered("takes a policy below the first", "settings.set_policy", lambda f, m, n: 0 if n == -1 else f(m, n),
            "policy best_fit", ("wrong_answer",), "set_policy took a policy"),
    Altered("refuses a policy that it takes", "settings.set_policy", lambda f, m, n: f(m, n) or -1,
            "policy best_fit", ("wrong_answer",), "set_policy(best_fit) was not taken"),
    Altered("refuses no policy at first", "api.init", lambda f, m, n, policy: max(f(m, n, policy), 0), "growth 8192",
            ("wrong_answer",), "init did not refuse"),
    Altered("counts mappings of an arena", "stats.stats", after(lambda m, answer, which, out: m.store(
            out, m.load(out) + (which == layout.ONLY_MAPPINGS))), A40 + "; b = malloc(9000); stats",
            ("wrong_statistics",), "stats of the mapped blocks differ"),
    Altered("counts an arena that is not open", "stats.stats", after(lambda m, answer, which, out: m.store(
            out, m.load(out) + (which == 1))), A40 + "; stats", ("wrong_statistics",), "stats of arena 1 differ"),
)


@cache
def _steps(text: str) -> Any:
    return parse(text)


def is_told(altered: Altered) -> None:
    """What comes of it is what must, when it must."""
    lockstep = Lockstep(Simulated(), source(altered))
    *before, last = _steps(altered.trace)
    for step in before:
        assert lockstep.take(step) == [], (altered.how, step)
    problems = lockstep.take(last)
    assert tuple(problem.code for problem in problems) == altered.codes, (altered.how, problems)
    assert altered.says in "; ".join(problem.message for problem in problems), (altered.how, problems)
    assert lockstep.misused == altered.misused
    assert lockstep.steps == len(before) + 1
    assert set(lockstep.checks()) == {*CHECKS, "statistics"}


ENDINGS = (                     # misuse of the shipped source, and how it ends
    (A40 + "; free(a); free(a)", "double_free"),
    (A40 + "; free(a + 8)", "invalid_pointer"),
    (A40 + "; free(a); b = realloc(a, 10)", "use_after_free"),
    (A40 + "; free(a); b = reallocarray(a, 1, 10)", "use_after_free"),
    (A40 + "; free(a); usable_size(a)", "use_after_free"),
    (SMALL + "a = malloc(9000); free(a); free(a)", "fault"),
    (SMALL + "a = malloc(40); b = malloc(40); free(a); free(b); free(b)", "double_free"),
    (SMALL + "a = malloc(40); b = malloc(40); free(a); free(b); c = malloc(40); d = realloc(b, PTRDIFF_MAX)",
     "unnoticed"),
    (A40 + "; poke a - 8 0x41; free(a)", "invalid_pointer"),
    (A40 + "; poke a 5; free(a); free(a)", "double_free"),
)


def goes_well(text: str) -> None:
    """Nothing is wrong, and each check was made after each step."""
    lockstep = Lockstep(Simulated())
    steps = _steps(text)
    for step in steps:
        assert lockstep.take(step) == [], step
    stats = sum(step.verb == "stats" for step in steps)
    assert lockstep.checks() == {**dict.fromkeys(CHECKS, len(steps)), "statistics": stats}
    assert (lockstep.misused, lockstep.heap) == ("", lockstep.reference.heap()._replace(system=lockstep.m.system()))
    assert {held.pointer for held in lockstep.live} <= set(lockstep.pointers.values())


def ends(text: str, how: str) -> None:
    """A misuse that is noticed where it must be is nothing wrong, and ends the run."""
    lockstep = Lockstep(Simulated())
    for step in _steps(text):
        if step.verb != "realloc":
            lockstep.heap = None                # as between the steps of a rerun
        assert (lockstep.misused, lockstep.take(step)) == ("", []), text
    assert lockstep.misused == how
