/* Records every allocation of the program it is preloaded into; whoever comes next serves them.

   It allocates nothing and takes no lock: a thread fills a chunk of its own, and chunks are got by one
   atomic addition. The place in the whole order is taken before a block is given up and after one is
   got, so that a block is never seen reused before it is freed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stacks.h"

enum { BOOT_BYTES = 1 << 16, MOST_IMAGES = 10000 };

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static void *(*next_memalign)(size_t, size_t);
static int (*next_posix_memalign)(void **, size_t, size_t);

static struct header *header;
static int file = -1;
static atomic_ullong order = 1, chunks;
static atomic_uint threads, generation;

#define OWN static __thread __attribute__((tls_model("initial-exec")))
OWN struct record *at, *end;
OWN unsigned my_thread, my_generation, inside;

/* ---- What dlsym itself allocates, while the functions are looked up ---- */

static _Alignas(16) char boot[BOOT_BYTES];
static size_t boot_used;
static int looking_up;

static void *boot_block(size_t size)
{
    size_t start = boot_used;
    if (size > BOOT_BYTES - 16 - start)
        return NULL;
    boot_used += (size + 15) & ~(size_t)15;
    return boot + start;
}

static int is_boot(const void *block) { return (const char *)block >= boot && (const char *)block < boot + BOOT_BYTES; }

static void look_up(void)
{
    looking_up = 1;
    *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next_memalign = dlsym(RTLD_NEXT, "memalign");
    *(void **)&next_posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    *(void **)&next_free = dlsym(RTLD_NEXT, "free");
    looking_up = 0;
}

/* Whether a call has to be served from `boot`. */
static int booting(void)
{
    if (next_free)
        return 0;
    if (!looking_up)
        look_up();
    return !next_free;
}

/* ---- The file ---- */

static int create(const char *prefix)
{
    char name[4096], digits[24];
    size_t length = strlen(prefix);
    if (length > sizeof name - 64)
        return -1;
    for (unsigned image = 0; image < MOST_IMAGES; image++) {
        unsigned long numbers[] = {(unsigned long)getpid(), image};
        char *out = mempcpy(name, prefix, length);
        for (int i = 0; i < 2; i++) {
            char *digit = digits + sizeof digits;
            do
                *--digit = (char)('0' + numbers[i] % 10);
            while (numbers[i] /= 10);
            *out++ = '.';
            out = mempcpy(out, digit, (size_t)(digits + sizeof digits - digit));
        }
        *out = 0;
        int made = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (made < 0 && errno == EEXIST)
            continue;
        int high = made < 0 ? -1 : fcntl(made, F_DUPFD_CLOEXEC, 200); /* programs close and count low ones */
        if (high >= 0)
            close(made);
        return high >= 0 ? high : made;
    }
    return -1;
}

static void begin_file(uint64_t forked_at)
{
    const char *prefix = getenv("HEAPSTER_RECORD");
    int kept = errno;
    header = NULL;
    atomic_store(&chunks, 0);
    atomic_fetch_add(&generation, 1);
    file = prefix && *prefix ? create(prefix) : -1;
    if (file >= 0 && posix_fallocate(file, 0, 4096) == 0) {
        void *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        header = mapped == MAP_FAILED ? NULL : mapped;
    }
    if (header)
        *header = (struct header){RECORDER_MAGIC, (uint64_t)getpid(), (uint64_t)getppid(), forked_at, 0, CHUNK_BYTES};
    errno = kept;
}

static uint64_t forking_at;
static void before_fork(void) { forking_at = atomic_load(&order); }

static void in_child(void)
{
    if (header)
        munmap(header, 4096);
    if (file >= 0)
        close(file);
    if (at)
        munmap((char *)end - CHUNK_BYTES, CHUNK_BYTES);
    at = end = NULL;
    stacks_end(); /* those of its parent are not in its file */
    begin_file(forking_at);
}

__attribute__((constructor)) static void start(void)
{
    if (booting())
        return;
    inside++;
    begin_file(0);
    stacks_begin();
    inside--;
    pthread_atfork(before_fork, NULL, in_child);
}

static int new_chunk(void)
{
    if (at && my_generation == atomic_load(&generation))
        munmap((char *)end - CHUNK_BYTES, CHUNK_BYTES);
    if (!my_thread)
        my_thread = atomic_fetch_add(&threads, 1) + 1;
    at = end = NULL;
    my_generation = atomic_load(&generation);
    off_t place = 4096 + (off_t)(atomic_fetch_add(&chunks, 1) * CHUNK_BYTES);
    if (posix_fallocate(file, place, CHUNK_BYTES) != 0)
        return 0;
    void *mapped = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, place);
    if (mapped == MAP_FAILED)
        return 0;
    at = mapped;
    end = at + CHUNK_BYTES / sizeof *at;
    return 1;
}

