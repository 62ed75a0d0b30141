/* The buffer of an allocator that is given one: it ends with a page, as far as its alignment allows. Around its
   pages lies room that is nobody's. */
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#define REGION_GUARD ((size_t)1 << 16)
#define REGION_UP(n) (((size_t)(n) + REGION_GUARD - 1) & ~(REGION_GUARD - 1))
#define REGION_INNER (REGION_UP(REGION_SIZE) + REGION_UP(REGION_ALIGNMENT))

struct region_fence {
    unsigned char *first, *low, *high, *last;
};

static unsigned char region_room[REGION_GUARD + REGION_INNER + REGION_GUARD] __attribute__((aligned(1 << 16)));
static void *region;
static const size_t region_size = REGION_SIZE;

/* The region, and as much more on either side as belongs to its pages. */
void heapster_adapter_bounds(struct region_fence *fence)
{
    unsigned char *last = region_room + REGION_GUARD + REGION_INNER;
    unsigned char *low = (unsigned char *)((uintptr_t)(last - REGION_SIZE) & ~(uintptr_t)(REGION_ALIGNMENT - 1));
    unsigned char *first = (unsigned char *)((uintptr_t)low & ~((uintptr_t)getpagesize() - 1));
    *fence = (struct region_fence){first, low, low + REGION_SIZE, last};
}

static void place_region(void)
{
    struct region_fence fence;
    heapster_adapter_bounds(&fence);
    region = fence.low;
}
