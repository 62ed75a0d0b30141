/* A heap for each thread. Who frees another's block leaves it on a remote list, which the owner takes whole; who finds
   nothing of its own takes what an ended thread has left, or, under a lock that leans to the owner, from a neighbour. */
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "large.h"

enum { HEAPS = 16, SLOTS = 64, PAYLOAD = 112 };
typedef struct heap heap;
typedef struct slot {
    _Alignas(16) _Atomic(struct slot *) next;
    heap *owner;
    char payload[PAYLOAD];
} slot;
struct heap {
    _Atomic(slot *) local, remote;
    atomic_int inside, wanted, taken;
    uint32_t used;
    slot slots[SLOTS];
};

#define RELAXED memory_order_relaxed
#define ACQUIRE memory_order_acquire
#define RELEASE memory_order_release
#if defined FAULT_TAKE_RELAXED
#define TAKE RELAXED
#else
#define TAKE ACQUIRE
#endif
#if defined FAULT_LEAVE_RELAXED
#define LEAVE RELAXED
#else
#define LEAVE RELEASE
#endif
#if defined FAULT_ABANDON_RELAXED
#define ABANDON RELAXED
#else
#define ABANDON RELEASE
#endif

static heap heaps[HEAPS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static _Thread_local heap *mine;

static void abandon(void *given)
{
    mine = NULL;
#if !defined FAULT_HEAPS_OF_ENDED_THREADS_STAY
    atomic_store_explicit(&((heap *)given)->taken, 0, ABANDON);
#endif
}
static void start(void) { pthread_key_create(&key, abandon); }

static heap *my_heap(void)
{
    if (mine != NULL)
        return mine;
    pthread_once(&once, start);
    for (int i = 0; i < HEAPS && mine == NULL; i++) {
        int free = 0;
        if (atomic_compare_exchange_strong_explicit(&heaps[i].taken, &free, 1, ACQUIRE, RELAXED))
            mine = &heaps[i];
    }
    pthread_setspecific(key, mine);
    return mine;
}

/* The owner's way in costs a fence; who comes from elsewhere gives up if the owner is inside. */
static void enter(heap *own)
{
    for (;;) {
        atomic_store_explicit(&own->inside, 1, RELAXED);
#if defined FAULT_ENTRY_ORDERED_TOO_LITTLE
        atomic_thread_fence(memory_order_acq_rel);
#elif !defined FAULT_ENTRY_WITHOUT_FENCE
        atomic_thread_fence(memory_order_seq_cst);
#endif
        if (!atomic_load_explicit(&own->wanted, ACQUIRE))
            return;
        atomic_store_explicit(&own->inside, 0, RELAXED);
        while (atomic_load_explicit(&own->wanted, RELAXED)) {
        }
    }
}
static void leave(heap *own) { atomic_store_explicit(&own->inside, 0, RELEASE); }

static slot *pop(heap *from)
{
    slot *found = atomic_load_explicit(&from->local, RELAXED);
    if (found != NULL)
        atomic_store_explicit(&from->local, atomic_load_explicit(&found->next, RELAXED), RELAXED);
    return found;
}

static void push(heap *to, slot *freed)
{
    atomic_store_explicit(&freed->next, atomic_load_explicit(&to->local, RELAXED), RELAXED);
    atomic_store_explicit(&to->local, freed, RELAXED);
}

static slot *steal(heap *from)
{
    int nobody = 0;
    slot *found = NULL;
    if (!atomic_compare_exchange_strong_explicit(&from->wanted, &nobody, 1, ACQUIRE, RELAXED))
        return NULL;
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&from->inside, ACQUIRE))
        found = pop(from);
    atomic_store_explicit(&from->wanted, 0, RELEASE);
    return found;
}

static void collect(heap *own)
{
#if defined FAULT_TAKEN_IN_TWO_STEPS
    slot *left = atomic_load_explicit(&own->remote, TAKE);
    atomic_store_explicit(&own->remote, NULL, RELAXED);
#else
    slot *left = atomic_exchange_explicit(&own->remote, NULL, TAKE);
#endif
    while (left != NULL) {
        slot *next = atomic_load_explicit(&left->next, RELAXED);
        push(own, left);
        left = next;
    }
}

static slot *own_slot(heap *own)
{
    enter(own);
    slot *found = pop(own);
    if (found == NULL) {
        collect(own);
        found = pop(own);
    }
    leave(own);
    return found;
}

void *remote_malloc(size_t size)
{
    heap *own = my_heap();
    if (own == NULL)
        return NULL;
    if (size > PAYLOAD)
        return large_block(size);
    slot *found = own_slot(own);
    for (int i = 0; i < 2 && found == NULL; i++)
        if (&heaps[i] != own)
            found = steal(&heaps[i]);
    if (found == NULL && own->used < SLOTS) {
        found = &own->slots[own->used++];
        found->owner = own;
    }
    return found != NULL ? found->payload : NULL;
}

void remote_free(void *payload)
{
    if (payload == NULL || is_large(payload))
        return;
    slot *freed = (slot *)((char *)payload - offsetof(slot, payload));
    heap *to = freed->owner;
    if (to == my_heap()) {
        enter(to);
        push(to, freed);
        leave(to);
        return;
    }
    slot *left = atomic_load_explicit(&to->remote, RELAXED);
#if defined FAULT_LEFT_WITHOUT_CAS
    atomic_store_explicit(&freed->next, left, RELAXED);
    atomic_store_explicit(&to->remote, freed, LEAVE);
#else
    do
        atomic_store_explicit(&freed->next, left, RELAXED);
    while (!atomic_compare_exchange_weak_explicit(&to->remote, &left, freed, LEAVE, RELAXED));
#endif
}
