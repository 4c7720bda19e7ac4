/* One SSH connection on the loop, whichever side it is, and its channels as streams; by libssh. */
#ifndef SALLYPORT_WIRE_SSH_CONN_H
#define SALLYPORT_WIRE_SSH_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"
#include "sallyport/wire/stream.h"

struct ssh_conn; /* made by ssh_server_accept (ssh_server.h) or ssh_client_new (ssh_client.h) */
struct ssh_chan;

/* The owner's own data. */
void ssh_conn_set_context(struct ssh_conn *conn, void *ctx);
void *ssh_conn_context(const struct ssh_conn *conn);

/* Ends the connection; `message` (may be NULL) goes out in SSH_MSG_DISCONNECT (RFC 4253 section 11.1) if the peer's
 * socket takes it. Its channels report `closed`, then the connection does, all in a later round of the loop. May be
 * called from any event, and more than once. */
void ssh_conn_close(struct ssh_conn *conn, const char *message);

/* SSH_MSG_DEBUG with always_display (RFC 4253 section 11.3). */
void ssh_conn_say(struct ssh_conn *conn, const char *text);

/* The peer's numeric address ("198.51.100.7", "2001:db8::1") and what it called itself ("SSH-2.0-OpenSSH_9.2"). */
const char *ssh_conn_peer(const struct ssh_conn *conn);
const char *ssh_conn_banner(const struct ssh_conn *conn);
/* How long the kernel keeps up a connection whose peer is silent: it is asked after `idle_s` seconds without traffic and
 * then every `idle_s`; after `dead_ms` without an answer, also to data that was sent, the connection is over (tcp(7)
 * TCP_KEEPIDLE, TCP_USER_TIMEOUT). dead_ms 0: only silence counts, so that a peer that is merely stopped is kept. */
void ssh_conn_set_patience(struct ssh_conn *conn, unsigned idle_s, unsigned dead_ms);
/* The socket, for questions such as getsockname; it stays the connection's. */
int ssh_conn_fd(const struct ssh_conn *conn);
/* Milliseconds (loop_now) when anything was last received. */
uint64_t ssh_conn_heard(const struct ssh_conn *conn);
/* At most so many channels at once (512 unless said); more are refused. */
void ssh_conn_limit_channels(struct ssh_conn *conn, unsigned most);
/* Number of channels that are open or opening. */
unsigned ssh_conn_channels(const struct ssh_conn *conn);

/* A channel is a stream. It belongs to its listener from the moment it is handed over until stream `close`; when its
 * connection ends first it reports `closed`, and the listener still calls `close`. */
struct stream *ssh_chan_stream(struct ssh_chan *chan);
struct ssh_conn *ssh_chan_conn(const struct ssh_chan *chan);
/* Standard error of a session channel: best effort, for short messages. */
void ssh_chan_complain(struct ssh_chan *chan, const char *text);
/* exit-status of a session channel (RFC 4254 section 6.10); before `end` and `close`. */
void ssh_chan_exit(struct ssh_chan *chan, int status);

/* Opens a channel; `opened` follows in a later round with 0 or SP_EDENIED, SP_ECLOSED; after a failure the channel is
 * gone. Data may be written only after it. The peer must be the one that asked for the forward. SP_ENOMEM, SP_ECLOSED. */
int ssh_conn_open_forwarded(struct ssh_conn *conn, const char *bind, uint16_t port, const char *origin,
                            uint16_t origin_port, void (*opened)(void *ctx, struct ssh_chan *chan, int rc), void *ctx,
                            struct ssh_chan **out);
/* Client only: a session channel with a subsystem, or with a command when subsystem is NULL. */
int ssh_conn_open_session(struct ssh_conn *conn, const char *subsystem, const char *command,
                          void (*opened)(void *ctx, struct ssh_chan *chan, int rc), void *ctx, struct ssh_chan **out);

#endif
