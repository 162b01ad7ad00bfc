/* flowlayer_messages.c: the tables of flowlayer.md, see flowlayer_messages.h. */
#include "flowlayer_messages.h"

#include "envelope.h"
#include "memory.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- errors --------------------------------------------------------------------------------- */

const char *kedge_flowlayer_error_word(kedge_flowlayer_error error)
{
    static const char *const words[] = {
#define ERROR_WORD(name, word, message) word,
        KEDGE_FLOWLAYER_ERROR_LIST(ERROR_WORD)
#undef ERROR_WORD
    };
    return words[error];
}

const char *kedge_flowlayer_error_message(kedge_flowlayer_error error)
{
    static const char *const messages[] = {
#define ERROR_MESSAGE(name, word, message) message,
        KEDGE_FLOWLAYER_ERROR_LIST(ERROR_MESSAGE)
#undef ERROR_MESSAGE
    };
    return messages[error];
}

/* ---- commands ------------------------------------------------------------------------------- */

typedef enum argument_form { NO_ARGUMENTS, SERVICE, LOGS } argument_form;

typedef struct command_row {
    const char *word;
    argument_form arguments;
} command_row;

static const command_row commands[] = {{NULL, NO_ARGUMENTS},
#define COMMAND_ROW(name, word, arguments) {word, arguments},
                                       KEDGE_FLOWLAYER_COMMAND_LIST(COMMAND_ROW)
#undef COMMAND_ROW
};

kedge_flowlayer_command kedge_flowlayer_find_command(const kedge_envelope_name *name)
{
    for (size_t i = 1; i < COUNT_OF(commands); i++) {
        if (kedge_envelope_name_is(name, kedge_text(commands[i].word))) {
            return (kedge_flowlayer_command)i;
        }
    }
    return KEDGE_FLOWLAYER_OTHER_COMMAND;
}

const char *kedge_flowlayer_command_word(kedge_flowlayer_command command)
{
    return commands[command].word;
}

static kedge_result read_service(kedge_span payload, kedge_flowlayer_arguments *arguments)
{
    static const kedge_member members[] = {
        KEDGE_MEMBER_OPTIONAL("service", KEDGE_MEMBER_TEXT),
    };
    kedge_json_value service;
    kedge_result result =
        kedge_members_read_payload(members, COUNT_OF(members), payload, NULL, &service);
    if (result.status != KEDGE_OK) {
        return result;
    }
    if (!kedge_envelope_has(service)) {
        return (kedge_result){KEDGE_ENVELOPE_MEMBER_MISSING, payload.size - 1};
    }
    arguments->service = kedge_envelope_trim(service);
    if (kedge_json_text_raw(arguments->service).size == 0) {
        return (kedge_result){KEDGE_ENVELOPE_MEMBER_MISSING,
                              kedge_members_offset(payload, service)};
    }
    return result;
}

static bool read_bound(kedge_json_value value, uint64_t *bound)
{
    return kedge_json_unsigned(value, bound) == KEDGE_OK;
}

static kedge_result read_logs_arguments(kedge_span payload, kedge_flowlayer_arguments *arguments)
{
    enum { SERVICE_NAME, LIMIT, AFTER_SEQ, BEFORE_SEQ, COUNT };
    static const kedge_member members[COUNT] = {
        [SERVICE_NAME] = KEDGE_MEMBER_OPTIONAL("service", KEDGE_MEMBER_TEXT),
        [LIMIT] = KEDGE_MEMBER_OPTIONAL("limit", KEDGE_MEMBER_UNSIGNED),
        [AFTER_SEQ] = KEDGE_MEMBER_OPTIONAL("after_seq", KEDGE_MEMBER_UNSIGNED),
        [BEFORE_SEQ] = KEDGE_MEMBER_OPTIONAL("before_seq", KEDGE_MEMBER_UNSIGNED),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, payload, NULL, values);
    if (result.status != KEDGE_OK) {
        return result;
    }
    arguments->service = values[SERVICE_NAME];
    arguments->has_limit = read_bound(values[LIMIT], &arguments->limit);
    arguments->has_after_seq = read_bound(values[AFTER_SEQ], &arguments->after_seq);
    arguments->has_before_seq = read_bound(values[BEFORE_SEQ], &arguments->before_seq);
    if (arguments->has_limit && arguments->limit == 0) {
        return (kedge_result){KEDGE_ENVELOPE_MEMBER_VALUE,
                              kedge_members_offset(payload, values[LIMIT])};
    }
    return result;
}

