/* The client's side of a connection, its life, and answers of our own. The way to the upstream and back is in
 * http_upstream.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_conn_local.h"

enum {
    HEAD_MS = 20000,
    REST_MS = 75000,
    BODY_MS = 60000,
    TAKE_MS = 300000,
    STALE_MS = 2000, /* a stream that rested for so long may be about to close: not for what cannot be repeated */
};
#define NEVER UINT64_MAX

static void conn_finish(struct http_conn *conn) {
    loop_timer_stop(&conn->timer);
    http_upstream_drop(conn);
    conn->client.stream->ops->close(conn->client.stream);
    buf_fini(&conn->client.head);
    buf_wipe(&conn->to_upstream); /* it may hold a secret */
    buf_fini(&conn->to_client);
    conn->events->closed(conn->ctx);
    free(conn);
}

static void conn_task(void *ctx) {
    struct http_conn *conn = ctx;
    if (conn->dead) {
        conn_finish(conn);
        return;
    }
    if (!conn->client.stopped || (conn->request != REQUEST_AWAITED && conn->request != REQUEST_SENDING))
        return;
    conn->client.stopped = false;
    conn->client.stream->ops->resume(conn->client.stream);
}

/* The client's stream may have bytes that can be taken now. Inside its own event the loop there goes on by itself. */
static void conn_kick(struct http_conn *conn) {
    if (conn->client.stopped && !conn->in_client)
        loop_task_post(&conn->task);
}

void http_conn_close(struct http_conn *conn) {
    conn->dead = true;
    loop_task_post(&conn->task);
}

/* Until when the client, or whom else we wait for, has to move. */
static uint64_t conn_due(const struct http_conn *conn) {
    if (conn->request == REQUEST_AWAITED)
        return conn->head_due;
    if (conn->client.blocked)
        return conn->progress + conn->config.take_ms;
    if (conn->streaming || (conn->upgraded && !conn->client.ended && !conn->upstream.ended))
        return NEVER;
    bool wait_for_body = conn->request == REQUEST_SENDING && !conn->upstream.blocked;
    if (wait_for_body || conn->client.ended || conn->upstream.ended)
        return conn->progress + conn->config.body_ms;
    return NEVER;
}

/* The timer is moved only when it would be too late: most of the time it fires in vain and is set anew. */
static void conn_watch(struct http_conn *conn) {
    uint64_t due = conn_due(conn), now = loop_now(conn->loop);
    if (due == NEVER || conn->dead || (loop_timer_is_set(&conn->timer) && conn->timer.due <= due))
        return;
    if (loop_timer_set(&conn->timer, due > now ? due - now : 0))
        http_conn_close(conn);
}

static void conn_timer(void *ctx) {
    struct http_conn *conn = ctx;
    if (conn_due(conn) <= loop_now(conn->loop))
        http_conn_close(conn);
    else
        conn_watch(conn);
}

/* The exchange is over, and the connection goes on. */
static void conn_rest(struct http_conn *conn) {
    uint64_t now = loop_now(conn->loop);
    conn->request = REQUEST_AWAITED;
    conn->response = RESPONSE_NONE;
    conn->head_due = now + conn->config.rest_ms;
    conn->rested = now;
    conn_kick(conn);
}

/* Each half of an upgraded connection ends by itself, after its last byte. */
static void conn_end_halves(struct http_conn *conn) {
    if (buf_len(&conn->to_client) || !conn->upstream.ended)
        return;
    if (conn->client.ended) {
        http_conn_close(conn);
    } else if (!conn->told_end) {
        conn->told_end = true;
        conn->client.stream->ops->end(conn->client.stream);
    }
}

void http_conn_settle(struct http_conn *conn) {
    if (conn->dead)
        return;
    if (conn->upgraded)
        conn_end_halves(conn);
    if (conn->response == RESPONSE_DONE && !buf_len(&conn->to_client)) {
        if (!conn->keep_client || conn->client.ended || conn->request != REQUEST_SENT) {
            http_conn_close(conn);
            return;
        }
        conn_rest(conn);
    }
    conn_watch(conn);
}

void http_conn_flush(struct http_conn *conn) {
    struct stream *client = conn->client.stream;
    size_t n = buf_len(&conn->to_client);
    if (!n)
        return;
    ssize_t taken = client->ops->write(client, buf_head(&conn->to_client), n);
    if (taken < 0) {
        http_conn_close(conn);
        return;
    }
    if (taken > 0)
        conn->progress = loop_now(conn->loop);
    buf_consume(&conn->to_client, (size_t)taken);
    conn->client.blocked = (size_t)taken < n;
}

