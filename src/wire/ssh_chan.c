#include <stdlib.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "ssh_local.h"

/* One packet of data is at most 32 KiB; libssh sends a longer write as several, without asking the socket between. */
enum { WRITE_CHUNK = 32768, READ_CHUNK = 65536 };

static const struct stream_ops chan_ops;

struct stream *ssh_chan_stream(struct ssh_chan *chan) {
    return &chan->stream;
}

struct ssh_conn *ssh_chan_conn(const struct ssh_chan *chan) {
    return chan->conn;
}

void ssh_chan_note(struct ssh_chan *chan) {
    if (!chan->conn)
        return;
    list_remove(&chan->in_noted);
    list_append(&chan->conn->noted, &chan->in_noted);
    ssh_conn_touch(chan->conn);
}

/* libssh: bytes came (all that is unread is offered again each time); returns how many we took. */
static int on_data(ssh_session session, ssh_channel raw, void *data, uint32_t len, int is_stderr, void *userdata) {
    (void)session;
    (void)raw;
    struct ssh_chan *chan = userdata;
    if (is_stderr)
        return (int)len;
    if (chan->lingering)
        chan->conn->lingering_bytes += len - chan->unread;
    chan->unread = len;
    if (len > SSH_UNREAD_MAX)
        ssh_conn_close(chan->conn, "you send more than the window allows");
    if (chan->conn->lingering_bytes > SSH_LINGERING_MAX)
        ssh_conn_close(chan->conn, "too much data on channels that are closed");
    /* After our CLOSE nothing is consumed: libssh would grant a new window, which is against the protocol then. */
    if (chan->abandoned || chan->stopped)
        return 0;
    if (chan->conn->busy || buf_len(&chan->held) || !chan->stream.events || chan->open) {
        ssh_chan_note(chan);
        return 0;
    }
    size_t taken = chan->stream.events->data(chan->stream.ctx, data, len);
    chan->unread = len - taken;
    if (taken < len)
        chan->stopped = true;
    return (int)taken;
}

static void on_eof(ssh_session session, ssh_channel raw, void *userdata) {
    (void)session;
    (void)raw;
    struct ssh_chan *chan = userdata;
    chan->got_end = true;
    ssh_chan_note(chan);
}

static void on_close(ssh_session session, ssh_channel raw, void *userdata) {
    (void)session;
    (void)raw;
    struct ssh_chan *chan = userdata;
    chan->got_end = chan->got_close = true;
    ssh_chan_note(chan);
}

static void chan_late(void *ctx) {
    struct ssh_chan *chan = ctx;
    if (chan->abandoned || chan->told_close || !chan->stream.events)
        return;
    chan->told_close = true;
    chan->stream.events->closed(chan->stream.ctx);
}

struct ssh_chan *ssh_chan_new(struct ssh_conn *conn, ssh_channel raw) {
    struct ssh_chan *chan = calloc(1, sizeof *chan);
    if (!chan)
        return NULL;
    chan->stream.ops = &chan_ops;
    chan->conn = conn;
    chan->raw = raw;
    buf_init(&chan->held);
    list_init(&chan->in_noted);
    list_init(&chan->in_writers);
    loop_task_init(conn->loop, &chan->late, chan_late, chan);
    chan->callbacks.userdata = chan;
    chan->callbacks.channel_data_function = on_data;
    chan->callbacks.channel_eof_function = on_eof;
    chan->callbacks.channel_close_function = on_close;
    ssh_callbacks_init(&chan->callbacks);
    if (ssh_set_channel_callbacks(raw, &chan->callbacks) != SSH_OK) {
        free(chan);
        return NULL;
    }
    list_append(&conn->chans, &chan->in_chans);
    conn->channels++;
    return chan;
}

struct ssh_chan *ssh_chan_find(struct ssh_conn *conn, ssh_channel raw) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &conn->chans) {
        struct ssh_chan *chan = list_item(node, struct ssh_chan, in_chans);
        if (chan->raw == raw)
            return chan;
    }
    return NULL;
}

