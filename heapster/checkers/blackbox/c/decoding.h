/* Which memory the instruction at an address will load or store: of x86-64, as compilers write it. */
#ifndef HEAPSTER_DECODING_H
#define HEAPSTER_DECODING_H

#include <stddef.h>
#include <stdint.h>

#define MOST_TOUCHED 2u

struct touched {
    uintptr_t address;
    size_t size;
    unsigned flags; /* of hooks.h: READS, WRITES, and RANGE of a repeated one */
};

enum flow { GOES_ON, CALLS, COMES_BACK };

struct instruction {
    struct touched touched[MOST_TOUCHED]; /* what it touches beside the stack's end, as it pushes and pops */
    unsigned count;
    enum flow flow;
    int repeated; /* it stays where it is until it has touched all */
};

/* What an instruction works with: `general` in the order of their numbers in the code. */
struct registers {
    uintptr_t general[16], thread, flags;
};

struct instruction decode(const unsigned char *at, const struct registers *registers);

#endif
