/* calloc multiplies without a look.
   expect: overflow_accepted huge_accepted */
#ifndef FIXED
#define PRODUCT_OVERFLOWS(a, b) 0
#endif
#include "firstfit.h"
