/* What a client keeps for its upgrade: the path, and what lets it in. */
#include <check.h>

#include "bearer.h"
#include "memory_probe.h"

static const struct word_case {
    const char *text;
    bool path;
    bool token;
} words[] = {
    {"/ws?x=1", true, true}, {"/", true, true},           {"", false, true},
    {"ws", false, true},     {"/w s", false, false},      {"/\x7F", false, false},
    {"/#", false, true},     {"a\r\nX: y", false, false}, {"/\xC3\xA9", false, true},
    {"/\xFF", false, false},
};

START_TEST(what_would_end_or_split_a_line_of_the_head_is_refused)
{
    kedge_span word = kedge_text(words[_i].text);
    ck_assert_int_eq(kedge_is_path(word), words[_i].path);
    ck_assert_int_eq(kedge_is_token(word), words[_i].token);
}
END_TEST

START_TEST(bytes_that_are_not_there_are_neither)
{
    ck_assert(!kedge_is_path(kedge_span_of(NULL, 1)));
    ck_assert(!kedge_is_token(kedge_span_of(NULL, 1)));
    ck_assert(!kedge_is_path(kedge_text(NULL)));
    ck_assert(kedge_is_token(kedge_text(NULL)));
}
END_TEST

START_TEST(a_secret_is_replaced_or_stays)
{
    memory_probe probe;
    kedge_secret secret = {NULL, 0};
    memset(&probe, 0, sizeof probe);
    kedge_allocator allocator = memory_probe_allocator(&probe);
    ck_assert_int_eq(kedge_secret_set(&secret, allocator, kedge_text("<"), kedge_text("one")),
                     KEDGE_OK);
    ck_assert(kedge_span_equal(kedge_span_of(secret.bytes, secret.size), kedge_text("<one")));
    probe.fails_at = probe.calls + 1;
    ck_assert_int_eq(kedge_secret_set(&secret, allocator, kedge_text("<"), kedge_text("two")),
                     KEDGE_NO_MEMORY);
    ck_assert_int_eq(kedge_secret_set(&secret, allocator, kedge_text("<"),
                                      kedge_span_of(secret.bytes, SIZE_MAX)),
                     KEDGE_NO_MEMORY);
    ck_assert(kedge_span_equal(kedge_span_of(secret.bytes, secret.size), kedge_text("<one")));
    ck_assert_int_eq(kedge_secret_set(&secret, allocator, kedge_text("<"), kedge_text("")),
                     KEDGE_OK);
    ck_assert_ptr_null(secret.bytes);
    ck_assert_uint_eq(secret.size, 0);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

START_TEST(a_bearer_keeps_copies_and_fills_the_upgrade)
{
    memory_probe probe;
    kedge_bearer bearer;
    kedge_link_handshake handshake;
    char path[] = "/ws";
    char token[] = "t";
    memset(&probe, 0, sizeof probe);
    memset(&bearer, 0, sizeof bearer);
    memset(&handshake, 0, sizeof handshake);
    kedge_allocator allocator = memory_probe_allocator(&probe);
    ck_assert_int_eq(kedge_bearer_make(&bearer, allocator, kedge_text(path), kedge_text(token)),
                     KEDGE_OK);
    path[1] = token[0] = '!';
    kedge_bearer_handshake(&bearer, &handshake);
    ck_assert(kedge_span_equal(handshake.target, kedge_text("/ws")));
    ck_assert_uint_eq(handshake.header_count, 1);
    ck_assert(kedge_span_equal(handshake.headers[0].name, kedge_text("Authorization")));
    ck_assert(kedge_span_equal(handshake.headers[0].value, kedge_text("Bearer t")));
    ck_assert_int_eq(kedge_bearer_set_token(&bearer, allocator, kedge_text("a b")),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_bearer_set_token(&bearer, allocator, kedge_text("u")), KEDGE_OK);
    kedge_bearer_handshake(&bearer, &handshake);
    ck_assert(kedge_span_equal(handshake.headers[0].value, kedge_text("Bearer u")));
    kedge_bearer_free(&bearer, allocator);
    kedge_bearer_free(&bearer, allocator);
    ck_assert_uint_eq(probe.blocks, 0);
}
END_TEST

START_TEST(a_bearer_that_cannot_be_made_holds_nothing)
{
    for (size_t fails_at = 1; fails_at <= 2; fails_at++) {
        memory_probe probe;
        kedge_bearer bearer;
        memset(&probe, 0, sizeof probe);
        memset(&bearer, 0, sizeof bearer);
        probe.fails_at = fails_at;
        ck_assert_int_eq(kedge_bearer_make(&bearer, memory_probe_allocator(&probe), kedge_text("/"),
                                           kedge_text("t")),
                         KEDGE_NO_MEMORY);
        ck_assert_uint_eq(probe.blocks, 0);
    }
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *kedge_bearer_suite(void);

Suite *kedge_bearer_suite(void)
{
    Suite *suite = suite_create("bearer");
    TCase *tests = tcase_create("bearer");
    tcase_add_loop_test(tests, what_would_end_or_split_a_line_of_the_head_is_refused, 0,
                        COUNT_OF(words));
    tcase_add_test(tests, bytes_that_are_not_there_are_neither);
    tcase_add_test(tests, a_secret_is_replaced_or_stays);
    tcase_add_test(tests, a_bearer_keeps_copies_and_fills_the_upgrade);
    tcase_add_test(tests, a_bearer_that_cannot_be_made_holds_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
