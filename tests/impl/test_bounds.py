"""What a call costs is bounded when the system says no for ever: loads and system calls are counted, not time."""

from collections.abc import Callable

import pytest

from heapster.impl import api, lifecycle, retained, settings, thread_cache, trim
from heapster.machine.checked_memory import FUEL
from heapster.machine.simulated import Simulated
from heapster.model.system import SYSTEM_CALL_NAMES

PAGE = 4096
LOADS, CALLS = 400, 40          # that a call may make, however many came before it
MANY = 260                      # large blocks: one that walked the others would make more loads than that


def refusing(*names: str, keep: int = 0, memory: int = 1 << 25) -> Simulated:
    """A machine whose system refuses every call of these names."""
    m = Simulated(memory)
    settings.set_growth(m, PAGE)
    settings.set_threshold(m, PAGE)
    retained.set_keep(m, keep)
    for name in names:
        m.refuse(name, 0)
    return m


def cost(m: Simulated, call: Callable[..., object], *arguments: int) -> tuple[int, int]:
    """Loads and system calls that a call makes."""
    m.refuel()
    m.calls.clear()
    call(m, *arguments)
    return FUEL - m.fuel, len(m.calls)


def within(costs: list[tuple[int, int]]) -> bool:
    """Whether each is within the bounds."""
    return all(loads <= LOADS and calls <= CALLS for loads, calls in costs)


@pytest.mark.parametrize("keep", [0, 1 << 16, 1 << 24])
@pytest.mark.parametrize("names", [("munmap",), ("munmap", "purge"), SYSTEM_CALL_NAMES[2:]])
def test_freeing_large_blocks_walks_nothing_that_grows(names: tuple[str, ...], keep: int) -> None:
    """Every second one first, then the rest; then they are used again, and freed again."""
    m = refusing(*names, keep=keep)
    sizes = [PAGE * (2 + number % 5) for number in range(MANY)]
    for _ in range(2):
        blocks = [api.malloc(m, size) for size in sizes]
        assert within([cost(m, api.free, p) for p in blocks[::2] + blocks[1::2]])
        assert within([cost(m, api.malloc, size) for size in (PAGE, 9 * PAGE)])


def test_what_the_system_refuses_is_used_again_and_goes_when_it_relents() -> None:
    """Two blocks in turn take no more and more; and each that is taken takes one of those set aside along."""
    m = refusing("munmap")
    for _ in range(MANY):
        api.free(m, api.malloc(m, 3 * PAGE))
    held = sum(end - start for start, end in m.system())
    assert held <= 16 * PAGE
    blocks = [api.malloc(m, 3 * PAGE) for _ in range(20)]
    for p in blocks:
        api.free(m, p)
    m.refuse("munmap", 10**6)
    for _ in range(40):
        api.free(m, api.malloc(m, 40 * PAGE))
    assert m.system() == ()


@pytest.mark.parametrize("size", [24, 2000, 3 * PAGE])
def test_a_failing_allocation_gives_up_after_a_few_calls(size: int) -> None:
    """With much set aside, and much kept."""
    m = refusing("munmap", keep=1 << 16)
    for p in [api.malloc(m, 2 * PAGE) for _ in range(MANY)]:
        api.free(m, p)
    for name in SYSTEM_CALL_NAMES:
        m.refuse(name, 0)
    while api.malloc(m, size):
        pass
    assert within([cost(m, api.malloc, 2 * size + 8 * PAGE) for _ in range(5)])


def test_an_arena_whose_regions_are_not_taken_back_walks_none() -> None:
    """Each free that empties a region offers it once."""
    m = refusing("munmap", "sbrk", "purge")
    settings.set_threshold(m, 1 << 30)
    settings.set_policy(m, 4)
    for _ in range(3):
        blocks = [api.malloc(m, 3000) for _ in range(MANY)]
        assert within([cost(m, api.free, p) for p in blocks])


def test_realloc_and_settings_under_refusals_are_bounded() -> None:
    """Growing, shrinking, and giving up what is kept."""
    m = refusing("munmap", "remap", keep=1 << 20)
    for p in [api.malloc(m, 2 * PAGE) for _ in range(MANY)]:
        api.free(m, p)
    p, costs = api.malloc(m, 9 * PAGE), []
    for size in (5 * PAGE, 9 * PAGE, 12 * PAGE, 2 * PAGE) * 5:
        m.refuel()
        m.calls.clear()
        p = api.realloc(m, p, size)
        costs.append((FUEL - m.fuel, len(m.calls)))
    costs += [cost(m, retained.set_keep, most) for most in (0, 1 << 20, 0)]
    assert within(costs)


def test_epochs_trimming_and_the_heaps_end_take_each_piece_once() -> None:
    """What all is given back costs what there is, and no more the second time."""
    m = refusing("munmap", "purge", keep=1 << 20)
    settings.set_cache(m, 4096)
    small = [api.malloc(m, 100) for _ in range(MANY)]
    large = [api.malloc(m, 2 * PAGE) for _ in range(MANY)]
    for p in small + large:
        api.free(m, p)
    first, second = cost(m, trim.trim, 0), cost(m, trim.trim, 0)
    assert second[0] <= first[0]
    assert second[1] <= 1 + 2 * 16
    assert cost(m, thread_cache.thread_end)[1] == 0
    assert cost(m, lifecycle.finalize)[1] <= MANY + 32
