#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 64
#define ROUNDS 20

static void *(*t_malloc)(size_t);
static void (*t_free)(void *);

struct item {
    unsigned char *at;
    size_t size;
    unsigned char byte;
};
static volatile int forks_left = FORKS ? 1000 : 0;
static struct item items[THREADS][SLOTS], boxes[SLOTS];
static _Atomic(struct item *) mailbox[SLOTS];

static void fail(const char *what)
{
    char line[256];
    int n = snprintf(line, sizeof line, "FAILED: %s\n", what);
    if (write(STDOUT_FILENO, line, (size_t)n) < 0)
        _exit(1);
    _exit(1);
}

static void on_signal(int number) { fail(number == SIGALRM ? "it does not come back" : strsignal(number)); }

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1du >> 11;
}

static void step(struct item **slot, uint64_t *state)
{
    struct item *item = *slot;
    if (item->at == NULL) {
        item->size = 1 + draw(state) % 200;
        item->byte = (unsigned char)(draw(state) | 1);
        item->at = t_malloc(item->size);
        if (item->at != NULL)
            memset(item->at, item->byte, item->size);
    } else if (draw(state) % 4 == 0) { /* hand it to whoever looks next */
        *slot = atomic_exchange(&mailbox[draw(state) % SLOTS], item);
    } else {
        for (size_t i = 0; i < item->size; i++)
            if (item->at[i] != item->byte)
                fail("the contents of a live block have changed");
        t_free(item->at);
        item->at = NULL;
    }
}

/* A forked child goes on alone with what it has inherited. */
static void fork_once(struct item **slots, uint64_t *state)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int s = 0; s < 10 * SLOTS; s++)
            step(&slots[s % SLOTS], state);
        _exit(0);
    }
    if (child > 0 && (waitpid(child, &status, 0) != child || status != 0))
        fail("a forked child cannot use its heap");
}

static _Thread_local timer_t timer;

static void work_on(void) { timer_settime(timer, 0, &(struct itimerspec){.it_value = {0, 300000}}, NULL); }

/* Each thread rests in the midst of its work again and again, while others go on. */
static void rest(int number)
{
    (void)number;
    usleep(100);
    work_on();
}

static void start_resting(void)
{
    struct sigaction action = {.sa_handler = rest, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMAX - 2};
    event._sigev_un._tid = gettid();
    sigaction(SIGRTMAX - 2, &action, NULL);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        work_on();
}

static void *work(void *number)
{
    if (!FORKS && !GENERATIONS)
        start_resting();
    uint64_t state = (SEED + (uint64_t)(uintptr_t)number) * 0x9e3779b97f4a7c15u | 1;
    struct item *slots[SLOTS];
    for (int s = 0; s < SLOTS; s++)
        slots[s] = &items[(uintptr_t)number][s];
    for (long i = 0; FORKS ? forks_left > 0 : i < (GENERATIONS ? 100 : (long)OPS * ROUNDS); i++) {
        step(&slots[draw(&state) % SLOTS], &state);
        if (FORKS && number == NULL && i % 200 == 0) {
            fork_once(slots, &state);
            forks_left--;
        }
    }
    if (!FORKS && !GENERATIONS)
        timer_delete(timer);
    return NULL;
}

/* All that the threads leave is given back. */
static void one_generation(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t t = 0; t < THREADS; t++)
        pthread_create(&threads[t], NULL, work, (void *)t);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    for (int i = 0; GENERATIONS && i < (THREADS + 1) * SLOTS; i++) {
        struct item *item = i < THREADS * SLOTS ? &items[i / SLOTS][i % SLOTS] : &boxes[i % SLOTS];
        if (item->at != NULL)
            t_free(item->at);
        item->at = NULL;
    }
}

static long pages(void)
{
    long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld %ld", &all, &resident) != 2)
        return 0;
    fclose(file);
    return resident;
}

int main(int argc, char **argv)
{
    void *library = load(argc > 1 ? argv[1] : ALLOCATOR);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    *(void **)&t_malloc = dlsym(library, MALLOC);
    *(void **)&t_free = dlsym(library, FREE);
    int (*init)(void *, void *) = INIT[0] != 0 ? (int (*)(void *, void *))dlsym(library, INIT) : NULL;
    for (int s = 1; s < 32; s++)
        if (s == SIGSEGV || s == SIGBUS || s == SIGILL || s == SIGABRT || s == SIGFPE || s == SIGALRM)
            signal(s, on_signal);
    alarm(SECONDS);
    if (init != NULL)
        init(NULL, NULL);
    for (int s = 0; s < SLOTS; s++)
        mailbox[s] = &boxes[s];
    long middle = 0;
    for (int round = 0; round <= GENERATIONS; round++) {
        one_generation();
        if (round == GENERATIONS / 2)
            middle = pages();
    }
    if (GENERATIONS && pages() > middle + 64)
        fail("threads that come and go take memory for good");
    puts("PASSED");
    return 0;
}
