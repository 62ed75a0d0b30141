#include <stddef.h>
#define POOL_BLOCK 256
typedef struct pool {
    void *list;
} pool;
pool *pool_create(void *memory, size_t size);
void *pool_take(pool *p, size_t size);
void pool_give(pool *p, void *block);
