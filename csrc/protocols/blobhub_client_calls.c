#include "protocols/blobhub_client_state.h"

#include "base64.h"
#include "decimal.h"
#include "members.h"
#include "memory.h"
#include "protocols/blobhub_following.h"
#include "protocols/blobhub_writer.h"
#include "span.h"
#include <kedge/utf8.h>

typedef kedge_blobhub_client client;

/* ---- Settings ----------------------------------------------------------------------------------- */

static bool is_text(kedge_span text)
{
    return text.data != NULL && text.size > 0 && kedge_utf8_validate(text).status == KEDGE_OK;
}

static bool are_counts(const kedge_blobhub_client_config *config)
{
    return config->request_timeout > 0 && config->answer_timeout > 0 && config->requests_max > 0 &&
           config->subscriptions_max > 0 && config->batch_max > 0 && config->backoff_first > 0 &&
           config->backoff_last >= config->backoff_first;
}

kedge_status kedge_blobhub_client_check(const kedge_link_config *config)
{
    const kedge_blobhub_client_config *own = &config->as.blobhub_client;
    bool right = kedge_is_token(own->token) && kedge_is_path(own->path) && is_text(own->name) &&
                 is_text(own->version) && own->credential <= KEDGE_BLOBHUB_API_KEY &&
                 are_counts(own);
    return right ? KEDGE_OK : KEDGE_INVALID_ARGUMENT;
}

static void init_subscriptions(client *self, kedge_blobhub_subscriptions *all)
{
    uint8_t key[16];
    kedge_random_fill(&self->base.commons->random, key, sizeof key);
    kedge_blobhub_subscriptions_init(all, self->base.allocator, kedge_siphash_key_of(key),
                                     kedge_blobhub_client_settings(self)->subscriptions_max);
}

kedge_status kedge_blobhub_client_create(kedge_link *link)
{
    client *self = kedge_blobhub_client_of(link);
    const kedge_blobhub_client_config *settings = kedge_blobhub_client_settings(self);
    kedge_client_life_init(&self->life, link);
    self->exchange.asked.max = settings->requests_max;
    self->exchange.answering.max = settings->requests_max;
    init_subscriptions(self, &self->subscriptions);
    kedge_status status =
        kedge_bearer_make(&self->bearer, link->allocator, settings->path, kedge_text(NULL));
    if (status == KEDGE_OK) {
        status = kedge_blobhub_client_set_token(self, settings->token);
    }
    if (status == KEDGE_OK) {
        status = kedge_blobhub_write_initialize(&self->greeting, link->allocator, kedge_text("0"),
                                                settings->name, settings->version);
    }
    if (status != KEDGE_OK) {
        kedge_blobhub_client_destroy(link);
    }
    return status;
}

void kedge_blobhub_client_destroy(kedge_link *link)
{
    client *self = kedge_blobhub_client_of(link);
    kedge_bearer_free(&self->bearer, link->allocator);
    kedge_publication_release(self->greeting);
    kedge_blobhub_exchange_free(link, &self->exchange);
    kedge_blobhub_subscriptions_free(&self->subscriptions);
}

/* ---- Credentials -------------------------------------------------------------------------------- */

/* A subprotocol's name has none of `+`, `/` and `=`: hence the other alphabet, and no padding. */
static size_t encode(kedge_span token, uint8_t *out)
{
    size_t size = (token.size * 4 + 2) / 3;
    kedge_base64_encode(token, out);
    for (size_t i = 0; i < size; i++) {
        out[i] = out[i] == '+' ? '-' : out[i];
        out[i] = out[i] == '/' ? '_' : out[i];
    }
    return size;
}

static kedge_status set_encoded(client *self, kedge_span token)
{
    kedge_allocator allocator = self->base.allocator;
    size_t room = kedge_base64_encoded_size(token.size);
    uint8_t *text = kedge_memory_new(allocator, room);
    if (text == NULL) {
        return KEDGE_NO_MEMORY;
    }
    kedge_status status = kedge_secret_set(&self->bearer.authorization, allocator, kedge_text(""),
                                           kedge_span_of(text, encode(token, text)));
    kedge_wipe(text, room);
    kedge_memory_free(allocator, text, room);
    return status;
}

