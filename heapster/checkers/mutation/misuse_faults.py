"""The checks that notice what a caller wrote over, each taken out: `fuzz` must miss them."""

from functools import partial

from heapster.checkers.mutation.fault import one_edit

fault = partial(one_edit, by="fuzz", caught_by="misuse_unnoticed")

MISUSE_FAULTS = (
    fault("a header without its checksum is believed", "malloc",
          "    if header < MIN_BLOCK or not is_intact(m, block_of(p), header):", "    if header < MIN_BLOCK:"),
    fault("a header without its checksum is plain", "block",
          "header & PLAIN_BITS == USED and is_intact(m, b, header)", "header & PLAIN_BITS == USED"),
    fault("a block that was written over while it waited is handed out", "bins",
          "    if p == NULL or not is_still_marked(m, p):", "    if p == NULL:"),
    fault("a link is followed whatever its mark says", "stack",
          "    if not is_still_marked(m, p):\n        m.abort(CORRUPT_LIST, p)\n", ""),
    fault("a bin whose top was written over is forgotten", "malloc",
          "    check_top(m, bin_at(m.thread(), index))\n", ""),
    fault("a free block's header is believed", "freelist",
          "    if not is_intact(m, b, m.load(b)):\n        m.abort(CORRUPT_HEADER, payload(b))\n", ""),
    fault("a free block's links are believed", "freelist",
          "    if not links_agree(m, b):\n        m.abort(CORRUPT_LIST, payload(b))\n", ""),
    fault("a right neighbour may take what is freed for free", "arena",
          "right & PREV_USED == 0 or owner_in(right)", "owner_in(right)"),
    fault("a right neighbour may be another's", "arena",
          " or owner_in(right) != owner_in(m.load(b)):", ":"),
    fault("a footer may be any word", "region",
          "    if total < MIN_BLOCK or total & (ALIGN - 1) != 0 or total > b:\n"
          "        m.abort(CORRUPT_HEADER, b + PAYLOAD)\n", ""),
    fault("a mapped block's seal is not looked at", "mapping",
          "    if m.load(b + NODE) != seal_of(m, b):\n        m.abort(CORRUPT_HEADER, payload(b))\n", ""),
    fault("a mapped block's links are believed", "mapping",
          "    if not is_lost(m, record) and not links_agree(m, b + NODE):\n"
          "        m.abort(CORRUPT_LIST, payload(b))\n",
          ""),
    fault("a retained mapping's links are believed", "retained",
          "    if not links_agree(m, k):\n        m.abort(CORRUPT_LIST, k)\n    bypass(m, m.load(k + PREV)",
          "    bypass(m, m.load(k + PREV)"),
    fault("a mapping is stretched whatever its links are", "retained",
          "    if not links_agree(m, k):\n        m.abort(CORRUPT_LIST, k)\n    start = m.remap",
          "    start = m.remap"),
)