/* Writes what the frame lets pass; when the other side takes less, the frame is wound back to there. */
size_t http_conn_carry(struct http_conn *conn, struct http_side *from, struct http_side *to, const uint8_t *bytes,
                       size_t n, struct buf *held, int *rc, struct why *why) {
    struct http_body before = from->body;
    size_t pass = 0, skip = 0;
    *rc = http_body_scan(&from->body, bytes, n, &pass, &skip, why);
    if (*rc)
        return 0;
    if (pass) /* what is only skipped is no progress */
        conn->progress = loop_now(conn->loop);
    if (held) {
        *rc = buf_append(held, bytes, pass);
        conn->carried += pass;
        return *rc ? 0 : pass + skip;
    }
    ssize_t taken = pass ? to->stream->ops->write(to->stream, bytes, pass) : 0;
    if (taken < 0) {
        *rc = (int)taken;
        return 0;
    }
    conn->carried += (uint64_t)taken;
    if ((size_t)taken == pass)
        return pass + skip;
    to->blocked = true;
    from->body = before;
    for (size_t at = 0; !*rc && at < (size_t)taken; at += pass + skip)
        *rc = http_body_scan(&from->body, bytes + at, (size_t)taken - at, &pass, &skip, why);
    return (size_t)taken;
}

static const char *refusal_line(int rc) {
    switch (rc) {
    case SP_ETOOBIG:
        return "431 Request Header Fields Too Large";
    case SP_EVERSION:
        return "505 HTTP Version Not Supported";
    default:
        return "400 Bad Request";
    }
}

void http_conn_refuse(struct http_conn *conn, int rc, const struct why *why) {
    struct buf head;
    char text[sizeof(why->text) + 64];
    if (conn->response == RESPONSE_BODY) {
        http_conn_close(conn);
        return;
    }
    http_upstream_drop(conn);
    conn->has_body = true; /* as far as anybody knows */
    buf_init(&head);
    int len = snprintf(text, sizeof text, "%s: %s\n", refusal_line(rc), why->text);
    if (rc == SP_ENOMEM || len < 0 ||
        buf_printf(&head,
                   "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n",
                   refusal_line(rc)) < 0) {
        buf_fini(&head);
        http_conn_close(conn);
        return;
    }
    http_conn_reply(conn, &head, (const uint8_t *)text, (size_t)len, true);
}

static void conn_begin(struct http_conn *conn, const struct http_head *head) {
    conn->first = false;
    conn->request = REQUEST_ASKED;
    conn->response = RESPONSE_NONE;
    conn->progress = loop_now(conn->loop);
    conn->minor = head->minor;
    conn->to_head = http_text_equal(head->method, "HEAD");
    conn->websocket = head->websocket;
    conn->has_body = head->framing != HTTP_NO_BODY;
    conn->says_empty = !conn->has_body && http_field_find(head, "Content-Length");
    conn->repeatable = !conn->has_body && (conn->to_head || http_text_equal(head->method, "GET") ||
                                           http_text_equal(head->method, "OPTIONS"));
    conn->keep_client = head->keep;
    conn->interim = 0;
    conn->deaf = false;
    http_body_init(&conn->client.body, head->framing, head->length);
    conn->events->request(conn->ctx, head);
}

/* Takes what belongs to a head. A head in one piece, as most are, is parsed where it lies. */
static size_t client_take_head(struct http_conn *conn, const uint8_t *bytes, size_t n) {
    struct http_head head;
    struct why why = {""};
    size_t len = 0, before = buf_len(&conn->client.head), room = HTTP_HEAD_MAX + 1 - before;
    size_t more = n < room ? n : room;
    const uint8_t *all = bytes;
    size_t total = more;
    if (before) {
        if (buf_append(&conn->client.head, bytes, more)) {
            http_conn_close(conn);
            return n;
        }
        all = buf_head(&conn->client.head);
        total = before + more;
    }
    /* Only a line's end can make it whole, or break a rule that is worth an early answer. */
    bool worth = !before || total > HTTP_HEAD_MAX || memchr(bytes, '\n', more);
    int rc = worth ? http_request_parse(all, total, &head, &len, &why) : SP_EAGAIN;
    if (rc == SP_EAGAIN) {
        if (!before && buf_append(&conn->client.head, bytes, more))
            http_conn_close(conn);
        if (!before && !conn->first)
            conn->head_due = loop_now(conn->loop) + conn->config.head_ms;
        return more;
    }
    if (rc) {
        buf_fini(&conn->client.head);
        http_conn_refuse(conn, rc, &why);
        return n;
    }
    struct buf kept = conn->client.head; /* the head lies in there, and the owner may close or answer */
    buf_init(&conn->client.head);
    conn_begin(conn, &head);
    buf_fini(&kept);
    return len - before;
}

