/* The system as a target in snapshots sees it: see closing.h. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "closing.h"
#include "hooks.h"
#include "judge.h"
#include "observing.h"
#include "snapshot.h"

#define PAGE ((uintptr_t)4096)
#define MOST_BREAK ((uintptr_t)1 << 28) /* bytes */

void (*target_exits)(void);

static struct mappings mappings;
static uintptr_t first_break;
static int lost_track, has_threads_own;
static void *loaded[2]; /* the target, and the object whose code it is, if that is not the one that is loaded */

const struct mappings *closing_mappings(void) { return &mappings; }
uintptr_t closing_first_break(void) { return first_break; }
int closing_lost_track(void) { return lost_track; }

static uintptr_t up(uintptr_t place) { return (place + PAGE - 1) & ~(PAGE - 1); }

static void add(uintptr_t start, uintptr_t end, int gone)
{
    if (mappings.count == MOST_MAPPINGS)
        lost_track = 1;
    else if (start < end)
        mappings.at[mappings.count++] = (struct mapping){start, end, gone};
}

/* What of the account lies in [start, end) is put out of reach; the rest of it stays. */
static void give_back(uintptr_t start, uintptr_t end)
{
    for (unsigned i = mappings.count; i-- > 0;) {
        struct mapping one = mappings.at[i];
        if (one.gone || one.end <= start || one.start >= end)
            continue;
        uintptr_t from = one.start > start ? one.start : start, to = one.end < end ? one.end : end;
        mappings.at[i] = (struct mapping){from, to, 1};
        add(one.start, from, 0);
        add(to, one.end, 0);
    }
}

static int is_ours(uintptr_t start, uintptr_t end)
{
    for (uintptr_t at = start; at < end;) {
        unsigned i = 0;
        while (i < mappings.count && (mappings.at[i].gone || at < mappings.at[i].start || at >= mappings.at[i].end))
            i++;
        if (i == mappings.count)
            return 0;
        at = mappings.at[i].end;
    }
    return 1;
}

static void *closed_mmap(void *hint, size_t size, int allows, int flags, int fd, off_t offset)
{
    if (system_is_refused()) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if ((flags & MAP_ANONYMOUS) == 0 || (flags & (MAP_SHARED | MAP_FIXED)) != 0)
        lost_track = 1;
    void *mapped = mmap(hint, size, allows, flags, fd, offset);
    if (mapped != MAP_FAILED)
        add((uintptr_t)mapped, up((uintptr_t)mapped + size), 0);
    return mapped;
}

static int closed_munmap(void *at, size_t size)
{
    uintptr_t start = (uintptr_t)at, end = up(start + size);
    if (size == 0 || start % PAGE != 0)
        return munmap(at, size);
    if (!is_ours(start, end)) /* what it unmaps there is nobody knows whose */
        lost_track = 1;
    give_back(start, end);
    mprotect(at, end - start, PROT_NONE);
    return 0;
}

static void *closed_mremap(void *old, size_t old_size, size_t size, int flags, ...)
{
    uintptr_t start = (uintptr_t)old;
    if ((flags & MREMAP_FIXED) != 0 || old_size == 0)
        lost_track = 1;
    if (up(size) <= up(old_size)) {
        if (up(size) < up(old_size))
            closed_munmap((char *)old + up(size), up(old_size) - up(size));
        return old;
    }
    void *mapped = MAP_FAILED;
    if ((flags & MREMAP_MAYMOVE) != 0)
        mapped = closed_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    else
        errno = ENOMEM;
    if (mapped == MAP_FAILED)
        return mapped;
    memcpy(mapped, (void *)start, up(old_size));
    closed_munmap(old, old_size);
    return mapped;
}

/* All pages above the first break are looked at, so there are no more than can be. */
static int is_too_far(uintptr_t place) { return place > first_break && place - first_break > MOST_BREAK; }

static void *closed_sbrk(intptr_t delta)
{
    if (delta > 0 && (is_too_far((uintptr_t)sbrk(0) + (uintptr_t)delta) || system_is_refused())) {
        errno = ENOMEM;
        return (void *)-1;
    }
    return sbrk(delta);
}

