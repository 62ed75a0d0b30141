/* It ends the process when there is no memory.
   expect: exit */
#ifndef FIXED
#include <unistd.h>
#define FAILS() (_exit(3), NULL)
#endif
#include "firstfit.h"
