/* What a malloc must survive, a case for each argument. Prints "ok" or says what went wrong. */

#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static volatile int stop;

static void *churn(void *unused)
{
    (void)unused;
    void *held[64] = {0};
    for (unsigned i = 0; !stop; i++) {
        free(held[i % 64]);
        held[i % 64] = malloc(i * 37 % 3000);
    }
    for (int i = 0; i < 64; i++)
        free(held[i]);
    return NULL;
}

static void fork_in_threads(void)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        EXPECT(!pthread_create(&threads[i], NULL, churn, NULL));
    for (int round = 0; round < 100; round++) {
        pid_t child = fork();
        EXPECT(child >= 0);
        if (child == 0) {
            alarm(20);
            for (int i = 0; i < 50; i++) {
                void *p = malloc((size_t)(i * 100)), *q = realloc(p, 5000);
                EXPECT(q);
                free(q);
            }
            pthread_t own;
            stop = 1;
            EXPECT(!pthread_create(&own, NULL, churn, NULL) && !pthread_join(own, NULL));
            _exit(7);
        }
        int status;
        EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    }
    stop = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

static void *leave_blocks(void *out)
{
    void **blocks = out;
    for (int i = 0; i < 10; i++) {
        blocks[i] = malloc((size_t)(100 + i));
        memset(blocks[i], i, (size_t)(100 + i));
    }
    return NULL;
}

static void threads_end_with_live_blocks(void)
{
    for (int round = 0; round < 300; round++) {
        void *blocks[10];
        pthread_t thread;
        EXPECT(!pthread_create(&thread, NULL, leave_blocks, blocks) && !pthread_join(thread, NULL));
        for (int i = 0; i < 10; i++) {
            EXPECT(((unsigned char *)blocks[i])[99] == i);
            free(blocks[i]);
        }
    }
}

static void *first_call(void *which)
{
    void *p = NULL;
    switch ((intptr_t)which) {
    case 0:
        p = malloc(10);
        break;
    case 1:
        p = calloc(2, 10);
        break;
    case 2:
        p = realloc(NULL, 10);
        break;
    case 3:
        p = aligned_alloc(64, 10);
        break;
    case 4:
        EXPECT(!posix_memalign(&p, 64, 10));
        break;
    case 5:
        p = reallocarray(NULL, 2, 5);
        break;
    case 6:
        p = valloc(1);
        break;
    case 7:
        p = pvalloc(1);
        break;
    case 8:
        p = memalign(32, 1);
        break;
    case 9:
        free(NULL);
        p = malloc(1);
        break;
    case 10:
        EXPECT(malloc_usable_size(NULL) == 0);
        p = malloc(1);
        break;
    }
    EXPECT(p);
    return p;
}

static void any_entry_first_on_a_fresh_thread(void)
{
    for (intptr_t which = 0; which <= 10; which++) {
        pthread_t thread;
        void *p;
        EXPECT(!pthread_create(&thread, NULL, first_call, (void *)which) && !pthread_join(thread, &p));
        free(p);
    }
}

static void errno_as_posix_says(void)
{
    static const size_t huge[] = {SIZE_MAX, SIZE_MAX - 15, PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, (size_t)1 << 62};
    for (unsigned i = 0; i < sizeof huge / sizeof *huge; i++) {
        volatile size_t size = huge[i];
        errno = 0;
        EXPECT(!malloc(size) && errno == ENOMEM);
        errno = 0;
        EXPECT(!calloc(size, 2) && errno == ENOMEM);
        errno = 0;
        EXPECT(!reallocarray(NULL, size, 3) && errno == ENOMEM);
        errno = 0;
        EXPECT(!aligned_alloc(64, size) && errno == ENOMEM);
        errno = 0;
        EXPECT(!pvalloc(size) && errno == ENOMEM);
        char *p = malloc(10);
        strcpy(p, "kept");
        errno = 0;
        EXPECT(!realloc(p, size) && errno == ENOMEM && !strcmp(p, "kept"));
        free(p);
    }
    volatile size_t odd = 24;
    errno = 0;
    EXPECT(!aligned_alloc(odd, 10) && errno == EINVAL);
    errno = 77;
    void *p = malloc(300000);
    free(p);
    p = malloc(100);
    free(p);
    free(NULL);
    EXPECT(errno == 77);
}

