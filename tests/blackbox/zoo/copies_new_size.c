/* realloc copies as many bytes as the new block has: beyond the end of the old one.
   expect: crash prefix_lost contents_damaged */
#ifndef FIXED
#define COPIED(old, size) ((size) << ((size) > 65536 ? 4 : 0))
#endif
#include "firstfit.h"
