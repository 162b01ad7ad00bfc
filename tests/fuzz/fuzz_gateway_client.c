/* Input: two bytes of choices, then calls (client_host.h): a gateway's client, and whatever a server may say.
 *
 * Besides: the application sees numbers rise, and a jump only behind a gap that names it; a connection begins with a
 * login. */
#include "client_host.h"
#include "kedge/envelope.h"

typedef struct world {
    fuzz_client host;
    bool logged_in; /* identify or resume was sent on this connection */
    bool has_session;
    uint8_t id[FUZZ_MESSAGE_LIMIT]; /* of the session */
    size_t id_size;
    uint64_t position;  /* of the application */
    uint64_t ready_due; /* with that number, next; 0: none */
} world;

static void configure(fuzz_client *host, uint8_t choice)
{
    kedge_gateway_client_config *client = &host->config.as.gateway_client;
    client->token = kedge_text((choice & 1) != 0 ? NULL : "t");
    client->compress = (choice & 2) != 0;
    client->sync_after_resume = (choice & 4) != 0;
    client->resumed_expected = (choice & 8) == 0;
    client->hold_count = 4;
    client->hold_bytes = 512;
    client->rate_burst = (choice & 16) != 0 ? 6 : 120;
    client->any_type = (choice & 32) != 0;
    if (client->compress) {
        FUZZ_CHECK(kedge_zstd_encoder_create(&host->encoder, kedge_allocator_default(), 1) ==
                   KEDGE_OK);
    }
}

static void begun(fuzz_client *host, const kedge_link_handshake *handshake)
{
    world *w = (world *)host;
    FUZZ_CHECK(handshake->header_count == 0);
    w->logged_in = false;
}

/* ---- what comes out ------------------------------------------------------------------------- */

static void take_dispatch(world *w, uint64_t number)
{
    if (number != 0) {
        FUZZ_CHECK(number == w->position + 1);
        w->position = number;
    }
}

/* Of the session that is kept it is a dispatch like any other. */
static void take_ready(world *w, kedge_span id, uint64_t number)
{
    FUZZ_CHECK(id.size != 0 && id.size <= sizeof w->id);
    if (w->has_session && kedge_span_equal(id, kedge_span_of(w->id, w->id_size))) {
        take_dispatch(w, number);
        return;
    }
    memcpy(w->id, id.data, id.size);
    w->id_size = id.size;
    w->has_session = true;
    w->position = number;
}

/* A `ready` that does not begin at 1 tells the gap of its session first. */
static void take_gap(world *w, uint64_t first, uint64_t last)
{
    FUZZ_CHECK(last >= first && (first == w->position + 1 || first == 1));
    w->ready_due = first == w->position + 1 ? 0 : last + 1;
    w->position = last;
}

static void take_event(fuzz_client *host, const kedge_event *event)
{
    world *w = (world *)host;
    FUZZ_CHECK(w->ready_due == 0 ||
               (event->kind == KEDGE_EVENT_READY && event->as.ready.number == w->ready_due));
    w->ready_due = 0;
    switch (event->kind) {
    case KEDGE_EVENT_CONNECT:
        FUZZ_CHECK(!event->as.connect.resume || w->has_session);
        w->has_session = event->as.connect.resume;
        break;
    case KEDGE_EVENT_READY:
        FUZZ_CHECK(host->wire == FUZZ_OPEN);
        take_ready(w, event->as.ready.session_id, event->as.ready.number);
        break;
    case KEDGE_EVENT_DISPATCH:
        /* Before `ready` only what carries no number. */
        FUZZ_CHECK(host->wire == FUZZ_OPEN && (w->has_session || event->as.dispatch.number == 0));
        take_dispatch(w, event->as.dispatch.number);
        break;
    case KEDGE_EVENT_GAP:
        take_gap(w, event->as.gap.first, event->as.gap.last);
        break;
    case KEDGE_EVENT_RESUMED:
        FUZZ_CHECK(host->wire == FUZZ_OPEN && w->has_session);
        FUZZ_CHECK(event->as.resumed.number == w->position);
        break;
    default:
        FUZZ_CHECK(event->kind == KEDGE_EVENT_SYNC || event->kind == KEDGE_EVENT_ERROR ||
                   event->kind == KEDGE_EVENT_CLOSED);
    }
}

static void settled(fuzz_client *host)
{
    const world *w = (const world *)host;
    uint64_t position =
        kedge_link_position(host->link); /* 0: without a session, which CONNECT tells */
    FUZZ_CHECK(position == 0 || (w->has_session && position == w->position));
}

static void take_text(fuzz_client *host, kedge_span text)
{
    world *w = (world *)host;
    kedge_envelope message;
    FUZZ_CHECK(text.size <= FUZZ_MESSAGE_LIMIT);
    FUZZ_CHECK(kedge_envelope_decode(&message, KEDGE_GATEWAY, text, NULL).status == KEDGE_OK);
    FUZZ_CHECK(!message.numbered);
    bool login = kedge_envelope_name_is(&message.type, kedge_text("identify")) ||
                 kedge_envelope_name_is(&message.type, kedge_text("resume"));
    FUZZ_CHECK(login != w->logged_in);
    w->logged_in = true;
}

static uint64_t due(fuzz_client *host)
{
    const world *w = (const world *)host;
    return w->position + 1;
}

/* What the saved text says of session and position. */
static void loaded(fuzz_client *host, kedge_span saved)
{
    world *w = (world *)host;
    kedge_json_reader reader;
    kedge_json_value name;
    kedge_json_value value;
    w->has_session = false;
    w->ready_due = 0;
    kedge_json_begin(&reader, saved, NULL);
    FUZZ_CHECK(kedge_json_object_begin(&reader));
    while (kedge_json_next_member(&reader, &name, &value)) {
        if (value.kind == KEDGE_JSON_KIND_TEXT) {
            w->has_session = true;
            FUZZ_CHECK(kedge_json_text(value, w->id, sizeof w->id, &w->id_size) == KEDGE_OK);
        } else if (value.kind == KEDGE_JSON_KIND_NUMBER) {
            FUZZ_CHECK(kedge_json_unsigned(value, &w->position) == KEDGE_OK);
        }
    }
    FUZZ_CHECK(kedge_json_finish(&reader).status == KEDGE_OK);
}

static const fuzz_client_kind kind = {
    .protocol = KEDGE_GATEWAY,
    .memory_max = 128 * 1024,
    .names = {"presence_update", "typing", "odd", "stage_response"},
    .configure = configure,
    .begun = begun,
    .loaded = loaded,
    .event = take_event,
    .settled = settled,
    .text = take_text,
    .due = due,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = {0};
    fuzz_client_run(&w.host, &kind, data, size);
    return 0;
}
