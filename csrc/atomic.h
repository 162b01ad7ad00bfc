/* csrc/atomic.h: all the atomics of the library, over C11's.
 *
 * Private: C11 atomics are no C++, so no public header may show one; structs
 * that hold one are opaque.
 */
#ifndef KEDGE_PRIVATE_ATOMIC_H
#define KEDGE_PRIVATE_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __STDC_NO_ATOMICS__
#error "kedge needs a C11 compiler with <stdatomic.h>"
#endif
#include <stdatomic.h>

/* A count of references. */
typedef struct kedge_atomic_count {
    atomic_size_t value;
} kedge_atomic_count;

static inline void kedge_atomic_count_init(kedge_atomic_count *count, size_t value)
{
    atomic_init(&count->value, value);
}

/* Who adds has a reference already, so nothing has to be ordered. */
static inline void kedge_atomic_count_add(kedge_atomic_count *count, size_t more)
{
    (void)atomic_fetch_add_explicit(&count->value, more, memory_order_relaxed);
}

/* Returns whether the count is now 0: then all that others did before they gave
 * up their references is visible here. */
static inline bool kedge_atomic_count_take(kedge_atomic_count *count, size_t less)
{
    return atomic_fetch_sub_explicit(&count->value, less, memory_order_acq_rel) == less;
}

/* A pointer that is set by one thread and read by others; mostly set once, by
 * whoever comes first. */
typedef struct kedge_atomic_pointer {
    _Atomic(void *) value;
} kedge_atomic_pointer;

static inline void kedge_atomic_pointer_init(kedge_atomic_pointer *pointer, void *value)
{
    atomic_init(&pointer->value, value);
}

static inline void *kedge_atomic_pointer_get(const kedge_atomic_pointer *pointer)
{
    /* C11 forgot the const here; nothing is written. */
    kedge_atomic_pointer *readable = (kedge_atomic_pointer *)(uintptr_t)pointer;
    return atomic_load_explicit(&readable->value, memory_order_acquire);
}

static inline void kedge_atomic_pointer_set(kedge_atomic_pointer *pointer, void *value)
{
    atomic_store_explicit(&pointer->value, value, memory_order_release);
}

/* Sets a null pointer. False: another value is there, and stays. */
static inline bool kedge_atomic_pointer_set_once(kedge_atomic_pointer *pointer, void *value)
{
    void *expected = NULL;
    return atomic_compare_exchange_strong_explicit(&pointer->value, &expected, value,
                                                   memory_order_acq_rel, memory_order_acquire);
}

#endif
