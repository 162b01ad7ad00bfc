/* What does not depend on the state of a server's link, or on little of it. */
#include "flowlayer_server_state.h"
#include "members.h"

typedef kedge_flowlayer_server server;

kedge_flowlayer_judge kedge_flowlayer_server_judge(const server *self)
{
    const kedge_link_config *config = self->base.config;
    kedge_flowlayer_judge judge = {config->message_limit, config->depth_limit,
                                   &kedge_flowlayer_server_settings(self)->services,
                                   kedge_flowlayer_server_settings(self)->answer_logs};
    return judge;
}

bool kedge_flowlayer_server_is_health(const kedge_request *request)
{
    return kedge_span_equal(request->path, kedge_text("/health")) &&
           (kedge_span_equal(request->method, kedge_text("GET")) ||
            kedge_span_equal(request->method, kedge_text("HEAD")));
}

/* ---- What a hub asks of the protocol -------------------------------------------------------------- */

/* What is refused is refused before the upgrade. */
uint16_t kedge_flowlayer_server_close_code(kedge_status cause)
{
    switch (cause) {
    case KEDGE_TOO_MANY_SESSIONS:
        return 503;
    case KEDGE_NOT_YOURS:
        return 403;
    case KEDGE_HISTORY_LOST:
        return 1013;
    default:
        return 1001;
    }
}

const char *kedge_flowlayer_server_close_text(uint16_t code)
{
    (void)code;
    return NULL;
}

bool kedge_flowlayer_server_own_name(kedge_span name)
{
    return kedge_span_equal(name, kedge_text("hello")) ||
           kedge_span_equal(name, kedge_text("snapshot"));
}

kedge_link_state kedge_flowlayer_server_describe(const kedge_link *link)
{
    const server *self = kedge_flowlayer_server_const(link);
    const kedge_named *word = &kedge_flowlayer_server_state_words[self->state];
    kedge_link_state state = {word->name, word->text, "the application's result"};
    if (self->state == KEDGE_FLOWLAYER_SERVER_AUTHENTICATING) {
        state.due = "the application's decision";
    } else if (self->state == KEDGE_FLOWLAYER_SERVER_GREETING) {
        state.due = "the application's snapshot";
    }
    return state;
}

/* ---- Settings ----------------------------------------------------------------------------------- */

/* More would only serve to make a greeting costly; and what a message takes but for its id, doubled. */
enum { CAPABILITIES_MAX = 256, MESSAGE_LEAST = 1024 };

kedge_status kedge_flowlayer_server_check(const kedge_link_config *config)
{
    const kedge_flowlayer_server_config *settings = &config->as.flowlayer_server;
    bool right = config->message_limit >= MESSAGE_LEAST && config->queue_limit >= MESSAGE_LEAST &&
                 settings->capabilities.count <= CAPABILITIES_MAX &&
                 kedge_are_words(&settings->capabilities) && kedge_are_words(&settings->services) &&
                 settings->commands_max > 0 && settings->decision_timeout > 0 &&
                 settings->snapshot_timeout > 0 && settings->command_timeout > 0;
    return right ? KEDGE_OK : KEDGE_INVALID_ARGUMENT;
}
