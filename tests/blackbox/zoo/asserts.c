/* An assertion that does not hold for one size.
   expect: abort */
#ifndef FIXED
#include <stdlib.h>
#define ON_MALLOC(size)                                                                                                \
    do {                                                                                                               \
        if ((size) == 1000)                                                                                            \
            abort();                                                                                                   \
    } while (0)
#endif
#include "firstfit.h"