void note(unsigned kind, uint64_t first, uint64_t second, const void *pointer)
{
    if (!header)
        return;
    int kept = errno;
    if ((at == end || my_generation != atomic_load_explicit(&generation, memory_order_relaxed)) && !new_chunk()) {
        __atomic_fetch_add(&header->lost, 1, __ATOMIC_RELAXED);
        errno = kept;
        return;
    }
    uint64_t place = atomic_fetch_add(&order, 1);
    at->first = first, at->second = second, at->pointer = (uint64_t)pointer;
    at->order = place << ORDER_SHIFT | (uint64_t)((my_thread - 1) & 0xffff) << THREAD_SHIFT | kind;
    at++;
    errno = kept;
}

/* A call within a call, as aligned_alloc's of memalign, is the next one's own affair. */
#define OUTERMOST (inside == 0)

static void *noted(unsigned kind, uint64_t first, uint64_t second, void *block)
{
    if (OUTERMOST && block) {
        note_stack();
        note(kind, first, second, block);
    }
    return block;
}

/* ---- The C library's names ---- */

#define PUBLIC __attribute__((visibility("default")))
#define WITHIN(call)                                                                                                   \
    ({                                                                                                                 \
        inside++;                                                                                                      \
        __typeof__(call) answer_ = (call);                                                                             \
        inside--;                                                                                                      \
        answer_;                                                                                                       \
    })

PUBLIC void *malloc(size_t size)
{
    if (booting())
        return boot_block(size);
    return noted(OP_MALLOC, size, 0, WITHIN(next_malloc(size)));
}

PUBLIC void *calloc(size_t count, size_t size)
{
    if (booting())
        return boot_block(count * size); /* never reused, so still zero */
    return noted(OP_CALLOC, count, size, WITHIN(next_calloc(count, size)));
}

/* Whether the next library is to free the block; then the call is noted, and what it says. */
static int is_given_back(unsigned kind, uint64_t first, uint64_t second, void *block)
{
    if (!block || is_boot(block) || booting())
        return 0;
    if (OUTERMOST)
        note(kind, first, second, block);
    return 1;
}

PUBLIC void free(void *block)
{
    if (!is_given_back(OP_FREE, 0, 0, block))
        return;
    inside++;
    next_free(block);
    inside--;
}

/* A library that lacks the functions of C23 has free, which does the same: they are looked up when they are called,
   for a program that calls them is past its start, in which dlsym may not fail. */
PUBLIC void free_sized(void *block, size_t size)
{
    static void (*next)(void *, size_t);
    if (!is_given_back(OP_FREE_SIZED, size, 0, block))
        return;
    inside++;
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "free_sized");
    next ? next(block, size) : next_free(block);
    inside--;
}

PUBLIC void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    static void (*next)(void *, size_t, size_t);
    if (!is_given_back(OP_FREE_ALIGNED_SIZED, alignment, size, block))
        return;
    inside++;
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "free_aligned_sized");
    next ? next(block, alignment, size) : next_free(block);
    inside--;
}

static void *moved_from_boot(void *block, size_t size)
{
    void *moved = malloc(size);
    size_t room = (size_t)(boot + BOOT_BYTES - (char *)block);
    return moved ? memcpy(moved, block, size < room ? size : room) : NULL;
}

static void *resize(void *block, size_t count, size_t size, unsigned kind)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    if (OUTERMOST)
        note(REALLOC_BEGINS, 0, 0, block);
    void *answer = WITHIN(next_realloc(block, bytes));
    if (OUTERMOST) {
        note_stack();
        note(kind, kind == OP_REALLOC ? bytes : count, size, answer);
    }
    return answer;
}

PUBLIC void *realloc(void *block, size_t size)
{
    if (is_boot(block) || booting())
        return moved_from_boot(block, size);
    return resize(block, 1, size, OP_REALLOC);
}

PUBLIC void *reallocarray(void *block, size_t count, size_t size)
{
    return booting() ? NULL : resize(block, count, size, OP_REALLOCARRAY);
}

PUBLIC void *memalign(size_t alignment, size_t size)
{
    if (booting())
        return NULL;
    return noted(OP_MEMALIGN, alignment, size, WITHIN(next_memalign(alignment, size)));
}

PUBLIC void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
PUBLIC void *valloc(size_t size) { return memalign(4096, size); }
PUBLIC void *pvalloc(size_t size) { return memalign(4096, (size + 4095) & -(size_t)4096); }

PUBLIC int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (booting())
        return ENOMEM;
    int answer = WITHIN(next_posix_memalign(out, alignment, size));
    if (answer == 0)
        noted(OP_MEMALIGN, alignment, size, *out);
    return answer;
}
