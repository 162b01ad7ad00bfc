/* What is the same for the links of all protocols: arguments, time, events, queue, lists, tickets. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "kedge/connection.h"
#include "kedge/hub.h"

#include "gateway.h"
#include "link.h"
#include "link_host.h"
#include "session.h"

static memory_probe probe;
static link_host host;

static void set_up(void)
{
    memset(&probe, 0, sizeof probe);
    link_host_begin(&host, &probe);
}

static void tear_down(void)
{
    link_host_destroy(&host);
    ck_assert_uint_eq(probe.blocks, 0);
}

#define IDENTIFY "{\"type\":\"identify\",\"d\":{\"token\":\"t\"}}"
#define HEARTBEAT "{\"type\":\"heartbeat\"}"

static const kedge_entropy entropy = {{1, 2, 3}};

/* ---- Settings and life -------------------------------------------------------------------------- */

static kedge_status create(const kedge_link_config *config)
{
    kedge_link *link = NULL;
    kedge_status status =
        kedge_link_create(&link, config, &entropy, memory_probe_allocator(&probe), 5);
    ck_assert_int_eq(link != NULL, status == KEDGE_OK);
    kedge_link_destroy(link);
    return status;
}

START_TEST(defaults_are_those_of_the_header)
{
    kedge_link_config server = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_SERVER);
    ck_assert_uint_eq(server.message_limit, 1048576);
    ck_assert_uint_eq(server.queue_limit, 1048576);
    ck_assert_uint_eq(server.depth_limit, 128);
    ck_assert_uint_eq(server.stall_tolerance, 5 * KEDGE_SECOND);
    ck_assert_uint_eq(server.as.gateway_server.heartbeat_interval, 45 * KEDGE_SECOND);
    ck_assert_uint_eq(server.as.gateway_server.rate_burst, 120);
    ck_assert_uint_eq(server.as.gateway_server.rate_per_second, 2);
    ck_assert(server.as.gateway_server.invalid_payload_closes);
    ck_assert(server.as.gateway_server.send_resumed);
    kedge_link_config client = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    ck_assert(kedge_span_equal(client.as.gateway_client.path, kedge_text("/gateway")));
    ck_assert_uint_eq(client.as.gateway_client.hold_count, 1000);
    ck_assert_uint_eq(client.as.gateway_client.hold_bytes, 4194304);
    ck_assert_uint_eq(client.as.gateway_client.backoff_last, 60 * KEDGE_SECOND);
    ck_assert_int_eq(create(&server), KEDGE_OK);
    ck_assert_int_eq(create(&client), KEDGE_OK);
}
END_TEST

START_TEST(a_protocol_that_there_is_not_has_no_settings)
{
    for (int role = 0; role < 2; role++) {
        kedge_link_config config = kedge_link_config_default((kedge_protocol)4, (kedge_role)role);
        ck_assert_int_eq(create(&config), KEDGE_INVALID_ARGUMENT);
    }
}
END_TEST

