#include "connection.h"

#include "memory.h"

/* So much of a refusal's body is kept, to be shown to somebody. */
#define BODY_MAX 4096

/* What the first head of a connection takes at least. */
#define HEAD_FIRST 512

kedge_exchange *kedge_exchange_new(kedge_allocator allocator)
{
    kedge_exchange *exchange = kedge_memory_new(allocator, sizeof *exchange);
    if (exchange != NULL) {
        memset(exchange, 0, sizeof *exchange);
    }
    return exchange;
}

void kedge_exchange_free(kedge_exchange *exchange, kedge_allocator allocator)
{
    if (exchange == NULL) {
        return;
    }
    if (exchange->head != NULL) {
        kedge_wipe(exchange->head, exchange->size);
    }
    kedge_memory_free(allocator, exchange->head, exchange->capacity);
    kedge_memory_free(allocator, exchange->offered, exchange->offered_size);
    kedge_memory_free(allocator, exchange, sizeof *exchange);
}

/* Appends to a block that grows by doubling. */
static kedge_status append(kedge_allocator allocator, uint8_t **block, size_t *size,
                           size_t *capacity, kedge_span bytes)
{
    if (bytes.size > *capacity - *size) {
        uint8_t *moved =
            kedge_memory_grow(allocator, *block, capacity, *size + bytes.size, HEAD_FIRST, 1);
        if (moved == NULL) {
            return KEDGE_NO_MEMORY;
        }
        *block = moved;
    }
    memcpy(*block + *size, bytes.data, bytes.size);
    *size += bytes.size;
    return KEDGE_OK;
}

static kedge_status append_early(kedge_connection *connection, size_t size)
{
    return append(connection->allocator, &connection->early, &connection->early_size,
                  &connection->early_capacity, kedge_span_of(connection->chunk, size));
}

/* ---- The client's request ----------------------------------------------------------------------- */

/* The subprotocols, which were written and so are not empty, are needed again when the answer comes. */
static kedge_status keep_offered(kedge_exchange *exchange, const kedge_upgrade_wish *wish,
                                 kedge_allocator allocator)
{
    size_t count = wish->subprotocol_count;
    size_t size = count * sizeof(kedge_span);
    for (size_t i = 0; i < count; i++) {
        size += wish->subprotocols[i].size;
    }
    if (count == 0) {
        return KEDGE_OK;
    }
    exchange->offered = kedge_memory_new(allocator, size);
    if (exchange->offered == NULL) {
        return KEDGE_NO_MEMORY;
    }
    uint8_t *bytes = (uint8_t *)(exchange->offered + count);
    for (size_t i = 0; i < count; i++) {
        exchange->offered[i] = kedge_span_of(bytes, wish->subprotocols[i].size);
        memcpy(bytes, wish->subprotocols[i].data, wish->subprotocols[i].size);
        bytes += wish->subprotocols[i].size;
    }
    exchange->offered_count = count;
    exchange->offered_size = size;
    return KEDGE_OK;
}

static kedge_status write_request(kedge_connection *connection, const kedge_upgrade_wish *wish)
{
    uint8_t *out = NULL;
    size_t size = 0;
    kedge_status status = kedge_handshake_write_request(wish, NULL, 0, &size);
    if (status != KEDGE_NO_SPACE) {
        return status;
    }
    status = kedge_connection_place(connection, size, &out);
    return status == KEDGE_OK ? kedge_handshake_write_request(wish, out, size, &size) : status;
}

/* Adds what the link asks for: its headers stand behind those of the host, in `headers`. */
static kedge_status join_wishes(kedge_upgrade_wish *wish, const kedge_link_handshake *of_link,
                                kedge_header headers[KEDGE_HEADERS_MAX])
{
    if (wish->header_count > KEDGE_HEADERS_MAX - of_link->header_count) {
        return KEDGE_INVALID_ARGUMENT;
    }
    for (size_t i = 0; i < wish->header_count; i++) {
        headers[i] = wish->headers[i];
    }
    for (size_t i = 0; i < of_link->header_count; i++) {
        headers[wish->header_count + i] = of_link->headers[i];
    }
    wish->header_count += of_link->header_count;
    wish->headers = headers;
    wish->target = of_link->target;
    wish->subprotocols = of_link->subprotocols;
    wish->subprotocol_count = of_link->subprotocol_count;
    return KEDGE_OK;
}

