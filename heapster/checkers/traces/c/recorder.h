/* What a record holds, for whoever writes and reads them: `recording.h`, which is made of traces/raw.py, has the rest.

   The recorder writes a file a process image, of a header and of chunks that one thread fills each. A chunk is a
   mapping of the file, so that what was recorded stays however the program ends. */
#ifndef HEAPSTER_RECORDER_H
#define HEAPSTER_RECORDER_H

#include "operations.h"
#include "recording.h"

/* A record's kind is the number of a call in the table of operations, or one of these. Of stacks: where an object
   lies, and 16 bytes of its name; a stack's number and two of its frames, from the inside; the number of the stack
   that the thread's next record comes from. */
enum { REALLOC_BEGINS = OPERATIONS, STACK_OBJECT, STACK_FRAMES, STACK_IS };

enum { CHUNK_BYTES = 1 << 18, FIRST_CHUNK = 4096, THREAD_SHIFT = 8, ORDER_SHIFT = 24 };

struct record {
    uint64_t order;         /* 40 bits of sequence, 16 of thread, 8 of kind; from the top */
    uint64_t first, second; /* the call's numbers; of a product that is resized: count and size */
    uint64_t pointer;       /* what was answered, or what was given back */
};

static inline unsigned kind_of(const struct record *r) { return r->order & 0xff; }
static inline unsigned thread_of(const struct record *r) { return r->order >> THREAD_SHIFT & 0xffff; }

#endif
