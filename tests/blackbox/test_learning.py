"""What is said of a target's policies was seen often enough: of one that dies at once little is known."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import Learnt, learn
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve

MAPS = """
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
static int calls;
int mm_init(void) { return calls = 0; }
void *mm_malloc(size_t size)
{
    if (calls++ >= %d || size > 1 << 30)
        abort();
    return mmap(0, size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
void mm_free(void *payload) { (void)payload; }
"""


def learnt(folder: Path, calls: int) -> Learnt:
    """What is learnt of an allocator with a mapping for each block, which aborts after so many, and of huge ones."""
    (folder / "mm.c").write_text(MAPS % calls)
    target = resolve(ForeignOptions(grammar.parse(str(folder / "mm.c"))))
    with Judge(judge_program(target.bits), target) as judge:
        return learn(judge, None)


@pytest.mark.parametrize(("calls", "blocks"), [(0, "0 blocks"), (1, "1 block"), (4, "4 blocks")])
def test_a_target_that_dies_at_once_has_no_policies(tmp_path: Path, calls: int, blocks: str) -> None:
    told = learnt(tmp_path, calls)
    assert told.words[0] == f"how blocks are aligned is not settled, of {blocks}; 8 bytes are expected"
    assert calls > 3 or told.words[1:] == ("malloc(0) is not settled",)
    assert calls > 3 or not told.aborts_huge


def test_what_was_seen_often_is_said(tmp_path: Path) -> None:
    told = learnt(tmp_path, 100)
    assert told.words == ("blocks are aligned to 4,096 bytes; 8 bytes are expected", "malloc(0) gives a block",
                          "a request above PTRDIFF_MAX ends in abort()")
    assert told.aborts_huge
