/* What belongs to a thread: keys with destructors, C++'s thread_local objects, and the handlers of fork. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <threads.h>

#include "scheduler.h"

#define PC ((uintptr_t)__builtin_return_address(0))

enum { KEYS = 64, ROUNDS = 4, OBJECTS = 64, HANDLERS = 8 };

static struct {
    int made;
    void (*destroy)(void *);
} keys[KEYS];
static void *values[MOST_THREADS][KEYS];
static struct {
    void (*destroy)(void *);
    void *object;
} objects[MOST_THREADS][OBJECTS];
static int object_count[MOST_THREADS];
static void (*handlers[HANDLERS][3])(void);
static int handler_count;
static struct {
    void (*call)(void *);
    void *argument;
} exits[OBJECTS];
static int exit_count;

static int our_key_create(pthread_key_t *key, void (*destroy)(void *))
{
    arrive(K_CREATE, FORK_OBJECT, PC);
    for (unsigned i = 0; i < KEYS; i++)
        if (!keys[i].made) {
            keys[i].made = 1, keys[i].destroy = destroy;
            for (int thread = 0; thread < MOST_THREADS; thread++)
                values[thread][i] = NULL;
            *key = i;
            return 0;
        }
    return EAGAIN;
}

static int our_key_delete(pthread_key_t key)
{
    keys[key % KEYS].made = 0;
    return 0;
}
static void *our_getspecific(pthread_key_t key) { return values[self->number][key % KEYS]; }

static int our_setspecific(pthread_key_t key, const void *value)
{
    values[self->number][key % KEYS] = (void *)value;
    return 0;
}

static int our_thread_atexit(void (*destroy)(void *), void *object, void *library)
{
    (void)library;
    int at = object_count[self->number]++;
    if (at >= OBJECTS)
        problem(UNUSABLE, 0, -1, "a thread of the target has more than %d objects of its own", OBJECTS);
    objects[self->number][at].destroy = destroy, objects[self->number][at].object = object;
    return 0;
}

static int our_cxa_atexit(void (*call)(void *), void *argument, void *library)
{
    (void)library;
    if (exit_count == OBJECTS)
        return -1;
    exits[exit_count].call = call, exits[exit_count++].argument = argument;
    return 0;
}
static int our_atexit(void (*call)(void)) { return our_cxa_atexit((void (*)(void *))call, NULL, NULL); }

/* What the target has left to be done at the process's end, newest first. */
void run_exit_handlers(void)
{
    while (exit_count > 0) {
        int at = --exit_count;
        exits[at].call(exits[at].argument);
    }
}

/* As the C library does at a thread's end: objects, newest first; then keys by number, while any has a value again. */
void run_destructors(void)
{
    int me = self->number;
    while (object_count[me] > 0) {
        int at = --object_count[me];
        objects[me][at].destroy(objects[me][at].object);
    }
    for (int round = 0, again = 1; again && round < ROUNDS; round++) {
        again = 0;
        for (int i = 0; i < KEYS; i++) {
            void *value = values[me][i];
            if (!keys[i].made || value == NULL)
                continue;
            values[me][i] = NULL;
            if (keys[i].destroy != NULL)
                again = 1, keys[i].destroy(value);
        }
    }
}

static int our_register_atfork(void (*before)(void), void (*parent)(void), void (*child)(void), void *library)
{
    (void)library;
    if (handler_count == HANDLERS)
        return ENOMEM;
    handlers[handler_count][0] = before, handlers[handler_count][1] = parent, handlers[handler_count][2] = child;
    handler_count++;
    return 0;
}

int has_fork_handlers(void) { return handler_count > 0; }

void run_fork_handlers(int phase)
{
    static int called; /* those that are registered while a fork is under way are for the next one */
    if (phase == 0)
        called = handler_count;
    for (int i = 0; i < called; i++) {
        void (*handler)(void) = handlers[phase == 0 ? called - 1 - i : i][phase];
        if (handler != NULL)
            handler();
    }
}

int interpose_keys(void *handle)
{
    static const struct replacement ours[] = {
        {"pthread_key_create", our_key_create},
        {"pthread_key_delete", our_key_delete},
        {"pthread_getspecific", our_getspecific},
        {"pthread_setspecific", our_setspecific},
        {"tss_create", our_key_create},
        {"tss_delete", our_key_delete},
        {"tss_get", our_getspecific},
        {"tss_set", our_setspecific},
        {"__cxa_thread_atexit", our_thread_atexit},
        {"__cxa_thread_atexit_impl", our_thread_atexit},
        {"__cxa_atexit", our_cxa_atexit},
        {"atexit", our_atexit},
        {"__register_atfork", our_register_atfork},
        {"pthread_atfork", our_register_atfork},
    };
    return interpose(handle, ours, sizeof ours / sizeof *ours);
}