static void posix_memalign_leaves_all_alone(void)
{
    int mark;
    void *p = &mark;
    volatile size_t size = SIZE_MAX;
    errno = 77;
    EXPECT(posix_memalign(&p, 24, 10) == EINVAL && p == &mark && errno == 77);
    EXPECT(posix_memalign(&p, 4, 10) == EINVAL && p == &mark && errno == 77);
    EXPECT(posix_memalign(&p, 64, size) == ENOMEM && p == &mark && errno == 77);
    EXPECT(posix_memalign(&p, 8192, 100) == 0 && (uintptr_t)p % 8192 == 0 && errno == 77);
    free(p);
}

static void break_moved_by_others(void)
{
    void *held[400];
    for (int i = 0; i < 400; i++) {
        if (i % 50 == 0)
            EXPECT(sbrk(1000 + i) != (void *)-1);
        held[i] = malloc((size_t)(i * 20));
        EXPECT(held[i]);
        memset(held[i], i, (size_t)(i * 20));
    }
    for (int i = 0; i < 400; i++) {
        EXPECT(i == 0 || ((unsigned char *)held[i])[i * 20 - 1] == (i & 255));
        free(held[i]);
    }
}

static void *before_main;
__attribute__((constructor(101))) static void early(void) { before_main = malloc(50); }

static void calls_before_main(void)
{
    EXPECT(before_main && malloc_usable_size(before_main) >= 50);
    free(before_main);
}

static void malloc_h_speaks_of_this_heap(void)
{
    struct mallinfo2 before = mallinfo2(), after;
    void *small[100], *large = malloc(3000000);
    for (int i = 0; i < 100; i++)
        small[i] = malloc(1000);
    after = mallinfo2();
    EXPECT(after.hblks == before.hblks + 1 && after.hblkhd >= before.hblkhd + 3000000);
    EXPECT(after.uordblks >= before.uordblks + 100000 && after.uordblks + after.fordblks == after.arena);
    EXPECT(mallinfo().hblkhd == (int)after.hblkhd && mallinfo().uordblks == (int)after.uordblks);
    free(large);
    EXPECT(mallinfo2().keepcost >= 3000000 && malloc_trim(0) == 1 && mallinfo2().keepcost == 0);
    for (int i = 0; i < 100; i++)
        free(small[i]);
    EXPECT(mallinfo2().uordblks + 100000 <= after.uordblks);
    EXPECT(mallopt(M_MMAP_THRESHOLD, 50000) == 1 && mallopt(M_ARENA_MAX, 2) == 1);
    EXPECT(mallopt(M_PERTURB, 3) == 0 && mallopt(M_MMAP_THRESHOLD, -1) == 0);
    large = malloc(50000);
    EXPECT(mallinfo2().hblks == before.hblks + 1);
    free(large);
    char *text = NULL;
    size_t length;
    FILE *to = open_memstream(&text, &length);
    EXPECT(malloc_info(1, to) == EINVAL && malloc_info(0, to) == 0 && !fclose(to));
    EXPECT(strstr(text, "<malloc version=\"1\">") == text && strstr(text, "<heap nr=\"0\">")
           && strstr(text, "</malloc>"));
    free(text);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {
        {"fork_in_threads", fork_in_threads},
        {"threads_end_with_live_blocks", threads_end_with_live_blocks},
        {"any_entry_first_on_a_fresh_thread", any_entry_first_on_a_fresh_thread},
        {"errno_as_posix_says", errno_as_posix_says},
        {"posix_memalign_leaves_all_alone", posix_memalign_leaves_all_alone},
        {"break_moved_by_others", break_moved_by_others},
        {"calls_before_main", calls_before_main},
        {"malloc_h_speaks_of_this_heap", malloc_h_speaks_of_this_heap},
    };
    for (unsigned i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(argv[1], cases[i].name)) {
            alarm(100);
            cases[i].run();
            puts("ok");
            return 0;
        }
    return 2;
}
