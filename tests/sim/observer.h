/* tests/sim/observer.h: who looks on: at the client's end of a wire, and at the server's.
 *
 * In some worlds an observer of kedge/watch.h hears what both sides say, as it is heard at one end. Both are links
 * of this library, so the contract is never broken; what may be told is that a side was silent for too long, where
 * the wire was. */
#ifndef KEDGE_SIM_OBSERVER_H
#define KEDGE_SIM_OBSERVER_H

#include "world.h"

/* Does an observer look on in this world? He would be right to name what is put on a wire and is no message. */
bool sim_is_watched(const sim_world *world);

/* A wire begins, with a client; nothing comes over it any more. */
void sim_observe_begin(sim_world *world, sim_wire *wire);
void sim_observe_end(sim_wire *wire);

/* Bytes of `from`, as they are written or come in at the client's end (near) or the server's. */
void sim_observe(sim_world *world, sim_wire *wire, bool near, kedge_role from, kedge_span bytes);

/* The client's link takes its connection to be over; its process is. */
void sim_observe_loss(sim_world *world, sim_client *client);
void sim_observe_death(sim_client *client);

#endif
