/* flowlayer.c: writes docs/protocols/flowlayer.md from the tables that FlowLayer's links run by.
 *
 * `make docs` puts its output into place; a test fails where page and tables differ.
 */
#include <stdio.h>

#include "page.h"
#include "protocols/flowlayer_client.h"
#include "protocols/flowlayer_messages.h"
#include "protocols/flowlayer_retry.h"
#include "protocols/flowlayer_server.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* ---- The server's side -------------------------------------------------------------------------- */

static page_cell server_cell(size_t state, size_t input)
{
    kedge_flowlayer_server_cell cell = kedge_flowlayer_server_cell_of(
        (kedge_flowlayer_server_state)state, (kedge_flowlayer_server_input)input);
    return (page_cell){cell.action > KEDGE_FLOWLAYER_ACTION_NEVER,
                       cell.action == KEDGE_FLOWLAYER_ACTION_MISUSE, cell.action, cell.code,
                       cell.next};
}

static const page_machine server = {
    .states = kedge_flowlayer_server_state_words,
    .state_count = KEDGE_FLOWLAYER_SERVER_STATE_COUNT,
    .inputs = kedge_flowlayer_server_input_words,
    .input_count = KEDGE_FLOWLAYER_INPUT_COUNT,
    .actions = kedge_flowlayer_server_action_words,
    .action_count = KEDGE_FLOWLAYER_ACTION_COUNT,
    .first_action = KEDGE_FLOWLAYER_ACTION_NEVER + 1,
    .cell = server_cell,
};

/* ---- The client's side -------------------------------------------------------------------------- */

#define INPUT_WORD(name, a, b, c, d, e, f, g, h, i, meaning) {#name, meaning},
#define KEDGE_FLOWLAYER_CLIENT_SAME (-1)
#define MOVE_NEXT(name, function, next, meaning) KEDGE_FLOWLAYER_CLIENT_##next,

static const kedge_named client_states[] = {KEDGE_FLOWLAYER_CLIENT_STATES(KEDGE_NAMED)};
static const kedge_named client_inputs[] = {KEDGE_FLOWLAYER_CLIENT_TABLE(INPUT_WORD)};
static const kedge_named client_moves[] = {KEDGE_FLOWLAYER_CLIENT_MOVES(PAGE_MOVE_WORD)};
static const int client_next[] = {KEDGE_FLOWLAYER_CLIENT_MOVES(MOVE_NEXT)};

static size_t client_move(size_t state, size_t input)
{
    return kedge_flowlayer_client_move_of((kedge_flowlayer_client_state)state,
                                          (kedge_flowlayer_client_input)input);
}

static const page_client client = {
    .states = client_states,
    .state_count = COUNT_OF(client_states),
    .inputs = client_inputs,
    .input_count = COUNT_OF(client_inputs),
    .moves = client_moves,
    .move_count = COUNT_OF(client_moves),
    .next = client_next,
    .stopped = KEDGE_FLOWLAYER_CLIENT_STOPPED,
    .move = client_move,
};

/* ---- Messages ----------------------------------------------------------------------------------- */

static void messages(void)
{
    printf("| from | message |\n| --- | --- |\n"
           "| client | `{\"type\":\"command\",\"id\":\"…\",\"name\",\"payload\"?}` |\n"
           "| server | `{\"type\":\"ack\",\"id\":\"…\",\"payload\":{\"accepted\",\"error\"?}}` |\n"
           "| server | `{\"type\":\"result\",\"id\":\"…\",\"payload\":{\"ok\",\"data\"?,"
           "\"error\"?,\"failed_services\"?}}` |\n"
           "| server | `{\"type\":\"event\",\"name\",\"payload\"}`: `hello`, `snapshot`, "
           "`service_status`, and `log`, whose `seq` is the entry's number |\n"
           "| server | `{\"type\":\"error\",\"id\"?,\"payload\":{\"code\",\"message\"}}` |\n\n"
           "What is refused is answered with one of these; messages are checked in this order:\n\n"
           "| code | message |\n| --- | --- |\n");
#define ERROR_ROW(name, word, message) printf("| `%s` | %s |\n", word, message);
    KEDGE_FLOWLAYER_ERROR_LIST(ERROR_ROW)
#undef ERROR_ROW
    printf("\n");
}

#define NO_ARGUMENTS "none"
#define SERVICE "`service`: text, trimmed, not empty"
#define LOGS                                                                                       \
    "`service?`: text · `limit?`: integer from 1 · `after_seq?`, `before_seq?`: integers from 0"

static void commands(void)
{
    printf("| command | members of `payload` |\n| --- | --- |\n");
#define COMMAND_ROW(name, word, arguments) printf("| `%s` | %s |\n", word, arguments);
    KEDGE_FLOWLAYER_COMMAND_LIST(COMMAND_ROW)
#undef COMMAND_ROW
    printf("\n`?`: may be absent or null. Members beyond these are handed on.\n\n"
           "Services are:");
#define STATUS_ROW(name, word) printf(" `%s`", word);
    KEDGE_FLOWLAYER_STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
    printf("; the last in a snapshot alone.\n\n");
}

/* ---- How a client goes on ----------------------------------------------------------------------- */

static void waits(void)
{
    enum { SHOWN = 5 };
    printf("\nIt waits");
    for (uint32_t attempts = 1; attempts <= SHOWN; attempts++) {
        kedge_time wait = kedge_flowlayer_delay_of(attempts);
        printf("%s %u ms",
               attempts == 1       ? ""
               : attempts == SHOWN ? ", then always"
                                   : ",",
               (unsigned)(wait / KEDGE_MILLISECOND));
    }
    printf(". A connection on which a snapshot came starts the list again,\n"
           "unless it ended since something could not be read or kept.\n");
}

int main(void)
{
    printf("# FlowLayer\n\n"
           "Written by `make docs` from the tables that the links run by "
           "(`docs/pages/flowlayer.c`); change those, not this page.\n"
           "What can be set stands in `include/kedge/flowlayer.h`.\n\n"
           "`GET /ws` with `Authorization: Bearer TOKEN`, then one JSON object a message. "
           "`GET /health`, under the same rules, is\nanswered 200.\n\n"
           "## Messages\n\n");
    messages();
    commands();
    printf("## Server\n\n");
    page_states(&server);
    page_diagram(&server);
    page_table(&server);
    printf("## Client\n\n");
    page_client_states(&client);
    page_client_diagram(&client);
    page_client_table(&client);
    printf("## How a client goes on\n\n");
    page_retry("wait, as below", "wait for credentials, or wait as below, as set");
    waits();
    return 0;
}
