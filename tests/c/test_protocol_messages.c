/* What is in the payloads of FlowLayer, the messenger and BlobHub; the gateway's are in
 * test_envelope.c. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocols/blobhub_messages.h"
#include "protocols/flowlayer_messages.h"
#include "protocols/messaging_messages.h"
#include "vectors.h"

static void assert_result(kedge_result result, kedge_status status, size_t offset, const char *what)
{
    ck_assert_msg(result.status == status && result.offset == offset,
                  "%s: %s at %zu, not %s at %zu", what, kedge_status_name(result.status),
                  result.offset, kedge_status_name(status), offset);
}

/* A value must stand as the vector's text member says, or be absent if there is none. */
static void assert_value(kedge_json_value value, kedge_json_value entry, const char *member,
                         const char *what)
{
    kedge_json_value expected = vector_member(entry, member);
    if (expected.kind == KEDGE_JSON_KIND_NONE) {
        ck_assert_msg(value.kind == KEDGE_JSON_KIND_NONE, "%s: %s is there", what, member);
        return;
    }
    ck_assert_msg(value.kind != KEDGE_JSON_KIND_NONE, "%s: no %s", what, member);
    ck_assert_msg(kedge_json_text_equals(expected, value.raw), "%s: %s is %.*s", what, member,
                  (int)value.raw.size, (const char *)value.raw.data);
}

static void assert_number(bool has, uint64_t number, kedge_json_value entry, const char *member,
                          const char *what)
{
    bool expected = vector_member(entry, member).kind != KEDGE_JSON_KIND_NONE;
    ck_assert_msg(has == expected, "%s: whether it has a %s", what, member);
    ck_assert_uint_eq(number, expected ? vector_unsigned(entry, member) : 0);
}

static void assert_boolean(bool boolean, kedge_json_value entry, const char *member,
                           const char *what)
{
    bool expected;
    ck_assert_int_eq(kedge_json_boolean(vector_member(entry, member), &expected), KEDGE_OK);
    ck_assert_msg(boolean == expected, "%s: %s", what, member);
}

static void assert_integer(int64_t integer, kedge_json_value entry, const char *member,
                           const char *what)
{
    int64_t expected;
    ck_assert_int_eq(kedge_json_integer(vector_member(entry, member), &expected), KEDGE_OK);
    ck_assert_msg(integer == expected, "%s: %s", what, member);
}

/* A name as the link has it: out of an envelope. */
static kedge_envelope_name name_of(const char *word)
{
    static uint8_t text[128]; /* the name's slices outlive this call */
    kedge_envelope envelope;
    kedge_envelope_parts parts = {.type = kedge_text(word)};
    size_t size;
    ck_assert_int_eq(kedge_envelope_encode(KEDGE_GATEWAY, &parts, text, sizeof text, &size),
                     KEDGE_OK);
    ck_assert_int_eq(
        kedge_envelope_decode(&envelope, KEDGE_GATEWAY, kedge_span_of(text, size), NULL).status,
        KEDGE_OK);
    return envelope.type;
}

typedef kedge_result (*payload_reader)(kedge_span payload, kedge_json_value entry,
                                       const char *what);

typedef struct reader_row {
    const char *name;
    payload_reader read;
} reader_row;

/* The rows end with one that has no name: it is for all others. */
static void check_vectors(const char *file_name, const reader_row *rows)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, file_name);
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        kedge_json_value reader = vector_member(entry, "reader");
        kedge_span payload = vector_input(entry);
        size_t row = 0;
        while (rows[row].name != NULL &&
               !kedge_json_text_equals(reader, kedge_text(rows[row].name))) {
            row++;
        }
        assert_result(rows[row].read(payload, entry, name), vector_status(entry, "status"),
                      (size_t)vector_unsigned(entry, "offset"), name);
        block_free(payload);
        free(name);
    }
    vector_close(&file);
}

/* ---- FlowLayer ------------------------------------------------------------------------------ */

