"""What is freed is used again: the same work, done over and over, takes no more memory from the system."""

import pytest

from heapster.impl import api, settings
from heapster.impl.layout import DEFAULT_CACHE
from heapster.machine.simulated import Simulated
from heapster.model.placement import POLICY_NAMES


@pytest.mark.parametrize("policy", range(len(POLICY_NAMES)), ids=POLICY_NAMES)
def test_a_block_that_grows_at_the_break_again_and_again(policy: int) -> None:
    """What threads keep may lie between it and what is free: it moves there, rather than raise the break."""
    m = Simulated()
    settings.set_policy(m, policy)
    settings.set_cache(m, DEFAULT_CACHE)
    settings.set_growth(m, 4096)
    held = []
    for turn in range(4000):
        p = api.malloc(m, 41)
        for size in (1, 512):
            p = api.realloc(m, p, size)
        api.free(m, p)
        m.refuel()
        if turn in (1999, 3999):
            held.append(sum(end - start for start, end in m.system()))
    assert held[0] == held[1] < 1 << 16


def test_waves_ask_the_system_for_nothing_once_one_has_passed() -> None:
    """What was used before is free between two waves, and stays."""
    m = Simulated(memory=1 << 23)
    settings.set_growth(m, 4096)
    held = []
    for _ in range(4):
        blocks = [api.malloc(m, 4000) for _ in range(200)]
        for p in blocks:
            api.free(m, p)
        m.refuel()
        held.append(sum(end - start for start, end in m.system()))
    assert held[0] > 200 * 4000
    assert held == held[:1] * 4
