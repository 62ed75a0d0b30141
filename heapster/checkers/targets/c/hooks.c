/* The instrumentation's calls: see hooks.h. Atomics really are done here, in the strongest order. */
#include "hooks.h"

static const struct observer nobody;
static const struct observer *observer = &nobody;
static _Thread_local struct call_path own_path;
_Thread_local struct call_path *call_path;

void observe(const struct observer *client) { observer = client != NULL ? client : &nobody; }

#define PC ((uintptr_t)__builtin_return_address(0))

static inline void access_of(const void *address, size_t size, unsigned flags, uintptr_t pc)
{
    if (observer->on_access != NULL)
        observer->on_access((uintptr_t)address, size, flags, pc);
}

void observed_range(const void *at, size_t size, unsigned flags, uintptr_t pc) { access_of(at, size, flags, pc); }

static inline int is_performed(const struct atomic *asked, atomic_value *read)
{
    if (observer->perform != NULL)
        return observer->perform(asked, read);
    if (observer->on_atomic != NULL)
        observer->on_atomic(asked->address, asked->size, asked->kind, asked->order, asked->pc);
    return 0;
}

void __tsan_init(void) {}

void __tsan_func_entry(void *caller)
{
    struct call_path *path = call_path != NULL ? call_path : (call_path = &own_path);
    if (path->depth < MOST_FRAMES)
        path->caller[path->depth] = (uintptr_t)caller;
    path->depth++;
    if (observer->on_enter != NULL)
        observer->on_enter((uintptr_t)caller);
}

void __tsan_func_exit(void)
{
    if (call_path != NULL && call_path->depth > 0)
        call_path->depth--;
    if (observer->on_exit != NULL)
        observer->on_exit();
}

#define ACCESSES(N)                                                                                                    \
    void __tsan_read##N(void *a) { access_of(a, N, READS, PC); }                                                       \
    void __tsan_write##N(void *a) { access_of(a, N, WRITES, PC); }                                                     \
    void __tsan_read##N##_pc(void *a, void *pc) { access_of(a, N, READS, (uintptr_t)pc); }                             \
    void __tsan_write##N##_pc(void *a, void *pc) { access_of(a, N, WRITES, (uintptr_t)pc); }                           \
    void __tsan_read_write##N(void *a) { access_of(a, N, READS | WRITES, PC); }                                        \
    void __tsan_volatile_read##N(void *a) { access_of(a, N, READS | VOLATILE, PC); }                                   \
    void __tsan_volatile_write##N(void *a) { access_of(a, N, WRITES | VOLATILE, PC); }                                 \
    void __tsan_unaligned_read##N(void *a) { access_of(a, N, READS | UNALIGNED, PC); }                                 \
    void __tsan_unaligned_write##N(void *a) { access_of(a, N, WRITES | UNALIGNED, PC); }                               \
    void __tsan_unaligned_read_write##N(void *a) { access_of(a, N, READS | WRITES | UNALIGNED, PC); }                  \
    void __tsan_unaligned_volatile_read##N(void *a) { access_of(a, N, READS | UNALIGNED | VOLATILE, PC); }             \
    void __tsan_unaligned_volatile_write##N(void *a) { access_of(a, N, WRITES | UNALIGNED | VOLATILE, PC); }

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(void *a, size_t size) { access_of(a, size, READS | RANGE, PC); }
void __tsan_write_range(void *a, size_t size) { access_of(a, size, WRITES | RANGE, PC); }
void __tsan_vptr_read(void **a) { access_of(a, sizeof *a, READS | VTABLE, PC); }

void __tsan_vptr_update(void **a, void *table)
{
    if (*a != table)
        access_of(a, sizeof *a, WRITES | VTABLE, PC);
}

/* clang's, for memory functions that it knows. */
void *__tsan_memcpy(void *to, const void *from, size_t size)
{
    access_of(from, size, READS | RANGE, PC);
    access_of(to, size, WRITES | RANGE, PC);
    return __builtin_memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, size_t size)
{
    access_of(from, size, READS | RANGE, PC);
    access_of(to, size, WRITES | RANGE, PC);
    return __builtin_memmove(to, from, size);
}

void *__tsan_memset(void *to, int byte, size_t size)
{
    access_of(to, size, WRITES | RANGE, PC);
    return __builtin_memset(to, byte, size);
}

typedef uint8_t word8;
typedef uint16_t word16;
typedef uint32_t word32;
typedef uint64_t word64;

/* `read` is what the client read, where it does what is asked in our stead. */
#define ASK(BITS, KIND, OPERAND, EXPECTED, FAILED)                                                                     \
    atomic_value read = 0;                                                                                             \
    int done = is_performed(&(struct atomic){(uintptr_t)a, PC, BITS / 8, KIND, order, FAILED, OPERAND, EXPECTED}, &read)
