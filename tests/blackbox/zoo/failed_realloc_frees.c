/* realloc frees before it knows that there is a new block.
   expect: failed_realloc_changed_block contents_damaged overlap */
#ifndef FIXED
#define BEFORE_NEW_BLOCK(p)                                                                                            \
    do {                                                                                                               \
        struct block *own = (struct block *)(p) - 1;                                                                   \
        if (size > PTRDIFF_MAX) {                                                                                      \
            free(p);                                                                                                   \
            memset(p, 0, own->size < 16 ? own->size : 16);                                                             \
        }                                                                                                              \
    } while (0)
#endif
#include "firstfit.h"
