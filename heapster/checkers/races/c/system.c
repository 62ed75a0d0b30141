/* What a target asks of the system, answered so that it is the same in each run: memory, time, numbers. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <linux/futex.h>

#include "scheduler.h"

#define PC ((uintptr_t)__builtin_return_address(0))
#define BREAK ((char *)0x100000000000)
#define BREAK_BYTES ((size_t)1 << 28)
#define MAPPINGS ((char *)0x200000000000)
#define PAGE ((size_t)4096)

static char *break_now = BREAK, *mapped = MAPPINGS;
static uint64_t ticks;

static void place_break(void)
{
    if (break_now == BREAK
        && mmap(BREAK, BREAK_BYTES, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0)
               == MAP_FAILED)
        _exit(1);
}

/* Nothing orders two calls of sbrk but the caller: each reads and writes where the break is. */
static void *moved_break(intptr_t delta, uintptr_t pc)
{
    arrive(K_SBRK, BREAK_OBJECT, pc);
    if (!alone)
        (delta != 0 ? clock_write : clock_read)(BREAK_OBJECT, 1, 0, pc);
    char *before = break_now;
    if (delta > (BREAK + BREAK_BYTES) - break_now || delta < BREAK - break_now)
        return errno = ENOMEM, (void *)-1;
    break_now += delta;
    if (delta > 0)
        note_growth();
    if (delta < 0) {
        forget((uintptr_t)break_now, (uintptr_t)before);
        memset(break_now, 0, (size_t)-delta);
    }
    someone_wrote(BREAK_OBJECT, 1);
    return before;
}

static void *our_sbrk(intptr_t delta) { return moved_break(delta, PC); }
static int our_brk(void *to) { return moved_break((char *)to - break_now, PC) == (void *)-1 ? -1 : 0; }

/* malloc lab's. */
void *mem_sbrk(intptr_t delta) { return delta < 0 ? (errno = ENOMEM, (void *)-1) : moved_break(delta, PC); }
void *mem_heap_lo(void) { return BREAK; }
void *mem_heap_hi(void) { return break_now - 1; }
size_t mem_heapsize(void) { return (size_t)(break_now - BREAK); }
size_t mem_pagesize(void) { return PAGE; }
void mem_init(void) {}
void mem_deinit(void) {}
void mem_reset_brk(void) {}
void *mem_memset(void *to, int byte, size_t size) { return memset(to, byte, size); }
void *mem_memcpy(void *to, const void *from, size_t size) { return memcpy(to, from, size); }

static void *our_mmap(void *where, size_t size, int protection, int flags, int file, off_t offset)
{
    arrive(K_MMAP, MAPPINGS_OBJECT, PC);
    someone_wrote(MAPPINGS_OBJECT, 1);
    if (where != NULL || file >= 0 || size == 0)
        return mmap(where, size, protection, flags, file, offset);
    char *place = mapped;
    size_t whole = (size + PAGE - 1) & -PAGE;
    void *got = mmap(place, size, protection, flags | MAP_FIXED_NOREPLACE, file, offset);
    if (got != MAP_FAILED)
        note_growth(), mapped += whole; /* the next one is its neighbour, as the system has it */
    return got;
}

static int our_munmap(void *where, size_t size)
{
    arrive(K_MUNMAP, MAPPINGS_OBJECT, PC);
    someone_wrote(MAPPINGS_OBJECT, 1);
    if (!alone)
        for (size_t at = 0; at < size && at < PAGE; at += 64)
            clock_write((uintptr_t)where + at, 64, 0, PC);
    forget((uintptr_t)where, (uintptr_t)where + size);
    return munmap(where, size);
}

static void *our_mremap(void *where, size_t size, size_t wanted, int flags, ...)
{
    arrive(K_MMAP, MAPPINGS_OBJECT, PC);
    someone_wrote(MAPPINGS_OBJECT, 1);
    va_list rest;
    va_start(rest, flags);
    void *place = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
    va_end(rest);
    if (place != NULL)
        return mremap(where, size, wanted, flags, place);
    void *got = mremap(where, size, wanted, flags & ~MREMAP_MAYMOVE);
    if (got != MAP_FAILED || !(flags & MREMAP_MAYMOVE))
        return got;
    place = mapped;
    mapped += (wanted + PAGE - 1) & -PAGE;
    forget((uintptr_t)where, (uintptr_t)where + size);
    return mremap(where, size, wanted, MREMAP_MAYMOVE | MREMAP_FIXED, place);
}

