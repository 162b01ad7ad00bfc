/* page.c: see page.h. */
#include "page.h"

#include <stdio.h>

void page_states(const page_machine *machine)
{
    printf("| state | means |\n| --- | --- |\n");
    for (size_t i = 0; i < machine->states; i++) {
        page_word word = machine->state(i);
        printf("| `%s` | %s |\n", word.name, word.text);
    }
    printf("\n");
}

/* The inputs that lead from one state to another, on one line. */
static void edge(const page_machine *machine, size_t from, size_t to)
{
    const char *separator = ": ";
    for (size_t input = 0; input < machine->inputs; input++) {
        page_cell cell = machine->cell(from, input);
        if (cell.moves && cell.next == to) {
            if (separator[0] == ':') {
                printf("    %s --> %s", machine->state(from).name, machine->state(to).name);
            }
            printf("%s%s", separator, machine->input(input).name);
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
    size_t end = machine->states - 1;
    printf("```mermaid\nstateDiagram-v2\n    [*] --> %s\n", machine->state(0).name);
    for (size_t from = 0; from < machine->states; from++) {
        for (size_t to = 0; to < end; to++) {
            if (from != to) {
                edge(machine, from, to);
            }
        }
    }
    printf("    %s --> [*]\n```\n\nWhat leads to %s stands in the table.\n\n",
           machine->state(end).name, machine->state(end).name);
}

static void write_cell(const page_machine *machine, size_t state, size_t input)
{
    page_cell cell = machine->cell(state, input);
    if (!cell.moves) {
        printf(" %s |", cell.misuse ? "misuse" : "");
        return;
    }
    printf(" %s", machine->action(cell.action).name);
    if (cell.code != 0) {
        printf(" %u", cell.code);
    }
    if (cell.next != state && cell.next != machine->states - 1) {
        printf(" → %s", machine->state(cell.next).name);
    }
    printf(" |");
}

static void write_actions(const page_machine *machine)
{
    printf("| action | does |\n| --- | --- |\n");
    for (size_t i = machine->first_action; i < machine->actions; i++) {
        page_word word = machine->action(i);
        printf("| %s | %s |\n", word.name, word.text);
    }
    printf("\n");
}

void page_table(const page_machine *machine)
{
    size_t end = machine->states - 1;
    printf("| input |");
    for (size_t state = 0; state < end; state++) {
        printf(" %s |", machine->state(state).name);
    }
    printf("\n| --- |");
    for (size_t state = 0; state < end; state++) {
        printf(" --- |");
    }
    for (size_t input = 0; input < machine->inputs; input++) {
        page_word word = machine->input(input);
        printf("\n| **%s** %s |", word.name, word.text);
        for (size_t state = 0; state < end; state++) {
            write_cell(machine, state, input);
        }
    }
    printf("\n\nA closed link takes no notice of anything. `misuse` is a call of the host's in the "
           "wrong order: WRONG_STATE. An empty\ncell cannot happen or does not matter.\n\n");
    write_actions(machine);
}
