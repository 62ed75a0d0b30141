/* The heap starts eight bytes too late.
   expect: misaligned */
#ifndef FIXED
#define SKEW 8
#endif
#include "firstfit.h"
