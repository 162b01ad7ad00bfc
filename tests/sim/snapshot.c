#include "snapshot.h"

#include <string.h>

#define GUARD 0xA5

static size_t take_whole(sim_world *world, uint8_t *snapshot)
{
    size_t size = 0;
    kedge_status status = kedge_hub_snapshot(world->hubs[0], sim_wall(world), sim_server_now(world),
                                             snapshot, SIM_SNAPSHOT, &size);
    SIM_EXPECT(world, status == KEDGE_OK, "no snapshot: %s", kedge_status_name(status));
    return size;
}

static void begin(sim_world *world)
{
    kedge_status status =
        kedge_hub_snapshot_begin(world->hubs[0], sim_wall(world), sim_server_now(world));
    SIM_EXPECT(world, status == KEDGE_OK, "no snapshot begins: %s", kedge_status_name(status));
}

/* Between two pieces others look at the hub, which is fine, or do something with it. True: then the pieces are
 * void. */
static bool is_disturbed(sim_world *world)
{
    char line[128];
    switch (sim_below(world, 24)) {
    case 0:
        kedge_hub_tick(world->hubs[0], sim_server_now(world));
        return true;
    case 1:
        (void)kedge_hub_next_ready(world->hubs[0], sim_server_now(world));
        return true;
    case 2:
        (void)kedge_hub_refuse(world->hubs[0], 0, 0, kedge_text(""), sim_server_now(world));
        return true;
    case 3:
        (void)kedge_hub_counts_now(world->hubs[0]);
        return false;
    case 4:
        (void)kedge_hub_describe(world->hubs[0], line, sizeof line);
        return false;
    case 5:
        (void)kedge_hub_next_session(world->hubs[0], kedge_text(""), NULL);
        return false;
    default:
        return false;
    }
}

/* The next piece, within `room`. */
static kedge_status take_piece(sim_world *world, uint8_t *place, size_t room, size_t *size)
{
    place[room] = GUARD;
    kedge_status status = kedge_hub_snapshot_next(world->hubs[0], place, room, size);
    SIM_EXPECT(world, place[room] == GUARD, "a piece of a snapshot is larger than its room");
    return status;
}

static size_t take_pieces(sim_world *world, uint8_t *snapshot)
{
    size_t size = 0;
    size_t least = 0;
    size_t piece = 0;
    kedge_status status = KEDGE_PARTIAL;
    begin(world);
    while (status != KEDGE_OK) {
        size_t room = least + (size_t)sim_below(world, 2000);
        bool disturbed = is_disturbed(world);
        status = take_piece(world, snapshot + size, room, &piece);
        SIM_EXPECT(world,
                   disturbed ? status == KEDGE_WRONG_STATE
                             : status == KEDGE_OK || status == KEDGE_PARTIAL ||
                                   (status == KEDGE_NO_SPACE && piece > room),
                   "a piece of a snapshot%s: %s", disturbed ? " that is void" : "",
                   kedge_status_name(status));
        if (disturbed) {
            begin(world);
        }
        least = status == KEDGE_NO_SPACE ? piece : 0;
        size = disturbed ? 0 : status == KEDGE_NO_SPACE ? size : size + piece;
    }
    return size;
}

size_t sim_take_snapshot(sim_world *world, uint8_t *snapshot)
{
    static uint8_t whole[SIM_SNAPSHOT];
    if (sim_chance(world, 50)) {
        return take_whole(world, snapshot);
    }
    size_t size = take_pieces(world, snapshot);
    SIM_EXPECT(world, take_whole(world, whole) == size && memcmp(whole, snapshot, size) == 0,
               "the pieces of a snapshot are not the whole");
    return size;
}
