#include "members.h"
#include "memory.h"
#include "protocols/flowlayer_client_state.h"
#include "protocols/flowlayer_writer.h"
#include "span.h"

typedef kedge_flowlayer_client client;

/* ---- Settings ----------------------------------------------------------------------------------- */

kedge_status kedge_flowlayer_client_check(const kedge_link_config *config)
{
    const kedge_flowlayer_client_config *own = &config->as.flowlayer_client;
    bool right = kedge_is_token(own->token) && kedge_is_path(own->path) &&
                 own->greeting_timeout > 0 && own->ack_timeout > 0 && own->result_timeout > 0 &&
                 own->requests_max > 0 && own->logs_hold > 0 && own->services_max > 0 &&
                 own->logs_kept_bytes > 0 && own->logs_hold_bytes > 0;
    return right ? KEDGE_OK : KEDGE_INVALID_ARGUMENT;
}

/* ---- Our own questions -------------------------------------------------------------------------- */

/* k1, k2: no command of the application has such an id. */
static size_t write_id(const client *self, uint8_t id[KEDGE_DECIMAL_DIGITS + 1])
{
    id[0] = 'k';
    return 1 + kedge_decimal(id + 1, self->questions);
}

bool kedge_flowlayer_client_is_question(const client *self, kedge_json_value id)
{
    uint8_t own[KEDGE_DECIMAL_DIGITS + 1];
    return self->continuity.state == KEDGE_CONTINUITY_ASKED &&
           kedge_json_text_equals(id, kedge_span_of(own, write_id(self, own)));
}

kedge_status kedge_flowlayer_client_write_question(client *self, kedge_publication **made)
{
    const kedge_continuity_question *question = &self->continuity.question;
    uint8_t id[KEDGE_DECIMAL_DIGITS + 1];
    uint8_t text[128];
    size_t size = 0;
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, text, sizeof text);
    kedge_json_write_object(&writer);
    if (question->ranged) {
        kedge_json_write_name(&writer, kedge_text("after_seq"));
        kedge_json_write_unsigned(&writer, question->after);
    }
    if (question->before > 0) {
        kedge_json_write_name(&writer, kedge_text("before_seq"));
        kedge_json_write_unsigned(&writer, question->before);
    }
    kedge_json_write_name(&writer, kedge_text("limit"));
    kedge_json_write_unsigned(&writer, question->limit);
    kedge_json_write_end(&writer);
    (void)kedge_json_writer_finish(&writer, &size);
    self->questions++;
    return kedge_flowlayer_write_command(made, self->base.allocator,
                                         kedge_span_of(id, write_id(self, id)),
                                         kedge_text("get_logs"), kedge_span_of(text, size));
}

/* ---- Commands ----------------------------------------------------------------------------------- */

static kedge_status queue_command(client *self, kedge_open_request *request, kedge_span name,
                                  kedge_span payload)
{
    uint8_t id[KEDGE_DECIMAL_DIGITS];
    kedge_publication *made = NULL;
    kedge_status status = kedge_flowlayer_write_command(
        &made, self->base.allocator, kedge_span_of(id, kedge_decimal(id, request->number)), name,
        payload);
    if (status != KEDGE_OK) {
        return status;
    }
    status = kedge_publication_plain_size(made, 0) > self->base.config->message_limit
                 ? KEDGE_LIMIT
                 : kedge_link_queue(&self->base, made, 0);
    kedge_publication_release(made);
    return status;
}

kedge_status kedge_flowlayer_client_request(kedge_link *link, kedge_span name, kedge_span payload,
                                            kedge_time timeout, kedge_request_number *number)
{
    client *self = kedge_flowlayer_client_of(link);
    const kedge_flowlayer_client_config *settings = kedge_flowlayer_client_settings(self);
    kedge_open_request *request = NULL;
    if (self->state != KEDGE_FLOWLAYER_CLIENT_LIVE) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = payload.size == 0
                              ? KEDGE_OK
                              : kedge_flowlayer_check_json(payload, 1, KEDGE_JSON_KIND_OBJECT);
    if (status == KEDGE_OK) {
        status = kedge_requests_ask(&self->requests, link->allocator, name,
                                    kedge_time_after(link->now, settings->ack_timeout), &request);
    }
    if (status != KEDGE_OK) {
        return status;
    }
    request->tag = timeout > 0 ? timeout : settings->result_timeout;
    status = queue_command(self, request, name, payload);
    if (status != KEDGE_OK) {
        kedge_requests_drop(&self->requests, link->allocator, request);
        return status;
    }
    *number = request->number;
    return KEDGE_OK;
}

kedge_status kedge_flowlayer_client_cancel(kedge_link *link, kedge_request_number number)
{
    client *self = kedge_flowlayer_client_of(link);
    return self->state == KEDGE_FLOWLAYER_CLIENT_LIVE
               ? kedge_requests_cancel(&self->requests, number)
               : KEDGE_UNKNOWN;
}

