/* Sleep: the relay is told before the machine sleeps, and while somebody needs it, it may be kept from sleeping. */
#ifndef SALLYPORT_AGENT_SLEEP_H
#define SALLYPORT_AGENT_SLEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/agent/agent.h"
#include "sallyport/domain/status.h"

struct sleep;

/* From the loop; none may free the sleep. */
struct sleep_events {
    /* It is about to sleep: sleep_said when all that had to be said was said; 2 s are waited for that. */
    void (*sleeping)(void *ctx);
    /* It slept for so long, or (0) the sleep was called off. */
    void (*awake)(void *ctx, uint64_t slept_ms);
    /* Does a stream of a user lead to a service here? */
    bool (*people)(void *ctx);
};

/* SP_ENOMEM. */
int sleep_new(struct loop *loop, enum agent_keep_awake keep, const struct sleep_events *events, void *ctx,
              struct sleep **out);
/* NULL is allowed. */
void sleep_free(struct sleep *sleep);

/* A sample is there: is it needed? From 5 minutes after it was needed last, the machine may sleep. */
void sleep_sample(struct sleep *sleep, const struct status *status);
/* What was to be said before the sleep was said. */
void sleep_said(struct sleep *sleep);

/* "awake", or "sleeping" from the moment that it is about to. */
const char *sleep_state(const struct sleep *sleep);
/* Is it kept from sleeping now? */
bool sleep_keeps_awake(const struct sleep *sleep);

/* What it was needed for last, and when; all zero: not needed. */
struct sleep_need {
    const char *reason;
    uint64_t last_ms;
};
/* Takes in whether it is needed now; why it must stay awake, or NULL when it may sleep. `now_ms` is of a clock that does
 * not jump. Pure. */
const char *sleep_need_update(struct sleep_need *need, uint64_t now_ms, bool gpu, bool people);

/* Is one of the GPUs at work: used by more than 5 %, or, where that is not known, with a process on it? Pure. */
bool sleep_gpu_is_busy(const struct status *status);

#endif
