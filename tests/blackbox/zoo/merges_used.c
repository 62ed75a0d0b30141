/* A freed block is merged with a used right neighbour.
   expect: overlap contents_damaged crash hang block_vanished */
#ifndef FIXED
#define MERGES(left, right) (!(left)->used)
#endif
#include "firstfit.h"
