/* The memory of malloc-lab allocators: one region that grows upwards, to a limit that can be chosen. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "judge.h"
#include "malloclab/memlib.h"
#include "observing.h"
#include "snapshot.h"

#define PLACE ((void *)(uintptr_t)(sizeof(void *) == 8 && !shared->low ? 0x800000000u : 0x58000000u))

static char *start, *brk_now, *most;
static int asked; /* the target uses this memory */

static char *page_after(char *place)
{
    uintptr_t page = (uintptr_t)getpagesize();
    return place == start ? start + page : (char *)(((uintptr_t)place + page - 1) & ~(page - 1));
}

/* Lets the target at what lies before the break, and at nothing behind the page that it is in. */
static void set_break(char *place)
{
    char *last = page_after(place), *before = (char *)fence.last;
    brk_now = place;
    if (shared->guarded == BOUNDED)
        fence = (struct fence){(unsigned char *)start, (unsigned char *)start, (unsigned char *)place,
                               (unsigned char *)place};
    if (shared->guarded != GUARDED)
        return;
    if (last < most && (before == NULL || last < before))
        mprotect(last, (size_t)(most - last), PROT_NONE);
    if (before != NULL && last > before)
        mprotect(before, (size_t)(last - before), PROT_READ | PROT_WRITE);
    if (asked && place > (char *)fence.high)
        memset(fence.high, 0, (size_t)((place < before ? place : before) - (char *)fence.high));
    fence =
        (struct fence){(unsigned char *)start, (unsigned char *)start, (unsigned char *)place, (unsigned char *)last};
    fence_write(fence.high, fence.last);
}

static void ask(void)
{
    if (asked)
        return;
    asked = 1;
    set_break(brk_now);
}

void lab_memory(uintptr_t *first, uintptr_t *last, uintptr_t *now)
{
    *first = asked ? (uintptr_t)start : 0, *now = asked ? (uintptr_t)brk_now : 0;
    *last = asked ? (uintptr_t)page_after(brk_now) : 0;
}

/* The break as it was, and zeroes behind its page; the contents before it are not put back here. */
void lab_put_back(uintptr_t now)
{
    if (now == 0 || (char *)now == brk_now)
        return;
    char *had = page_after(brk_now);
    set_break((char *)now);
    if (had > page_after(brk_now))
        madvise(page_after(brk_now), (size_t)(had - page_after(brk_now)), MADV_DONTNEED);
}

void mem_init(void)
{
    if (start == NULL) {
        size_t limit = (size_t)shared->heap_limit;
        start = mmap(PLACE, limit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        most = start + limit;
        brk_now = start;
        observing_reserved((uintptr_t)start, limit);
    }
    if (asked)
        set_break(start);
}

void mem_deinit(void) { mem_init(); }
void mem_reset_brk(void) { mem_init(); }

void *mem_sbrk(intptr_t incr)
{
    ask();
    char *old = brk_now;
    if (incr < 0 || incr > most - brk_now || (incr > 0 && system_is_refused())) {
        errno = ENOMEM;
        return (void *)-1;
    }
    set_break(old + incr);
    observing_grew((uintptr_t)old, (uint64_t)incr);
    return old;
}

void *mem_heap_lo(void)
{
    ask();
    return start;
}
void *mem_heap_hi(void)
{
    ask();
    return brk_now - 1;
}
size_t mem_heapsize(void) { return (size_t)(brk_now - start); }
size_t mem_pagesize(void) { return (size_t)getpagesize(); }
void *mem_memset(void *to, int byte, size_t size) { return memset(to, byte, size); }
void *mem_memcpy(void *to, const void *from, size_t size) { return memcpy(to, from, size); }
