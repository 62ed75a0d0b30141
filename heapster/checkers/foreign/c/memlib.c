/* The memory of malloc-lab allocators: one region that grows upwards, to a limit that can be chosen. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "judge.h"
#include "malloclab/memlib.h"

#define PLACE ((void *)(uintptr_t)(sizeof(void *) == 8 ? 0x800000000u : 0x58000000u))

static char *start, *brk_now, *most;

void mem_init(void)
{
    if (start == NULL) {
        size_t limit = (size_t)shared->heap_limit;
        start = mmap(PLACE, limit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        most = start + limit;
    }
    brk_now = start;
}

void mem_deinit(void) { brk_now = start; }
void mem_reset_brk(void) { brk_now = start; }

void *mem_sbrk(intptr_t incr)
{
    char *old = brk_now;
    if (incr < 0 || incr > most - brk_now) {
        errno = ENOMEM;
        return (void *)-1;
    }
    brk_now += incr;
    return old;
}

void *mem_heap_lo(void) { return start; }
void *mem_heap_hi(void) { return brk_now - 1; }
size_t mem_heapsize(void) { return (size_t)(brk_now - start); }
size_t mem_pagesize(void) { return (size_t)getpagesize(); }
void *mem_memset(void *to, int byte, size_t size) { return memset(to, byte, size); }
void *mem_memcpy(void *to, const void *from, size_t size) { return memcpy(to, from, size); }
