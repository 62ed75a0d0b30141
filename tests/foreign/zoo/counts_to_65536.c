/* A counter of sixteen bits: after 65536 calls a block is given twice.
   expect: overlap contents_damaged */
#ifndef FIXED
#define ON_MALLOC(size) do { \
        static unsigned short calls; \
        static void *given; \
        if (++calls == 0 && given == NULL) \
            given = first != NULL && first->used ? first + 1 : NULL; \
        if (given != NULL && first->used && (size) <= first->size) \
            return first + 1; \
    } while (0)
#endif
#include "firstfit.h"
