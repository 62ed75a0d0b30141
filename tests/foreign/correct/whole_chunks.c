/* The same with small chunks, and blocks that are never split. */
#define CHUNK ((size_t)4096)
#define SPLITS(b, size) 0
#include "../zoo/firstfit.h"
