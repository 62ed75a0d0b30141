/* The compiled allocator on a trace, at full speed, in a world that answers the same each time.

       replay FD OPS INTERVAL POLICY

   FD holds `struct shared`, the operations, room for an answer each, and for the system calls. After every
   INTERVAL operations it writes a byte to stdout and waits for one on stdin, so that an onlooker may read
   its memory. It ends with its stdin. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"
#include "layout.h"
#include "replay.h"
#include "words.h"

enum { SYSTEM_CALLS, CALLS_KINDS };
enum { MOST_THREADS = 1 << 16 };

#define AREA ((uintptr_t)0x100000000000) /* of the break */
#define AREA_BYTES ((uintptr_t)1 << 36)
#define FIRST_MAPPING ((uintptr_t)0x200000000000) /* each where the last one ended */

static struct shared *shared;
static struct call *calls;
#define EACH UINT64_MAX
static uint64_t most_calls, refuse[CALLS_KINDS]; /* how many calls until one is refused; 0: none */
static uintptr_t brk_at = AREA, map_at = FIRST_MAPPING;
static struct account account;
static char *threads[MOST_THREADS];
static uint64_t running;

void *__real_mmap(void *, size_t, int, int, int, off_t); /* the linker gives them these names */
int __real_munmap(void *, size_t);
int __real_madvise(void *, size_t, int);
int __real_mprotect(void *, size_t, int);
void *__real_mremap(void *, size_t, size_t, int, ...);

static word log_call(int name, word a, word b, word c, word answer)
{
    if (shared->calls < most_calls)
        calls[shared->calls] = (struct call){shared->done, (uint64_t)name, a, b, c, answer};
    shared->calls++;
    return answer;
}

static int refused(int name) { return refuse[name] == EACH || (refuse[name] && --refuse[name] == 0); }

#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN word __wrap_sbrk(word delta)
{
    uintptr_t old = brk_at;
    if (delta && refused(SBRK))
        return log_call(SBRK, delta, 0, 0, -1);
    if (old + (uintptr_t)delta < AREA || old + (uintptr_t)delta > AREA + AREA_BYTES)
        return log_call(SBRK, delta, 0, 0, -1);
    brk_at += (uintptr_t)delta;
    return log_call(SBRK, delta, 0, 0, (word)old);
}

HIDDEN word __wrap_mmap(word address, word length, int protection, int flags, int file, word offset)
{
    (void)address, (void)protection, (void)flags, (void)file, (void)offset;
    if (refused(MMAP))
        return log_call(MMAP, length, 0, 0, -1);
    void *got = __real_mmap((void *)map_at, (size_t)length, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == MAP_FAILED)
        return log_call(MMAP, length, 0, 0, -1);
    map_at += (uintptr_t)length;
    return log_call(MMAP, length, 0, 0, (word)got);
}

HIDDEN int __wrap_munmap(word address, word length)
{
    if (refused(MUNMAP))
        return (int)log_call(MUNMAP, address, length, 0, -1);
    return (int)log_call(MUNMAP, address, length, 0, __real_munmap((void *)address, (size_t)length));
}

HIDDEN word __wrap_mremap(word address, word length, word longer, int flags, ...)
{
    (void)flags;
    if (refused(REMAP))
        return log_call(REMAP, address, length, longer, -1);
    void *got =
        __real_mremap((void *)address, (size_t)length, (size_t)longer, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)map_at);
    if (got == MAP_FAILED)
        return log_call(REMAP, address, length, longer, -1);
    map_at += (uintptr_t)longer;
    return log_call(REMAP, address, length, longer, (word)got);
}

HIDDEN int __wrap_madvise(word address, word length, int advice)
{
    if (refused(PURGE))
        return (int)log_call(PURGE, address, length, 0, -1);
    return (int)log_call(PURGE, address, length, 0, __real_madvise((void *)address, (size_t)length, advice));
}

HIDDEN int __wrap_mprotect(word address, word length, int protection)
{
    int asked = protection ? UNPROTECT : PROTECT;
    if (refused(asked))
        return (int)log_call(asked, address, length, 0, -1);
    return (int)log_call(asked, address, length, 0, __real_mprotect((void *)address, (size_t)length, protection));
}

HIDDEN void heapster_show(word kind, word address, word size, word used)
{
    (void)kind, (void)address, (void)size, (void)used;
}

HIDDEN void heapster_abort(word code, word address)
{
    shared->aborted = (uint64_t)code, shared->abort_address = (uint64_t)address;
    _exit(3);
}

HIDDEN word heapster_watched_thread;

HIDDEN void heapster_at_thread_end(void) {}

