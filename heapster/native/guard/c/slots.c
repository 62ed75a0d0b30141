/* Slots and their records: one after the other in a reservation, none used twice. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guard.h"

enum { MOST_RECORDS = 1 << 22, NO_RECORD = 0, USUAL_MAPPINGS = 65530, SPARED = 1 << 13 };
#define LARGEST ((size_t)1 << 40) /* bytes of addresses that are reserved, if the system has as many */
#define LEAST ((size_t)1 << 28)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uintptr_t first, next, end; /* of the reservation, and of what is not used yet */
static struct record *records;     /* from 1 on */
static uint32_t *record_of;        /* by page: its slot's; of a guard, that of the slot before it */
static uint32_t used, most_used;
static size_t guarded, passed;
static size_t live, most_live; /* blocks; each takes two mappings, and the program needs some of its own */
static const char *why;

static void *reserve(size_t length, int protection)
{
    void *p = mmap(NULL, length, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void lock_all(void) { pthread_mutex_lock(&lock); }

static void unlock_all(void) { pthread_mutex_unlock(&lock); }

__attribute__((constructor)) static void prepare(void) { pthread_atfork(lock_all, unlock_all, unlock_all); }

/* How many live blocks the system's mappings are enough for. */
static size_t room_for_live(void)
{
    char text[24] = "";
    int file = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    long mappings = length > 0 ? atol(text) : USUAL_MAPPINGS;
    return mappings > SPARED ? (size_t)(mappings - SPARED) / 2 : 0;
}

/* How many bytes of addresses we may take: all, or a quarter of what the program may have. */
static size_t room_for_all(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : limit.rlim_cur / 4;
}

/* Reserves so many bytes for slots, and what is to be known of them. */
static int reserve_all(size_t length)
{
    size_t slots = length / (2 * PAGE) < MOST_RECORDS ? length / (2 * PAGE) : MOST_RECORDS;
    size_t pages = length / PAGE * sizeof *record_of;
    if (length + pages + slots * sizeof *records > room_for_all())
        return 0;
    char *here = reserve(length, PROT_NONE);
    records = here ? reserve(slots * sizeof *records, PROT_READ | PROT_WRITE) : NULL;
    record_of = records ? reserve(pages, PROT_READ | PROT_WRITE) : NULL;
    if (record_of) {
        first = next = (uintptr_t)here;
        end = first + length;
        most_used = (uint32_t)slots;
        return 1;
    }
    if (records)
        munmap(records, slots * sizeof *records);
    if (here)
        munmap(here, length);
    return 0;
}

/* Once: the reservation, as large as the system lets it be. */
static int is_ready(void)
{
    static int tried;
    if (tried++)
        return first != 0;
    most_live = room_for_live();
    for (size_t length = LARGEST; length >= LEAST; length >>= 2)
        if (reserve_all(length))
            return 1;
    why = "there are no addresses to reserve";
    return 0;
}

static size_t up(size_t n, size_t to) { return (n + to - 1) & ~(to - 1); }

/* Opens pages behind a guard; 0 if none are left. */
static uintptr_t open_pages(size_t length, size_t alignment)
{
    uintptr_t pages = next + PAGE;
    if (alignment > PAGE)
        pages = up(pages, alignment);
    if (pages > end || end - pages < length + PAGE || used + 1 >= most_used) {
        why = "all addresses that were reserved, or records, are used";
        return 0;
    }
    if (live == most_live || mprotect((void *)pages, length, PROT_READ | PROT_WRITE)) {
        why = "the system allows no more mappings (vm.max_map_count)";
        return 0;
    }
    next = pages + length;
    return pages;
}

static struct record *new_record(uintptr_t pages, size_t length, uintptr_t start, size_t size)
{
    uint32_t number = ++used;
    for (uintptr_t page = pages - PAGE; page <= pages + length; page += PAGE)
        if (page != pages - PAGE || record_of[(page - first) / PAGE] == NO_RECORD)
            record_of[(page - first) / PAGE] = number;
    struct record *record = &records[number];
    record->pages = pages;
    record->length = length;
    record->start = start;
    record->size = size;
    return record;
}

/* What nobody asked for is filled, so that a store there is seen when the block is freed. */
static void fill_slack(const struct record *r)
{
    memset((void *)r->pages, FILLER, r->start - r->pages);
    memset((void *)(r->start + r->size), FILLER, r->pages + r->length - r->start - r->size);
}

static uintptr_t changed_slack(const struct record *r)
{
    for (uintptr_t at = r->start + r->size; at < r->pages + r->length; at++)
        if (*(unsigned char *)at != FILLER)
            return at;
    for (uintptr_t at = r->start; at-- > r->pages;)
        if (*(unsigned char *)at != FILLER)
            return at;
    return 0;
}

HIDDEN void *guard_take(size_t size, size_t alignment)
{
    int kept = errno;
    struct record *record = NULL;
    if (size > LEAST || alignment > LEAST) {
        why = "they are larger than 256 MiB";
        return NULL;
    }
    size_t length = up(size ? size : 1, PAGE);
    size_t end_at = alignment < PAGE ? (length - size) & ~(alignment - 1) : 0;
    pthread_mutex_lock(&lock);
    uintptr_t pages = is_ready() ? open_pages(length, alignment) : 0;
    if (pages) {
        record = new_record(pages, length, pages + end_at, size);
        guarded++;
        __atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
    if (!record)
        return NULL;
    fill_slack(record);
    guard_trace(&record->allocated);
    record->state = LIVE;
    return (void *)record->start;
}

HIDDEN int guard_owns(const void *p) { return first && (uintptr_t)p >= first && (uintptr_t)p < end; }

HIDDEN int guard_closed(const void *p)
{
    if (!guard_owns(p))
        return 0;
    const struct record *r = guard_find((uintptr_t)p);
    return !r || r->state != LIVE || (uintptr_t)p - r->pages >= r->length;
}

HIDDEN struct record *guard_find(uintptr_t address)
{
    uint32_t number = record_of[(address - first) / PAGE];
    if (number == NO_RECORD)
        return NULL;
    struct record *r = &records[number], *after = r + 1;
    if (number < used && address >= r->pages + r->length && after->pages - address < address - r->start - r->size)
        return after;
    return r;
}

static const char *fault_of(const struct record *r, uintptr_t p)
{
    if (!r || r->state == NO_BLOCK)
        return "invalid pointer";
    if (p != r->start)
        return r->state == LIVE ? "pointer that no allocation gave" : "pointer to memory that was freed";
    return r->state == FREED ? "block that was freed already" : NULL;
}

HIDDEN struct record *guard_expect(void *p, const char *call)
{
    char what[96] = "";
    struct trace now;
    struct record *r = guard_find((uintptr_t)p);
    const char *fault = fault_of(r, (uintptr_t)p);
    if (!fault)
        return r;
    strcat(strcat(strcat(what, call), " of a "), fault);
    guard_trace(&now);
    guard_tell(what, (uintptr_t)p, r, &now);
}

HIDDEN void guard_give(void *p)
{
    int kept = errno;
    struct trace now;
    pthread_mutex_lock(&lock);
    struct record *r = guard_find((uintptr_t)p);
    int is_live = !fault_of(r, (uintptr_t)p);
    if (is_live)
        r->state = FREED;
    pthread_mutex_unlock(&lock);
    if (!is_live)
        guard_expect(p, "free");
    guard_trace(&now);
    uintptr_t changed = changed_slack(r);
    if (changed) {
        r->state = LIVE;
        guard_tell("a store, seen when the block was freed", changed, r, &now);
    }
    r->freed = now;
    madvise((void *)r->pages, r->length, MADV_DONTNEED);
    mprotect((void *)r->pages, r->length, PROT_NONE);
    __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
    errno = kept;
}

HIDDEN void guard_passed(void)
{
    pthread_mutex_lock(&lock);
    int is_first = !passed++;
    pthread_mutex_unlock(&lock);
    if (is_first)
        guard_say("heapster: guard: some allocations have no guard: %s", why ? why : "there is no slot for them");
}

HIDDEN void guard_sum_up(void)
{
    for (uint32_t i = 1; i <= used; i++)
        if (records[i].state == LIVE && changed_slack(&records[i])) {
            struct trace nobody = {0};
            guard_tell("a store, seen as the program ended", changed_slack(&records[i]), &records[i], &nobody);
        }
    if (passed)
        guard_say("heapster: guard: %zu allocations had a guard, %zu had none: %s", guarded, passed, why);
}
