/* tests/sim/calls.h: requests between clients and servers. Each ends exactly once, and as it was answered;
 * what was answered before, or whose asker is gone, can be answered no more. */
#ifndef KEDGE_SIM_CALLS_H
#define KEDGE_SIM_CALLS_H

#include "world.h"

/* Asks the peer of a link; `up`: it is a client's. The payload has these members and one more, `n`. Nothing
 * happens while too many are open. */
void sim_ask(sim_world *world, kedge_link *link, bool up, const sim_wire *wire, const char *name,
             const char *members);

/* An element of a batch that a link knows nothing of; its number. */
uint64_t sim_call_of_batch(sim_world *world, kedge_link *link, bool up, const sim_wire *wire);

/* REQUEST came to a link, over a wire; OUTCOME and STRAY to that which asked. */
void sim_call_came(sim_world *world, kedge_link *link, const sim_wire *wire,
                   const kedge_event *event);
void sim_call_ended(sim_world *world, const kedge_link *link, const kedge_event *event);
void sim_call_stray(sim_world *world, const kedge_link *link, const kedge_event *event);

/* One that came is answered, maybe not for the first time; one that was asked is given up. */
void sim_step_reply(sim_world *world);
void sim_step_cancel(sim_world *world);

/* A link's connection is over: what it was asked can be answered no more. It is gone, with its process or
 * not: what it asked ends no more. */
void sim_calls_leave(sim_world *world, const kedge_link *link);
void sim_calls_forget(sim_world *world, const kedge_link *link);

/* The server's process is another one. */
void sim_calls_restart(sim_world *world);

/* When all has come to rest, none is open. */
void sim_calls_check(sim_world *world);

#endif
