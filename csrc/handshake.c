#include "kedge/handshake.h"

#include "base64.h"
#include "handshake_key.h"
#include "http_head.h"
#include "kedge/utf8.h"

static kedge_result result_of(kedge_status status, size_t offset)
{
    kedge_result result = {status, offset};
    return result;
}

/* A fault at a value that lies within the head. */
static kedge_result fault_at(kedge_status status, kedge_span bytes, kedge_span value)
{
    return result_of(status, (size_t)(value.data - bytes.data));
}

kedge_handshake_limits kedge_handshake_limits_default(void)
{
    kedge_handshake_limits limits = {16384, KEDGE_HEADERS_MAX};
    return limits;
}

/* The limits to go by; false if they are out of range. */
static bool choose_limits(const kedge_handshake_limits *given, kedge_handshake_limits *chosen)
{
    *chosen = given == NULL ? kedge_handshake_limits_default() : *given;
    return chosen->head_size != 0 && chosen->header_count != 0 &&
           chosen->header_count <= KEDGE_HEADERS_MAX;
}

/* How many headers have that name; *value is the second one's if there are more than one, so that
 * it can be blamed. */
static size_t find_single(const kedge_header *headers, size_t count, const char *name,
                          kedge_span *value)
{
    size_t found = 0;
    for (size_t i = 0; i < count && found < 2; i++) {
        if (kedge_http_equal(headers[i].name, kedge_text(name))) {
            *value = headers[i].value;
            found++;
        }
    }
    return found;
}

/* ---- The request's target ---- */

static bool starts_with(kedge_span text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text.size >= size &&
           kedge_http_equal(kedge_span_of(text.data, size), kedge_text(prefix));
}

static kedge_span behind(kedge_span text, size_t size)
{
    return kedge_span_of(text.data + size, text.size - size);
}

/* The bytes before the first of `stop`, or all. */
static kedge_span before(kedge_span text, const char *stop)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != 0 && strchr(stop, text.data[i]) != NULL) {
            return kedge_span_of(text.data, i);
        }
    }
    return text;
}

static void split_query(kedge_request *request, kedge_span path_and_query)
{
    request->path = before(path_and_query, "?");
    if (request->path.size != path_and_query.size) {
        request->query = behind(path_and_query, request->path.size + 1);
    }
    if (request->path.size == 0) {
        request->path = kedge_text("/");
    }
}

/* Takes the target apart; *authority is that of "http://authority/path". False if it is of another
 * form than a path, such a URL, or the "*" of OPTIONS. */
static bool read_target(kedge_request *request, kedge_span *authority)
{
    kedge_span target = request->target;
    *authority = kedge_span_of(NULL, 0);
    if (memchr(target.data, '#', target.size) != NULL) {
        return false;
    }
    if (target.data[0] == '/') {
        split_query(request, target);
        return true;
    }
    if (starts_with(target, "http://") || starts_with(target, "https://")) {
        kedge_span rest = behind(target, starts_with(target, "http://") ? 7 : 8);
        *authority = before(rest, "/?");
        split_query(request, behind(rest, authority->size));
        return authority->size != 0;
    }
    request->path = target;
    return kedge_span_equal(target, kedge_text("*")) &&
           kedge_span_equal(request->method, kedge_text("OPTIONS"));
}

/* ---- The checks of a request ---- */

static kedge_result check_host(kedge_span bytes, kedge_request *request, kedge_span authority)
{
    size_t found = find_single(request->headers, request->header_count, "Host", &request->host);
    if (found == 0) {
        return result_of(KEDGE_HTTP_HOST, request->head_size);
    }
    if (found > 1 || !kedge_http_is_host(request->host) ||
        (authority.size != 0 && !kedge_http_equal(authority, request->host))) {
        return fault_at(KEDGE_HTTP_HOST, bytes, request->host);
    }
    if (find_single(request->headers, request->header_count, "Origin", &request->origin) > 1) {
        return fault_at(KEDGE_HTTP_SYNTAX, bytes, request->origin);
    }
    return result_of(KEDGE_OK, 0);
}

static bool is_method(const kedge_request *request, const char *method)
{
    return kedge_span_equal(request->method, kedge_text(method));
}

