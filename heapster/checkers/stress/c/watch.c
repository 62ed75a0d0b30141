/* Crashes, aborts and hangs, told with the stacks of all threads. Uses nothing that allocates. */

#define _GNU_SOURCE
#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

enum { DEPTH = 32, FINDING = 1 };

static _Thread_local struct worker *me;
static _Atomic int told; /* threads that have shown their stack */
static atomic_flag found = ATOMIC_FLAG_INIT;
bool in_child;

static void write_all(const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, text, length);
        if (written <= 0)
            return;
        text += written, length -= (size_t)written;
    }
}

static void vsay(const char *format, va_list arguments)
{
    char line[512];
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    if (length > (int)sizeof line - 2)
        length = sizeof line - 2;
    line[length] = '\n';
    write_all(line, (size_t)length + 1);
}

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsay(format, arguments);
    va_end(arguments);
}

static void show_stack(void)
{
    void *frames[DEPTH];
    say("stack %d", me ? me->index : -1);
    int depth = backtrace(frames, DEPTH);
    backtrace_symbols_fd(frames, depth, STDOUT_FILENO);
    atomic_fetch_add(&told, 1);
}

static void on_ask(int signal)
{
    (void)signal;
    show_stack();
}

/* Ask every other thread for its stack, one after the other. */
void show_stacks(void)
{
    pid_t mine = (pid_t)syscall(SYS_gettid);
    for (int i = 0; i < threads; i++) {
        pid_t thread = atomic_load(&workers[i].thread);
        if (thread == 0 || thread == mine)
            continue;
        int before = atomic_load(&told);
        if (syscall(SYS_tgkill, getpid(), thread, SIGUSR1))
            continue;
        for (int wait = 0; wait < 500 && atomic_load(&told) == before; wait++)
            nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

/* Only the first finding counts; other threads wait for the end. */
static void begin_finding(void)
{
    while (atomic_flag_test_and_set(&found))
        pause();
}

void finding(const char *code, const char *format, ...)
{
    begin_finding();
    say("finding %s", code);
    va_list arguments;
    va_start(arguments, format);
    char message[400];
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    say("%s%s", message, in_child ? ", in a forked child" : "");
    show_stack();
    show_stacks();
    _exit(FINDING);
}

void harness_misuse(void)
{
    begin_finding();
    _exit(HARNESS_FAULT);
}

static void on_crash(int signal)
{
    begin_finding();
    say("finding %s", signal == SIGABRT ? "abort" : "crash");
    say("thread %d: signal %d, %s%s", me ? me->index : -1, signal, strsignal(signal),
        in_child ? ", in a forked child" : "");
    show_stack();
    show_stacks();
    _exit(FINDING);
}

static void catch (int signal, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, NULL);
}

void install_watch(void)
{
    void *frame[1];
    backtrace(frame, 1); /* loads what it needs while that still works */
    catch (SIGSEGV, on_crash);
    catch (SIGBUS, on_crash);
    catch (SIGILL, on_crash);
    catch (SIGFPE, on_crash);
    catch (SIGABRT, on_crash);
    catch (SIGUSR1, on_ask);
    catch (SIGUSR2, on_ask);
}

void enter_watch(struct worker *w)
{
    me = w;
    atomic_store(&w->thread, (pid_t)syscall(SYS_gettid));
    sigaltstack(&(stack_t){.ss_sp = w->alternate, .ss_size = sizeof w->alternate}, NULL);
}
