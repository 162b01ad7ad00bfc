#define _POSIX_C_SOURCE 200809L /* for barriers of threads */

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd_errors.h>

#include "kedge/envelope.h"
#include "kedge/publication.h"
#include "memory_probe.h"
#include "zstd_faults.h"

static kedge_zstd_encoder *encoder_new(void)
{
    kedge_zstd_encoder *encoder = NULL;
    ck_assert_int_eq(kedge_zstd_encoder_create(&encoder, kedge_allocator_default(), 3), KEDGE_OK);
    return encoder;
}

static kedge_publication_source event(const char *name, const char *payload)
{
    kedge_publication_source source = {
        KEDGE_GATEWAY, kedge_text(name), kedge_text(payload), 0, false, false};
    return source;
}

static kedge_publication *publication_new(kedge_publication_source source)
{
    kedge_publication *publication = NULL;
    ck_assert_int_eq(kedge_publication_create(&publication, kedge_allocator_default(), &source),
                     KEDGE_OK);
    return publication;
}

/* The parts of a message, joined; the caller frees it. */
static kedge_span gather(const kedge_scatter *scatter)
{
    uint8_t *bytes = malloc(scatter->size + 1);
    size_t size = 0;
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_le(scatter->count, 2);
    for (size_t i = 0; i < scatter->count; i++) {
        ck_assert_uint_ne(scatter->parts[i].size, 0);
        memcpy(bytes + size, scatter->parts[i].data, scatter->parts[i].size);
        size += scatter->parts[i].size;
    }
    ck_assert_uint_eq(size, scatter->size);
    bytes[size] = 0;
    return kedge_span_of(bytes, size);
}

static void drop(kedge_span bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

static kedge_span plain_text(const kedge_publication *publication, uint64_t number)
{
    kedge_scatter scatter;
    ck_assert_int_eq(kedge_publication_write(publication, number, false, &scatter), KEDGE_OK);
    ck_assert_uint_eq(scatter.size, kedge_publication_plain_size(publication, number));
    return gather(&scatter);
}

static void assert_plain(const kedge_publication *publication, uint64_t number,
                         const char *expected)
{
    kedge_span text = plain_text(publication, number);
    ck_assert_str_eq((const char *)text.data, expected);
    drop(text);
}

/* The compressed form of the message decodes to its plain form. */
static void assert_compressed(const kedge_publication *publication, uint64_t number)
{
    static const kedge_zstd_limits limits = {UINT64_C(1) << 30, KEDGE_ZSTD_WINDOW_COMMON};
    kedge_scatter scatter;
    kedge_zstd_decoder *decoder = NULL;
    uint8_t *content = NULL;
    size_t size = 0;
    ck_assert_int_eq(kedge_publication_write(publication, number, true, &scatter), KEDGE_OK);
    ck_assert_uint_eq(scatter.size, kedge_publication_compressed_size(publication, number));
    kedge_span frame = gather(&scatter);
    kedge_span plain = plain_text(publication, number);
    ck_assert_int_eq(kedge_zstd_decoder_create(&decoder, kedge_allocator_default()), KEDGE_OK);
    ck_assert_int_eq(
        kedge_zstd_decode_new(decoder, frame, limits, kedge_allocator_default(), &content, &size),
        KEDGE_OK);
    ck_assert(kedge_span_equal(kedge_span_of(content, size), plain));
    free(content);
    kedge_zstd_decoder_free(decoder);
    drop(plain);
    drop(frame);
}

/* ---- what is written ------------------------------------------------------------------------ */

START_TEST(each_session_adds_only_its_number)
{
    kedge_publication *publication =
        publication_new(event("message_create", "{\"id\":7,\"content\":\"h\xc3\xa9\"}"));
    assert_plain(publication, 1,
                 "{\"seq\":1,\"type\":\"message_create\","
                 "\"d\":{\"id\":7,\"content\":\"h\xc3\xa9\"}}");
    assert_plain(publication, 0,
                 "{\"seq\":0,\"type\":\"message_create\","
                 "\"d\":{\"id\":7,\"content\":\"h\xc3\xa9\"}}");
    assert_plain(publication, UINT64_MAX,
                 "{\"seq\":18446744073709551615,\"type\":\"message_create\","
                 "\"d\":{\"id\":7,\"content\":\"h\xc3\xa9\"}}");
    kedge_scatter first;
    kedge_scatter second;
    ck_assert_int_eq(kedge_publication_write(publication, 1, false, &first), KEDGE_OK);
    ck_assert_int_eq(kedge_publication_write(publication, 99, false, &second), KEDGE_OK);
    ck_assert_ptr_eq(first.parts[0].data, first.inline_bytes);
    ck_assert_ptr_eq(first.parts[1].data, second.parts[1].data);
    kedge_publication_release(publication);
}
END_TEST

START_TEST(a_payload_may_be_absent)
{
    kedge_publication *publication = publication_new(event("ping", NULL));
    assert_plain(publication, 12, "{\"seq\":12,\"type\":\"ping\"}");
    ck_assert_uint_eq(kedge_publication_describe(publication).payload.size, 0);
    kedge_publication_release(publication);
}
END_TEST

START_TEST(a_passing_event_carries_no_number)
{
    kedge_publication_source source = event("error", "{\"code\":1}");
    source.passing = true;
    kedge_publication *publication = publication_new(source);
    kedge_zstd_encoder *encoder = encoder_new();
    assert_plain(publication, 5, "{\"type\":\"error\",\"d\":{\"code\":1}}");
    ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_OK);
    assert_compressed(publication, 5);
    kedge_publication_source described = kedge_publication_describe(publication);
    ck_assert(described.passing);
    ck_assert(kedge_span_equal(described.payload, kedge_text("{\"code\":1}")));
    kedge_publication_release(publication);
    kedge_zstd_encoder_free(encoder);
}
END_TEST

