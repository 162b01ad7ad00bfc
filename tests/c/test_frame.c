#include "kedge/frame.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "levels.h"
#include "vectors.h"

static void assert_result(kedge_result result, kedge_status status, size_t offset, const char *what)
{
    ck_assert_msg(result.status == status && result.offset == offset,
                  "%s: %s at %zu, not %s at %zu", what, kedge_status_name(result.status),
                  result.offset, kedge_status_name(status), offset);
}

static kedge_role role_of(kedge_json_value entry)
{
    char *name = vector_text(entry, "receiver");
    kedge_role role = strcmp(name, "server") == 0 ? KEDGE_SERVER : KEDGE_CLIENT;
    free(name);
    return role;
}

static uint8_t reserved_of(kedge_json_value entry)
{
    if (vector_member(entry, "reserved").kind == KEDGE_JSON_KIND_NONE) {
        return 0;
    }
    return (uint8_t)vector_unsigned(entry, "reserved");
}

/* Every prefix says the same as the whole, or that it needs more, and how much is never too
 * much. */
static void assert_prefixes(kedge_span bytes, kedge_role receiver, uint8_t reserved,
                            kedge_status status, size_t offset, const char *what)
{
    for (size_t size = 0; size < bytes.size; size++) {
        kedge_span prefix = block_copy(bytes.data, size);
        kedge_frame_header header;
        kedge_result result = kedge_frame_parse(prefix, receiver, reserved, &header);
        if (status == KEDGE_PARTIAL || (status == KEDGE_OK && size < offset) ||
            (status != KEDGE_OK && size <= offset)) {
            assert_result(result, KEDGE_PARTIAL, 0, what);
            ck_assert_uint_gt(header.header_size, size);
            ck_assert(status != KEDGE_OK || header.header_size <= offset);
        } else {
            assert_result(result, status, offset, what);
        }
        block_free(prefix);
    }
}

static void assert_header(kedge_json_value entry, const kedge_frame_header *header)
{
    char *mask = vector_text(entry, "mask");
    char written[9] = "";
    if (header->masked) {
        snprintf(written, sizeof written, "%02x%02x%02x%02x", header->mask_key[0],
                 header->mask_key[1], header->mask_key[2], header->mask_key[3]);
    }
    ck_assert_str_eq(written, mask);
    ck_assert_uint_eq(header->fin, vector_unsigned(entry, "fin"));
    ck_assert_uint_eq((unsigned)header->opcode, vector_unsigned(entry, "opcode"));
    ck_assert_uint_eq(header->payload_size, vector_unsigned(entry, "payload_size"));
    free(mask);
}

/* What was read is written the same. */
static void assert_written_back(kedge_span bytes, const kedge_frame_header *header)
{
    uint8_t out[KEDGE_FRAME_HEADER_MAX];
    size_t size = kedge_frame_write(header, out);
    ck_assert_uint_eq(size, header->header_size);
    ck_assert_uint_eq(size, kedge_frame_header_size(header->payload_size, header->masked));
    ck_assert_mem_eq(out, bytes.data, size);
}

START_TEST(vectors_whole_and_every_prefix)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "frame.json");
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        kedge_span bytes = vector_input(entry);
        kedge_status status = vector_status(entry, "status");
        size_t offset = (size_t)vector_unsigned(entry, "offset");
        kedge_frame_header header;
        kedge_result result = kedge_frame_parse(bytes, role_of(entry), reserved_of(entry), &header);
        assert_result(result, status, offset, name);
        assert_prefixes(bytes, role_of(entry), reserved_of(entry), status, offset, name);
        if (status == KEDGE_OK) {
            assert_header(entry, &header);
            assert_written_back(bytes, &header);
        } else if (status == KEDGE_PARTIAL) {
            ck_assert_uint_eq(header.header_size, vector_unsigned(entry, "needed"));
        }
        block_free(bytes);
        free(name);
    }
    vector_close(&file);
}
END_TEST

