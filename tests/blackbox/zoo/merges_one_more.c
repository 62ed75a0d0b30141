/* A merged block is larger than its parts.
   expect: overlap contents_damaged crash unusable_block hang */
#ifndef FIXED
#define MERGED(left, right) ((left)->size + sizeof(struct block) + (right)->size + 16)
#endif
#include "firstfit.h"
