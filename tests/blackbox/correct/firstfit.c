/* The first-fit list of the zoo, without a fault. */
#include "../zoo/firstfit.h"