kedge_status kedge_blobhub_client_set_token(client *self, kedge_span token)
{
    const kedge_blobhub_client_config *settings = kedge_blobhub_client_settings(self);
    if (!kedge_is_token(token)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    if (token.size == 0) {
        return KEDGE_OK;
    }
    if (settings->in_subprotocol) {
        return set_encoded(self, token);
    }
    return settings->credential == KEDGE_BLOBHUB_BEARER
               ? kedge_bearer_set_token(&self->bearer, self->base.allocator, token)
               : kedge_secret_set(&self->bearer.authorization, self->base.allocator, kedge_text(""),
                                  token);
}

void kedge_blobhub_client_fill_handshake(const client *self, kedge_link_handshake *handshake)
{
    const kedge_blobhub_client_config *settings = kedge_blobhub_client_settings(self);
    bool bearer = settings->credential == KEDGE_BLOBHUB_BEARER;
    kedge_bearer_handshake(&self->bearer, handshake);
    if (settings->in_subprotocol) {
        handshake->subprotocols[0] =
            kedge_text(bearer ? "authorization.bearer.base64" : "x-api-key.base64");
        handshake->subprotocols[1] = handshake->headers[0].value;
        handshake->subprotocol_count = 2;
        handshake->header_count = 0;
    } else if (!bearer) {
        handshake->headers[0].name = kedge_text("X-API-Key");
    }
    handshake->message_limit = self->base.config->message_limit;
}

/* ---- Subscribing -------------------------------------------------------------------------------- */

static kedge_status check_texts(const kedge_coordinates *place, const kedge_span *types,
                                size_t count)
{
    const kedge_span texts[] = {place->scope, place->scope_id, place->target, place->target_id};
    kedge_status status = KEDGE_OK;
    for (size_t i = 0; status == KEDGE_OK && i < 4; i++) {
        status = kedge_utf8_validate(texts[i]).status;
    }
    for (size_t i = 0; status == KEDGE_OK && i < count; i++) {
        status = kedge_utf8_validate(types[i]).status;
    }
    return status;
}

static void remove_one(client *self, kedge_blobhub_subscribed *one)
{
    if (self->unasked == one) {
        self->unasked = one->next;
    }
    kedge_blobhub_subscriptions_remove(&self->subscriptions, one);
}

static void remove_last(client *self, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        remove_one(self, self->subscriptions.last);
    }
}

kedge_status kedge_blobhub_client_subscribe(kedge_link *link, const kedge_coordinates *coordinates,
                                            const kedge_span *types, size_t type_count)
{
    client *self = kedge_blobhub_client_of(link);
    kedge_blobhub_subscribed *one = NULL;
    kedge_status status = check_texts(coordinates, types, type_count);
    size_t added = 0;
    for (size_t i = 0; status == KEDGE_OK && i < type_count; i++) {
        status = kedge_blobhub_subscriptions_add(&self->subscriptions, coordinates, types[i], &one);
        added += one != NULL;
        if (one != NULL && self->unasked == NULL) {
            self->unasked = one;
        }
    }
    if (status != KEDGE_OK) {
        remove_last(self, added);
    }
    kedge_link_changed(link);
    return status;
}

static kedge_blobhub_subscribed *find_one(const client *self, const kedge_coordinates *place,
                                          kedge_span type)
{
    return kedge_blobhub_subscriptions_search(&self->subscriptions, place, type);
}

bool kedge_blobhub_client_subscribed(const kedge_link *link, const kedge_coordinates *coordinates,
                                     kedge_span type)
{
    return find_one(kedge_blobhub_client_const(link), coordinates, type) != NULL;
}

/* Does the server know of any of them? */
static bool were_asked(const client *self, const kedge_coordinates *place, const kedge_span *types,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const kedge_blobhub_subscribed *one = find_one(self, place, types[i]);
        if (one != NULL && one->asked != 0) {
            return true;
        }
    }
    return false;
}

