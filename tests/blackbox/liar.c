/* An allocator that gives one block to everyone, and from its fourth call on meddles with what it shares with whoever
   judges it: LIE says how. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BOARD, OPERATIONS, RESULTS, LEAVE, CLOSE, FORGE, FOR_EVER, EAT };

static char heap[1 << 20], text[1 << 16];
static int calls;

static char *shared(size_t offset)
{
    int file = open("/proc/self/maps", O_RDONLY);
    long n = 0, got;
    while ((got = read(file, text + n, sizeof text - 1 - n)) > 0)
        n += got;
    close(file);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        unsigned long from, to, at;
        char mode[8], rest[256] = "";
        if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %255s", &from, &to, mode, &at, rest) >= 4
            && strstr(rest, "heapster-judge") != NULL && at <= offset && offset < at + (to - from))
            return (char *)from + (offset - at);
    }
    abort();
}

static void meddle(void)
{
    static const size_t first_op = 16384, first_result = 16384 + ((size_t)32 << 20);
    switch (LIE) {
    case BOARD:
        memset(shared(0), calls % 2, 16384);
        break;
    case OPERATIONS:
        memset(shared(first_op), 0, 4096);
        break;
    case RESULTS:
        memset(shared(first_result), 0, 104);
        break;
    case LEAVE:
        memset(shared(0) + 160, 1, 256);
        _exit(0);
    case CLOSE:
        for (int file = 3; file < 64; file++)
            close(file);
        _exit(73);
    case FORGE:
        for (int file = 3; file < 64; file++)
            if (write(file, text, 9000) < 0)
                continue;
        break;
    case FOR_EVER:
        memset(shared(0), 255, 200);
        for (;;)
            ;
    case EAT:
        memset(shared(0), 255, 200);
        for (;;)
            memset(mmap(NULL, 1 << 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 1 << 24);
    }
}

void *malloc(size_t size)
{
    if (++calls > 3)
        meddle();
    return size <= sizeof heap ? heap : NULL;
}

void free(void *pointer) { (void)pointer; }
