/* Sizes of some class are rounded to eight only, so that their right neighbours are misaligned.
   expect: misaligned */
#ifndef FIXED
#define ROUND(size) ((size) > 200 && (size) < 300 ? ((size) + 7) & ~(size_t)7 : ((size) + 15) & ~(size_t)15)
#endif
#include "firstfit.h"
