/* malloc(0) is NULL once in a while.
   expect: zero_size_inconsistent */
#ifndef FIXED
#define ON_MALLOC(size)                                                                                                \
    do {                                                                                                               \
        static int calls;                                                                                              \
        if ((size) == 0 && ++calls % 7 == 0)                                                                           \
            return NULL;                                                                                               \
    } while (0)
#endif
#include "firstfit.h"
