/* messaging.c: writes docs/protocols/messaging.md from the tables that the messenger's links run by.
 *
 * `make docs` puts its output into place; a test fails where page and tables differ.
 */
#include <stdio.h>

#include "page.h"
#include "protocols/messaging_client.h"
#include "protocols/messaging_messages.h"
#include "protocols/messaging_server_table.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* ---- The server's side -------------------------------------------------------------------------- */

static page_cell server_cell(size_t state, size_t input)
{
    kedge_messaging_server_cell cell = kedge_messaging_server_cell_of(
        (kedge_messaging_server_state)state, (kedge_messaging_server_input)input);
    return (page_cell){cell.action > KEDGE_MESSAGING_ACTION_NEVER,
                       cell.action == KEDGE_MESSAGING_ACTION_MISUSE, cell.action, cell.code,
                       cell.next};
}

static const page_machine server = {
    .states = kedge_messaging_server_state_words,
    .state_count = KEDGE_MESSAGING_SERVER_STATE_COUNT,
    .inputs = kedge_messaging_server_input_words,
    .input_count = KEDGE_MESSAGING_INPUT_COUNT,
    .actions = kedge_messaging_server_action_words,
    .action_count = KEDGE_MESSAGING_ACTION_COUNT,
    .first_action = KEDGE_MESSAGING_ACTION_NEVER + 1,
    .cell = server_cell,
};

/* ---- The client's side -------------------------------------------------------------------------- */

#define INPUT_WORD(name, a, b, c, d, e, f, g, h, i, j, meaning) {#name, meaning},
#define KEDGE_MESSAGING_CLIENT_SAME (-1)
#define MOVE_NEXT(name, function, next, meaning) KEDGE_MESSAGING_CLIENT_##next,

static const kedge_named client_states[] = {KEDGE_MESSAGING_CLIENT_STATES(KEDGE_NAMED)};
static const kedge_named client_inputs[] = {KEDGE_MESSAGING_CLIENT_TABLE(INPUT_WORD)};
static const kedge_named client_moves[] = {KEDGE_MESSAGING_CLIENT_MOVES(PAGE_MOVE_WORD)};
static const int client_next[] = {KEDGE_MESSAGING_CLIENT_MOVES(MOVE_NEXT)};

static size_t client_move(size_t state, size_t input)
{
    return kedge_messaging_client_move_of((kedge_messaging_client_state)state,
                                          (kedge_messaging_client_input)input);
}

static const page_client client = {
    .states = client_states,
    .state_count = COUNT_OF(client_states),
    .inputs = client_inputs,
    .input_count = COUNT_OF(client_inputs),
    .moves = client_moves,
    .move_count = COUNT_OF(client_moves),
    .next = client_next,
    .stopped = KEDGE_MESSAGING_CLIENT_STOPPED,
    .move = client_move,
};

/* ---- Messages ----------------------------------------------------------------------------------- */

static void messages(void)
{
    printf("| from | message |\n| --- | --- |\n"
           "| client | `{\"type\":\"request\",\"timestamp\",\"id\":\"…\",\"payloadType\","
           "\"payload\"}` |\n"
           "| server | `{\"type\":\"response\",\"timestamp\",\"id\":\"…\",\"payload\"?}`, with "
           "the request's id |\n"
           "| server | `{\"id\":N,\"type\":\"event\",\"timestamp\",\"eventType\","
           "\"payload\"?}`, N counted a user; a passing event has none |\n"
           "| client | `{\"type\":\"event\",\"timestamp\",\"eventType\",\"payload\"?}`; "
           "`payloadType` is taken too |\n"
           "| client | `{\"type\":\"ack\",\"id\":N}`, N also as decimal text |\n"
           "| client | `ping`, or any text whose first character that is no white space is not "
           "`{` |\n"
           "| server | `{\"event\":\"pong\"}` |\n\n"
           "A refused request is answered with the payload "
           "`{\"error\":{\"code\",\"message\",…}}`:\n\n"
           "| code | message |\n| --- | --- |\n");
#define ERROR_ROW(name, word, message) printf("| `%s` | %s |\n", word, message);
    KEDGE_MESSAGING_ERROR_LIST(ERROR_ROW)
#undef ERROR_ROW
    printf("\n");
}

static const char *binding_text(const kedge_messaging_row *row)
{
    switch (row->binding) {
    case KEDGE_MESSAGING_BINDS_EITHER:
        return "; one of the first two at least";
    case KEDGE_MESSAGING_BINDS_NOT_BOTH:
        return "; not both of the first two; 1 to 500 for `count`";
    default:
        return "";
    }
}

static void request(kedge_messaging_request which, const char *word)
{
    const kedge_messaging_row *row = kedge_messaging_row_of(which);
    printf("| `%s` | %s", word, row->count == 0 ? "an object" : "");
    for (size_t i = 0; i < row->count; i++) {
        printf("%s", i == 0 ? "" : " · ");
        page_member(&row->members[i]);
    }
    printf("%s |\n", binding_text(row));
}

static void event(const char *word, kedge_messaging_event kind)
{
    printf("| `%s` | %s |\n", word,
           kind == KEDGE_MESSAGING_NUMBERED_EVENT ? "has an id" : "passes: no id, never replayed");
}

static void requests(void)
{
    printf("| request | members of `payload` |\n| --- | --- |\n");
#define REQUEST_ROW(name, word) request(KEDGE_MESSAGING_REQUEST_##name, word);
    KEDGE_MESSAGING_REQUEST_LIST(REQUEST_ROW)
#undef REQUEST_ROW
    printf("\n`?`: may be absent or null. Members beyond these are handed on, and so are other "
           "requests. `subscribe` is the\nlink's own on both sides.\n\n"
           "| event | |\n| --- | --- |\n");
#define EVENT_ROW(word, kind) event(word, KEDGE_MESSAGING_##kind##_EVENT);
    KEDGE_MESSAGING_EVENT_LIST(EVENT_ROW)
#undef EVENT_ROW
    printf("\nOf other events the application says whether they have an id.\n\n");
}

int main(void)
{
    printf("# The messenger\n\n"
           "Written by `make docs` from the tables that the links run by "
           "(`docs/pages/messaging.c`); change those, not this page.\n"
           "What can be set stands in `include/kedge/messaging.h`.\n\n"
           "`GET /ws` with `Authorization: Bearer TOKEN`, or for browsers `?token=TOKEN`, then one "
           "JSON object a message.\n\n"
           "## Messages\n\n");
    messages();
    requests();
    printf("## Server\n\n");
    page_states(&server);
    page_diagram(&server);
    page_table(&server);
    printf("## Client\n\n");
    page_client_states(&client);
    page_client_diagram(&client);
    page_client_table(&client);
    printf("## How a client goes on\n\n");
    page_retry("back-off", "wait for credentials");
    return 0;
}
