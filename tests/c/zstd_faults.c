#include "zstd_faults.h"

#include <zstd.h>

zstd_faults zstd_faults_now;

ZSTD_CCtx *__real_ZSTD_createCCtx(void);
ZSTD_DCtx *__real_ZSTD_createDCtx(void);
size_t __real_ZSTD_compress2(ZSTD_CCtx *context, void *out, size_t capacity, const void *content,
                             size_t size);
ZSTD_CCtx *__wrap_ZSTD_createCCtx(void);
ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);
size_t __wrap_ZSTD_compress2(ZSTD_CCtx *context, void *out, size_t capacity, const void *content,
                             size_t size);

ZSTD_CCtx *__wrap_ZSTD_createCCtx(void)
{
    return zstd_faults_now.no_contexts ? NULL : __real_ZSTD_createCCtx();
}

ZSTD_DCtx *__wrap_ZSTD_createDCtx(void)
{
    return zstd_faults_now.no_contexts ? NULL : __real_ZSTD_createDCtx();
}

size_t __wrap_ZSTD_compress2(ZSTD_CCtx *context, void *out, size_t capacity, const void *content,
                             size_t size)
{
    if (zstd_faults_now.code != 0) {
        return zstd_faults_now.code;
    }
    if (zstd_faults_now.frame.size != 0 && zstd_faults_now.frame.size <= capacity) {
        memcpy(out, zstd_faults_now.frame.data, zstd_faults_now.frame.size);
        return zstd_faults_now.frame.size;
    }
    return __real_ZSTD_compress2(context, out, capacity, content, size);
}
