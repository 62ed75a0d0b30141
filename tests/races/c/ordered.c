/* Every shared word is atomic, so that an order which is missing is no data race: only what comes of it shows.

   Slots of one size come from chunks of two, whose place is read under a sequence lock; they are freed to a stack of
   indices with a tag against ABA. All is set up by whoever comes first, checked twice. */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "large.h"

enum { SLOTS = 256, CHUNK = 2, PAYLOAD = 112 };
typedef struct slot {
    _Alignas(16) atomic_uint next;
    char pad[12];
    char payload[PAYLOAD];
} slot;

#define RELAXED memory_order_relaxed
#define ACQUIRE memory_order_acquire
#define RELEASE memory_order_release
#if defined FAULT_READY_RELAXED
#define READY RELAXED
#else
#define READY ACQUIRE
#endif
#if defined FAULT_SET_UP_RELAXED
#define SET_UP RELAXED
#else
#define SET_UP RELEASE
#endif
#if defined FAULT_SEQUENCE_ENDS_RELAXED
#define SEQUENCE_END RELAXED
#else
#define SEQUENCE_END RELEASE
#endif
#if defined FAULT_POP_RELAXED
#define POP RELAXED
#else
#define POP ACQUIRE
#endif
#if defined FAULT_PUSH_RELAXED
#define PUSH RELAXED
#else
#define PUSH RELEASE
#endif

static slot slots[SLOTS];
static atomic_int ready, spin;
static _Atomic(slot *) first_slot;
static atomic_uint sequence, first_ticket, first_index, tickets, chunks;
static atomic_uint_fast64_t head; /* tag << 32 | index + 1 */

static void lock(void)
{
    while (atomic_exchange_explicit(&spin, 1, ACQUIRE)) {
    }
}
static void unlock(void) { atomic_store_explicit(&spin, 0, RELEASE); }

static slot *set_up(void)
{
    if (atomic_load_explicit(&ready, READY))
        return atomic_load_explicit(&first_slot, RELAXED);
    lock();
    if (!atomic_load_explicit(&ready, RELAXED)) {
        atomic_store_explicit(&first_slot, slots, RELAXED);
        atomic_store_explicit(&ready, 1, SET_UP);
    }
    unlock();
    return slots;
}

/* Tickets from `ticket` on go to a new chunk. */
static void next_chunk(uint32_t ticket)
{
    lock();
    uint32_t began = atomic_load_explicit(&sequence, RELAXED), first = atomic_load_explicit(&first_ticket, RELAXED);
    if (ticket >= first + CHUNK || chunks == 0) {
        atomic_store_explicit(&sequence, began + 1, RELAXED);
#if !defined FAULT_SEQUENCE_WRITER_WITHOUT_FENCE
        atomic_thread_fence(RELEASE);
#endif
        uint32_t chunk = atomic_fetch_add_explicit(&chunks, 1, RELAXED);
        atomic_store_explicit(&first_ticket, ticket, RELAXED);
        atomic_store_explicit(&first_index, chunk * CHUNK, RELAXED);
        atomic_store_explicit(&sequence, began + 2, SEQUENCE_END);
    }
    unlock();
}

static slot *fresh(slot *from)
{
    for (;;) {
        uint32_t ticket = atomic_fetch_add_explicit(&tickets, 1, RELAXED);
        for (;;) {
            uint32_t began = atomic_load_explicit(&sequence, ACQUIRE);
            uint32_t first = atomic_load_explicit(&first_ticket, RELAXED);
            uint32_t index = atomic_load_explicit(&first_index, RELAXED);
#if !defined FAULT_SEQUENCE_READER_WITHOUT_FENCE
            atomic_thread_fence(ACQUIRE);
#endif
            if ((began & 1) || atomic_load_explicit(&sequence, RELAXED) != began)
                continue;
            if (ticket < first)
                break; /* its chunk is gone */
            if (began != 0 && ticket < first + CHUNK)
                return index + ticket - first < SLOTS ? from + index + ticket - first : NULL;
            next_chunk(ticket);
        }
    }
}

static slot *pop(void)
{
    uint_fast64_t old = atomic_load_explicit(&head, POP);
    while ((uint32_t)old != 0) {
        slot *top = &slots[(uint32_t)old - 1];
        uint_fast64_t new = ((old >> 32) + 1) << 32 | atomic_load_explicit(&top->next, RELAXED);
        if (atomic_compare_exchange_weak_explicit(&head, &old, new, POP, POP))
            return top;
    }
    return NULL;
}

void ordered_free(void *payload)
{
    if (payload == NULL || is_large(payload))
        return;
    slot *freed = (slot *)((char *)payload - offsetof(slot, payload));
    uint_fast64_t old = atomic_load_explicit(&head, RELAXED), new;
    uint32_t mine = (uint32_t)(freed - slots) + 1;
    do {
        atomic_store_explicit(&freed->next, (uint32_t)old, RELAXED);
        new = ((old >> 32) + 1) << 32 | mine;
    } while (!atomic_compare_exchange_weak_explicit(&head, &old, new, PUSH, RELAXED));
}

void *ordered_malloc(size_t size)
{
    if (size > PAYLOAD)
        return large_block(size);
    slot *from = set_up(), *found = pop();
    if (found == NULL)
        found = fresh(from);
    return found != NULL ? found->payload : NULL;
}