#define FETCH(BITS, NAME, KIND)                                                                                        \
    word##BITS __tsan_atomic##BITS##_fetch_##NAME(volatile word##BITS *a, word##BITS value, int order)                 \
    {                                                                                                                  \
        ASK(BITS, KIND, value, 0, order);                                                                              \
        return done ? (word##BITS)read : __atomic_fetch_##NAME(a, value, __ATOMIC_SEQ_CST);                            \
    }
#define COMPARE(BITS, STRENGTH, DO)                                                                                    \
    int __tsan_atomic##BITS##_compare_exchange_##STRENGTH(volatile word##BITS *a, word##BITS *expected,                \
                                                          word##BITS value, int order, int failed)                     \
    {                                                                                                                  \
        ASK(BITS, ATOMIC_COMPARE_EXCHANGE, value, *expected, failed);                                                  \
        if (!done)                                                                                                     \
            return DO(a, expected, value);                                                                             \
        word##BITS wanted = *expected;                                                                                 \
        return (*expected = (word##BITS)read) == wanted;                                                               \
    }
#define OTHERS(BITS, LOAD, STORE, EXCHANGE, DO)                                                                        \
    word##BITS __tsan_atomic##BITS##_load(const volatile word##BITS *a, int order)                                     \
    {                                                                                                                  \
        ASK(BITS, ATOMIC_LOAD, 0, 0, order);                                                                           \
        return done ? (word##BITS)read : LOAD(a);                                                                      \
    }                                                                                                                  \
    void __tsan_atomic##BITS##_store(volatile word##BITS *a, word##BITS value, int order)                              \
    {                                                                                                                  \
        ASK(BITS, ATOMIC_STORE, value, 0, order);                                                                      \
        if (!done)                                                                                                     \
            STORE(a, value);                                                                                           \
    }                                                                                                                  \
    word##BITS __tsan_atomic##BITS##_exchange(volatile word##BITS *a, word##BITS value, int order)                     \
    {                                                                                                                  \
        ASK(BITS, ATOMIC_EXCHANGE, value, 0, order);                                                                   \
        return done ? (word##BITS)read : EXCHANGE(a, value);                                                           \
    }                                                                                                                  \
    COMPARE(BITS, strong, DO)                                                                                          \
    COMPARE(BITS, weak, DO)                                                                                            \
    word##BITS __tsan_atomic##BITS##_compare_exchange_val(volatile word##BITS *a, word##BITS expected,                 \
                                                          word##BITS value, int order, int failed)                     \
    {                                                                                                                  \
        ASK(BITS, ATOMIC_COMPARE_EXCHANGE, value, expected, failed);                                                   \
        if (!done)                                                                                                     \
            DO(a, &expected, value);                                                                                   \
        return done ? (word##BITS)read : expected;                                                                     \
    }
#define REALLY_LOAD(a) __atomic_load_n(a, __ATOMIC_SEQ_CST)
#define REALLY_STORE(a, value) __atomic_store_n(a, value, __ATOMIC_SEQ_CST)
#define REALLY_EXCHANGE(a, value) __atomic_exchange_n(a, value, __ATOMIC_SEQ_CST)
#define REALLY_COMPARE(a, expected, value)                                                                             \
    __atomic_compare_exchange_n(a, expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define ATOMICS(BITS)                                                                                                  \
    OTHERS(BITS, REALLY_LOAD, REALLY_STORE, REALLY_EXCHANGE, REALLY_COMPARE)                                           \
    FETCH(BITS, add, ATOMIC_ADD)                                                                                       \
    FETCH(BITS, sub, ATOMIC_SUB)                                                                                       \
    FETCH(BITS, and, ATOMIC_AND)                                                                                       \
    FETCH(BITS, or, ATOMIC_OR)                                                                                         \
    FETCH(BITS, xor, ATOMIC_XOR)                                                                                       \
    FETCH(BITS, nand, ATOMIC_NAND)

ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)

#ifdef __SIZEOF_INT128__
/* Of twice a word: under a lock, as not every processor can. All that a target does to one comes through here. */
typedef unsigned __int128 word128;
static volatile char locked128;

static word128 exchanged128(volatile word128 *a, word128 expected, int always, word128 value)
{
    while (__atomic_test_and_set(&locked128, __ATOMIC_SEQ_CST)) {
    }
    word128 old = *a;
    if (always || old == expected)
        *a = value;
    __atomic_clear(&locked128, __ATOMIC_SEQ_CST);
    return old;
}

static int compared128(volatile word128 *a, word128 *expected, word128 value)
{
    word128 wanted = *expected;
    return (*expected = exchanged128(a, wanted, 0, value)) == wanted;
}

#define LOAD128(a) exchanged128((volatile word128 *)(a), 0, 0, 0)
#define EXCHANGE128(a, value) exchanged128(a, 0, 1, value)
OTHERS(128, LOAD128, EXCHANGE128, EXCHANGE128, compared128)
#endif

void __tsan_atomic_thread_fence(int order)
{
    atomic_value read;
    (void)is_performed(&(struct atomic){0, PC, 0, ATOMIC_FENCE, order, order, 0, 0}, &read);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order)
{
    (void)order;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
