/* What -fsanitize=undefined calls where the language leaves undefined what comes next: told, and gone on with. */
#include <stdlib.h>

#include "observing.h"

#define PC ((uintptr_t)__builtin_return_address(0))

enum undefined {
    SIGNED_OVERFLOW,
    DIVISION,
    SHIFT,
    NULL_USED,
    POINTER_OVERFLOW,
    INDEX,
    VALUE,
    NULL_ARGUMENT,
    END_REACHED
};

#define OF_TWO(name, what)                                                                                             \
    void __ubsan_handle_##name(void *data, uintptr_t one, uintptr_t other)                                             \
    {                                                                                                                  \
        (void)data, (void)one, (void)other;                                                                            \
        observed_undefined(what, PC);                                                                                  \
    }
#define OF_ONE(name, what)                                                                                             \
    void __ubsan_handle_##name(void *data, uintptr_t one)                                                              \
    {                                                                                                                  \
        (void)data, (void)one;                                                                                         \
        observed_undefined(what, PC);                                                                                  \
    }
#define OF_NONE(name, what)                                                                                            \
    void __ubsan_handle_##name(void *data)                                                                             \
    {                                                                                                                  \
        (void)data;                                                                                                    \
        observed_undefined(what, PC);                                                                                  \
    }

OF_TWO(add_overflow, SIGNED_OVERFLOW)
OF_TWO(sub_overflow, SIGNED_OVERFLOW)
OF_TWO(mul_overflow, SIGNED_OVERFLOW)
OF_ONE(negate_overflow, SIGNED_OVERFLOW)
OF_TWO(divrem_overflow, DIVISION)
OF_TWO(shift_out_of_bounds, SHIFT)
OF_ONE(out_of_bounds, INDEX)
OF_ONE(vla_bound_not_positive, INDEX)
OF_ONE(load_invalid_value, VALUE)
OF_TWO(pointer_overflow, POINTER_OVERFLOW)
OF_NONE(nonnull_arg, NULL_ARGUMENT)

struct type_data {
    struct {
        const char *file;
        uint32_t line, column;
    } place;
    void *type;
    unsigned char log_alignment, kind;
};

void __ubsan_handle_type_mismatch_v1(struct type_data *data, uintptr_t pointer)
{
    if (pointer == 0)
        observed_undefined(NULL_USED, PC);
    else
        observed_misaligned(pointer, (uint64_t)1 << data->log_alignment, PC);
}

void __ubsan_handle_nonnull_return_v1(void *data, void *place)
{
    (void)data, (void)place;
    observed_undefined(NULL_ARGUMENT, PC);
}

_Noreturn void __ubsan_handle_builtin_unreachable(void *data)
{
    (void)data;
    observed_undefined(END_REACHED, PC);
    abort();
}

_Noreturn void __ubsan_handle_missing_return(void *data)
{
    (void)data;
    observed_undefined(END_REACHED, PC);
    abort();
}
