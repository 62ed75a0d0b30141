/* The same with small chunks. */
#define CHUNK ((size_t)16384)
#include "../zoo/firstfit.h"
