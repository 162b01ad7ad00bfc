/* tests/c/client_script.h: a client's link, the scripted server before it, and a clock, for a suite of
 * one client. The state is that of the file that includes it.
 */
#ifndef KEDGE_TEST_CLIENT_SCRIPT_H
#define KEDGE_TEST_CLIENT_SCRIPT_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "memory_probe.h"

static kedge_link_config config;
static memory_probe probe;
static kedge_link *client;
static kedge_time now;
static uint8_t *given; /* exactly what the client was given last, so that an over-read shows */

/* The default configuration; nothing is made yet. */
static inline void script_begin(kedge_protocol protocol)
{
    memset(&probe, 0, sizeof probe);
    now = 1000 * KEDGE_SECOND;
    given = NULL;
    client = NULL;
    config = kedge_link_config_default(protocol, KEDGE_CLIENT);
}

static inline void tear_down(void)
{
    kedge_link_destroy(client);
    free(given);
    ck_assert_uint_eq(probe.blocks, 0);
}

static inline kedge_status try_create(void)
{
    kedge_entropy entropy = {{3}};
    return kedge_link_create(&client, &config, &entropy, memory_probe_allocator(&probe), now);
}

static inline kedge_event expect(kedge_event_kind kind)
{
    kedge_event event;
    ck_assert(kedge_link_event_waiting(client));
    ck_assert(kedge_link_next_event(client, &event));
    ck_assert_int_eq(event.kind, kind);
    return event;
}

static inline void expect_none(void)
{
    kedge_event event;
    ck_assert(!kedge_link_event_waiting(client));
    ck_assert(!kedge_link_next_event(client, &event));
}

static inline kedge_event expect_outcome(kedge_request_number number, kedge_outcome outcome)
{
    kedge_event event = expect(KEDGE_EVENT_OUTCOME);
    ck_assert_uint_eq(event.as.outcome.number, number);
    ck_assert_int_eq(event.as.outcome.outcome, outcome);
    return event;
}

static inline kedge_event expect_closed(kedge_status cause, uint16_t sent, kedge_action action)
{
    kedge_event closed = expect(KEDGE_EVENT_CLOSED);
    ck_assert_str_eq(kedge_status_name(closed.as.closed.cause), kedge_status_name(cause));
    ck_assert_uint_eq(closed.as.closed.sent, sent);
    ck_assert_int_eq(closed.as.closed.action, action);
    return closed;
}

static inline void expect_text(const char *text)
{
    char written[1024] = {0};
    size_t size = 0;
    kedge_output output;
    ck_assert(kedge_link_output_waiting(client));
    ck_assert(kedge_link_next_output(client, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_TEXT);
    for (size_t i = 0; i < output.message.count; i++) {
        memcpy(written + size, output.message.parts[i].data, output.message.parts[i].size);
        size += output.message.parts[i].size;
    }
    kedge_output_release(&output);
    ck_assert_str_eq(written, text);
}

static inline void expect_close(uint16_t code)
{
    kedge_output output;
    ck_assert(kedge_link_next_output(client, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_CLOSE);
    ck_assert_uint_eq(output.code, code);
    kedge_output_release(&output);
}

static inline void expect_silence(void)
{
    kedge_output output;
    ck_assert(!kedge_link_output_waiting(client));
    ck_assert(!kedge_link_next_output(client, &output));
}

static inline kedge_status feed(kedge_message_kind kind, const char *text)
{
    size_t size = strlen(text);
    free(given);
    given = malloc(size == 0 ? 1 : size);
    ck_assert_ptr_nonnull(given);
    memcpy(given, text, size);
    return kedge_link_receive(client, kind, kedge_span_of(given, size), now);
}

static inline void says(const char *text)
{
    ck_assert_int_eq(feed(KEDGE_MESSAGE_TEXT, text), KEDGE_OK);
}

static inline void pass(kedge_time span)
{
    now += span;
    ck_assert_int_eq(kedge_link_tick(client, now), KEDGE_OK);
}

#endif
