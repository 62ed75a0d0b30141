// In C++: a list under std::mutex, a cache that a thread_local object gives back, a thread that refills what is spare.
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>

namespace {

alignas(16) char large[1 << 22];
std::atomic<std::size_t> large_used;

void *large_block(std::size_t size)
{
#if defined FAULT_BUMP_IN_TWO_STEPS
    std::size_t at = large_used.load(std::memory_order_relaxed);
    large_used.store(at + ((size + 15) & ~std::size_t(15)), std::memory_order_relaxed);
#else
    std::size_t at = large_used.fetch_add((size + 15) & ~std::size_t(15), std::memory_order_relaxed);
#endif
    return at + size <= sizeof large ? large + at : nullptr;
}
bool is_large(const void *block) { return block >= large && block < large + sizeof large; }

enum { SLOTS = 512, PAYLOAD = 112, KEPT = 2, BATCH = 4 };
struct slot {
    alignas(16) slot *next;
    char payload[PAYLOAD];
};

slot slots[SLOTS];
std::atomic<unsigned> used;
std::mutex mutex;
std::condition_variable wanted, refilled;
slot *central;
bool is_wanted;
std::once_flag once;

void refill()
{
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
        while (!is_wanted)
            wanted.wait(lock);
        for (int i = 0; i < BATCH; i++) {
            unsigned at = used.fetch_add(1, std::memory_order_relaxed);
            if (at >= SLOTS)
                break;
            slots[at].next = central;
            central = &slots[at];
        }
        is_wanted = false;
#if defined FAULT_ONE_IS_TOLD
        refilled.notify_one();
#else
        refilled.notify_all();
#endif
    }
}

thread_local bool has_ended; // stays when the cache is gone

struct cache {
    slot *first = nullptr;
    unsigned count = 0;
    ~cache()
    {
#if defined FAULT_GIVEN_BACK_WITHOUT_LOCK
        while (first != nullptr) {
#else
        std::lock_guard<std::mutex> lock(mutex);
        while (first != nullptr) {
#endif
            slot *given = first;
            first = given->next;
            given->next = central;
            central = given;
        }
#if !defined FAULT_USED_AFTER_ITS_END
        has_ended = true;
#endif
    }
};
thread_local cache mine;

slot *from_central()
{
    std::call_once(once, [] { std::thread(refill).detach(); });
    std::unique_lock<std::mutex> lock(mutex);
    while (central == nullptr) {
        if (used.load(std::memory_order_relaxed) >= SLOTS)
            return nullptr;
        is_wanted = true;
        wanted.notify_one();
        refilled.wait(lock);
    }
    slot *found = central;
    central = found->next;
    return found;
}

} // namespace

extern "C" void *plus_malloc(std::size_t size)
{
    if (size > PAYLOAD)
        return large_block(size);
    slot *found = has_ended ? nullptr : mine.first;
    if (found != nullptr) {
        mine.first = found->next;
        mine.count--;
        return found->payload;
    }
    found = from_central();
    return found != nullptr ? found->payload : nullptr;
}

extern "C" void plus_free(void *payload)
{
    if (payload == nullptr || is_large(payload))
        return;
    slot *freed = reinterpret_cast<slot *>(static_cast<char *>(payload) - offsetof(slot, payload));
    if (!has_ended && mine.count < KEPT) {
        freed->next = mine.first;
        mine.first = freed;
        mine.count++;
        return;
    }
    std::lock_guard<std::mutex> lock(mutex);
    freed->next = central;
    central = freed;
}