static kedge_result check_body(kedge_span bytes, kedge_request *request)
{
    kedge_http_body body;
    kedge_status status = kedge_http_body_of(request->headers, request->header_count, &body);
    bool belongs = !is_method(request, "GET") && !is_method(request, "HEAD");
    if (status != KEDGE_OK || (!belongs && (body.chunked || body.size != 0))) {
        return fault_at(KEDGE_HTTP_BODY, bytes, body.where);
    }
    request->body_size = body.size;
    request->body_chunked = body.chunked;
    return result_of(KEDGE_OK, 0);
}

static bool wants_upgrade(const kedge_request *request)
{
    const kedge_header *headers = request->headers;
    size_t count = request->header_count;
    return kedge_http_lists(headers, count, "Upgrade", "websocket") ||
           kedge_header_count(headers, count, "Sec-WebSocket-Key") != 0 ||
           kedge_header_count(headers, count, "Sec-WebSocket-Version") != 0;
}

/* A single header whose value `is_right`; missing, it is blamed at the end of the head. */
static kedge_result check_single(kedge_span bytes, const kedge_request *request, const char *name,
                                 bool (*is_right)(kedge_span value), kedge_status fault)
{
    kedge_span value;
    size_t found = find_single(request->headers, request->header_count, name, &value);
    if (found == 0) {
        return result_of(fault, request->head_size);
    }
    if (found > 1 || !is_right(value)) {
        return fault_at(fault, bytes, value);
    }
    return result_of(KEDGE_OK, 0);
}

static bool is_version(kedge_span value)
{
    return kedge_span_equal(value, kedge_text("13"));
}

static kedge_result check_upgrade(kedge_span bytes, const kedge_request *request)
{
    const kedge_header *headers = request->headers;
    size_t count = request->header_count;
    if (!is_method(request, "GET")) {
        return result_of(KEDGE_HTTP_METHOD, 0);
    }
    if (!kedge_http_lists(headers, count, "Upgrade", "websocket") ||
        !kedge_http_lists(headers, count, "Connection", "upgrade")) {
        return result_of(KEDGE_UPGRADE_MISSING, request->head_size);
    }
    kedge_result result =
        check_single(bytes, request, "Sec-WebSocket-Version", is_version, KEDGE_UPGRADE_VERSION);
    if (result.status == KEDGE_OK) {
        result = check_single(bytes, request, "Sec-WebSocket-Key", kedge_is_handshake_key,
                              KEDGE_UPGRADE_KEY);
    }
    return result;
}

/* ---- Lists of an upgrade ---- */

static const uint8_t *find_bad_subprotocol(kedge_span value)
{
    kedge_span element;
    while (kedge_list_next(&value, &element)) {
        for (size_t i = 0; i < element.size; i++) {
            if (!kedge_http_is_subprotocol_character(element.data[i])) {
                return element.data + i;
            }
        }
    }
    return NULL;
}

static void skip_spaces(kedge_span *rest)
{
    while (rest->size != 0 && (rest->data[0] == ' ' || rest->data[0] == '\t')) {
        *rest = behind(*rest, 1);
    }
}

static bool skip_character(kedge_span *rest, uint8_t character)
{
    if (rest->size == 0 || rest->data[0] != character) {
        return false;
    }
    *rest = behind(*rest, 1);
    return true;
}

static bool skip_token(kedge_span *rest)
{
    size_t size = 0;
    while (size < rest->size && kedge_http_is_token_character(rest->data[size])) {
        size++;
    }
    *rest = behind(*rest, size);
    return size != 0;
}

/* A parameter's value: a token, with or without quotes (RFC 6455, section 9.1). */
static bool skip_parameter_value(kedge_span *rest)
{
    if (!skip_character(rest, '"')) {
        return skip_token(rest);
    }
    return skip_token(rest) && skip_character(rest, '"');
}

static bool skip_parameter(kedge_span *rest)
{
    skip_spaces(rest);
    if (!skip_token(rest)) {
        return false;
    }
    skip_spaces(rest);
    if (!skip_character(rest, '=')) {
        return true;
    }
    skip_spaces(rest);
    return skip_parameter_value(rest);
}

static bool skip_extension(kedge_span *rest)
{
    if (!skip_token(rest)) {
        return false;
    }
    skip_spaces(rest);
    while (skip_character(rest, ';')) {
        if (!skip_parameter(rest)) {
            return false;
        }
        skip_spaces(rest);
    }
    return rest->size == 0 || rest->data[0] == ',';
}