START_TEST(every_pair_of_first_bytes_has_one_verdict)
{
    for (unsigned pair = 0; pair < 0x10000; pair++) {
        uint8_t bytes[KEDGE_FRAME_HEADER_MAX] = {
            (uint8_t)(pair >> 8), (uint8_t)pair, 0x7F, 0xFF, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        unsigned opcode = bytes[0] & 15u;
        bool control = opcode >= 8;
        kedge_status expected = KEDGE_OK;
        size_t offset = 0;
        if ((bytes[0] & 0x70) != 0) {
            expected = KEDGE_FRAME_RESERVED;
        } else if ((opcode > 2 && opcode < 8) || opcode > 10) {
            expected = KEDGE_FRAME_OPCODE;
        } else if (control && (bytes[0] & 0x80) == 0) {
            expected = KEDGE_FRAME_CONTROL_FRAGMENTED;
        } else if ((bytes[1] & 0x80) == 0) {
            expected = KEDGE_FRAME_MASK_MISSING;
            offset = 1;
        } else if (control && (bytes[1] & 0x7F) > 125) {
            expected = KEDGE_FRAME_CONTROL_SIZE;
            offset = 1;
        } else {
            unsigned size = bytes[1] & 0x7Fu;
            offset = size == 127 ? 14 : size == 126 ? 8 : 6;
        }
        kedge_frame_header header;
        kedge_result result =
            kedge_frame_parse(kedge_span_of(bytes, sizeof bytes), KEDGE_SERVER, 0, &header);
        assert_result(result, expected, offset, "a pair of first bytes");
    }
}
END_TEST

START_TEST(only_the_allowed_reserved_bits_pass)
{
    for (unsigned allowed = 0; allowed < 8; allowed++) {
        for (unsigned set = 0; set < 8; set++) {
            uint8_t bytes[2] = {(uint8_t)(0x81 | set << 4), 0};
            kedge_frame_header header;
            kedge_result result =
                kedge_frame_parse(kedge_span_of(bytes, 2), KEDGE_CLIENT, (uint8_t)allowed, &header);
            if ((set & ~allowed) == 0) {
                assert_result(result, KEDGE_OK, 2, "an allowed bit");
                ck_assert_uint_eq(header.reserved, set);
            } else {
                assert_result(result, KEDGE_FRAME_RESERVED, 0, "a forbidden bit");
            }
        }
    }
}
END_TEST

START_TEST(parse_names_misuse)
{
    kedge_frame_header header;
    kedge_span bytes = kedge_text("\x81");
    assert_result(kedge_frame_parse(bytes, KEDGE_CLIENT, 0, NULL), KEDGE_INVALID_ARGUMENT, 0,
                  "no header");
    assert_result(kedge_frame_parse(kedge_span_of(NULL, 1), KEDGE_CLIENT, 0, &header),
                  KEDGE_INVALID_ARGUMENT, 0, "no bytes");
    assert_result(kedge_frame_parse(kedge_span_of(NULL, 0), KEDGE_CLIENT, 0, &header),
                  KEDGE_PARTIAL, 0, "nothing yet");
    assert_result(kedge_frame_parse(bytes, (kedge_role)7, 0, &header), KEDGE_INVALID_ARGUMENT, 0,
                  "no role");
}
END_TEST

static kedge_frame_header sound_header(void)
{
    kedge_frame_header header;
    memset(&header, 0, sizeof header);
    header.opcode = KEDGE_OPCODE_TEXT;
    header.fin = true;
    return header;
}

START_TEST(write_refuses_what_must_not_be_sent)
{
    uint8_t out[KEDGE_FRAME_HEADER_MAX] = {0};
    kedge_frame_header header = sound_header();
    ck_assert_uint_eq(kedge_frame_write(&header, out), 2);
    ck_assert_uint_eq(kedge_frame_write(NULL, out), 0);
    ck_assert_uint_eq(kedge_frame_write(&header, NULL), 0);
    header.opcode = (kedge_opcode)3;
    ck_assert_uint_eq(kedge_frame_write(&header, out), 0);
    header.opcode = (kedge_opcode)11;
    ck_assert_uint_eq(kedge_frame_write(&header, out), 0);
    header = sound_header();
    header.reserved = 8;
    ck_assert_uint_eq(kedge_frame_write(&header, out), 0);
    header = sound_header();
    header.payload_size = (uint64_t)1 << 63;
    ck_assert_uint_eq(kedge_frame_write(&header, out), 0);
    header.opcode = KEDGE_OPCODE_PING;
    header.payload_size = 126;
    ck_assert_uint_eq(kedge_frame_write(&header, out), 0);
    header.payload_size = 125;
    ck_assert_uint_eq(kedge_frame_write(&header, out), 2);
    header.fin = false;
    ck_assert_uint_eq(kedge_frame_write(&header, out), 0);
}
END_TEST

START_TEST(write_touches_only_what_it_says)
{
    static const uint64_t sizes[] = {0, 125, 126, 65535, 65536, INT64_MAX};
    static const size_t expected[] = {2, 2, 4, 4, 10, 10};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int masked = 0; masked < 2; masked++) {
            kedge_frame_header header = sound_header();
            header.payload_size = sizes[i];
            header.masked = masked == 1;
            uint8_t *out = malloc(expected[i] + (header.masked ? 4 : 0));
            ck_assert_uint_eq(kedge_frame_write(&header, out),
                              expected[i] + (header.masked ? 4 : 0));
            free(out);
        }
    }
}
END_TEST

