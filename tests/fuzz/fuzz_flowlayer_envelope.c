/* See envelope.h. */
#include "envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_envelope(KEDGE_FLOWLAYER, data, size);
}
