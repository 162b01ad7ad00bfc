/* csrc/named.h: states, inputs and actions of a protocol's table, in words. */
#ifndef KEDGE_PRIVATE_NAMED_H
#define KEDGE_PRIVATE_NAMED_H

typedef struct kedge_named {
    const char *name;
    const char *text; /* what it means */
} kedge_named;

/* For the lists of a table's header, X(NAME, text): an array by their values. */
#define KEDGE_NAMED(name, text) {#name, text},

#endif
