/* tests/sim/bare.h: a server's end whose connection has no link: its host carries messages from one to the
 * other, and pulls the link's outputs by itself, one at a time or many. */
#ifndef KEDGE_SIM_BARE_H
#define KEDGE_SIM_BARE_H

#include "world.h"

/* A new connection for the wire's link. */
kedge_status sim_bare_accept(sim_world *world, sim_wire *wire);

/* Bytes came to it. */
void sim_bare_heard(sim_world *world, sim_wire *wire);

/* Reads what there is to read, and writes all that there is room for. */
void sim_bare_serve(sim_world *world, sim_wire *wire);

/* Writes a message that the hub gave, which is copied; and what there is room for of such messages. */
void sim_bare_send(sim_world *world, sim_wire *wire, const kedge_delivery *delivery);
void sim_bare_flush(sim_world *world, sim_wire *wire);

/* Whether the server's end, which is there, reads on; and whether it has something to write. */
bool sim_bare_reads(const sim_wire *wire);
bool sim_bare_has_output(const sim_wire *wire);

#endif
