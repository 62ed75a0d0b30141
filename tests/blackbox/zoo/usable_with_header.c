/* The usable size counts the header.
   expect: usable_too_large */
#ifndef FIXED
#define USABLE(b) ((b)->size + sizeof(struct block))
#endif
#include "firstfit.h"