static void chan_free(struct ssh_chan *chan) {
    if (chan->conn) {
        chan->conn->channels--;
        if (chan->lingering) {
            chan->conn->lingering--;
            chan->conn->lingering_bytes -= chan->unread;
        }
    }
    if (chan->raw) {
        ssh_remove_channel_callbacks(chan->raw, &chan->callbacks);
        ssh_channel_free(chan->raw);
    }
    loop_task_cancel(&chan->late);
    list_remove(&chan->in_chans);
    list_remove(&chan->in_noted);
    list_remove(&chan->in_writers);
    buf_fini(&chan->held);
    free(chan->bind);
    free(chan->origin);
    free(chan);
}

/* Sends CLOSE and keeps the channel until the peer's CLOSE: what it still sends has a place, and is counted. */
static void chan_let_go(struct ssh_chan *chan) {
    struct ssh_conn *conn = chan->conn;
    if (!chan->lingering) {
        chan->lingering = true;
        conn->lingering++;
        conn->lingering_bytes += chan->unread;
        conn->busy++;
        (void)ssh_channel_close(chan->raw);
        conn->busy--;
        buf_fini(&chan->held);
    }
    if (chan->got_close)
        chan_free(chan);
}

/* Hands held bytes to the listener; false when it refused some. */
static bool chan_deliver(struct ssh_chan *chan) {
    size_t n = buf_len(&chan->held);
    if (!n)
        return true;
    size_t taken = chan->stream.events->data(chan->stream.ctx, buf_head(&chan->held), n);
    buf_consume(&chan->held, taken);
    return taken == n;
}

/* Takes bytes out of libssh into `held`. Every read may grant the peer a whole new window, so what a listener refuses
 * must not stay half read inside libssh: it would grow by a window with each small read. All of it is taken out, and
 * libssh is left alone until that is gone. That bounds a channel at two windows. */
static int chan_take(struct ssh_chan *chan, size_t most) {
    uint8_t *tail;
    size_t want = chan->unread < most ? chan->unread : most;
    int rc = buf_reserve(&chan->held, want, &tail);
    if (rc < 0)
        return rc;
    chan->conn->busy++;
    int n = ssh_channel_read_timeout(chan->raw, tail, (uint32_t)want, 0, 0);
    chan->conn->busy--;
    if (n <= 0) {
        chan->unread = 0;
        return n < 0 ? SP_ECLOSED : 0;
    }
    buf_commit(&chan->held, (size_t)n);
    chan->unread -= (size_t)n;
    return 0;
}

static void chan_drain(struct ssh_chan *chan) {
    bool begun = false; /* something was taken out just now */
    chan->stopped = false;
    for (;;) {
        if (!chan_deliver(chan)) {
            chan->stopped = true;
            while (begun && chan->raw && chan->unread && !chan->abandoned && chan_take(chan, chan->unread) == 0) {
            }
            return;
        }
        if (chan->abandoned || !chan->raw || !chan->unread)
            return;
        begun = true;
        if (chan_take(chan, READ_CHUNK) < 0)
            return;
    }
}

static void chan_resume(struct stream *stream) {
    struct ssh_chan *chan = list_item(stream, struct ssh_chan, stream);
    if (chan->abandoned)
        return;
    if (!chan->conn) {
        loop_task_post(&chan->late);
        return;
    }
    if (chan->conn->busy) {
        chan->stopped = false;
        ssh_chan_note(chan);
        return;
    }
    chan_drain(chan);
    if (!chan->stopped && (chan->got_end || chan->got_close))
        ssh_chan_note(chan);
}

static bool chan_has_room(const struct ssh_chan *chan) {
    return ssh_channel_window_size(chan->raw) > 0 && ssh_conn_can_send(chan->conn);
}

static void chan_want_room(struct ssh_chan *chan) {
    list_remove(&chan->in_writers);
    list_append(&chan->conn->writers, &chan->in_writers);
}

