#include "wire.h"

#include <string.h>

void sim_pipe_begin(sim_pipe *pipe, size_t room, kedge_time latency)
{
    pipe->size = 0;
    pipe->count = 0;
    pipe->room = room;
    pipe->latency = latency;
    pipe->held_until = 0;
    pipe->ended = false;
}

size_t sim_pipe_write(sim_pipe *pipe, kedge_span bytes, kedge_time now)
{
    size_t size = pipe->room - pipe->size;
    if (size > bytes.size) {
        size = bytes.size;
    }
    if (size == 0 || pipe->count == SIM_PIPE_PARTS) {
        return 0;
    }
    memcpy(pipe->bytes + pipe->size, bytes.data, size);
    pipe->size += size;
    kedge_time arrives = now + pipe->latency;
    if (pipe->count > 0 && pipe->parts[pipe->count - 1].arrives == arrives) {
        pipe->parts[pipe->count - 1].size += size;
        return size;
    }
    pipe->parts[pipe->count].size = size;
    pipe->parts[pipe->count].arrives = arrives;
    pipe->count++;
    return size;
}

size_t sim_pipe_arrived(const sim_pipe *pipe, kedge_time now)
{
    size_t size = 0;
    for (size_t i = 0; now >= pipe->held_until && i < pipe->count; i++) {
        if (pipe->parts[i].arrives <= now) {
            size += pipe->parts[i].size;
        }
    }
    return size;
}

kedge_time sim_pipe_due(const sim_pipe *pipe)
{
    if (pipe->count == 0) {
        return KEDGE_NEVER;
    }
    kedge_time due = pipe->parts[0].arrives;
    return due > pipe->held_until ? due : pipe->held_until;
}

static void drop_part(sim_pipe *pipe)
{
    pipe->count--;
    memmove(pipe->parts, pipe->parts + 1, pipe->count * sizeof pipe->parts[0]);
}

void sim_pipe_read(sim_pipe *pipe, uint8_t *bytes, size_t size)
{
    memcpy(bytes, pipe->bytes, size);
    pipe->size -= size;
    memmove(pipe->bytes, pipe->bytes + size, pipe->size);
    while (size > 0) {
        size_t part = size < pipe->parts[0].size ? size : pipe->parts[0].size;
        pipe->parts[0].size -= part;
        size -= part;
        if (pipe->parts[0].size == 0) {
            drop_part(pipe);
        }
    }
}

bool sim_pipe_over(const sim_pipe *pipe)
{
    return pipe->ended && pipe->size == 0;
}

void sim_pipe_clear(sim_pipe *pipe)
{
    pipe->size = 0;
    pipe->count = 0;
}
