"""The patterns of `stress`, as the harness names them, and the published workloads that they follow."""

PATTERNS = {
    "churn": "each thread fills and empties slots of its own, with small sizes as in programs",
    "crowd": "all threads fill, resize and empty slots in one arena",
    "larson": "a server's threads replace blocks and leave them to the next generation (Larson and Krishnan 1998)",
    "handover": "every block is freed by another thread (xmalloc: Lever and Boreham 2000)",
    "mstress": "blocks change owners through shared slots, threads die and are reborn (mimalloc-bench)",
    "ladder": "realloc up by steps and down again, contents kept",
    "aligned": "alignments from 16 bytes to a page, beside blocks that ask for none",
    "large": "sizes on both sides of the mmap threshold, resized across it",
    "settings": "policy, threshold and cache are switched and statistics read under way",
    "fork": "forks while others allocate, with a stream's or the loader's lock too, and streams are flushed; the child "
            "goes on",
}
OURS_ALONE = frozenset({"settings", "crowd"})        # needs our own functions
