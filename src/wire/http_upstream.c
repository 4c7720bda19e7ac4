/* The upstream's side of a connection: the request's head to it, its answer back. */
#include <stdio.h>
#include <string.h>

#include "http_conn_local.h"

enum {
    INTERIM_MAX = 16,    /* 1xx answers to one request */
    TOGETHER_MAX = 16384 /* head and first bytes go out in one piece up to this: one record of TLS */
};

void http_upstream_drop(struct http_conn *conn) {
    struct stream *stream = conn->upstream.stream;
    buf_fini(&conn->upstream.head);
    conn->upstream = (struct http_side){.stream = NULL};
    if (stream)
        stream->ops->close(stream);
}

void http_conn_push_head(struct http_conn *conn) {
    struct stream *stream = conn->upstream.stream;
    size_t n = buf_len(&conn->to_upstream) - conn->head_sent;
    if (n) {
        ssize_t taken = stream->ops->write(stream, buf_head(&conn->to_upstream) + conn->head_sent, n);
        if (taken < 0) {
            conn->deaf = true; /* its events tell whether it has answered */
            return;
        }
        conn->progress = loop_now(conn->loop);
        conn->head_sent += (size_t)taken;
        conn->upstream.blocked = (size_t)taken < n;
    }
    if (conn->head_sent == buf_len(&conn->to_upstream) && conn->request == REQUEST_SENDING &&
        http_body_is_done(&conn->client.body))
        conn->request = REQUEST_SENT;
}

/* No answer came. A request that may be sent twice gets a second try when the stream had been resting: the other side
 * may have closed it for that, at the very moment. */
static void upstream_fail(struct http_conn *conn, enum http_failure failure, const struct why *why) {
    bool again = failure == HTTP_FAILED_CLOSED && conn->reused && conn->repeatable && !conn->interim &&
                 conn->response == RESPONSE_AWAITED;
    http_upstream_drop(conn);
    if (again) {
        conn->head_sent = 0;
        conn->deaf = false;
        conn->request = REQUEST_CONNECTING;
        conn->events->connect(conn->ctx);
        return;
    }
    conn->request = REQUEST_ASKED;
    conn->response = RESPONSE_NONE;
    conn->events->failed(conn->ctx, failure, why);
}

static void upstream_bad(struct http_conn *conn, const char *text) {
    struct why why;
    why_set(&why, "%s", text);
    upstream_fail(conn, HTTP_FAILED_BAD, &why);
}

/* The answer's last byte is on its way. */
static void response_done(struct http_conn *conn) {
    conn->response = RESPONSE_DONE;
    if (!conn->keep_upstream || conn->request != REQUEST_SENT)
        http_upstream_drop(conn);
}

