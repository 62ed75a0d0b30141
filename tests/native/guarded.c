/* guarded KIND: one misuse, or none. */

#define _GNU_SOURCE
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static char *make(void) { return malloc(40); }

static void set(char *p, long at) { *(volatile char *)(p + at) = 1; }

static sigjmp_buf back;

static void on_fault(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

/* Its own handler for a fault that is no block's. */
static void handle(void)
{
    struct sigaction old;
    signal(SIGSEGV, on_fault);
    if (!sigsetjmp(back, 1))
        *(volatile int *)8 = 1;
    sigaction(SIGSEGV, NULL, &old);
    puts(old.sa_handler == on_fault ? "handled" : "another handler");
}

static volatile sig_atomic_t blocked;
static char *page;

static void open_page(int number)
{
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    blocked = sigismember(&now, number) && sigismember(&now, SIGUSR1);
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

/* A handler for one fault in a live block whose page the program closed itself. */
static void protect(void)
{
    struct sigaction once = {.sa_handler = open_page, .sa_flags = SA_RESETHAND}, now;
    sigset_t after;
    sigaddset(&once.sa_mask, SIGUSR1);
    sigaction(SIGSEGV, &once, NULL);
    page = memalign(4096, 4096);
    mprotect(page, 4096, PROT_NONE);
    set(page, 7);
    sigaction(SIGSEGV, NULL, &now);
    sigprocmask(SIG_BLOCK, NULL, &after);
    puts(blocked && now.sa_handler == SIG_DFL && !sigismember(&after, SIGUSR1) ? "as set" : "otherwise");
}

/* A signal that is sent, not made: ignored if it is to be, else the end. */
static void send(void)
{
    bsd_signal(SIGBUS, SIG_IGN);
    raise(SIGBUS);
    raise(SIGSEGV);
    puts("no end");
}

static void live(long blocks)
{
    for (long i = 0; i < blocks; i++)
        if (!malloc(16))
            abort();
    puts("done");
}

int main(int count, char **arguments)
{
    const char *kind = count > 1 ? arguments[1] : "";
    char *p = make(), *volatile q = p;
    if (!strcmp(kind, "behind"))
        set(p, 55);
    if (!strcmp(kind, "behind-far"))
        set(p, 64);
    if (!strcmp(kind, "before"))
        set(p, -4096);
    if (!strcmp(kind, "freed")) {
        free(p);
        putchar(((volatile char *)q)[7]);
    }
    if (!strcmp(kind, "twice")) {
        free(p);
        free(q);
    }
    if (!strcmp(kind, "inside"))
        free(q + 16);
    if (!strcmp(kind, "stack"))
        free((void *)(((long)&q + 16) & -16));
    if (!strcmp(kind, "resized")) {
        free(p);
        p = realloc(q, 80);
    }
    if (!strcmp(kind, "slack")) {
        set(p, 46);
        free(p);
    }
    if (!strcmp(kind, "slack-left"))
        set(p, 40);
    if (!strcmp(kind, "handles"))
        handle();
    if (!strcmp(kind, "protects"))
        protect();
    if (!strcmp(kind, "sent"))
        send();
    if (!strcmp(kind, "faults"))
        *(volatile int *)8 = 1;
    if (!strcmp(kind, "many"))
        live(60000);
    if (!strcmp(kind, "gigabyte"))
        for (int i = 0; i < 12; i++)
            puts(malloc(100 << 20) ? "given" : "refused");
    if (!strcmp(kind, "huge"))
        puts(malloc(300 << 20) ? "done" : "refused");
    if (!strcmp(kind, "aligned"))
        puts((long)aligned_alloc(64, 100) % 64 || (long)aligned_alloc(1 << 14, 100) % (1 << 14) ? "wrong" : "done");
    return 0;
}