/* ---- What is known of the server ----------------------------------------------------------------- */

/* As the settings say; an entry's age does not matter. */
static kedge_log_limits kept_limits(const client *self)
{
    const kedge_flowlayer_client_config *settings = kedge_flowlayer_client_settings(self);
    kedge_log_limits limits;
    limits.count = settings->logs_kept > 0 ? settings->logs_kept : 1;
    limits.bytes = settings->logs_kept_bytes;
    limits.age = KEDGE_NEVER;
    return limits;
}

/* Another server's limit is not known yet. */
void kedge_flowlayer_client_keep_none(client *self)
{
    kedge_log_limits limits = kept_limits(self);
    kedge_log_clear(&self->kept);
    kedge_log_init(&self->kept, &limits, self->base.allocator);
}

/* What cannot be kept was handed out all the same. */
void kedge_flowlayer_client_keep(client *self, uint64_t seq, kedge_span entry)
{
    kedge_publication *made = NULL;
    if (kedge_flowlayer_client_settings(self)->logs_kept > 0 &&
        kedge_publication_control(&made, self->base.allocator, KEDGE_FLOWLAYER, entry) ==
            KEDGE_OK) {
        (void)kedge_log_append(&self->kept, seq, made, self->base.now);
        kedge_publication_release(made);
    }
}

void kedge_flowlayer_client_keep_most(client *self, uint64_t most)
{
    kedge_log_limits limits = kept_limits(self);
    if (most > 0 && most < limits.count) {
        limits.count = (size_t)most;
    }
    (void)kedge_log_set_limits(&self->kept, &limits, self->base.now);
}

static const client *client_or_null(const kedge_link *link)
{
    return link != NULL && link->operations == &kedge_flowlayer_client_operations
               ? kedge_flowlayer_client_const(link)
               : NULL;
}

const kedge_log *kedge_flowlayer_logs_kept(const kedge_link *link)
{
    const client *self = client_or_null(link);
    return self == NULL ? NULL : &self->kept;
}

bool kedge_flowlayer_status_of(const kedge_link *link, kedge_span name, kedge_span *status)
{
    const client *self = client_or_null(link);
    if (self == NULL || kedge_span_is_missing(name) || status == NULL) {
        return false;
    }
    const kedge_flowlayer_state *state = kedge_flowlayer_services_find(&self->services, name);
    if (state == NULL) {
        return false;
    }
    *status = kedge_flowlayer_state_status(state);
    return true;
}

bool kedge_flowlayer_next_status(const kedge_link *link, kedge_flowlayer_known_service *service)
{
    const client *self = client_or_null(link);
    if (self == NULL || service == NULL) {
        return false;
    }
    const kedge_flowlayer_state *before = service->private_state;
    const kedge_flowlayer_state *state = before == NULL ? self->services.first : before->next;
    if (state == NULL) {
        return false;
    }
    service->name = state->entry.key;
    service->status = kedge_flowlayer_state_status(state);
    service->private_state = state;
    return true;
}

/* ---- Save and load ------------------------------------------------------------------------------ */

kedge_status kedge_flowlayer_client_save(const kedge_link *link, uint8_t *buffer, size_t capacity,
                                         size_t *size)
{
    const client *self = kedge_flowlayer_client_const(link);
    kedge_json_writer writer;
    kedge_json_writer_begin(&writer, buffer, capacity);
    kedge_json_write_object(&writer);
    kedge_json_write_name(&writer, kedge_text("last_seq"));
    kedge_json_write_unsigned(&writer, self->continuity.last);
    kedge_json_write_name(&writer, kedge_text("fingerprint"));
    kedge_json_write_unsigned(&writer, self->continuity.fingerprint);
    kedge_json_write_end(&writer);
    return kedge_json_writer_finish(&writer, size);
}

kedge_status kedge_flowlayer_client_load(kedge_link *link, kedge_span saved)
{
    enum { LAST, FINGERPRINT, COUNT };
    static const kedge_member members[COUNT] = {
        [LAST] = KEDGE_MEMBER_REQUIRED("last_seq", KEDGE_MEMBER_UNSIGNED),
        [FINGERPRINT] = KEDGE_MEMBER_REQUIRED("fingerprint", KEDGE_MEMBER_UNSIGNED),
    };
    static const kedge_member_table saved_table = {members, COUNT};
    client *self = kedge_flowlayer_client_of(link);
    kedge_json_value values[COUNT];
    if (self->state != KEDGE_FLOWLAYER_CLIENT_IDLE &&
        self->state != KEDGE_FLOWLAYER_CLIENT_STOPPED) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = kedge_members_read(&saved_table, saved, NULL, NULL, values).status;
    if (status == KEDGE_OK) {
        (void)kedge_json_unsigned(values[LAST], &self->continuity.last);
        (void)kedge_json_unsigned(values[FINGERPRINT], &self->continuity.fingerprint);
    }
    return status;
}