static kedge_result read_command(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_flowlayer_arguments arguments;
    char *word = vector_text(entry, "reader");
    kedge_envelope_name name = name_of(word);
    kedge_flowlayer_command command = kedge_flowlayer_find_command(&name);
    const char *known = kedge_flowlayer_command_word(command);
    ck_assert_str_eq(known == NULL ? "other" : known, word);
    free(word);
    memset(&arguments, 0xEE, sizeof arguments);
    kedge_result result = kedge_flowlayer_read_arguments(command, payload, &arguments);
    if (result.status == KEDGE_OK) {
        kedge_json_value service = vector_member(entry, "service");
        uint8_t text[64];
        size_t size = 0;
        ck_assert_msg(kedge_json_text(arguments.service, text, sizeof text, &size) ==
                          (service.kind == KEDGE_JSON_KIND_NONE ? KEDGE_JSON_TYPE : KEDGE_OK),
                      "%s", what);
        ck_assert_msg(service.kind == KEDGE_JSON_KIND_NONE ||
                          kedge_json_text_equals(service, kedge_span_of(text, size)),
                      "%s", what);
        assert_number(arguments.has_limit, arguments.limit, entry, "limit", what);
        assert_number(arguments.has_after_seq, arguments.after_seq, entry, "after_seq", what);
        assert_number(arguments.has_before_seq, arguments.before_seq, entry, "before_seq", what);
    }
    return result;
}

static kedge_result read_hello(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_flowlayer_hello hello;
    kedge_result result = kedge_flowlayer_read_hello(payload, &hello);
    if (result.status == KEDGE_OK) {
        assert_integer(hello.protocol_version, entry, "protocol_version", what);
        assert_value(hello.server, entry, "server", what);
        assert_value(hello.capabilities, entry, "capabilities", what);
    }
    return result;
}

/* The vector's next line, which must be what was written to `line`. */
static void assert_line(kedge_json_reader *lines, const char *line, const char *what)
{
    kedge_json_value expected;
    ck_assert_msg(kedge_json_next_element(lines, &expected), "%s: too many", what);
    ck_assert_msg(kedge_json_text_equals(expected, kedge_text(line)), "%s: %s", what, line);
}

static kedge_json_reader lines_of(kedge_json_value entry)
{
    kedge_json_reader lines;
    kedge_json_begin(&lines, vector_member(entry, "list").raw, NULL);
    ck_assert(kedge_json_array_begin(&lines));
    return lines;
}

static kedge_result read_snapshot(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_flowlayer_snapshot snapshot;
    kedge_flowlayer_service service;
    kedge_json_reader list;
    kedge_result result = kedge_flowlayer_read_snapshot(payload, &snapshot);
    if (result.status == KEDGE_OK) {
        kedge_json_reader lines = lines_of(entry);
        kedge_flowlayer_list_begin(&list, snapshot.services);
        while (kedge_flowlayer_next_service(&list, &service)) {
            char line[128];
            snprintf(line, sizeof line, "%.*s %.*s", (int)service.name.raw.size,
                     (const char *)service.name.raw.data, (int)service.status.raw.size,
                     (const char *)service.status.raw.data);
            assert_line(&lines, line, what);
            ck_assert_int_eq(service.timestamp.kind, KEDGE_JSON_KIND_NONE);
        }
        ck_assert_msg(!kedge_json_next_item(&lines), "%s: too few", what);
    }
    return result;
}

static kedge_result read_service_status(kedge_span payload, kedge_json_value entry,
                                        const char *what)
{
    kedge_flowlayer_service service;
    kedge_result result = kedge_flowlayer_read_service_status(payload, &service);
    if (result.status == KEDGE_OK) {
        assert_value(service.name, entry, "service", what);
        assert_value(service.status, entry, "state", what);
        assert_value(service.timestamp, entry, "timestamp", what);
    }
    return result;
}

static kedge_result read_log(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_flowlayer_log log;
    kedge_result result = kedge_flowlayer_read_log(payload, &log);
    if (result.status == KEDGE_OK) {
        assert_number(true, log.seq, entry, "seq", what);
        assert_value(log.service, entry, "service", what);
        assert_value(log.phase, entry, "phase", what);
        assert_value(log.stream, entry, "stream", what);
        assert_value(log.message, entry, "message", what);
        assert_value(log.timestamp, entry, "timestamp", what);
    }
    return result;
}

static void check_entries(const kedge_flowlayer_logs *logs, kedge_json_value entry,
                          const char *what)
{
    kedge_flowlayer_log log;
    kedge_json_reader list;
    kedge_span raw;
    size_t count = 0;
    kedge_json_reader lines = lines_of(entry);
    kedge_flowlayer_list_begin(&list, logs->entries);
    while (kedge_flowlayer_next_log(&list, &log, &raw)) {
        char line[128];
        snprintf(line, sizeof line, "%llu %.*s", (unsigned long long)log.seq, (int)raw.size,
                 (const char *)raw.data);
        assert_line(&lines, line, what);
        count++;
    }
    ck_assert_msg(!kedge_json_next_item(&lines), "%s: too few", what);
    kedge_flowlayer_list_begin(&list, logs->entries);
    for (; kedge_flowlayer_next_log(&list, &log, NULL); count--) {
        ck_assert_uint_gt(count, 0);
    }
    ck_assert_uint_eq(count, 0);
}

