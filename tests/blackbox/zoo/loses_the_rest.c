/* The rest of a split block is forgotten when it is small.
   expect: memory_never_returned */
#ifndef FIXED
#define ON_FREE(b)                                                                                                     \
    if ((b)->size < 128) {                                                                                             \
        (b)->used = 2;                                                                                                 \
        UNLOCK();                                                                                                      \
        return;                                                                                                        \
    }
#endif
#include "firstfit.h"
