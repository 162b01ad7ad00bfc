/* page.h: what the protocols' pages have in common: a machine of states as a diagram and as tables. */
#ifndef KEDGE_PAGE_H
#define KEDGE_PAGE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct page_word {
    const char *name;
    const char *text;
} page_word;

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
    size_t states;
    size_t inputs;
    size_t actions;
    size_t first_action;
    page_word (*state)(size_t state);
    page_word (*input)(size_t input);
    page_word (*action)(size_t action);
    page_cell (*cell)(size_t state, size_t input);
} page_machine;

/* | state | means |, the diagram, and input × state with the actions behind it. */
void page_states(const page_machine *machine);
void page_diagram(const page_machine *machine);
void page_table(const page_machine *machine);

#endif