static kedge_result read_logs(kedge_span data, kedge_json_value entry, const char *what)
{
    kedge_flowlayer_logs logs;
    kedge_result result = kedge_flowlayer_read_logs(data, &logs);
    if (result.status == KEDGE_OK) {
        assert_boolean(logs.truncated, entry, "truncated", what);
        assert_number(true, logs.effective_limit, entry, "effective_limit", what);
        check_entries(&logs, entry, what);
    }
    return result;
}

static kedge_result read_ack(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_flowlayer_ack ack;
    kedge_result result = kedge_flowlayer_read_ack(payload, &ack);
    if (result.status == KEDGE_OK) {
        assert_boolean(ack.accepted, entry, "accepted", what);
        assert_value(ack.error, entry, "error", what);
    }
    return result;
}

static kedge_result read_result(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_flowlayer_result of;
    kedge_result result = kedge_flowlayer_read_result(payload, &of);
    if (result.status == KEDGE_OK) {
        assert_boolean(of.ok, entry, "ok", what);
        assert_value(of.data, entry, "data", what);
        assert_value(of.error, entry, "error", what);
        assert_value(of.failed_services, entry, "failed_services", what);
    }
    return result;
}

static kedge_result read_error(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_flowlayer_error_object error;
    kedge_result result = kedge_flowlayer_read_error(payload, &error);
    if (result.status == KEDGE_OK) {
        assert_value(error.code, entry, "code", what);
        assert_value(error.message, entry, "message", what);
    }
    return result;
}

START_TEST(flowlayer_payloads)
{
    static const reader_row rows[] = {
        {"hello", read_hello},
        {"snapshot", read_snapshot},
        {"service_status", read_service_status},
        {"log", read_log},
        {"logs", read_logs},
        {"ack", read_ack},
        {"result", read_result},
        {"error", read_error},
        {NULL, read_command},
    };
    check_vectors("flowlayer_payloads.json", rows);
}
END_TEST

START_TEST(flowlayer_errors_have_words)
{
    static const char *const words[] = {
        "invalid_json",    "missing_type", "unknown_type",    "unsupported_message_type",
        "missing_id",      "missing_name", "unknown_command", "invalid_payload",
        "unknown_service", "service_busy", "internal_error"};
    for (int i = KEDGE_FLOWLAYER_INVALID_JSON; i <= KEDGE_FLOWLAYER_INTERNAL_ERROR; i++) {
        ck_assert_str_eq(kedge_flowlayer_error_word((kedge_flowlayer_error)i), words[i]);
        ck_assert_uint_gt(strlen(kedge_flowlayer_error_message((kedge_flowlayer_error)i)), 0);
    }
}
END_TEST

/* ---- messenger ------------------------------------------------------------------------------ */

static kedge_result read_request(kedge_span payload, kedge_json_value entry, const char *what)
{
    char *word = vector_text(entry, "reader");
    kedge_envelope_name name = name_of(word);
    kedge_messaging_request request = kedge_messaging_find_request(&name);
    ck_assert_msg((request == KEDGE_MESSAGING_OTHER_REQUEST) == (strcmp(word, "other") == 0), "%s",
                  what);
    free(word);
    return kedge_messaging_check_payload(request, payload);
}

static kedge_result read_subscribe(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_messaging_subscribe subscribe;
    kedge_result result = kedge_messaging_read_subscribe(payload, &subscribe);
    kedge_result checked = read_request(payload, entry, what);
    assert_result(checked, result.status, result.offset, what);
    if (result.status == KEDGE_OK) {
        assert_number(subscribe.has_last_event_id, subscribe.last_event_id, entry, "lastEventId",
                      what);
    }
    return result;
}

static kedge_result read_subscribed(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_messaging_subscribed subscribed;
    kedge_result result = kedge_messaging_read_subscribed(payload, &subscribed);
    if (result.status == KEDGE_OK) {
        assert_number(true, subscribed.last_event_id, entry, "lastEventId", what);
        assert_number(true, subscribed.count, entry, "count", what);
    }
    return result;
}