START_TEST(settings_that_are_refused)
{
    kedge_link_config config = host.config;
    switch (_i) {
    case 0:
        config.role = (kedge_role)2;
        break;
    case 1:
        config.protocol = (kedge_protocol)4;
        break;
    case 2:
        config.message_limit = 0;
        break;
    case 3:
        config.queue_limit = 0;
        break;
    case 4:
        config.depth_limit = 0;
        break;
    default:
        config.depth_limit = KEDGE_JSON_DEPTH_MAXIMUM + 1;
        break;
    }
    ck_assert_int_eq(create(&config), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(creating_needs_all_its_arguments)
{
    kedge_link *link = NULL;
    kedge_allocator none = {NULL, NULL};
    kedge_allocator some = memory_probe_allocator(&probe);
    ck_assert_int_eq(kedge_link_create(NULL, &host.config, &entropy, some, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_create(&link, NULL, &entropy, some, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_create(&link, &host.config, NULL, some, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_create(&link, &host.config, &entropy, none, 0),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_config_check(NULL), KEDGE_INVALID_ARGUMENT);
    ck_assert_ptr_null(link);
}
END_TEST

START_TEST(creating_without_memory_changes_nothing)
{
    for (int role = KEDGE_CLIENT; role <= KEDGE_SERVER; role++) {
        kedge_link_config config = kedge_link_config_default(KEDGE_GATEWAY, (kedge_role)role);
        config.as.gateway_client.token = kedge_text("t");
        if (role == KEDGE_SERVER) {
            config = host.config;
        }
        probe.calls = 0;
        probe.fails_at = 1;
        while (create(&config) == KEDGE_NO_MEMORY) {
            ck_assert_uint_eq(probe.blocks, 0);
            probe.calls = 0;
            probe.fails_at++;
        }
        ck_assert_uint_gt(probe.fails_at, 2);
    }
}
END_TEST

static void *give_nothing(void *context, void *block, size_t old_size, size_t new_size)
{
    (void)context;
    (void)block;
    (void)old_size;
    (void)new_size;
    return NULL;
}

/* Whatever stood there before: nobody takes it for what was asked for. */
START_TEST(what_could_not_be_made_is_null)
{
    kedge_allocator none = {NULL, NULL};
    kedge_allocator poor = {give_nothing, NULL};
    kedge_allocator allocator = _i == 0 ? none : poor;
    kedge_status expected = _i == 0 ? KEDGE_INVALID_ARGUMENT : KEDGE_NO_MEMORY;
    kedge_hub_config hub_config = kedge_hub_config_default(KEDGE_GATEWAY);
    kedge_log_limits limits = kedge_log_limits_default();
    kedge_session_config session_config = {kedge_text("s"), kedge_text("u"), limits, 1, 0, 0};
    kedge_publication_source source;
    memset(&source, 0, sizeof source);
    source.protocol = KEDGE_GATEWAY;
    source.name = kedge_text("n");
    static char before[8];
    kedge_link *link = (kedge_link *)(void *)before;
    kedge_hub *hub = (kedge_hub *)(void *)before;
    kedge_log *log = (kedge_log *)(void *)before;
    kedge_session *session = (kedge_session *)(void *)before;
    kedge_publication *publication = (kedge_publication *)(void *)before;
    kedge_publication *ready_made = (kedge_publication *)(void *)before;
    kedge_zstd_encoder *encoder = (kedge_zstd_encoder *)(void *)before;
    kedge_zstd_decoder *decoder = (kedge_zstd_decoder *)(void *)before;
    kedge_connection *connection = (kedge_connection *)(void *)before;
    ck_assert_int_eq(kedge_link_create(&link, &host.config, &entropy, allocator, 0), expected);
    ck_assert_int_eq(kedge_hub_create(&hub, &hub_config, &entropy, allocator, 0), expected);
    ck_assert_int_eq(kedge_log_create(&log, &limits, allocator), expected);
    ck_assert_int_eq(kedge_session_create(&session, &session_config, allocator), expected);
    ck_assert_int_eq(kedge_publication_create(&publication, allocator, &source), expected);
    ck_assert_int_eq(
        kedge_publication_control(&ready_made, allocator, KEDGE_GATEWAY, kedge_text("{}")),
        expected);
    ck_assert_int_eq(kedge_zstd_encoder_create(&encoder, allocator, 0), expected);
    ck_assert_int_eq(kedge_zstd_decoder_create(&decoder, allocator), expected);
    ck_assert_int_eq(kedge_connection_accept(&connection, NULL, NULL, allocator, 0), expected);
    ck_assert_ptr_null(link);
    ck_assert_ptr_null(hub);
    ck_assert_ptr_null(log);
    ck_assert_ptr_null(session);
    ck_assert_ptr_null(publication);
    ck_assert_ptr_null(ready_made);
    ck_assert_ptr_null(encoder);
    ck_assert_ptr_null(decoder);
    ck_assert_ptr_null(connection);
    link = (kedge_link *)(void *)before;
    ck_assert_int_eq(kedge_hub_link(NULL, &link, NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_ptr_null(link);
}
END_TEST

/* Whoever looks at the message of a close finds none. */
START_TEST(an_output_is_whole)
{
    kedge_output output;
    link_host_open(&host, false);
    ck_assert_int_eq(kedge_link_close(host.link, 4000, kedge_text("why"), host.now), KEDGE_OK);
    memset(&output, 0xAA, sizeof output);
    ck_assert(kedge_link_next_output(host.link, &output));
    ck_assert_int_eq(output.kind, KEDGE_OUTPUT_CLOSE);
    ck_assert_uint_eq(output.message.count, 0);
    ck_assert_uint_eq(output.message.size, 0);
    ck_assert_ptr_null(output.message.parts[0].data);
    kedge_output_release(&output);
    memset(&output, 0xAA, sizeof output);
    ck_assert(!kedge_link_next_output(host.link, &output));
    ck_assert_uint_eq(output.message.count, 0);
    kedge_output_release(&output);
}
END_TEST

START_TEST(a_null_link_is_an_argument_or_nothing)
{
    kedge_span none = kedge_text(NULL);
    kedge_event event;
    kedge_output output;
    kedge_link_handshake handshake;
    kedge_request request;
    size_t size = 0;
    memset(&request, 0, sizeof request);
    ck_assert_int_eq(kedge_link_requested(NULL, &request, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_opened(NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_receive(NULL, KEDGE_MESSAGE_TEXT, none, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_alive(NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_peer_closed(NULL, 0, none, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_host_closed(NULL, 0, none, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_lost(NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_tick(NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_stop(NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_close(NULL, 1000, none, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_attach(NULL, 1, NULL, none, 0, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_refuse(NULL, 1, 4004, none, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_start(NULL, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_handshake_begin(NULL, &handshake, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_connect_failed(NULL, 0, 0, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_notify(NULL, kedge_text("x"), none, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_set_credentials(NULL, none, 0), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_save(NULL, NULL, 0, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_load(NULL, none), KEDGE_INVALID_ARGUMENT);
    ck_assert(!kedge_link_next_event(NULL, &event));
    ck_assert(!kedge_link_next_output(NULL, &output));
    ck_assert(!kedge_link_output_waiting(NULL));
    ck_assert(!kedge_link_event_waiting(NULL));
    ck_assert(!kedge_link_reading_wanted(NULL));
    ck_assert(kedge_link_finished(NULL));
    ck_assert_ptr_null(kedge_link_session(NULL));
    ck_assert_ptr_null(kedge_link_context(NULL));
    ck_assert_uint_eq(kedge_link_queued(NULL), 0);
    ck_assert_uint_eq(kedge_link_connection(NULL), 0);
    ck_assert_uint_eq(kedge_link_deadline(NULL), KEDGE_NEVER);
    ck_assert_uint_eq(kedge_link_counts_now(NULL).received, 0);
    ck_assert_int_eq(kedge_link_protocol(NULL), KEDGE_GATEWAY);
    ck_assert_int_eq(kedge_link_role(NULL), KEDGE_CLIENT);
    kedge_link_set_context(NULL, &host);
    kedge_link_remind(NULL, 0);
    kedge_output_release(NULL);
    kedge_link_destroy(NULL);
}
END_TEST

START_TEST(calls_of_the_other_role)
{
    kedge_span none = kedge_text(NULL);
    kedge_link_handshake handshake;
    kedge_request request;
    size_t size = 0;
    memset(&request, 0, sizeof request);
    link_host_create(&host);
    ck_assert_int_eq(kedge_link_role(host.link), KEDGE_SERVER);
    ck_assert_int_eq(kedge_link_protocol(host.link), KEDGE_GATEWAY);
    ck_assert_int_eq(kedge_link_start(host.link, host.now), KEDGE_WRONG_ROLE);
    ck_assert_int_eq(kedge_link_handshake_begin(host.link, &handshake, host.now), KEDGE_WRONG_ROLE);
    ck_assert_int_eq(kedge_link_connect_failed(host.link, 0, 0, host.now), KEDGE_WRONG_ROLE);
    ck_assert_int_eq(kedge_link_notify(host.link, kedge_text("x"), none, host.now),
                     KEDGE_WRONG_ROLE);
    ck_assert_int_eq(kedge_link_set_credentials(host.link, none, host.now), KEDGE_WRONG_ROLE);
    ck_assert_int_eq(kedge_link_save(host.link, NULL, 0, &size), KEDGE_WRONG_ROLE);
    ck_assert_int_eq(kedge_link_load(host.link, none), KEDGE_WRONG_ROLE);
    link_host_destroy(&host);
    host.config = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    link_host_create(&host);
    ck_assert_int_eq(kedge_link_role(host.link), KEDGE_CLIENT);
    ck_assert_int_eq(kedge_link_requested(host.link, &request, host.now), KEDGE_WRONG_ROLE);
    ck_assert_int_eq(kedge_link_attach(host.link, 1, NULL, none, 0, host.now), KEDGE_WRONG_ROLE);
    ck_assert_int_eq(kedge_link_refuse(host.link, 1, 4004, none, host.now), KEDGE_WRONG_ROLE);
}
END_TEST

START_TEST(arguments_that_cannot_be_right)
{
    kedge_span missing = kedge_span_of(NULL, 3);
    kedge_span none = kedge_text(NULL);
    char long_reason[130];
    memset(long_reason, 'a', sizeof long_reason);
    link_host_open(&host, false);
    ck_assert_int_eq(kedge_link_requested(host.link, NULL, host.now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_receive(host.link, KEDGE_MESSAGE_TEXT, missing, host.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_receive(host.link, (kedge_message_kind)2, none, host.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_peer_closed(host.link, 1000, missing, host.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_host_closed(host.link, 1000, missing, host.now),
                     KEDGE_INVALID_ARGUMENT);
    static const uint16_t codes[] = {0, 999, 1004, 1005, 1006, 1015, 2999, 5000};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        ck_assert_int_eq(kedge_link_close(host.link, codes[i], none, host.now),
                         KEDGE_INVALID_ARGUMENT);
    }
    ck_assert_int_eq(kedge_link_close(host.link, 4000, missing, host.now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_close(host.link, 4000, kedge_text("\xc3"), host.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_close(host.link, 4000, kedge_span_of(long_reason, 124), host.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert(!kedge_link_next_event(host.link, NULL));
    ck_assert(!kedge_link_next_output(host.link, NULL));
    ck_assert(!host.link->ended);
    ck_assert_int_eq(kedge_link_close(host.link, 4000, kedge_span_of(long_reason, 123), host.now),
                     KEDGE_OK);
    host.config = kedge_link_config_default(KEDGE_GATEWAY, KEDGE_CLIENT);
    link_host_destroy(&host);
    link_host_create(&host);
    ck_assert_int_eq(kedge_link_handshake_begin(host.link, NULL, host.now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_notify(host.link, none, none, host.now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_notify(host.link, missing, none, host.now), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_notify(host.link, kedge_text("x"), missing, host.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_set_credentials(host.link, missing, host.now),
                     KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_save(host.link, NULL, 0, NULL), KEDGE_INVALID_ARGUMENT);
    size_t size = 0;
    ck_assert_int_eq(kedge_link_save(host.link, NULL, 1, &size), KEDGE_INVALID_ARGUMENT);
    ck_assert_int_eq(kedge_link_load(host.link, missing), KEDGE_INVALID_ARGUMENT);
}
END_TEST

START_TEST(context_is_the_hosts)
{
    link_host_create(&host);
    ck_assert_ptr_null(kedge_link_context(host.link));
    kedge_link_set_context(host.link, &host);
    ck_assert_ptr_eq(kedge_link_context(host.link), &host);
    ck_assert_uint_eq(kedge_link_connection(host.link), 0);
}
END_TEST

START_TEST(outputs_outlive_their_link)
{
    kedge_output output;
    link_host_open(&host, false);
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    ck_assert(kedge_link_next_output(host.link, &output));
    link_host_destroy(&host);
    ck_assert_uint_eq(output.message.size, 32);
    ck_assert_uint_eq(output.message.parts[1].data[output.message.parts[1].size - 1], '}');
    kedge_output_release(&output);
    kedge_output_release(&output);
}
END_TEST

/* ---- Time --------------------------------------------------------------------------------------- */

START_TEST(time_that_goes_back_stands_still_and_is_counted)
{
    link_host_open(&host, false);
    kedge_time deadline = kedge_link_deadline(host.link);
    ck_assert_int_eq(kedge_link_tick(host.link, host.now - 1), KEDGE_OK);
    ck_assert_int_eq(kedge_link_receive(host.link, KEDGE_MESSAGE_TEXT, kedge_text(HEARTBEAT), 0),
                     KEDGE_OK);
    ck_assert_uint_eq(host.link->now, host.now);
    ck_assert_uint_eq(kedge_link_counts_now(host.link).clock_backward, 2);
    ck_assert_uint_eq(kedge_link_deadline(host.link), deadline);
}
END_TEST

START_TEST(reminder_is_part_of_the_deadline_and_comes_once)
{
    link_host_create(&host);
    ck_assert_uint_eq(kedge_link_deadline(host.link), KEDGE_NEVER);
    kedge_link_remind(host.link, host.now + 10);
    ck_assert_uint_eq(kedge_link_deadline(host.link), host.now + 10);
    kedge_link_remind(host.link, KEDGE_NEVER);
    ck_assert_uint_eq(kedge_link_deadline(host.link), KEDGE_NEVER);
    kedge_link_remind(host.link, host.now + 10);
    link_host_pass(&host, 9);
    ck_assert(!host.link->reminded);
    link_host_pass(&host, 1);
    ck_assert(host.link->reminded);
    ck_assert_uint_eq(kedge_link_deadline(host.link), KEDGE_NEVER);
    link_host_destroy(&host);
    /* The protocol's own deadline may be the earlier one. */
    link_host_open(&host, false);
    kedge_time own = kedge_link_deadline(host.link);
    kedge_link_remind(host.link, own + 1);
    ck_assert_uint_eq(kedge_link_deadline(host.link), own);
    link_host_pass(&host, own - host.now);
    ck_assert(!host.link->reminded);
    ck_assert_uint_eq(kedge_link_deadline(host.link), own + 1);
}
END_TEST

START_TEST(deadlines_far_away_are_never)
{
    ck_assert_uint_eq(kedge_time_after(5, KEDGE_NEVER), KEDGE_NEVER);
    ck_assert_uint_eq(kedge_time_after(KEDGE_NEVER - 5, 5), KEDGE_NEVER);
    ck_assert_uint_eq(kedge_time_after(KEDGE_NEVER - 6, 5), KEDGE_NEVER - 1);
    ck_assert_uint_eq(kedge_time_after(KEDGE_NEVER, 0), KEDGE_NEVER);
}
END_TEST

START_TEST(bucket_fills_by_the_clock)
{
    kedge_bucket bucket = {0};
    kedge_time now = 7 * KEDGE_SECOND;
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_le(kedge_bucket_ready(&bucket, 3, 2, now), now);
        ck_assert(kedge_bucket_take(&bucket, 3, 2, now));
    }
    ck_assert(!kedge_bucket_take(&bucket, 3, 2, now));
    ck_assert_uint_eq(kedge_bucket_ready(&bucket, 3, 2, now), now + KEDGE_SECOND / 2);
    ck_assert(!kedge_bucket_take(&bucket, 3, 2, now + KEDGE_SECOND / 2 - 1));
    ck_assert(kedge_bucket_take(&bucket, 3, 2, now + KEDGE_SECOND / 2));
    ck_assert(!kedge_bucket_take(&bucket, 3, 2, now + KEDGE_SECOND / 2));
    now += 3600 * KEDGE_SECOND;
    for (int i = 0; i < 3; i++) {
        ck_assert(kedge_bucket_take(&bucket, 3, 2, now));
    }
    ck_assert(!kedge_bucket_take(&bucket, 3, 2, now));
}
END_TEST

START_TEST(bucket_extremes)
{
    kedge_bucket bucket = {0};
    for (int i = 0; i < 1000; i++) {
        ck_assert(kedge_bucket_take(&bucket, 0, 0, 1)); /* no limit */
    }
    ck_assert(kedge_bucket_take(&bucket, 1, 0, 1));
    ck_assert_uint_eq(kedge_bucket_ready(&bucket, 1, 0, 1), KEDGE_SECOND + 1);
    bucket.full = 0;
    ck_assert(kedge_bucket_take(&bucket, 1, UINT32_MAX, 1)); /* faster than the clock ticks */
    ck_assert(!kedge_bucket_take(&bucket, 1, UINT32_MAX, 1));
    ck_assert(kedge_bucket_take(&bucket, 1, UINT32_MAX, 2));
    ck_assert(kedge_bucket_take(&bucket, UINT32_MAX, 1, 2)); /* full again in 136 years */
    ck_assert(kedge_bucket_take(&bucket, UINT32_MAX, 1, 2));
}
END_TEST

/* ---- Events ------------------------------------------------------------------------------------- */

START_TEST(receive_waits_for_events_to_be_pulled)
{
    kedge_event event;
    link_host_open(&host, false);
    ck_assert_int_eq(link_host_text(&host, IDENTIFY), KEDGE_OK);
    ck_assert(kedge_link_event_waiting(host.link));
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_WRONG_STATE);
    ck_assert(kedge_link_next_event(host.link, &event));
    ck_assert(!kedge_link_event_waiting(host.link));
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    ck_assert_uint_eq(kedge_link_counts_now(host.link).received, 2);
}
END_TEST

/* A question, the session it got, and the end, before anything was pulled. */
START_TEST(events_come_in_order_and_tell_of_now)
{
    link_host_open(&host, false);
    ck_assert_int_eq(link_host_text(&host, IDENTIFY), KEDGE_OK);
    kedge_session *session = link_host_session(&host, "s");
    ck_assert_int_eq(kedge_link_attach(host.link, host.link->question.ticket, session,
                                       kedge_text(NULL), 1, host.now),
                     KEDGE_OK);
    ck_assert_int_eq(kedge_link_lost(host.link, host.now), KEDGE_OK);
    ck_assert_int_eq(strncmp(link_host_event(&host), "IDENTIFY ", 9), 0);
    ck_assert_str_eq(link_host_event(&host), "ATTACHED s position=0");
    /* By now the session may be gone: then nothing points to it any more. */
    kedge_link_forget_session(host.link);
    kedge_session_destroy(session);
    ck_assert_str_eq(link_host_event(&host), "CLOSED LOST sent=0 received=0 http=0 session=-");
    ck_assert_ptr_null(link_host_event(&host));
}
END_TEST

START_TEST(reason_of_the_peer_is_cut_at_a_character)
{
    char reason[256];
    for (size_t i = 0; i < sizeof reason; i += 2) {
        reason[i] = '\xc3';
        reason[i + 1] = '\xa4';
    }
    link_host_open(&host, false);
    ck_assert_int_eq(
        kedge_link_peer_closed(host.link, 1000, kedge_span_of(reason, sizeof reason), host.now),
        KEDGE_OK);
    kedge_event event;
    ck_assert(kedge_link_next_event(host.link, &event));
    ck_assert_uint_eq(event.as.closed.reason.size, 122);
    /* Nothing but continuation bytes: nothing is left of it. */
    memset(reason, 0x80, sizeof reason);
    ck_assert_uint_eq(kedge_link_keep_reason(host.link, kedge_span_of(reason, sizeof reason)).size,
                      0);
}
END_TEST

/* ---- The queue ---------------------------------------------------------------------------------- */

static kedge_publication *control(const char *text)
{
    kedge_publication *publication = NULL;
    ck_assert_int_eq(kedge_publication_control(&publication, memory_probe_allocator(&probe),
                                               KEDGE_GATEWAY, kedge_text(text)),
                     KEDGE_OK);
    return publication;
}

START_TEST(queue_keeps_order_and_counts_while_it_grows_and_wraps)
{
    kedge_queue queue = {0};
    kedge_allocator allocator = memory_probe_allocator(&probe);
    kedge_publication *publication = control("{\"type\":\"x\"}");
    uint64_t in = 0;
    uint64_t out = 0;
    ck_assert_ptr_null(kedge_queue_first(&queue));
    for (int round = 1; round < 60; round++) {
        for (int i = 0; i < round; i++) {
            ck_assert_int_eq(kedge_queue_push(&queue, allocator, publication, in++), KEDGE_OK);
        }
        for (int i = 0; i < round - 1; i++) {
            ck_assert_uint_eq(kedge_queue_first(&queue)->number, out);
            kedge_queued queued = kedge_queue_pop(&queue);
            ck_assert_uint_eq(queued.number, out++);
            kedge_publication_release(queued.publication);
        }
        ck_assert_uint_eq(queue.count, in - out);
        ck_assert_uint_eq(queue.bytes, 12 * (in - out));
    }
    kedge_queue_clear(&queue, allocator);
    ck_assert_uint_eq(queue.bytes, 0);
    kedge_publication_release(publication);
}
END_TEST

START_TEST(queue_needs_no_memory_for_a_few_and_fails_cleanly)
{
    kedge_queue queue = {0};
    kedge_allocator allocator = memory_probe_allocator(&probe);
    kedge_publication *publication = control("{}");
    probe.calls = 0;
    probe.fails_at = 1;
    for (uint64_t i = 0; i < KEDGE_QUEUE_INLINE; i++) {
        ck_assert_int_eq(kedge_queue_push(&queue, allocator, publication, i), KEDGE_OK);
    }
    ck_assert_uint_eq(probe.calls, 0);
    ck_assert_int_eq(kedge_queue_push(&queue, allocator, publication, 9), KEDGE_NO_MEMORY);
    ck_assert_uint_eq(queue.count, KEDGE_QUEUE_INLINE);
    ck_assert_uint_eq(queue.bytes, 2 * KEDGE_QUEUE_INLINE);
    ck_assert_int_eq(kedge_queue_push(&queue, allocator, publication, 9), KEDGE_OK);
    kedge_queue_clear(&queue, allocator);
    kedge_publication_release(publication);
}
END_TEST

/* ---- Commons: the list of what changed ------------------------------------------------------------ */

enum { LINKS = 4 };

static kedge_commons commons;
static kedge_link *links[LINKS];
static int left;

static void count_leaving(kedge_commons *of, kedge_link *link)
{
    ck_assert_ptr_eq(of, &commons);
    ck_assert(link->ended);
    left++;
}

static void make_links(void)
{
    left = 0;
    kedge_commons_init(&commons, &entropy, memory_probe_allocator(&probe));
    commons.shared = true;
    commons.leaving = count_leaving;
    for (int i = 0; i < LINKS; i++) {
        ck_assert_int_eq(kedge_link_make(&links[i], &host.config, &commons,
                                         memory_probe_allocator(&probe), host.now),
                         KEDGE_OK);
    }
    ck_assert_ptr_null(kedge_commons_next_changed(&commons));
}

static void destroy_links(void)
{
    for (int i = 0; i < LINKS; i++) {
        kedge_link_destroy(links[i]);
        links[i] = NULL;
    }
    ck_assert_ptr_null(kedge_commons_next_changed(&commons));
    kedge_commons_free(&commons);
}

START_TEST(changed_links_are_listed_once_in_order)
{
    make_links();
    kedge_link_changed(links[2]);
    kedge_link_changed(links[0]);
    kedge_link_changed(links[2]);
    ck_assert_ptr_eq(kedge_commons_next_changed(&commons), links[2]);
    kedge_link_changed(links[2]);
    ck_assert_ptr_eq(kedge_commons_next_changed(&commons), links[0]);
    ck_assert_ptr_eq(kedge_commons_next_changed(&commons), links[2]);
    ck_assert_ptr_null(kedge_commons_next_changed(&commons));
    destroy_links();
    ck_assert_int_eq(left, LINKS);
}
END_TEST

/* The first, the last, one between, the only one. */
START_TEST(destroyed_links_leave_the_list)
{
    make_links();
    for (int i = 0; i < LINKS; i++) {
        kedge_link_changed(links[i]);
    }
    static const int order[LINKS] = {1, 0, 3, 2};
    for (int i = 0; i < LINKS; i++) {
        kedge_link_destroy(links[order[i]]);
        links[order[i]] = NULL;
    }
    destroy_links();
}
END_TEST

START_TEST(every_input_lists_its_link)
{
    make_links();
    kedge_link *link = links[1];
    kedge_request request;
    kedge_output output;
    memset(&request, 0, sizeof request);
    ck_assert_int_eq(kedge_link_requested(link, &request, host.now), KEDGE_OK);
    ck_assert_ptr_eq(kedge_commons_next_changed(&commons), link);
    ck_assert(kedge_link_output_told(link));
    ck_assert(kedge_link_next_output(link, &output));
    ck_assert_int_eq(kedge_link_opened(link, host.now), KEDGE_OK);
    ck_assert_ptr_eq(kedge_commons_next_changed(&commons), link);
    ck_assert(kedge_link_next_output(link, &output));
    kedge_output_release(&output);
    ck_assert(!kedge_link_output_told(link));
    ck_assert_int_eq(kedge_link_receive(link, KEDGE_MESSAGE_TEXT, kedge_text(IDENTIFY), host.now),
                     KEDGE_OK);
    ck_assert_ptr_eq(kedge_commons_next_changed(&commons), link);
    ck_assert(kedge_link_event_waiting(link));
    ck_assert_int_eq(kedge_link_tick(link, host.now + 1), KEDGE_OK); /* nothing due */
    ck_assert_ptr_null(kedge_commons_next_changed(&commons));
    kedge_link_remind(link, host.now + 2);
    ck_assert_ptr_eq(kedge_commons_next_changed(&commons), link);
    ck_assert_int_eq(kedge_link_tick(link, host.now + 2), KEDGE_OK);
    ck_assert_ptr_eq(kedge_commons_next_changed(&commons), link);
    ck_assert_int_eq(kedge_link_lost(link, host.now + 3), KEDGE_OK);
    ck_assert_ptr_eq(kedge_commons_next_changed(&commons), link);
    destroy_links();
}
END_TEST

/* Whether the first link is on the list of those for whose hosts there is something; it is taken off. */
static void check_ready(bool ready)
{
    ck_assert_ptr_null(kedge_commons_next_changed(&commons));
    ck_assert_ptr_eq(commons.ready, ready ? links[0] : NULL);
    kedge_link_unlist_ready(links[0]);
}

/* A link that was handed to its host is not listed for each publish; once it ran dry it is again. */
START_TEST(publishing_lists_a_link_unless_its_host_pulls)
{
    make_links();
    host.link = links[0];
    link_host_open(&host, false);
    kedge_session *session = link_host_identify(&host, "s");
    while (kedge_commons_next_changed(&commons) != NULL) {
    }
    link_host_send(&host, session, "event", "1");
    check_ready(true);
    links[0]->handed = true;
    link_host_send(&host, session, "event", "2");
    check_ready(false);
    ck_assert_ptr_nonnull(link_host_pull(&host));
    ck_assert_ptr_nonnull(link_host_pull(&host));
    link_host_send(&host, session, "event", "3");
    check_ready(false);
    ck_assert_ptr_nonnull(link_host_pull(&host));
    ck_assert_ptr_null(link_host_pull(&host));
    ck_assert(!links[0]->handed);
    link_host_send(&host, session, "event", "4");
    check_ready(true);
    /* That it was outrun is told in any case. */
    links[0]->handed = true;
    kedge_log_trim(kedge_session_own_log(session), 5);
    ck_assert_ptr_eq(kedge_commons_next_changed(&commons), links[0]);
    commons.now = host.now + 7;
    kedge_link_settle(links[0]);
    ck_assert(links[0]->ended);
    ck_assert_uint_eq(links[0]->ended_at, host.now + 7);
    commons.now = 0;
    kedge_link_settle(links[0]);
    ck_assert_uint_eq(links[0]->now, host.now + 7);
    ck_assert_uint_eq(kedge_link_counts_now(links[0]).clock_backward, 0);
    host.link = NULL;
    destroy_links();
    kedge_session_destroy(session);
}
END_TEST

START_TEST(destroyed_while_open_counts_as_lost_at_its_last_input)
{
    make_links();
    host.link = links[0];
    link_host_open(&host, false);
    kedge_session *session = link_host_identify(&host, "s");
    ck_assert_ptr_eq(kedge_link_holding(session, NULL), links[0]);
    ck_assert_ptr_null(kedge_link_holding(session, links[0]));
    host.link = NULL;
    kedge_link_destroy(links[0]);
    links[0] = NULL;
    ck_assert_int_eq(left, 1);
    ck_assert_ptr_null(kedge_link_holding(session, NULL));
    destroy_links();
    kedge_session_destroy(session);
}
END_TEST

/* An application's own cursors on a session are no links. */
START_TEST(holding_knows_links_from_other_cursors)
{
    kedge_cursor cursor;
    link_host_open(&host, false);
    kedge_session *session = link_host_identify(&host, "s");
    ck_assert_int_eq(kedge_cursor_open(&cursor, session, 0), KEDGE_OK);
    ck_assert_ptr_eq(kedge_link_holding(session, NULL), host.link);
    ck_assert_ptr_null(kedge_link_holding(session, host.link));
    kedge_cursor_close(&cursor);
    link_host_destroy(&host);
    kedge_session_destroy(session);
}
END_TEST

START_TEST(orphans_can_only_be_destroyed)
{
    make_links();
    host.link = links[0];
    link_host_open(&host, false);
    kedge_session *session = link_host_identify(&host, "s");
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    kedge_link_orphan(links[0]);
    kedge_output output;
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_WRONG_STATE);
    ck_assert_int_eq(kedge_link_lost(links[0], host.now), KEDGE_WRONG_STATE);
    ck_assert(!kedge_link_next_output(links[0], &output));
    ck_assert(!kedge_link_output_waiting(links[0]));
    ck_assert(!kedge_link_reading_wanted(links[0]));
    ck_assert(kedge_link_finished(links[0]));
    ck_assert_uint_eq(kedge_link_deadline(links[0]), KEDGE_NEVER);
    ck_assert_ptr_null(kedge_link_session(links[0]));
    kedge_link_remind(links[0], 5);
    ck_assert_ptr_null(kedge_commons_next_changed(&commons));
    host.link = NULL;
    kedge_session_destroy(session);
    destroy_links();
    ck_assert_int_eq(left, LINKS - 1);
}
END_TEST

START_TEST(commons_make_their_coders_once)
{
    kedge_zstd_encoder *encoder = NULL;
    kedge_zstd_encoder *same = NULL;
    kedge_zstd_decoder *decoder = NULL;
    kedge_zstd_decoder *same_decoder = NULL;
    kedge_commons_init(&commons, &entropy, memory_probe_allocator(&probe));
    probe.calls = 0;
    probe.fails_at = 1;
    ck_assert_int_eq(kedge_commons_encoder(&commons, &encoder), KEDGE_NO_MEMORY);
    ck_assert_int_eq(kedge_commons_encoder(&commons, &encoder), KEDGE_OK);
    ck_assert_int_eq(kedge_commons_encoder(&commons, &same), KEDGE_OK);
    ck_assert_ptr_eq(same, encoder);
    probe.calls = 0;
    ck_assert_int_eq(kedge_commons_decoder(&commons, &decoder), KEDGE_NO_MEMORY);
    ck_assert_int_eq(kedge_commons_decoder(&commons, &decoder), KEDGE_OK);
    ck_assert_int_eq(kedge_commons_decoder(&commons, &same_decoder), KEDGE_OK);
    ck_assert_ptr_eq(same_decoder, decoder);
    kedge_commons_free(&commons);
}
END_TEST

/* ---- Tickets, scratch memory, outputs -------------------------------------------------------------- */

START_TEST(tickets_name_slot_generation_and_question)
{
    make_links();
    links[3]->slot = (1u << KEDGE_TICKET_SLOT_BITS) - 1;
    links[3]->generation = UINT16_MAX;
    links[3]->questions = (1u << KEDGE_TICKET_COUNTER_BITS) - 2;
    ck_assert_int_eq(
        kedge_link_ask(links[3], KEDGE_EVENT_RESUME, kedge_text("id"), kedge_text("[]"), 9),
        KEDGE_OK);
    ck_assert_uint_eq(links[3]->question.ticket, UINT64_MAX);
    const kedge_question *question = kedge_link_question(links[3], UINT64_MAX);
    ck_assert_ptr_nonnull(question);
    ck_assert_uint_eq(kedge_ticket_slot(question->ticket), links[3]->slot);
    ck_assert_uint_eq(kedge_ticket_generation(question->ticket), UINT16_MAX);
    ck_assert(kedge_span_equal(question->session_id, kedge_text("id")));
    ck_assert(kedge_span_equal(question->granted, kedge_text("[]")));
    ck_assert_uint_eq(question->position, 9);
    ck_assert_ptr_null(kedge_link_question(links[3], UINT64_MAX - 1));
    kedge_link_unask(links[3]);
    ck_assert_ptr_null(kedge_link_question(links[3], UINT64_MAX));
    ck_assert_ptr_null(kedge_link_question(links[3], 0));
    destroy_links();
}
END_TEST

START_TEST(scratch_memory_lives_until_the_next_message)
{
    uint8_t *memory = NULL;
    link_host_open(&host, false);
    ck_assert_int_eq(kedge_link_scratch(host.link, 100, &memory), KEDGE_OK);
    memset(memory, 1, 100);
    probe.calls = 0;
    probe.fails_at = 1;
    ck_assert_int_eq(kedge_link_scratch(host.link, 10, &memory), KEDGE_NO_MEMORY);
    ck_assert_uint_eq(host.link->scratch_size, 100);
    ck_assert_int_eq(kedge_link_scratch(host.link, 0, &memory), KEDGE_OK);
    ck_assert_ptr_null(memory);
    ck_assert_int_eq(kedge_link_scratch(host.link, 10, &memory), KEDGE_OK);
    ck_assert_int_eq(link_host_text(&host, HEARTBEAT), KEDGE_OK);
    ck_assert_ptr_null(host.link->scratch);
}
END_TEST

START_TEST(secrets_are_wiped)
{
    uint8_t secret[16];
    memset(secret, 0xAA, sizeof secret);
    kedge_wipe(secret, 15);
    for (size_t i = 0; i < 15; i++) {
        ck_assert_uint_eq(secret[i], 0);
    }
    ck_assert_uint_eq(secret[15], 0xAA);
}
END_TEST

START_TEST(an_abort_is_given_like_a_close)
{
    link_host_open(&host, false);
    host.link->abort_waits = true;
    host.link->ended = true;
    ck_assert(!kedge_link_finished(host.link));
    ck_assert_str_eq(link_host_pull(&host), "abort");
    ck_assert_ptr_null(link_host_pull(&host));
    ck_assert(kedge_link_finished(host.link));
}
END_TEST

START_TEST(emitting_needs_the_form_that_is_asked_for)
{
    kedge_output output;
    kedge_publication *publication = control("{}");
    link_host_open(&host, false);
    ck_assert_int_eq(kedge_link_emit(host.link, publication, 0, true, &output), KEDGE_WRONG_STATE);
    ck_assert_uint_eq(kedge_link_counts_now(host.link).sent, 1); /* hello */
    kedge_publication_release(publication);
}
END_TEST

/* ---- The gateway's close codes -------------------------------------------------------------------- */

START_TEST(close_codes_have_names_texts_and_consequences)
{
    ck_assert_str_eq(kedge_gateway_close_name(4000), "UNKNOWN_ERROR");
    ck_assert_str_eq(kedge_gateway_close_name(4012), "SERVER_FULL");
    ck_assert_str_eq(kedge_gateway_close_text(4010), "replay buffer exhausted");
    ck_assert_ptr_null(kedge_gateway_close_name(1000));
    ck_assert_ptr_null(kedge_gateway_close_text(4013));
    static const uint16_t resumable[] = {4000, 4006, 4007, 4008, 0,    1001,
                                         1005, 1006, 1011, 1012, 1013, 1014};
    static const uint16_t final[] = {4001, 4002, 4003, 4004, 4005, 4009, 4010, 4011,
                                     4012, 1000, 1002, 1007, 1009, 3000, 4013, 4999};
    for (size_t i = 0; i < sizeof resumable / sizeof resumable[0]; i++) {
        ck_assert(kedge_gateway_close_resumable(resumable[i]));
    }
    for (size_t i = 0; i < sizeof final / sizeof final[0]; i++) {
        ck_assert(!kedge_gateway_close_resumable(final[i]));
    }
}
END_TEST

START_TEST(the_gateway_tells_a_hubs_verdict_by_its_close_codes)
{
    ck_assert_uint_eq(kedge_gateway_close_code(KEDGE_TOO_MANY_SESSIONS), 4006);
    ck_assert_uint_eq(kedge_gateway_close_code(KEDGE_NOT_YOURS), 4004);
    ck_assert_uint_eq(kedge_gateway_close_code(KEDGE_HISTORY_LOST), 4010);
    ck_assert_uint_eq(kedge_gateway_close_code(KEDGE_UNKNOWN), 4009);
    ck_assert_uint_eq(kedge_gateway_close_code(KEDGE_NO_MEMORY), 4009);
}
END_TEST

static void add_life(TCase *tests)
{
    tcase_add_test(tests, defaults_are_those_of_the_header);
    tcase_add_test(tests, a_protocol_that_there_is_not_has_no_settings);
    tcase_add_loop_test(tests, settings_that_are_refused, 0, 6);
    tcase_add_test(tests, creating_needs_all_its_arguments);
    tcase_add_test(tests, creating_without_memory_changes_nothing);
    tcase_add_loop_test(tests, what_could_not_be_made_is_null, 0, 2);
    tcase_add_test(tests, an_output_is_whole);
    tcase_add_test(tests, a_null_link_is_an_argument_or_nothing);
    tcase_add_test(tests, calls_of_the_other_role);
    tcase_add_test(tests, arguments_that_cannot_be_right);
    tcase_add_test(tests, context_is_the_hosts);
    tcase_add_test(tests, outputs_outlive_their_link);
    tcase_add_test(tests, close_codes_have_names_texts_and_consequences);
}

static void add_parts(TCase *tests)
{
    tcase_add_test(tests, time_that_goes_back_stands_still_and_is_counted);
    tcase_add_test(tests, reminder_is_part_of_the_deadline_and_comes_once);
    tcase_add_test(tests, deadlines_far_away_are_never);
    tcase_add_test(tests, bucket_fills_by_the_clock);
    tcase_add_test(tests, bucket_extremes);
    tcase_add_test(tests, receive_waits_for_events_to_be_pulled);
    tcase_add_test(tests, events_come_in_order_and_tell_of_now);
    tcase_add_test(tests, reason_of_the_peer_is_cut_at_a_character);
    tcase_add_test(tests, queue_keeps_order_and_counts_while_it_grows_and_wraps);
    tcase_add_test(tests, queue_needs_no_memory_for_a_few_and_fails_cleanly);
    tcase_add_test(tests, tickets_name_slot_generation_and_question);
    tcase_add_test(tests, scratch_memory_lives_until_the_next_message);
    tcase_add_test(tests, secrets_are_wiped);
    tcase_add_test(tests, an_abort_is_given_like_a_close);
    tcase_add_test(tests, emitting_needs_the_form_that_is_asked_for);
}

static void add_commons(TCase *tests)
{
    tcase_add_test(tests, the_gateway_tells_a_hubs_verdict_by_its_close_codes);
    tcase_add_test(tests, changed_links_are_listed_once_in_order);
    tcase_add_test(tests, destroyed_links_leave_the_list);
    tcase_add_test(tests, every_input_lists_its_link);
    tcase_add_test(tests, publishing_lists_a_link_unless_its_host_pulls);
    tcase_add_test(tests, destroyed_while_open_counts_as_lost_at_its_last_input);
    tcase_add_test(tests, holding_knows_links_from_other_cursors);
    tcase_add_test(tests, orphans_can_only_be_destroyed);
    tcase_add_test(tests, commons_make_their_coders_once);
}

Suite *kedge_link_suite(void);

Suite *kedge_link_suite(void)
{
    Suite *suite = suite_create("link");
    void (*const adders[])(TCase *) = {add_life, add_parts, add_commons};
    static const char *const names[] = {"life", "parts", "commons"};
    for (size_t i = 0; i < 3; i++) {
        TCase *tests = tcase_create(names[i]);
        tcase_add_checked_fixture(tests, set_up, tear_down);
        adders[i](tests);
        suite_add_tcase(suite, tests);
    }
    return suite;
}