/* Makes a request about subscriptions, of the number that is next. */
static kedge_status write_request(const client *self, kedge_blobhub_method method,
                                  const kedge_coordinates *place, const kedge_span *types,
                                  size_t count, kedge_publication **made)
{
    uint8_t digits[KEDGE_DECIMAL_DIGITS];
    kedge_span id = kedge_span_of(digits, kedge_decimal(digits, self->exchange.asked.last + 1));
    return kedge_blobhub_write_subscription(made, self->base.allocator, id,
                                            kedge_text(kedge_blobhub_method_word(method)), place,
                                            types, count);
}

static kedge_status open_request(client *self, kedge_span name, uint8_t stage,
                                 kedge_open_request **request)
{
    kedge_time timeout = kedge_blobhub_client_settings(self)->request_timeout;
    kedge_status status = kedge_requests_ask(&self->exchange.asked, self->base.allocator, name,
                                             kedge_time_after(self->base.now, timeout), request);
    if (status == KEDGE_OK) {
        (*request)->stage = stage;
    }
    return status;
}

static kedge_status ask_to_remove(client *self, const kedge_coordinates *place,
                                  const kedge_span *types, size_t count)
{
    const kedge_blobhub_method method = KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_REMOVE;
    kedge_publication *made = NULL;
    kedge_open_request *request;
    kedge_status status = write_request(self, method, place, types, count, &made);
    if (status == KEDGE_OK) {
        status = open_request(self, kedge_text(kedge_blobhub_method_word(method)), 0, &request);
    }
    if (status != KEDGE_OK) {
        kedge_publication_release(made);
        return status;
    }
    status = kedge_blobhub_send(&self->base, &self->exchange, KEDGE_OK, made);
    if (status != KEDGE_OK) {
        kedge_requests_drop(&self->exchange.asked, self->base.allocator, request);
    }
    return status;
}

