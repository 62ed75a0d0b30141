/* A block is split although the rest has no room for its own header.
   expect: contents_damaged overlap crash hang block_too_small */
#ifndef FIXED
#define SPLITS(b, size) ((b)->size > (size))
#define REST(b, size) ((b)->size - (size) > sizeof(struct block) ? (b)->size - (size) - sizeof(struct block) : 0)
#endif
#include "firstfit.h"