static size_t client_take_body(struct http_conn *conn, const uint8_t *bytes, size_t n) {
    struct why why = {""};
    int rc = 0;
    /* No stream any more: the answer is there already, and only waits for the client to take it. */
    if (!conn->upstream.stream || conn->deaf || conn->upstream.blocked || conn->head_sent < buf_len(&conn->to_upstream))
        return 0;
    size_t taken = http_conn_carry(conn, &conn->client, &conn->upstream, bytes, n, NULL, &rc, &why);
    if (rc == SP_ECLOSED) {
        /* It may have answered before it closed: its own end of the story comes by its events. */
        conn->deaf = true;
        return 0;
    }
    if (rc) {
        http_conn_refuse(conn, rc, &why);
        return n;
    }
    if (http_body_is_done(&conn->client.body))
        conn->request = REQUEST_SENT;
    return taken;
}

static size_t client_data(void *ctx, const uint8_t *bytes, size_t n) {
    struct http_conn *conn = ctx;
    size_t used = 0;
    conn->in_client = true;
    while (used < n && !conn->dead) {
        size_t took = 0;
        if (conn->request == REQUEST_AWAITED)
            took = client_take_head(conn, bytes + used, n - used);
        else if (conn->request == REQUEST_SENDING)
            took = client_take_body(conn, bytes + used, n - used);
        if (!took)
            break;
        used += took;
    }
    conn->in_client = false;
    if (conn->dead)
        return n;
    conn->client.stopped = used < n;
    http_conn_settle(conn);
    return used;
}

static void client_end(void *ctx) {
    struct http_conn *conn = ctx;
    conn->client.ended = true;
    if (conn->upgraded) {
        conn->upstream.stream->ops->end(conn->upstream.stream);
        http_conn_settle(conn);
        return;
    }
    /* With its request whole it still gets the answer; within one it has broken off. */
    if (conn->streaming || conn->request == REQUEST_AWAITED || (conn->has_body && conn->request != REQUEST_SENT))
        http_conn_close(conn);
    http_conn_settle(conn);
}

static void client_writable(void *ctx) {
    struct http_conn *conn = ctx;
    if (conn->dead)
        return;
    conn->client.blocked = false;
    conn->progress = loop_now(conn->loop);
    http_conn_flush(conn);
    if (conn->client.blocked)
        return;
    if (conn->streaming)
        conn->events->writable(conn->ctx);
    if (conn->upstream.stream && conn->upstream.stopped && !conn->dead) {
        conn->upstream.stopped = false;
        conn->upstream.stream->ops->resume(conn->upstream.stream);
    }
    http_conn_settle(conn);
}

static void client_closed(void *ctx) {
    http_conn_close(ctx);
}

static const struct stream_events client_events = {client_data, client_end, client_writable, client_closed};

static unsigned or_default(unsigned value, unsigned standard) {
    return value ? value : standard;
}

int http_conn_new(struct loop *loop, struct stream *client, uint64_t deadline, const struct http_conn_config *config,
                  const struct http_conn_events *events, void *ctx, struct http_conn **out) {
    struct http_conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        return SP_ENOMEM;
    conn->loop = loop;
    conn->config = (struct http_conn_config){
        .head_ms = or_default(config->head_ms, HEAD_MS),
        .rest_ms = or_default(config->rest_ms, REST_MS),
        .body_ms = or_default(config->body_ms, BODY_MS),
        .take_ms = or_default(config->take_ms, TAKE_MS),
    };
    conn->events = events;
    conn->ctx = ctx;
    conn->client.stream = client;
    conn->client.stopped = true;
    conn->head_due = deadline;
    conn->first = true;
    conn->progress = loop_now(loop);
    loop_task_init(loop, &conn->task, conn_task, conn);
    loop_timer_init(loop, &conn->timer, conn_timer, conn);
    stream_listen(client, &client_events, conn);
    conn_watch(conn);
    loop_task_post(&conn->task); /* begins to read */
    *out = conn;
    return 0;
}

