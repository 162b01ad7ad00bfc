#include "levels.h"

bool level_use(kedge_kernels level)
{
    return kedge_kernels_force(level) == KEDGE_OK;
}

void level_restore(void)
{
    int level = KEDGE_KERNELS_COUNT - 1;
    while (!level_use((kedge_kernels)level)) {
        level--;
    }
}

static void use_scalar(void)
{
    ck_assert(level_use(KEDGE_KERNELS_SCALAR));
}

static void use_sse2(void)
{
    ck_assert(level_use(KEDGE_KERNELS_SSE2));
}

static void use_avx2(void)
{
    ck_assert(level_use(KEDGE_KERNELS_AVX2));
}

static void use_avx512(void)
{
    ck_assert(level_use(KEDGE_KERNELS_AVX512));
}

static void use_neon(void)
{
    ck_assert(level_use(KEDGE_KERNELS_NEON));
}

void levels_add(Suite *suite, void (*add)(TCase *cases))
{
    static void (*const use[KEDGE_KERNELS_COUNT])(void) = {
        [KEDGE_KERNELS_SCALAR] = use_scalar, [KEDGE_KERNELS_SSE2] = use_sse2,
        [KEDGE_KERNELS_AVX2] = use_avx2,     [KEDGE_KERNELS_AVX512] = use_avx512,
        [KEDGE_KERNELS_NEON] = use_neon,
    };
    for (int i = 0; i < KEDGE_KERNELS_COUNT; i++) {
        if (level_use((kedge_kernels)i)) {
            TCase *cases = tcase_create(kedge_kernels_name((kedge_kernels)i));
            tcase_add_checked_fixture(cases, use[i], level_restore);
            add(cases);
            suite_add_tcase(suite, cases);
        }
    }
    level_restore();
}
