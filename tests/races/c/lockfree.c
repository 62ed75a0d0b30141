/* Blocks of one size on a lock-free stack of indices with a tag against ABA; larger ones under a spinlock. */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

enum { SLOTS = 1024, PAYLOAD = 112, POOL = 1 << 20 };
typedef struct slot {
    _Alignas(16) uint32_t next, index;
    char pad[8];
    char payload[PAYLOAD];
} slot;
typedef struct large {
    size_t size;
    struct large *next;
} large;

static slot slots[SLOTS];
static atomic_uint_fast64_t head; /* tag << 32 | index + 1 */
static atomic_uint fresh;
static atomic_int spin;
static large *larges;
static _Alignas(16) char pool[POOL];
static size_t pool_used;

#if defined FAULT_POP_RELAXED
#define POP_ORDER memory_order_relaxed
#else
#define POP_ORDER memory_order_acquire
#endif
#if defined FAULT_PUSH_RELAXED
#define PUSH_ORDER memory_order_relaxed
#else
#define PUSH_ORDER memory_order_release
#endif

static slot *pop(void)
{
    uint_fast64_t old = atomic_load_explicit(&head, POP_ORDER);
    while ((uint32_t)old != 0) {
        slot *first = &slots[(uint32_t)old - 1];
        uint32_t next = __atomic_load_n(&first->next, __ATOMIC_RELAXED);
#if defined FAULT_ABA
        uint_fast64_t new = next;
#else
        uint_fast64_t new = ((old >> 32) + 1) << 32 | next;
#endif
#if defined FAULT_POP_WITHOUT_CAS
        atomic_store_explicit(&head, new, memory_order_release);
        return first;
#else
        if (atomic_compare_exchange_weak_explicit(&head, &old, new, POP_ORDER, POP_ORDER))
            return first;
#endif
    }
    return NULL;
}

static void push(slot *freed)
{
    uint_fast64_t old = atomic_load_explicit(&head, memory_order_relaxed), new;
    do {
#if !defined FAULT_PUBLISHED_TOO_EARLY
        __atomic_store_n(&freed->next, (uint32_t)old, __ATOMIC_RELAXED);
#endif
#if defined FAULT_ABA
        new = freed->index + 1;
#else
        new = ((old >> 32) + 1) << 32 | (freed->index + 1);
#endif
    } while (!atomic_compare_exchange_weak_explicit(&head, &old, new, PUSH_ORDER, memory_order_relaxed));
#if defined FAULT_PUBLISHED_TOO_EARLY
    __atomic_store_n(&freed->next, (uint32_t)old, __ATOMIC_RELAXED);
#endif
}

static void lock(void)
{
#if defined FAULT_SPIN_BY_LOAD_AND_STORE
    while (atomic_load_explicit(&spin, memory_order_acquire)) {
    }
    atomic_store_explicit(&spin, 1, memory_order_release);
#else
    while (atomic_exchange_explicit(&spin, 1, memory_order_acquire)) {
    }
#endif
}

static void unlock(void)
{
#if defined FAULT_SPIN_WITHOUT_RELEASE
    atomic_store_explicit(&spin, 0, memory_order_relaxed);
#else
    atomic_store_explicit(&spin, 0, memory_order_release);
#endif
}

static void *large_malloc(size_t size)
{
    size_t total = (size + sizeof(large) + 15) & ~(size_t)15;
    lock();
    large **at = &larges, *found = larges;
    for (; found != NULL && found->size < total; found = *at)
        at = &found->next;
    if (found != NULL) {
        *at = found->next;
    } else if (POOL - pool_used >= total) {
        found = (large *)(pool + pool_used);
        found->size = total;
        pool_used += total;
#if defined FAULT_SPIN_KEPT
        return found + 1;
#endif
    }
    unlock();
    return found != NULL ? found + 1 : NULL;
}

void quick_free(void *payload);

void *quick_malloc(size_t size)
{
    if (size > PAYLOAD)
        return large_malloc(size);
    slot *found = pop();
    if (found == NULL) {
#if defined FAULT_BUMP_IN_TWO_STEPS
        unsigned index = atomic_load(&fresh);
        atomic_store(&fresh, index + 1);
#else
        unsigned index = atomic_fetch_add_explicit(&fresh, 1, memory_order_relaxed);
#endif
        if (index >= SLOTS)
            return NULL;
        found = &slots[index];
        found->index = index;
    }
    return found->payload;
}

void quick_free(void *payload)
{
    if (payload == NULL)
        return;
    if ((char *)payload >= (char *)slots && (char *)payload < (char *)(slots + SLOTS)) {
        push((slot *)((char *)payload - offsetof(slot, payload)));
        return;
    }
    large *freed = (large *)payload - 1;
    lock();
    freed->next = larges;
    larges = freed;
    unlock();
}
