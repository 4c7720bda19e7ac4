/* The agent, as its own files see it. */
#ifndef SALLYPORT_AGENT_AGENT_LOCAL_H
#define SALLYPORT_AGENT_AGENT_LOCAL_H

#include "condition.h"
#include "dial.h"
#include "direct.h"
#include "joined.h"
#include "link.h"
#include "netwatch.h"
#include "sallyport/agent/agent.h"
#include "sallyport/base/work.h"
#include "sallyport/wire/ssh_client.h"
#include "tunnel.h"

#define AGENT_SOCKET "agent.sock" /* in the state folder */

enum agent_phase { AGENT_WAITING, AGENT_DIALING, AGENT_LOGIN, AGENT_UP };

struct agent {
    const struct agent_config *config;
    struct loop *loop;
    struct work *work;
    struct services *services;
    struct netwatch *netwatch;
    struct local_server *local;
    struct keypair *key;
    int lock_fd;
    struct joined to; /* where to, and as whom */
    enum agent_phase phase;
    int64_t since; /* of the phase, UTC seconds */
    struct dial *dial;
    struct ssh_conn *conn;
    struct tunnel *tunnel;
    struct agent_link *link;
    size_t streams;        /* of users, through the tunnel */
    struct direct *direct; /* NULL: mode = plain */
    struct condition *condition;
    struct loop_timer retry, tick, probation, hurry;
    uint64_t probation_from, hurried;
    uint64_t backoff_ms;
    uint64_t ordered_from; /* loop_now when the minute began in which ... */
    unsigned orders;       /* ... the relay gave so many orders to wake and to publish */
    bool stopping;
    char last_error[512];
    char peer[64];
};

/* agent_status.c: answers on the local socket (local.h). */
int agent_answer(void *ctx, char **words, size_t count, const char *input, size_t input_len, struct buf *out,
                 struct buf *err);

#endif