kedge_result kedge_flowlayer_read_arguments(kedge_flowlayer_command command, kedge_span payload,
                                            kedge_flowlayer_arguments *arguments)
{
    argument_form form = commands[command].arguments;
    memset(arguments, 0, sizeof *arguments);
    if (command == KEDGE_FLOWLAYER_OTHER_COMMAND) {
        return (kedge_result){KEDGE_UNKNOWN_TYPE, 0};
    }
    if (payload.size == 0) {
        kedge_status status = form == SERVICE ? KEDGE_ENVELOPE_MEMBER_MISSING : KEDGE_OK;
        return (kedge_result){status, 0};
    }
    if (form == SERVICE) {
        return read_service(payload, arguments);
    }
    return form == LOGS ? read_logs_arguments(payload, arguments)
                        : kedge_members_read_payload(NULL, 0, payload, NULL, NULL);
}

/* ---- lists of objects ----------------------------------------------------------------------- */

/* Reads the members of one element; the offset of a fault counts from its beginning. */
typedef kedge_result (*element_reader)(kedge_span element);

/* Checks each element of an array that lies in `payload`. */
static kedge_result check_elements(kedge_span payload, kedge_json_value array, element_reader read)
{
    kedge_json_reader reader;
    kedge_json_value element;
    kedge_flowlayer_list_begin(&reader, array);
    while (kedge_json_next_element(&reader, &element)) {
        kedge_result result = read(element.raw);
        if (result.status != KEDGE_OK) {
            result.offset += kedge_members_offset(payload, element);
            return result;
        }
    }
    return (kedge_result){KEDGE_OK, payload.size};
}

void kedge_flowlayer_list_begin(kedge_json_reader *reader, kedge_json_value array)
{
    static const kedge_json_options checked = {KEDGE_JSON_DEPTH_MAXIMUM, true};
    kedge_json_begin(reader, array.raw, &checked);
    kedge_json_array_begin(reader);
}

/* ---- services ------------------------------------------------------------------------------- */

static kedge_result read_service_as(kedge_span object, const char *name_member, size_t name_size,
                                    kedge_flowlayer_service *service)
{
    enum { NAME, STATUS, TIMESTAMP, COUNT };
    const kedge_member members[COUNT] = {
        [NAME] = {name_member, name_size, KEDGE_MEMBER_TEXT, true, 0},
        [STATUS] = KEDGE_MEMBER_REQUIRED("status", KEDGE_MEMBER_TEXT),
        [TIMESTAMP] = KEDGE_MEMBER_OPTIONAL("timestamp", KEDGE_MEMBER_ANY),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, object, NULL, values);
    service->name = values[NAME];
    service->status = values[STATUS];
    service->timestamp = kedge_envelope_unless_null(values[TIMESTAMP]);
    return result;
}

static kedge_result check_service(kedge_span element)
{
    kedge_flowlayer_service service;
    return read_service_as(element, "name", 4, &service);
}

kedge_result kedge_flowlayer_read_snapshot(kedge_span payload, kedge_flowlayer_snapshot *snapshot)
{
    static const kedge_member members[] = {
        KEDGE_MEMBER_REQUIRED("services", KEDGE_MEMBER_ARRAY),
    };
    kedge_result result =
        kedge_members_read_payload(members, COUNT_OF(members), payload, NULL, &snapshot->services);
    return result.status == KEDGE_OK ? check_elements(payload, snapshot->services, check_service)
                                     : result;
}