START_TEST(a_name_is_escaped_and_remembered_as_it_was)
{
    static const char name[] = "a\"b\\c\n\xe2\x82\xac";
    kedge_publication *publication = publication_new(event(name, " [1, 2]\t"));
    assert_plain(publication, 3,
                 "{\"seq\":3,\"type\":\"a\\\"b\\\\c\\n\xe2\x82\xac\",\"d\": [1, 2]\t}");
    kedge_publication_source described = kedge_publication_describe(publication);
    ck_assert(kedge_span_equal(described.name, kedge_text(name)));
    ck_assert(kedge_span_equal(described.payload, kedge_text(" [1, 2]\t")));
    kedge_publication_release(publication);
}
END_TEST

START_TEST(a_reader_gets_back_what_was_put_in)
{
    static const char *const payloads[] = {"null", "{}", "\"text\"", "-1.5e3", "[[],{\"a\":[]}]"};
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        kedge_envelope envelope;
        kedge_publication *publication = publication_new(event("typing", payloads[i]));
        kedge_span text = plain_text(publication, 1000 + i);
        kedge_result result = kedge_envelope_decode(&envelope, KEDGE_GATEWAY, text, NULL);
        ck_assert_int_eq(result.status, KEDGE_OK);
        ck_assert(envelope.numbered);
        ck_assert_uint_eq(envelope.sequence, 1000 + i);
        ck_assert(kedge_envelope_name_is(&envelope.type, kedge_text("typing")));
        ck_assert(i == 0 || kedge_span_equal(envelope.payload.raw, kedge_text(payloads[i])));
        drop(text);
        kedge_publication_release(publication);
    }
}
END_TEST

START_TEST(what_is_described_can_be_created_again)
{
    kedge_publication_source source = event("pres\"ence", "{\"status\":\"idle\"}");
    source.timestamp = 17;
    source.passing = _i == 1;
    kedge_publication *first = publication_new(source);
    kedge_publication_source described = kedge_publication_describe(first);
    ck_assert_uint_eq(described.timestamp, 17);
    ck_assert(described.known_good);
    ck_assert_int_eq(described.protocol, KEDGE_GATEWAY);
    kedge_publication *second = publication_new(described);
    kedge_span expected = plain_text(first, 8);
    kedge_publication_release(first);
    assert_plain(second, 8, (const char *)expected.data);
    drop(expected);
    kedge_publication_release(second);
}
END_TEST

