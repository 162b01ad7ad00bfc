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

static page_word server_state(size_t state)
{
    kedge_gateway_server_word word =
        kedge_gateway_server_state_word((kedge_gateway_server_state)state);
    return (page_word){word.name, word.text};
}

static page_word server_input(size_t input)
{
    kedge_gateway_server_word word =
        kedge_gateway_server_input_word((kedge_gateway_server_input)input);
    return (page_word){word.name, word.text};
}

static page_word server_action(size_t action)
{
    kedge_gateway_server_word word =
        kedge_gateway_server_action_word((kedge_gateway_server_action)action);
    return (page_word){word.name, word.text};
}

static page_cell server_cell(size_t state, size_t input)
{
    kedge_gateway_server_cell cell = kedge_gateway_server_cell_of(
        (kedge_gateway_server_state)state, (kedge_gateway_server_input)input);
    return (page_cell){cell.action > KEDGE_GATEWAY_ACTION_NEVER,
                       cell.action == KEDGE_GATEWAY_ACTION_MISUSE, cell.action, cell.code,
                       cell.next};
}

static const page_machine server = {
    .states = KEDGE_GATEWAY_SERVER_STATE_COUNT,
    .inputs = KEDGE_GATEWAY_INPUT_COUNT,
    .actions = KEDGE_GATEWAY_ACTION_COUNT,
    .first_action = KEDGE_GATEWAY_ACTION_NEVER + 1,
    .state = server_state,
    .input = server_input,
    .action = server_action,
    .cell = server_cell,
};

/* ---- The client's side -------------------------------------------------------------------------- */

typedef struct word {
    const char *name;
    const char *meaning;
} word;

#define STATE_WORD(name, meaning) {#name, meaning},
#define INPUT_WORD(name, a, b, c, d, e, f, g, h, i, j, meaning) {#name, meaning},
#define MOVE_WORD(name, function, next, meaning) {#name, meaning},
#define KEDGE_GATEWAY_CLIENT_SAME (-1)
#define MOVE_NEXT(name, function, next, meaning) KEDGE_GATEWAY_CLIENT_##next,

static const word client_states[] = {KEDGE_GATEWAY_CLIENT_STATES(STATE_WORD)};
static const word client_inputs[] = {KEDGE_GATEWAY_CLIENT_TABLE(INPUT_WORD)};
static const word client_moves[] = {KEDGE_GATEWAY_CLIENT_MOVES(MOVE_WORD)};
static const int client_next[] = {KEDGE_GATEWAY_CLIENT_MOVES(MOVE_NEXT)};

static kedge_gateway_client_move client_move(size_t state, size_t input)
{
    return kedge_gateway_client_move_of((kedge_gateway_client_state)state,
                                        (kedge_gateway_client_input)input);
}

static void client_edge(size_t from, size_t to)
{
    const char *separator = ": ";
    for (size_t input = 0; input < COUNT_OF(client_inputs); input++) {
        if (client_next[client_move(from, input)] == (int)to) {
            if (separator[0] == ':') {
                printf("    %s --> %s", client_states[from].name, client_states[to].name);
            }
            printf("%s%s", separator, client_inputs[input].name);
            separator = ", ";
        }
    }
    if (separator[0] == ',') {
        printf("\n");
    }
}

static void client_diagram(void)
{
    printf("```mermaid\nstateDiagram-v2\n    [*] --> IDLE\n");
    for (size_t from = 0; from < COUNT_OF(client_states); from++) {
        for (size_t to = 0; to < COUNT_OF(client_states); to++) {
            if (from != to && to != KEDGE_GATEWAY_CLIENT_STOPPED) {
                client_edge(from, to);
            }
        }
    }
    printf("```\n\nWhat leads to STOPPED stands in the table.\n\n");
}

