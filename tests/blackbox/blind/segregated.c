/* Lists by size, four to each doubling. A block that is larger than needed stays whole; small pages are cut up at once. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CLASSES 64
#define LARGEST 32768

typedef struct FreeBlock {
    struct FreeBlock *nextFree;
} FreeBlock;

typedef struct BlockHeader {
    uint32_t sizeClass;
    uint32_t magic;
    size_t mapped;
} BlockHeader;

static FreeBlock *freeLists[CLASSES];

static size_t ClassSize(unsigned sizeClass)
{
    size_t doubling = (size_t)64 << (sizeClass / 4);
    return doubling + doubling / 4 * (sizeClass % 4);
}

static unsigned SizeClass(size_t bytes)
{
    unsigned sizeClass = 0;
    while (ClassSize(sizeClass) < bytes)
        sizeClass++;
    return sizeClass;
}

static int Refill(unsigned sizeClass)
{
    size_t size = ClassSize(sizeClass), chunk = size < 4096 ? 65536 : 4 * size;
    char *memory = mmap(NULL, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 0;
    for (size_t offset = 0; offset + size <= chunk; offset += size) {
        FreeBlock *block = (FreeBlock *)(memory + offset);
        block->nextFree = freeLists[sizeClass];
        freeLists[sizeClass] = block;
    }
    return 1;
}

static void *MapLarge(size_t bytes)
{
    BlockHeader *header = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (header == MAP_FAILED)
        return NULL;
    header->mapped = bytes;
    return header + 1;
}

void *malloc(size_t bytes)
{
    if (bytes > PTRDIFF_MAX - 65536) {
        errno = ENOMEM;
        return NULL;
    }
    bytes += sizeof(BlockHeader);
    if (bytes > LARGEST) {
        void *large = MapLarge(bytes);
        if (large == NULL)
            errno = ENOMEM;
        return large;
    }
    unsigned sizeClass = SizeClass(bytes);
    if (freeLists[sizeClass] == NULL && !Refill(sizeClass)) {
        errno = ENOMEM;
        return NULL;
    }
    FreeBlock *block = freeLists[sizeClass];
    freeLists[sizeClass] = block->nextFree;
    BlockHeader *header = (BlockHeader *)block;
    header->sizeClass = sizeClass;
    header->mapped = 0;
    return header + 1;
}

void free(void *pointer)
{
    if (pointer == NULL)
        return;
    BlockHeader *header = (BlockHeader *)pointer - 1;
    if (header->mapped != 0) {
        munmap(header, header->mapped);
        return;
    }
    unsigned sizeClass = header->sizeClass;
    FreeBlock *block = (FreeBlock *)header;
    block->nextFree = freeLists[sizeClass];
    freeLists[sizeClass] = block;
}

void *calloc(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    void *pointer = malloc(count * size);
    if (pointer != NULL)
        memset(pointer, 0, count * size);
    return pointer;
}
