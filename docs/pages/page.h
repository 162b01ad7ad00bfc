/* page.h: what the protocols' pages have in common: a machine of states as a diagram and as tables. */
#ifndef KEDGE_PAGE_H
#define KEDGE_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "members.h"
#include "named.h"

/* What a state makes of an input. */
typedef struct page_cell {
    bool moves;  /* false: it cannot happen there, or does not matter */
    bool misuse; /* the host's mistake */
    size_t action;
    unsigned code; /* 0: none */
    size_t next;
} page_cell;

/* The last state is the end. The first actions, before `first_action`, are those of cells that do not
 * move: they are not told. */
typedef struct page_machine {
    const kedge_named *states;
    size_t state_count;
    const kedge_named *inputs;
    size_t input_count;
    const kedge_named *actions;
    size_t action_count;
    size_t first_action;
    page_cell (*cell)(size_t state, size_t input);
} page_machine;

/* | state | means |, the diagram, and input × state with the actions behind it. */
void page_states(const page_machine *machine);
void page_diagram(const page_machine *machine);
void page_table(const page_machine *machine);

/* A client: what a state makes of an input is a move, and a move leads to one state. */
typedef struct page_client {
    const kedge_named *states;
    size_t state_count;
    const kedge_named *inputs;
    size_t input_count;
    const kedge_named *moves;
    size_t move_count;
    const int *next; /* by move; negative: the state stays */
    size_t stopped;  /* what leads there is not drawn */
    size_t (*move)(size_t state, size_t input);
} page_client;

/* For X-macros of moves. */
#define PAGE_MOVE_WORD(name, function, next, meaning) {#name, meaning},

void page_client_states(const page_client *client);
void page_client_diagram(const page_client *client);
void page_client_table(const page_client *client);

/* Codes or statuses: "1000", "1007–1008", "any other". */
typedef struct page_range {
    unsigned first;
    unsigned last;
} page_range;

#define PAGE_RANGE(first, last, action) {first, last},

const char *page_range_text(page_range range, char *buffer, size_t capacity);

/* What a client without close codes of its own does, by the lists of retry.h. `back_off` is how it waits.
 * `refused` is for 401 and 403. */
void page_retry(const char *back_off, const char *refused);

/* `name?`: kind */
void page_member(const kedge_member *member);

#endif
