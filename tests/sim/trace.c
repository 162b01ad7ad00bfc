#include "trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

void sim_trace_begin(sim_trace *trace, FILE *out, jmp_buf *way_out)
{
    memset(trace, 0, sizeof *trace);
    trace->fingerprint = UINT64_C(0xcbf29ce484222325);
    trace->out = out;
    trace->way_out = way_out;
}

/* FNV-1a: the lines of one seed are compared, nobody attacks them. */
static void fold(sim_trace *trace, const char *text)
{
    for (; *text != '\0'; text++) {
        trace->fingerprint = (trace->fingerprint ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    }
}

void sim_note(sim_trace *trace, const char *format, ...)
{
    char line[512];
    int size = snprintf(line, sizeof line, "%8" PRIu64 ".%03" PRIu64 "  ",
                        trace->now / KEDGE_SECOND, trace->now % KEDGE_SECOND / KEDGE_MILLISECOND);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line + size, sizeof line - (size_t)size, format, arguments);
    va_end(arguments);
    fold(trace, line);
    trace->lines++;
    if (trace->out != NULL) {
        fprintf(trace->out, "%s\n", line);
    }
}

void sim_break(sim_trace *trace, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(trace->broken, sizeof trace->broken, format, arguments);
    va_end(arguments);
    longjmp(*trace->way_out, 1);
}
