"""Crashes and hangs by what the target does in the end: what it follows, or what it goes round."""

from collections.abc import Sequence

from heapster.checkers.blackbox.protocol import TargetEvent
from heapster.wording import counted

NEAR_NULL = 1 << 16             # bytes around NULL that belong to nobody
ROUNDS = 8                      # times that each place is touched, before it is called going round
FAULT, BUS, ENDLESS = "dies of SIGSEGV", "dies of SIGBUS", "does not come back"         # in titles that name no cause
CANONICAL = 1 << 47             # beyond lie no addresses of programs


def by_its_end(title: str, accesses: Sequence[TargetEvent], words: str, bits: int) -> str:
    """The title, with the cause in it where the last call's accesses tell one; `words` say what the last of them is."""
    if not accesses:
        return title
    last = accesses[-1].address
    followed = _followed(last, words, bits)
    beyond = "touches a page beyond the end of the file that is mapped there" if last < CANONICAL else ""
    for shown, cause in ((FAULT, followed), (BUS, beyond or followed), (ENDLESS, _circle(accesses))):
        if cause:
            title = title.replace(shown, f"{shown}: it {cause}", 1)
    return title


def _followed(address: int, words: str, bits: int) -> str:
    """What address a call dies of; nothing of one that may have been right."""
    if address < NEAR_NULL:
        behind = f", {counted(address, 'byte')} behind it" if address else ""
        return f"follows NULL{behind}"
    if address >= (1 << bits) - NEAR_NULL:
        return f"takes NULL for a block, and touches what would be {counted((1 << bits) - address, 'byte')} before it"
    return words if words.endswith("far from what lives") else ""


def _circle(accesses: Sequence[TargetEvent]) -> str:
    """In how few places a call goes on for ever; nothing if it gets about."""
    places = {access.address for access in accesses}
    if len(accesses) < ROUNDS * len(places):
        return ""
    return f"goes round {counted(len(places), 'word')} of memory, as in a list that leads back to itself"
