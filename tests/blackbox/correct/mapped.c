/* Each block has its own mapping. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

void *malloc(size_t size)
{
    size_t bytes = size + 16;
    void *memory =
        size > PTRDIFF_MAX ? MAP_FAILED : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        errno = ENOMEM;
        return NULL;
    }
    *(size_t *)memory = bytes;
    return (char *)memory + 16;
}

void free(void *p)
{
    if (p != NULL)
        munmap((char *)p - 16, *(size_t *)((char *)p - 16));
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return malloc(bytes);
}

void *realloc(void *p, size_t size)
{
    void *q = malloc(size);
    if (p == NULL || q == NULL)
        return q;
    size_t old = *(size_t *)((char *)p - 16) - 16;
    memcpy(q, p, old < size ? old : size);
    free(p);
    return q;
}
