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

static inline void atomic_of(const volatile void *address, size_t size, enum atomic_kind kind, int order, uintptr_t pc)
{
    if (observer->on_atomic != NULL)
        observer->on_atomic((uintptr_t)address, size, kind, order, pc);
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

#define TOLD(BITS, KIND) atomic_of(a, BITS / 8, KIND, order, PC)
#define FETCH(BITS, NAME, KIND)                                                                                        \
    word##BITS __tsan_atomic##BITS##_fetch_##NAME(volatile word##BITS *a, word##BITS value, int order)                 \
    {                                                                                                                  \
        TOLD(BITS, KIND);                                                                                              \
        return __atomic_fetch_##NAME(a, value, __ATOMIC_SEQ_CST);                                                      \
    }
#define ATOMICS(BITS)                                                                                                  \
    word##BITS __tsan_atomic##BITS##_load(const volatile word##BITS *a, int order)                                     \
    {                                                                                                                  \
        TOLD(BITS, ATOMIC_LOAD);                                                                                       \
        return __atomic_load_n(a, __ATOMIC_SEQ_CST);                                                                   \
    }                                                                                                                  \
    void __tsan_atomic##BITS##_store(volatile word##BITS *a, word##BITS value, int order)                              \
    {                                                                                                                  \
        TOLD(BITS, ATOMIC_STORE);                                                                                      \
        __atomic_store_n(a, value, __ATOMIC_SEQ_CST);                                                                  \
    }                                                                                                                  \
    word##BITS __tsan_atomic##BITS##_exchange(volatile word##BITS *a, word##BITS value, int order)                     \
    {                                                                                                                  \
        TOLD(BITS, ATOMIC_EXCHANGE);                                                                                   \
        return __atomic_exchange_n(a, value, __ATOMIC_SEQ_CST);                                                        \
    }                                                                                                                  \
    int __tsan_atomic##BITS##_compare_exchange_strong(volatile word##BITS *a, word##BITS *expected, word##BITS value,  \
                                                      int order, int failed)                                           \
    {                                                                                                                  \
        (void)failed;                                                                                                  \
        TOLD(BITS, ATOMIC_COMPARE_EXCHANGE);                                                                           \
        return __atomic_compare_exchange_n(a, expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                 \
    }                                                                                                                  \
    int __tsan_atomic##BITS##_compare_exchange_weak(volatile word##BITS *a, word##BITS *expected, word##BITS value,    \
                                                    int order, int failed)                                             \
    {                                                                                                                  \
        (void)failed;                                                                                                  \
        TOLD(BITS, ATOMIC_COMPARE_EXCHANGE);                                                                           \
        return __atomic_compare_exchange_n(a, expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                 \
    }                                                                                                                  \
    word##BITS __tsan_atomic##BITS##_compare_exchange_val(volatile word##BITS *a, word##BITS expected,                 \
                                                          word##BITS value, int order, int failed)                     \
    {                                                                                                                  \
        (void)failed;                                                                                                  \
        TOLD(BITS, ATOMIC_COMPARE_EXCHANGE);                                                                           \
        __atomic_compare_exchange_n(a, &expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                       \
        return expected;                                                                                               \
    }                                                                                                                  \
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

word128 __tsan_atomic128_load(const volatile word128 *a, int order)
{
    TOLD(128, ATOMIC_LOAD);
    return exchanged128((volatile word128 *)a, 0, 0, 0);
}
void __tsan_atomic128_store(volatile word128 *a, word128 value, int order)
{
    TOLD(128, ATOMIC_STORE);
    exchanged128(a, 0, 1, value);
}
word128 __tsan_atomic128_exchange(volatile word128 *a, word128 value, int order)
{
    TOLD(128, ATOMIC_EXCHANGE);
    return exchanged128(a, 0, 1, value);
}
int __tsan_atomic128_compare_exchange_strong(volatile word128 *a, word128 *expected, word128 value, int order,
                                             int failed)
{
    (void)failed;
    TOLD(128, ATOMIC_COMPARE_EXCHANGE);
    return compared128(a, expected, value);
}
int __tsan_atomic128_compare_exchange_weak(volatile word128 *a, word128 *expected, word128 value, int order, int failed)
{
    (void)failed;
    TOLD(128, ATOMIC_COMPARE_EXCHANGE);
    return compared128(a, expected, value);
}
word128 __tsan_atomic128_compare_exchange_val(volatile word128 *a, word128 expected, word128 value, int order,
                                              int failed)
{
    (void)failed;
    TOLD(128, ATOMIC_COMPARE_EXCHANGE);
    return exchanged128(a, expected, 0, value);
}
#endif

void __tsan_atomic_thread_fence(int order)
{
    atomic_of(NULL, 0, ATOMIC_FENCE, order, PC);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order)
{
    (void)order;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
