/* A small allocator of the usual kind, without a fault: a first-fit list of all blocks by address, in
   chunks of mapped memory. Each decision that the zoo's other animals get wrong is a macro here. */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

struct block {   /* 32 bytes before each payload */
    size_t size; /* of the payload */
    size_t used;
    struct block *next, *prev; /* by address within a chunk; across chunks: newest first */
};

#ifndef ROUND
#define ROUND(size) (((size) + 15) & ~(size_t)15)
#endif
#ifndef TOO_LARGE
#define TOO_LARGE(size) ((size) > PTRDIFF_MAX)
#endif
#ifndef PRODUCT_OVERFLOWS
#define PRODUCT_OVERFLOWS(a, b) ((b) != 0 && (a) > SIZE_MAX / (b))
#endif
#ifndef CALLOC_ZEROES
#define CALLOC_ZEROES(p, count, size) memset(p, 0, (count) * (size))
#endif
#ifndef SPLITS
#define SPLITS(b, size) ((b)->size >= (size) + sizeof(struct block) + 16)
#endif
#ifndef REST
#define REST(b, size) ((b)->size - (size) - sizeof(struct block))
#endif
#ifndef MERGES
#define MERGES(left, right) (!(left)->used && !(right)->used)
#endif
#ifndef MERGED
#define MERGED(left, right) ((left)->size + sizeof(struct block) + (right)->size)
#endif
#ifndef IN_PLACE
#define IN_PLACE(b, size) ((b)->size >= (size))
#endif
#ifndef COPIED
#define COPIED(old, size) ((old) < (size) ? (old) : (size))
#endif
#ifndef FAILS
#define FAILS() (errno = ENOMEM, NULL)
#endif
#ifndef CALLOC_FAILS
#define CALLOC_FAILS() FAILS()
#endif
#ifndef LOCK
#define LOCK() pthread_mutex_lock(&lock)
#define UNLOCK() pthread_mutex_unlock(&lock)
#endif
#ifndef UNLOCK_ON_FAILURE
#define UNLOCK_ON_FAILURE() UNLOCK()
#endif
#ifndef USABLE
#define USABLE(b) ((b)->size)
#endif
#ifndef USABLE_OF_NULL
#define USABLE_OF_NULL 0
#endif
#ifndef FREE_OF_NULL
#define FREE_OF_NULL(p)                                                                                                \
    if ((p) == NULL)                                                                                                   \
    return
#endif
#ifndef REALLOC_OF_NULL
#define REALLOC_OF_NULL(p, size)                                                                                       \
    if ((p) == NULL)                                                                                                   \
    return malloc(size)
#endif
#ifndef BEFORE_NEW_BLOCK
#define BEFORE_NEW_BLOCK(p)
#endif
#ifndef ON_MALLOC
#define ON_MALLOC(size)
#endif
#ifndef ON_FREE
#define ON_FREE(b)
#endif
#ifndef FITS
#define FITS(b, size) (!(b)->used && (b)->size >= (size))
#endif
#ifndef BAD_ALIGNMENT
#define BAD_ALIGNMENT(a) ((a) < sizeof(void *) || ((a) & ((a) - 1)) != 0)
#endif
#ifndef ALIGNED
#define ALIGNED(p, a) (((p) + (a) - 1) & ~(uintptr_t)((a) - 1))
#endif
#ifndef CHUNK
#define CHUNK ((size_t)256 * 1024)
#endif
#ifndef SKEW
#define SKEW 0
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct block *first;

#ifndef NO_ATFORK
static void before_fork(void) { LOCK(); }
static void after_fork(void) { UNLOCK(); }
__attribute__((constructor)) static void start(void) { pthread_atfork(before_fork, after_fork, after_fork); }
#endif

static int adjacent(struct block *left, struct block *right)
{
    return right != NULL && (char *)(left + 1) + left->size == (char *)right;
}

static struct block *new_chunk(size_t size)
{
    size_t bytes =
        size + sizeof(struct block) + 64 > CHUNK ? (size + sizeof(struct block) + 64 + 4095) & ~(size_t)4095 : CHUNK;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    struct block *b = (struct block *)(memory + SKEW);
    *b = (struct block){bytes - sizeof *b - SKEW, 0, first, NULL};
    if (first != NULL)
        first->prev = b;
    first = b;
    return b;
}

