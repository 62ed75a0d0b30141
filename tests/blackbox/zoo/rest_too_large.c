/* The rest of a split block is said to be larger by its header.
   expect: overlap contents_damaged crash unusable_block */
#ifndef FIXED
#define REST(b, size) ((b)->size - (size))
#endif
#include "firstfit.h"
