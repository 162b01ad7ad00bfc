#include "kedge/base.h"

#include <stdlib.h>

/* The switches are over int: a status may come from anywhere, and a number that no constant has is an
 * answer here, not undefined behaviour. */

const char *kedge_status_name(kedge_status status)
{
    switch ((int)status) {
#define NAME_CASE(name, close_code, text)                                                          \
    case KEDGE_##name:                                                                             \
        return #name;
        KEDGE_STATUS_LIST(NAME_CASE)
#undef NAME_CASE
    default:
        return "UNKNOWN_STATUS";
    }
}

const char *kedge_status_text(kedge_status status)
{
    switch ((int)status) {
#define TEXT_CASE(name, close_code, text)                                                          \
    case KEDGE_##name:                                                                             \
        return text;
        KEDGE_STATUS_LIST(TEXT_CASE)
#undef TEXT_CASE
    default:
        return "not a status of this library";
    }
}

uint16_t kedge_status_close_code(kedge_status status)
{
    switch ((int)status) {
#define CLOSE_CODE_CASE(name, close_code, text)                                                    \
    case KEDGE_##name:                                                                             \
        return close_code;
        KEDGE_STATUS_LIST(CLOSE_CODE_CASE)
#undef CLOSE_CODE_CASE
    default:
        return 0;
    }
}

static void *default_resize(void *context, void *block, size_t old_size, size_t new_size)
{
    (void)context;
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

kedge_allocator kedge_allocator_default(void)
{
    kedge_allocator allocator = {default_resize, NULL};
    return allocator;
}

const char *kedge_version(void)
{
    return KEDGE_VERSION;
}
