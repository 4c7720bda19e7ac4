/* The client's side of an SSH connection: host key check, login, reverse forwards; by libssh. */
#ifndef SALLYPORT_WIRE_SSH_CLIENT_H
#define SALLYPORT_WIRE_SSH_CLIENT_H

#include "sallyport/wire/pubkey.h"
#include "sallyport/wire/ssh_conn.h"

/* None is called from inside ssh_client_new. */
struct ssh_client_events {
    /* Logged in. */
    void (*ready)(void *ctx);
    /* The server has a stream for a forward of ours. 0: taken, the channel is open and its stream is listened to. */
    int (*forwarded)(void *ctx, struct ssh_chan *chan, const char *bind, uint16_t port);
    /* Answer to ssh_client_listen: 0 and the port bound (the same, or one that the server chose), or SP_EDENIED. */
    void (*listening)(void *ctx, const char *bind, uint16_t port, uint16_t bound, int rc);
    /* Over, or it never came to be. rc: SP_EDENIED (the key is not known there, or there is
     * none, and the host key was right), SP_ECRYPTO (another host key: why
     * tells both fingerprints), SP_ECLOSED, SP_ETIMEOUT. The last event; conn is freed after it. */
    void (*closed)(void *ctx, int rc, const char *reason);
};

struct ssh_client_config {
    struct loop *loop;
    int fd;           /* connected or connecting, non-blocking; taken over */
    const char *peer; /* numeric address, for messages */
    const char *user;
    const struct keypair *key;    /* outlives the connection; NULL: no login, only the host key is looked at */
    const char *host_fingerprint; /* "SHA256:..." of the only host key that is accepted */
    uint64_t login_timeout_ms;
    const struct ssh_client_events *events;
    void *ctx;
};

/* SP_ENOMEM, SP_ESYS; the fd is closed on failure. */
int ssh_client_new(const struct ssh_client_config *config, struct ssh_conn **out);

/* tcpip-forward (RFC 4254 section 7.1): asks in order, one at a time. SP_ENOMEM, SP_ECLOSED. */
int ssh_client_listen(struct ssh_conn *conn, const char *bind, uint16_t port);
int ssh_client_unlisten(struct ssh_conn *conn, const char *bind, uint16_t port);

/* An SSH_MSG_IGNORE, so that a dead path shows itself. */
void ssh_client_nudge(struct ssh_conn *conn);

#endif
