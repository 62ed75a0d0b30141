/* free(NULL) is not expected.
   expect: crash */
#ifndef FIXED
#define FREE_OF_NULL(p)
#endif
#include "firstfit.h"
