/* The server's side of SSH connections: keys, requests, limits; by libssh (RFC 4252, RFC 4254). */
#ifndef SALLYPORT_WIRE_SSH_SERVER_H
#define SALLYPORT_WIRE_SSH_SERVER_H

#include "sallyport/wire/pubkey.h"
#include "sallyport/wire/ssh_conn.h"

struct ssh_server;

/* What a session channel asked to run. */
struct ssh_session_request {
    const char *command;   /* exec; NULL for a shell or a subsystem */
    const char *subsystem; /* NULL unless one was asked for */
    bool terminal;         /* a pty was asked for: end lines with \r\n */
};

/* Questions of a connection to its owner. `ctx` is that of ssh_server_new. None may block. A refusal may put its
 * reason into why. */
struct ssh_server_events {
    /* May this key log in under this name? Called first with proven = false (is it worth signing?), then with true
     * after the signature was checked; the connection counts as logged in when the second call says yes. */
    bool (*login)(void *ctx, struct ssh_conn *conn, const char *user, const struct pubkey *key, bool proven);
    /* direct-tcpip. 0: taken, the channel is open and belongs to the owner, who has begun to listen to its stream. */
    int (*direct)(void *ctx, struct ssh_chan *chan, const char *host, uint16_t port, const char *origin,
                  uint16_t origin_port, struct why *why);
    /* A session channel got its exec, shell or subsystem: 0 to take it over (listening to its stream). */
    int (*session)(void *ctx, struct ssh_chan *chan, const struct ssh_session_request *request, struct why *why);
    /* tcpip-forward and cancel-tcpip-forward. */
    int (*forward)(void *ctx, struct ssh_conn *conn, const char *bind, uint16_t port, struct why *why);
    void (*unforward)(void *ctx, struct ssh_conn *conn, const char *bind, uint16_t port);
    /* The connection is over; `reason` is for the log. The last event; conn is freed after it. */
    void (*closed)(void *ctx, struct ssh_conn *conn, const char *reason);
};

struct ssh_server_config {
    struct loop *loop;
    const char *host_key; /* path of the private key */
    const struct ssh_server_events *events;
    void *ctx;
};

/* 0, SP_ENOMEM, or SP_ECRYPTO with why when the host key cannot be used. The server outlives its connections. */
int ssh_server_new(const struct ssh_server_config *config, struct ssh_server **out, struct why *why);
void ssh_server_free(struct ssh_server *server);

/* Takes over a connected, non-blocking socket, of which nothing was read yet, and closes it in the end. `peer` is the
 * numeric address, `banner` what could be peeked of the client's first line (may be empty). The caller's own deadline
 * for the login runs outside: ssh_conn_logged_in tells. SP_ENOMEM, SP_ECRYPTO: the fd is closed. */
int ssh_server_accept(struct ssh_server *server, int fd, const char *peer, const char *banner, struct ssh_conn **out);

bool ssh_conn_logged_in(const struct ssh_conn *conn);

#endif
