/* csrc/flowlayer.h: FlowLayer's defaults. Private. */
#ifndef KEDGE_PRIVATE_FLOWLAYER_H
#define KEDGE_PRIVATE_FLOWLAYER_H

#include <kedge/flowlayer.h>

kedge_flowlayer_server_config kedge_flowlayer_server_config_default(void);
kedge_flowlayer_client_config kedge_flowlayer_client_config_default(void);

#endif