kedge_result kedge_flowlayer_read_service_status(kedge_span payload,
                                                 kedge_flowlayer_service *service)
{
    return read_service_as(payload, "service", 7, service);
}

bool kedge_flowlayer_next_service(kedge_json_reader *reader, kedge_flowlayer_service *service)
{
    kedge_json_value element;
    if (!kedge_json_next_element(reader, &element)) {
        return false;
    }
    read_service_as(element.raw, "name", 4, service);
    return true;
}

/* ---- logs ----------------------------------------------------------------------------------- */

kedge_result kedge_flowlayer_read_log(kedge_span payload, kedge_flowlayer_log *log)
{
    enum { SEQ, LOG_SERVICE, PHASE, STREAM, MESSAGE, TIMESTAMP, COUNT };
    static const kedge_member members[COUNT] = {
        [SEQ] = KEDGE_MEMBER_REQUIRED("seq", KEDGE_MEMBER_UNSIGNED),
        [LOG_SERVICE] = KEDGE_MEMBER_OPTIONAL("service", KEDGE_MEMBER_TEXT),
        [PHASE] = KEDGE_MEMBER_OPTIONAL("phase", KEDGE_MEMBER_TEXT),
        [STREAM] = KEDGE_MEMBER_OPTIONAL("stream", KEDGE_MEMBER_TEXT),
        [MESSAGE] = KEDGE_MEMBER_OPTIONAL("message", KEDGE_MEMBER_TEXT),
        [TIMESTAMP] = KEDGE_MEMBER_OPTIONAL("timestamp", KEDGE_MEMBER_TEXT),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, payload, NULL, values);
    if (result.status != KEDGE_OK) {
        return result;
    }
    kedge_json_unsigned(values[SEQ], &log->seq);
    log->service = values[LOG_SERVICE];
    log->phase = values[PHASE];
    log->stream = values[STREAM];
    log->message = values[MESSAGE];
    log->timestamp = values[TIMESTAMP];
    if (log->seq == 0) {
        return (kedge_result){KEDGE_ENVELOPE_MEMBER_VALUE,
                              kedge_members_offset(payload, values[SEQ])};
    }
    return result;
}

static kedge_result check_log(kedge_span element)
{
    kedge_flowlayer_log log;
    return kedge_flowlayer_read_log(element, &log);
}

kedge_result kedge_flowlayer_read_logs(kedge_span data, kedge_flowlayer_logs *logs)
{
    enum { ENTRIES, TRUNCATED, EFFECTIVE_LIMIT, COUNT };
    static const kedge_member members[COUNT] = {
        [ENTRIES] = KEDGE_MEMBER_REQUIRED("entries", KEDGE_MEMBER_ARRAY),
        [TRUNCATED] = KEDGE_MEMBER_REQUIRED("truncated", KEDGE_MEMBER_BOOLEAN),
        [EFFECTIVE_LIMIT] = KEDGE_MEMBER_REQUIRED("effective_limit", KEDGE_MEMBER_UNSIGNED),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, data, NULL, values);
    if (result.status != KEDGE_OK) {
        return result;
    }
    logs->entries = values[ENTRIES];
    kedge_json_boolean(values[TRUNCATED], &logs->truncated);
    kedge_json_unsigned(values[EFFECTIVE_LIMIT], &logs->effective_limit);
    return check_elements(data, logs->entries, check_log);
}

bool kedge_flowlayer_next_log(kedge_json_reader *reader, kedge_flowlayer_log *log, kedge_span *raw)
{
    kedge_json_value element;
    if (!kedge_json_next_element(reader, &element)) {
        return false;
    }
    kedge_flowlayer_read_log(element.raw, log);
    if (raw != NULL) {
        *raw = element.raw;
    }
    return true;
}

/* ---- the rest of what servers send ---------------------------------------------------------- */

