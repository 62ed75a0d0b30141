/* misuse: list all kinds of misuse, a line each: kind, name, promise, what is done and why.
   misuse NAME: misuse the allocator so, and look what comes of it. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "exits.h"
#include "misuse.h"

void watch_faults(void);

static const struct misuse *const kinds[] = {double_frees, invalid_pointers, overflows, after_frees, leaks};
static const char *const promises[] = {"told", "halted", "quiet", "nothing"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void list(void)
{
    for (size_t i = 0; i < KINDS; i++)
        for (const struct misuse *m = kinds[i]; m->run; m++)
            printf("%s\t%s\t%s\t%s\n", m->kind, m->name, promises[m->promise], m->text);
}

int main(int argc, char **argv)
{
    if (argc == 1)
        list();
    if (argc == 1)
        return SILENT;
    watch_faults();
    for (size_t i = 0; i < KINDS; i++)
        for (const struct misuse *m = kinds[i]; m->run; m++)
            if (!strcmp(m->name, argv[1])) {
                m->run(m->size);
                exit(SILENT); /* as programs end: what looks at the heap then may tell */
            }
    return BROKEN;
}
