/* Where a target's memory starts and ends, if it is confined, and whether it keeps to that. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "judge.h"

#define PATTERN 4096u            /* bytes; it repeats itself each 256 */
#define FAR ((uintptr_t)1 << 24) /* bytes: an access that is further from the edge has other causes */

struct fence fence;
static unsigned char pattern[PATTERN + 256];

static void draw_pattern(void)
{
    for (unsigned i = 0; i < sizeof pattern; i++)
        pattern[i] = (unsigned char)(i * 167 + 13);
}

static const unsigned char *pattern_at(const unsigned char *place) { return pattern + ((uintptr_t)place & 255); }

static size_t piece(const unsigned char *from, const unsigned char *to)
{
    return (size_t)(to - from) < PATTERN ? (size_t)(to - from) : PATTERN;
}

void fence_write(unsigned char *from, unsigned char *to)
{
    if (pattern[1] == 0)
        draw_pattern();
    for (; from < to; from += piece(from, to))
        memcpy(from, pattern_at(from), piece(from, to));
}

void fence_start(void)
{
    if (shared->guarded < GUARDED)
        return;
    fence_write(fence.first, fence.low);
    fence_write(fence.high, fence.last);
    mprotect(fence.first - GUARD, GUARD, PROT_NONE);
    mprotect(fence.last, GUARD, PROT_NONE);
}

static unsigned char *changed(unsigned char *from, unsigned char *to)
{
    for (; from < to; from += piece(from, to)) {
        if (memcmp(from, pattern_at(from), piece(from, to)) == 0)
            continue;
        while (*from == *pattern_at(from))
            from++;
        return from;
    }
    return NULL;
}

static int64_t distance(const unsigned char *place)
{
    return place < fence.low ? -(int64_t)(fence.low - place) : (int64_t)(place - fence.high) + 1;
}

int64_t fence_broken(void)
{
    unsigned char *place = NULL;
    if (shared->guarded == GUARDED)
        place = changed(fence.high, fence.last);
    if (shared->guarded == GUARDED && place == NULL)
        place = changed(fence.first, fence.low);
    if (place == NULL)
        return 0;
    fence_write(fence.first, fence.low);
    fence_write(fence.high, fence.last);
    return distance(place);
}

int fence_excludes(uintptr_t start, uint64_t size)
{
    uintptr_t low = (uintptr_t)fence.low, high = (uintptr_t)fence.high;
    return fence.low != NULL && (start < low || start > high || size > high - start);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    const unsigned char *place = info->si_addr;
    (void)context;
    if (fence.low != NULL && (place < fence.low || place >= fence.high) && (uintptr_t)place + FAR > (uintptr_t)fence.low
        && (uintptr_t)place < (uintptr_t)fence.last + FAR)
        shared->stray = distance(place);
    if (info->si_code > 0) /* it was not sent */
        shared->fault = (uintptr_t)place;
    show();
    counters_fault();
    signal(number, SIG_DFL); /* the same access again ends it */
    if (info->si_code <= 0)  /* it was sent */
        raise(number);
}

void fence_watch(void)
{
    static unsigned char stack[1 << 16] __attribute__((aligned(16)));
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}
