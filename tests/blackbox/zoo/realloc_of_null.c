/* realloc(NULL, n) is not expected.
   expect: crash */
#ifndef FIXED
#define REALLOC_OF_NULL(p, size)
#endif
#include "firstfit.h"
