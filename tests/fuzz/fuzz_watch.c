/* Input: two bytes of choices, then what two sides say to each other, and when: messages of the protocol's grammar,
 * changed ones, any bytes, closes and broken connections, in any order.
 *
 * Each is observed, or memory was made to miss; both sides have a state; the contract is broken once at most, by one
 * of the two, against a rule; a name can be read; the same again is seen alike; memory stays within what the
 * limits allow, and all of it comes back. */
#include <stdlib.h>

#include "grammar.h"
#include "kedge/watch.h"

enum { STEPS_MAX = 300, TEXT_MAX = 4096, MESSAGE_LIMIT = 1024, MEMORY_MAX = 1024 * 1024 };

typedef struct world {
    fuzz_input input;
    fuzz_memory memory;
    kedge_protocol protocol;
    kedge_watch *watch;
    kedge_time now;
    kedge_zstd_encoder *encoder;
    uint64_t number; /* that is due */
    bool broken;
    bool failed; /* memory was missing: it says so from now on */
    fuzz_log log;
} world;

static void make_watch(world *w, uint8_t choice)
{
    kedge_watch_config config = kedge_watch_config_default(w->protocol);
    config.client.message_limit = MESSAGE_LIMIT;
    config.client.queue_limit = MESSAGE_LIMIT;
    config.server.message_limit = MESSAGE_LIMIT;
    config.server.queue_limit = MESSAGE_LIMIT;
    if (w->protocol == KEDGE_GATEWAY) {
        config.client.as.gateway_client.compress = (choice & 4) != 0;
        w->encoder = NULL;
        if ((choice & 4) != 0) {
            FUZZ_CHECK(kedge_zstd_encoder_create(&w->encoder, kedge_allocator_default(), 1) ==
                       KEDGE_OK);
        }
    }
    FUZZ_CHECK(kedge_watch_create(&w->watch, &config, fuzz_allocator(&w->memory)) == KEDGE_OK);
}

static void observe(world *w, kedge_status status, const kedge_observation *seen)
{
    FUZZ_CHECK(status == KEDGE_OK || (status == KEDGE_NO_MEMORY && w->memory.failed != 0));
    FUZZ_CHECK(!w->failed || status == KEDGE_NO_MEMORY);
    w->failed = status == KEDGE_NO_MEMORY;
    if (w->failed) {
        return;
    }
    FUZZ_CHECK(seen->client_state != NULL && seen->server_state != NULL);
    FUZZ_CHECK(!seen->broken || !w->broken);
    w->broken = w->broken || seen->broken;
    if (seen->broken) {
        FUZZ_CHECK(seen->culprit == KEDGE_CLIENT || seen->culprit == KEDGE_SERVER);
        FUZZ_CHECK(seen->cause != KEDGE_OK && seen->rule != NULL && seen->rule[0] != '\0');
        fuzz_log_number(&w->log, (uint64_t)seen->cause);
        fuzz_log_bytes(&w->log, kedge_text(seen->rule));
    }
    fuzz_log_bytes(&w->log, seen->name);
    fuzz_log_bytes(&w->log, kedge_text(seen->client_state));
    fuzz_log_bytes(&w->log, kedge_text(seen->server_state));
    FUZZ_CHECK(w->memory.bytes <= MEMORY_MAX);
}

static size_t put_value(void *context, char name, char *text, size_t room)
{
    world *w = context;
    switch (name) {
    case 'N':
        return fuzz_put_number(text, room, fuzz_number_near(&w->input, w->number));
    case 'P':
        return fuzz_put_number(text, room, w->number - 1);
    case 'I':
        return fuzz_put_number(text, room, fuzz_below(&w->input, 4));
    case 'S':
        return fuzz_put_text(text, room, "s");
    default:
        return fuzz_put_filler(&w->input, text, room);
    }
}

static void tell(world *w, kedge_role from, kedge_message_kind kind, kedge_span message)
{
    kedge_observation seen;
    uint8_t *exact = fuzz_copy(message);
    kedge_span copy = kedge_span_of(exact, message.size);
    observe(w, kedge_watch_message(w->watch, from, kind, copy, w->now, &seen), &seen);
    free(exact);
}