kedge_result kedge_flowlayer_read_hello(kedge_span payload, kedge_flowlayer_hello *hello)
{
    enum { VERSION, SERVER, CAPABILITIES, COUNT };
    static const kedge_member members[COUNT] = {
        [VERSION] = KEDGE_MEMBER_REQUIRED("protocol_version", KEDGE_MEMBER_SIGNED),
        [SERVER] = KEDGE_MEMBER_OPTIONAL("server", KEDGE_MEMBER_ANY),
        [CAPABILITIES] = KEDGE_MEMBER_OPTIONAL("capabilities", KEDGE_MEMBER_ANY),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, payload, NULL, values);
    if (result.status == KEDGE_OK) {
        kedge_json_integer(values[VERSION], &hello->protocol_version);
        hello->server = kedge_envelope_unless_null(values[SERVER]);
        hello->capabilities = kedge_envelope_unless_null(values[CAPABILITIES]);
    }
    return result;
}

kedge_result kedge_flowlayer_read_ack(kedge_span payload, kedge_flowlayer_ack *ack)
{
    enum { ACCEPTED, ERROR, COUNT };
    static const kedge_member members[COUNT] = {
        [ACCEPTED] = KEDGE_MEMBER_REQUIRED("accepted", KEDGE_MEMBER_BOOLEAN),
        [ERROR] = KEDGE_MEMBER_OPTIONAL("error", KEDGE_MEMBER_OBJECT),
    };
    kedge_json_value values[COUNT];
    kedge_result result = kedge_members_read_payload(members, COUNT, payload, NULL, values);
    if (result.status == KEDGE_OK) {
        kedge_json_boolean(values[ACCEPTED], &ack->accepted);
        ack->error = values[ERROR];
    }
    return result;
}

kedge_result kedge_flowlayer_read_result(kedge_span payload, kedge_flowlayer_result *result)
{
    enum { IS_OK, DATA, ERROR, FAILED_SERVICES, COUNT };
    static const kedge_member members[COUNT] = {
        [IS_OK] = KEDGE_MEMBER_REQUIRED("ok", KEDGE_MEMBER_BOOLEAN),
        [DATA] = KEDGE_MEMBER_OPTIONAL("data", KEDGE_MEMBER_ANY),
        [ERROR] = KEDGE_MEMBER_OPTIONAL("error", KEDGE_MEMBER_OBJECT),
        [FAILED_SERVICES] = KEDGE_MEMBER_OPTIONAL("failed_services", KEDGE_MEMBER_TEXTS),
    };
    kedge_json_value values[COUNT];
    kedge_result read = kedge_members_read_payload(members, COUNT, payload, NULL, values);
    if (read.status == KEDGE_OK) {
        kedge_json_boolean(values[IS_OK], &result->ok);
        result->data = kedge_envelope_unless_null(values[DATA]);
        result->error = values[ERROR];
        result->failed_services = values[FAILED_SERVICES];
    }
    return read;
}

kedge_result kedge_flowlayer_read_error(kedge_span payload, kedge_flowlayer_error_object *error)
{
    enum { CODE, MESSAGE, COUNT };
    static const kedge_member members[COUNT] = {
        [CODE] = KEDGE_MEMBER_OPTIONAL("code", KEDGE_MEMBER_TEXT),
        [MESSAGE] = KEDGE_MEMBER_OPTIONAL("message", KEDGE_MEMBER_TEXT),
    };
    kedge_json_value values[COUNT] = {KEDGE_NO_VALUE, KEDGE_NO_VALUE};
    kedge_result result = {KEDGE_OK, 0};
    if (payload.size > 0) {
        result = kedge_members_read_payload(members, COUNT, payload, NULL, values);
    }
    if (result.status == KEDGE_OK) {
        error->code = values[CODE];
        error->message = values[MESSAGE];
    }
    return result;
}

/* ---- what applications give ----------------------------------------------------------------- */

