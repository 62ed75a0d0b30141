/* Two faults of the original Heapster, written anew: a block is found under the lock and claimed after it; the break is
   read and moved by whoever comes. */
#include <stddef.h>
#include <pthread.h>
#include <unistd.h>
typedef struct block {
    size_t size;
    struct block *next;
    int free;
} block;
static block *blocks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static block *find(size_t n)
{
    pthread_mutex_lock(&lock);
    block *b = blocks;
    while (b && !(b->free && b->size >= n))
        b = b->next;
    pthread_mutex_unlock(&lock);
    return b;
}

static block *grow(size_t n)
{
    block *b = sbrk(0);
    if (sbrk(n + sizeof *b) == (void *)-1)
        return NULL;
    b->size = n;
    b->free = 0;
    pthread_mutex_lock(&lock);
    b->next = blocks;
    blocks = b;
    pthread_mutex_unlock(&lock);
    return b;
}

void *my_malloc(size_t n)
{
    n = (n + 15) & ~15ul;
    block *b = find(n);
    if (b == NULL) {
        b = grow(n);
        return b ? b + 1 : NULL;
    }
    pthread_mutex_lock(&lock);
    b->free = 0;
    pthread_mutex_unlock(&lock);
    return b + 1;
}

void my_free(void *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&lock);
    ((block *)p - 1)->free = 1;
    pthread_mutex_unlock(&lock);
}
