/* What a target took of the system while it was loaded, before anybody watched it: it is its own as well.

   The memory that could be written before is remembered; what could be written afterwards, and not before, is new. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "observing.h"

#define MOST_REGIONS 512

static struct region {
    uintptr_t start, end;
} before[MOST_REGIONS];
static unsigned count;

/* Each writable region of this process that is no file's. */
static void each_region(void (*done)(uintptr_t start, uintptr_t end))
{
    char line[512], allowed[8];
    unsigned long start, end, inode;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        if (sscanf(line, "%lx-%lx %7s %*s %*s %lu", &start, &end, allowed, &inode) == 4 && inode == 0
            && allowed[1] == 'w')
            done(start, end);
    if (maps != NULL)
        fclose(maps);
}

static void remember(uintptr_t start, uintptr_t end)
{
    if (count < MOST_REGIONS)
        before[count++] = (struct region){start, end};
}

static void (*told)(uintptr_t start, uint64_t size);

/* What of it was not there before: regions that touch each other are one. */
static void tell_new(uintptr_t start, uintptr_t end)
{
    for (unsigned i = 0; i < count && start < end; i++) {
        if (before[i].end <= start || before[i].start >= end)
            continue;
        if (before[i].start > start)
            told(start, before[i].start - start);
        start = before[i].end;
    }
    if (start < end)
        told(start, end - start);
}

void taken_before(void)
{
    count = 0;
    each_region(remember);
}

void taken_since(void (*done)(uintptr_t start, uint64_t size))
{
    told = done;
    if (count < MOST_REGIONS)
        each_region(tell_new);
}