kedge_status kedge_flowlayer_check_json(kedge_span json, size_t outer, kedge_json_kind kind)
{
    kedge_json_options options = {KEDGE_JSON_DEPTH - outer, false};
    kedge_json_reader reader;
    kedge_json_value value;
    kedge_json_begin(&reader, json, &options);
    (void)kedge_json_read(&reader, &value);
    kedge_status status = kedge_json_finish(&reader).status;
    if (status != KEDGE_OK || kind == KEDGE_JSON_KIND_NONE || value.kind == kind) {
        return status;
    }
    return kind == KEDGE_JSON_KIND_OBJECT ? KEDGE_ENVELOPE_NOT_OBJECT : KEDGE_ENVELOPE_MEMBER_TYPE;
}

kedge_status kedge_flowlayer_check_texts(kedge_span json, size_t outer)
{
    kedge_json_reader reader;
    kedge_json_value element;
    kedge_status status = kedge_flowlayer_check_json(json, outer, KEDGE_JSON_KIND_ARRAY);
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_flowlayer_list_begin(&reader, (kedge_json_value){KEDGE_JSON_KIND_ARRAY, false, json});
    while (kedge_json_next_element(&reader, &element)) {
        if (element.kind != KEDGE_JSON_KIND_TEXT) {
            return KEDGE_ENVELOPE_MEMBER_TYPE;
        }
    }
    return KEDGE_OK;
}

static bool is_status(kedge_json_value status)
{
    static const char *const words[] = {
#define STATUS_WORD(name, word) word,
        KEDGE_FLOWLAYER_STATUS_LIST(STATUS_WORD)
#undef STATUS_WORD
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (kedge_json_text_equals(status, kedge_text(words[i]))) {
            return true;
        }
    }
    return false;
}

static size_t longest_name(kedge_json_value services)
{
    size_t longest = 0;
    kedge_json_reader reader;
    kedge_flowlayer_service service;
    kedge_flowlayer_list_begin(&reader, services);
    while (kedge_flowlayer_next_service(&reader, &service)) {
        size_t size = service.name.raw.size;
        longest = size > longest ? size : longest;
    }
    return longest;
}

/* Does the text come before the other, byte by byte? */
static bool precedes(kedge_span text, kedge_span other)
{
    size_t common = text.size < other.size ? text.size : other.size;
    int order = common == 0 ? 0 : memcmp(text.data, other.data, common);
    return order < 0 || (order == 0 && text.size < other.size);
}

/* `names` has room for two names, which are decoded in turn. */
static bool are_listed_well(kedge_json_value services, uint8_t *names, size_t room)
{
    kedge_json_reader reader;
    kedge_flowlayer_service service;
    kedge_span before = kedge_text(NULL);
    bool right = true;
    bool first = true;
    uint8_t *next = names;
    kedge_flowlayer_list_begin(&reader, services);
    while (right && kedge_flowlayer_next_service(&reader, &service)) {
        size_t size = 0;
        (void)kedge_json_text(service.name, next, room, &size);
        kedge_span name = kedge_span_of(next, size);
        right = is_status(service.status) && (first || precedes(before, name));
        before = name;
        next = next == names ? names + room : names;
        first = false;
    }
    return right;
}

kedge_status kedge_flowlayer_check_snapshot(kedge_span json, kedge_allocator allocator)
{
    kedge_flowlayer_snapshot snapshot;
    kedge_status status = kedge_flowlayer_check_json(json, 1, KEDGE_JSON_KIND_OBJECT);
    if (status == KEDGE_OK) {
        status = kedge_flowlayer_read_snapshot(json, &snapshot).status;
    }
    size_t room = status == KEDGE_OK ? longest_name(snapshot.services) : 0;
    if (room == 0) {
        return status;
    }
    uint8_t *names = kedge_memory_new(allocator, 2 * room);
    if (names == NULL) {
        return KEDGE_NO_MEMORY;
    }
    bool right = are_listed_well(snapshot.services, names, room);
    kedge_memory_free(allocator, names, 2 * room);
    return right ? KEDGE_OK : KEDGE_INVALID_ARGUMENT;
}