kedge_status kedge_blobhub_client_unsubscribe(kedge_link *link,
                                              const kedge_coordinates *coordinates,
                                              const kedge_span *types, size_t type_count)
{
    client *self = kedge_blobhub_client_of(link);
    if (were_asked(self, coordinates, types, type_count)) {
        kedge_status status = ask_to_remove(self, coordinates, types, type_count);
        if (status != KEDGE_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < type_count; i++) {
        kedge_blobhub_subscribed *one = find_one(self, coordinates, types[i]);
        if (one != NULL) {
            remove_one(self, one);
        }
    }
    kedge_link_changed(link);
    return KEDGE_OK;
}

/* As many as go into one request: of one place, and not too many or large. */
enum { RUN = 32 };

static size_t take_run(const client *self, kedge_span types[RUN])
{
    const kedge_blobhub_subscribed *first = self->unasked;
    size_t room = self->base.config->message_limit / 16; /* escaped they may be six times as long */
    size_t count = 0;
    size_t bytes = 0;
    for (const kedge_blobhub_subscribed *one = first;
         one != NULL && count < RUN && bytes <= room &&
         kedge_blobhub_same_place(&one->place, &first->place);
         one = one->next) {
        types[count++] = one->type;
        bytes += one->type.size;
    }
    return count;
}

/* The params as they stand in the message that was just written. */
static kedge_span params_of(const kedge_publication *message)
{
    kedge_envelope envelope;
    static const kedge_json_options options = {KEDGE_JSON_DEPTH, true};
    (void)kedge_envelope_decode(&envelope, KEDGE_BLOBHUB,
                                kedge_publication_describe(message).payload, &options);
    return envelope.payload.raw;
}

kedge_status kedge_blobhub_client_write_add(client *self, kedge_publication **made)
{
    kedge_span types[RUN];
    kedge_open_request *request;
    size_t count = take_run(self, types);
    kedge_status status = write_request(self, KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_ADD,
                                        &self->unasked->place, types, count, made);
    if (status == KEDGE_OK) {
        status = open_request(self, params_of(*made), KEDGE_BLOBHUB_ADDS, &request);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        self->unasked->asked = request->number;
        self->unasked = self->unasked->next;
    }
    return KEDGE_OK;
}

void kedge_blobhub_client_forget_refused(client *self, kedge_request_number number)
{
    kedge_blobhub_subscribed *one = self->subscriptions.first;
    while (one != NULL) {
        kedge_blobhub_subscribed *next = one->next;
        if (one->asked == number) {
            remove_one(self, one);
        }
        one = next;
    }
}

void kedge_blobhub_client_unask(client *self)
{
    for (kedge_blobhub_subscribed *one = self->subscriptions.first; one != NULL; one = one->next) {
        one->asked = 0;
    }
    self->unasked = self->subscriptions.first;
}

/* ---- Calls of the application ------------------------------------------------------------------- */

/* What the link asks for by itself. */
static bool is_own(kedge_span name)
{
    for (int i = KEDGE_BLOBHUB_METHOD_INITIALIZE; i < KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_EVENT;
         i++) {
        if (kedge_span_equal(name,
                             kedge_text(kedge_blobhub_method_word((kedge_blobhub_method)i)))) {
            return true;
        }
    }
    return false;
}

/* The request that asks for this one, and all behind it, was not sent after all. */
static void take_back(client *self, kedge_blobhub_subscribed *first)
{
    kedge_requests *asked = &self->exchange.asked;
    kedge_requests_drop(asked, self->base.allocator, asked->open[asked->count - 1]);
    for (kedge_blobhub_subscribed *one = first; one != self->unasked; one = one->next) {
        one->asked = 0;
    }
    self->unasked = first;
}

/* What was subscribed to before is asked for before: who then asks for a state misses nothing that happens
 * to it since. But one request must stay possible. */
static kedge_status ask_first(client *self)
{
    kedge_status status = KEDGE_OK;
    while (status == KEDGE_OK && self->unasked != NULL &&
           self->exchange.asked.count + 1 < self->exchange.asked.max) {
        kedge_publication *made = NULL;
        kedge_blobhub_subscribed *first = self->unasked;
        status = kedge_blobhub_client_write_add(self, &made);
        if (status != KEDGE_OK) {
            kedge_publication_release(made);
            return status;
        }
        status = kedge_blobhub_send(&self->base, &self->exchange, KEDGE_OK, made);
        if (status != KEDGE_OK) {
            take_back(self, first);
        }
    }
    return status;
}

static kedge_status begin_call(client *self, kedge_span name)
{
    if (is_own(name)) {
        return KEDGE_INVALID_ARGUMENT;
    }
    return self->state == KEDGE_BLOBHUB_CLIENT_ACTIVE ? ask_first(self) : KEDGE_WRONG_STATE;
}

kedge_status kedge_blobhub_client_request(kedge_link *link, kedge_span name, kedge_span payload,
                                          kedge_time timeout, kedge_request_number *number)
{
    client *self = kedge_blobhub_client_of(link);
    kedge_status status = begin_call(self, name);
    if (status != KEDGE_OK) {
        return status;
    }
    kedge_time usual = kedge_blobhub_client_settings(self)->request_timeout;
    return kedge_blobhub_ask(link, &self->exchange, name, payload, timeout > 0 ? timeout : usual,
                             number);
}

kedge_status kedge_blobhub_client_cancel(kedge_link *link, kedge_request_number number)
{
    client *self = kedge_blobhub_client_of(link);
    return link->ended ? KEDGE_UNKNOWN : kedge_requests_cancel(&self->exchange.asked, number);
}

kedge_status kedge_blobhub_client_notify(kedge_link *link, kedge_span name, kedge_span payload)
{
    client *self = kedge_blobhub_client_of(link);
    kedge_status status = begin_call(self, name);
    return status == KEDGE_OK ? kedge_blobhub_notify(link, &self->exchange, name, payload) : status;
}

static kedge_open_request *find_asked(const kedge_link *link, kedge_ticket ticket)
{
    return kedge_requests_find(&kedge_blobhub_client_const(link)->exchange.answering, ticket);
}

bool kedge_blobhub_client_waits(const kedge_link *link, kedge_ticket ticket)
{
    return find_asked(link, ticket) != NULL;
}

kedge_status kedge_blobhub_client_reply(kedge_link *link, kedge_ticket ticket, kedge_span payload)
{
    return kedge_blobhub_reply(link, &kedge_blobhub_client_of(link)->exchange,
                               find_asked(link, ticket), payload);
}

kedge_status kedge_blobhub_client_reply_error(kedge_link *link, kedge_ticket ticket,
                                              kedge_span code, kedge_span message, kedge_span data)
{
    return kedge_blobhub_reply_error(link, &kedge_blobhub_client_of(link)->exchange,
                                     find_asked(link, ticket), code, message, data);
}

kedge_status kedge_blobhub_client_reply_failed(kedge_link *link, kedge_ticket ticket)
{
    return kedge_blobhub_fail(link, &kedge_blobhub_client_of(link)->exchange,
                              find_asked(link, ticket), KEDGE_BLOBHUB_UNEXPECTED_FAILURE);
}

/* ---- Save and load ------------------------------------------------------------------------------ */

static void write_place(kedge_json_writer *writer, const kedge_coordinates *place)
{
    const char *const names[] = {"scope", "scope_id", "target", "target_id"};
    const kedge_span texts[] = {place->scope, place->scope_id, place->target, place->target_id};
    for (size_t i = 0; i < 4; i++) {
        kedge_json_write_name(writer, kedge_text(names[i]));
        kedge_json_write_text(writer, texts[i]);
    }
}

kedge_status kedge_blobhub_client_save(const kedge_link *link, uint8_t *buffer, size_t capacity,
                                       size_t *size)
{
    const client *self = kedge_blobhub_client_const(link);
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, capacity);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("subscriptions"));
    kedge_json_write_array(&writer);
    for (const kedge_blobhub_subscribed *one = self->subscriptions.first; one != NULL;
         one = one->next) {
        kedge_json_write_object(&writer);
        write_place(&writer, &one->place);
        kedge_json_write_name(&writer, kedge_text("types"));
        kedge_json_write_array(&writer);
        kedge_json_write_text(&writer, one->type);
        kedge_json_write_end(&writer);
        kedge_json_write_end(&writer);
    }
    kedge_json_write_end(&writer);
    kedge_json_write_end(&writer);
    return kedge_json_writer_finish(&writer, size);
}