HIDDEN void heapster_before_memory(void) {}

HIDDEN word heapster_watched_renew(word mutex)
{
    (void)mutex;
    return 0;
}

static void switch_thread(uint64_t thread)
{
    if (thread >= MOST_THREADS)
        _exit(4);
    if (!threads[thread])
        threads[thread] = calloc(1, THREAD_BYTES);
    running = thread;
    heapster_watched_thread = (word)threads[thread];
}

static void end_thread(void)
{
    heapster_word_thread_end();
    memset(threads[running], 0, THREAD_BYTES);
}

/* The process forks, and its child goes on: other threads are gone. */
static void leave_alone(void)
{
    heapster_word_after_fork_in_child();
    for (uint64_t i = 0; i < MOST_THREADS; i++)
        if (i != running && threads[i])
            memset(threads[i], 0, THREAD_BYTES);
}

void harness_misuse(int32_t handle)
{
    shared->misused = (uint64_t)(uint32_t)handle + 1;
    _exit(HARNESS_FAULT);
}

static word finalize(void)
{
    memset(account.at, 0, account.handles * sizeof *account.at);
    return heapster_word_finalize();
}

#define GIVES(name, arguments) return heapster_word_##name arguments;
#define GIVES_ERROR(name, arguments) return heapster_word_##name arguments ? 0 : place;
#define GIVES_NOTHING(name, arguments)                                                                                 \
    heapster_word_##name arguments;                                                                                    \
    return 0;

static word execute(const struct op *op, word operand)
{
    word first = (word)op->numbers[0], second = (word)op->numbers[1], place = 0, out = (word)&place;
    switch (op->verb) {
        CALL_CASES(GIVES, GIVES_ERROR, GIVES, GIVES_NOTHING)
    case OP_POLICY:
        heapster_word_set_policy(second);
        return 0;
    case OP_THRESHOLD:
        heapster_word_set_threshold(first);
        return 0;
    case OP_GROWTH:
        heapster_word_init(first, heapster_word_get_policy());
        return 0;
    case OP_CACHE:
        heapster_word_set_cache(first);
        return 0;
    case OP_KEEP:
        heapster_word_set_keep(first);
        return 0;
    case OP_TRIM:
        return heapster_word_trim(first);
    case OP_THREAD_END:
        end_thread();
        return 0;
    case OP_ARENAS:
        heapster_word_set_arenas(first);
        return 0;
    case OP_THREAD:
        switch_thread(op->numbers[0]);
        return 0;
    case OP_FOREIGN_SBRK:
        brk_at += (uintptr_t)first;
        return 0;
    case OP_FAIL:
        refuse[second] = op->numbers[0] ? op->numbers[0] : EACH;
        return 0;
    case OP_FORK:
        leave_alone();
        return 0;
    case OP_FINALIZE:
        return finalize();
    default:
        return 0;
    }
}

static word take(const struct op *op)
{
    word pointer = (word)account_pointer(&account, op->operand), answer = execute(op, pointer);
    account_call(&account, op, (void *)answer, 0);
    return answer;
}

static int pause_here(void)
{
    char byte = '.';
    return write(STDOUT_FILENO, &byte, 1) == 1 && read(STDIN_FILENO, &byte, 1) == 1;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    int fd = atoi(argv[1]);
    uint64_t count = strtoull(argv[2], NULL, 10), interval = strtoull(argv[3], NULL, 10);
    most_calls = CALLS_AN_OP * count + CALLS_BESIDES;
    size_t bytes = sizeof *shared + count * (sizeof(struct op) + sizeof(word)) + most_calls * sizeof(struct call);
    shared = __real_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *area = __real_mmap((void *)AREA, AREA_BYTES, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (shared == MAP_FAILED || area == MAP_FAILED)
        return 2;
    const struct op *ops = (const struct op *)(shared + 1);
    word *answers = (word *)(ops + count);
    account = (struct account){calloc(shared->handles + 1, sizeof *account.at), shared->handles};
    calls = (struct call *)(answers + count);
    switch_thread(0);
    heapster_word_set_policy(atol(argv[4]));
    shared->statics = (uint64_t)heapster_word_statics();
    for (uint64_t start = 0; start < count; start += interval) {
        uint64_t end = start + interval < count ? start + interval : count, began = nanoseconds(CLOCK_MONOTONIC);
        for (uint64_t i = start; i < end; i++) {
            shared->done = i;
            answers[i] = take(&ops[i]);
        }
        shared->done = end;
        shared->nanoseconds += nanoseconds(CLOCK_MONOTONIC) - began;
        if (!pause_here())
            return 0;
    }
    return 0;
}
