/* How a program of misuse ends, if no signal ends it; `cases.py` says what they mean. */

enum {
    SILENT = 0,
    ATTACKED = 20, /* what happened is on stdout */
    STOPPED = 21,  /* the program's own stray access faulted */
    FAULTED = 22,  /* the allocator did */
    BROKEN = 23    /* nothing could be told */
};
