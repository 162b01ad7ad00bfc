/* What links have to send, as Python objects. */
#include "trace.h"

void core_scatter_copy(const kedge_scatter *message, char *place)
{
    for (size_t i = 0; i < message->count; i++) {
        memcpy(place, message->parts[i].data, message->parts[i].size);
        place += message->parts[i].size;
    }
}

PyObject *core_scatter_bytes(const kedge_scatter *message)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)message->size);
    if (bytes != NULL) {
        core_scatter_copy(message, PyBytes_AS_STRING(bytes));
    }
    return bytes;
}

static PyObject *output_from(core_state *state, const kedge_output *output)
{
    switch (output->kind) {
    case KEDGE_OUTPUT_UPGRADE:
        return core_value(state, CORE_UPGRADE, core_str_or_none(output->subprotocol),
                          core_header_tuple(output->headers, output->header_count, false));
    case KEDGE_OUTPUT_DECLINE:
        return core_value(state, CORE_DECLINE, PyLong_FromLong(output->http_status),
                          core_header_tuple(output->headers, output->header_count, false),
                          PyBytes_FromStringAndSize((const char *)output->body.data,
                                                    (Py_ssize_t)output->body.size));
    case KEDGE_OUTPUT_TEXT:
        return core_value(state, CORE_TEXT, core_scatter_bytes(&output->message));
    case KEDGE_OUTPUT_BINARY:
        return core_value(state, CORE_BINARY, core_scatter_bytes(&output->message));
    case KEDGE_OUTPUT_CLOSE:
        return core_value(state, CORE_CLOSE, PyLong_FromLong(output->code),
                          core_str(output->reason));
    default:
        return core_value(state, CORE_ABORT);
    }
}

int core_pull_outputs(core_link *link, PyObject *list, bool limited, size_t limit)
{
    kedge_output output;
    size_t taken = 0;
    while ((!limited || taken < limit) && kedge_link_next_output(link->link, &output)) {
        bool message = output.kind == KEDGE_OUTPUT_TEXT || output.kind == KEDGE_OUTPUT_BINARY;
        taken += message ? output.message.size : 0;
        PyObject *made = output_from(link->state, &output);
        core_trace_said(link, &output);
        kedge_output_release(&output);
        if (core_append(list, made) < 0) {
            return -1;
        }
    }
    return 0;
}