/* The fields of this hop, and the end of the request's head. */
static int append_request_frame(const struct http_conn *conn, struct buf *head) {
    int rc = 0;
    if (conn->websocket)
        rc = buf_printf(head, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    else if (conn->client.body.framing == HTTP_CHUNKED)
        rc = buf_printf(head, "Transfer-Encoding: chunked\r\n");
    else if (conn->says_empty)
        rc = buf_printf(head, "Content-Length: 0\r\n");
    else if (conn->client.body.framing == HTTP_LENGTH)
        rc = buf_printf(head, "Content-Length: %llu\r\n", (unsigned long long)conn->client.body.left);
    return rc ? rc : buf_append(head, "\r\n", 2);
}

void http_conn_forward(struct http_conn *conn, struct buf *head, bool fresh) {
    buf_wipe(&conn->to_upstream);
    conn->to_upstream = *head;
    conn->head_sent = 0;
    buf_init(head);
    if (conn->dead)
        return;
    if (append_request_frame(conn, &conn->to_upstream)) {
        http_conn_close(conn);
        return;
    }
    bool stale = !conn->repeatable && loop_now(conn->loop) - conn->rested > STALE_MS;
    if (fresh || stale)
        http_upstream_drop(conn);
    if (conn->upstream.stream) {
        conn->reused = true;
        conn->request = REQUEST_SENDING;
        conn->response = RESPONSE_AWAITED;
        http_conn_push_head(conn);
        conn_kick(conn);
        return;
    }
    conn->request = REQUEST_CONNECTING;
    conn->events->connect(conn->ctx);
}

void http_conn_connected(struct http_conn *conn, struct stream *upstream) {
    if (conn->dead || conn->request != REQUEST_CONNECTING) {
        upstream->ops->close(upstream);
        return;
    }
    conn->upstream = (struct http_side){.stream = upstream};
    conn->reused = false;
    conn->request = REQUEST_SENDING;
    conn->response = RESPONSE_AWAITED;
    stream_listen(upstream, &http_upstream_events, conn);
    http_conn_push_head(conn);
    conn_kick(conn);
    upstream->ops->resume(upstream);
    http_conn_settle(conn);
}

void http_conn_reply(struct http_conn *conn, struct buf *head, const uint8_t *body, size_t n, bool close) {
    struct buf *out = &conn->to_client;
    buf_wipe(&conn->to_upstream);
    conn->keep_client = conn->keep_client && !close && !conn->has_body;
    int rc = buf_append(out, buf_head(head), buf_len(head));
    buf_fini(head);
    if (!rc)
        rc = buf_printf(out, "Content-Length: %zu\r\n%s\r\n", n, conn->keep_client ? "" : "Connection: close\r\n");
    if (!rc && !conn->to_head)
        rc = buf_append(out, body, n);
    if (rc) {
        http_conn_close(conn);
        return;
    }
    conn->request = REQUEST_SENT;
    conn->response = RESPONSE_DONE;
    http_conn_flush(conn);
    http_conn_settle(conn);
}

void http_conn_stream(struct http_conn *conn, struct buf *head) {
    conn->to_client = *head;
    buf_init(head);
    conn->keep_client = false;
    conn->streaming = true;
    conn->request = REQUEST_SENT;
    conn->response = RESPONSE_BODY;
    if (buf_printf(&conn->to_client, "Connection: close\r\n\r\n"))
        http_conn_close(conn);
    else
        http_conn_flush(conn);
}

ssize_t http_conn_send(struct http_conn *conn, const uint8_t *bytes, size_t n) {
    if (conn->dead)
        return SP_ECLOSED;
    if (conn->client.blocked)
        return 0;
    ssize_t taken = conn->client.stream->ops->write(conn->client.stream, bytes, n);
    if (taken < 0) {
        http_conn_close(conn);
        return taken;
    }
    conn->progress = loop_now(conn->loop);
    conn->carried += (uint64_t)taken;
    conn->client.blocked = (size_t)taken < n;
    conn_watch(conn);
    return taken;
}

bool http_conn_is_idle(const struct http_conn *conn) {
    return conn->request == REQUEST_AWAITED;
}

bool http_conn_has_upstream(const struct http_conn *conn) {
    return conn->upstream.stream != NULL;
}

uint64_t http_conn_carried(const struct http_conn *conn) {
    return conn->carried;
}