static void split(struct block *b, size_t size)
{
    if (!SPLITS(b, size))
        return;
    struct block *rest = (struct block *)((char *)(b + 1) + size);
    *rest = (struct block){REST(b, size), 0, b->next, b};
    if (rest->next != NULL)
        rest->next->prev = rest;
    b->next = rest;
    b->size = size;
}

static void absorb(struct block *left)
{
    struct block *right = left->next;
    left->size = MERGED(left, right);
    left->next = right->next;
    if (left->next != NULL)
        left->next->prev = left;
}

static struct block *find(size_t size)
{
    for (struct block *b = first; b != NULL; b = b->next)
        if (FITS(b, size))
            return b;
    return new_chunk(size);
}

void *malloc(size_t size)
{
    ON_MALLOC(size);
    if (TOO_LARGE(size))
        return FAILS();
    size_t need = ROUND(size == 0 ? 1 : size);
    LOCK();
    struct block *b = find(need);
    if (b == NULL) {
        UNLOCK_ON_FAILURE();
        return FAILS();
    }
    b->used = 1;
    split(b, need);
    UNLOCK();
    return b + 1;
}

void free(void *p)
{
    FREE_OF_NULL(p);
    LOCK();
    struct block *b = (struct block *)p - 1;
    ON_FREE(b);
    b->used = 0;
    if (adjacent(b, b->next) && MERGES(b, b->next))
        absorb(b);
    if (b->prev != NULL && adjacent(b->prev, b) && MERGES(b->prev, b))
        absorb(b->prev);
    UNLOCK();
}

void *calloc(size_t count, size_t size)
{
    if (PRODUCT_OVERFLOWS(count, size))
        return CALLOC_FAILS();
    void *p = malloc(count * size);
    if (p != NULL)
        CALLOC_ZEROES(p, count, size);
    return p;
}

void *realloc(void *p, size_t size)
{
    REALLOC_OF_NULL(p, size);
    if (size == 0) {
        free(p);
        return NULL;
    }
    struct block *b = (struct block *)p - 1;
    if (IN_PLACE(b, size))
        return p;
    BEFORE_NEW_BLOCK(p);
    void *q = malloc(size);
    if (q == NULL)
        return NULL;
    memcpy(q, p, COPIED(b->size, size));
    free(p);
    return q;
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (BAD_ALIGNMENT(alignment))
        return EINVAL;
    if (alignment <= 16) {
        int saved = errno;
        void *p = malloc(size);
        errno = saved;
        if (p != NULL)
            *out = p;
        return p != NULL ? 0 : ENOMEM;
    }
    if (TOO_LARGE(size) || alignment > PTRDIFF_MAX / 4 || size > PTRDIFF_MAX / 4)
        return ENOMEM;
    int saved = errno;
    char *p = malloc(size + alignment + sizeof(struct block) + 16);
    errno = saved;
    if (p == NULL)
        return ENOMEM;
    char *q = (char *)ALIGNED((uintptr_t)p, alignment);
    if (q != p && q - p < (ptrdiff_t)sizeof(struct block))
        q += alignment;
    if (q != p) {
        LOCK();
        struct block *b = (struct block *)p - 1, *aligned = (struct block *)q - 1;
        *aligned = (struct block){b->size - (size_t)(q - p), 1, b->next, b};
        if (aligned->next != NULL)
            aligned->next->prev = aligned;
        b->next = aligned;
        b->size = (size_t)(q - p) - sizeof(struct block);
        UNLOCK();
        free(p);
    }
    *out = q;
    return 0;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    void *p = NULL;
    int error = alignment < sizeof(void *) && alignment != 0 && (alignment & (alignment - 1)) == 0
                    ? posix_memalign(&p, sizeof(void *), size)
                    : posix_memalign(&p, alignment, size);
    if (error != 0)
        errno = error;
    return error != 0 ? NULL : p;
}

size_t malloc_usable_size(void *p) { return p != NULL ? USABLE((struct block *)p - 1) : USABLE_OF_NULL; }
