"""The key of marks and seals: drawn anew for each process, from what the system gives, in all its bits."""

import sys
from pathlib import Path

import pytest

from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.impl import layout
from heapster.machine.simulated import Simulated
from heapster.model.trace import parse
from tests.native.building import compiled, preloaded

KEYLESS = Path(__file__).parent / "keyless.c"
SHOWS_KEY = """
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    void *volatile p = malloc(40);
    free(p);
    printf("%ld\\n", ((unsigned long *)p)[0] + ((unsigned long *)p)[1] + (unsigned long)p);
    return 0;
}
"""
PROCESSES = 40
BITS = 61
FULL = """cache 4096; a = malloc(40); b = malloc(40); c = malloc(300); free(a); free(b); thread 1; free(c); thread 0
d = malloc(40); e = malloc(300); free(d); f = realloc(e, 9000); g = malloc(200000); free(g)"""


def test_each_process_has_a_key_of_its_own_random_in_every_bit(tmp_path: Path) -> None:
    """All bits were 0 and were 1: chance alone fails this once in 2**33 times."""
    program = compiled(tmp_path / "key", SHOWS_KEY, "-O0", "-fno-builtin", "-w")
    drawn = [int(preloaded(program).stdout) - layout.LEAST_KEY for _ in range(PROCESSES)]
    every = (1 << BITS) - 2          # it is odd
    assert len(set(drawn)) == PROCESSES
    assert max(drawn) <= every == layout.KEY_MASK
    ones, zeros = 0, 0
    for key in drawn:
        ones, zeros = ones | key, zeros | ~key
    assert ones & every == zeros & every == every


def test_without_random_bytes_the_key_is_what_the_kernel_gave_and_that_is_said(tmp_path: Path) -> None:
    keyless = compiled(tmp_path / "keyless", KEYLESS, "-O0")
    program = compiled(tmp_path / "keys", SHOWS_KEY, "-O0", "-fno-builtin", "-w")
    done = [preloaded(keyless, program) for _ in range(2)]
    said = "heapster: the system gives no random bytes: the key comes from what it gave at the start\n"
    assert [one.stderr for one in done] == [said, said]
    assert done[0].stdout != done[1].stdout


@pytest.mark.parametrize("key", [0, -1, 0x1234567890abcdef])
def test_a_heap_with_any_key_is_as_it_is_predicted(key: int) -> None:
    m = Simulated()
    lockstep = Lockstep(m, key=key)
    for step in parse(FULL):
        assert lockstep.take(step) == []
    assert m.load(m.statics() + layout.KEY) == layout.LEAST_KEY + (key & layout.KEY_MASK)


def test_real_programs_are_served() -> None:
    assert preloaded(sys.executable, "-c", "print(sum(map(len, map(str, range(1000)))))").stdout == "2890\n"
