/* Freed blocks of some sizes stay used.
   expect: memory_never_returned */
#ifndef FIXED
#define ON_FREE(b)                                                                                                     \
    if ((b)->size >= 4096 && (b)->size < 8192) {                                                                       \
        UNLOCK();                                                                                                      \
        return;                                                                                                        \
    }
#endif
#include "firstfit.h"
