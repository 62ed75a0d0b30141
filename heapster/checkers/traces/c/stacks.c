/* Where calls come from: each stack is told once, by its frames, and each object that these lie in, by its name.

   A stack goes by a number that is made of its frames. Whoever meets it first tells it; so a thread may name a stack
   that another is still about to tell. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "stacks.h"

enum { SEEN = 1 << 18, PROBES = 64, MOST_OBJECTS = 2048 };

static int told; /* whether stacks are */
static atomic_ullong seen[SEEN], objects[MOST_OBJECTS];
static char program[PATH_BYTES];

void stacks_begin(void)
{
    const char *asked = getenv("HEAPSTER_RECORD_STACKS");
    void *one[1];
    if (!asked || *asked != '1')
        return;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = 0;
    backtrace(one, 1); /* the first call loads what it needs */
    told = 1;
}

void stacks_end(void) { told = 0; }

/* Whether `value` was not yet among those; then it is from now on. Where all its places are taken, it is new. */
static int is_new(atomic_ullong *table, unsigned long places, unsigned long long value)
{
    for (unsigned long probe = 0; probe < PROBES; probe++) {
        atomic_ullong *place = &table[((value >> 12) * 0x9e3779b97f4a7c15u + probe) % places];
        unsigned long long found = atomic_load_explicit(place, memory_order_relaxed);
        if (found == value)
            return 0;
        if (!found && atomic_compare_exchange_strong(place, &found, value))
            return 1;
        if (found == value)
            return 0;
    }
    return 1;
}

static int is_program(const void *base)
{
    const char *headers = (const char *)getauxval(AT_PHDR);
    return headers >= (const char *)base && headers < (const char *)base + 4096;
}

/* The object that holds an instruction, by where it lies and its name, sixteen bytes a record. */
static void tell_object(const void *instruction)
{
    Dl_info found;
    if (!dladdr(instruction, &found) || !found.dli_fbase || !is_new(objects, MOST_OBJECTS, (uintptr_t)found.dli_fbase))
        return;
    char name[PATH_BYTES] = "";
    strncpy(name, is_program(found.dli_fbase) ? program : found.dli_fname, sizeof name - 1);
    for (size_t at = 0; at <= strlen(name); at += 2 * sizeof(uint64_t)) {
        uint64_t part[2];
        memcpy(part, name + at, sizeof part);
        note(STACK_OBJECT, (uintptr_t)found.dli_fbase, part[0], (const void *)part[1]);
    }
}

static uint64_t number_of(void *const *frames, int count)
{
    uint64_t number = 0xcbf29ce484222325u;
    for (int i = 0; i < count; i++) {
        number = (number ^ (uintptr_t)frames[i]) * 0x9e3779b97f4a7c15u;
        number ^= number >> 29;
    }
    return number | 1;
}

static int is_ours(const void *instruction)
{
    extern const char __ehdr_start[], etext[] __attribute__((visibility("hidden")));
    return (const char *)instruction >= __ehdr_start && (const char *)instruction < etext;
}

void note_stack(void)
{
    if (!told)
        return;
    int kept = errno;
    void *frames[DEEPEST + OWN_FRAMES];
    int count = backtrace(frames, DEEPEST + OWN_FRAMES), first = 0;
    while (first < count && is_ours(frames[first]))
        first++;
    uint64_t number = number_of(frames + first, count - first);
    if (is_new(seen, SEEN, number)) {
        for (int i = first; i < count; i++)
            tell_object(frames[i]);
        for (int i = first; i < count; i += 2)
            note(STACK_FRAMES, number, (uintptr_t)frames[i], i + 1 < count ? frames[i + 1] : NULL);
    }
    note(STACK_IS, number, 0, NULL);
    errno = kept;
}
