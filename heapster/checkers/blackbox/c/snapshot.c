/* Snapshots: see snapshot.h. Only pages that hold something are taken down; others are known to be zero. */
#define _GNU_SOURCE
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "closing.h"
#include "judge.h"
#include "snapshot.h"

#define PAGE ((uintptr_t)4096)
#define MOST_EXTENTS 96
#define MOST_PAGES 8192u              /* that one snapshot holds: 32 MiB */
#define MOST_EXTENT ((size_t)1 << 28) /* bytes: of more it is only asked about both ends which pages hold something */
#define END ((size_t)1 << 20)         /* bytes of either end */
#define WHOLE 4u                      /* pages: of fewer all are taken */

struct extent {
    uintptr_t start, end;
    int keeps; /* pages that were not taken have contents of their own, and cannot be zeroed: there are none */
};

struct page {
    uintptr_t at;
    unsigned extent;
};

struct snapshot {
    unsigned extents, pages;
    uintptr_t lab, brk;
    struct mappings mappings;
    struct extent extent[MOST_EXTENTS];
    struct page page[MOST_PAGES];
    unsigned char (*bytes)[4096];
};

static struct extent statics[MOST_EXTENTS];
static unsigned static_count;
static unsigned char touched[MOST_EXTENT / 4096];

static uintptr_t down(uintptr_t place) { return place & ~(PAGE - 1); }
static uintptr_t up(uintptr_t place) { return down(place + PAGE - 1); }

void snapshot_add_static(uintptr_t start, uintptr_t end, int keeps)
{
    if (static_count < MOST_EXTENTS)
        statics[static_count++] = (struct extent){down(start), up(end), keeps};
}

unsigned snapshot_statics(void) { return static_count; }

static void add(struct snapshot *to, uintptr_t start, uintptr_t end)
{
    if (start < end && to->extents < MOST_EXTENTS)
        to->extent[to->extents++] = (struct extent){start, end, 0};
}

/* In the middle of what is that large only callers write. */
static void add_mapping(struct snapshot *to, uintptr_t start, uintptr_t end)
{
    int whole = end - start <= MOST_EXTENT;
    add(to, start, whole ? end : start + END);
    if (!whole)
        add(to, end - END, end);
}

/* Where the target's memory is now; 0: in too many places. */
static int look_around(struct snapshot *at)
{
    uintptr_t start, last;
    at->extents = 0;
    memcpy(at->extent, statics, static_count * sizeof *statics);
    at->extents = static_count;
    lab_memory(&start, &last, &at->lab);
    add(at, start, last);
    at->brk = (uintptr_t)sbrk(0);
    add(at, up(closing_first_break()), up(at->brk));
    at->mappings = *closing_mappings();
    for (unsigned i = 0; i < at->mappings.count; i++)
        if (!at->mappings.at[i].gone)
            add_mapping(at, at->mappings.at[i].start, at->mappings.at[i].end);
    return at->extents < MOST_EXTENTS && !closing_lost_track();
}

/* Which pages of an extent hold something, in `touched`; 0: it is too large to ask. */
static int ask(const struct extent *extent)
{
    size_t size = extent->end - extent->start;
    if (size > MOST_EXTENT)
        return 0;
    if (extent->keeps || size <= WHOLE * PAGE) {
        memset(touched, 1, size / PAGE);
        return 1;
    }
    return mincore((void *)extent->start, size, touched) == 0;
}

struct snapshot *snapshot_room(void)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    static unsigned rooms;
    size_t size = up(sizeof(struct snapshot)) + MOST_PAGES * PAGE;
    char *room = mmap(FAR_AWAY(6 + rooms++), size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (room == MAP_FAILED)
        return NULL;
    struct snapshot *snapshot = (struct snapshot *)room;
    snapshot->bytes = (unsigned char(*)[4096])(room + up(sizeof *snapshot));
    return snapshot;
}

int snapshot_take(struct snapshot *to)
{
    if (!look_around(to))
        return 0;
    to->pages = 0;
    for (unsigned n = 0; n < to->extents; n++) {
        const struct extent *extent = &to->extent[n];
        if (!ask(extent))
            return 0;
        for (uintptr_t at = extent->start, i = 0; at < extent->end; at += PAGE, i++) {
            if (!(touched[i] & 1))
                continue;
            if (to->pages == MOST_PAGES)
                return 0;
            memcpy(to->bytes[to->pages], (void *)at, PAGE);
            to->page[to->pages++] = (struct page){at, n};
        }
    }
    return 1;
}

/* Pages that hold something which was not there hold nothing again. */
static int wipe_others(const struct snapshot *from, unsigned n, unsigned *next)
{
    const struct extent *extent = &from->extent[n];
    uintptr_t wiping = 0, at = extent->start;
    if (!ask(extent))
        return 0;
    for (size_t i = 0; at <= extent->end; at += PAGE, i++) {
        int taken = *next < from->pages && from->page[*next].extent == n && from->page[*next].at == at;
        *next += (unsigned)taken;
        int other = at < extent->end && !taken && (touched[i] & 1);
        if (other && wiping == 0)
            wiping = at;
        if (other || wiping == 0)
            continue;
        if (madvise((void *)wiping, at - wiping, MADV_DONTNEED) != 0)
            return 0;
        wiping = 0;
    }
    return 1;
}

int snapshot_restore(const struct snapshot *from)
{
    unsigned next = 0;
    if (!closing_put_back(&from->mappings, from->brk))
        return 0;
    lab_put_back(from->lab);
    for (unsigned n = 0; n < from->extents; n++)
        if (!wipe_others(from, n, &next))
            return 0;
    for (unsigned i = 0; i < from->pages; i++)
        memcpy((void *)from->page[i].at, from->bytes[i], PAGE);
    return 1;
}

/* Four streams of words, so that they are mixed at once; 0 for a page of zeroes. */
static uint64_t digest_page(const uint64_t *words)
{
    uint64_t any = 0, a = 1, b = 2, c = 3, d = 4;
    for (unsigned i = 0; i < PAGE / 8; i += 4) {
        any |= words[i] | words[i + 1] | words[i + 2] | words[i + 3];
        a = (a ^ words[i]) * 0x9e3779b97f4a7c15u, a ^= a >> 32;
        b = (b ^ words[i + 1]) * 0xbf58476d1ce4e5b9u, b ^= b >> 32;
        c = (c ^ words[i + 2]) * 0x94d049bb133111ebu, c ^= c >> 32;
        d = (d ^ words[i + 3]) * 0xd6e8feb86659fd93u, d ^= d >> 32;
    }
    return any == 0 ? 0 : mix(a ^ mix(b ^ mix(c ^ mix(d)))) | 1;
}

uint64_t snapshot_digest(void)
{
    static struct snapshot now;
    if (!look_around(&now))
        return 0;
    uint64_t digest = mix(now.lab ^ mix(now.brk));
    for (unsigned i = 0; i < now.mappings.count; i++)
        digest += mix(now.mappings.at[i].start ^ mix(now.mappings.at[i].end) ^ (uint64_t)now.mappings.at[i].gone);
    for (unsigned n = 0; n < now.extents; n++) {
        const struct extent *extent = &now.extent[n];
        if (!ask(extent))
            return 0;
        for (uintptr_t at = extent->start, i = 0; at < extent->end; at += PAGE, i++) {
            uint64_t page = (touched[i] & 1) != 0 ? digest_page((const uint64_t *)at) : 0;
            if (page != 0)
                digest += mix(page ^ mix(at));
        }
    }
    return digest | 1;
}
