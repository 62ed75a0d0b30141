/* Where things lie: a target whose answers depend on addresses gives the same ones in the same layout.

   Layout 0 leaves it to the system, which draws addresses anew for each process. Any other number stands for
   one set of addresses: chance is switched off, and beyond the first break and mappings start further on. */
#include <stdint.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

#include "judge.h"

#define UNCHANGED 0xffffffffu
#define PAGE 4096u
#define PIECE (4 * PAGE)
#define FEWEST 64u /* pieces: more than fill the gaps between what is loaded already */

static uint64_t pieces(unsigned layout, unsigned what) { return FEWEST + mix((uint64_t)layout << 8 | what) % 512; }

/* Moves the break, and what will be mapped next, by some pages; nonzero if that cannot be. */
static int move_on(unsigned layout)
{
    if (sbrk((intptr_t)(pieces(layout, 0) * PIECE)) == (void *)-1)
        return 1;
    for (uint64_t n = pieces(layout, 1); n > 0; n--)
        if (mmap(NULL, PIECE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
            return 1;
    return 0;
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
        execv("/proc/self/exe", argv); /* it takes effect in a new image only */
        return 1;
    }
    return layout == 1 ? 0 : move_on(layout);
}
