/* What the four SSH files share: the connection, its channels, and who may touch libssh when.
 *
 * libssh runs callbacks from inside almost any call, also from a write that has to wait for a rekey. Two rules keep
 * that tame. While `busy` is above zero (we are inside a libssh call on this connection) callbacks only note what
 * happened; and everything but the fast path of data is delivered later, by ssh_conn_settle, from the top of the loop.
 */
#ifndef SALLYPORT_WIRE_SSH_LOCAL_H
#define SALLYPORT_WIRE_SSH_LOCAL_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/list.h"
#include "sallyport/wire/ssh_conn.h"

enum {
    SSH_PEER_SIZE = 64,
    SSH_REASON_SIZE = 512,
    SSH_CHANNELS_MAX = 512,       /* open at once on one connection, unless the owner says otherwise */
    SSH_LINGERING_MAX = 80 << 20, /* bytes in libssh of channels that we closed and the peer did not */
    SSH_UNREAD_MAX = 3 << 20, /* libssh never grants more than 1.3 MB at a time: a peer beyond this ignores windows */
};

enum ssh_phase { SSH_PHASE_GREETING, SSH_PHASE_OPEN, SSH_PHASE_OVER };

struct ssh_role {
    /* Works on the way to SSH_PHASE_OPEN; 0 or a negative sp_err, which ends the connection. */
    int (*greet)(struct ssh_conn *conn);
    /* Work of this side after the channels were served; may be NULL. */
    void (*settled)(struct ssh_conn *conn);
    /* The last event. */
    void (*over)(struct ssh_conn *conn, int rc, const char *reason);
    /* Frees the struct that holds the connection. */
    void (*free)(struct ssh_conn *conn);
    bool gives_fd; /* the socket was given to libssh by SSH_OPTIONS_FD */
};

struct ssh_conn {
    struct loop *loop;
    struct loop_fd watch;  /* a duplicate of the socket: libssh closes its own whenever it likes, and the number may
                               be somebody else's before we could take it out of the loop */
    struct loop_task task; /* settles what happened outside a drive */
    const struct ssh_role *role;
    void *owner; /* struct ssh_server or struct ssh_client */
    void *ctx;
    ssh_session session;
    ssh_event event;
    enum ssh_phase phase;
    unsigned busy;
    unsigned channels, channels_max, lingering;
    size_t lingering_bytes;
    struct ssh_counter_struct packets; /* what libssh received, in whatever call */
    uint64_t blocked_at;               /* packets received when libssh, busy with new keys, took nothing */
    bool blocked;
    struct list chans;   /* all */
    struct list noted;   /* with something to deliver */
    struct list writers; /* short of room when they last wrote, or being opened: looked at after every turn */
    uint64_t heard;
    int rc; /* why it ended */
    bool closing;
    bool lingers;  /* we end it, and the peer has got as far as to understand why: it is given time to hear it */
    bool polling;  /* inside conn_poll */
    bool broken;   /* libssh said that it is over: it must not be asked again */
    char *message; /* for SSH_MSG_DISCONNECT, owned */
    char peer[SSH_PEER_SIZE];
    char reason[SSH_REASON_SIZE];
};

struct ssh_chan {
    struct stream stream;
    struct ssh_conn *conn; /* NULL when it ended first */
    ssh_channel raw;       /* NULL with it */
    struct ssh_channel_callbacks_struct callbacks;
    struct list in_chans, in_noted, in_writers;
    struct loop_task late; /* reports the end to a listener that came after the connection was over */
    struct buf held;       /* taken out of libssh and refused by the listener */
    size_t unread;         /* bytes still inside libssh */
    bool stopped;          /* the listener took less than it was given */
    bool got_end, got_close, told_end, told_close, sent_end;
    bool abandoned; /* the listener called close */
    bool lingering; /* our CLOSE is out, the peer's is awaited */
    bool session;   /* asked for a subsystem, not for a command */
    bool unasked;   /* a session of the peer's that was not yet asked for anything: nobody listens to it */
    bool refused;   /* the peer did not open it: it has no number there, so nothing may be sent on it */
    bool terminal;
    /* A channel that we open: called until it returns something else than SSH_AGAIN. */
    int (*open)(struct ssh_chan *chan);
    void (*opened)(void *ctx, struct ssh_chan *chan, int rc);
    void *opened_ctx;
    char *bind; /* owned: service name, subsystem or command */
    char *origin;
    uint16_t port, origin_port;
    int stage;
};

/* ssh_conn.c */
int ssh_conn_init(struct ssh_conn *conn, struct loop *loop, int fd, const char *peer, const struct ssh_role *role,
                  void *owner);
/* For a connection that never came to be: frees without events. */
void ssh_conn_discard(struct ssh_conn *conn);
void ssh_conn_fail(struct ssh_conn *conn, int rc, const char *reason); /* notes the end; the task delivers it */
/* Why it will have ended, for the log and the owner. */
void ssh_conn_reason(struct ssh_conn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ssh_conn_touch(struct ssh_conn *conn); /* something is to be settled */

/* Whether the socket takes more now: asks libssh, and the socket if libssh does not know. */
bool ssh_conn_can_send(struct ssh_conn *conn);

/* ssh_chan.c */
struct ssh_chan *ssh_chan_new(struct ssh_conn *conn, ssh_channel raw); /* NULL: out of memory; raw stays the caller's */
struct ssh_chan *ssh_chan_find(struct ssh_conn *conn, ssh_channel raw);
void ssh_chan_note(struct ssh_chan *chan);
void ssh_chan_settle(struct ssh_chan *chan); /* delivers; may free chan */
void ssh_chan_offer_room(struct ssh_chan *chan);
void ssh_chan_orphan(struct ssh_chan *chan); /* the connection is over */

#endif
