#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *now = "loading the allocator";
static int finished, last_step;
volatile int step_now = -1; /* of these, and where the allocator's code lies: replay --gdb asks for them */
uintptr_t loaded_at;

__attribute__((noinline)) void allocator_loaded(void *code)
{
    struct link_map *map = NULL;
    if (code != NULL && dlinfo(code, RTLD_DI_LINKMAP, &map) == 0)
        loaded_at = map->l_addr;
}

#define MOST_CHECKED (last_step ? SIZE_MAX : (size_t)1 << 20) /* bytes looked at after a step */

static void say(const char *text)
{
    size_t n = 0;
    while (text[n] != 0)
        n++;
    if (write(STDOUT_FILENO, text, n) < 0)
        _exit(1);
}

/* Nothing here needs the memory that the allocator may have overwritten. */
static void fail(const char *what)
{
    say("FAILED at: "), say(now), say("\n  "), say(what), say("\n");
    _exit(1);
}

static const char *name_of(int signal)
{
    switch (signal) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL";
    case SIGABRT:
        return "SIGABRT";
    default:
        return "it does not come back";
    }
}

static void on_signal(int number)
{
    if (number == SIGALRM && !MAY_HANG)
        _exit(3); /* this program is too slow: it shows nothing */
    fail(name_of(number));
}

static void on_exit_early(void)
{
    if (!finished)
        fail("it ends the process");
}

/* The blocks that are held: where they are, what was asked for, and the bytes that were written into them. */
static void *held[HANDLES];
static struct account account = {held, HANDLES};
static struct block {
    size_t size, filled;
} blocks[HANDLES];

void harness_misuse(int32_t handle)
{
    (void)handle;
    say("This program uses a block that it does not hold: it shows nothing\n");
    _exit(3);
}

static void holds(int h) { account_pointer(&account, h); }

static void gives_up(int h)
{
    holds(h);
    if (account_is_live(&account, h))
        account_forget(&account, h);
}

static unsigned char byte_of(int h, size_t i) { return (unsigned char)(((size_t)h * 37 + i * 11 + i / 251) | 1); }
static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static void check_contents(int h, const unsigned char *at, size_t size, const char *what)
{
    for (size_t i = 0; i < least(size, FILLED_MOST); i++)
        if (at[i] != byte_of(h, i))
            fail(what);
}

/* The target's own checker; then the blocks in turn, all of them if they are not too much. */
static void check_all(void)
{
    OWN_CHECK();
    if (HARMED())
        fail("memory of somebody else has changed, or is gone");
    if (STRAYED())
        fail("bytes outside of its memory have changed");
    static int next;
    size_t seen = 0;
    for (int n = 0; n < HANDLES && seen < MOST_CHECKED; n++, next = (next + 1) % HANDLES) {
        if (!account_is_live(&account, next))
            continue;
        const unsigned char *at = held[next];
        check_contents(next, at, blocks[next].filled, "the contents of a live block have changed");
        size_t end = blocks[next].filled;
        if (end > FILLED_MOST && at[end - 1] != byte_of(next, end - 1))
            fail("the last byte of a live block has changed");
        seen += least(blocks[next].filled, FILLED_MOST);
    }
}

static void *given(int h, void *answer, size_t size, size_t alignment, int old)
{
    unsigned char *at = answer;
    account_define(&account, h, answer);
    if (at == NULL) {
        if (MUST_GIVE(h))
            fail("it answers NULL");
        if (!SAYS_WHY(h))
            fail("it answers NULL, and errno does not say why");
        check_all();
        return NULL;
    }
    if (size > SIZE_MAX / 2 || MUST_REFUSE(h))
        fail("it should have answered NULL");
    if (EXCLUDED(at, size))
        fail("the block reaches beyond the allocator's memory");
    if (OTHERS_HAVE(at, size))
        fail("the block lies in memory that somebody else has");
    size_t need = ALIGNMENT;
    while (SMALL_BLOCKS && need > 1 && size < need)
        need /= 2;
    if ((uintptr_t)at % need != 0)
        fail("the block is not aligned as every block must be");
    if ((uintptr_t)at % alignment != 0)
        fail("the block is not aligned as was asked");
    size_t usable = usable_size != NULL ? usable_size(at) : size;
    if (usable < size)
        fail("fewer bytes are usable than were asked for");
    size_t filled = usable > size && usable <= 2 * size + 65536 ? usable : size;
    if (old >= 0 && old != h)
        account_forget(&account, old);
    for (int o = 0; o < HANDLES; o++) {
        const unsigned char *other = held[o];
        if (o != h && account_is_live(&account, o) && at < other + (blocks[o].filled | !blocks[o].filled)
            && other < at + (filled | !filled))
            fail("the block overlaps a live one");
    }
    if (old >= 0)
        check_contents(old, at, least(blocks[old].size, size), "realloc has not kept the contents");
    blocks[h] = (struct block){size, filled};
    for (size_t i = 0; i < least(filled, FILLED_MOST); i++)
        at[i] = byte_of(h, i);
    if (filled > FILLED_MOST)
        at[filled - 1] = byte_of(h, filled - 1);
    check_all();
    return at;
}

static void usable_now(int h, void *at)
{
    size_t usable = usable_size != NULL ? usable_size(at) : 0;
    if (at == NULL && usable != 0)
        fail("bytes of NULL are usable");
    if (h >= 0 && usable_size != NULL && usable < blocks[h].filled)
        fail("fewer bytes are usable than were before");
}

static void zeroed(const unsigned char *at, size_t size)
{
    for (size_t i = 0; at != NULL && i < least(size, FILLED_MOST); i++)
        if (at[i] != 0)
            fail("calloc's block is not zero");
}

/* From here on the system gives no more memory. */
static void refuse_memory(void)
{
    struct rlimit none = {1, RLIM_INFINITY};
    setrlimit(RLIMIT_AS, &none);
}
