/* The usable size of NULL is that of a header.
   expect: usable_of_null */
#ifndef FIXED
#define USABLE_OF_NULL sizeof(struct block)
#endif
#include "firstfit.h"
