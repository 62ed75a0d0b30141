/* Faults in guards are told; all others are the program's, whose handlers are called as if we were not here. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "guard.h"

enum { TEXT = 1024, WATCHED = 2 };

typedef void handler(int);

static const int watched[WATCHED] = {SIGSEGV, SIGBUS};
static struct sigaction theirs[WATCHED]; /* what the program set; at first the default */
static int (*next_sigaction)(int, const struct sigaction *, struct sigaction *);

HIDDEN void guard_say(const char *format, ...)
{
    char text[TEXT];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text - 1, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof text - 1)
        length = sizeof text - 2;
    text[length] = '\n';
    if (write(STDERR_FILENO, text, (size_t)length + 1) < 0)
        return; /* nobody listens */
}

/* Where the address lies as seen from the block. */
static void say_where(const char *what, uintptr_t at, const struct record *r)
{
    const char *state = r->state == FREED ? "freed block" : "block";
    uintptr_t last = r->start + r->size;
    size_t distance = at < r->start ? r->start - at : at >= last ? at - last : at - r->start;
    const char *place = at < r->start ? "before" : at >= last ? "behind" : "inside";
    if (at == r->start)
        guard_say("heapster: guard: %s: at the start of a %s of %zu, at 0x%lx", what, state, r->size, at);
    else
        guard_say("heapster: guard: %s: %zu byte%s %s a %s of %zu, at 0x%lx", what, distance, distance == 1 ? "" : "s",
                  place, state, r->size, at);
}

_Noreturn HIDDEN void guard_tell(const char *what, uintptr_t address, const struct record *r, const struct trace *now)
{
    guard_busy++;
    if (r && r->state != NO_BLOCK)
        say_where(what, address, r);
    else
        guard_say("heapster: guard: %s: no block is or was at 0x%lx", what, address);
    guard_show_trace("done", now);
    if (r && r->state != NO_BLOCK) {
        guard_show_trace("allocated", &r->allocated);
        if (r->state == FREED)
            guard_show_trace("freed", &r->freed);
    }
    struct sigaction usual = {.sa_handler = SIG_DFL};
    next_sigaction(SIGABRT, &usual, NULL);
    abort();
}

static const char *kind_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return context->uc_mcontext.gregs[REG_ERR] & 2 ? "a store" : "a load";
#else
    (void)context;
    return "an access";
#endif
}

static uintptr_t place_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#else
    return context->uc_mcontext.pc;
#endif
}

static struct sigaction *watched_action(int number)
{
    for (int i = 0; i < WATCHED; i++)
        if (watched[i] == number)
            return &theirs[i];
    return NULL;
}

/* As the system does with a signal of theirs; what is blocked meanwhile ends with the handler that is ours. */
static void pass_on(struct sigaction *kept, int number, siginfo_t *info, void *context)
{
    struct sigaction action = *kept;
    int was_sent = info->si_code <= 0;
    if (action.sa_handler == SIG_IGN && was_sent)
        return;
    if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
        next_sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        if (was_sent)
            raise(number);
        return; /* it faults again, for good */
    }
    if (action.sa_flags & SA_RESETHAND)
        *kept = (struct sigaction){.sa_handler = SIG_DFL};
    if (!(action.sa_flags & SA_NODEFER))
        sigaddset(&action.sa_mask, number);
    pthread_sigmask(SIG_BLOCK, &action.sa_mask, NULL);
    if (action.sa_flags & SA_SIGINFO)
        action.sa_sigaction(number, info, context);
    else
        action.sa_handler(number);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    struct trace now;
    uintptr_t address = (uintptr_t)info->si_addr;
    if (info->si_code > 0 && guard_closed(info->si_addr) && !guard_busy) {
        guard_trace_from(&now, place_of(context));
        guard_tell(kind_of(context), address, guard_find(address), &now);
    }
    pass_on(watched_action(number), number, info, context);
}

HIDDEN void guard_watch_faults(void)
{
    struct sigaction ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    next_sigaction = (int (*)(int, const struct sigaction *, struct sigaction *))dlsym(RTLD_NEXT, "sigaction");
    for (int i = 0; i < WATCHED; i++)
        next_sigaction(watched[i], &ours, &theirs[i]);
}

/* What the program calls to be told of signals. */

int sigaction(int number, const struct sigaction *new, struct sigaction *old)
{
    struct sigaction *kept = watched_action(number);
    if (!next_sigaction)
        guard_watch_faults();
    if (!kept)
        return next_sigaction(number, new, old);
    struct sigaction before = *kept;
    if (new)
        *kept = *new;
    if (old)
        *old = before;
    return 0;
}

static handler *set_handler(int number, handler *theirs, int flags)
{
    struct sigaction new = {.sa_handler = theirs, .sa_flags = flags}, old;
    if (sigaction(number, &new, &old))
        return SIG_ERR;
    return old.sa_handler;
}

handler *signal(int number, handler *theirs) { return set_handler(number, theirs, SA_RESTART); }

handler *bsd_signal(int number, handler *theirs) { return signal(number, theirs); }

handler *ssignal(int number, handler *theirs) { return signal(number, theirs); }

handler *sysv_signal(int number, handler *theirs) { return set_handler(number, theirs, SA_RESETHAND | SA_NODEFER); }

handler *__sysv_signal(int number, handler *theirs) { return sysv_signal(number, theirs); }
