/* The account of handles: the block that each stands for. Every driver of ours that takes the steps of a trace keeps
   this one, so that all pass over the same steps and give each block back once.

   A handle is unknown until a step defines it, and again when its block was given back, or when the step that
   would have defined it was passed over. Else it is a live block, or the NULL that was answered. */
#ifndef HEAPSTER_ACCOUNT_H
#define HEAPSTER_ACCOUNT_H

#include <stdint.h>

#define NO_HANDLE (-1)

static char null_answered; /* its address stands for NULL, as no block of a target's can have it */
#define ANSWERED_NULL ((void *)&null_answered)

struct account {
    void **at; /* by handle: a block, ANSWERED_NULL, or 0 for unknown */
    uint64_t handles;
};

/* The driver's: a handle is used that holds nothing. That is a fault of the driver, whatever it runs on: it ends
   without a verdict. */
_Noreturn void harness_misuse(int32_t handle);

/* It may be passed: NULL, a live block, or NULL that was answered. */
static inline int account_knows(const struct account *account, int32_t handle)
{
    return handle == NO_HANDLE || ((uint64_t)(uint32_t)handle < account->handles && account->at[handle] != 0);
}

static inline int account_is_live(const struct account *account, int32_t handle)
{
    return handle != NO_HANDLE && account_knows(account, handle) && account->at[handle] != ANSWERED_NULL;
}

/* What is passed for it. Requires: it is known. */
static inline void *account_pointer(const struct account *account, int32_t handle)
{
    if (!account_knows(account, handle))
        harness_misuse(handle);
    return account_is_live(account, handle) ? account->at[handle] : 0;
}

static inline void account_define(struct account *account, int32_t handle, void *answer)
{
    account->at[handle] = answer != 0 ? answer : ANSWERED_NULL;
}

static inline void account_forget(struct account *account, int32_t handle)
{
    if (handle != NO_HANDLE)
        account->at[handle] = 0;
}

/* A step was passed over: what it would have defined is unknown; the block that it would have resized stays. */
static inline void account_skip(struct account *account, int32_t result, int32_t operand)
{
    if (result != operand)
        account_forget(account, result);
}

#endif