/* How the body is framed on the client's side, and the end of the head. */
static int append_response_frame(const struct http_conn *conn, const struct http_head *head, struct buf *out) {
    const struct http_field *length = http_field_find(head, "Content-Length");
    int rc = 0;
    if (head->framing == HTTP_CHUNKED || conn->wrapping)
        rc = buf_printf(out, "Transfer-Encoding: chunked\r\n");
    else if (length && head->status != 204)
        rc = buf_printf(out, "Content-Length: %.*s\r\n", (int)length->value.len, length->value.at);
    if (!rc && head->websocket)
        rc = buf_printf(out, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    else if (!rc && !conn->keep_client)
        rc = buf_printf(out, "Connection: close\r\n");
    return rc ? rc : buf_append(out, "\r\n", 2);
}

static void response_upgrade(struct http_conn *conn) {
    conn->upgraded = true;
    conn->keep_client = false;
    conn->request = REQUEST_SENDING;
    http_body_init(&conn->client.body, HTTP_UNTIL_END, 0);
    if (conn->client.ended)
        conn->upstream.stream->ops->end(conn->upstream.stream);
    if (conn->client.stopped)
        loop_task_post(&conn->task);
}

/* A final answer begins; its body, if it has one, follows. */
static void response_begin(struct http_conn *conn, const struct http_head *head) {
    bool until_end = head->framing == HTTP_UNTIL_END;
    if (head->framing == HTTP_CHUNKED && conn->minor == 0) {
        upstream_bad(conn, "it answered in chunks to a client that does not know them");
        return;
    }
    conn->wrapping = until_end && conn->minor > 0;
    conn->keep_client = conn->keep_client && (!until_end || conn->wrapping) && conn->request == REQUEST_SENT;
    conn->keep_upstream = head->keep && !until_end;
    struct buf out; /* in to_client there may be the rest of an announcement, which has to go out in any case */
    buf_init(&out);
    if (conn->events->response(conn->ctx, head, &out)) {
        buf_fini(&out);
        upstream_bad(conn, "its answer cannot be passed on");
        return;
    }
    int rc = append_response_frame(conn, head, &out);
    if (!rc && buf_len(&conn->to_client)) {
        rc = buf_append(&conn->to_client, buf_head(&out), buf_len(&out));
        buf_fini(&out);
    } else if (!rc) {
        conn->to_client = out;
    }
    if (rc) {
        buf_fini(&out);
        http_conn_close(conn);
        return;
    }
    buf_wipe(&conn->to_upstream);
    conn->head_sent = 0;
    conn->response = RESPONSE_BODY;
    if (head->websocket) {
        http_body_init(&conn->upstream.body, HTTP_UNTIL_END, 0);
        response_upgrade(conn);
    } else {
        http_body_init(&conn->upstream.body, head->framing, head->length);
    }
    if (http_body_is_done(&conn->upstream.body))
        response_done(conn);
}

/* 100, 102, 103: passed on to those who know them. */
static void response_interim(struct http_conn *conn, const struct http_head *head) {
    if (++conn->interim > INTERIM_MAX) {
        upstream_bad(conn, "it announces an answer without end");
        return;
    }
    if (conn->minor == 0)
        return;
    if (conn->events->response(conn->ctx, head, &conn->to_client) || buf_append(&conn->to_client, "\r\n", 2)) {
        http_conn_close(conn);
        return;
    }
    http_conn_flush(conn);
}

static size_t upstream_take_head(struct http_conn *conn, const uint8_t *bytes, size_t n) {
    struct http_head head;
    struct why why = {""};
    struct buf *held = &conn->upstream.head;
    size_t len = 0, before = buf_len(held), room = HTTP_HEAD_MAX + 1 - before, more = n < room ? n : room;
    const uint8_t *all = bytes;
    size_t total = more;
    if (conn->client.blocked) /* an announcement waits: more of them would pile up */
        return 0;
    if (before) {
        if (buf_append(held, bytes, more)) {
            http_conn_close(conn);
            return n;
        }
        all = buf_head(held);
        total = before + more;
    }
    bool worth = !before || total > HTTP_HEAD_MAX || memchr(bytes, '\n', more);
    int rc = worth ? http_response_parse(all, total, conn->to_head, conn->websocket, &head, &len, &why) : SP_EAGAIN;
    if (rc == SP_EAGAIN) {
        if (!before && buf_append(held, bytes, more))
            http_conn_close(conn);
        return more;
    }
    struct buf kept = *held;
    buf_init(held);
    if (rc)
        upstream_fail(conn, HTTP_FAILED_BAD, &why);
    else if (head.status < 200 && head.status != 101)
        response_interim(conn, &head);
    else
        response_begin(conn, &head);
    buf_fini(&kept);
    return rc ? n : len - before;
}

/* A chunk of an answer that has no frame of its own (RFC 9112 section 7.1). */
static size_t upstream_wrap(struct http_conn *conn, const uint8_t *bytes, size_t n) {
    if (conn->client.blocked)
        return 0;
    if (n > TOGETHER_MAX)
        n = TOGETHER_MAX;
    int rc = buf_printf(&conn->to_client, "%zx\r\n", n);
    if (!rc)
        rc = buf_append(&conn->to_client, bytes, n);
    if (!rc)
        rc = buf_append(&conn->to_client, "\r\n", 2);
    if (rc)
        http_conn_close(conn);
    conn->carried += n;
    http_conn_flush(conn);
    return n;
}

static size_t upstream_take_body(struct http_conn *conn, const uint8_t *bytes, size_t n) {
    struct why why = {""};
    if (conn->wrapping)
        return upstream_wrap(conn, bytes, n);
    /* A long head goes ahead alone: else its body would wait for a client that has nothing to take. */
    if (buf_len(&conn->to_client) >= TOGETHER_MAX && !conn->client.blocked)
        http_conn_flush(conn);
    size_t waiting = buf_len(&conn->to_client);
    struct buf *held = waiting && waiting < TOGETHER_MAX && !conn->client.blocked ? &conn->to_client : NULL;
    int rc = 0;
    if (conn->client.blocked || (waiting && !held))
        return 0;
    if (held && n > TOGETHER_MAX - waiting)
        n = TOGETHER_MAX - waiting;
    size_t taken = http_conn_carry(conn, &conn->upstream, &conn->client, bytes, n, held, &rc, &why);
    if (rc) {
        http_conn_close(conn); /* too late for an error page: the client sees a body that is cut off */
        return n;
    }
    if (held)
        http_conn_flush(conn);
    if (http_body_is_done(&conn->upstream.body))
        response_done(conn);
    return taken;
}

static size_t upstream_data(void *ctx, const uint8_t *bytes, size_t n) {
    struct http_conn *conn = ctx;
    const struct stream *stream = conn->upstream.stream;
    size_t used = 0;
    while (used < n && !conn->dead && conn->upstream.stream == stream) {
        size_t took;
        if (conn->response == RESPONSE_AWAITED) {
            took = upstream_take_head(conn, bytes + used, n - used);
        } else if (conn->response == RESPONSE_BODY) {
            took = upstream_take_body(conn, bytes + used, n - used);
        } else {
            http_upstream_drop(conn); /* it says something that nobody asked for */
            break;
        }
        if (!took)
            break;
        used += took;
    }
    if (conn->dead)
        return n;
    if (!conn->client.blocked)
        http_conn_flush(conn);
    if (conn->upstream.stream != stream)
        used = n;
    else
        conn->upstream.stopped = used < n;
    http_conn_settle(conn);
    return used;
}

static void upstream_gone(struct http_conn *conn, bool in_order) {
    if (conn->upgraded || (conn->response == RESPONSE_BODY && !in_order)) {
        http_conn_close(conn);
    } else if (conn->response == RESPONSE_BODY) {
        if (http_body_end(&conn->upstream.body) || (conn->wrapping && buf_append(&conn->to_client, "0\r\n\r\n", 5))) {
            http_conn_close(conn);
        } else {
            response_done(conn);
            http_conn_flush(conn);
        }
    } else if (conn->response == RESPONSE_AWAITED && buf_len(&conn->upstream.head)) {
        upstream_bad(conn, "it closed within the head of its answer");
    } else if (conn->response == RESPONSE_AWAITED) {
        struct why why;
        why_set(&why, "it closed without an answer");
        upstream_fail(conn, HTTP_FAILED_CLOSED, &why);
    } else {
        http_upstream_drop(conn);
    }
    http_conn_settle(conn);
}

static void upstream_end(void *ctx) {
    struct http_conn *conn = ctx;
    if (conn->dead)
        return;
    conn->upstream.ended = true;
    if (conn->upgraded)
        http_conn_settle(conn);
    else
        upstream_gone(conn, true);
}

static void upstream_writable(void *ctx) {
    struct http_conn *conn = ctx;
    if (conn->dead || !conn->upstream.stream)
        return;
    conn->upstream.blocked = false;
    if (conn->request == REQUEST_SENDING)
        http_conn_push_head(conn);
    if (conn->client.stopped)
        loop_task_post(&conn->task);
    http_conn_settle(conn);
}

static void upstream_closed(void *ctx) {
    struct http_conn *conn = ctx;
    if (!conn->dead)
        upstream_gone(conn, false);
}

const struct stream_events http_upstream_events = {upstream_data, upstream_end, upstream_writable, upstream_closed};