START_TEST(close_codes_on_the_wire)
{
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        bool expected = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                        (code >= 3000 && code <= 4999);
        uint8_t body[2] = {(uint8_t)(code >> 8), (uint8_t)code};
        uint8_t written[KEDGE_CONTROL_PAYLOAD_MAX];
        uint16_t read = 0;
        size_t size = 99;
        kedge_span reason = kedge_text("untouched");
        ck_assert_int_eq(kedge_close_code_valid((uint16_t)code), expected);
        kedge_result result = kedge_close_parse(kedge_span_of(body, 2), &read, &reason);
        kedge_status status = kedge_close_write((uint16_t)code, kedge_text("x"), written, &size);
        if (expected) {
            assert_result(result, KEDGE_OK, 2, "a good code");
            ck_assert_uint_eq(read, code);
            ck_assert_uint_eq(reason.size, 0);
            ck_assert_int_eq(status, KEDGE_OK);
            ck_assert_uint_eq(size, 3);
            ck_assert_mem_eq(written, body, 2);
        } else {
            assert_result(result, KEDGE_CLOSE_CODE, 0, "a bad code");
            ck_assert(read == 0 && kedge_span_equal(reason, kedge_text("untouched")));
            ck_assert_int_eq(status, KEDGE_CLOSE_CODE);
            ck_assert_uint_eq(size, 0);
        }
    }
}
END_TEST

START_TEST(close_vectors_both_ways)
{
    vector_file file;
    kedge_json_value entry;
    vector_open(&file, "frame_close.json");
    while (vector_next(&file, &entry)) {
        char *name = vector_text(entry, "name");
        kedge_span body = vector_input(entry);
        kedge_status status = vector_status(entry, "status");
        uint16_t code = 0;
        kedge_span reason = kedge_text("untouched");
        kedge_result result = kedge_close_parse(body, &code, &reason);
        assert_result(result, status, (size_t)vector_unsigned(entry, "offset"), name);
        if (status == KEDGE_OK) {
            uint8_t written[KEDGE_CONTROL_PAYLOAD_MAX];
            size_t size = 99;
            ck_assert_uint_eq(code, vector_unsigned(entry, "code"));
            ck_assert_uint_eq(reason.size, body.size < 2 ? 0 : body.size - 2);
            ck_assert_int_eq(kedge_close_write(code, reason, written, &size), KEDGE_OK);
            ck_assert(kedge_span_equal(kedge_span_of(written, size), body));
        } else {
            ck_assert(code == 0 && kedge_span_equal(reason, kedge_text("untouched")));
        }
        block_free(body);
        free(name);
    }
    vector_close(&file);
}
END_TEST

