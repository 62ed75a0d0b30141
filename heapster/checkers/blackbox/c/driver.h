/* What programs of ours that run operations on an allocator share: the clock, and what a call does to the account. */
#ifndef HEAPSTER_DRIVER_H
#define HEAPSTER_DRIVER_H

#include <time.h>

#include "account.h"
#include "operation.h"

static inline uint64_t nanoseconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A call gave `answer`. A free gives its block back, and so does a realloc that gives a block or, unless the target
   keeps the block then, was asked for nothing. */
static inline void account_call(struct account *account, const struct op *op, void *answer, int zero_keeps)
{
    int moved = is_resizing(op->verb) && (answer != 0 || (requested(op) == 0 && !zero_keeps));
    if ((is_releasing(op->verb) || moved) && account_is_live(account, op->operand))
        account_forget(account, op->operand);
    if (op->result != NO_HANDLE)
        account_define(account, op->result, answer);
}

#endif
