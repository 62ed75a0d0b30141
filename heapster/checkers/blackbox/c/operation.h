/* What is asked of `struct op`, an operation of a trace as every driver of ours reads it. */
#ifndef HEAPSTER_OPERATION_H
#define HEAPSTER_OPERATION_H

#include <stdint.h>

#include "operations.h" /* the table of model/operations.py: numbers of verbs, their rows, and the struct */

/* Whether an operation does something of that, in `enum does`. */
static inline int does(uint32_t verb, unsigned what)
{
    return verb < OPERATIONS && (operation_rows[verb].does & what) != 0;
}

static inline int is_allocating(uint32_t verb) { return does(verb, DOES_ALLOCATES); }
static inline int is_resizing(uint32_t verb) { return does(verb, DOES_RESIZES); }
static inline int is_releasing(uint32_t verb) { return does(verb, DOES_RELEASES); }
static inline int is_call(uint32_t verb)
{
    return does(verb, DOES_ALLOCATES | DOES_RESIZES | DOES_RELEASES | DOES_ASKS);
}

static inline int is_aligning(uint32_t verb)
{
    return verb < OPERATIONS && operation_rows[verb].aligns == ALIGNS_AS_ASKED;
}
static inline int is_any_alignment(uint32_t verb)
{
    return verb < OPERATIONS && operation_rows[verb].aligns == ALIGNS_AS_ANY;
}

/* The alignment that is asked for; 0 for none. */
static inline uint64_t alignment_asked(const struct op *op)
{
    if (op->verb >= OPERATIONS || operation_rows[op->verb].aligns == ALIGNS_AS_ANY)
        return 0;
    return operation_rows[op->verb].aligns == ALIGNS_AS_ASKED ? op->numbers[0] : 4096;
}

/* Whether a call says of the block that it frees what this was asked for with. */
static inline int is_stating(uint32_t verb) { return is_releasing(verb) && operation_rows[verb].numbers != 0; }
static inline int states(const struct op *op, uint64_t alignment, uint64_t size)
{
    int says_alignment = operation_rows[op->verb].numbers > 1;
    return op->numbers[says_alignment] == size && (says_alignment ? op->numbers[0] : 0) == alignment;
}

/* Bytes that the caller may use of the answer: `requested` of model/operations.py. UINT64_MAX: more than there
   are numbers for; 0 for what asks for none. */
static inline uint64_t requested(const struct op *op)
{
    const struct operation_row *row = &operation_rows[op->verb < OPERATIONS ? op->verb : OP_FREE];
    uint64_t last = row->numbers != 0 ? op->numbers[row->numbers - 1] : 0, product;
    switch (row->requests) {
    case REQUESTS_SIZE:
        return last;
    case REQUESTS_PRODUCT:
        return __builtin_mul_overflow(op->numbers[0], last, &product) ? UINT64_MAX : product;
    case REQUESTS_PAGES:
        return last > UINT64_MAX - 4095 ? UINT64_MAX : (last + 4095) & ~(uint64_t)4095;
    default:
        return 0;
    }
}

#endif