static int our_madvise(void *where, size_t size, int advice)
{
    arrive(K_MUNMAP, MAPPINGS_OBJECT, PC);
    someone_wrote(MAPPINGS_OBJECT, 1);
    close_locations((uintptr_t)where, (uintptr_t)where + size);
    return madvise(where, size, advice);
}

/* What the C library gives to a target and takes back: who had it before has nothing to do with who has it next. */

static void our_free(void *block)
{
    if (block != NULL)
        forget((uintptr_t)block, (uintptr_t)block + malloc_usable_size(block));
    free(block);
}

/* Time goes on a little each time that somebody looks. */

static int our_clock_gettime(clockid_t which, struct timespec *now)
{
    (void)which;
    ticks++;
    now->tv_sec = 1700000000, now->tv_nsec = (long)(ticks % 1000000) * 1000;
    return 0;
}
static int our_gettimeofday(struct timeval *now, void *zone)
{
    (void)zone;
    ticks++;
    now->tv_sec = 1700000000, now->tv_usec = (long)(ticks % 1000000);
    return 0;
}
static time_t our_time(time_t *now) { return now != NULL ? (*now = 1700000000) : 1700000000; }
static clock_t our_clock(void) { return (clock_t)++ticks; }
static int our_getpid(void) { return 4242; }
static int our_gettid(void) { return 5000 + self->number; }
static int our_getcpu(void) { return self->number % 4; }

static ssize_t our_getrandom(void *into, size_t size, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)into)[i] = (unsigned char)(++ticks * 37);
    return (ssize_t)size;
}
static int our_getentropy(void *into, size_t size)
{
    our_getrandom(into, size, 0);
    return 0;
}
static uint32_t our_arc4random(void) { return (uint32_t)(++ticks * 2654435761u); }

/* Futexes by hand. */

static int has_changed(struct thread *one) { return one->wakes != 0; }

static long futex(int *at, int operation, int value, uintptr_t pc)
{
    operation &= FUTEX_CMD_MASK;
    arrive(K_SIGNAL, (uintptr_t)at, pc);
    if (operation == FUTEX_WAKE) {
        int woken = 0;
        for (int i = 0; i < HUB && woken < value; i++)
            if (threads[i].live && threads[i].ready == has_changed && threads[i].target == (uintptr_t)at
                && !threads[i].wakes)
                threads[i].wakes = 1, woken++;
        someone_wrote((uintptr_t)at, sizeof *at);
        return woken;
    }
    if (operation != FUTEX_WAIT)
        return errno = ENOSYS, -1;
    if (*at != value)
        return errno = EAGAIN, -1;
    self->wakes = 0;
    wait_until(K_COND_WAIT, (uintptr_t)at, pc, has_changed);
    return 0;
}

static long our_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    switch (number) {
    case SYS_futex:
        return futex((int *)a, (int)b, (int)c, PC);
    case SYS_gettid:
        return our_gettid();
    case SYS_getpid:
        return our_getpid();
    case SYS_sched_yield:
        return 0;
    case SYS_getrandom:
        return our_getrandom((void *)a, (size_t)b, 0);
    default:
        return syscall(number, a, b, c, d, e, f);
    }
}

int interpose_system(void *handle)
{
    static const struct replacement ours[] = {
        {"sbrk", our_sbrk},
        {"brk", our_brk},
        {"mmap", our_mmap},
        {"mmap64", our_mmap},
        {"munmap", our_munmap},
        {"mremap", our_mremap},
        {"madvise", our_madvise},
        {"free", our_free},
        {"clock_gettime", our_clock_gettime},
        {"gettimeofday", our_gettimeofday},
        {"time", our_time},
        {"clock", our_clock},
        {"getpid", our_getpid},
        {"gettid", our_gettid},
        {"sched_getcpu", our_getcpu},
        {"getrandom", our_getrandom},
        {"getentropy", our_getentropy},
        {"arc4random", our_arc4random},
        {"syscall", our_syscall},
    };
    place_break();
    return interpose(handle, ours, sizeof ours / sizeof *ours);
}