static kedge_result read_refusal(kedge_span payload, kedge_json_value entry, const char *what)
{
    kedge_messaging_refusal refusal;
    kedge_result result = kedge_messaging_read_refusal(payload, &refusal);
    if (result.status == KEDGE_OK) {
        assert_boolean(refusal.refused, entry, "refused", what);
        assert_value(refusal.code, entry, "code", what);
        assert_value(refusal.message, entry, "message", what);
        assert_number(refusal.has_first_event_id, refusal.first_event_id, entry, "firstEventId",
                      what);
        ck_assert(!refusal.refused || refusal.error.kind == KEDGE_JSON_KIND_OBJECT);
    }
    return result;
}

START_TEST(messaging_payloads)
{
    static const reader_row rows[] = {
        {"subscribe", read_subscribe},
        {"subscribed", read_subscribed},
        {"refusal", read_refusal},
        {NULL, read_request},
    };
    check_vectors("messaging_payloads.json", rows);
}
END_TEST

START_TEST(messaging_requests_tell_what_they_take)
{
    const kedge_messaging_row *row = kedge_messaging_row_of(KEDGE_MESSAGING_REQUEST_MESSAGES);
    ck_assert_uint_eq(row->count, 4);
    ck_assert_str_eq(row->members[0].name, "startId");
    ck_assert_int_eq(row->binding, KEDGE_MESSAGING_BINDS_NOT_BOTH);
    ck_assert_uint_eq(kedge_messaging_row_of(KEDGE_MESSAGING_REQUEST_CHATS)->count, 0);
}
END_TEST

START_TEST(messaging_events_are_numbered_or_passing)
{
    static const char *const numbered[] = {"new", "edit", "delete", "dlvrd", "read", "chats"};
    static const char *const passing[] = {"typing", "online", "offline"};
    static const char *const others[] = {"", "chat", "newer", "New", "subscribe"};
    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(kedge_messaging_classify_event(kedge_text(numbered[i])),
                         KEDGE_MESSAGING_NUMBERED_EVENT);
    }
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(kedge_messaging_classify_event(kedge_text(passing[i])),
                         KEDGE_MESSAGING_PASSING_EVENT);
    }
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(kedge_messaging_classify_event(kedge_text(others[i])),
                         KEDGE_MESSAGING_OTHER_EVENT);
    }
}
END_TEST

START_TEST(messaging_errors_have_words)
{
    static const char *const words[] = {
        "invalid_message", "invalid_payload",    "unknown_type", "ahead",
        "history_lost",    "already_subscribed", "busy",         "internal_error"};
    for (int i = KEDGE_MESSAGING_INVALID_MESSAGE; i <= KEDGE_MESSAGING_INTERNAL_ERROR; i++) {
        ck_assert_str_eq(kedge_messaging_error_word((kedge_messaging_error)i), words[i]);
        ck_assert_uint_gt(strlen(kedge_messaging_error_message((kedge_messaging_error)i)), 0);
    }
}
END_TEST

/* ---- BlobHub -------------------------------------------------------------------------------- */

static kedge_result assert_info(kedge_result result, const kedge_blobhub_info *info,
                                kedge_json_value entry, const char *what)
{
    if (result.status == KEDGE_OK) {
        assert_value(info->name, entry, "info_name", what);
        assert_value(info->version, entry, "version", what);
    }
    return result;
}

static kedge_result read_initialize(kedge_span params, kedge_json_value entry, const char *what)
{
    kedge_blobhub_info info;
    kedge_result result = kedge_blobhub_read_initialize(params, &info);
    return assert_info(result, &info, entry, what);
}

static kedge_result read_initialized(kedge_span params, kedge_json_value entry, const char *what)
{
    kedge_blobhub_info info;
    kedge_result result = kedge_blobhub_read_initialized(params, &info);
    return assert_info(result, &info, entry, what);
}

static void assert_coordinates(const kedge_blobhub_coordinates *coordinates, kedge_json_value entry,
                               const char *what)
{
    assert_value(coordinates->scope, entry, "scope", what);
    assert_value(coordinates->scope_id, entry, "scope_id", what);
    assert_value(coordinates->target, entry, "target", what);
    assert_value(coordinates->target_id, entry, "target_id", what);
}

static kedge_result read_subscription(kedge_span params, kedge_json_value entry, const char *what)
{
    kedge_blobhub_subscription subscription;
    kedge_result result = kedge_blobhub_read_subscription(params, &subscription);
    if (result.status == KEDGE_OK) {
        assert_coordinates(&subscription.coordinates, entry, what);
        assert_value(subscription.types, entry, "types", what);
    }
    return result;
}

