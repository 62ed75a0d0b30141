/* Somebody else in the process, who takes memory from the system by himself: above the break, and in a mapping
   of his own beside those of the target. What is his must stay there, as he has left it. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "judge.h"

#define MOST_STRANGERS 16
#define HIS 0xb5

struct stranger {
    unsigned char *at;
    size_t size;
    int mapped;
};

static struct stranger strangers[MOST_STRANGERS];
static int stranger_count;

static void remember_stranger(void *at, size_t size, int mapped)
{
    if (at == (void *)-1)
        return;
    strangers[stranger_count++] = (struct stranger){memset(at, HIS, size), size, mapped};
}

static size_t whole_pages(size_t size)
{
    size_t page = (size_t)getpagesize();
    return (size + page - 1) & ~(page - 1);
}

/* Gives back what he took last, as far as nobody has come after him. */
static void stranger_leaves(void)
{
    for (int n = 0; n < 2 && stranger_count > 0; n++) {
        struct stranger *last = &strangers[stranger_count - 1];
        if (!last->mapped && (unsigned char *)sbrk(0) != last->at + last->size)
            return;
        if (last->mapped)
            munmap(last->at, last->size);
        else
            sbrk(-(intptr_t)last->size);
        stranger_count--;
    }
}

void stranger_moves(int64_t delta)
{
    if (delta < 0) {
        stranger_leaves();
        return;
    }
    if (delta == 0 || stranger_count + 2 > MOST_STRANGERS)
        return;
    size_t size = (size_t)delta, mapped = whole_pages(size);
    remember_stranger(sbrk((intptr_t)size), size, 0);
    remember_stranger(mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), mapped, 1);
}

static int is_gone(const struct stranger *stranger)
{
    unsigned char resident[256];
    if (!stranger->mapped)
        return (unsigned char *)sbrk(0) < stranger->at + stranger->size;
    size_t page = (size_t)getpagesize();
    for (size_t at = 0; at < stranger->size; at += sizeof resident * page) {
        size_t rest = stranger->size - at, piece = sizeof resident * page;
        if (mincore(stranger->at + at, rest < piece ? rest : piece, resident) != 0)
            return 1;
    }
    return 0;
}

int strangers_harmed(void)
{
    for (int n = 0; n < stranger_count; n++) {
        const struct stranger *one = &strangers[n];
        if (is_gone(one)) {
            stranger_count = 0; /* it would be told again and again */
            return STRANGER_GONE;
        }
        if (one->at[0] != HIS || memcmp(one->at, one->at + 1, one->size - 1) != 0) {
            memset(one->at, HIS, one->size);
            return STRANGER_CHANGED;
        }
    }
    return UNHARMED;
}

int strangers_have(uintptr_t start, uint64_t size)
{
    for (int n = 0; n < stranger_count; n++)
        if (start < (uintptr_t)strangers[n].at + strangers[n].size && (uintptr_t)strangers[n].at < start + size)
            return 1;
    return 0;
}
