/* The rest of malloc.h, for a library that is preloaded: libc's own functions speak of libc's heap, which nobody uses. */

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "heapster.h"
#include "layout.h"
#include "words.h"

#if !__GLIBC_PREREQ(2, 33)
struct mallinfo2 {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mallinfo2 mallinfo2(void);
#endif

enum { STATS_ROW = 128, STATS_TEXT = (MAX_ARENAS + 2) * STATS_ROW };

/* What the arenas have, without the blocks that have mappings of their own; what is kept of mappings is theirs. */
static void split(struct heapster_stats *arenas, struct heapster_stats *mapped)
{
    heapster_stats(arenas);
    heapster_arena_stats(ONLY_MAPPINGS, mapped);
    arenas->total_bytes -= mapped->used_bytes;
}

struct mallinfo2 mallinfo2(void)
{
    struct heapster_stats arenas, mapped;
    split(&arenas, &mapped);
    struct mallinfo2 info = {
        .arena = arenas.total_bytes,
        .ordblks = arenas.free_blocks,
        .smblks = arenas.cached_blocks,
        .hblks = mapped.used_blocks,
        .hblkhd = mapped.used_bytes,
        .fsmblks = arenas.cached_bytes,
        .fordblks = arenas.free_bytes + arenas.cached_bytes,
        .keepcost = mapped.free_bytes,
    };
    info.uordblks = info.arena - info.fordblks;
    return info;
}

static int clamped(size_t number) { return number > INT_MAX ? INT_MAX : (int)number; }

/* With numbers that are no larger than an int, rather than what is left of larger ones. */
struct mallinfo mallinfo(void)
{
    struct mallinfo2 wide = mallinfo2();
    return (struct mallinfo){.arena = clamped(wide.arena),
                             .ordblks = clamped(wide.ordblks),
                             .smblks = clamped(wide.smblks),
                             .hblks = clamped(wide.hblks),
                             .hblkhd = clamped(wide.hblkhd),
                             .fsmblks = clamped(wide.fsmblks),
                             .uordblks = clamped(wide.uordblks),
                             .fordblks = clamped(wide.fordblks),
                             .keepcost = clamped(wide.keepcost)};
}

/* 1 if the system got memory back, else 0. */
int malloc_trim(size_t pad) { return (int)heapster_word_trim(pad > MAX_REQUEST ? MAX_REQUEST : (word)pad); }

/* 1 for what is taken, 0 for what means nothing here. */
int mallopt(int parameter, int value)
{
    if (value < 0)
        return 0;
    switch (parameter) {
    case M_MMAP_THRESHOLD:
        heapster_word_set_threshold(value);
        return 1;
    case M_ARENA_MAX:
        heapster_word_set_arenas(value ? value : MAX_ARENAS);
        return 1;
    default:
        return 0;
    }
}

static int is_used(const struct heapster_stats *s) { return s->total_bytes != 0; }

static void print_heap(FILE *to, int number, const struct heapster_stats *s)
{
    fprintf(to,
            "<heap nr=\"%d\">\n<sizes>\n</sizes>\n<total type=\"fast\" count=\"0\" size=\"0\"/>\n"
            "<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n<system type=\"current\" size=\"%zu\"/>\n"
            "<system type=\"max\" size=\"%zu\"/>\n<aspace type=\"total\" size=\"%zu\"/>\n"
            "<aspace type=\"mprotect\" size=\"%zu\"/>\n</heap>\n",
            number, s->free_blocks, s->free_bytes, s->total_bytes, s->total_bytes, s->total_bytes, s->total_bytes);
}

/* As XML, with glibc's elements; caches count as its fast bins. */
int malloc_info(int options, FILE *to)
{
    struct heapster_stats s, mapped;
    if (options)
        return EINVAL;
    fputs("<malloc version=\"1\">\n", to);
    for (int i = 0; i < MAX_ARENAS; i++) {
        heapster_arena_stats(i, &s);
        if (is_used(&s))
            print_heap(to, i, &s);
    }
    split(&s, &mapped);
    fprintf(to,
            "<total type=\"fast\" count=\"%zu\" size=\"%zu\"/>\n<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n"
            "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n<system type=\"current\" size=\"%zu\"/>\n"
            "<system type=\"max\" size=\"%zu\"/>\n<aspace type=\"total\" size=\"%zu\"/>\n"
            "<aspace type=\"mprotect\" size=\"%zu\"/>\n</malloc>\n",
            s.cached_blocks, s.cached_bytes, s.free_blocks, s.free_bytes, mapped.used_blocks, mapped.used_bytes,
            s.total_bytes, s.total_bytes, s.total_bytes, s.total_bytes);
    return 0;
}

static size_t add_row(char *text, size_t length, const char *title, size_t system, size_t used)
{
    int more = snprintf(text + length, STATS_ROW, "%s\nsystem bytes     = %10zu\nin use bytes     = %10zu\n", title,
                        system, used);
    return length + (size_t)more;
}

/* On stderr, with glibc's words. */
void malloc_stats(void)
{
    char text[STATS_TEXT], title[32];
    struct heapster_stats s;
    size_t length = 0;
    for (int i = 0; i < MAX_ARENAS; i++) {
        heapster_arena_stats(i, &s);
        snprintf(title, sizeof title, "Arena %d:", i);
        if (is_used(&s))
            length = add_row(text, length, title, s.total_bytes, s.used_bytes);
    }
    heapster_stats(&s);
    length = add_row(text, length, "Total (incl. mmap):", s.total_bytes, s.used_bytes);
    if (write(STDERR_FILENO, text, length) < 0)
        return; /* nobody listens */
}
