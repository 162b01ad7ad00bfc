/* The queue between a callback and a task, for what fills it from C. */
#ifndef KEDGE_EXT_MAILBOX_H
#define KEDGE_EXT_MAILBOX_H

#include "core.h"

struct core_waiter;

typedef struct core_mailbox {
    PyObject_HEAD core_state *state;
    PyObject **items; /* a ring */
    size_t capacity;
    size_t first;
    size_t count;
    size_t limit;
    PyObject *on_room;
    PyObject *loop;
    struct core_waiter *waiter; /* not owned: it goes first */
    bool ended;
    bool held; /* whoever fills it wakes the task when done */
} core_mailbox;

/* Adds an item and gives its reference away; nobody is woken. -1 if it is null, or without memory. */
int core_mailbox_add(core_mailbox *self, PyObject *item);

bool core_mailbox_full(const core_mailbox *self);

/* Wakes the task that waits, if there is one and something for it: by the loop, or at once, if no
 * other task is running. Runs Python code. */
int core_mailbox_wake(core_mailbox *self, bool at_once);

#endif