START_TEST(close_names_misuse)
{
    uint8_t out[KEDGE_CONTROL_PAYLOAD_MAX];
    size_t size;
    uint16_t code;
    kedge_span reason;
    kedge_span empty = kedge_span_of(NULL, 0);
    kedge_span broken = kedge_span_of(NULL, 1);
    assert_result(kedge_close_parse(empty, NULL, &reason), KEDGE_INVALID_ARGUMENT, 0, "no code");
    assert_result(kedge_close_parse(empty, &code, NULL), KEDGE_INVALID_ARGUMENT, 0, "no reason");
    assert_result(kedge_close_parse(broken, &code, &reason), KEDGE_INVALID_ARGUMENT, 0, "no body");
    ck_assert_int_eq(kedge_close_write(1000, empty, NULL, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_close_write(1000, empty, out, NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_close_write(1000, broken, out, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_uint_eq(size, 0);
}
END_TEST

START_TEST(close_without_bytes_needs_no_pointer)
{
    uint8_t out[KEDGE_CONTROL_PAYLOAD_MAX];
    size_t size;
    uint16_t code;
    kedge_span reason;
    kedge_span empty = kedge_span_of(NULL, 0);
    assert_result(kedge_close_parse(empty, &code, &reason), KEDGE_OK, 0, "an empty body");
    ck_assert_uint_eq(code, KEDGE_CLOSE_NO_CODE);
    ck_assert_uint_eq(reason.size, 0);
    ck_assert_int_eq(kedge_close_write(code, reason, out, &size), KEDGE_OK);
    ck_assert_uint_eq(size, 0);
    ck_assert_int_eq(kedge_close_write(1000, empty, out, &size), KEDGE_OK);
    ck_assert_uint_eq(size, 2);
}
END_TEST

START_TEST(close_write_checks_the_reason)
{
    uint8_t out[KEDGE_CONTROL_PAYLOAD_MAX];
    uint8_t reason[KEDGE_CONTROL_PAYLOAD_MAX - 1];
    size_t size = 99;
    memset(reason, 'r', sizeof reason);
    ck_assert_int_eq(kedge_close_write(1000, kedge_span_of(reason, 123), out, &size), KEDGE_OK);
    ck_assert_uint_eq(size, 125);
    ck_assert_int_eq(kedge_close_write(1000, kedge_span_of(reason, 124), out, &size),
                     KEDGE_FRAME_CONTROL_SIZE);
    ck_assert_uint_eq(size, 0);
    ck_assert_int_eq(kedge_close_write(1000, kedge_text("\xC3"), out, &size), KEDGE_UTF8_TRUNCATED);
    ck_assert_uint_eq(size, 0);
    ck_assert_int_eq(kedge_close_write(KEDGE_CLOSE_NO_CODE, kedge_text("why"), out, &size),
                     KEDGE_CLOSE_CODE);
    ck_assert_uint_eq(size, 0);
}
END_TEST

/* What reads a reason, by the kernels for UTF-8. */
static void add_by_level(TCase *cases)
{
    tcase_add_test(cases, close_vectors_both_ways);
    tcase_add_test(cases, close_write_checks_the_reason);
}

/* A header says what a length is, for either role, in whatever form it is written. */
START_TEST(what_is_written_is_read)
{
    static const uint64_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, UINT32_MAX, INT64_MAX};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t out[KEDGE_FRAME_HEADER_MAX];
        kedge_frame_header read;
        kedge_frame_header header = sound_header();
        header.opcode = KEDGE_OPCODE_BINARY;
        header.fin = i % 3 == 0;
        header.reserved = KEDGE_FRAME_RSV1;
        header.payload_size = sizes[i / 2];
        header.masked = i % 2 == 1;
        memcpy(header.mask_key, header.masked ? "\x37\xFA\x21\x3D" : "\0\0\0", 4);
        size_t size = kedge_frame_write(&header, out);
        header.header_size = (uint8_t)size;
        kedge_role receiver = header.masked ? KEDGE_SERVER : KEDGE_CLIENT;
        assert_result(
            kedge_frame_parse(kedge_span_of(out, size), receiver, KEDGE_FRAME_RSV1, &read),
            KEDGE_OK, size, "a header that was written");
        ck_assert(read.opcode == header.opcode && read.fin == header.fin);
        ck_assert(read.masked == header.masked && read.reserved == header.reserved);
        ck_assert_uint_eq(read.header_size, header.header_size);
        ck_assert_uint_eq(read.payload_size, header.payload_size);
        ck_assert_mem_eq(read.mask_key, header.mask_key, 4);
    }
}
END_TEST

Suite *kedge_frame_suite(void)
{
    Suite *suite = suite_create("frame");
    TCase *header = tcase_create("header");
    tcase_add_test(header, vectors_whole_and_every_prefix);
    tcase_add_test(header, every_pair_of_first_bytes_has_one_verdict);
    tcase_add_test(header, only_the_allowed_reserved_bits_pass);
    tcase_add_test(header, parse_names_misuse);
    tcase_add_test(header, write_refuses_what_must_not_be_sent);
    tcase_add_test(header, write_touches_only_what_it_says);
    tcase_add_test(header, what_is_written_is_read);
    suite_add_tcase(suite, header);
    TCase *close_body = tcase_create("close");
    tcase_add_test(close_body, close_codes_on_the_wire);
    tcase_add_test(close_body, close_vectors_both_ways);
    tcase_add_test(close_body, close_names_misuse);
    tcase_add_test(close_body, close_without_bytes_needs_no_pointer);
    tcase_add_test(close_body, close_write_checks_the_reason);
    suite_add_tcase(suite, close_body);
    levels_add(suite, add_by_level);
    return suite;
}
