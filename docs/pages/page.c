/* page.c: see page.h. */
#include "page.h"

#include <stdint.h>
#include <stdio.h>

#include "retry.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

void page_states(const page_machine *machine)
{
    printf("| state | means |\n| --- | --- |\n");
    for (size_t i = 0; i < machine->state_count; i++) {
        kedge_named word = machine->states[i];
        printf("| `%s` | %s |\n", word.name, word.text);
    }
    printf("\n");
}

/* The inputs that lead from one state to another, on one line. */
static void edge(const page_machine *machine, size_t from, size_t to)
{
    const char *separator = ": ";
    for (size_t input = 0; input < machine->input_count; input++) {
        page_cell cell = machine->cell(from, input);
        if (cell.moves && cell.next == to) {
            if (separator[0] == ':') {
                printf("    %s --> %s", machine->states[from].name, machine->states[to].name);
            }
            printf("%s%s", separator, machine->inputs[input].name);
            separator = ", ";
        }
    }
    if (separator[0] == ',') {
        printf("\n");
    }
}

/* What ends a conversation ends it from everywhere: drawn, it would hide the rest. */
void page_diagram(const page_machine *machine)
{
    size_t end = machine->state_count - 1;
    printf("```mermaid\nstateDiagram-v2\n    [*] --> %s\n", machine->states[0].name);
    for (size_t from = 0; from < machine->state_count; from++) {
        for (size_t to = 0; to < end; to++) {
            if (from != to) {
                edge(machine, from, to);
            }
        }
    }
    printf("    %s --> [*]\n```\n\nWhat leads to %s stands in the table.\n\n",
           machine->states[end].name, machine->states[end].name);
}

static void write_cell(const page_machine *machine, size_t state, size_t input)
{
    page_cell cell = machine->cell(state, input);
    if (!cell.moves) {
        printf(" %s |", cell.misuse ? "misuse" : "");
        return;
    }
    printf(" %s", machine->actions[cell.action].name);
    if (cell.code != 0) {
        printf(" %u", cell.code);
    }
    if (cell.next != state && cell.next != machine->state_count - 1) {
        printf(" → %s", machine->states[cell.next].name);
    }
    printf(" |");
}

static void write_actions(const page_machine *machine)
{
    printf("| action | does |\n| --- | --- |\n");
    for (size_t i = machine->first_action; i < machine->action_count; i++) {
        kedge_named word = machine->actions[i];
        printf("| %s | %s |\n", word.name, word.text);
    }
    printf("\n");
}

void page_table(const page_machine *machine)
{
    size_t end = machine->state_count - 1;
    printf("| input |");
    for (size_t state = 0; state < end; state++) {
        printf(" %s |", machine->states[state].name);
    }
    printf("\n| --- |");
    for (size_t state = 0; state < end; state++) {
        printf(" --- |");
    }
    for (size_t input = 0; input < machine->input_count; input++) {
        kedge_named word = machine->inputs[input];
        printf("\n| **%s** %s |", word.name, word.text);
        for (size_t state = 0; state < end; state++) {
            write_cell(machine, state, input);
        }
    }
    printf("\n\nA closed link takes no notice of anything. `misuse` is a call of the host's in the "
           "wrong order: WRONG_STATE. An empty\ncell cannot happen or does not matter.\n\n");
    write_actions(machine);
}

/* ---- Clients ------------------------------------------------------------------------------------ */

void page_client_states(const page_client *client)
{
    printf("| state | means |\n| --- | --- |\n");
    for (size_t state = 0; state < client->state_count; state++) {
        printf("| `%s` | %s |\n", client->states[state].name, client->states[state].text);
    }
    printf("\n");
}

static void client_edge(const page_client *client, size_t from, size_t to)
{
    const char *separator = ": ";
    for (size_t input = 0; input < client->input_count; input++) {
        if (client->next[client->move(from, input)] == (int)to) {
            if (separator[0] == ':') {
                printf("    %s --> %s", client->states[from].name, client->states[to].name);
            }
            printf("%s%s", separator, client->inputs[input].name);
            separator = ", ";
        }
    }
    if (separator[0] == ',') {
        printf("\n");
    }
}

void page_client_diagram(const page_client *client)
{
    printf("```mermaid\nstateDiagram-v2\n    [*] --> %s\n", client->states[0].name);
    for (size_t from = 0; from < client->state_count; from++) {
        for (size_t to = 0; to < client->state_count; to++) {
            if (from != to && to != client->stopped) {
                client_edge(client, from, to);
            }
        }
    }
    printf("```\n\nWhat leads to %s stands in the table.\n\n",
           client->states[client->stopped].name);
}

void page_client_table(const page_client *client)
{
    printf("| input |");
    for (size_t state = 0; state < client->state_count; state++) {
        printf(" %s |", client->states[state].name);
    }
    printf("\n| --- |");
    for (size_t state = 0; state < client->state_count; state++) {
        printf(" --- |");
    }
    for (size_t input = 0; input < client->input_count; input++) {
        printf("\n| **%s** %s |", client->inputs[input].name, client->inputs[input].text);
        for (size_t state = 0; state < client->state_count; state++) {
            printf(" %s |", client->moves[client->move(state, input)].name);
        }
    }
    printf("\n\n| move | does | leads to |\n| --- | --- | --- |\n");
    for (size_t move = 0; move < client->move_count; move++) {
        int next = client->next[move];
        printf("| %s | %s | %s |\n", client->moves[move].name, client->moves[move].text,
               next < 0 ? "" : client->states[next].name);
    }
    printf("\n");
}

/* ---- How a client goes on ----------------------------------------------------------------------- */

const char *page_range_text(page_range range, char *buffer, size_t capacity)
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

static void retry_row(page_range range, kedge_action action, const char *back_off,
                      const char *refused)
{
    char buffer[32];
    const char *does = "stop";
    if (action == KEDGE_ACTION_RESUME) {
        does = "connect again";
    } else if (action == KEDGE_ACTION_CREDENTIALS) {
        does = refused;
    }
    printf("| %s | %s | %s |\n", page_range_text(range, buffer, sizeof buffer), does,
           action == KEDGE_ACTION_RESUME ? back_off : "");
}

void page_retry(const char *back_off, const char *refused)
{
    static const page_range codes[] = {KEDGE_RETRY_CLOSE_RULES(PAGE_RANGE)};
    static const page_range statuses[] = {KEDGE_RETRY_HTTP_RULES(PAGE_RANGE)};
    printf("| the server closes with | client does | after |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        retry_row(codes[i], kedge_retry_after_close((uint16_t)codes[i].last, KEDGE_ACTION_RESUME),
                  back_off, refused);
    }
    printf("\n1005 is a close without a code, 1006 a broken socket.\n\n"
           "| instead of 101 | client does | after |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        retry_row(statuses[i],
                  kedge_retry_after_http((uint16_t)statuses[i].last, KEDGE_ACTION_RESUME), back_off,
                  refused);
    }
}

/* ---- Members ------------------------------------------------------------------------------------ */

void page_member(const kedge_member *member)
{
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
    printf("`%s%s`: %s", member->name, member->required ? "" : "?", kinds[member->kind]);
}
