/* The size is rounded down to a multiple of sixteen.
   expect: overlap contents_damaged crash unusable_block usable_too_small block_too_small */
#ifndef FIXED
#define ROUND(size) ((size) < 16 ? (size_t)16 : (size) & ~(size_t)15)
#endif
#include "firstfit.h"