static ssize_t chan_write(struct stream *stream, const uint8_t *bytes, size_t n) {
    struct ssh_chan *chan = list_item(stream, struct ssh_chan, stream);
    struct ssh_conn *conn = chan->conn;
    if (!conn || !chan->raw || chan->got_close || chan->sent_end || chan->abandoned || conn->closing)
        return SP_ECLOSED;
    size_t done = 0;
    /* The peer's maximum packet may be smaller than a chunk; libssh cuts. A rekey makes it write nothing. */
    while (done < n && !conn->busy && chan_has_room(chan)) {
        size_t chunk = n - done < WRITE_CHUNK ? n - done : WRITE_CHUNK;
        size_t window = ssh_channel_window_size(chan->raw);
        if (chunk > window)
            chunk = window;
        conn->busy++;
        int rc = ssh_channel_write(chan->raw, bytes + done, (uint32_t)chunk);
        conn->busy--;
        if (rc < 0)
            return SP_ECLOSED;
        if (rc == 0) {
            conn->blocked = true;
            conn->blocked_at = conn->packets.in_packets;
            break;
        }
        done += (size_t)rc;
    }
    if (done < n)
        chan_want_room(chan);
    ssh_conn_touch(conn);
    return (ssize_t)done;
}

static void chan_end(struct stream *stream) {
    struct ssh_chan *chan = list_item(stream, struct ssh_chan, stream);
    if (!chan->conn || !chan->raw || chan->sent_end || chan->abandoned || chan->got_close)
        return;
    chan->sent_end = true;
    chan->conn->busy++;
    (void)ssh_channel_send_eof(chan->raw);
    chan->conn->busy--;
    ssh_conn_touch(chan->conn);
}

static void chan_close(struct stream *stream) {
    struct ssh_chan *chan = list_item(stream, struct ssh_chan, stream);
    chan->abandoned = true;
    chan->stream.events = NULL;
    if (chan->conn)
        ssh_chan_note(chan);
    else
        chan_free(chan);
}

static const struct stream_ops chan_ops = {
    .write = chan_write, .end = chan_end, .resume = chan_resume, .close = chan_close};

/* The way to an open channel, one step a turn; true while it leads on. */
static bool chan_still_opening(struct ssh_chan *chan) {
    if (!chan->open)
        return false;
    chan->conn->busy++;
    int rc = chan->open(chan);
    chan->conn->busy--;
    if (rc == SSH_AGAIN) {
        chan_want_room(chan); /* asked again whenever something came */
        return true;
    }
    chan->open = NULL;
    chan->refused = rc != SSH_OK && chan->stage == 0;
    if (chan->abandoned)
        return false;
    if (rc == SSH_OK) {
        chan->opened(chan->opened_ctx, chan, 0);
        return false;
    }
    chan->opened(chan->opened_ctx, NULL, ssh_is_connected(chan->conn->session) ? SP_EDENIED : SP_ECLOSED);
    chan->abandoned = true;
    return false;
}

void ssh_chan_settle(struct ssh_chan *chan) {
    if (chan_still_opening(chan))
        return;
    if (chan->unasked && chan->got_close)
        chan->abandoned = true;
    if (!chan->abandoned && chan->stream.events && !chan->stopped)
        chan_drain(chan);
    bool empty = !chan->stopped && !chan->unread && !buf_len(&chan->held);
    if (!chan->abandoned && chan->stream.events && empty && chan->got_end && !chan->told_end) {
        chan->told_end = true;
        chan->stream.events->end(chan->stream.ctx);
    }
    if (!chan->abandoned && chan->stream.events && empty && chan->got_close && !chan->told_close) {
        chan->told_close = true;
        chan->stream.events->closed(chan->stream.ctx);
    }
    if (chan->abandoned && chan->refused)
        chan_free(chan);
    else if (chan->abandoned && chan->raw)
        chan_let_go(chan);
}

void ssh_chan_offer_room(struct ssh_chan *chan) {
    if (chan->open) {
        ssh_chan_settle(chan);
        return;
    }
    if (chan->abandoned || !chan->raw || !chan->stream.events)
        return;
    if (chan->got_close || chan_has_room(chan))
        chan->stream.events->writable(chan->stream.ctx);
    else
        chan_want_room(chan);
}

