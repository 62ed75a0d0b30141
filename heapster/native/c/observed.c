/* The world of a compiled allocator under observation: what it asks of the system, an onlooker answers.

   The library is the shipped object file, linked with --wrap so that its calls of sbrk, mmap, munmap, mremap, madvise,
   mprotect and the mutex's functions arrive here. As libc may, each system call leaves errno as it likes. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

#include "layout.h"
#include "words.h"

enum operation { SYSTEM_CALLS, LOCK, UNLOCK, SHOW, ABORT, RENEW };
enum { CLOBBERED = 120 }; /* an errno that no call of ours sets */
enum outcome { ANSWERED, ABANDONED, STRAYED };

/* Answers in *answer; nonzero: the call of the allocator is to be abandoned. */
typedef int (*onlooker)(int operation, word a, word b, word c, word d, word *answer);

static onlooker world;
static sigjmp_buf abandoned;
static volatile int inside; /* whether the allocator runs, or the onlooker on its behalf */
static struct sigaction usual[2];
static word stray; /* the address of an access to memory that is not there */

static word ask(enum operation operation, word a, word b, word c, word d)
{
    word answer = -1;
    inside = 0;
    if (world(operation, a, b, c, d, &answer))
        siglongjmp(abandoned, ABANDONED);
    inside = 1;
    return answer;
}

static word ask_system(enum operation operation, word a, word b)
{
    word answer = ask(operation, a, b, 0, 0);
    errno = CLOBBERED;
    return answer;
}

#define HIDDEN __attribute__((visibility("hidden")))

/* The linker gives them these names. */
HIDDEN word __wrap_sbrk(word delta) { return ask_system(SBRK, delta, 0); }
HIDDEN int __wrap_munmap(word address, word length) { return (int)ask_system(MUNMAP, address, length); }

HIDDEN word __wrap_mremap(word address, word length, word longer, int flags, ...)
{
    if (flags != 1)
        return -1;
    word answer = ask(REMAP, address, length, longer, 0);
    errno = CLOBBERED;
    return answer;
}

HIDDEN int __wrap_madvise(word address, word length, int advice)
{
    if (advice != 4)
        return -1;
    return (int)ask_system(PURGE, address, length);
}

HIDDEN int __wrap_mprotect(word address, word length, int protection)
{
    if (protection != 0 && protection != 3)
        return -1;
    return (int)ask_system(protection ? UNPROTECT : PROTECT, address, length);
}

HIDDEN word __wrap_mmap(word address, word length, int protection, int flags, int file, word offset)
{
    int expected = flags & 0x4000 && length > 1 << 30 ? 0x4022 : 0x22; /* what is large may be a reservation */
    if (address || protection != 3 || flags != expected || file != -1 || offset)
        return -1;
    return ask_system(MMAP, length, 0);
}

HIDDEN int __wrap_pthread_mutex_lock(word mutex)
{
    int kept = errno;
    ask(LOCK, mutex, 0, 0, 0);
    errno = kept;
    return 0;
}

HIDDEN int __wrap_pthread_mutex_unlock(word mutex)
{
    int kept = errno;
    ask(UNLOCK, mutex, 0, 0, 0);
    errno = kept;
    return 0;
}

HIDDEN word heapster_watched_renew(word mutex) { return ask(RENEW, mutex, 0, 0, 0); }

/* Where the storage of the thread lies that is played now. */
HIDDEN word heapster_watched_thread;
word *const observed_thread_place = &heapster_watched_thread;

/* Logical threads end where a trace says so. */
HIDDEN void heapster_at_thread_end(void) {}

HIDDEN void heapster_before_memory(void) {}

HIDDEN void heapster_show(word kind, word address, word size, word used) { ask(SHOW, kind, address, size, used); }

HIDDEN void heapster_abort(word code, word address)
{
    ask(ABORT, code, address, 0, 0);
    __builtin_trap(); /* the onlooker always abandons here */
}

/* ---- For the onlooker ---- */

const word observed_statics_bytes = STATICS_BYTES;

static void on_stray(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (inside) {
        stray = (word)info->si_addr;
        siglongjmp(abandoned, STRAYED);
    }
    sigaction(number, &usual[number == SIGBUS], NULL); /* not ours: let it happen again */
    if (info->si_code <= 0)                            /* sent by someone, who does not repeat it */
        raise(number);
}

void observed_begin(onlooker answering)
{
    struct sigaction action = {.sa_sigaction = on_stray, .sa_flags = SA_SIGINFO};
    world = answering;
    sigaction(SIGSEGV, &action, &usual[0]);
    sigaction(SIGBUS, &action, &usual[1]);
}

/* Calls an entry with as many of the words as it takes; an enum outcome. The answer of a call that strayed
   is the address where. */
int observed_call(word (*entry)(word, word, word), word a, word b, word c, word *answer)
{
    int outcome = sigsetjmp(abandoned, 1);
    if (outcome == ANSWERED) {
        inside = 1;
        *answer = entry(a, b, c);
    } else if (outcome == STRAYED) {
        *answer = stray;
    }
    inside = 0;
    return outcome;
}

#define ENTRY(name) void *const observed_##name = (void *)heapster_word_##name;

EACH_ENTRY(ENTRY)
