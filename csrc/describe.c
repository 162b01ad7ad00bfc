#include "describe.h"

#include "decimal.h"
#include "hub.h"
#include "link.h"
#include "session.h"

enum { ID_SHOWN = 6 };

/* ---- Lines -------------------------------------------------------------------------------------- */

/* The control characters beyond ASCII, which terminals obey as well: U+0080 to U+009F in their two bytes. */
static bool begins_control(kedge_span text, size_t i)
{
    return i + 1 < text.size && text.data[i] == 0xC2 && (text.data[i + 1] & 0xE0) == 0x80;
}

/* A line stays one, and an escape sequence is none, whatever a peer put into it. */
static char shown(kedge_span text, size_t i)
{
    uint8_t byte = text.data[i];
    bool control = byte < ' ' || byte == 0x7F || begins_control(text, i) ||
                   (i > 0 && begins_control(text, i - 1));
    return (char)(control ? '?' : byte);
}

void kedge_line_span(kedge_line *line, kedge_span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (line->size + 1 < line->capacity) {
            line->buffer[line->size] = shown(text, i);
        }
        line->size++;
    }
}

void kedge_line_text(kedge_line *line, const char *text)
{
    kedge_line_span(line, kedge_text(text));
}

void kedge_line_number(kedge_line *line, uint64_t number)
{
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    kedge_line_span(line, kedge_span_of(digits, kedge_decimal(digits, number)));
}

void kedge_line_count(kedge_line *line, uint64_t number, const char *one)
{
    kedge_line_number(line, number);
    kedge_line_text(line, " ");
    kedge_line_text(line, one);
    kedge_line_text(line, number == 1 ? "" : "s");
}

void kedge_line_until(kedge_line *line, kedge_time at, kedge_time now)
{
    if (at <= now) {
        kedge_line_text(line, "overdue");
        return;
    }
    uint64_t milliseconds = (at - now) / KEDGE_MILLISECOND;
    uint8_t digits[] = {'.', (uint8_t)('0' + milliseconds / 100 % 10),
                        (uint8_t)('0' + milliseconds / 10 % 10),
                        (uint8_t)('0' + milliseconds % 10)};
    kedge_line_text(line, "in ");
    kedge_line_number(line, milliseconds / 1000);
    kedge_line_span(line, kedge_span_of(digits, sizeof digits));
    kedge_line_text(line, " s");
}

/* How much of a text of whole characters is left of them when it was cut there. */
static size_t whole_characters(const uint8_t *text, size_t size)
{
    size_t last = size;
    while (last > 0 && (text[last - 1] & 0xC0) == 0x80) {
        last--;
    }
    if (last == 0) {
        return 0;
    }
    uint8_t lead = text[last - 1];
    size_t needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    return last - 1 + needed <= size ? size : last - 1;
}

void kedge_line_id(kedge_line *line, kedge_span id)
{
    bool cut = id.size > ID_SHOWN;
    size_t size = cut ? whole_characters(id.data, ID_SHOWN) : id.size;
    kedge_line_span(line, kedge_span_of(id.data, size));
    kedge_line_text(line, cut ? "..." : "");
}

size_t kedge_line_end(kedge_line *line)
{
    if (line->capacity > 0) {
        size_t room = line->capacity - 1;
        size_t end =
            line->size <= room ? line->size : whole_characters((const uint8_t *)line->buffer, room);
        line->buffer[end] = '\0';
    }
    return line->size;
}

static kedge_line begin(char *buffer, size_t capacity)
{
    kedge_line line = {buffer, buffer == NULL ? 0 : capacity, 0};
    return line;
}

/* ---- Links -------------------------------------------------------------------------------------- */

static const char *name_of(kedge_protocol protocol)
{
    static const char *const names[] = {"gateway", "flowlayer", "messaging", "blobhub"};
    return names[protocol];
}

static void describe_end(kedge_line *line, const kedge_link *link)
{
    if (link->close_code != 0) {
        kedge_line_text(line, "; closed with ");
        kedge_line_number(line, link->close_code);
    }
    if (link->reason_size > 0) {
        kedge_line_text(line, ": ");
        kedge_line_span(line, kedge_span_of(link->reason, link->reason_size));
    }
}

static void describe_session_of(kedge_line *line, const kedge_link *link)
{
    const kedge_session *session = kedge_link_session(link);
    if (session != NULL) {
        kedge_line_text(line, "; session ");
        kedge_line_id(line, session->id);
    }
    kedge_line_text(line, "; position ");
    kedge_line_number(line, kedge_link_position(link));
    if (session != NULL) {
        kedge_line_text(line, " of ");
        kedge_line_number(line, kedge_session_last(session));
    }
}

