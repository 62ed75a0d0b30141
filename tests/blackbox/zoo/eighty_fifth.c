/* expect: abort
   The eighty-fifth request of one byte is one too many. */
#include <stdlib.h>
#ifndef FIXED
static int ones;
#define ON_MALLOC(size)                                                                                                \
    if ((size) == 1 && ++ones == 85)                                                                                   \
    abort()
#endif
#include "firstfit.h"
