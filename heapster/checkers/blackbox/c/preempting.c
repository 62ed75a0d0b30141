/* Threads rest in the midst of whatever they do, while others go on: so what no lock holds shows on few cores too, where
   a thread else does all its work in one go. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "preempting.h"

#define REST (SIGRTMAX - 2)

enum {
    WORKING = 60000, /* nanoseconds from a rest to the next */
    RESTING = 100000,
};

static _Thread_local timer_t timer;

static void work_on(void) { timer_settime(timer, 0, &(struct itimerspec){.it_value = {0, WORKING}}, NULL); }

static void rest(int number)
{
    (void)number;
    int error = errno;
    nanosleep(&(struct timespec){0, RESTING}, NULL);
    work_on();
    errno = error;
}

void start_resting(void)
{
    sigaction(REST, &(struct sigaction){.sa_handler = rest, .sa_flags = SA_RESTART}, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = REST};
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        work_on();
    else
        timer = NULL;
}

void stop_resting(void)
{
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, REST);
    pthread_sigmask(SIG_BLOCK, &only, NULL);
    if (timer != NULL)
        timer_delete(timer);
}
