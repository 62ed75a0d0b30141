/* Where threads and processes end: allocation in destructors of thread-specific values, and in handlers of exit. */

#define _GNU_SOURCE
#include <stdlib.h>

#include "harness.h"

enum { IN_ENDING = 24, PASSES = 2, KEYS = 2 }; /* of four passes, so that the target's own destructor has the last */

static pthread_key_t keys[KEYS];
static unsigned made;
static struct worker *leaving; /* of a process that exits */

int __cxa_thread_atexit_impl(void (*function)(void *), void *object, void *dso);
extern void *__dso_handle;

static void churn_a_little(struct worker *w)
{
    for (int i = 0; i < IN_ENDING; i++)
        churn(w);
}

static void end_local(void *worker) { churn_a_little(worker); }

/* Some allocate again after the target has done away with what it kept for the thread; the last gives all back. */
static void end_value(void *worker)
{
    struct worker *w = worker;
    churn_a_little(w);
    if (w->passes++ < made)
        for (unsigned i = 0; i < made; i++)
            pthread_setspecific(keys[i], w);
    for (int i = 0; i < SLOTS && w->passes == PASSES * made; i++)
        clear_away(w, &w->slots[i]);
}

/* A key that is made first has its destructor called first. */
void make_key(void)
{
    if (made < KEYS && pthread_key_create(&keys[made], end_value) == 0)
        made++;
}

void begin_life(struct worker *w)
{
    w->passes = 0;
    for (unsigned i = 0; i < made; i++)
        pthread_setspecific(keys[i], w);
    __cxa_thread_atexit_impl(end_local, w, &__dso_handle);
}

static void at_exit(void)
{
    if (leaving)
        churn_a_little(leaving);
}

__attribute__((destructor)) static void end_program(void) { at_exit(); }

static void at_last(int status, void *unused)
{
    (void)status, (void)unused;
    at_exit();
    for (int i = 0; leaving && i < SLOTS; i++)
        clear_away(leaving, &leaving->slots[i]);
}

/* Registered before any library's constructor has run, and of no library: it runs when all destructors have. */
static void begin_program(void) { on_exit(at_last, NULL); }
__attribute__((section(".preinit_array"), used)) static void (*first)(void) = begin_program;

void handle_exit(void) { atexit(at_exit); }

void end_process(struct worker *w)
{
    leaving = w;
    handle_exit();
    exit(0);
}
