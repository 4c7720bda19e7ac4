/* Visits: the streams of users to the services of this machine that do not come through the SSH tunnel. */
#ifndef SALLYPORT_AGENT_VISITS_H
#define SALLYPORT_AGENT_VISITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"

enum { VISITS_IDLE_S = 30 }; /* for keepalive.h: a person's ssh may be stopped for as long as he likes */

struct visits;

struct visit_place {
    char host[64]; /* in figures */
    uint16_t port;
};

struct visits_config {
    struct loop *loop;
    /* Where the published service of kind ssh with that name listens; false: there is none. */
    bool (*find)(void *ctx, const char *service, struct visit_place *out);
    void *ctx;
};

struct visitor {
    const char *user;
    const char *service;
    const char *from; /* for the log: an address, or what it came through */
    bool greet;       /* it waits for a door's answer before raw bytes */
};

/* SP_ENOMEM. */
int visits_new(const struct visits_config *config, struct visits **out);
/* Ends them all; only after loop_run. NULL is allowed. */
void visits_free(struct visits *visits);

/* Takes over a connected non-blocking socket and joins it to the service; a failure is said to a visitor who waits for
 * an answer, and logged. */
void visits_open(struct visits *visits, const struct visitor *visitor, int fd);
/* Ends the visits of that user to that service ("": to all). */
void visits_end(struct visits *visits, const char *user, const char *service);
/* How many there are. */
size_t visits_count(const struct visits *visits);

#endif
