/* realloc copies half of a long block.
   expect: prefix_lost */
#ifndef FIXED
#define COPIED(old, size) (((old) < (size) ? (old) : (size)) / ((old) > 256 ? 2 : 1))
#endif
#include "firstfit.h"
