/* kernels.c: see kedge/kernels.h. */
#include "kernels.h"

static const kedge_kernel_table scalar = {.level = KEDGE_KERNELS_SCALAR};

kedge_atomic_pointer kedge_kernels_chosen;

#ifdef KEDGE_X86

/* 1 or 0: so that several are asked for without a branch each. */
#define HAS(feature) (unsigned)(__builtin_cpu_supports(feature) != 0)

static unsigned has_avx2(void)
{
    return HAS("avx2") & HAS("pclmul") & HAS("bmi") & HAS("bmi2") & HAS("popcnt");
}

/* VBMI is asked for, since processors that lack it slow down as a whole under
 * wide vectors. */
static unsigned has_avx512(void)
{
    return has_avx2() & HAS("avx512f") & HAS("avx512bw") & HAS("avx512vl") & HAS("avx512vbmi");
}

/* The table of a level, or null where the machine does not have it. */
static const kedge_kernel_table *find_table(kedge_kernels level)
{
    static const kedge_kernel_table *const tables[KEDGE_KERNELS_COUNT] = {
        [KEDGE_KERNELS_SCALAR] = &scalar,
        [KEDGE_KERNELS_SSE2] = &kedge_kernels_sse2,
        [KEDGE_KERNELS_AVX2] = &kedge_kernels_avx2,
        [KEDGE_KERNELS_AVX512] = &kedge_kernels_avx512,
    };
    const unsigned has = 1U << KEDGE_KERNELS_SCALAR | HAS("sse2") << KEDGE_KERNELS_SSE2 |
                         has_avx2() << KEDGE_KERNELS_AVX2 | has_avx512() << KEDGE_KERNELS_AVX512;
    return (has >> level & 1) != 0 ? tables[level] : NULL;
}

#else

static const kedge_kernel_table *find_table(kedge_kernels level)
{
#ifdef KEDGE_ARM
    if (level == KEDGE_KERNELS_NEON) {
        return &kedge_kernels_neon;
    }
#endif
    return level == KEDGE_KERNELS_SCALAR ? &scalar : NULL;
}

#endif

/* Whoever comes first sets what all would set. */
const kedge_kernel_table *kedge_kernels_choose(void)
{
    const kedge_kernel_table *table = NULL;
    for (int level = KEDGE_KERNELS_COUNT - 1; table == NULL; level--) {
        table = find_table((kedge_kernels)level);
    }
    kedge_atomic_pointer_set_once(&kedge_kernels_chosen, (void *)(uintptr_t)table);
    return kedge_atomic_pointer_get(&kedge_kernels_chosen);
}

kedge_kernels kedge_kernels_level(void)
{
    return kedge_kernels_get()->level;
}

const char *kedge_kernels_name(kedge_kernels level)
{
    static const char *const names[KEDGE_KERNELS_COUNT] = {
        [KEDGE_KERNELS_SCALAR] = "scalar", [KEDGE_KERNELS_SSE2] = "sse2",
        [KEDGE_KERNELS_AVX2] = "avx2",     [KEDGE_KERNELS_AVX512] = "avx512",
        [KEDGE_KERNELS_NEON] = "neon",
    };
    return (unsigned)level < KEDGE_KERNELS_COUNT ? names[level] : "unknown";
}

kedge_status kedge_kernels_force(kedge_kernels level)
{
    if ((unsigned)level >= KEDGE_KERNELS_COUNT) {
        return KEDGE_INVALID_ARGUMENT;
    }
    const kedge_kernel_table *table = find_table(level);
    if (table == NULL) {
        return KEDGE_UNSUPPORTED;
    }
    kedge_atomic_pointer_set(&kedge_kernels_chosen, (void *)(uintptr_t)table);
    return KEDGE_OK;
}