START_TEST(control_is_sent_as_it_is)
{
    static const char text[] =
        "{\"type\":\"hello\",\"seq\":0,\"d\":{\"heartbeat_interval\":45000}}";
    kedge_zstd_encoder *encoder = encoder_new();
    for (int protocol = KEDGE_GATEWAY; protocol <= KEDGE_BLOBHUB; protocol++) {
        kedge_publication *publication = NULL;
        ck_assert_int_eq(kedge_publication_control(&publication, kedge_allocator_default(),
                                                   (kedge_protocol)protocol, kedge_text(text)),
                         KEDGE_OK);
        ck_assert(kedge_publication_is_control(publication));
        assert_plain(publication, 44, text);
        ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_OK);
        assert_compressed(publication, 44);
        kedge_publication_source described = kedge_publication_describe(publication);
        ck_assert_int_eq((int)described.protocol, protocol);
        ck_assert(described.passing);
        ck_assert_uint_eq(described.name.size, 0);
        ck_assert(kedge_span_equal(described.payload, kedge_text(text)));
        kedge_publication_release(publication);
    }
    kedge_zstd_encoder_free(encoder);
}
END_TEST

/* ---- the other protocols -------------------------------------------------------------------- */

typedef struct protocol_row {
    kedge_publication_source source;
    const char *plain; /* with 41 */
} protocol_row;

static protocol_row protocol_row_of(int index)
{
    static const struct {
        kedge_protocol protocol;
        const char *name;
        const char *payload;
        bool passing;
        const char *plain;
    } rows[] = {
        {KEDGE_FLOWLAYER, "log", "{\"service\":\"s\",\"message\":\"m\"}", false,
         "{\"payload\":{\"seq\":41,\"service\":\"s\",\"message\":\"m\"},"
         "\"type\":\"event\",\"name\":\"log\"}"},
        {KEDGE_FLOWLAYER, "l\"g", " {\n\"a\":{} }\t", false,
         "{\"payload\":{\"seq\":41,\"a\":{} },\"type\":\"event\",\"name\":\"l\\\"g\"}"},
        {KEDGE_FLOWLAYER, "service_status", "{\"service\":\"s\"}", true,
         "{\"type\":\"event\",\"name\":\"service_status\",\"payload\":{\"service\":\"s\"}}"},
        {KEDGE_FLOWLAYER, "bare", NULL, true, "{\"type\":\"event\",\"name\":\"bare\"}"},
        {KEDGE_MESSAGING, "new", "{\"chatId\":1}", false,
         "{\"id\":41,\"type\":\"event\",\"timestamp\":1700000000,\"eventType\":\"new\","
         "\"payload\":{\"chatId\":1}}"},
        {KEDGE_MESSAGING, "chats", NULL, false,
         "{\"id\":41,\"type\":\"event\",\"timestamp\":1700000000,\"eventType\":\"chats\"}"},
        {KEDGE_MESSAGING, "typing", "[7]", true,
         "{\"type\":\"event\",\"timestamp\":1700000000,\"eventType\":\"typing\","
         "\"payload\":[7]}"},
        {KEDGE_BLOBHUB, "subscription/event", "{\"scope\":\"s\"}", true,
         "{\"jsonrpc\":\"2.0\",\"method\":\"subscription/event\","
         "\"params\":{\"scope\":\"s\"}}"},
        {KEDGE_BLOBHUB, "tick", NULL, true, "{\"jsonrpc\":\"2.0\",\"method\":\"tick\"}"},
    };
    ck_assert_int_eq(sizeof rows / sizeof rows[0], 9);
    kedge_publication_source source = {
        rows[index].protocol, kedge_text(rows[index].name), kedge_text(rows[index].payload),
        1700000000,           rows[index].passing,          false};
    return (protocol_row){source, rows[index].plain};
}

#define PROTOCOL_ROWS 9

START_TEST(each_protocol_has_its_place_for_the_number)
{
    protocol_row row = protocol_row_of(_i);
    kedge_publication *publication = publication_new(row.source);
    kedge_zstd_encoder *encoder = encoder_new();
    assert_plain(publication, 41, row.plain);
    kedge_span largest = plain_text(publication, UINT64_MAX);
    ck_assert_int_eq(kedge_json_validate(largest, KEDGE_JSON_DEPTH).status, KEDGE_OK);
    drop(largest);
    ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_OK);
    assert_compressed(publication, 41);
    assert_compressed(publication, UINT64_MAX);
    kedge_zstd_encoder_free(encoder);
    kedge_publication_release(publication);
}
END_TEST

