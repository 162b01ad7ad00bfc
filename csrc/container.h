/* csrc/container.h: from a member that is embedded in a struct to the struct. */
#ifndef KEDGE_PRIVATE_CONTAINER_H
#define KEDGE_PRIVATE_CONTAINER_H

#include <stddef.h>

/* The struct of `type` whose `member` the pointer (not null) points to. */
#define KEDGE_CONTAINER(pointer, type, member)                                                     \
    ((type *)(void *)((unsigned char *)(pointer) - offsetof(type, member)))

#endif
