#include "envelope.h"
#include "flowlayer_logs.h"
#include "flowlayer_server_state.h"
#include "flowlayer_writer.h"
#include "memory.h"
#include "session.h"

typedef kedge_flowlayer_server server;

/* Where get_logs names no limit, and no setting does. */
#define LOGS_LIMIT 500

static kedge_flowlayer_fault fault_of(kedge_flowlayer_error error)
{
    kedge_flowlayer_fault fault;
    fault.code = kedge_text(kedge_flowlayer_error_word(error));
    fault.message = kedge_text(kedge_flowlayer_error_message(error));
    return fault;
}

/* ---- Messages ----------------------------------------------------------------------------------- */

/* Puts a message that was made into the queue; the hold is given up. */
static kedge_status enqueue(server *self, kedge_status made, kedge_publication *publication)
{
    kedge_status status = made == KEDGE_OK ? kedge_link_queue(&self->base, publication, 0) : made;
    kedge_publication_release(publication);
    return status;
}

kedge_status kedge_flowlayer_server_report(server *self, kedge_span id, kedge_flowlayer_error error)
{
    kedge_publication *made = NULL;
    kedge_flowlayer_fault fault = fault_of(error);
    kedge_status status = kedge_flowlayer_write_error(&made, self->base.allocator, id, &fault);
    return enqueue(self, status, made);
}

static kedge_status send_ack(server *self, kedge_span id, const kedge_flowlayer_fault *fault)
{
    kedge_publication *made = NULL;
    kedge_status status = kedge_flowlayer_write_ack(&made, self->base.allocator, id, fault);
    bool large = status == KEDGE_OK &&
                 kedge_publication_plain_size(made, 0) > self->base.config->message_limit;
    return enqueue(self, large ? KEDGE_LIMIT : status, made);
}

kedge_status kedge_flowlayer_server_refuse(server *self, kedge_span id, kedge_flowlayer_error error)
{
    kedge_flowlayer_fault fault = fault_of(error);
    return send_ack(self, id, &fault);
}

/* Sends the result that was made, behind an ack if there was none yet; the hold is given up. */
static kedge_status send_result(server *self, kedge_span id, bool accepted, kedge_status made,
                                kedge_publication *result)
{
    kedge_publication *ack = NULL;
    kedge_status status = made;
    if (status == KEDGE_OK &&
        kedge_publication_plain_size(result, 0) > self->base.config->message_limit) {
        status = KEDGE_LIMIT;
    }
    if (status == KEDGE_OK && !accepted) {
        status = kedge_flowlayer_write_ack(&ack, self->base.allocator, id, NULL);
    }
    if (status == KEDGE_OK) {
        status = ack == NULL ? kedge_link_queue(&self->base, result, 0)
                             : kedge_link_queue_both(&self->base, ack, result);
    }
    kedge_publication_release(ack);
    kedge_publication_release(result);
    return status;
}

/* ---- get_logs ----------------------------------------------------------------------------------- */

static uint64_t limit_of(const server *self, kedge_json_value service)
{
    const kedge_flowlayer_server_config *settings = kedge_flowlayer_server_settings(self);
    uint64_t limit = 0;
    if (service.kind == KEDGE_JSON_KIND_NONE) {
        limit = settings->logs_limit_all;
    } else if (settings->service_limits != NULL) {
        size_t i = 0; /* it is one of them, or the command would not be ours to answer */
        while (!kedge_json_text_equals(service, kedge_text(settings->services.words[i]))) {
            i++;
        }
        limit = settings->service_limits[i];
    }
    if (limit == 0) {
        limit = settings->logs_limit;
    }
    return limit == 0 ? LOGS_LIMIT : limit;
}

/* What the data of a result may take, so that the message keeps its limit, and the queue takes it where
 * nothing else waits. */
static size_t room_for_data(const server *self, kedge_span id)
{
    const kedge_link_config *config = self->base.config;
    size_t frame = kedge_flowlayer_result_frame(id);
    size_t most = config->queue_limit / 2; /* the ack is the smaller one */
    most = most < config->message_limit ? most : config->message_limit;
    return frame < most ? most - frame : 0;
}

static kedge_status write_logs(const server *self, kedge_span id,
                               const kedge_flowlayer_query *query, kedge_publication **made)
{
    kedge_allocator allocator = self->base.allocator;
    const kedge_log *log = kedge_session_own_log(self->base.session);
    kedge_flowlayer_answer answer = kedge_flowlayer_logs_select(log, query);
    uint8_t *data = kedge_memory_new(allocator, answer.size);
    if (data == NULL) {
        return KEDGE_NO_MEMORY;
    }
    kedge_flowlayer_logs_write(log, query, &answer, data);
    kedge_status status =
        kedge_flowlayer_write_result(made, allocator, id, kedge_span_of(data, answer.size));
    kedge_memory_free(allocator, data, answer.size);
    return status;
}

