#include "handshake_key.h"
#include "http_head.h"

/* ---- Bytes into the caller's memory, counted also where they do not fit ---- */

typedef struct head_writer {
    uint8_t *out;
    size_t space;
    size_t size;
} head_writer;

/* A size that no number holds stays the greatest one: it never fits. */
static void put(head_writer *writer, kedge_span bytes)
{
    if (bytes.size > SIZE_MAX - writer->size) {
        writer->size = SIZE_MAX;
        return;
    }
    if (bytes.size != 0 && writer->size + bytes.size <= writer->space) {
        memcpy(writer->out + writer->size, bytes.data, bytes.size);
    }
    writer->size += bytes.size;
}

static void put_text(head_writer *writer, const char *text)
{
    put(writer, kedge_text(text));
}

static void put_number(head_writer *writer, size_t number)
{
    uint8_t digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    put(writer, kedge_span_of(digits + at, sizeof digits - at));
}

static void put_header(head_writer *writer, const char *name, kedge_span value)
{
    put_text(writer, name);
    put_text(writer, ": ");
    put(writer, value);
    put_text(writer, "\r\n");
}

static void put_headers(head_writer *writer, const kedge_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(writer, headers[i].name);
        put_text(writer, ": ");
        put(writer, headers[i].value);
        put_text(writer, "\r\n");
    }
}

static kedge_status finish(const head_writer *writer, size_t *size)
{
    *size = writer->size;
    return writer->size <= writer->space ? KEDGE_OK : KEDGE_NO_SPACE;
}

/* ---- What may be written ---- */

static bool is_span(kedge_span span)
{
    return span.data != NULL || span.size == 0;
}

static bool is_among(kedge_span name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (kedge_http_equal(name, kedge_text(*names))) {
            return true;
        }
    }
    return false;
}

/* Headers that stay in their line, none of them one of `own`. */
static bool are_sound(const kedge_header *headers, size_t count, const char *const *own)
{
    if (headers == NULL) {
        return count == 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_span(headers[i].name) || !kedge_http_is_token(headers[i].name) ||
            !is_span(headers[i].value) || !kedge_http_is_text(headers[i].value) ||
            is_among(headers[i].name, own)) {
            return false;
        }
    }
    return true;
}

static bool is_subprotocol(kedge_span subprotocol)
{
    for (size_t i = 0; i < subprotocol.size; i++) {
        if (!kedge_http_is_subprotocol_character(subprotocol.data[i])) {
            return false;
        }
    }
    return true;
}

/* ---- The server's answers ---- */