static void client_table(void)
{
    printf("| input |");
    for (size_t state = 0; state < COUNT_OF(client_states); state++) {
        printf(" %s |", client_states[state].name);
    }
    printf("\n| --- |");
    for (size_t state = 0; state < COUNT_OF(client_states); state++) {
        printf(" --- |");
    }
    for (size_t input = 0; input < COUNT_OF(client_inputs); input++) {
        printf("\n| **%s** %s |", client_inputs[input].name, client_inputs[input].meaning);
        for (size_t state = 0; state < COUNT_OF(client_states); state++) {
            printf(" %s |", client_moves[client_move(state, input)].name);
        }
    }
    printf("\n\n| move | does | leads to |\n| --- | --- | --- |\n");
    for (size_t move = 0; move < COUNT_OF(client_moves); move++) {
        int next = client_next[move];
        printf("| %s | %s | %s |\n", client_moves[move].name, client_moves[move].meaning,
               next < 0 ? "" : client_states[next].name);
    }
    printf("\n");
}

static void client_states_table(void)
{
    printf("| state | means |\n| --- | --- |\n");
    for (size_t state = 0; state < COUNT_OF(client_states); state++) {
        printf("| `%s` | %s |\n", client_states[state].name, client_states[state].meaning);
    }
    printf("\n");
}

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

typedef struct numbers {
    unsigned first;
    unsigned last;
} numbers;

#define RULE_NUMBERS(first, last, action, delay, keep, sync) {first, last},

static const char *numbers_text(numbers range, char *buffer, size_t capacity)
{
    if (range.first == range.last) {
        snprintf(buffer, capacity, "%u", range.first);
    } else if (range.last == UINT16_MAX) {
        snprintf(buffer, capacity, "any other");
    } else {
        snprintf(buffer, capacity, "%u–%u", range.first, range.last);
    }
    return buffer;
}

static void close_codes(void)
{
    static const numbers rules[] = {KEDGE_GATEWAY_CLOSE_RULES(RULE_NUMBERS)};
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
            close_row(numbers_text(rules[i], buffer, sizeof buffer), "",
                      kedge_gateway_close_resumable(code) ? "yes" : "no", &verdict);
        }
    }
    printf("\n1005 is a close without a code, 1006 a broken socket.\n\n");
}

static void http_statuses(void)
{
    static const numbers rules[] = {KEDGE_RETRY_HTTP_RULES(RULE_NUMBERS)};
    char buffer[32];
    printf("| instead of 101 | client does | after |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        kedge_gateway_verdict verdict = kedge_gateway_verdict_of_http((uint16_t)rules[i].last);
        printf("| %s | %s | %s |\n", numbers_text(rules[i], buffer, sizeof buffer),
               action_text(&verdict), delay_text(&verdict));
    }
}

/* ---- Messages ----------------------------------------------------------------------------------- */

static const char *const kinds[] = {
    [KEDGE_MEMBER_ANY] = "anything",
    [KEDGE_MEMBER_BOOLEAN] = "boolean",
    [KEDGE_MEMBER_INTEGER] = "integer",
    [KEDGE_MEMBER_SIGNED] = "integer",
    [KEDGE_MEMBER_UNSIGNED] = "integer ≥ 0",
    [KEDGE_MEMBER_TEXT] = "string",
    [KEDGE_MEMBER_OBJECT] = "object",
    [KEDGE_MEMBER_ARRAY] = "array",
    [KEDGE_MEMBER_TEXT_OR_OBJECT] = "string or object",
    [KEDGE_MEMBER_TEXT_OR_INTEGER] = "string or integer",
    [KEDGE_MEMBER_INTEGERS] = "array of integers",
    [KEDGE_MEMBER_TEXTS] = "array of strings",
};

static void member(const kedge_member *row)
{
    printf("`%s%s`: ", row->name, row->required ? "" : "?");
    if (row->kind != KEDGE_MEMBER_WORD) {
        printf("%s", kinds[row->kind]);
        return;
    }
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
    client_states_table();
    client_diagram();
    client_table();
    printf("## Close codes\n\n");
    close_codes();
    printf("## HTTP statuses\n\n");
    http_statuses();
    return 0;
}
