/* Where things lie: a target whose answers depend on addresses gives the same ones in the same layout.

   Layout 0 leaves it to the system, which draws addresses anew for each process. Any other number stands for
   one set of addresses: chance is switched off, and break and mappings start so many pages further on. */
#include <stdint.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

#include "judge.h"

#define UNCHANGED 0xffffffffu
#define PAGE 4096u
#define MOST_PAGES 1024u

static uint64_t pages(unsigned layout, unsigned what)
{
    return layout == 1 ? 0 : 1 + mix((uint64_t)layout << 8 | what) % MOST_PAGES;
}

int lay_out(char **argv, unsigned layout)
{
    if (layout == 0)
        return 0;
    int persona = personality(UNCHANGED);
    if (persona == -1)
        return 1;
    if ((persona & ADDR_NO_RANDOMIZE) == 0) {
        if (personality((unsigned long)persona | ADDR_NO_RANDOMIZE) == -1)
            return 1;
        execv("/proc/self/exe", argv);      /* it takes effect in a new image only */
        return 1;
    }
    uint64_t moved = pages(layout, 0), mapped = pages(layout, 1);
    if (moved != 0 && (sbrk((intptr_t)(moved * PAGE)) == (void *)-1
                       || mmap(NULL, mapped * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED))
        return 1;
    return 0;
}
