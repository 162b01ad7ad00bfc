/* blobhub.c: writes docs/protocols/blobhub.md from the tables that BlobHub's links run by.
 *
 * `make docs` puts its output into place; a test fails where page and tables differ.
 */
#include <stdio.h>

#include "page.h"
#include "protocols/blobhub_client.h"
#include "protocols/blobhub_messages.h"
#include "protocols/blobhub_server.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* ---- The server's side -------------------------------------------------------------------------- */

static page_cell server_cell(size_t state, size_t input)
{
    kedge_blobhub_server_cell cell = kedge_blobhub_server_cell_of(
        (kedge_blobhub_server_state)state, (kedge_blobhub_server_input)input);
    return (page_cell){cell.action > KEDGE_BLOBHUB_ACTION_NEVER,
                       cell.action == KEDGE_BLOBHUB_ACTION_MISUSE, cell.action, cell.code,
                       cell.next};
}

static const page_machine server = {
    .states = kedge_blobhub_server_state_words,
    .state_count = KEDGE_BLOBHUB_SERVER_STATE_COUNT,
    .inputs = kedge_blobhub_server_input_words,
    .input_count = KEDGE_BLOBHUB_INPUT_COUNT,
    .actions = kedge_blobhub_server_action_words,
    .action_count = KEDGE_BLOBHUB_ACTION_COUNT,
    .first_action = KEDGE_BLOBHUB_ACTION_NEVER + 1,
    .cell = server_cell,
};

/* ---- The client's side -------------------------------------------------------------------------- */

#define INPUT_WORD(name, a, b, c, d, e, f, g, h, meaning) {#name, meaning},
#define KEDGE_BLOBHUB_CLIENT_SAME (-1)
#define MOVE_NEXT(name, function, next, meaning) KEDGE_BLOBHUB_CLIENT_##next,

static const kedge_named client_states[] = {KEDGE_BLOBHUB_CLIENT_STATES(KEDGE_NAMED)};
static const kedge_named client_inputs[] = {KEDGE_BLOBHUB_CLIENT_TABLE(INPUT_WORD)};
static const kedge_named client_moves[] = {KEDGE_BLOBHUB_CLIENT_MOVES(PAGE_MOVE_WORD)};
static const int client_next[] = {KEDGE_BLOBHUB_CLIENT_MOVES(MOVE_NEXT)};

static size_t client_move(size_t state, size_t input)
{
    return kedge_blobhub_client_move_of((kedge_blobhub_client_state)state,
                                        (kedge_blobhub_client_input)input);
}

static const page_client client = {
    .states = client_states,
    .state_count = COUNT_OF(client_states),
    .inputs = client_inputs,
    .input_count = COUNT_OF(client_inputs),
    .moves = client_moves,
    .move_count = COUNT_OF(client_moves),
    .next = client_next,
    .stopped = KEDGE_BLOBHUB_CLIENT_STOPPED,
    .move = client_move,
};

/* ---- Messages ----------------------------------------------------------------------------------- */

#define COORDINATES "\"scope\",\"scope_id\",\"target\",\"target_id\""

static void messages(void)
{
    printf("| from | message |\n| --- | --- |\n"
           "| either | `{\"jsonrpc\":\"2.0\",\"id\",\"method\",\"params\"?}`: a request; without "
           "`id` a notification |\n"
           "| either | `{\"jsonrpc\":\"2.0\",\"id\",\"result\"}`: what answers it |\n"
           "| either | `{\"jsonrpc\":\"2.0\",\"id\",\"error\":{\"code\",\"message\",\"data\"?}}`: "
           "the same with an error |\n"
           "| either | `[…]`: any of these at once; answered by one array |\n"
           "| client | `%s` `{\"client_info\":{\"name\",\"version\"}}` → "
           "`{\"server_info\":{\"name\",\"version\"}}` |\n"
           "| client | `%s` `{" COORDINATES ",\"types\":[…]}` → `{}` |\n"
           "| client | `%s` `{" COORDINATES ",\"types\":[…]}` → `{}` |\n"
           "| server | `%s` `{" COORDINATES ",\"type\",\"event\"?}`: a notification |\n\n",
           kedge_blobhub_method_word(KEDGE_BLOBHUB_METHOD_INITIALIZE),
           kedge_blobhub_method_word(KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_ADD),
           kedge_blobhub_method_word(KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_REMOVE),
           kedge_blobhub_method_word(KEDGE_BLOBHUB_METHOD_SUBSCRIPTION_EVENT));
}

#define OWN_ERROR(name, code, message) printf("| %d | %s |\n", (code), (message));
#define STANDARD_ERROR(name, code, meaning)                                                        \
    printf("| %d | understood as %d |\n", (code), (int)KEDGE_BLOBHUB_##meaning);

static void errors(void)
{
    printf("| code | means |\n| --- | --- |\n");
    KEDGE_BLOBHUB_ERROR_LIST(OWN_ERROR)
    KEDGE_BLOBHUB_STANDARD_ERROR_LIST(STANDARD_ERROR)
    printf(
        "\nThis library sends the first four. What is no message of JSON-RPC is answered 400, with "
        "its `id` where that can be told,\nelse null; what looks like an answer always with "
        "null.\n\n");
}

int main(void)
{
    printf("# BlobHub Realtime\n\n"
           "Written by `make docs` from the tables that the links run by (`docs/pages/blobhub.c`); "
           "change those, not this page.\n"
           "What can be set stands in `include/kedge/blobhub.h`.\n\n"
           "`GET /v1/` with `Authorization: Bearer TOKEN`, `X-API-Key: KEY`, or "
           "`Sec-WebSocket-Protocol: NAME, BASE64`, the name\nbeing "
           "`authorization.bearer.base64` or `x-api-key.base64`; then JSON-RPC 2.0, one text a "
           "message.\n\n"
           "## Messages\n\n");
    messages();
    errors();
    printf("## Server\n\nThe number behind an action is an HTTP status, a close code or an error, "
           "as the action goes.\n\n");
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
