"""What users set: what is proved of `impl/settings.py`."""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, Proof
from heapster.checkers.proofs.layout_spec import ARENA_BYTES, CROWDED, MAX_REQUEST, PAGE, STATICS, WORD, only
from heapster.checkers.proofs.local_heap import Window
from heapster.machine.symbolic import HIGHEST, LOWEST
from heapster.model.placement import POLICIES

UP_TO_THREE = "up to 3 arenas"


def set_policy(source: Any, path: Any) -> None:
    """Each word as a policy."""
    w = Window(path)
    policy, place = path.word("policy"), w.statics + STATICS["policy"]
    w.m.put(place, path.word("before", 0, len(POLICIES) - 1), "policy")
    answer = source.settings.set_policy(w.m, policy)
    known = policy >= 0 and policy < len(POLICIES)
    path.claim("an_unknown_policy_changes_nothing", lambda: (answer == 0) == known and (known or only(w.m)))
    path.claim("a_known_policy_is_in_force", lambda: not known or source.settings.get_policy(w.m) == policy)


def set_threshold(source: Any, path: Any) -> None:
    """Each word as a threshold."""
    w = Window(path)
    threshold = path.word("threshold")
    source.settings.set_threshold(w.m, threshold)
    now = source.settings.get_threshold(w.m)
    path.claim("thresholds_have_a_minimum", lambda: now >= PAGE and only(w.m, w.statics + STATICS["threshold"]))
    path.claim("a_legal_threshold_is_taken", lambda: threshold < PAGE or now == threshold)


def set_growth(source: Any, path: Any) -> None:
    """Each word as a growth."""
    w = Window(path)
    growth = path.word("growth")
    source.settings.set_growth(w.m, growth)
    now = source.settings.get_growth(w.m)
    path.claim("growth_is_whole_pages_and_enough", lambda: now & PAGE - 1 == 0 and now >= PAGE
               and (now >= growth or growth > MAX_REQUEST))
    path.claim("growth_has_a_maximum", lambda: now <= MAX_REQUEST and only(w.m, w.statics + STATICS["growth"]))


def _threads(path: Any, arenas: int) -> tuple[Window, Any, list[Any], list[Any]]:
    """A thread, and how many each of the first arenas has: where that stands, and the numbers."""
    w = Window(path)
    thread = path.word("thread", LOWEST, HIGHEST, 16)
    w.reserve(thread, 8)
    w.m.use_thread(thread)
    places = [w.statics + STATICS["attached"] + index * WORD for index in range(arenas)]
    counts = [path.word(f"threads of arena {index}", 0, CROWDED - 1) for index in range(arenas)]
    for place, count in zip(places, counts, strict=True):
        w.m.put(place, count, "threads")
    return w, thread, places, counts


def attach(source: Any, path: Any) -> None:
    """A thread that has an arena, and a new one, of up to three arenas."""
    arenas = 1 + path.choose(3)
    w, thread, places, counts = _threads(path, arenas)
    m = w.m
    mine = w.arena if path.choose(2) else 0
    m.put(thread, mine, "my arena")
    m.put(w.statics + STATICS["arena_limit"], arenas, "arena limit")
    arena = source.settings.attach(m)
    path.claim("a_thread_sticks_to_its_arena", lambda: m.load(thread) == arena and (mine == 0 or arena == mine))
    if mine != 0:
        path.claim("a_new_thread_is_counted", lambda: only(m))
        return
    chosen = next(index for index in range(arenas) if arena == w.statics + STATICS["arenas"] + index * ARENA_BYTES)
    path.claim("a_new_thread_is_counted", lambda: not m.held and m.load(places[chosen]) == counts[chosen] + 1
               and only(m, thread, places[chosen]))


def least_attached(source: Any, path: Any) -> None:
    """Up to three arenas, and any numbers of threads."""
    arenas = 1 + path.choose(3)
    w, _, _, counts = _threads(path, arenas)
    chosen = source.settings.least_attached(w.m, arenas)
    path.claim("the_emptiest_arena_is_one_of_those", lambda: 0 <= chosen < arenas and only(w.m))
    path.claim("no_arena_is_emptier", lambda: all(counts[chosen] < count for count in counts[:chosen])
               and all(counts[chosen] <= count for count in counts[chosen:]))


def detach(source: Any, path: Any) -> None:
    """A thread that has one of three arenas, or none."""
    w, thread, places, counts = _threads(path, 3)
    m, mine = w.m, path.choose(4)
    m.put(thread, w.statics + STATICS["arenas"] + (mine - 1) * ARENA_BYTES if mine else 0, "my arena")
    source.settings.detach(m)
    path.claim("detaching_releases_the_lock", lambda: not m.held)
    path.claim("an_ended_thread_is_no_longer_counted", lambda: m.load(thread) == 0 and (
        mine == 0 or m.load(places[mine - 1]) == counts[mine - 1] - 1)
        and only(m, thread, *places[mine - 1:mine] if mine else ()))


PROOFS = (
    Proof("settings.attach", UP_TO_THREE, attach, more={
        "a_thread_sticks_to_its_arena": "a thread keeps the arena that it has",
        "a_new_thread_is_counted": "its arena counts one thread more, and the lock is released",
    }),
    Proof("settings.least_attached", UP_TO_THREE, least_attached, {
        "the_emptiest_arena_is_one_of_those": "0 <= result < limit, unless those are all lost",
        "no_arena_is_emptier": "no arena among them has fewer threads, none before it as few",
    }),
    Proof("settings.detach", UP_TO_THREE, detach, {
        "an_ended_thread_is_no_longer_counted": "its arena counts one thread less",
        "detaching_releases_the_lock": "the lock is released",
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
