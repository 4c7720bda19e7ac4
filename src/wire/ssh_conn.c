#include "sallyport/wire/ssh_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/log.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/keepalive.h"
#include "sallyport/wire/socket_stream.h"
#include "ssh_local.h"

/* libssh reads 4096 bytes a poll: one turn of a busy connection is 256 KiB, then the others have theirs. */
enum { POLLS_PER_TURN = 64, LAST_WORDS = 8 };

void ssh_conn_set_context(struct ssh_conn *conn, void *ctx) {
    conn->ctx = ctx;
}

void *ssh_conn_context(const struct ssh_conn *conn) {
    return conn->ctx;
}

const char *ssh_conn_peer(const struct ssh_conn *conn) {
    return conn->peer;
}

const char *ssh_conn_banner(const struct ssh_conn *conn) {
    const char *banner = ssh_get_clientbanner(conn->session);
    return banner ? banner : "";
}

int ssh_conn_fd(const struct ssh_conn *conn) {
    return conn->watch.fd;
}

uint64_t ssh_conn_heard(const struct ssh_conn *conn) {
    return conn->heard;
}

void ssh_conn_limit_channels(struct ssh_conn *conn, unsigned most) {
    conn->channels_max = most;
}

unsigned ssh_conn_channels(const struct ssh_conn *conn) {
    return conn->channels - conn->lingering;
}

void ssh_conn_set_patience(struct ssh_conn *conn, unsigned idle_s, unsigned dead_ms) {
    int fd = conn->watch.fd;
    keepalive_set(fd, idle_s);
    if (dead_ms)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof dead_ms);
}

void ssh_conn_touch(struct ssh_conn *conn) {
    loop_task_post(&conn->task);
}

void ssh_conn_reason(struct ssh_conn *conn, const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(conn->reason, sizeof conn->reason, format, args);
    va_end(args);
}

void ssh_conn_fail(struct ssh_conn *conn, int rc, const char *reason) {
    if (conn->phase == SSH_PHASE_OVER)
        return;
    conn->phase = SSH_PHASE_OVER;
    conn->rc = rc;
    if (!conn->reason[0])
        ssh_conn_reason(conn, "%s", reason ? reason : err_text(rc));
    ssh_conn_touch(conn);
}

void ssh_conn_close(struct ssh_conn *conn, const char *message) {
    if (conn->closing || conn->phase == SSH_PHASE_OVER)
        return;
    conn->closing = true;
    conn->message = message ? strdup(message) : NULL;
    ssh_conn_reason(conn, "%s", message ? message : "closed");
    ssh_conn_touch(conn);
}

void ssh_conn_say(struct ssh_conn *conn, const char *text) {
    if (conn->phase != SSH_PHASE_OPEN || conn->closing)
        return;
    conn->busy++;
    (void)ssh_send_debug(conn->session, text, 1);
    conn->busy--;
    ssh_conn_touch(conn);
}

/* Lets libssh work on the socket; false when the connection is finished. */
static bool conn_poll(struct ssh_conn *conn) {
    int rc = SSH_OK;
    conn->polling = true;
    for (int i = 0; i < POLLS_PER_TURN && rc == SSH_OK && !conn->closing && !conn->broken; i++)
        rc = ssh_event_dopoll(conn->event, 0);
    conn->polling = false;
    return rc != SSH_ERROR && !conn->broken;
}

bool ssh_conn_can_send(struct ssh_conn *conn) {
    if (conn->blocked && conn->packets.in_packets == conn->blocked_at)
        return false;
    conn->blocked = false;
    if (!(ssh_get_poll_flags(conn->session) & SSH_WRITE_PENDING))
        return true;
    /* libssh asks for POLLOUT after every write and believes itself blocked until it was told otherwise. */
    if (conn->polling || conn->broken)
        return false;
    conn->busy++;
    if (ssh_event_dopoll(conn->event, 0) == SSH_ERROR) {
        conn->broken = true;
        ssh_conn_touch(conn);
    }
    conn->busy--;
    return !conn->broken && !(ssh_get_poll_flags(conn->session) & SSH_WRITE_PENDING);
}

static void conn_arm(struct ssh_conn *conn) {
    uint32_t events = EPOLLIN;
    if (ssh_get_poll_flags(conn->session) & SSH_WRITE_PENDING)
        events |= EPOLLOUT;
    (void)loop_fd_set(&conn->watch, events);
}

static void conn_settle_channels(struct ssh_conn *conn) {
    struct list now, *node;
    list_init(&now);
    /* What is noted while we deliver waits for the next round: the task is posted with it. */
    while (!list_is_empty(&conn->noted)) {
        node = conn->noted.next;
        list_remove(node);
        list_append(&now, node);
    }
    while (!list_is_empty(&now)) {
        struct ssh_chan *chan = list_item(now.next, struct ssh_chan, in_noted);
        list_remove(&chan->in_noted);
        ssh_chan_settle(chan);
    }
    list_init(&now);
    while (!list_is_empty(&conn->writers)) {
        node = conn->writers.next;
        list_remove(node);
        list_append(&now, node);
    }
    while (!list_is_empty(&now)) {
        struct ssh_chan *chan = list_item(now.next, struct ssh_chan, in_writers);
        list_remove(&chan->in_writers);
        ssh_chan_offer_room(chan);
    }
}

static void conn_finish(struct ssh_conn *conn) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &conn->chans) {
        ssh_chan_orphan(list_item(node, struct ssh_chan, in_chans));
    }
    conn->role->over(conn, conn->rc, conn->reason);
    ssh_conn_discard(conn);
}

