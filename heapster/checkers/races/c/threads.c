/* Threads of the target's own, and what gives up a turn. */
#include <errno.h>

#include "scheduler.h"

#define PC ((uintptr_t)__builtin_return_address(0))

int create_thread(pthread_t *made, void *(*start)(void *), void *argument, uintptr_t pc)
{
    arrive(K_CREATE, FORK_OBJECT, pc);
    struct thread *thread = start_thread(-1, start, argument);
    clock_fork(thread);
    *made = thread->self;
    someone_wrote((uintptr_t)made, sizeof *made);
    return 0;
}

static int our_create(pthread_t *made, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    (void)attributes;
    return create_thread(made, start, argument, PC);
}

static int has_ended(struct thread *one) { return !((struct thread *)one->target)->live; }

int join_thread(pthread_t which, void **answer, uintptr_t pc)
{
    struct thread *thread = threads;
    while (thread < threads + HUB && (thread->start == NULL || !pthread_equal(thread->self, which)))
        thread++;
    if (thread == threads + HUB)
        return ESRCH;
    wait_until(K_JOIN, (uintptr_t)thread, pc, has_ended);
    clock_join(thread);
    if (answer != NULL)
        *answer = thread->answer;
    return 0;
}

static int our_join(pthread_t which, void **answer) { return join_thread(which, answer, PC); }

static int our_detach(pthread_t which)
{
    (void)which;
    return 0;
}

static int our_yield(void)
{
    be_shy(0);
    arrive(K_YIELD, FORK_OBJECT, PC);
    return 0;
}
static void our_thrd_yield(void) { our_yield(); }
static int our_sleep(const void *how, void *left)
{
    (void)how, (void)left;
    return our_yield();
}
static unsigned our_sleep_seconds(unsigned seconds)
{
    (void)seconds;
    our_yield();
    return 0;
}

int interpose_threads(void *handle)
{
    static const struct replacement ours[] = {
        {"pthread_create", our_create}, {"pthread_join", our_join},   {"pthread_detach", our_detach},
        {"sched_yield", our_yield},     {"pthread_yield", our_yield}, {"thrd_yield", our_thrd_yield},
        {"nanosleep", our_sleep},       {"thrd_sleep", our_sleep},    {"usleep", our_sleep_seconds},
        {"sleep", our_sleep_seconds},
    };
    return interpose(handle, ours, sizeof ours / sizeof *ours);
}
