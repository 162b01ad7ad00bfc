/* csrc/gateway.h: the gateway's defaults, for kedge_link_config_default, and what its hub must know: close
 * codes, and the names that events must not have. */
#ifndef KEDGE_PRIVATE_GATEWAY_H
#define KEDGE_PRIVATE_GATEWAY_H

#include <kedge/gateway.h>

kedge_gateway_server_config kedge_gateway_server_config_default(void);
kedge_gateway_client_config kedge_gateway_client_config_default(void);

/* The close code by which a hub's verdict is told. */
uint16_t kedge_gateway_close_code(kedge_status cause);

/* Is it the type of a message that the server's side sends by itself? An event of that name would take a
 * number that no client counts. */
bool kedge_gateway_is_own_name(kedge_span name);

#endif