static void describe_deadline(kedge_line *line, const kedge_link *link, const char *due)
{
    kedge_time deadline = link->operations->deadline(link);
    if (deadline != KEDGE_NEVER) {
        kedge_line_text(line, "; ");
        kedge_line_until(line, deadline, link->now);
        kedge_line_text(line, ": ");
        kedge_line_text(line, due);
    }
}

size_t kedge_link_describe(const kedge_link *link, char *buffer, size_t capacity)
{
    kedge_line line = begin(buffer, capacity);
    if (link == NULL || link->commons == NULL) {
        kedge_line_text(&line, link == NULL ? "no link" : "a link whose hub is gone");
        return kedge_line_end(&line);
    }
    kedge_link_state state = link->operations->describe(link);
    kedge_line_text(&line, name_of(link->operations->protocol));
    kedge_line_text(&line, link->operations->role == KEDGE_SERVER ? " server " : " client ");
    kedge_line_text(&line, state.name);
    kedge_line_text(&line, ": ");
    kedge_line_text(&line, state.meaning);
    describe_end(&line, link);
    describe_session_of(&line, link);
    if (link->queue.bytes > 0) {
        kedge_line_text(&line, "; ");
        kedge_line_count(&line, link->queue.bytes, "byte");
        kedge_line_text(&line, " queued");
    }
    describe_deadline(&line, link, state.due);
    return kedge_line_end(&line);
}

/* ---- Sessions ----------------------------------------------------------------------------------- */

size_t kedge_session_describe(const kedge_session *session, char *buffer, size_t capacity)
{
    kedge_line line = begin(buffer, capacity);
    if (session == NULL) {
        kedge_line_text(&line, "no session");
        return kedge_line_end(&line);
    }
    uint64_t last = kedge_session_last(session);
    uint64_t base = kedge_session_base(session);
    kedge_line_text(&line, "session ");
    kedge_line_id(&line, session->id);
    kedge_line_text(&line, " of ");
    kedge_line_span(&line, session->user);
    kedge_line_text(&line, ": last number ");
    kedge_line_number(&line, last);
    kedge_line_text(&line, ", can be resumed from ");
    kedge_line_number(&line, base);
    kedge_line_text(&line, " on; ");
    kedge_line_count(&line, session->span_count - 1 - session->ended_count, "topic");
    kedge_line_text(&line, session->cursors == NULL ? "; nobody reads it" : "; it is read");
    return kedge_line_end(&line);
}

/* ---- Hubs --------------------------------------------------------------------------------------- */

static void describe_timers(kedge_line *line, const kedge_hub *hub)
{
    const struct {
        kedge_time at;
        const char *why;
    } timers[] = {{kedge_timers_earliest(&hub->link_timers), "a link"},
                  {kedge_timers_earliest(&hub->session_timers), "a session's time or history"},
                  {kedge_timers_earliest(&hub->topic_timers), "a topic's history"}};
    size_t first = 0;
    for (size_t i = 1; i < sizeof timers / sizeof timers[0]; i++) {
        first = timers[i].at < timers[first].at ? i : first;
    }
    if (timers[first].at != KEDGE_NEVER) {
        kedge_line_text(line, "; ");
        kedge_line_until(line, timers[first].at, hub->now);
        kedge_line_text(line, ": ");
        kedge_line_text(line, timers[first].why);
    }
}

size_t kedge_hub_describe(const kedge_hub *hub, char *buffer, size_t capacity)
{
    kedge_line line = begin(buffer, capacity);
    if (hub == NULL) {
        kedge_line_text(&line, "no hub");
        return kedge_line_end(&line);
    }
    kedge_line_text(&line, name_of(hub->config.link.protocol));
    kedge_line_text(&line, hub->sealed ? " hub, sealed: " : " hub: ");
    kedge_line_count(&line, hub->link_count, "link");
    kedge_line_text(&line, ", ");
    kedge_line_count(&line, hub->sessions.count, "session");
    kedge_line_text(&line, ", ");
    kedge_line_number(&line, hub->counts.attached);
    kedge_line_text(&line, " attached, ");
    kedge_line_count(&line, hub->topics.count + hub->passing.count, "topic");
    describe_timers(&line, hub);
    return kedge_line_end(&line);
}
