/* gateway.c: writes docs/protocols/gateway.md from the tables that the gateway's links run by.
 *
 * `make docs` puts its output into place; a test fails where page and tables differ.
 */
#include <stdio.h>
#include <string.h>

#include "kedge/gateway.h"
#include "page.h"
#include "protocols/gateway_client.h"
#include "protocols/gateway_messages.h"
#include "protocols/gateway_retry.h"
#include "protocols/gateway_server.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* ---- The server's side -------------------------------------------------------------------------- */

static page_cell server_cell(size_t state, size_t input)
{
    kedge_gateway_server_cell cell = kedge_gateway_server_cell_of(
        (kedge_gateway_server_state)state, (kedge_gateway_server_input)input);
    return (page_cell){cell.action > KEDGE_GATEWAY_ACTION_NEVER,
                       cell.action == KEDGE_GATEWAY_ACTION_MISUSE, cell.action, cell.code,
                       cell.next};
}

static const page_machine server = {
    .states = kedge_gateway_server_state_words,
    .state_count = KEDGE_GATEWAY_SERVER_STATE_COUNT,
    .inputs = kedge_gateway_server_input_words,
    .input_count = KEDGE_GATEWAY_INPUT_COUNT,
    .actions = kedge_gateway_server_action_words,
    .action_count = KEDGE_GATEWAY_ACTION_COUNT,
    .first_action = KEDGE_GATEWAY_ACTION_NEVER + 1,
    .cell = server_cell,
};

/* ---- The client's side -------------------------------------------------------------------------- */

#define INPUT_WORD(name, a, b, c, d, e, f, g, h, i, j, meaning) {#name, meaning},
#define KEDGE_GATEWAY_CLIENT_SAME (-1)
#define MOVE_NEXT(name, function, next, meaning) KEDGE_GATEWAY_CLIENT_##next,

static const kedge_named client_states[] = {KEDGE_GATEWAY_CLIENT_STATES(KEDGE_NAMED)};
static const kedge_named client_inputs[] = {KEDGE_GATEWAY_CLIENT_TABLE(INPUT_WORD)};
static const kedge_named client_moves[] = {KEDGE_GATEWAY_CLIENT_MOVES(PAGE_MOVE_WORD)};
static const int client_next[] = {KEDGE_GATEWAY_CLIENT_MOVES(MOVE_NEXT)};

static size_t client_move(size_t state, size_t input)
{
    return kedge_gateway_client_move_of((kedge_gateway_client_state)state,
                                        (kedge_gateway_client_input)input);
}

static const page_client client = {
    .states = client_states,
    .state_count = COUNT_OF(client_states),
    .inputs = client_inputs,
    .input_count = COUNT_OF(client_inputs),
    .moves = client_moves,
    .move_count = COUNT_OF(client_moves),
    .next = client_next,
    .stopped = KEDGE_GATEWAY_CLIENT_STOPPED,
    .move = client_move,
};

/* ---- Close codes and statuses ------------------------------------------------------------------- */

static const char *action_text(const kedge_gateway_verdict *verdict)
{
    switch (verdict->action) {
    case KEDGE_ACTION_RESUME:
        return "resume";
    case KEDGE_ACTION_IDENTIFY:
        return verdict->sync ? "identify afresh, SYNC" : "identify afresh";
    case KEDGE_ACTION_CREDENTIALS:
        return "wait for credentials";
    default:
        return "stop";
    }
}

static const char *delay_text(const kedge_gateway_verdict *verdict)
{
    if (verdict->action != KEDGE_ACTION_RESUME && verdict->action != KEDGE_ACTION_IDENTIFY) {
        return "";
    }
    switch (verdict->delay) {
    case KEDGE_GATEWAY_DELAY_LONG:
        return "rate_limited_delay + back-off";
    case KEDGE_GATEWAY_DELAY_SPREAD:
        return "back-off, at least spread over restart_spread";
    default:
        return "back-off";
    }
}

static void close_row(const char *number, const char *name, const char *kept,
                      const kedge_gateway_verdict *verdict)
{
    printf("| %s | %s | %s | %s | %s |\n", number, name, kept, action_text(verdict),
           delay_text(verdict));
}

#define RULE_RANGE(first, last, action, delay, keep, sync) {first, last},

