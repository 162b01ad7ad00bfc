/* tests/sim/wire.h: a connection's two directions: bytes that take their time, come in pieces, are held
 * up, and get lost. */
#ifndef KEDGE_SIM_WIRE_H
#define KEDGE_SIM_WIRE_H

#include "kedge/base.h"
#include "random.h"

enum { SIM_PIPE_BYTES = 32768, SIM_PIPE_PARTS = 32 };

/* One direction: a queue of what was written and has not arrived. */
typedef struct sim_pipe {
    uint8_t bytes[SIM_PIPE_BYTES];
    size_t size;
    struct {
        size_t size;
        kedge_time arrives;
    } parts[SIM_PIPE_PARTS];
    size_t count;
    size_t room; /* what the sockets' buffers take */
    kedge_time latency;
    kedge_time held_until; /* nothing arrives before */
    bool ended;            /* the writer hung up */
} sim_pipe;

void sim_pipe_begin(sim_pipe *pipe, size_t room, kedge_time latency);

/* Writes as much of it as there is room for; returns how much. */
size_t sim_pipe_write(sim_pipe *pipe, kedge_span bytes, kedge_time now);

/* How much has arrived; when the next part will, KEDGE_NEVER if none is under way. */
size_t sim_pipe_arrived(const sim_pipe *pipe, kedge_time now);
kedge_time sim_pipe_due(const sim_pipe *pipe);

/* Takes the first `size` bytes, of those that have arrived. */
void sim_pipe_read(sim_pipe *pipe, uint8_t *bytes, size_t size);

/* True once all was read and the writer has hung up. */
bool sim_pipe_over(const sim_pipe *pipe);

/* What is under way is lost. */
void sim_pipe_clear(sim_pipe *pipe);

#endif