static void say(world *w, kedge_role from)
{
    char text[TEXT_MAX];
    static uint8_t frame[2 * TEXT_MAX];
    fuzz_speaker speaker = {&w->input, fuzz_grammar_of(w->protocol, from), put_value, w};
    size_t size = fuzz_speak(&speaker, 'm', text, sizeof text);
    size = fuzz_mutate(&w->input, text, size, sizeof text);
    w->number += fuzz_byte(&w->input) % 4 != 3;
    if (w->encoder == NULL || from == KEDGE_CLIENT || fuzz_byte(&w->input) % 8 == 7) {
        tell(w, from, KEDGE_MESSAGE_TEXT, kedge_span_of(text, size));
        return;
    }
    FUZZ_CHECK(kedge_zstd_encode(w->encoder, kedge_span_of(text, size), frame, sizeof frame,
                                 &size) == KEDGE_OK);
    size = fuzz_mutate(&w->input, (char *)frame, size, sizeof frame);
    tell(w, from, KEDGE_MESSAGE_BINARY, kedge_span_of(frame, size));
}

static void say_anything(world *w, kedge_role from)
{
    bool text = fuzz_byte(&w->input) % 4 != 0;
    kedge_span bytes = fuzz_take(&w->input, fuzz_byte(&w->input));
    tell(w, from, text ? KEDGE_MESSAGE_TEXT : KEDGE_MESSAGE_BINARY, bytes);
}

static void hang_up(world *w, kedge_role from)
{
    static const uint16_t codes[] = {0,    0,    1000, 1001, 1005, 1008, 1009, 1013,
                                     4000, 4002, 4004, 4007, 4008, 4009, 4010, 4999};
    kedge_observation seen;
    uint16_t code = codes[fuzz_below(&w->input, 16)];
    kedge_span reason = fuzz_take(&w->input, fuzz_byte(&w->input) % 8);
    observe(w, kedge_watch_close(w->watch, from, code, reason, w->now, &seen), &seen);
}

static void pass_time(world *w)
{
    static const kedge_time spans[] = {1,
                                       KEDGE_MILLISECOND,
                                       KEDGE_SECOND,
                                       10 * KEDGE_SECOND,
                                       30 * KEDGE_SECOND,
                                       70 * KEDGE_SECOND,
                                       3600 * KEDGE_SECOND,
                                       (kedge_time)400 * 86400 * KEDGE_SECOND};
    w->now += spans[fuzz_below(&w->input, 8)];
}

static void step(world *w)
{
    uint8_t choice = fuzz_byte(&w->input);
    kedge_role from = (choice & 1) != 0 ? KEDGE_SERVER : KEDGE_CLIENT;
    switch (choice / 2 % 16) {
    case 15:
        fuzz_faults_soon(&w->memory, &w->input);
        break;
    case 14:
        hang_up(w, from);
        break;
    case 13:
    case 12:
        pass_time(w);
        break;
    case 11:
        say_anything(w, from);
        break;
    default:
        say(w, from);
    }
}

static void run(world *w, const uint8_t *data, size_t size)
{
    memset(w, 0, sizeof *w);
    w->input = (fuzz_input){data, size};
    w->number = 1;
    w->now = 1000 * KEDGE_SECOND;
    uint8_t choice = fuzz_byte(&w->input);
    w->protocol = (kedge_protocol)(choice & 3);
    make_watch(w, choice);
    for (size_t i = 0; i < STEPS_MAX && w->input.size != 0; i++) {
        step(w);
    }
    kedge_watch_destroy(w->watch);
    kedge_zstd_encoder_free(w->encoder);
    FUZZ_CHECK(w->memory.blocks == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static world first;
    static world second;
    run(&first, data, size);
    run(&second, data, size);
    FUZZ_CHECK(fuzz_log_equal(&first.log, &second.log));
    fuzz_log_free(&first.log);
    fuzz_log_free(&second.log);
    return 0;
}