kedge_status kedge_flowlayer_server_answer_logs(server *self, kedge_span id,
                                                const kedge_flowlayer_arguments *arguments)
{
    kedge_allocator allocator = self->base.allocator;
    kedge_publication *made = NULL;
    kedge_json_value service = arguments->service;
    size_t size = service.raw.size; /* 0: no service is named */
    uint8_t *name = size == 0 ? NULL : kedge_memory_new(allocator, size);
    size_t name_size = 0;
    if (size > 0 && name == NULL) {
        return KEDGE_NO_MEMORY;
    }
    (void)kedge_json_text(service, name, size, &name_size);
    kedge_flowlayer_query query =
        kedge_flowlayer_query_of(arguments, kedge_span_of(name, name_size), limit_of(self, service),
                                 room_for_data(self, id));
    kedge_status status = write_logs(self, id, &query, &made);
    kedge_memory_free(allocator, name, size);
    return send_result(self, id, false, status, made);
}

/* ---- Commands that wait behind the snapshot ----------------------------------------------------- */

bool kedge_flowlayer_server_has_room(const server *self, size_t size)
{
    size_t room = self->base.config->queue_limit;
    size_t used = self->commands.bytes;
    return self->commands.count < self->commands.max && used <= room && size <= room - used;
}

kedge_status kedge_flowlayer_server_hold(server *self, kedge_span id, kedge_span message)
{
    kedge_open_request *made = NULL;
    kedge_status status =
        kedge_requests_take(&self->commands, self->base.allocator,
                            kedge_link_new_ticket(&self->base), id, message, KEDGE_NEVER, &made);
    if (status == KEDGE_OK) {
        made->stage = KEDGE_FLOWLAYER_STAGE_HELD;
    }
    return status;
}

/* What was held was judged before, as far as its envelope goes. */
static kedge_flowlayer_server_input
judge_held(const server *self, const kedge_open_request *command, kedge_flowlayer_request *request)
{
    kedge_flowlayer_judge judge = kedge_flowlayer_server_judge(self);
    (void)kedge_flowlayer_judge_message(&judge, false, command->name, request);
    return kedge_flowlayer_judge_command(&judge, request);
}

static kedge_time answer_by(const server *self)
{
    return kedge_time_after(self->base.now, kedge_flowlayer_server_settings(self)->command_timeout);
}

void kedge_flowlayer_server_release(server *self)
{
    for (size_t i = 0; i < self->commands.count; i++) {
        kedge_open_request *command = self->commands.open[i];
        kedge_flowlayer_request request;
        if (judge_held(self, command, &request) == KEDGE_FLOWLAYER_INPUT_COMMAND) {
            command->stage = KEDGE_FLOWLAYER_STAGE_UNTOLD;
            command->deadline = answer_by(self);
        }
    }
}

static kedge_open_request *first_at(const server *self, uint8_t stage)
{
    for (size_t i = 0; i < self->commands.count; i++) {
        if (self->commands.open[i]->stage == stage) {
            return self->commands.open[i];
        }
    }
    return NULL;
}

bool kedge_flowlayer_server_holds(const server *self)
{
    return first_at(self, KEDGE_FLOWLAYER_STAGE_HELD) != NULL;
}

kedge_status kedge_flowlayer_server_work_off(server *self)
{
    kedge_open_request *command = first_at(self, KEDGE_FLOWLAYER_STAGE_HELD);
    kedge_flowlayer_request request;
    if (command == NULL || self->base.queue.count > 0) {
        return KEDGE_OK;
    }
    kedge_flowlayer_server_input input = judge_held(self, command, &request);
    kedge_status status =
        input == KEDGE_FLOWLAYER_INPUT_GET_LOGS
            ? kedge_flowlayer_server_answer_logs(self, command->id, &request.arguments)
            : kedge_flowlayer_server_refuse(self, command->id,
                                            kedge_flowlayer_server_error_of(input));
    if (status == KEDGE_OK) {
        kedge_requests_end(&self->commands, command);
    }
    return status;
}

/* ---- For the application ------------------------------------------------------------------------ */

static void describe(kedge_event *event, const kedge_open_request *command,
                     const kedge_flowlayer_request *request, kedge_span message)
{
    event->ticket = command->number;
    event->raw = message;
    event->as.request.id = command->id;
    event->as.request.name = kedge_text(kedge_flowlayer_command_word(request->command));
    event->as.request.payload = request->envelope.payload.raw;
    event->as.request.known = true;
}

