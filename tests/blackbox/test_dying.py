"""Crashes and hangs are named by what the target follows, or goes round, in the end."""

import pytest

from heapster.checkers.blackbox.dying import by_its_end
from heapster.checkers.blackbox.judge import last_words
from heapster.checkers.blackbox.protocol import EventKind, TargetEvent

DIES, HANGS = "free(a): free dies of SIGSEGV", "free(a): free does not come back"
FAR = "loads 8 bytes (0x0) at 0x7f0000000000, far from what lives"


def accesses(*addresses: int) -> list[TargetEvent]:
    return [TargetEvent(address, 1, 0, 8, 0, EventKind.ACCESS, 1) for address in addresses]


@pytest.mark.parametrize(("address", "words", "bits", "cause"), [
    (0, "", 64, "it follows NULL"),
    (0x18, "", 64, "it follows NULL, 24 bytes behind it"),
    (0xFFFFFFFC, "", 32, "it takes NULL for a block, and touches what would be 4 bytes before it"),
    (0xFFFFFFFC, FAR, 64, f"it {FAR}"),
])
def test_a_crash_is_named_by_what_was_followed(address: int, words: str, bits: int, cause: str) -> None:
    assert by_its_end(DIES, accesses(0x1000000, address), words, bits) == f"{DIES}: {cause}"
    printed = by_its_end(f"{DIES}, having printed: oh", accesses(address), words, bits)
    assert printed == f"{DIES}: {cause}, having printed: oh"


def test_a_hang_is_named_by_the_words_that_it_goes_round() -> None:
    assert by_its_end(HANGS, accesses(*[0x800000, 0x800010] * 8), "", 64) == (
        f"{HANGS}: it goes round 2 words of memory, as in a list that leads back to itself")


@pytest.mark.parametrize("title", [DIES, HANGS, "free(a): free dies of SIGABRT"])
def test_what_may_have_been_right_is_not_blamed(title: str) -> None:
    """An access to a live block, a walk that gets about, another end, and nothing that was seen."""
    assert by_its_end(title, accesses(*range(0x800000, 0x800400, 8)), "loads 8 bytes at byte 0 of a", 64) == title
    assert by_its_end(title, [], "", 64) == title


def test_what_an_assertion_prints_does_not_name_our_program() -> None:
    said = "judge-048303e96a148842: mm.c:288: group_index: Assertion `(size & 7) == 0' failed.\n"
    assert last_words(f"checking\n{said}") == ": mm.c:288: group_index: Assertion `(size & 7) == 0' failed."
    assert last_words("judge-1 says: no\n") == ": judge-1 says: no"
