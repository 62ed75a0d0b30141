/* One size of block is a unit too small.
   expect: contents_damaged overlap crash usable_too_small block_too_small */
#ifndef FIXED
#define ROUND(size) (((size) + ((size) == 129 ? 0 : 15)) & ~(size_t)15)
#endif
#include "firstfit.h"
