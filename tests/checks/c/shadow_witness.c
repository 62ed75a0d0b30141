/* A shadow against a slow one: random pieces of memory are taken and given up, in granules of each size.

   VARIANTS is a table of shadows; each runs in a child of its own. Prints the numbers of those that pass. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "judge.h"

#define WINDOW 4096u
#define BASE ((uintptr_t)0x123456780000)
#define END ((uintptr_t)1 << 47)

struct variant {
    void (*start)(uint64_t);
    int (*take)(uintptr_t, uint64_t);
    void (*release)(uintptr_t, uint64_t);
};

static struct header header;
struct header *shared = &header;

static void check(int holds)
{
    if (!holds)
        _exit(1);
}

static unsigned long below(unsigned long n)
{
    static unsigned long long state = 88172645463325252u;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (unsigned long)(state % n);
}

static void against_a_slow_one(const struct variant *v, uint64_t granule)
{
    static unsigned char taken[WINDOW];
    memset(taken, 0, sizeof taken);
    v->start(granule);
    uint64_t unit = granule >= 16 ? 16 : granule >= 8 ? 8 : 4;
    for (int n = 0; n < 1500; n++) {
        uint64_t from = below(WINDOW - 600), size = below(4) ? below(80) : below(600), seen = 0;
        uint64_t first = from / unit, last = (from + (size ? size - 1 : 0)) / unit;
        for (uint64_t g = first; g <= last; g++)
            seen |= taken[g];
        if (n % 2) {
            check(v->take(BASE + from, size) == (int)seen);
            memset(taken + first, 1, last - first + 1);
        } else {
            v->release(BASE + from, size);
            memset(taken + first, 0, last - first + 1);
        }
    }
}

static void at_the_edges(const struct variant *v)
{
    v->start(16);
    check(v->take(END - 32, 16) == 0 && v->take(END - 32, 16) == 1);
    check(v->take(END - 16, 16) == 0 && v->take(END - 16, 16) == 0); /* it reaches the end: nobody knows */
    check(v->take(END, 16) == 0 && v->take(UINTPTR_MAX - 64, 16) == 0 && v->take(UINTPTR_MAX - 64, 16) == 0);
    v->release(END, 16);
    v->release(UINTPTR_MAX - 64, 16);
    check(v->take(BASE, (uint64_t)1 << 20) == 0 && v->take(BASE + (1 << 20) - 1, 1) == 1);
    check(v->take(BASE + (1 << 20), 16) == 0 && v->take(BASE - 16, 16) == 0);
}

static void none(const struct variant *v)
{
    v->start(3); /* neighbours may share a granule */
    check(v->take(BASE, 16) == 0 && v->take(BASE, 16) == 0 && header.unshadowed == 0);
    v->release(BASE, 16);
}

static void refused(const struct variant *v)
{
    setrlimit(RLIMIT_AS, &(struct rlimit){1 << 30, 1 << 30});
    v->start(16);
    check(header.unshadowed == 1 && v->take(BASE, 16) == 0 && v->take(BASE, 16) == 0);
}

static int passes(const struct variant *v, int part)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        setitimer(ITIMER_PROF, &(struct itimerval){{0, 0}, {0, 300000}}, NULL); /* one may go round for ever */
        switch (part) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
            against_a_slow_one(v, (uint64_t[]){16, 8, 4, 15, 7}[part]);
            break;
        case 5:
            at_the_edges(v);
            break;
        case 6:
            none(v);
            break;
        default:
            refused(v);
            break;
        }
        check(part >= 6 || header.unshadowed == 0);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static const struct variant variants[] = {VARIANTS};

int main(void)
{
    for (unsigned n = 0; n < sizeof variants / sizeof *variants; n++) {
        int part = 0;
        while (part < 8 && passes(&variants[n], part))
            part++;
        if (part == 8)
            printf("%u\n", n);
    }
    return 0;
}