static const uint8_t *find_bad_extension(kedge_span value)
{
    for (;;) {
        skip_spaces(&value);
        while (skip_character(&value, ',')) {
            skip_spaces(&value);
        }
        if (value.size == 0) {
            return NULL;
        }
        if (!skip_extension(&value)) {
            return value.data;
        }
    }
}

static kedge_result check_lists(kedge_span bytes, const kedge_request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const kedge_header *header = &request->headers[i];
        const uint8_t *bad = NULL;
        if (kedge_http_equal(header->name, kedge_text("Sec-WebSocket-Protocol"))) {
            bad = find_bad_subprotocol(header->value);
        } else if (kedge_http_equal(header->name, kedge_text("Sec-WebSocket-Extensions"))) {
            bad = find_bad_extension(header->value);
        }
        if (bad != NULL) {
            return result_of(KEDGE_HTTP_SYNTAX, (size_t)(bad - bytes.data));
        }
    }
    return result_of(KEDGE_OK, 0);
}

/* ---- Reading a request ---- */

/* Request line, headers, blank line. */
static kedge_status read_request_head(kedge_http_cursor *cursor, size_t header_limit,
                                      kedge_request *request, unsigned *version,
                                      size_t *version_offset)
{
    kedge_status status = kedge_http_token(cursor, ' ', &request->method);
    if (status == KEDGE_OK) {
        status = kedge_http_word(cursor, &request->target);
    }
    if (status == KEDGE_OK) {
        *version_offset = cursor->position;
        status = kedge_http_version(cursor, version);
    }
    if (status == KEDGE_OK) {
        status = kedge_http_literal(cursor, "\r\n");
    }
    if (status == KEDGE_OK) {
        status = kedge_http_headers(cursor, header_limit, request->headers, &request->header_count);
    }
    request->head_size = cursor->position;
    return status;
}

static kedge_result check_request(kedge_span bytes, kedge_request *request)
{
    kedge_span authority;
    if (!read_target(request, &authority)) {
        return fault_at(KEDGE_HTTP_SYNTAX, bytes, request->target);
    }
    kedge_result result = check_host(bytes, request, authority);
    if (result.status == KEDGE_OK) {
        result = check_body(bytes, request);
    }
    if (result.status != KEDGE_OK || !wants_upgrade(request)) {
        return result;
    }
    result = check_lists(bytes, request);
    if (result.status == KEDGE_OK) {
        result = check_upgrade(bytes, request);
    }
    if (result.status == KEDGE_OK) {
        request->is_upgrade = true;
        (void)kedge_header_find(request->headers, request->header_count, "Sec-WebSocket-Key",
                                &request->key);
    }
    return result;
}

kedge_result kedge_handshake_read_request(kedge_span bytes, const kedge_handshake_limits *limits,
                                          kedge_request *request)
{
    kedge_handshake_limits chosen;
    if (request == NULL || (bytes.data == NULL && bytes.size != 0) ||
        !choose_limits(limits, &chosen)) {
        return result_of(KEDGE_INVALID_ARGUMENT, 0);
    }
    memset(request, 0, sizeof *request);
    if (bytes.size == 0) {
        return result_of(KEDGE_PARTIAL, 0);
    }
    unsigned version = 0;
    size_t version_offset = 0;
    kedge_http_cursor cursor = kedge_http_begin(bytes, chosen.head_size);
    kedge_status status =
        read_request_head(&cursor, chosen.header_count, request, &version, &version_offset);
    if (status != KEDGE_OK) {
        return result_of(status, status == KEDGE_PARTIAL ? 0 : cursor.position);
    }
    if (version != 11) {
        return result_of(KEDGE_HTTP_VERSION, version_offset);
    }
    kedge_result result = check_request(bytes, request);
    return result.status == KEDGE_OK ? result_of(KEDGE_OK, request->head_size) : result;
}

bool kedge_subprotocol_next(const kedge_request *request, kedge_subprotocol_position *position,
                            kedge_span *subprotocol)
{
    if (request == NULL || position == NULL || subprotocol == NULL) {
        return false;
    }
    while (position->private_header < request->header_count) {
        const kedge_header *header = &request->headers[position->private_header];
        kedge_span rest = kedge_span_of(NULL, 0);
        if (kedge_http_equal(header->name, kedge_text("Sec-WebSocket-Protocol"))) {
            rest = behind(header->value, position->private_offset);
        }
        if (kedge_list_next(&rest, subprotocol)) {
            position->private_offset = header->value.size - rest.size;
            return true;
        }
        position->private_header++;
        position->private_offset = 0;
    }
    return false;
}

