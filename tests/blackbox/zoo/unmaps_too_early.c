/* A chunk goes back to the system when its first large block is freed.
   expect: block_vanished crash */
#ifndef FIXED
#define ON_FREE(b)                                                                                                     \
    do {                                                                                                               \
        if ((b)->size > 20000 && (b) == first && (b)->next != NULL && ((uintptr_t)(b) & 4095) == 0) {                  \
            first = NULL;                                                                                              \
            munmap((b), CHUNK);                                                                                        \
            UNLOCK();                                                                                                  \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)
#endif
#include "firstfit.h"
