/* tests/sim/snapshot.h: a server's snapshot, whole or in pieces. */
#ifndef KEDGE_SIM_SNAPSHOT_H
#define KEDGE_SIM_SNAPSHOT_H

#include "world.h"

/* Takes one, into room for SIM_SNAPSHOT bytes; returns its size. However it is taken, it is the same. */
size_t sim_take_snapshot(sim_world *world, uint8_t *snapshot);

#endif