kedge_status kedge_handshake_write_upgrade(kedge_span key, kedge_span subprotocol,
                                           const kedge_header *headers, size_t count, uint8_t *out,
                                           size_t space, size_t *size)
{
    static const char *const own[] = {"Upgrade",
                                      "Connection",
                                      "Sec-WebSocket-Accept",
                                      "Sec-WebSocket-Protocol",
                                      "Sec-WebSocket-Extensions",
                                      "Content-Length",
                                      "Transfer-Encoding",
                                      NULL};
    if (size == NULL || (out == NULL && space != 0) || !kedge_is_handshake_key(key) ||
        !is_span(subprotocol) || !is_subprotocol(subprotocol) || !are_sound(headers, count, own)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    head_writer writer = {out, space, 0};
    uint8_t accept[KEDGE_HANDSHAKE_ACCEPT_SIZE];
    kedge_handshake_accept(key, accept);
    put_text(&writer, "HTTP/1.1 101 Switching Protocols\r\n"
                      "Upgrade: websocket\r\n"
                      "Connection: Upgrade\r\n");
    put_header(&writer, "Sec-WebSocket-Accept", kedge_span_of(accept, sizeof accept));
    if (subprotocol.size != 0) {
        put_header(&writer, "Sec-WebSocket-Protocol", subprotocol);
    }
    put_headers(&writer, headers, count);
    put_text(&writer, "\r\n");
    return finish(&writer, size);
}

typedef struct phrase {
    unsigned status;
    const char *text;
} phrase;

static const char *phrase_of(unsigned status)
{
    static const phrase phrases[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
        if (phrases[i].status == status) {
            return phrases[i].text;
        }
    }
    return "";
}

static bool has_no_body(unsigned status)
{
    return status == 204 || status == 304;
}

/* All of an answer but the body's bytes. Who writes Upgrade names it in Connection too (RFC 9110,
 * section 7.8). */
static void put_answer_head(head_writer *writer, unsigned status, const kedge_header *headers,
                            size_t count, size_t body_size)
{
    put_text(writer, "HTTP/1.1 ");
    put_number(writer, status);
    put_text(writer, " ");
    put_text(writer, phrase_of(status));
    put_text(writer, "\r\n");
    put_headers(writer, headers, count);
    if (!has_no_body(status)) {
        put_text(writer, "Content-Length: ");
        put_number(writer, body_size);
        put_text(writer, "\r\n");
    }
    put_text(writer, kedge_header_count(headers, count, "Upgrade") == 0
                         ? "Connection: close\r\n\r\n"
                         : "Connection: close, Upgrade\r\n\r\n");
}

kedge_status kedge_handshake_write_answer(unsigned status, const kedge_header *headers,
                                          size_t count, kedge_span body, bool without_body,
                                          uint8_t *out, size_t space, size_t *size)
{
    static const char *const own[] = {"Connection", "Content-Length", "Transfer-Encoding", NULL};
    if (size == NULL || (out == NULL && space != 0) || status < 200 || status > 599 ||
        !is_span(body) || (has_no_body(status) && body.size != 0) ||
        !are_sound(headers, count, own)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    head_writer writer = {out, space, 0};
    put_answer_head(&writer, status, headers, count, body.size);
    if (!without_body) {
        put(&writer, body);
    }
    return finish(&writer, size);
}

unsigned kedge_handshake_http_status(kedge_status fault)
{
    switch ((int)fault) {
    case KEDGE_HTTP_SYNTAX:
    case KEDGE_HTTP_HOST:
    case KEDGE_HTTP_BODY:
    case KEDGE_UPGRADE_MISSING:
    case KEDGE_UPGRADE_KEY:
    case KEDGE_CREDENTIALS:
        return 400;
    case KEDGE_HTTP_METHOD:
        return 405;
    case KEDGE_TIMED_OUT:
        return 408;
    case KEDGE_UPGRADE_VERSION:
        return 426;
    case KEDGE_HTTP_TOO_LARGE:
        return 431;
    case KEDGE_HTTP_VERSION:
        return 505;
    default:
        return 500;
    }
}

static kedge_header header_of(const char *name, const char *value)
{
    kedge_header header = {kedge_text(name), kedge_text(value)};
    return header;
}

kedge_status kedge_handshake_write_refusal(kedge_status fault, uint8_t *out, size_t space,
                                           size_t *size)
{
    static const char before[] = "{\"error\":\"";
    static const char after[] = "\"}";
    if (size == NULL || (out == NULL && space != 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_header headers[3];
    size_t count = 0;
    unsigned status = kedge_handshake_http_status(fault);
    const char *sentence = kedge_status_text(fault);
    headers[count++] = header_of("Content-Type", "application/json");
    if (status == 405) {
        headers[count++] = header_of("Allow", "GET");
    } else if (status == 426) {
        headers[count++] = header_of("Upgrade", "websocket");
        headers[count++] = header_of("Sec-WebSocket-Version", "13");
    }
    head_writer writer = {out, space, 0};
    put_answer_head(&writer, status, headers, count,
                    sizeof before - 1 + strlen(sentence) + sizeof after - 1);
    put_text(&writer, before);
    put_text(&writer, sentence);
    put_text(&writer, after);
    return finish(&writer, size);
}

/* ---- The client's request ---- */

static bool is_target(kedge_span target)
{
    if (target.data == NULL || target.size == 0 || target.data[0] != '/') {
        return false;
    }
    for (size_t i = 0; i < target.size; i++) {
        if (target.data[i] <= ' ' || target.data[i] >= 0x7F || target.data[i] == '#') {
            return false;
        }
    }
    return true;
}

static bool are_subprotocols(const kedge_span *subprotocols, size_t count)
{
    if (subprotocols == NULL) {
        return count == 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (subprotocols[i].data == NULL || subprotocols[i].size == 0 ||
            !is_subprotocol(subprotocols[i])) {
            return false;
        }
        for (size_t other = 0; other < i; other++) {
            if (kedge_span_equal(subprotocols[i], subprotocols[other])) {
                return false;
            }
        }
    }
    return true;
}

static bool is_sound_wish(const kedge_upgrade_wish *wish)
{
    static const char *const own[] = {"Host",
                                      "Upgrade",
                                      "Connection",
                                      "Sec-WebSocket-Key",
                                      "Sec-WebSocket-Version",
                                      "Sec-WebSocket-Protocol",
                                      "Sec-WebSocket-Extensions",
                                      "Content-Length",
                                      "Transfer-Encoding",
                                      NULL};
    return wish != NULL && is_span(wish->host) && kedge_http_is_host(wish->host) &&
           is_target(wish->target) && kedge_is_handshake_key(wish->key) &&
           are_subprotocols(wish->subprotocols, wish->subprotocol_count) &&
           are_sound(wish->headers, wish->header_count, own);
}

kedge_status kedge_handshake_write_request(const kedge_upgrade_wish *wish, uint8_t *out,
                                           size_t space, size_t *size)
{
    if (size == NULL || (out == NULL && space != 0) || !is_sound_wish(wish)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    head_writer writer = {out, space, 0};
    put_text(&writer, "GET ");
    put(&writer, wish->target);
    put_text(&writer, " HTTP/1.1\r\n");
    put_header(&writer, "Host", wish->host);
    put_text(&writer, "Upgrade: websocket\r\n"
                      "Connection: Upgrade\r\n");
    put_header(&writer, "Sec-WebSocket-Key", wish->key);
    put_text(&writer, "Sec-WebSocket-Version: 13\r\n");
    if (wish->subprotocol_count != 0) {
        put_text(&writer, "Sec-WebSocket-Protocol: ");
        for (size_t i = 0; i < wish->subprotocol_count; i++) {
            put_text(&writer, i == 0 ? "" : ", ");
            put(&writer, wish->subprotocols[i]);
        }
        put_text(&writer, "\r\n");
    }
    put_headers(&writer, wish->headers, wish->header_count);
    put_text(&writer, "\r\n");
    return finish(&writer, size);
}
