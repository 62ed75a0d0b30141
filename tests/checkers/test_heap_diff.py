"""How a heap differs from the predicted one, in words that say what is elsewhere."""

from heapster.checkers.lockstep.heap_diff import difference
from heapster.checkers.lockstep.run_trace import on_source, rerun
from heapster.model.trace import parse


def test_mapped_blocks_differ_by_their_lengths_or_by_where_they_start() -> None:
    heap = rerun(parse("threshold 4096; a = malloc(9000)"), on_source()).after
    assert heap is not None
    (mapped,) = heap.mapped
    moved = heap._replace(mapped=(mapped._replace(address=mapped.address + 16),))
    longer = heap._replace(mapped=(mapped._replace(length=mapped.length + 4096),))
    assert difference(heap, moved) == "a mapped block starts elsewhere than predicted"
    assert difference(heap, longer).startswith(f"mapped blocks are [({mapped.length + 4096}, ")