START_TEST(each_protocol_is_described_and_created_again)
{
    protocol_row row = protocol_row_of(_i);
    kedge_publication *first = publication_new(row.source);
    kedge_publication_source described = kedge_publication_describe(first);
    ck_assert_int_eq((int)described.protocol, (int)row.source.protocol);
    ck_assert(!kedge_publication_is_control(first));
    ck_assert(kedge_span_equal(described.name, row.source.name));
    ck_assert_int_eq(described.passing, row.source.passing);
    ck_assert_uint_eq(described.timestamp, row.source.timestamp);
    ck_assert_int_eq(described.payload.size == 0, row.source.payload.size == 0);
    ck_assert(_i == 1 || kedge_span_equal(described.payload, row.source.payload));
    ck_assert(_i != 1 || kedge_span_equal(described.payload, kedge_text("{\"a\":{} }")));
    kedge_publication *second = publication_new(described);
    kedge_publication_release(first);
    assert_plain(second, 41, row.plain);
    kedge_publication_release(second);
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------ */

static void assert_refused(kedge_publication_source source, kedge_status expected)
{
    memory_probe probe = {0};
    kedge_publication *publication = NULL;
    kedge_status status =
        kedge_publication_create(&publication, memory_probe_allocator(&probe), &source);
    ck_assert_msg(status == expected, "%s", kedge_status_name(status));
    ck_assert_ptr_null(publication);
    ck_assert_uint_eq(probe.calls, 0);
}

START_TEST(bad_names_and_payloads_are_refused_before_memory_is_taken)
{
    assert_refused(event("x", "{"), KEDGE_JSON_TRUNCATED);
    assert_refused(event("x", "{} {}"), KEDGE_JSON_TRAILING);
    assert_refused(event("x", "01"), KEDGE_JSON_NUMBER);
    assert_refused(event("x", "\"\\ud800\""), KEDGE_JSON_LONE_SURROGATE);
    assert_refused(event("x", " "), KEDGE_JSON_TRUNCATED);
    assert_refused(event("x", "\"\xff\""), KEDGE_UTF8_INVALID);
    assert_refused(event("\xc3", "{}"), KEDGE_UTF8_TRUNCATED);
    assert_refused(event("", "{}"), KEDGE_INVALID_ARGUMENT);
    assert_refused(event(NULL, "{}"), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_message_is_nested_at_most_128_deep)
{
    char payload[2 * 128 + 1];
    memset(payload, '[', 128);
    memset(payload + 128, ']', 128);
    payload[256] = 0;
    assert_refused(event("x", payload), KEDGE_JSON_TOO_DEEP);
    payload[255] = 0;
    kedge_publication *publication = publication_new(event("x", payload + 1));
    kedge_span text = plain_text(publication, 1);
    ck_assert_int_eq(kedge_json_validate(text, KEDGE_JSON_DEPTH).status, KEDGE_OK);
    drop(text);
    kedge_publication_release(publication);
}
END_TEST

START_TEST(what_is_known_to_be_good_is_not_checked)
{
    kedge_publication_source source = event("x", "not JSON");
    source.known_good = true;
    kedge_publication *publication = publication_new(source);
    assert_plain(publication, 1, "{\"seq\":1,\"type\":\"x\",\"d\":not JSON}");
    kedge_publication_release(publication);
}
END_TEST

START_TEST(what_is_no_protocol_is_refused)
{
    kedge_publication_source source = event("x", "{}");
    source.protocol = (kedge_protocol)(KEDGE_BLOBHUB + 1);
    assert_refused(source, KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(each_protocol_refuses_payloads_of_another_kind)
{
    static const struct {
        kedge_protocol protocol;
        const char *name;
        const char *payload;
        bool passing;
        kedge_status status;
    } rows[] = {
        {KEDGE_FLOWLAYER, "log", "[1]", false, KEDGE_ENVELOPE_MEMBER_TYPE},
        {KEDGE_FLOWLAYER, "log", "null", true, KEDGE_ENVELOPE_MEMBER_TYPE},
        {KEDGE_FLOWLAYER, "log", "{}", false, KEDGE_ENVELOPE_MEMBER_MISSING},
        {KEDGE_FLOWLAYER, "log", "{\"seq\":1}", false, KEDGE_ENVELOPE_MEMBER_DOUBLED},
        {KEDGE_FLOWLAYER, "log", NULL, false, KEDGE_INVALID_ARGUMENT},
        {KEDGE_FLOWLAYER, " \t", "{}", true, KEDGE_INVALID_ARGUMENT},
        {KEDGE_MESSAGING, "new", "{", false, KEDGE_JSON_TRUNCATED},
        {KEDGE_BLOBHUB, "m", "{}", false, KEDGE_UNSUPPORTED},
        {KEDGE_BLOBHUB, "m", "1", true, KEDGE_ENVELOPE_MEMBER_TYPE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        kedge_publication_source source = event(rows[i].name, rows[i].payload);
        source.protocol = rows[i].protocol;
        source.passing = rows[i].passing;
        assert_refused(source, rows[i].status);
    }
}
END_TEST

START_TEST(what_no_memory_can_hold_is_refused)
{
    static const uint8_t byte = '1';
    kedge_publication *publication = NULL;
    kedge_publication_source source = event("x", NULL);
    source.known_good = true;
    source.payload = kedge_span_of(&byte, SIZE_MAX - 10);
    assert_refused(source, KEDGE_LIMIT);
    for (size_t less = 40; less < 200; less++) {
        memory_probe probe = {0};
        source.payload = kedge_span_of(&byte, SIZE_MAX - less);
        probe.fails_at = 1;
        kedge_status status =
            kedge_publication_create(&publication, memory_probe_allocator(&probe), &source);
        ck_assert_int_eq(status, probe.calls == 0 ? KEDGE_LIMIT : KEDGE_NO_MEMORY);
    }
    source.payload = kedge_span_of(&byte, SIZE_MAX - 40);
    ck_assert_int_eq(kedge_publication_control(&publication, kedge_allocator_default(),
                                               KEDGE_GATEWAY, source.payload),
                     KEDGE_LIMIT);
    ck_assert_ptr_null(publication);
}
END_TEST

START_TEST(a_protocol_says_which_events_pass)
{
    static const struct {
        kedge_protocol protocol;
        const char *name;
        bool passes;
    } rows[] = {
        {KEDGE_GATEWAY, "typing", false},  {KEDGE_FLOWLAYER, "log", false},
        {KEDGE_FLOWLAYER, "hello", true},  {KEDGE_MESSAGING, "typing", true},
        {KEDGE_MESSAGING, "online", true}, {KEDGE_MESSAGING, "offline", true},
        {KEDGE_MESSAGING, "new", false},   {KEDGE_MESSAGING, "another", false},
        {KEDGE_BLOBHUB, "anything", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert(kedge_publication_passes(rows[i].protocol, kedge_text(rows[i].name)) ==
                  rows[i].passes);
    }
}
END_TEST

START_TEST(misuse_is_refused)
{
    const kedge_allocator none = {NULL, NULL};
    kedge_allocator some = kedge_allocator_default();
    kedge_publication *publication = NULL;
    kedge_scatter scatter;
    kedge_publication_source source = event("x", "{}");
    ck_assert_int_eq(kedge_publication_create(NULL, some, &source), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_publication_create(&publication, none, &source), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_publication_create(&publication, some, NULL), KEDGE_INVALID_ARGUMENT);
    source.payload = kedge_span_of(NULL, 2);
    assert_refused(source, KEDGE_INVALID_ARGUMENT);
    source.name = kedge_span_of(NULL, 2);
    assert_refused(source, KEDGE_INVALID_ARGUMENT);
    kedge_span text = kedge_text("{}");
    ck_assert_int_eq(kedge_publication_control(NULL, some, KEDGE_GATEWAY, text),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_publication_control(&publication, none, KEDGE_GATEWAY, text),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_publication_control(&publication, some, (kedge_protocol)4, text),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_publication_control(&publication, some, KEDGE_GATEWAY, kedge_text("")),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(
        kedge_publication_control(&publication, some, KEDGE_GATEWAY, kedge_span_of(NULL, 1)),
        KEDGE_INVALID_ARGUMENT);
    ck_assert_ptr_null(publication);
    publication = publication_new(event("x", NULL));
    ck_assert_int_eq(kedge_publication_write(NULL, 1, false, &scatter), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_publication_write(NULL, 1, true, &scatter), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_publication_write(publication, 1, false, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_publication_compress(publication, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_publication_compress(NULL, NULL), KEDGE_INVALID_ARGUMENT);
    kedge_publication_release(publication);
}
END_TEST

START_TEST(null_is_passed_over)
{
    ck_assert_ptr_null(kedge_publication_hold(NULL));
    ck_assert_ptr_null(kedge_publication_hold_many(NULL, 3));
    kedge_publication_release(NULL);
    kedge_publication_release_many(NULL, 3);
    ck_assert_uint_eq(kedge_publication_plain_size(NULL, 1), 0);
    ck_assert_uint_eq(kedge_publication_compressed_size(NULL, 1), 0);
    ck_assert_uint_eq(kedge_publication_memory(NULL), 0);
    ck_assert(!kedge_publication_is_compressed(NULL));
    ck_assert(!kedge_publication_is_control(NULL));
    ck_assert_uint_eq(kedge_publication_describe(NULL).name.size, 0);
    ck_assert(!kedge_publication_describe(NULL).known_good);
}
END_TEST

/* ---- compression ---------------------------------------------------------------------------- */

START_TEST(what_cannot_be_compressed_stays_plain)
{
    memory_probe probe = {0};
    kedge_publication *publication = NULL;
    kedge_publication_source source = event("e", "1");
    kedge_zstd_encoder *encoder = encoder_new();
    ck_assert_int_eq(
        kedge_publication_create(&publication, memory_probe_allocator(&probe), &source), KEDGE_OK);
    size_t bytes = probe.bytes;
    zstd_faults_now.code = (size_t)0 - ZSTD_error_memory_allocation;
    ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_NO_MEMORY);
    zstd_faults_now.code = 0;
    ck_assert(!kedge_publication_is_compressed(publication));
    ck_assert_uint_eq(probe.bytes, bytes);
    ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_OK);
    kedge_publication_release(publication);
    kedge_zstd_encoder_free(encoder);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

START_TEST(it_is_compressed_once)
{
    kedge_zstd_encoder *encoder = encoder_new();
    kedge_publication *publication = publication_new(event("message_create", "{\"content\":\"\"}"));
    kedge_scatter scatter;
    ck_assert(!kedge_publication_is_compressed(publication));
    ck_assert_uint_eq(kedge_publication_compressed_size(publication, 1), 0);
    ck_assert_int_eq(kedge_publication_write(publication, 1, true, &scatter), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_OK);
    ck_assert(kedge_publication_is_compressed(publication));
    ck_assert_int_eq(kedge_publication_write(publication, 1, true, &scatter), KEDGE_OK);
    const uint8_t *blocks = scatter.parts[1].data;
    ck_assert_int_eq(kedge_publication_compress(publication, NULL), KEDGE_OK);
    ck_assert_int_eq(kedge_publication_write(publication, 2, true, &scatter), KEDGE_OK);
    ck_assert_ptr_eq(scatter.parts[1].data, blocks);
    kedge_zstd_encoder_free(encoder);
    assert_compressed(publication, UINT64_MAX);
    kedge_publication_release(publication);
}
END_TEST

/* A payload that is a text of that many letters. */
static char *text_payload(size_t size)
{
    char *payload = malloc(size + 3);
    ck_assert_ptr_nonnull(payload);
    payload[0] = '"';
    for (size_t i = 0; i < size; i++) {
        payload[1 + i] = (char)('a' + i * i % 23 % 26);
    }
    memcpy(payload + 1 + size, "\"", 2);
    return payload;
}

START_TEST(every_number_and_size_decodes)
{
    static const uint64_t numbers[] = {
        0, 1, 9, 10, 999, 1000, UINT32_MAX, (uint64_t)UINT32_MAX + 1, UINT64_MAX};
    static const size_t sizes[] = {0,     1,     180,   200,    215,    220,    225,        230,
                                   65740, 65750, 65760, 131000, 131072, 300000, 8 * 1048576};
    char *payload = text_payload(sizes[_i]);
    kedge_publication *publication = publication_new(event("x", payload));
    kedge_zstd_encoder *encoder = encoder_new();
    ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_OK);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_compressed(publication, numbers[i]);
    }
    kedge_zstd_encoder_free(encoder);
    kedge_publication_release(publication);
    free(payload);
}
END_TEST

/* ---- memory --------------------------------------------------------------------------------- */

START_TEST(its_memory_is_what_it_takes)
{
    memory_probe probe = {0};
    char *payload = text_payload(5000);
    kedge_publication_source source = event("x", payload);
    kedge_zstd_encoder *encoder = encoder_new();
    kedge_publication *publication = NULL;
    ck_assert_int_eq(
        kedge_publication_create(&publication, memory_probe_allocator(&probe), &source), KEDGE_OK);
    free(payload);
    ck_assert_uint_eq(probe.blocks, 1);
    ck_assert_uint_eq(kedge_publication_memory(publication), probe.bytes);
    ck_assert_uint_lt(probe.bytes, 5000 + 250);
    ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_OK);
    ck_assert_uint_eq(probe.blocks, 2);
    ck_assert_uint_eq(kedge_publication_memory(publication), probe.bytes);
    ck_assert_uint_lt(probe.bytes, 5000 + 1000);
    assert_compressed(publication, 1);
    kedge_publication_release(publication);
    ck_assert_uint_eq(probe.blocks, 0);
    kedge_zstd_encoder_free(encoder);
}
END_TEST

START_TEST(the_last_reference_frees_it)
{
    memory_probe probe = {0};
    kedge_publication_source source = event("x", "{}");
    kedge_publication *publication = NULL;
    ck_assert_int_eq(
        kedge_publication_create(&publication, memory_probe_allocator(&probe), &source), KEDGE_OK);
    ck_assert_ptr_eq(kedge_publication_hold(publication), publication);
    ck_assert_ptr_eq(kedge_publication_hold_many(publication, 10000), publication);
    ck_assert_ptr_eq(kedge_publication_hold_many(publication, 0), publication);
    kedge_publication_release_many(publication, 9999);
    kedge_publication_release_many(publication, 0);
    kedge_publication_release(publication);
    kedge_publication_release(publication);
    ck_assert_uint_eq(probe.blocks, 1);
    assert_plain(publication, 1, "{\"seq\":1,\"type\":\"x\",\"d\":{}}");
    kedge_publication_release(publication);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

START_TEST(lack_of_memory_changes_nothing)
{
    memory_probe probe = {0};
    kedge_allocator allocator = memory_probe_allocator(&probe);
    kedge_publication_source source = event("x", "{}");
    kedge_publication *publication = NULL;
    kedge_zstd_encoder *encoder = encoder_new();
    probe.fails_at = 1;
    ck_assert_int_eq(kedge_publication_create(&publication, allocator, &source), KEDGE_NO_MEMORY);
    ck_assert_ptr_null(publication);
    probe.fails_at = 2;
    ck_assert_int_eq(
        kedge_publication_control(&publication, allocator, KEDGE_GATEWAY, kedge_text("{}")),
        KEDGE_NO_MEMORY);
    ck_assert_ptr_null(publication);
    ck_assert_int_eq(kedge_publication_create(&publication, allocator, &source), KEDGE_OK);
    probe.fails_at = probe.calls + 1;
    ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_NO_MEMORY);
    ck_assert(!kedge_publication_is_compressed(publication));
    ck_assert_uint_eq(kedge_publication_memory(publication), probe.bytes);
    /* The block that could not be shrunk is kept as it is, and counted so. */
    probe.fails_at = probe.calls + 2;
    ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_OK);
    ck_assert_uint_eq(probe.calls, probe.fails_at);
    ck_assert_uint_eq(kedge_publication_memory(publication), probe.bytes);
    assert_compressed(publication, 1);
    kedge_publication_release(publication);
    ck_assert_uint_eq(probe.blocks, 0);
    kedge_zstd_encoder_free(encoder);
}
END_TEST

/* An allocator that, asked for the first block of a compression, lets another one come first. */
typedef struct overtaking {
    memory_probe probe;
    kedge_publication *publication;
    kedge_zstd_encoder *encoder;
} overtaking;

static void *overtaking_resize(void *context, void *block, size_t old_size, size_t new_size)
{
    overtaking *self = context;
    kedge_publication *publication = self->publication;
    if (publication != NULL) {
        self->publication = NULL;
        ck_assert_int_eq(kedge_publication_compress(publication, self->encoder), KEDGE_OK);
    }
    return memory_probe_resize(&self->probe, block, old_size, new_size);
}

START_TEST(who_compresses_second_frees_its_own)
{
    overtaking other = {{0}, NULL, encoder_new()};
    kedge_allocator allocator = {overtaking_resize, &other};
    kedge_publication_source source = event("x", "{}");
    kedge_publication *publication = NULL;
    kedge_zstd_encoder *encoder = encoder_new();
    ck_assert_int_eq(kedge_publication_create(&publication, allocator, &source), KEDGE_OK);
    other.publication = publication;
    ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_OK);
    ck_assert_uint_eq(other.probe.calls, 1 + 2 + 2);
    ck_assert_uint_eq(other.probe.blocks, 2);
    ck_assert_uint_eq(kedge_publication_memory(publication), other.probe.bytes);
    assert_compressed(publication, 1);
    kedge_publication_release(publication);
    ck_assert_uint_eq(other.probe.blocks, 0);
    kedge_zstd_encoder_free(encoder);
    kedge_zstd_encoder_free(other.encoder);
}
END_TEST

/* ---- threads -------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 200 };

typedef struct worker {
    pthread_t thread;
    pthread_barrier_t *start;
    kedge_publication **publications;
} worker;

/* Holds, compresses, writes and releases the same publications as the others at the same time. */
static void *work(void *argument)
{
    worker *self = argument;
    kedge_zstd_encoder *encoder = encoder_new();
    for (size_t i = 0; i < ROUNDS; i++) {
        kedge_publication *publication = self->publications[i];
        (void)pthread_barrier_wait(self->start);
        kedge_publication_hold_many(publication, 2);
        ck_assert_int_eq(kedge_publication_compress(publication, encoder), KEDGE_OK);
        assert_compressed(publication, i);
        kedge_publication_release_many(publication, 2);
        kedge_publication_release(publication);
    }
    kedge_zstd_encoder_free(encoder);
    return NULL;
}

START_TEST(threads_share_it)
{
    kedge_publication *publications[ROUNDS];
    worker workers[THREADS];
    pthread_barrier_t start;
    ck_assert_int_eq(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (size_t i = 0; i < ROUNDS; i++) {
        publications[i] =
            publication_new(event("message_create", "{\"content\":\"aaaaaaaaaaaa\"}"));
        kedge_publication_hold_many(publications[i], THREADS - 1);
    }
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].start = &start;
        workers[i].publications = publications;
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
    }
    ck_assert_int_eq(pthread_barrier_destroy(&start), 0);
}
END_TEST

Suite *kedge_publication_suite(void)
{
    Suite *suite = suite_create("publication");
    TCase *cases = tcase_create("publication");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, each_session_adds_only_its_number);
    tcase_add_test(cases, a_payload_may_be_absent);
    tcase_add_test(cases, a_passing_event_carries_no_number);
    tcase_add_test(cases, a_name_is_escaped_and_remembered_as_it_was);
    tcase_add_test(cases, a_reader_gets_back_what_was_put_in);
    tcase_add_loop_test(cases, what_is_described_can_be_created_again, 0, 2);
    tcase_add_test(cases, control_is_sent_as_it_is);
    tcase_add_test(cases, bad_names_and_payloads_are_refused_before_memory_is_taken);
    tcase_add_test(cases, a_message_is_nested_at_most_128_deep);
    tcase_add_test(cases, what_is_known_to_be_good_is_not_checked);
    tcase_add_test(cases, what_is_no_protocol_is_refused);
    tcase_add_test(cases, each_protocol_refuses_payloads_of_another_kind);
    tcase_add_loop_test(cases, each_protocol_has_its_place_for_the_number, 0, PROTOCOL_ROWS);
    tcase_add_loop_test(cases, each_protocol_is_described_and_created_again, 0, PROTOCOL_ROWS);
    tcase_add_test(cases, what_no_memory_can_hold_is_refused);
    tcase_add_test(cases, a_protocol_says_which_events_pass);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, null_is_passed_over);
    tcase_add_test(cases, it_is_compressed_once);
    tcase_add_test(cases, what_cannot_be_compressed_stays_plain);
    tcase_add_loop_test(cases, every_number_and_size_decodes, 0, 15);
    tcase_add_test(cases, its_memory_is_what_it_takes);
    tcase_add_test(cases, the_last_reference_frees_it);
    tcase_add_test(cases, lack_of_memory_changes_nothing);
    tcase_add_test(cases, who_compresses_second_frees_its_own);
    tcase_add_test(cases, threads_share_it);
    suite_add_tcase(suite, cases);
    return suite;
}
