/* What is watched: no two live blocks overlap, none lies where the program has something else, and nothing changes
   that is not the allocator's. Nothing here asks for memory. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exits.h"
#include "misuse.h"

enum { MOST = 1 << 14, KEPT = 512, STRAYS = 256, SCENES = 8, ROUNDS = 24, PATTERN_SEED = 0x5a };

static struct watched {
    uintptr_t start, end;
} live[MOST];
static struct scene {
    uintptr_t start, end;
    unsigned char was[KEPT];
} scenes[SCENES];
static size_t lives, scenes_there;
static uintptr_t strays[STRAYS];
static size_t strays_made;
static volatile sig_atomic_t doing;
enum { CALLING, TOUCHING, LOOKING };

static void say(const char *text)
{
    if (write(STDOUT_FILENO, text, strlen(text)) < 0)
        _exit(BROKEN);
}

_Noreturn void attack(const char *how)
{
    say(how);
    _exit(ATTACKED);
}

static void on_fault(int number)
{
    (void)number;
    if (doing == TOUCHING)
        _exit(STOPPED);
    if (doing == LOOKING)
        attack("a live block is gone");
    _exit(FAULTED);
}

void watch_faults(void)
{
    static char stack[1 << 16];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

void *hidden(void *p)
{
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

/* Patterns: each word of a live block says where it is. */

static word pattern(uintptr_t at) { return at * 0x9e3779b97f4a7c15 + PATTERN_SEED; }

static int strayed(uintptr_t at)
{
    for (size_t i = 0; i < strays_made && i < STRAYS; i++)
        if (strays[i] / WORD == at / WORD)
            return 1;
    return 0;
}

static void fill(const struct watched *w)
{
    for (uintptr_t at = w->start; at + WORD <= w->end; at += WORD)
        *(word *)at = pattern(at);
}

static void look_at(const struct watched *w)
{
    for (uintptr_t at = w->start; at + WORD <= w->end; at += WORD)
        if (*(volatile word *)at != pattern(at) && !strayed(at))
            attack("a live block was changed");
}

static void look_at_all(void)
{
    doing = LOOKING;
    for (size_t i = 0; i < lives; i++)
        look_at(&live[i]);
    for (size_t i = 0; i < scenes_there; i++)
        for (size_t j = 0; j < scenes[i].end - scenes[i].start && j < KEPT; j++)
            if (((volatile unsigned char *)scenes[i].start)[j] != scenes[i].was[j])
                attack("what is no block was changed");
    doing = CALLING;
}

static void expect_apart(uintptr_t start, uintptr_t end)
{
    for (size_t i = 0; i < lives; i++)
        if (start < live[i].end && live[i].start < end)
            attack(start == live[i].start ? "a block was given twice" : "a block was given over a live one");
    for (size_t i = 0; i < scenes_there; i++)
        if (start < scenes[i].end && scenes[i].start < end)
            attack("a block was given where the attacker wanted it");
}

void *adopt(void *p, size_t size)
{
    struct watched new = {(uintptr_t)p, (uintptr_t)p + size};
    if (!p)
        return p;
    expect_apart(new.start, new.end);
    if (lives == MOST)
        _exit(BROKEN);
    live[lives++] = new;
    doing = LOOKING;
    fill(&new);
    doing = CALLING;
    return p;
}

void *take(size_t size) { return adopt(malloc(size), size); }

void forget(void *p)
{
    for (size_t i = lives; i-- > 0;)
        if (live[i].start == (uintptr_t)p) {
            live[i] = live[--lives];
            return;
        }
}

void give(void *p)
{
    forget(p);
    free(p);
}

void misfree(void *p) { free(hidden(p)); }

/* The program's own strays. */

static void note(const void *at, size_t count)
{
    for (size_t i = 0; i < count; i += WORD)
        strays[strays_made++ % STRAYS] = (uintptr_t)at + i;
}

void stray(void *at, word value)
{
    note(at, WORD);
    doing = TOUCHING;
    *(volatile word *)hidden(at) = value;
    doing = CALLING;
}

void stray_bytes(void *at, int byte, size_t count)
{
    note(at, count);
    note((char *)at + count - 1, 1);
    doing = TOUCHING;
    for (size_t i = 0; i < count; i++)
        ((volatile char *)hidden(at))[i] = (char)byte;
    doing = CALLING;
}

void stray_read(const void *at)
{
    doing = TOUCHING;
    (void)*(volatile const word *)at;
    doing = CALLING;
}

void forbid(const void *start, size_t size)
{
    struct scene *scene = &scenes[scenes_there++];
    scene->start = (uintptr_t)start;
    scene->end = scene->start + size;
    memcpy(scene->was, start, size < KEPT ? size : KEPT);
}

void examine(size_t size)
{
    const size_t sizes[] = {size, size, size + 2 * WORD, size * 2, size * 2 + WORD};
    for (int round = 0; round < (size < LARGE ? ROUNDS : 4); round++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            take(sizes[i]);
    look_at_all();
}

/* Addresses. */

static int is_mapped(const char *maps, word address)
{
    while (*maps) {
        char *after;
        word start = strtoul(maps, &after, 16), end = strtoul(after + 1, &after, 16);
        if (start <= address && address < end)
            return 1;
        maps = strchr(after, '\n') + 1;
    }
    return 0;
}

void expect_no_address(const word *p, size_t size)
{
    static char maps[1 << 16];
    int file = open("/proc/self/maps", O_RDONLY);
    ssize_t length = 0, more;
    while ((more = read(file, maps + length, sizeof maps - 1 - (size_t)length)) > 0)
        length += more;
    close(file);
    maps[length] = 0;
    for (size_t i = 0; i < size / WORD; i++)
        if (p[i] && (is_mapped(maps, p[i]) || (p[i] >> 16 && is_mapped(maps, p[i] << 12))))
            attack("an address was read from a fresh block");
}

/* Threads and memory of others. */

struct errand {
    void (*run)(void *);
    void *p;
};

static void *do_errand(void *errand)
{
    ((struct errand *)errand)->run(((struct errand *)errand)->p);
    return NULL;
}

void in_thread(void (*run)(void *), void *p)
{
    pthread_t thread;
    struct errand errand = {run, p};
    if (pthread_create(&thread, NULL, do_errand, &errand))
        _exit(BROKEN);
    pthread_join(thread, NULL);
}

void *foreign(size_t size) { return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

void *nowhere(size_t size)
{
    void *p = foreign(size);
    munmap(p, size);
    return p;
}
