/* calloc trusts that memory is fresh.
   expect: not_zeroed */
#ifndef FIXED
#define CALLOC_ZEROES(p, count, size) (void)(p)
#endif
#include "firstfit.h"