static void close_codes(void)
{
    static const page_range rules[] = {KEDGE_GATEWAY_CLOSE_RULES(RULE_RANGE)};
    char buffer[32];
    printf("| code | name | session is kept | client does | after |\n"
           "| --- | --- | --- | --- | --- |\n");
    for (uint16_t code = 4000; kedge_gateway_close_name(code) != NULL; code++) {
        kedge_gateway_verdict verdict = kedge_gateway_verdict_of_close(code);
        snprintf(buffer, sizeof buffer, "%u", (unsigned)code);
        close_row(buffer, kedge_gateway_close_name(code),
                  kedge_gateway_close_resumable(code) ? "yes" : "no", &verdict);
    }
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        uint16_t code = (uint16_t)rules[i].last;
        kedge_gateway_verdict verdict = kedge_gateway_verdict_of_close(code);
        if (rules[i].first < 4000) {
            close_row(page_range_text(rules[i], buffer, sizeof buffer), "",
                      kedge_gateway_close_resumable(code) ? "yes" : "no", &verdict);
        }
    }
    printf("\n1005 is a close without a code, 1006 a broken socket.\n\n");
}

static void http_statuses(void)
{
    static const page_range rules[] = {KEDGE_RETRY_HTTP_RULES(PAGE_RANGE)};
    char buffer[32];
    printf("| instead of 101 | client does | after |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        kedge_action action = kedge_retry_after_http((uint16_t)rules[i].last, KEDGE_ACTION_RESUME);
        kedge_gateway_verdict verdict = {action, KEDGE_GATEWAY_DELAY_BACKOFF, true, false};
        printf("| %s | %s | %s |\n", page_range_text(rules[i], buffer, sizeof buffer),
               action_text(&verdict), delay_text(&verdict));
    }
}

/* ---- Messages ----------------------------------------------------------------------------------- */

static void member(const kedge_member *row)
{
    if (row->kind != KEDGE_MEMBER_WORD) {
        page_member(row);
        return;
    }
    printf("`%s%s`: ", row->name, row->required ? "" : "?");
    kedge_words words = kedge_gateway_documented_words(row->words);
    for (size_t i = 0; i < words.count; i++) {
        printf("%s`%s`", i == 0 ? "" : " ", words.words[i]);
    }
}

static void client_payloads(void)
{
    const kedge_gateway_payload *payload;
    printf("| client payload | members of `d` |\n| --- | --- |\n");
    for (size_t i = 0; (payload = kedge_gateway_payload_at(i)) != NULL; i++) {
        printf("| `%s` | %s", payload->type, payload->exactly_one ? "exactly one of " : "");
        for (size_t j = 0; j < payload->count; j++) {
            printf("%s", j == 0 ? "" : " · ");
            member(&payload->members[j]);
        }
        printf(" |\n");
    }
    printf("\n`?`: may be absent or null. Members beyond these are handed on.\n\n");
}

static void messages(void)
{
    printf(
        "| from | message |\n| --- | --- |\n"
        "| server | `{\"type\":\"hello\",\"seq\":0,\"d\":{\"heartbeat_interval\":45000}}`, in "
        "milliseconds |\n"
        "| client | `{\"type\":\"identify\",\"d\":{\"token\",\"protocol_version\"?,"
        "\"capabilities\"?}}` |\n"
        "| server | `{\"seq\":1,\"type\":\"ready\",\"d\":{\"session_id\",…,"
        "\"protocol_version\",\"capabilities\"}}` |\n"
        "| client | `{\"type\":\"resume\",\"d\":{\"token\",\"session_id\",\"last_seq\"}}` |\n"
        "| server | `{\"type\":\"resumed\",\"d\":{\"seq\":N}}`: the replay is over, N its last "
        "number "
        "|\n"
        "| client | `{\"type\":\"heartbeat\",\"d\":{}}` |\n"
        "| server | `{\"seq\":N,\"type\":\"heartbeat_ack\",\"d\":{}}`, N the last number on this "
        "connection |\n"
        "| server | `{\"type\":\"error\",\"d\":{\"code\",\"message\"}}` |\n"
        "| server | `{\"seq\":N,\"type\":…,\"d\":…}`: a dispatch, numbered from 1 a session |\n\n"
        "With `compress=zstd` each message of the server is one binary message: one whole zstd "
        "frame "
        "with its content size\ndeclared, without dictionary or checksum. What else a client gets "
        "as "
        "binary is refused.\n\n");
}

int main(void)
{
    printf("# The gateway\n\n"
           "Written by `make docs` from the tables that the links run by (`docs/pages/gateway.c`); "
           "change those, not this page.\n"
           "What can be set stands in `include/kedge/gateway.h`.\n\n"
           "`GET /gateway?v=1&encoding=json[&compress=zstd]`, then one JSON object a message: "
           "`{\"type\", \"seq\"?, \"d\"?}`.\n\n"
           "## Messages\n\n");
    messages();
    client_payloads();
    printf("## Server\n\n");
    page_states(&server);
    page_diagram(&server);
    page_table(&server);
    printf("## Client\n\n");
    page_client_states(&client);
    page_client_diagram(&client);
    page_client_table(&client);
    printf("## Close codes\n\n");
    close_codes();
    printf("## HTTP statuses\n\n");
    http_statuses();
    return 0;
}
