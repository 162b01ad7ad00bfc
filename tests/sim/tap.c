#include "tap.h"

#include <string.h>

void sim_tap_end(sim_tap *tap)
{
    for (int role = KEDGE_CLIENT; tap->listens && role <= KEDGE_SERVER; role++) {
        kedge_reader_release(&tap->ears[role].reader);
    }
    tap->listens = false;
}

void sim_tap_begin(sim_tap *tap)
{
    sim_tap_end(tap);
    memset(tap, 0, sizeof *tap);
    for (int from = KEDGE_CLIENT; from <= KEDGE_SERVER; from++) {
        kedge_reader_config config =
            kedge_reader_config_default(from == KEDGE_CLIENT ? KEDGE_SERVER : KEDGE_CLIENT);
        config.message_limit = UINT64_MAX;
        config.frame_limit = UINT64_MAX;
        (void)kedge_reader_init(&tap->ears[from].reader, &config, kedge_allocator_default());
    }
    tap->listens = true;
}

/* Passes over what belongs to the handshake; what is none for WebSocket is not listened to. */
static kedge_span behind_head(sim_ear *ear, kedge_role from, kedge_span bytes)
{
    static const char end[] = "\r\n\r\n";
    size_t at = 0;
    while (at < bytes.size && !ear->open) {
        char byte = (char)bytes.data[at++];
        if (ear->first_size < sizeof ear->first) {
            ear->first[ear->first_size++] = byte;
        }
        ear->head = byte == end[ear->head] ? ear->head + 1 : byte == '\r';
        ear->open = ear->head == 4;
    }
    ear->deaf = from == KEDGE_SERVER && ear->open && memcmp(ear->first, "HTTP/1.1 101", 12) != 0;
    return ear->open && !ear->deaf ? kedge_span_of(bytes.data + at, bytes.size - at)
                                   : kedge_text("");
}

void sim_tap_feed(sim_tap *tap, kedge_role from, kedge_span bytes)
{
    sim_ear *ear = &tap->ears[from];
    kedge_span frames = behind_head(ear, from, bytes);
    ear->size += frames.size;
    (void)kedge_reader_feed_const(&ear->reader, frames);
}

bool sim_tap_next(sim_tap *tap, kedge_role from, kedge_reader_item *item)
{
    sim_ear *ear = &tap->ears[from];
    bool any = kedge_reader_next(&ear->reader, item) == KEDGE_OK;
    if (any) {
        ear->whole = kedge_reader_offset(&ear->reader);
        ear->closed = item->kind == KEDGE_READER_CLOSE;
    }
    return any;
}

bool sim_tap_between_frames(const sim_tap *tap, kedge_role from)
{
    const sim_ear *ear = &tap->ears[from];
    return tap->listens && ear->open && !ear->deaf && ear->whole == ear->size;
}
