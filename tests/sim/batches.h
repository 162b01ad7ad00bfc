/* tests/sim/batches.h: BlobHub's batches. Neither of our links sends one by itself, so they are put on the wire
 * between what a link says; its peer must take each element as if it had come alone, and answer all that ask in
 * one array, once. */
#ifndef KEDGE_SIM_BATCHES_H
#define KEDGE_SIM_BATCHES_H

#include "world.h"

/* Another world. */
void sim_batches_begin(void);

/* One is sent, from a client that is ready to its server or back. */
void sim_step_batch(sim_world *world);

/* A text that a side says. */
void sim_batches_overhear(sim_world *world, sim_wire *wire, kedge_role from, kedge_span text);

/* Was every batch of this connection answered? */
bool sim_batches_answered(const sim_wire *wire);

#endif
