"""Products that wrap: of some words, as no word of a proof may; checked against what they are defined as."""

from typing import Any

from heapster.checkers.proofs import Proof
from heapster.checkers.proofs.layout_spec import HARDENED, MAX_WORD, STATICS, only

SOME = "some words"
WORDS = (0, 1, 2, 1 << 31, (1 << 33) + 5, 0x1234_5678_9ABC, (1 << 47) - 8, 1 << 62, MAX_WORD - 1, MAX_WORD)
KEY, PLACE = -(1 << 62) + (1 << 51) + 0x1357_9BDF, 1 << 20
STEP, FIRST, SECOND = (HARDENED[name] for name in ("DRAW_STEP", "MIX_FIRST", "MIX_SECOND"))
WRAP = MAX_WORD + 1


def mixed(x: int) -> int:
    """Number x, mixed: two rounds of a shift and a product modulo 2**63, and a shift."""
    for shift, factor in ((30, FIRST), (27, SECOND)):
        x = (x ^ x // 2**shift) * factor % WRAP
    return x ^ x // 2**31


def keyed(path: Any) -> Any:
    """Memory at some place, with some key."""
    m = path.machine(PLACE)
    m.put(PLACE + STATICS["key"], KEY, "key")
    return m


def mix(source: Any, path: Any) -> None:
    """Each of these words."""
    x = WORDS[path.choose(len(WORDS))]
    path.claim("numbers_are_mixed_as_defined", lambda: source.randomness.mix(x) == mixed(x))


def draw(source: Any, path: Any) -> None:
    """Each of these words as how much was drawn."""
    m, drawn, counter = keyed(path), WORDS[path.choose(len(WORDS))], 5 * PLACE
    m.put(counter, drawn, "drawn")
    number = source.randomness.draw(m, counter)
    now = (drawn + STEP) % WRAP
    path.claim("a_drawn_number_is_mixed_of_key_count_and_place", lambda: number == mixed((KEY ^ now ^ counter) % WRAP)
               and m.load(counter) == now and only(m, counter))


def canary(source: Any, path: Any) -> None:
    """Each of these words as a payload."""
    m, p = keyed(path), WORDS[path.choose(len(WORDS))]
    x = (KEY ^ p) * FIRST % WRAP
    path.claim("a_canary_is_mixed_of_key_and_place", lambda: source.randomness.canary(m, p) == x ^ x // 2**32 | 1
               and only(m))


PROOFS = (
    Proof("randomness.mix", SOME, mix, more={
        "numbers_are_mixed_as_defined": "two rounds of a shift and a product, and a shift"}),
    Proof("randomness.draw", SOME, draw, more={
        "a_drawn_number_is_mixed_of_key_count_and_place": "the word counts it, and no other word changes"}),
    Proof("randomness.canary", SOME, canary, more={
        "a_canary_is_mixed_of_key_and_place": "and is odd; no word changes"}),
)