static int closed_brk(void *place)
{
    if (place > sbrk(0) && (is_too_far((uintptr_t)place) || system_is_refused())) {
        errno = ENOMEM;
        return -1;
    }
    return brk(place);
}

static _Noreturn void closed_exit(int status)
{
    if (target_exits != NULL)
        target_exits();
    _exit(status);
}

static const struct replacement closed[] = {
    {"mmap", closed_mmap},  {"mmap64", closed_mmap},    {"munmap", closed_munmap}, {"mremap", closed_mremap},
    {"sbrk", closed_sbrk},  {"brk", closed_brk},        {"exit", closed_exit},     {"_exit", closed_exit},
    {"_Exit", closed_exit}, {"quick_exit", closed_exit}};

int snapshot_hooks(void)
{
    first_break = (uintptr_t)sbrk(0);
    for (unsigned i = 0; i < 2 && loaded[i] != NULL; i++)
        if (interpose(loaded[i], closed, sizeof closed / sizeof *closed) < 0)
            return 0;
    return !has_threads_own && snapshot_statics() != 0;
}

static void gained(uintptr_t start, uint64_t size) { snapshot_add_static(start, start + size, 0); }

/* Where what is only written while it is loaded ends: nobody can write there afterwards. */
static uintptr_t end_of_fixed(const struct dl_phdr_info *object)
{
    for (unsigned i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_GNU_RELRO)
            return (object->dlpi_addr + object->dlpi_phdr[i].p_vaddr + object->dlpi_phdr[i].p_memsz) & ~(PAGE - 1);
    return 0;
}

/* Variables with first values lie in pages of the file; those of each thread cannot be told apart. */
static int of_loaded(struct dl_phdr_info *object, size_t size, void *map)
{
    (void)size;
    if (object->dlpi_addr != ((const struct link_map *)map)->l_addr)
        return 0;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + part->p_vaddr, end = start + part->p_filesz;
        has_threads_own |= part->p_type == PT_TLS;
        if (part->p_type == PT_LOAD && (part->p_flags & PF_W) != 0 && end > end_of_fixed(object))
            snapshot_add_static(start > end_of_fixed(object) ? start : end_of_fixed(object), end, 1);
    }
    return 1;
}

void snapshot_loaded(void *handle)
{
    if (loaded[0] != NULL)
        return;
    loaded[0] = handle;
    loaded[1] = shared->adapted[0] != 0 ? dlopen(shared->adapted, RTLD_NOW | RTLD_NOLOAD) : NULL;
    for (unsigned i = 0; i < 2; i++) {
        struct link_map *map = NULL;
        if (loaded[i] != NULL && dlinfo(loaded[i], RTLD_DI_LINKMAP, &map) == 0 && map != NULL)
            dl_iterate_phdr(of_loaded, map);
    }
    taken_since(gained);
}

/* A mapping that was there before stays mapped whatever the target did with it; a new one goes. */
static int unmap_new(const struct mappings *before)
{
    for (unsigned i = 0; i < mappings.count; i++) {
        int old = 0;
        for (unsigned k = 0; k < before->count && !old; k++)
            old = before->at[k].start <= mappings.at[i].start && mappings.at[i].end <= before->at[k].end;
        if (!old && munmap((void *)mappings.at[i].start, mappings.at[i].end - mappings.at[i].start) != 0)
            return 0;
    }
    return 1;
}

static int is_gone_now(const struct mapping *one)
{
    for (unsigned i = 0; i < mappings.count; i++)
        if (mappings.at[i].gone && one->start <= mappings.at[i].start && mappings.at[i].end <= one->end)
            return 1;
    return 0;
}

int closing_put_back(const struct mappings *before, uintptr_t brk_before)
{
    if (lost_track || !unmap_new(before))
        return 0;
    for (unsigned k = 0; k < before->count; k++) {
        const struct mapping *one = &before->at[k];
        if (!one->gone && is_gone_now(one)
            && mprotect((void *)one->start, one->end - one->start, PROT_READ | PROT_WRITE) != 0)
            return 0;
    }
    mappings = *before;
    return (uintptr_t)sbrk(0) == brk_before || brk((void *)brk_before) == 0;
}
