#include <stdlib.h>
#include <string.h>

#include "relay_local.h"

/* One program on a session channel: a verb of a user, or a join. */
struct session {
    struct peer *peer;
    struct ssh_chan *chan;
    struct stream *stream;
    struct loop_task run_soon;
    char *line; /* owned */
    struct buf in, out, err;
    bool terminal;
    bool wants_input;
    bool ran, finished;
    int status;
};

static void session_free(struct session *s) {
    loop_task_cancel(&s->run_soon);
    s->stream->ops->close(s->stream);
    buf_wipe(&s->in);
    buf_wipe(&s->out);
    buf_wipe(&s->err);
    free(s->line);
    free(s);
}

/* Writes what the channel takes; messages and the exit status follow the output. */
static void session_flush(struct session *s) {
    while (buf_len(&s->out)) {
        ssize_t n = s->stream->ops->write(s->stream, buf_head(&s->out), buf_len(&s->out));
        if (n <= 0)
            return;
        buf_consume(&s->out, (size_t)n);
    }
    if (s->finished)
        return;
    s->finished = true;
    if (buf_len(&s->err))
        ssh_chan_complain(s->chan, buf_string(&s->err));
    ssh_chan_exit(s->chan, s->status);
    s->stream->ops->end(s->stream);
    loop_task_post(&s->run_soon);
}

/* A terminal in raw mode wants \r\n. */
static void session_cook(struct session *s, struct buf *text) {
    if (!s->terminal)
        return;
    struct buf cooked;
    buf_init(&cooked);
    const uint8_t *bytes = buf_head(text);
    size_t n = buf_len(text), begin = 0;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (bytes[i] != '\n')
            continue;
        rc = buf_append(&cooked, bytes + begin, i - begin);
        if (rc == 0)
            rc = buf_append(&cooked, "\r\n", 2);
        begin = i + 1;
    }
    if (rc == 0)
        rc = buf_append(&cooked, bytes + begin, n - begin);
    if (rc < 0) {
        buf_fini(&cooked);
        return;
    }
    buf_wipe(text);
    *text = cooked;
}

static void session_run(struct session *s) {
    s->ran = true;
    const char *input = buf_string(&s->in);
    if (s->peer->kind == PEER_JOINING) {
        s->status = join_run(s->peer, input ? input : "", &s->out);
    } else {
        struct verb_actor actor = {.kind = SUBJECT_USER,
                                   .user_id = s->peer->id,
                                   .fingerprint = s->peer->fingerprint,
                                   .address = ssh_conn_peer(s->peer->conn)};
        s->status = verbs_run_line(&s->peer->relay->verbs, &actor, s->line, input, buf_len(&s->in), &s->out, &s->err);
    }
    session_cook(s, &s->out);
    session_cook(s, &s->err);
    session_flush(s);
}

/* First the verb (the request must be answered before anything is sent), later the end. */
static void session_soon(void *ctx) {
    struct session *s = ctx;
    if (s->finished)
        session_free(s);
    else if (!s->ran)
        session_run(s);
}

static size_t session_data(void *ctx, const uint8_t *bytes, size_t n) {
    struct session *s = ctx;
    if (s->ran || !s->wants_input)
        return n;
    size_t room = VERBS_INPUT_MAX - buf_len(&s->in);
    if (buf_append(&s->in, bytes, n < room ? n : room) < 0 || n > room ||
        (s->peer->kind == PEER_JOINING && memchr(bytes, '\n', n)) || (s->terminal && memchr(bytes, '\r', n)))
        loop_task_post(&s->run_soon);
    return n;
}

static void session_end(void *ctx) {
    struct session *s = ctx;
    if (!s->ran)
        loop_task_post(&s->run_soon);
}

static void session_writable(void *ctx) {
    session_flush(ctx);
}

static void session_closed(void *ctx) {
    session_free(ctx);
}

static const struct stream_events session_events = {
    .data = session_data, .end = session_end, .writable = session_writable, .closed = session_closed};

int session_begin(struct peer *peer, struct ssh_chan *chan, const struct ssh_session_request *request) {
    if (peer->kind == PEER_JOINING && peer->joining)
        return SP_EDENIED; /* one try a connection */
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return SP_ENOMEM;
    peer->joining = peer->kind == PEER_JOINING;
    s->line = strdup(request->command ? request->command : "");
    if (!s->line) {
        free(s);
        return SP_ENOMEM;
    }
    s->peer = peer;
    s->chan = chan;
    s->stream = ssh_chan_stream(chan);
    s->terminal = request->terminal;
    s->wants_input = peer->kind == PEER_JOINING || verbs_wants_input(s->line);
    buf_init(&s->in);
    buf_init(&s->out);
    buf_init(&s->err);
    loop_task_init(peer->relay->loop, &s->run_soon, session_soon, s);
    if (peer->kind == PEER_JOINING && request->terminal)
        (void)s->stream->ops->write(s->stream, (const uint8_t *)"Paste the invite's token and press Enter:\r\n", 43);
    stream_listen(s->stream, &session_events, s);
    if (!s->wants_input)
        loop_task_post(&s->run_soon);
    return 0;
}
