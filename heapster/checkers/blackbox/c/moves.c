/* The moves of a state, in an order of their own: without a refusal and with it, by call, by handle. */
#include "exhaust.h"
#include "snapshot.h"

static const struct op *calls(void) { return ops; }

struct op op_of(uint32_t move, int32_t handle)
{
    struct op op = calls()[move & ((1u << OPERAND_AT) - 1)];
    op.operand = (int32_t)(move >> OPERAND_AT & 0xff) - 1;
    op.result = is_allocating(op.verb) ? handle : NO_HANDLE;
    if (is_stating(op.verb) && is_live_handle(op.operand)) {
        int says_alignment = operation_rows[op.verb].numbers > 1;
        op.numbers[0] = live_alignment(op.operand);
        op.numbers[says_alignment] = live_size(op.operand);
    }
    return op;
}

int is_refusing(uint32_t move) { return (move >> REFUSE_AT & 1) != 0; }

/* Whether a block may be given back so: some calls say what it was asked for with. */
static int takes(const struct op *call, int32_t handle)
{
    if (!is_live_handle(handle))
        return 0;
    return !is_stating(call->verb) || (operation_rows[call->verb].numbers > 1) == (live_alignment(handle) != 0);
}

/* The moves with a call: with no operand, or NULL, and with each block that it may be given. */
static uint32_t add_moves(uint32_t call, uint32_t refuse, uint32_t *to)
{
    const struct op *with = &calls()[call];
    int takes_any = is_resizing(with->verb) || !is_allocating(with->verb);
    uint32_t count = 0;
    to[count++] = call | refuse << REFUSE_AT;
    for (int32_t handle = 0; takes_any && handle < MOST_CALLS; handle++)
        if (takes(with, handle))
            to[count++] = call | (uint32_t)(handle + 1) << OPERAND_AT | refuse << REFUSE_AT;
    return count;
}

uint32_t all_moves(uint32_t *to)
{
    uint32_t count = 0, most = shared->refuses != 0 && !system_refuses;
    for (uint32_t refuse = 0; refuse <= most; refuse++)
        for (uint32_t call = 0; call < shared->alphabet; call++)
            count += add_moves(call, refuse, to + count);
    return count;
}
