/* csrc/blobhub.h: what both roles of BlobHub share. Private. */
#ifndef KEDGE_PRIVATE_BLOBHUB_H
#define KEDGE_PRIVATE_BLOBHUB_H

#include <kedge/blobhub.h>

kedge_blobhub_server_config kedge_blobhub_server_config_default(void);
kedge_blobhub_client_config kedge_blobhub_client_config_default(void);

#endif
