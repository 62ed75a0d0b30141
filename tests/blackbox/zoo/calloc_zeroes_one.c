/* calloc zeroes one element of several.
   expect: not_zeroed */
#ifndef FIXED
#define CALLOC_ZEROES(p, count, size) memset(p, 0, size)
#endif
#include "firstfit.h"
