/* The machine's own state, as the agent tells it and acts on it: samples, local networks, sleep and waking. */
#ifndef SALLYPORT_AGENT_CONDITION_H
#define SALLYPORT_AGENT_CONDITION_H

#include "link.h"
#include "sallyport/agent/agent.h"
#include "sallyport/base/buf.h"
#include "sallyport/base/work.h"

struct condition;
struct json_t;

/* From the loop; none may free the condition. */
struct condition_events {
    /* Does a stream of a user lead to a service here? */
    bool (*people)(void *ctx);
    /* The machine slept for so long, or (0) was about to. */
    void (*awake)(void *ctx, uint64_t slept_ms);
};

struct condition_config {
    struct loop *loop;
    struct work *work;
    const struct agent_config *agent; /* these three outlive it */
    const struct services *services;
    const struct condition_events *events;
    void *ctx;
};

/* SP_ENOMEM. */
int condition_new(const struct condition_config *config, struct condition **out);
/* NULL is allowed. */
void condition_free(struct condition *condition);

/* There is a link; NULL: there is none any more. */
void condition_set_link(struct condition *condition, struct agent_link *link);
/* From the link's events. */
void condition_hear(struct condition *condition, const struct link_message *message);
/* The network may be another one. */
void condition_network(struct condition *condition);

/* condition_status.c: for `sallyport-agent status`. Lines for people, and a new JSON object (NULL: nothing was measured
 * yet, or out of memory). */
void condition_to_text(struct condition *condition, struct buf *out);
struct json_t *condition_to_json(struct condition *condition);

#endif
