/* kedge/kedge.h: all of it.
 *
 *     base                                  the words that the others use
 *     utf8  mask  json  frame  handshake    pure functions
 *     reader  envelope  zstd                from bytes to messages, from messages to members
 *     publication  log  session             what is remembered
 *     link  hub  connection                 who talks
 *     kernels                               what the pure functions run on
 */
#ifndef KEDGE_KEDGE_H
#define KEDGE_KEDGE_H

#include "kedge/base.h"
#include "kedge/blobhub.h"
#include "kedge/connection.h"
#include "kedge/envelope.h"
#include "kedge/flowlayer.h"
#include "kedge/frame.h"
#include "kedge/gateway.h"
#include "kedge/handshake.h"
#include "kedge/hub.h"
#include "kedge/json.h"
#include "kedge/kernels.h"
#include "kedge/link.h"
#include "kedge/log.h"
#include "kedge/mask.h"
#include "kedge/messaging.h"
#include "kedge/publication.h"
#include "kedge/reader.h"
#include "kedge/requests.h"
#include "kedge/session.h"
#include "kedge/store.h"
#include "kedge/subscriptions.h"
#include "kedge/utf8.h"
#include "kedge/watch.h"
#include "kedge/zstd.h"

#endif
