/* A library that the harness loads and unloads: it allocates as it is loaded, with the loader's lock. */

#include <stdlib.h>

void stress_while_loading(void);

static void at_unloading(void) { stress_while_loading(); }

__attribute__((constructor)) static void load(void)
{
    atexit(at_unloading);
    stress_while_loading();
}