kedge_status kedge_connection_write_wish(kedge_connection *connection,
                                         const kedge_upgrade_wish *wish,
                                         const kedge_link_handshake *of_link)
{
    kedge_exchange *exchange = connection->exchange;
    kedge_header headers[KEDGE_HEADERS_MAX];
    kedge_upgrade_wish whole = *wish;
    uint8_t seed[16];
    kedge_random_fill(&connection->random, seed, sizeof seed);
    kedge_handshake_key(seed, exchange->key);
    whole.key = kedge_span_of(exchange->key, sizeof exchange->key);
    kedge_status status = of_link == NULL ? KEDGE_OK : join_wishes(&whole, of_link, headers);
    if (status == KEDGE_OK) {
        status = write_request(connection, &whole);
    }
    return status == KEDGE_OK ? keep_offered(exchange, &whole, connection->allocator) : status;
}

/* ---- The server's answers ----------------------------------------------------------------------- */

/* What came behind the request is read now. */
static kedge_status turn_to_early(kedge_connection *connection)
{
    if (connection->early_size == 0) {
        return KEDGE_OK;
    }
    if (connection->unread > 0 && append_early(connection, connection->unread) != KEDGE_OK) {
        return KEDGE_NO_MEMORY;
    }
    connection->chunk = connection->early;
    connection->writable = connection->early;
    connection->unread = connection->early_size;
    connection->early_size = 0;
    return KEDGE_OK;
}

static kedge_status write_upgrade(kedge_connection *connection, kedge_span subprotocol,
                                  const kedge_header *headers, size_t count)
{
    kedge_span key = connection->exchange->as.request.key;
    uint8_t *out = NULL;
    size_t size = 0;
    kedge_status status =
        kedge_handshake_write_upgrade(key, subprotocol, headers, count, NULL, 0, &size);
    if (status == KEDGE_NO_SPACE) {
        status = kedge_connection_place(connection, size, &out);
    }
    return status == KEDGE_OK
               ? kedge_handshake_write_upgrade(key, subprotocol, headers, count, out, size, &size)
               : status;
}

static void become_open(kedge_connection *connection)
{
    connection->phase = KEDGE_PHASE_OPEN;
    connection->heard = connection->now;
    connection->tells |= KEDGE_TELL_OPENED;
    if (connection->link != NULL) {
        (void)kedge_link_opened(connection->link, connection->now);
    }
}

static kedge_status upgrade(kedge_connection *connection, kedge_span subprotocol,
                            const kedge_header *headers, size_t count)
{
    if (subprotocol.size > 0 &&
        !kedge_subprotocol_offered(&connection->exchange->as.request, subprotocol)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_status status = turn_to_early(connection);
    if (status == KEDGE_OK) {
        status = write_upgrade(connection, subprotocol, headers, count);
    }
    if (status == KEDGE_OK) {
        become_open(connection);
    }
    return status;
}

/* Bytes of the request that are still to come must not be left unread in the socket. */
static void end_answered(kedge_connection *connection, bool more_comes)
{
    kedge_time patience = connection->config.close_timeout;
    if (more_comes && patience > KEDGE_CONNECTION_LINGER) {
        patience = KEDGE_CONNECTION_LINGER;
    }
    kedge_connection_end(connection, more_comes, patience);
}

static kedge_status answer(kedge_connection *connection, unsigned http_status,
                           const kedge_header *headers, size_t count, kedge_span body)
{
    const kedge_request *request = &connection->exchange->as.request;
    bool without_body = kedge_span_equal(request->method, kedge_text("HEAD"));
    uint8_t *out = NULL;
    size_t size = 0;
    kedge_status status = kedge_handshake_write_answer(http_status, headers, count, body,
                                                       without_body, NULL, 0, &size);
    if (status != KEDGE_NO_SPACE) {
        return status;
    }
    status = kedge_connection_place(connection, size, &out);
    if (status == KEDGE_OK) {
        status = kedge_handshake_write_answer(http_status, headers, count, body, without_body, out,
                                              size, &size);
    }
    if (status == KEDGE_OK) {
        end_answered(connection, request->body_chunked || request->body_size > 0);
    }
    return status;
}

void kedge_connection_refuse(kedge_connection *connection, kedge_status fault)
{
    uint8_t *out = NULL;
    size_t size = 0;
    (void)kedge_handshake_write_refusal(fault, NULL, 0, &size);
    if (kedge_connection_place(connection, size, &out) != KEDGE_OK) {
        kedge_connection_fail(connection, KEDGE_NO_MEMORY);
        return;
    }
    (void)kedge_handshake_write_refusal(fault, out, size, &size);
    kedge_connection_blame(connection, fault);
    kedge_connection_tell_link(connection, KEDGE_ENDING_LOST, 0, kedge_text(NULL));
    end_answered(connection, fault == KEDGE_HTTP_TOO_LARGE || fault == KEDGE_HTTP_BODY ||
                                 fault == KEDGE_TIMED_OUT);
}

void kedge_connection_pull_answer(kedge_connection *connection)
{
    kedge_output output;
    kedge_status status;
    if (!kedge_link_next_output(connection->link, &output)) {
        return;
    }
    if (output.kind == KEDGE_OUTPUT_UPGRADE) {
        status = upgrade(connection, output.subprotocol, output.headers, output.header_count);
    } else {
        connection->link_told = true;
        status = answer(connection, output.http_status, output.headers, output.header_count,
                        output.body);
    }
    kedge_output_release(&output);
    if (status != KEDGE_OK) {
        kedge_connection_fail(connection, status);
    }
}

/* ---- Reading the request ------------------------------------------------------------------------ */

static void pass_to_link(kedge_connection *connection)
{
    connection->link_told = false;
    kedge_status status =
        kedge_link_requested(connection->link, &connection->exchange->as.request, connection->now);
    if (status != KEDGE_OK) {
        kedge_connection_refuse(connection, status);
    }
}

static void take_request(kedge_connection *connection, kedge_status status)
{
    if (status != KEDGE_OK) {
        kedge_connection_refuse(connection, status);
        return;
    }
    connection->phase = KEDGE_PHASE_ASKED;
    const kedge_request *request = &connection->exchange->as.request;
    if (!request->is_upgrade && !kedge_link_answers(connection->link, request)) {
        connection->tells |= KEDGE_TELL_HTTP;
    } else if (connection->link == NULL) {
        connection->tells |= KEDGE_TELL_REQUEST;
    } else {
        pass_to_link(connection);
    }
}

void kedge_connection_read_early(kedge_connection *connection)
{
    const kedge_request *request = &connection->exchange->as.request;
    if (!request->is_upgrade) {
        connection->unread = 0;
    } else if (connection->unread > connection->config.head_limit - connection->early_size) {
        kedge_connection_refuse(connection, KEDGE_HTTP_TOO_LARGE);
    } else if (append_early(connection, connection->unread) != KEDGE_OK) {
        kedge_connection_fail(connection, KEDGE_NO_MEMORY);
    } else {
        connection->unread = 0;
    }
}

/* ---- Reading the answer ------------------------------------------------------------------------- */

/* Seconds in digits; another form, a date, counts as none. */
static kedge_time retry_after_of(const kedge_response *response)
{
    kedge_span value;
    kedge_time seconds = 0;
    if (!kedge_header_find(response->headers, response->header_count, "Retry-After", &value)) {
        return 0;
    }
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return 0;
        }
        if (seconds < UINT32_MAX) {
            seconds = seconds * 10 + (kedge_time)(value.data[i] - '0');
        }
    }
    return (seconds < UINT32_MAX ? seconds : UINT32_MAX) * KEDGE_SECOND;
}

