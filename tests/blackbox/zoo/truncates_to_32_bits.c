/* Sizes pass through an unsigned int.
   expect: unusable_block overlap usable_too_small contents_damaged crash */
#ifndef FIXED
#define ROUND(size) (((size_t)(unsigned int)(size) + 15) & ~(size_t)15)
#endif
#include "firstfit.h"
