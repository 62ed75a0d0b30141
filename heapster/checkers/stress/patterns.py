"""The patterns of `stress`, as the harness names them, and the published workloads that they follow.

In each, now and then, one thread forks while others own the locks of streams and of the loader, child and parent go on,
and whether memory comes to rest is measured with every block given back.
"""

PATTERNS = {
    "churn": "each thread fills and empties slots of its own, with small sizes as in programs",
    "crowd": "all threads fill, resize and empty slots in one arena",
    "larson": "a server's threads replace blocks and leave them to the next generation (Larson and Krishnan 1998)",
    "handover": "every block is freed by another thread (xmalloc: Lever and Boreham 2000)",
    "mstress": "blocks change owners through shared slots, threads die and are reborn (mimalloc-bench)",
    "mayflies": "threads live for a moment and leave blocks, which others free while they end and after",
    "reclaim": "one thread frees what all others take, and never takes anything itself",
    "endings": "destructors of thread-specific values and of threads' locals allocate; forked children end by exit, "
               "and its handlers allocate too",
    "ladder": "realloc up by steps and down again, contents kept",
    "aligned": "alignments from 16 bytes to a page, beside blocks that ask for none",
    "large": "sizes on both sides of the mmap threshold, resized across it",
    "settings": "policy, threshold and cache are switched and statistics read under way",
    "fork": "forks all the time, while streams are flushed too",
}
OURS_ALONE = frozenset({"settings", "crowd"})        # needs our own functions