static void fail_to_connect(kedge_connection *connection, kedge_status cause, unsigned http_status,
                            kedge_time retry_after)
{
    kedge_connection_blame(connection, cause);
    if (!connection->link_told) {
        connection->link_told = true;
        (void)kedge_link_connect_failed(connection->link, (uint16_t)http_status, retry_after,
                                        connection->now);
    }
    kedge_connection_abandon(connection);
}

void kedge_connection_conclude_refusal(kedge_connection *connection)
{
    const kedge_response *response = &connection->exchange->as.response;
    connection->tells |= KEDGE_TELL_REFUSED;
    fail_to_connect(connection, KEDGE_UPGRADE_REFUSED, response->status, retry_after_of(response));
}

static size_t body_wanted(const kedge_response *response)
{
    return response->body_sized && response->body_size < BODY_MAX ? (size_t)response->body_size
                                                                  : BODY_MAX;
}

void kedge_connection_read_body(kedge_connection *connection)
{
    size_t left = body_wanted(&connection->exchange->as.response) - connection->early_size;
    size_t taken = connection->unread < left ? connection->unread : left;
    if (append_early(connection, taken) != KEDGE_OK) {
        kedge_connection_conclude_refusal(connection);
        return;
    }
    kedge_connection_advance(connection, taken);
    if (taken == left) {
        kedge_connection_conclude_refusal(connection);
    }
}

static void take_response(kedge_connection *connection, kedge_status status)
{
    if (status == KEDGE_OK) {
        become_open(connection);
    } else if (status != KEDGE_UPGRADE_REFUSED) {
        fail_to_connect(connection, status, 0, 0);
    } else {
        connection->phase = KEDGE_PHASE_REFUSED;
        if (body_wanted(&connection->exchange->as.response) == 0) {
            kedge_connection_conclude_refusal(connection);
        }
    }
}

/* ---- Heads -------------------------------------------------------------------------------------- */

