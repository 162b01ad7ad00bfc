/* tests/sim/steps.h: what can happen to a world. */
#ifndef KEDGE_SIM_STEPS_H
#define KEDGE_SIM_STEPS_H

#include "world.h"

/* One thing happens. */
void sim_step(sim_world *world);

/* Time passes, and everybody does what is due when it is due. */
void sim_pass(sim_world *world, kedge_time span);

/* A process begins. The server's ends of a node's wires are gone with its process. */
void sim_drop_far_ends(sim_world *world, int node);
void sim_start_server(sim_world *world, int node);
void sim_start_client(sim_world *world, sim_client *client);

/* The client's link asked to connect: it is done, or fails. */
void sim_connect(sim_world *world, sim_client *client);

/* Somebody who is no client asks the server a plain HTTP request; null: there is no wire for that. */
sim_wire *sim_step_probe(sim_world *world, const char *request);

/* What is wrong with wires, memory and clients is mended. */
void sim_mend(sim_world *world);

#endif