void ssh_chan_orphan(struct ssh_chan *chan) {
    if (chan->open) {
        chan->open = NULL;
        if (!chan->abandoned)
            chan->opened(chan->opened_ctx, NULL, SP_ECLOSED);
        chan->abandoned = true;
    }
    if (chan->unasked)
        chan->abandoned = true;
    if (!chan->abandoned && chan->stream.events && !chan->told_close) {
        chan->told_close = true;
        chan->stream.events->closed(chan->stream.ctx);
    }
    if (chan->raw)
        ssh_remove_channel_callbacks(chan->raw, &chan->callbacks);
    list_remove(&chan->in_chans);
    list_remove(&chan->in_noted);
    list_remove(&chan->in_writers);
    chan->raw = NULL;
    chan->conn = NULL;
    if (chan->abandoned)
        chan_free(chan);
}

void ssh_chan_complain(struct ssh_chan *chan, const char *text) {
    if (!chan->conn || !chan->raw || chan->got_close || chan->abandoned)
        return;
    chan->conn->busy++;
    (void)ssh_channel_write_stderr(chan->raw, text, (uint32_t)strlen(text));
    chan->conn->busy--;
    ssh_conn_touch(chan->conn);
}

void ssh_chan_exit(struct ssh_chan *chan, int status) {
    if (!chan->conn || !chan->raw || chan->got_close || chan->abandoned)
        return;
    chan->conn->busy++;
    (void)ssh_channel_request_send_exit_status(chan->raw, status);
    chan->conn->busy--;
    ssh_conn_touch(chan->conn);
}

static int open_forwarded(struct ssh_chan *chan) {
    return ssh_channel_open_reverse_forward(chan->raw, chan->bind, chan->port, chan->origin, chan->origin_port);
}

static int chan_open(struct ssh_conn *conn, int (*open)(struct ssh_chan *chan), const char *bind, const char *origin,
                     void (*opened)(void *ctx, struct ssh_chan *chan, int rc), void *ctx, struct ssh_chan **out) {
    if (conn->phase != SSH_PHASE_OPEN || conn->closing)
        return SP_ECLOSED;
    if (conn->channels >= conn->channels_max)
        return SP_ETOOBIG;
    ssh_channel raw = ssh_channel_new(conn->session);
    if (!raw)
        return SP_ENOMEM;
    struct ssh_chan *chan = ssh_chan_new(conn, raw);
    if (!chan) {
        ssh_channel_free(raw);
        return SP_ENOMEM;
    }
    chan->bind = strdup(bind);
    chan->origin = strdup(origin);
    if (!chan->bind || !chan->origin) {
        chan_free(chan);
        return SP_ENOMEM;
    }
    chan->open = open;
    chan->opened = opened;
    chan->opened_ctx = ctx;
    ssh_chan_note(chan);
    *out = chan;
    return 0;
}

int ssh_conn_open_forwarded(struct ssh_conn *conn, const char *bind, uint16_t port, const char *origin,
                            uint16_t origin_port, void (*opened)(void *ctx, struct ssh_chan *chan, int rc), void *ctx,
                            struct ssh_chan **out) {
    int rc = chan_open(conn, open_forwarded, bind, origin, opened, ctx, out);
    if (rc < 0)
        return rc;
    (*out)->port = port;
    (*out)->origin_port = origin_port;
    return 0;
}

/* Two questions to the peer: the channel, then what is to run on it. */
static int open_session(struct ssh_chan *chan) {
    if (chan->stage == 0) {
        int rc = ssh_channel_open_session(chan->raw);
        if (rc != SSH_OK)
            return rc;
        chan->stage = 1;
    }
    return chan->session ? ssh_channel_request_subsystem(chan->raw, chan->bind)
                         : ssh_channel_request_exec(chan->raw, chan->bind);
}

int ssh_conn_open_session(struct ssh_conn *conn, const char *subsystem, const char *command,
                          void (*opened)(void *ctx, struct ssh_chan *chan, int rc), void *ctx, struct ssh_chan **out) {
    int rc = chan_open(conn, open_session, subsystem ? subsystem : command, "", opened, ctx, out);
    if (rc < 0)
        return rc;
    (*out)->session = subsystem != NULL;
    return 0;
}
