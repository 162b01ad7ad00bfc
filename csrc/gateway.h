/* csrc/gateway.h: the gateway's defaults, for kedge_link_config_default. */
#ifndef KEDGE_PRIVATE_GATEWAY_H
#define KEDGE_PRIVATE_GATEWAY_H

#include <kedge/gateway.h>

kedge_gateway_server_config kedge_gateway_server_config_default(void);
kedge_gateway_client_config kedge_gateway_client_config_default(void);

#endif
