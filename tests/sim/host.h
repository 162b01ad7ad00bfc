/* tests/sim/host.h: the server's applications, as far as they are the same for all protocols: who is let in,
 * what is published to whom, who follows what, whose session ends. */
#ifndef KEDGE_SIM_HOST_H
#define KEDGE_SIM_HOST_H

#include "world.h"

/* An event of a server's link. */
void sim_server_event(sim_world *world, sim_wire *wire, const kedge_event *event);

/* Whose token it is. */
size_t sim_user_of(sim_world *world, kedge_span token);

/* What became of a question, for the trace. */
void sim_note_outcome(sim_world *world, const sim_question *question, const char *outcome);

/* The wire's server link must close with this code; the first reason counts. */
void sim_expect_close(sim_wire *wire, uint16_t code);

/* All links that have the session must close with this code. */
void sim_expect_closes(sim_world *world, const sim_session *session, uint16_t code);

/* The session follows what was drawn. */
void sim_follow(sim_world *world, sim_session *session, const sim_drawn *drawn);

/* Its link lags behind the history: it ends, though it has not told that yet. */
bool sim_is_outrun(const sim_wire *wire);

/* An upgrade was declined: is that right? */
void sim_check_decline(sim_world *world, const sim_wire *wire, const kedge_event *event);

/* The publication with that number; null: there is no memory. What passes is told by all links that follow the
 * topic, but for some. */
kedge_publication *sim_publication(sim_world *world, uint64_t n, bool passing);
void sim_pass_on(sim_world *world, size_t topic, uint64_t n, const sim_except *except);

/* It has more passing events to tell than their topics hold, or was left out of too many: it may end. */
bool sim_passed_too_much(const sim_world *world, const sim_wire *wire);

/* A client saw what was published: all on one connection in the order of publishing. Of what passes, each that
 * it has to see. */
void sim_saw(sim_world *world, const sim_client *client, uint64_t n);
void sim_saw_passing(sim_world *world, const sim_client *client, uint64_t n);

/* One more that a link's client must see. */
void sim_must_see(sim_world *world, sim_wire *wire, size_t topic, uint64_t n, bool optional);

/* True where it has seen all that passes. */
bool sim_saw_all(const sim_wire *wire);

/* A client may see what is still to pass of a topic, or not. */
void sim_need_not_see(sim_wire *wire, size_t topic);

/* A message that a client sends of itself; `payload` has room for one number. */
void sim_say(sim_world *world, sim_client *client, const char *name, const char *payload);

/* Steps: publishes what passes; publishes to a topic, to all but some, to one session; follows or leaves; answers all that wait, or
 * any question there ever was; trims what one session was sent; ends a session; closes a link. */
void sim_step_pass(sim_world *world);
void sim_step_publish(sim_world *world);
void sim_step_topics(sim_world *world);
void sim_step_answers(sim_world *world);
void sim_step_answer(sim_world *world);
void sim_step_trim(sim_world *world);
void sim_step_end(sim_world *world);
void sim_step_close(sim_world *world);

#endif
