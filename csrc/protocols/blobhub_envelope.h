/* blobhub_envelope.h: the envelope of BlobHub Realtime, JSON-RPC 2.0. Private. */
#ifndef KEDGE_BLOBHUB_ENVELOPE_H
#define KEDGE_BLOBHUB_ENVELOPE_H

#include "envelope.h"

extern const kedge_envelope_codec kedge_blobhub_envelope;

#endif