/* SSH_MSG_DISCONNECT needs a moment when no libssh call of this connection is on the stack: the task is one. */
static void conn_hang_up(struct ssh_conn *conn) {
    if (conn->message)
        (void)ssh_session_set_disconnect_message(conn->session, conn->message);
    /* ssh_disconnect drops what it believes it cannot send at once; what is queued before it goes first, and a question
     * for each packet of it is needed. */
    conn->lingers = conn->phase == SSH_PHASE_OPEN;
    for (int i = 0; conn->lingers && i < LAST_WORDS && !ssh_conn_can_send(conn); i++) {
    }
    struct list *node, *tmp;
    list_foreach (node, tmp, &conn->chans) {
        struct ssh_chan *chan = list_item(node, struct ssh_chan, in_chans);
        if (chan->raw)
            ssh_remove_channel_callbacks(chan->raw, &chan->callbacks);
        chan->raw = NULL; /* ssh_disconnect frees them all */
    }
    /* A socket that was given by SSH_OPTIONS_FD is not closed by ssh_disconnect, but forgotten. */
    int fd = conn->role->gives_fd ? ssh_get_fd(conn->session) : -1;
    ssh_disconnect(conn->session);
    if (fd >= 0)
        (void)close(fd);
    ssh_conn_fail(conn, SP_ECLOSED, NULL);
}

static void conn_settle(struct ssh_conn *conn) {
    uint64_t before = conn->packets.in_packets;
    if (conn->phase != SSH_PHASE_OVER && conn->closing)
        conn_hang_up(conn);
    if (conn->phase == SSH_PHASE_OPEN) {
        conn_settle_channels(conn);
        if (conn->role->settled && conn->phase == SSH_PHASE_OPEN && !conn->closing)
            conn->role->settled(conn);
    }
    if (conn->phase == SSH_PHASE_OPEN &&
        (conn->broken || ssh_get_status(conn->session) & (SSH_CLOSED | SSH_CLOSED_ERROR))) {
        const char *error = ssh_get_error(conn->session);
        ssh_conn_fail(conn, SP_ECLOSED, error && error[0] ? error : "connection lost");
    }
    if (conn->phase != SSH_PHASE_OVER)
        conn_arm(conn);
    /* libssh may have read in any call, also answers for channels that were asked before it. */
    if (conn->packets.in_packets != before)
        ssh_conn_touch(conn);
}

static void conn_task(void *ctx) {
    struct ssh_conn *conn = ctx;
    if (conn->phase != SSH_PHASE_OVER) {
        conn_settle(conn);
        if (conn->phase != SSH_PHASE_OVER)
            return;
        loop_task_cancel(&conn->task);
    }
    conn_finish(conn);
}

static void conn_ready(void *ctx, uint32_t events) {
    struct ssh_conn *conn = ctx;
    if (conn->phase == SSH_PHASE_OVER || conn->closing) {
        ssh_conn_touch(conn);
        return;
    }
    if (events & EPOLLIN)
        conn->heard = loop_now(conn->loop);
    if (conn->phase == SSH_PHASE_GREETING) {
        int rc = conn->role->greet(conn);
        if (rc < 0) {
            const char *error = ssh_get_error(conn->session);
            ssh_conn_fail(conn, rc, error && error[0] ? error : NULL);
            return;
        }
        if (conn->phase == SSH_PHASE_GREETING) {
            conn_arm(conn);
            return;
        }
    }
    if (conn_poll(conn)) {
        conn_settle(conn);
        return;
    }
    /* What came before the end is delivered first. */
    conn_settle_channels(conn);
    const char *error = ssh_get_error(conn->session);
    ssh_conn_fail(conn, SP_ECLOSED, error && error[0] ? error : "connection closed by the other side");
}

int ssh_conn_init(struct ssh_conn *conn, struct loop *loop, int fd, const char *peer, const struct ssh_role *role,
                  void *owner) {
    memset(conn, 0, sizeof *conn);
    conn->loop = loop;
    conn->role = role;
    conn->owner = owner;
    conn->phase = SSH_PHASE_GREETING;
    conn->channels_max = SSH_CHANNELS_MAX;
    conn->heard = loop_now(loop);
    (void)snprintf(conn->peer, sizeof conn->peer, "%s", peer);
    list_init(&conn->chans);
    list_init(&conn->noted);
    list_init(&conn->writers);
    loop_fd_init(&conn->watch);
    loop_task_init(loop, &conn->task, conn_task, conn);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return SP_ESYS;
    int rc = loop_fd_add(loop, &conn->watch, copy, EPOLLIN, conn_ready, conn);
    if (rc < 0) {
        (void)close(copy);
        return rc;
    }
    conn->session = ssh_new();
    conn->event = ssh_event_new();
    if (!conn->session || !conn->event)
        return SP_ENOMEM;
    int off = 0;
    (void)ssh_options_set(conn->session, SSH_OPTIONS_PROCESS_CONFIG, &off);
    ssh_set_counters(conn->session, NULL, &conn->packets);
    return 0;
}

void ssh_conn_discard(struct ssh_conn *conn) {
    loop_task_cancel(&conn->task);
    int copy = conn->watch.fd;
    loop_fd_remove(&conn->watch);
    if (conn->event && conn->session)
        (void)ssh_event_remove_session(conn->event, conn->session);
    if (conn->event)
        ssh_event_free(conn->event);
    ssh_free(conn->session);
    struct stream *rest;
    /* Closing with unread bytes would reset the connection, and our last words with it. */
    if (copy >= 0 && conn->lingers && socket_stream_new(conn->loop, copy, &rest) == 0)
        rest->ops->close(rest);
    else if (copy >= 0 && !conn->lingers)
        (void)close(copy);
    free(conn->message);
    conn->message = NULL;
    if (conn->role->free)
        conn->role->free(conn);
}
