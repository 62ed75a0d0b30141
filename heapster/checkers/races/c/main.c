/* `scheduler FD`: loads the target that the shared memory names on its standard input's word, and runs schedules of it,
   each in a child. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "scheduler.h"

enum { CPU_SECONDS = 2, WALL_SECONDS = 60 };

static void on_crash(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (self == NULL)
        shared->unmanaged = 1;
    if (number == SIGPROF)
        problem(FAULT_HANG, 0, -1, "no end after %d s of work", CPU_SECONDS);
    if (number == SIGALRM)
        problem(UNUSABLE, 0, -1, "a thread waits for something that is not seen here (inline assembly?)");
    uintptr_t where = number == SIGSEGV || number == SIGBUS ? (uintptr_t)info->si_addr : 0;
    if (where != 0)
        problem(CRASH, where, -1, "thread %d dies of %s as it touches 0x%lx", self != NULL ? self->number : HUB,
                strsignal(number), (unsigned long)where);
    problem(CRASH, 0, -1, "thread %d dies of %s", self != NULL ? self->number : HUB, strsignal(number));
}

static void watch_for_crashes(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGTRAP, SIGPROF, SIGALRM, SIGSYS};
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_RESETHAND};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
}

static void limit_time(void)
{
    struct itimerval limit = {.it_value = {CPU_SECONDS, 0}};
    setitimer(ITIMER_PROF, &limit, NULL);
    alarm(WALL_SECONDS);
}

/* Answers of one schedule; those of a batch stay. */
static void clear_answers(void)
{
    shared->code = NOTHING;
    shared->address = shared->pc = shared->other_pc = shared->steps = shared->calls = 0;
    shared->segments_out = shared->rows_out = shared->events_out = shared->unmanaged = 0;
    shared->thread = shared->other = (uint64_t)-1;
    shared->message[0] = 0;
    memset(shared->last, 0, sizeof shared->last);
    shared->waits_out = shared->was_preempted = shared->questions = shared->old_out = 0;
}

/* Without the handlers that constructors of the target have registered: none of its threads forks here. */
extern pid_t _Fork(void) __attribute__((weak)); /* glibc has it since 2.34 */

static void run_one(void)
{
    clear_answers();
    pid_t child = _Fork != NULL ? _Fork() : fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        limit_time();
        play_schedule();
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (shared->code == NOTHING && shared->steps == 0 && status == 0)
        shared->steps = 1;
    if (WIFSIGNALED(status) && shared->code == NOTHING) {
        shared->code = CRASH;
        snprintf(shared->message, sizeof shared->message, "the process dies of %s", strsignal(WTERMSIG(status)));
    } else if (WIFEXITED(status) && !shared->finished && shared->code == NOTHING) {
        shared->code = EXIT;
        snprintf(shared->message, sizeof shared->message, "the target ends the process, with status %d",
                 WEXITSTATUS(status));
    }
    shared->finished = 0;
}

static uint64_t processor_time(void)
{
    uint64_t total = 0;
    for (int who = RUSAGE_CHILDREN; who <= RUSAGE_SELF; who++) {
        struct rusage usage;
        getrusage(who, &usage);
        total += (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000
                 + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    }
    return total;
}

static void run_batch(void)
{
    shared->ran = shared->total_steps = shared->total_calls = shared->preempted = shared->waited = shared->weak = 0;
    uint64_t seed = shared->seed;
    while (shared->ran < shared->count) {
        shared->seed = seed + shared->ran;
        run_one();
        shared->ran++;
        shared->total_steps += shared->steps, shared->total_calls += shared->calls;
        shared->preempted += shared->was_preempted, shared->waited += shared->waits_out > shared->lanes;
        shared->weak += shared->old_out != 0;
        if (shared->code != NOTHING)
            break;
    }
    shared->failed_seed = shared->seed;
    shared->seed = seed;
    shared->cpu_us = processor_time();
}

/* Before the handlers that constructors of the target register: these unlock what a lone thread holds. */
static void survive(void)
{
    if (self != NULL)
        lone_survivor();
}

/* Addresses are to be the same in each process. */
static void run_at_fixed_addresses(char **arguments)
{
    int now = personality(0xffffffff);
    if (now != -1 && !(now & ADDR_NO_RANDOMIZE) && personality((unsigned long)now | ADDR_NO_RANDOMIZE) != -1)
        execv("/proc/self/exe", arguments);
}

static void answer(int to, char word)
{
    if (write(to, &word, 1) != 1)
        exit(1);
}

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    run_at_fixed_addresses(arguments);
    shared = mmap((void *)0x400000000000, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE,
                  atoi(arguments[1]), 0);
    if (shared == MAP_FAILED)
        return 3;
    int to = dup(1), nowhere = open("/dev/null", O_RDWR);
    fcntl(to, F_SETFD, FD_CLOEXEC);
    dup2(nowhere, 1), dup2(nowhere, 2);
    begin_schedule();
    observe(&scheduling);
    pthread_atfork(NULL, NULL, survive);
    if (load_target(shared->path) != 0) {
        answer(to, '!');
        return 1;
    }
    watch_for_crashes();
    answer(to, '.');
    char word;
    while (read(0, &word, 1) == 1) {
        run_batch();
        answer(to, '.');
    }
    return 0;
}
