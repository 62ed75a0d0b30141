/* What the C++ library does out of a target's sight: its conditions and threads, by the names that the Itanium ABI gives
   them. The rest of it (mutex, call_once, shared_mutex, atomic waits) is inline, and calls pthread or the system. */
#include "scheduler.h"

#define PC ((uintptr_t)__builtin_return_address(0))

struct unique_lock {
    void *mutex; /* whose first member is a pthread_mutex_t */
    char owns;
};

static void our_wait(void *condition, const struct unique_lock *lock) { condition_wait(condition, lock->mutex, 0, PC); }
static void our_notify_one(void *condition) { condition_signal(condition, 0, PC); }
static void our_notify_all(void *condition) { condition_signal(condition, 1, PC); }

/* Of std::thread::_State: two destructors, the second of which frees it, and what is to be run. */
struct state {
    void (*const *table)(struct state *);
};
enum { DELETE = 1, RUN = 2 };

static void *run_state(void *given)
{
    struct state *state = given;
    state->table[RUN](state);
    state->table[DELETE](state);
    return NULL;
}

static void our_start(pthread_t *thread, struct state **state, void (*unused)(void))
{
    (void)unused;
    struct state *taken = *state;
    *state = NULL;
    create_thread(thread, run_state, taken, PC);
}
static void our_join(pthread_t *thread)
{
    join_thread(*thread, NULL, PC);
    *thread = 0;
}
static void our_detach(pthread_t *thread) { *thread = 0; }
static unsigned our_concurrency(void) { return 4; }

int interpose_cplusplus(void *handle)
{
    static const struct replacement ours[] = {
        {"_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE", our_wait},
        {"_ZNSt18condition_variable10notify_oneEv", our_notify_one},
        {"_ZNSt18condition_variable10notify_allEv", our_notify_all},
        {"_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE", our_start},
        {"_ZNSt6thread4joinEv", our_join},
        {"_ZNSt6thread6detachEv", our_detach},
        {"_ZNSt6thread20hardware_concurrencyEv", our_concurrency},
    };
    return interpose(handle, ours, sizeof ours / sizeof *ours);
}