static kedge_result parse(kedge_connection *connection)
{
    kedge_exchange *exchange = connection->exchange;
    kedge_span bytes = kedge_span_of(exchange->head, exchange->size);
    kedge_handshake_limits limits = {connection->config.head_limit, KEDGE_HEADERS_MAX};
    if (connection->role == KEDGE_SERVER) {
        return kedge_handshake_read_request(bytes, &limits, &exchange->as.request);
    }
    kedge_upgrade_wish wish;
    memset(&wish, 0, sizeof wish);
    wish.key = kedge_span_of(exchange->key, sizeof exchange->key);
    wish.subprotocols = exchange->offered;
    wish.subprotocol_count = exchange->offered_count;
    return kedge_handshake_read_response(bytes, &wish, &limits, &exchange->as.response);
}

/* Whether the new bytes can decide anything: parsing from the start for each byte would cost a square.
 * One byte more than the limit is kept, so that a head too large is seen to be so. */
static bool is_worth_parsing(const kedge_connection *connection, size_t taken)
{
    const kedge_exchange *exchange = connection->exchange;
    return exchange->size == taken || exchange->size > connection->config.head_limit ||
           memchr(connection->chunk, '\n', taken) != NULL;
}

void kedge_connection_read_head(kedge_connection *connection)
{
    kedge_exchange *exchange = connection->exchange;
    size_t before = exchange->size;
    size_t room = connection->config.head_limit + 1 - before;
    size_t taken = connection->unread < room ? connection->unread : room;
    if (append(connection->allocator, &exchange->head, &exchange->size, &exchange->capacity,
               kedge_span_of(connection->chunk, taken)) != KEDGE_OK) {
        kedge_connection_fail(connection, KEDGE_NO_MEMORY);
        return;
    }
    kedge_result result = {KEDGE_PARTIAL, 0};
    if (is_worth_parsing(connection, taken)) {
        result = parse(connection);
    }
    if (result.status == KEDGE_PARTIAL) {
        kedge_connection_advance(connection, taken);
        return;
    }
    bool whole = result.status == KEDGE_OK || result.status == KEDGE_UPGRADE_REFUSED;
    kedge_connection_advance(connection, whole ? result.offset - before : taken);
    if (connection->role == KEDGE_SERVER) {
        take_request(connection, result.status);
    } else {
        take_response(connection, result.status);
    }
}

/* ---- The application's answers ------------------------------------------------------------------ */

static bool are_missing(const kedge_header *headers, size_t count)
{
    return headers == NULL && count > 0;
}

/* What stands in the way of an answer. */
static kedge_status check_asked(kedge_connection *connection, kedge_time now)
{
    if (connection == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (connection->role != KEDGE_SERVER) {
        return KEDGE_WRONG_ROLE;
    }
    kedge_connection_enter(connection, now);
    bool asked = connection->phase == KEDGE_PHASE_ASKED &&
                 (connection->link == NULL || !connection->exchange->as.request.is_upgrade);
    return asked ? KEDGE_OK : KEDGE_WRONG_STATE;
}

static kedge_status check_upgrade(kedge_connection *connection, kedge_time now)
{
    kedge_status status = check_asked(connection, now);
    return status == KEDGE_OK && !connection->exchange->as.request.is_upgrade ? KEDGE_WRONG_STATE
                                                                              : status;
}

kedge_status kedge_connection_upgrade(kedge_connection *connection, kedge_span subprotocol,
                                      const kedge_header *headers, size_t header_count,
                                      kedge_time now)
{
    kedge_status status = check_upgrade(connection, now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (are_missing(headers, header_count) || (subprotocol.data == NULL && subprotocol.size > 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    connection->tells &= ~(unsigned)KEDGE_TELL_REQUEST;
    return upgrade(connection, subprotocol, headers, header_count);
}

kedge_status kedge_connection_join(kedge_connection *connection, kedge_link *link, kedge_time now)
{
    kedge_status status = check_upgrade(connection, now);
    if (status != KEDGE_OK) {
        return status;
    }
    if (link == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (kedge_link_role(link) != KEDGE_SERVER) {
        return KEDGE_WRONG_ROLE;
    }
    if (!kedge_connection_is_free(link)) {
        return KEDGE_WRONG_STATE;
    }
    connection->tells &= ~(unsigned)KEDGE_TELL_REQUEST;
    kedge_connection_take_link(connection, link);
    kedge_connection_limit_messages(connection, link->config->message_limit);
    pass_to_link(connection);
    return KEDGE_OK;
}

kedge_status kedge_connection_answer(kedge_connection *connection, uint16_t status,
                                     const kedge_header *headers, size_t header_count,
                                     kedge_span body, kedge_time now)
{
    kedge_status checked = check_asked(connection, now);
    if (checked != KEDGE_OK) {
        return checked;
    }
    if (are_missing(headers, header_count) || (body.data == NULL && body.size > 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    checked = answer(connection, status, headers, header_count, body);
    if (checked == KEDGE_OK && connection->exchange->as.request.is_upgrade) {
        kedge_connection_blame(connection, KEDGE_REFUSED);
    }
    return checked;
}