static kedge_result read_event(kedge_span params, kedge_json_value entry, const char *what)
{
    kedge_blobhub_event event;
    kedge_result result = kedge_blobhub_read_event(params, &event);
    if (result.status == KEDGE_OK) {
        assert_coordinates(&event.coordinates, entry, what);
        assert_value(event.type, entry, "type", what);
        assert_value(event.event, entry, "event", what);
    }
    return result;
}

static kedge_result read_rpc_error(kedge_span error, kedge_json_value entry, const char *what)
{
    kedge_blobhub_error_object object;
    kedge_result result = kedge_blobhub_read_error(error, &object);
    if (result.status == KEDGE_OK) {
        char code[32];
        snprintf(code, sizeof code, "%lld", (long long)object.code);
        ck_assert_msg(kedge_json_text_equals(vector_member(entry, "code"), kedge_text(code)), "%s",
                      what);
        assert_value(object.message, entry, "message", what);
        assert_value(object.data, entry, "data", what);
    }
    return result;
}

START_TEST(blobhub_payloads)
{
    static const reader_row rows[] = {
        {"initialize", read_initialize},     {"initialized", read_initialized},
        {"subscription", read_subscription}, {"event", read_event},
        {"error", read_rpc_error},           {NULL, NULL},
    };
    check_vectors("blobhub_payloads.json", rows);
}
END_TEST

START_TEST(blobhub_methods_are_known)
{
    static const char *const words[] = {"status/initialize", "subscription/add",
                                        "subscription/remove", "subscription/event"};
    static const kedge_blobhub_method methods[] = {
        KEDGE_BLOBHUB_METHOD_INITIALIZE, KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_ADD,
        KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_REMOVE, KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_EVENT};
    for (size_t i = 0; i < 4; i++) {
        kedge_envelope_name name = name_of(words[i]);
        ck_assert_int_eq(kedge_blobhub_find_method(&name), methods[i]);
        ck_assert_str_eq(kedge_blobhub_method_word(methods[i]), words[i]);
    }
    kedge_envelope_name other = name_of("status");
    ck_assert_int_eq(kedge_blobhub_find_method(&other), KEDGE_BLOBHUB_OTHER_METHOD);
    ck_assert_ptr_null(kedge_blobhub_method_word(KEDGE_BLOBHUB_OTHER_METHOD));
}
END_TEST

START_TEST(blobhub_errors_are_understood)
{
    static const struct {
        int64_t code;
        kedge_blobhub_error meaning;
    } rows[] = {
        {400, KEDGE_BLOBHUB_INVALID_SYNTAX},
        {403, KEDGE_BLOBHUB_FORBIDDEN},
        {405, KEDGE_BLOBHUB_METHOD_NOT_SUPPORTED},
        {500, KEDGE_BLOBHUB_UNEXPECTED_FAILURE},
        {-32700, KEDGE_BLOBHUB_INVALID_SYNTAX},
        {-32600, KEDGE_BLOBHUB_INVALID_SYNTAX},
        {-32601, KEDGE_BLOBHUB_METHOD_NOT_SUPPORTED},
        {-32602, KEDGE_BLOBHUB_INVALID_SYNTAX},
        {-32603, KEDGE_BLOBHUB_UNEXPECTED_FAILURE},
        {0, KEDGE_BLOBHUB_OTHER_ERROR},
        {404, KEDGE_BLOBHUB_OTHER_ERROR},
        {400 + (INT64_C(1) << 32), KEDGE_BLOBHUB_OTHER_ERROR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(kedge_blobhub_error_of(rows[i].code), rows[i].meaning);
        ck_assert_int_eq(kedge_blobhub_error_message(rows[i].meaning) == NULL,
                         rows[i].meaning == KEDGE_BLOBHUB_OTHER_ERROR);
    }
}
END_TEST

Suite *kedge_protocol_messages_suite(void);

Suite *kedge_protocol_messages_suite(void)
{
    Suite *suite = suite_create("protocol_messages");
    TCase *cases = tcase_create("protocol_messages");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, flowlayer_payloads);
    tcase_add_test(cases, flowlayer_errors_have_words);
    tcase_add_test(cases, messaging_payloads);
    tcase_add_test(cases, messaging_requests_tell_what_they_take);
    tcase_add_test(cases, messaging_events_are_numbered_or_passing);
    tcase_add_test(cases, messaging_errors_have_words);
    tcase_add_test(cases, blobhub_payloads);
    tcase_add_test(cases, blobhub_methods_are_known);
    tcase_add_test(cases, blobhub_errors_are_understood);
    suite_add_tcase(suite, cases);
    return suite;
}