static kedge_status load_all(client *self, kedge_blobhub_subscriptions *all, kedge_span array)
{
    static const kedge_json_options checked = {KEDGE_JSON_DEPTH_MAXIMUM, true};
    kedge_json_reader reader;
    kedge_json_value element;
    kedge_blobhub_subscription subscription;
    kedge_status status = KEDGE_OK;
    size_t added;
    kedge_json_begin(&reader, array, &checked);
    (void)kedge_json_array_begin(&reader);
    while (status == KEDGE_OK && kedge_json_next_element(&reader, &element)) {
        status = kedge_blobhub_read_subscription(element.raw, &subscription).status;
        if (status == KEDGE_OK) {
            status = kedge_blobhub_follow(&self->base, all, &subscription, &added);
        }
    }
    return status;
}

kedge_status kedge_blobhub_client_load(kedge_link *link, kedge_span saved)
{
    static const kedge_member members[] = {
        KEDGE_MEMBER_REQUIRED("subscriptions", KEDGE_MEMBER_ARRAY),
    };
    static const kedge_member_table saved_table = {members, 1};
    client *self = kedge_blobhub_client_of(link);
    kedge_blobhub_subscriptions all;
    kedge_json_value array;
    if (self->state != KEDGE_BLOBHUB_CLIENT_IDLE && self->state != KEDGE_BLOBHUB_CLIENT_STOPPED) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = kedge_members_read(&saved_table, saved, NULL, NULL, &array).status;
    if (status != KEDGE_OK) {
        return status;
    }
    init_subscriptions(self, &all);
    status = load_all(self, &all, array.raw);
    if (status != KEDGE_OK) {
        kedge_blobhub_subscriptions_free(&all);
        return status;
    }
    kedge_blobhub_subscriptions_free(&self->subscriptions);
    self->subscriptions = all;
    self->unasked = all.first;
    self->known = true;
    return KEDGE_OK;
}
