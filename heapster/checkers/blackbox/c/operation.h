/* An operation of a trace, as every driver of ours reads it: its verb, its handles, its numbers.

   Verbs have the numbers that traces/compact.py gives them; those from OPERATIONS on are no calls of an
   allocator, and each driver has its own. */
#ifndef HEAPSTER_OPERATION_H
#define HEAPSTER_OPERATION_H

#include <stdint.h>

enum operation {
    MALLOC, CALLOC, REALLOC, REALLOCARRAY, ALIGNED_ALLOC, POSIX_MEMALIGN, MEMALIGN, VALLOC, PVALLOC,
    FREE, USABLE_SIZE, OPERATIONS
};

struct op {
    uint32_t verb;
    int32_t result;                         /* the handle it defines */
    int32_t operand;                        /* the handle it is given */
    uint32_t unused;
    uint64_t numbers[2];
};

static inline int is_allocating(uint32_t verb) { return verb < FREE; }
static inline int is_resizing(uint32_t verb) { return verb == REALLOC || verb == REALLOCARRAY; }

/* Bytes that the caller may use of the answer: `requested` of model/operation.py. UINT64_MAX: more than there
   are numbers for; 0 for what asks for none. */
static inline uint64_t requested(const struct op *op)
{
    uint64_t first = op->numbers[0], second = op->numbers[1], product;
    switch (op->verb) {
    case CALLOC: case REALLOCARRAY:
        return __builtin_mul_overflow(first, second, &product) ? UINT64_MAX : product;
    case ALIGNED_ALLOC: case POSIX_MEMALIGN: case MEMALIGN: return second;
    case PVALLOC: return first > UINT64_MAX - 4095 ? UINT64_MAX : (first + 4095) & ~(uint64_t)4095;
    case MALLOC: case REALLOC: case VALLOC: return first;
    default: return 0;
    }
}

#endif
