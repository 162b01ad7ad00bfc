/* json_scan.h: what json.c and the kernels share. Private.
 *
 * These take a place in the reader's text and return the place behind what they scanned, or NULL
 * after they noted the fault in the reader.
 */
#ifndef KEDGE_JSON_SCAN_H
#define KEDGE_JSON_SCAN_H

#include "kedge/json.h"

/* A value that is neither array nor object. */
const uint8_t *kedge_json_scan_scalar(kedge_json_reader *reader, const uint8_t *at, bool *escaped);

/* What follows a backslash. */
const uint8_t *kedge_json_scan_escape(kedge_json_reader *reader, const uint8_t *at);

#endif
