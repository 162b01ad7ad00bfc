/* blobhub_messages.c: the tables of blobhub.md, see blobhub_messages.h. */
#include "blobhub_messages.h"

#include "envelope.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- errors --------------------------------------------------------------------------------- */

const char *kedge_blobhub_error_message(kedge_blobhub_error error)
{
    switch (error) {
#define ERROR_MESSAGE(name, code, message)                                                         \
    case KEDGE_BLOBHUB_##name:                                                                     \
        return message;
        KEDGE_BLOBHUB_ERROR_LIST(ERROR_MESSAGE)
#undef ERROR_MESSAGE
    default:
        return NULL;
    }
}

kedge_blobhub_error kedge_blobhub_error_of(int64_t code)
{
    switch (code) {
#define OWN_ERROR(name, code, message)                                                             \
    case code:                                                                                     \
        return KEDGE_BLOBHUB_##name;
        KEDGE_BLOBHUB_ERROR_LIST(OWN_ERROR)
#undef OWN_ERROR
#define STANDARD_ERROR(name, code, meaning)                                                        \
    case code:                                                                                     \
        return KEDGE_BLOBHUB_##meaning;
        KEDGE_BLOBHUB_STANDARD_ERROR_LIST(STANDARD_ERROR)
#undef STANDARD_ERROR
    default:
        return KEDGE_BLOBHUB_OTHER_ERROR;
    }
}

kedge_result kedge_blobhub_read_error(kedge_span error, kedge_blobhub_error_object *object)
{
    enum { CODE, MESSAGE, DATA, COUNT };
    static const kedge_member members[COUNT] = {
        [CODE] = KEDGE_MEMBER_REQUIRED("code", KEDGE_MEMBER_SIGNED),
        [MESSAGE] = KEDGE_MEMBER_REQUIRED("message", KEDGE_MEMBER_TEXT),
        [DATA] = KEDGE_MEMBER_OPTIONAL("data", KEDGE_MEMBER_ANY),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, error, NULL, values);
    if (result.status == KEDGE_OK) {
        kedge_json_integer(values[CODE], &object->code);
        object->raw_code = values[CODE].raw;
        object->message = values[MESSAGE];
        object->data = kedge_envelope_unless_null(values[DATA]);
    }
    return result;
}

/* ---- methods -------------------------------------------------------------------------------- */

static const char *const methods[] = {NULL,
#define METHOD_WORD(name, word) word,
                                      KEDGE_BLOBHUB_METHOD_LIST(METHOD_WORD)
#undef METHOD_WORD
};

kedge_blobhub_method kedge_blobhub_find_method(const kedge_envelope_name *method)
{
    for (size_t i = 1; i < COUNT_OF(methods); i++) {
        if (kedge_envelope_name_is(method, kedge_text(methods[i]))) {
            return (kedge_blobhub_method)i;
        }
    }
    return KEDGE_BLOBHUB_OTHER_METHOD;
}

const char *kedge_blobhub_method_word(kedge_blobhub_method method)
{
    return methods[method];
}

/* ---- status/initialize ---------------------------------------------------------------------- */

/* The info object that `outer` holds as its only member that is read. */
static kedge_result read_info(kedge_span outer, const kedge_member *holder,
                              const kedge_member members[2], kedge_blobhub_info *info)
{
    enum { NAME, VERSION, COUNT };
    kedge_json_value object;
    kedge_json_value values[COUNT] = {KEDGE_NO_VALUE, KEDGE_NO_VALUE};
    kedge_result whole = kedge_members_read_payload(holder, 1, outer, NULL, &object);
    if (whole.status != KEDGE_OK) {
        return whole;
    }
    if (kedge_envelope_has(object)) {
        kedge_result inner = kedge_members_read_payload(members, COUNT, object.raw, NULL, values);
        if (inner.status != KEDGE_OK) {
            inner.offset += kedge_members_offset(outer, object);
            return inner;
        }
    }
    info->name = values[NAME];
    info->version = values[VERSION];
    return whole;
}

kedge_result kedge_blobhub_read_initialize(kedge_span params, kedge_blobhub_info *client)
{
    static const kedge_member holder = KEDGE_MEMBER_REQUIRED("client_info", KEDGE_MEMBER_OBJECT);
    static const kedge_member members[] = {
        KEDGE_MEMBER_REQUIRED("name", KEDGE_MEMBER_TEXT),
        KEDGE_MEMBER_REQUIRED("version", KEDGE_MEMBER_TEXT),
    };
    return read_info(params, &holder, members, client);
}

kedge_result kedge_blobhub_read_initialized(kedge_span result, kedge_blobhub_info *server)
{
    static const kedge_member holder = KEDGE_MEMBER_OPTIONAL("server_info", KEDGE_MEMBER_OBJECT);
    static const kedge_member members[] = {
        KEDGE_MEMBER_OPTIONAL("name", KEDGE_MEMBER_TEXT),
        KEDGE_MEMBER_OPTIONAL("version", KEDGE_MEMBER_TEXT),
    };
    return read_info(result, &holder, members, server);
}

/* ---- subscription/... ----------------------------------------------------------------------- */

enum { SCOPE, SCOPE_ID, TARGET, TARGET_ID, COORDINATE_COUNT };

#define COORDINATES                                                                                \
    [SCOPE] = KEDGE_MEMBER_REQUIRED("scope", KEDGE_MEMBER_TEXT),                                   \
    [SCOPE_ID] = KEDGE_MEMBER_REQUIRED("scope_id", KEDGE_MEMBER_TEXT),                             \
    [TARGET] = KEDGE_MEMBER_REQUIRED("target", KEDGE_MEMBER_TEXT),                                 \
    [TARGET_ID] = KEDGE_MEMBER_REQUIRED("target_id", KEDGE_MEMBER_TEXT)

static kedge_blobhub_coordinates coordinates_of(const kedge_json_value *values)
{
    return (kedge_blobhub_coordinates){values[SCOPE], values[SCOPE_ID], values[TARGET],
                                       values[TARGET_ID]};
}

kedge_result kedge_blobhub_read_subscription(kedge_span params,
                                             kedge_blobhub_subscription *subscription)
{
    enum { TYPES = COORDINATE_COUNT, COUNT };
    static const kedge_member members[COUNT] = {
        COORDINATES,
        [TYPES] = KEDGE_MEMBER_REQUIRED("types", KEDGE_MEMBER_TEXTS),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, params, NULL, values);
    if (result.status == KEDGE_OK) {
        subscription->coordinates = coordinates_of(values);
        subscription->types = values[TYPES];
    }
    return result;
}

kedge_result kedge_blobhub_read_event(kedge_span params, kedge_blobhub_event *event)
{
    enum { TYPE = COORDINATE_COUNT, EVENT, COUNT };
    static const kedge_member members[COUNT] = {
        COORDINATES,
        [TYPE] = KEDGE_MEMBER_REQUIRED("type", KEDGE_MEMBER_TEXT),
        [EVENT] = KEDGE_MEMBER_OPTIONAL("event", KEDGE_MEMBER_ANY),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, params, NULL, values);
    if (result.status == KEDGE_OK) {
        event->coordinates = coordinates_of(values);
        event->type = values[TYPE];
        event->event = kedge_envelope_unless_null(values[EVENT]);
    }
    return result;
}
