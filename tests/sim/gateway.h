/* tests/sim/gateway.h: what the gateway of one hub has in common with that of several. */
#ifndef KEDGE_SIM_GATEWAY_H
#define KEDGE_SIM_GATEWAY_H

#include "host.h"

void sim_gateway_configure(sim_world *world, kedge_hub_config *hub);
kedge_link_config sim_gateway_client_config(sim_world *world, const sim_client *client);
void sim_gateway_asked(sim_world *world, sim_question *question, const kedge_event *event);
void sim_gateway_accepted(sim_world *world, const sim_question *question, const sim_drawn *drawn);
void sim_gateway_describe(sim_world *world, uint64_t n, kedge_publication_source *source,
                          char *text, size_t room);
void sim_gateway_check_close(sim_world *world, const sim_wire *wire, const kedge_event *event);
bool sim_gateway_keeps(uint16_t sent);
void sim_gateway_client_event(sim_world *world, sim_client *client, const kedge_event *event);
void sim_gateway_client_step(sim_world *world, sim_client *client);
void sim_gateway_check_wire(sim_world *world, const sim_wire *wire);
bool sim_gateway_is_at_rest(sim_world *world, const sim_client *client);

#endif
