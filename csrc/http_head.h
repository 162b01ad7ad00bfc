/* csrc/http_head.h: the head of an HTTP/1.1 message, strictly: what request and response share. */
#ifndef KEDGE_PRIVATE_HTTP_HEAD_H
#define KEDGE_PRIVATE_HTTP_HEAD_H

#include "kedge/handshake.h"

/* Where the reading of a head stands. A function that returns KEDGE_OK has moved `position` behind
 * what it read; one that fails has left it at the first byte that cannot be right. Running out of
 * bytes is KEDGE_PARTIAL, or KEDGE_HTTP_TOO_LARGE if the limit cut them off. */
typedef struct kedge_http_cursor {
    kedge_span bytes;
    size_t position;
    bool cut;
} kedge_http_cursor;

kedge_http_cursor kedge_http_begin(kedge_span bytes, size_t limit);

kedge_status kedge_http_literal(kedge_http_cursor *cursor, const char *text);

/* One or more token characters and the byte `stop` behind them. */
kedge_status kedge_http_token(kedge_http_cursor *cursor, uint8_t stop, kedge_span *token);

/* One or more visible ASCII characters and the space behind them. */
kedge_status kedge_http_word(kedge_http_cursor *cursor, kedge_span *word);

kedge_status kedge_http_digit(kedge_http_cursor *cursor, unsigned *digit);

/* Text without control characters, up to and with its CR LF; spaces around it are taken off. */
kedge_status kedge_http_line(kedge_http_cursor *cursor, kedge_span *text);

/* "HTTP/1.1" as 11. */
kedge_status kedge_http_version(kedge_http_cursor *cursor, unsigned *version);

/* All header lines and the blank line behind them. */
kedge_status kedge_http_headers(kedge_http_cursor *cursor, size_t limit, kedge_header *headers,
                                size_t *count);

bool kedge_http_is_token_character(uint8_t character);
bool kedge_http_is_token(kedge_span text);

/* Token characters, and what base64 needs besides: browsers send credentials as subprotocols. */
bool kedge_http_is_subprotocol_character(uint8_t character);

/* True for what can be a Host: a name or an address, with or without a port. Only the characters
 * are looked at; '@', ',' and '/' are not among them. */
bool kedge_http_is_host(kedge_span text);

/* True if no control character but the tabulator is in it. */
bool kedge_http_is_text(kedge_span text);

/* Equality in which the case of ASCII letters does not count. */
bool kedge_http_equal(kedge_span a, kedge_span b);

/* True if an element of a header's list, over all headers of that name, is `element` in any
 * case. */
bool kedge_http_lists(const kedge_header *headers, size_t count, const char *name,
                      const char *element);

/* What the headers say of a body. KEDGE_HTTP_BODY: malformed, doubled, or both ways; *where is then
 * the value that is wrong. */
typedef struct kedge_http_body {
    bool sized;
    bool chunked;
    uint64_t size;
    kedge_span where;
} kedge_http_body;

kedge_status kedge_http_body_of(const kedge_header *headers, size_t count, kedge_http_body *body);

#endif
