"""What users set: what is proved of `impl/settings.py`."""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.drawing import ARENA_BYTES, MAX_ARENAS, MAX_REQUEST, PAGE, STATICS, only
from heapster.checkers.proofs.window import Window
from heapster.machine.symbolic import HIGHEST, LOWEST


def set_policy(source: Any, path: Any) -> None:
    """Each word as a policy."""
    w = Window(path)
    policy, place = path.word("policy"), w.statics + STATICS["policy"]
    w.m.put(place, path.word("before", 0, 3), "policy")
    answer = source.settings.set_policy(w.m, policy)
    known = policy >= 0 and policy <= 3
    path.claim("an_unknown_policy_changes_nothing", lambda: (answer == 0) == known and (known or only(w.m)))
    path.claim("a_known_policy_is_in_force", lambda: not known or source.settings.get_policy(w.m) == policy)


def set_threshold(source: Any, path: Any) -> None:
    """Each word as a threshold."""
    w = Window(path)
    threshold = path.word("threshold")
    source.settings.set_threshold(w.m, threshold)
    now = source.settings.get_threshold(w.m)
    path.claim("thresholds_have_a_minimum", lambda: now >= PAGE)
    path.claim("a_legal_threshold_is_taken", lambda: threshold < PAGE or now == threshold)


def set_growth(source: Any, path: Any) -> None:
    """Each word as a growth."""
    w = Window(path)
    growth = path.word("growth")
    source.settings.set_growth(w.m, growth)
    now = source.settings.get_growth(w.m)
    path.claim("growth_is_whole_pages_and_enough", lambda: now & PAGE - 1 == 0 and now >= PAGE
               and (now >= growth or growth > MAX_REQUEST))
    path.claim("growth_has_a_maximum", lambda: now <= MAX_REQUEST)


def attach(source: Any, path: Any) -> None:
    """A thread that has an arena, and a new one, whatever the limit."""
    w = Window(path)
    m, thread = w.m, w.path.word("thread", LOWEST, HIGHEST, 16)
    w.reserve(thread, 8)
    m.use_thread(thread)
    mine = w.arena if path.choose(2) else 0
    m.put(thread, mine, "my arena")
    is_set = path.choose(2)
    limit = path.word("limit", 1, MAX_ARENAS) if is_set else 0
    following = path.word("next arena", 0, MAX_ARENAS - 1)
    path.require(following, "<", limit if is_set else 8)
    for name, word in (("arena_limit", limit), ("next_arena", following)):
        m.put(w.statics + STATICS[name], word, name)
    arena = source.settings.attach(m)
    now = m.load(w.statics + STATICS["next_arena"])
    path.claim("a_thread_sticks_to_its_arena", lambda: m.load(thread) == arena and (mine == 0 or arena == mine))
    path.claim("new_threads_take_turns", lambda: not m.held and (
        now == following if mine != 0 else
        arena == w.statics + STATICS["arenas"] + following * ARENA_BYTES
        and (now == following + 1 or now == 0 and following + 1 >= (limit if is_set else 8))))
    path.claim("the_next_arena_is_within_the_limit", lambda: now < (limit if is_set else 8))


PROOFS = (
    Proof("settings.attach", ANY_HEAP, attach, more={
        "a_thread_sticks_to_its_arena": "a thread has one arena for ever",
        "new_threads_take_turns": "a new thread gets the next arena in turn, and the lock is released",
        "the_next_arena_is_within_the_limit": "the next turn is within the limit",
    }),
    Proof("settings.set_policy", ALL_WORDS, set_policy, {
        "an_unknown_policy_changes_nothing": "an unknown policy changes nothing",
    }, more={"a_known_policy_is_in_force": "a known policy is in force from then on"}),
    Proof("settings.set_threshold", ALL_WORDS, set_threshold, {
        "thresholds_have_a_minimum": "it is at least MIN_THRESHOLD",
        "a_legal_threshold_is_taken": "a legal value is taken as it is",
    }),
    Proof("settings.set_growth", ALL_WORDS, set_growth, {
        "growth_is_whole_pages_and_enough":
            "it is a multiple of PAGE, at least PAGE and any legal value given",
        "growth_has_a_maximum": "it is at most MAX_REQUEST",
    }),
)