kedge_status kedge_flowlayer_server_deliver(server *self, kedge_span id,
                                            const kedge_flowlayer_request *request,
                                            kedge_span message)
{
    kedge_open_request *made = NULL;
    kedge_status status = kedge_requests_take(&self->commands, self->base.allocator,
                                              kedge_link_new_ticket(&self->base), id,
                                              kedge_text(NULL), answer_by(self), &made);
    if (status == KEDGE_OK) {
        made->stage = KEDGE_FLOWLAYER_STAGE_TOLD;
        describe(kedge_link_event(&self->base, KEDGE_EVENT_REQUEST), made, request, message);
    }
    return status;
}

bool kedge_flowlayer_server_untold(const server *self)
{
    return first_at(self, KEDGE_FLOWLAYER_STAGE_UNTOLD) != NULL;
}

bool kedge_flowlayer_server_tell(server *self, kedge_event *event)
{
    kedge_open_request *command = first_at(self, KEDGE_FLOWLAYER_STAGE_UNTOLD);
    kedge_flowlayer_request request;
    if (command == NULL) {
        return false;
    }
    (void)judge_held(self, command, &request);
    memset(event, 0, sizeof *event);
    event->kind = KEDGE_EVENT_REQUEST;
    describe(event, command, &request, command->name);
    command->stage = KEDGE_FLOWLAYER_STAGE_TOLD;
    return true;
}

/* ---- Its answers -------------------------------------------------------------------------------- */

/* The command is over, if that could be sent. */
static kedge_status end_command(server *self, kedge_open_request *command, kedge_status sent)
{
    if (sent == KEDGE_OK) {
        kedge_requests_end(&self->commands, command);
    }
    return sent;
}

static kedge_status end_with(server *self, kedge_open_request *command, kedge_status made,
                             kedge_publication *result)
{
    bool accepted = command->stage == KEDGE_FLOWLAYER_STAGE_ACCEPTED;
    return end_command(self, command, send_result(self, command->id, accepted, made, result));
}

kedge_status kedge_flowlayer_server_accept(server *self, kedge_open_request *command)
{
    if (command->stage == KEDGE_FLOWLAYER_STAGE_ACCEPTED) {
        return KEDGE_WRONG_STATE;
    }
    kedge_status status = send_ack(self, command->id, NULL);
    if (status == KEDGE_OK) {
        command->stage = KEDGE_FLOWLAYER_STAGE_ACCEPTED;
    }
    return status;
}

kedge_status kedge_flowlayer_server_reply(server *self, kedge_open_request *command,
                                          kedge_span data)
{
    kedge_publication *made = NULL;
    kedge_status status =
        data.size == 0 ? KEDGE_OK : kedge_flowlayer_check_json(data, 2, KEDGE_JSON_KIND_NONE);
    bool none = data.size == 0 || kedge_envelope_part_kind(data) == KEDGE_JSON_KIND_NULL;
    if (status == KEDGE_OK) {
        status = kedge_flowlayer_write_result(&made, self->base.allocator, command->id,
                                              none ? kedge_text(NULL) : data);
    }
    return end_with(self, command, status, made);
}

static kedge_status end_failed(server *self, kedge_open_request *command,
                               const kedge_flowlayer_fault *fault, kedge_span failed_services)
{
    kedge_publication *made = NULL;
    kedge_status status =
        failed_services.size == 0 ? KEDGE_OK : kedge_flowlayer_check_texts(failed_services, 2);
    if (status == KEDGE_OK) {
        status = kedge_flowlayer_write_failure(&made, self->base.allocator, command->id, fault,
                                               failed_services);
    }
    return end_with(self, command, status, made);
}

kedge_status kedge_flowlayer_server_reply_error(server *self, kedge_open_request *command,
                                                kedge_span code, kedge_span message,
                                                kedge_span data)
{
    kedge_flowlayer_fault fault = {code, message};
    if (command->stage == KEDGE_FLOWLAYER_STAGE_ACCEPTED) {
        return end_failed(self, command, &fault, data);
    }
    return data.size > 0 ? KEDGE_INVALID_ARGUMENT
                         : end_command(self, command, send_ack(self, command->id, &fault));
}

kedge_status kedge_flowlayer_server_fail(server *self, kedge_open_request *command)
{
    kedge_flowlayer_fault fault = fault_of(KEDGE_FLOWLAYER_INTERNAL_ERROR);
    return end_failed(self, command, &fault, kedge_text(NULL));
}