bool kedge_subprotocol_offered(const kedge_request *request, kedge_span subprotocol)
{
    kedge_subprotocol_position position = {0, 0};
    kedge_span offered;
    while (kedge_subprotocol_next(request, &position, &offered)) {
        if (kedge_span_equal(offered, subprotocol)) {
            return true;
        }
    }
    return false;
}

bool kedge_origin_allowed(kedge_span origin, const kedge_span *allowed, size_t count)
{
    if (origin.data == NULL) {
        return true;
    }
    for (size_t i = 0; allowed != NULL && i < count; i++) {
        if (kedge_span_equal(allowed[i], kedge_text("*")) || kedge_http_equal(allowed[i], origin)) {
            return true;
        }
    }
    return false;
}

/* ---- The query ---- */

static int hex_digit(uint8_t character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    character |= 0x20;
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

/* Decodes the character at the start of `text` and takes it off; -1 if it is malformed. */
static int decode_character(kedge_span *text, bool plus_is_space)
{
    uint8_t character = text->data[0];
    if (character != '%') {
        *text = behind(*text, 1);
        return character == '+' && plus_is_space ? ' ' : character;
    }
    int high = text->size < 3 ? -1 : hex_digit(text->data[1]);
    int low = text->size < 3 ? -1 : hex_digit(text->data[2]);
    if (high < 0 || low < 0) {
        return -1;
    }
    *text = behind(*text, 3);
    return high << 4 | low;
}

kedge_status kedge_percent_decode(kedge_span text, bool plus_is_space, uint8_t *out, size_t space,
                                  size_t *size)
{
    if (size == NULL || (text.data == NULL && text.size != 0) || (out == NULL && space != 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    size_t written = 0;
    *size = 0;
    while (text.size != 0) {
        int character = decode_character(&text, plus_is_space);
        if (character < 0) {
            return KEDGE_HTTP_SYNTAX;
        }
        if (written < space) {
            out[written] = (uint8_t)character;
        }
        written++;
    }
    *size = written;
    return written <= space ? KEDGE_OK : KEDGE_NO_SPACE;
}

kedge_status kedge_query_next(kedge_span *rest, uint8_t *memory, size_t space,
                              kedge_query_pair *pair)
{
    if (rest == NULL || pair == NULL || (memory == NULL && space != 0) ||
        (rest->data == NULL && rest->size != 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_span from = *rest;
    while (from.size != 0 && from.data[0] == '&') {
        from = behind(from, 1);
    }
    if (from.size == 0) {
        return KEDGE_UNKNOWN;
    }
    kedge_span text = before(from, "&");
    kedge_span name = before(text, "=");
    size_t name_size = 0;
    size_t value_size = 0;
    bool has_value = name.size != text.size;
    kedge_status status = kedge_percent_decode(name, true, memory, space, &name_size);
    if (status == KEDGE_OK && has_value) {
        status = kedge_percent_decode(behind(text, name.size + 1), true,
                                      memory == NULL ? NULL : memory + name_size, space - name_size,
                                      &value_size);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    pair->name = kedge_span_of(memory, name_size);
    pair->value =
        kedge_span_of(has_value && memory != NULL ? memory + name_size : NULL, value_size);
    *rest = behind(from, text.size);
    return KEDGE_OK;
}

kedge_status kedge_query_find(kedge_span query, const char *name, uint8_t *memory, size_t space,
                              kedge_span *value)
{
    if (name == NULL || value == NULL || memory == NULL) {
        return KEDGE_INVALID_ARGUMENT;
    }
    bool found = false;
    size_t used = 0;
    for (;;) {
        kedge_query_pair pair;
        kedge_status status = kedge_query_next(&query, memory + used, space - used, &pair);
        if (status == KEDGE_UNKNOWN) {
            return found ? KEDGE_OK : KEDGE_UNKNOWN;
        }
        if (status != KEDGE_OK) {
            return status;
        }
        if (kedge_span_equal(pair.name, kedge_text(name))) {
            if (found) {
                return KEDGE_HTTP_SYNTAX;
            }
            /* To the front: the pairs behind it are decoded after it. */
            found = true;
            used = pair.value.size;
            memmove(memory, memory + pair.name.size, used);
            *value = kedge_span_of(pair.value.data == NULL ? NULL : memory, used);
        }
    }
}

/* ---- Credentials ---- */

static kedge_status set_secret(kedge_credentials *credentials, kedge_credentials_kind kind,
                               kedge_span secret)
{
    bool is_clean = secret.size != 0 && kedge_http_is_text(secret) &&
                    memchr(secret.data, '\t', secret.size) == NULL &&
                    kedge_utf8_validate(secret).status == KEDGE_OK;
    if (!is_clean) {
        return KEDGE_CREDENTIALS;
    }
    credentials->kind = kind;
    credentials->secret = secret;
    return KEDGE_OK;
}

static kedge_status find_bearer(const kedge_request *request, kedge_credentials *credentials)
{
    static const size_t scheme_size = 6;
    kedge_span value = kedge_span_of(NULL, 0);
    size_t found = find_single(request->headers, request->header_count, "Authorization", &value);
    if (found > 1) {
        return KEDGE_CREDENTIALS;
    }
    if (found == 0 || !starts_with(value, "Bearer") ||
        (value.size > scheme_size && value.data[scheme_size] != ' ')) {
        return KEDGE_OK;
    }
    kedge_span secret = behind(value, scheme_size);
    skip_spaces(&secret);
    return set_secret(credentials, KEDGE_CREDENTIALS_IS_BEARER, secret);
}

static kedge_status find_api_key(const kedge_request *request, kedge_credentials *credentials)
{
    kedge_span value;
    size_t found = find_single(request->headers, request->header_count, "X-API-Key", &value);
    if (found == 0) {
        return KEDGE_OK;
    }
    return found > 1 ? KEDGE_CREDENTIALS
                     : set_secret(credentials, KEDGE_CREDENTIALS_IS_API_KEY, value);
}

static kedge_credentials_kind kind_of_subprotocol(kedge_span subprotocol)
{
    if (kedge_span_equal(subprotocol, kedge_text("authorization.bearer.base64"))) {
        return KEDGE_CREDENTIALS_IS_BEARER;
    }
    return kedge_span_equal(subprotocol, kedge_text("x-api-key.base64"))
               ? KEDGE_CREDENTIALS_IS_API_KEY
               : KEDGE_CREDENTIALS_NONE;
}

static kedge_status find_subprotocol(const kedge_request *request, uint8_t *memory, size_t space,
                                     kedge_credentials *credentials)
{
    kedge_subprotocol_position position = {0, 0};
    kedge_span name;
    while (kedge_subprotocol_next(request, &position, &name)) {
        kedge_credentials_kind kind = kind_of_subprotocol(name);
        if (kind == KEDGE_CREDENTIALS_NONE) {
            continue;
        }
        kedge_span secret;
        size_t size = 0;
        if (credentials->kind != KEDGE_CREDENTIALS_NONE ||
            !kedge_subprotocol_next(request, &position, &secret)) {
            return KEDGE_CREDENTIALS;
        }
        kedge_status status = kedge_base64_decode(secret, memory, space, &size);
        if (status == KEDGE_OK) {
            status = set_secret(credentials, kind, kedge_span_of(memory, size));
        }
        if (status != KEDGE_OK) {
            return status;
        }
        credentials->subprotocol = name;
    }
    return KEDGE_OK;
}

static kedge_status find_query_token(const kedge_request *request, uint8_t *memory, size_t space,
                                     kedge_credentials *credentials)
{
    kedge_span token;
    kedge_status status = kedge_query_find(request->query, "token", memory, space, &token);
    if (status == KEDGE_UNKNOWN) {
        return KEDGE_OK;
    }
    if (status == KEDGE_HTTP_SYNTAX) {
        return KEDGE_CREDENTIALS;
    }
    return status == KEDGE_OK ? set_secret(credentials, KEDGE_CREDENTIALS_IS_BEARER, token)
                              : status;
}

static kedge_status find_in(unsigned source, const kedge_request *request, uint8_t *memory,
                            size_t space, kedge_credentials *credentials)
{
    switch (source) {
    case KEDGE_CREDENTIALS_BEARER:
        return find_bearer(request, credentials);
    case KEDGE_CREDENTIALS_API_KEY:
        return find_api_key(request, credentials);
    case KEDGE_CREDENTIALS_SUBPROTOCOL:
        return find_subprotocol(request, memory, space, credentials);
    default:
        return find_query_token(request, memory, space, credentials);
    }
}

kedge_status kedge_handshake_credentials(const kedge_request *request, unsigned sources,
                                         uint8_t *memory, size_t space,
                                         kedge_credentials *credentials)
{
    const unsigned decoded = KEDGE_CREDENTIALS_SUBPROTOCOL | KEDGE_CREDENTIALS_QUERY;
    const unsigned all = KEDGE_CREDENTIALS_BEARER | KEDGE_CREDENTIALS_API_KEY | decoded;
    if (request == NULL || credentials == NULL || sources == 0 || (sources & ~all) != 0 ||
        (memory == NULL && (sources & decoded) != 0)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    kedge_credentials found;
    memset(&found, 0, sizeof found);
    for (unsigned source = 1; source <= all; source <<= 1) {
        if ((source & sources) == 0) {
            continue;
        }
        kedge_status status = find_in(source, request, memory, space, &found);
        if (status != KEDGE_OK) {
            return status;
        }
        if (found.kind != KEDGE_CREDENTIALS_NONE) {
            break;
        }
    }
    *credentials = found;
    return KEDGE_OK;
}

bool kedge_token_equal(kedge_span given, kedge_span expected)
{
    if (given.size != expected.size || given.size == 0) {
        return false;
    }
    /* Volatile, so that no compiler finds the place where the two first differ. */
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < given.size; i++) {
        difference = (uint8_t)(difference | (given.data[i] ^ expected.data[i]));
    }
    return difference == 0;
}

/* ---- Reading a response ---- */

static kedge_status read_status_line(kedge_http_cursor *cursor, kedge_response *response,
                                     unsigned *version)
{
    kedge_status status = kedge_http_version(cursor, version);
    if (status == KEDGE_OK) {
        status = kedge_http_literal(cursor, " ");
    }
    response->status = 0;
    for (int i = 0; i < 3 && status == KEDGE_OK; i++) {
        unsigned digit = 0;
        status = kedge_http_digit(cursor, &digit);
        response->status = response->status * 10 + digit;
        if (status == KEDGE_OK && response->status == 0) {
            cursor->position--;
            return KEDGE_HTTP_SYNTAX;
        }
    }
    if (status == KEDGE_OK) {
        status = kedge_http_literal(cursor, " ");
    }
    return status == KEDGE_OK ? kedge_http_line(cursor, &response->reason) : status;
}

/* The head of the final answer, behind those of interim ones; *start is where it begins. */
static kedge_status read_response_head(kedge_http_cursor *cursor, size_t header_limit,
                                       kedge_response *response, unsigned *version, size_t *start)
{
    kedge_status status;
    do {
        *start = cursor->position;
        status = read_status_line(cursor, response, version);
        if (status == KEDGE_OK) {
            status = kedge_http_headers(cursor, header_limit, response->headers,
                                        &response->header_count);
        }
    } while (status == KEDGE_OK && response->status <= 199 && response->status != 101);
    response->head_size = cursor->position;
    return status;
}

static kedge_result check_response_body(kedge_span bytes, kedge_response *response)
{
    kedge_http_body body;
    kedge_status status = kedge_http_body_of(response->headers, response->header_count, &body);
    if (status != KEDGE_OK || (response->status == 101 && (body.chunked || body.size != 0))) {
        return fault_at(KEDGE_HTTP_BODY, bytes, body.where);
    }
    bool has_none = response->status == 204 || response->status == 304;
    response->body_sized = body.sized || has_none;
    response->body_chunked = body.chunked && !has_none;
    response->body_size = has_none ? 0 : body.size;
    return result_of(KEDGE_OK, 0);
}

static bool is_offered(const kedge_upgrade_wish *wish, kedge_span subprotocol)
{
    for (size_t i = 0; i < wish->subprotocol_count; i++) {
        if (kedge_span_equal(wish->subprotocols[i], subprotocol)) {
            return true;
        }
    }
    return false;
}

static kedge_result check_subprotocol(kedge_span bytes, const kedge_upgrade_wish *wish,
                                      kedge_response *response)
{
    kedge_span chosen = kedge_span_of(NULL, 0);
    size_t found =
        find_single(response->headers, response->header_count, "Sec-WebSocket-Protocol", &chosen);
    if (found > 1 || (found == 1 && !is_offered(wish, chosen))) {
        return fault_at(KEDGE_UPGRADE_SUBPROTOCOL, bytes, chosen);
    }
    response->subprotocol = chosen;
    return result_of(KEDGE_OK, 0);
}

static kedge_result check_extensions(kedge_span bytes, const kedge_response *response)
{
    for (size_t i = 0; i < response->header_count; i++) {
        kedge_span rest = response->headers[i].value;
        kedge_span extension;
        if (kedge_http_equal(response->headers[i].name, kedge_text("Sec-WebSocket-Extensions")) &&
            kedge_list_next(&rest, &extension)) {
            return fault_at(KEDGE_UPGRADE_EXTENSION, bytes, extension);
        }
    }
    return result_of(KEDGE_OK, 0);
}

static kedge_result check_switch(kedge_span bytes, const kedge_upgrade_wish *wish,
                                 kedge_response *response)
{
    const kedge_header *headers = response->headers;
    size_t count = response->header_count;
    kedge_span upgrade;
    kedge_span accept;
    uint8_t expected[KEDGE_HANDSHAKE_ACCEPT_SIZE];
    kedge_handshake_accept(wish->key, expected);
    if (find_single(headers, count, "Upgrade", &upgrade) != 1 ||
        !kedge_http_equal(upgrade, kedge_text("websocket")) ||
        !kedge_http_lists(headers, count, "Connection", "upgrade")) {
        return result_of(KEDGE_UPGRADE_MISSING, response->head_size);
    }
    size_t found = find_single(headers, count, "Sec-WebSocket-Accept", &accept);
    if (found == 0) {
        return result_of(KEDGE_UPGRADE_ACCEPT, response->head_size);
    }
    if (found > 1 || !kedge_span_equal(accept, kedge_span_of(expected, sizeof expected))) {
        return fault_at(KEDGE_UPGRADE_ACCEPT, bytes, accept);
    }
    kedge_result result = check_extensions(bytes, response);
    return result.status == KEDGE_OK ? check_subprotocol(bytes, wish, response) : result;
}

static bool is_readable_wish(const kedge_upgrade_wish *wish)
{
    return wish != NULL && kedge_is_handshake_key(wish->key) &&
           (wish->subprotocols != NULL || wish->subprotocol_count == 0);
}

/* HTTP/1.0 can refuse, but not switch. */
static bool is_version_for(const kedge_response *response, unsigned version)
{
    return version == 11 || (version == 10 && response->status != 101);
}

kedge_result kedge_handshake_read_response(kedge_span bytes, const kedge_upgrade_wish *wish,
                                           const kedge_handshake_limits *limits,
                                           kedge_response *response)
{
    kedge_handshake_limits chosen;
    if (response == NULL || !is_readable_wish(wish) || (bytes.data == NULL && bytes.size != 0) ||
        !choose_limits(limits, &chosen)) {
        return result_of(KEDGE_INVALID_ARGUMENT, 0);
    }
    memset(response, 0, sizeof *response);
    if (bytes.size == 0) {
        return result_of(KEDGE_PARTIAL, 0);
    }
    unsigned version = 0;
    size_t start = 0;
    kedge_http_cursor cursor = kedge_http_begin(bytes, chosen.head_size);
    kedge_status status =
        read_response_head(&cursor, chosen.header_count, response, &version, &start);
    if (status != KEDGE_OK) {
        return result_of(status, status == KEDGE_PARTIAL ? 0 : cursor.position);
    }
    if (!is_version_for(response, version)) {
        return result_of(KEDGE_HTTP_VERSION, start);
    }
    kedge_result result = check_response_body(bytes, response);
    if (result.status == KEDGE_OK && response->status != 101) {
        return result_of(KEDGE_UPGRADE_REFUSED, response->head_size);
    }
    if (result.status == KEDGE_OK) {
        result = check_switch(bytes, wish, response);
    }
    return result.status == KEDGE_OK ? result_of(KEDGE_OK, response->head_size) : result;
}
