/* Sizes pass through an unsigned int.
   expect: size_truncated */
#ifndef FIXED
#define ROUND(size) (((size_t)(unsigned int)(size) + 15) & ~(size_t)15)
#endif
#include "firstfit.h"
