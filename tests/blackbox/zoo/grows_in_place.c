/* realloc believes that a block can grow by a header.
   expect: overlap contents_damaged usable_too_small crash unusable_block */
#ifndef FIXED
#define IN_PLACE(b, size) ((b)->size + sizeof(struct block) >= (size))
#endif
#include "firstfit.h"
