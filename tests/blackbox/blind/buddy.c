/* Buddies of one region of 16 MiB: orders 5 to 24, a list of free blocks for each, a byte for each granule's order. */
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define MIN 5
#define MAX 24
#define IS_FREE 0x80

struct link { struct link *next, **at; };

static char *base;
static struct link *list[MAX + 1];
static unsigned char order_of[1 << (MAX - MIN)];

static size_t granule(void *p) { return (size_t)((char *)p - base) >> MIN; }

static void push(char *p, int order)
{
    struct link *l = (struct link *)p;
    l->next = list[order];
    l->at = &list[order];
    if (l->next)
        l->next->at = &l->next;
    list[order] = l;
    order_of[granule(p)] = (unsigned char)(IS_FREE | order);
}

static void take_out(struct link *l)
{
    *l->at = l->next;
    if (l->next)
        l->next->at = l->at;
}

void *malloc(size_t size)
{
    int want = MIN, have;
    if (!base) {
        base = mmap(NULL, 1 << MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base == MAP_FAILED)
            return base = NULL;
        push(base, MAX);
    }
    while (want <= MAX && ((size_t)1 << want) < size)
        want++;
    for (have = want; have <= MAX && !list[have];)
        have++;
    if (have > MAX)
        return NULL;
    char *p = (char *)list[have];
    take_out(list[have]);
    while (have > want) {
        have--;
        push(p + ((size_t)1 << have), have);
    }
    order_of[granule(p)] = (unsigned char)want;
    return p;
}

void free(void *vp)
{
    if (!vp)
        return;
    char *p = vp;
    int order = order_of[granule(p)];
    while (order < MAX) {
        char *buddy = base + ((size_t)(p - base) ^ ((size_t)1 << order));
        if (order_of[granule(buddy)] != (IS_FREE | order))
            break;
        take_out((struct link *)buddy);
        if (buddy < p)
            p = buddy;
        order++;
    }
    push(p, order);
}
