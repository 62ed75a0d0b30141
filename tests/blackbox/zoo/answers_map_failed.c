/* mmap's failure is passed on as a block.
   expect: impossible_address */
#ifndef FIXED
#define FAILS() ((void *)-1)
#endif
#include "firstfit.h"
