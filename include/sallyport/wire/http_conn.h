/* The server's side of one HTTP/1.1 connection: takes requests apart strictly, asks its owner where each goes, and
 * carries bodies with back-pressure: to a stream upstream and back, or an answer of our own. */
#ifndef SALLYPORT_WIRE_HTTP_CONN_H
#define SALLYPORT_WIRE_HTTP_CONN_H

#include "sallyport/base/buf.h"
#include "sallyport/base/loop.h"
#include "sallyport/wire/http_head.h"
#include "sallyport/wire/stream.h"

struct http_conn;

/* Why a request got no answer from upstream. */
enum http_failure {
    HTTP_FAILED_CLOSED, /* it closed before it answered */
    HTTP_FAILED_BAD,    /* what came is no response (`why` says what is wrong with it) */
};

struct http_conn_events {
    /* A whole request head came. `head` is valid during the call. The owner says what becomes of it, now or later, by
     * one of http_conn_forward, http_conn_reply, http_conn_stream; nothing more is read until then. */
    void (*request)(void *ctx, const struct http_head *head);
    /* A forwarded request needs a stream upstream: the owner hands one over by http_conn_connected, now or later, or
     * answers by http_conn_reply. */
    void (*connect)(void *ctx);
    /* A response head came (1xx, too). The owner appends to `out` the status line and the fields that go on, each with
     * its CRLF, without the empty line and without Connection, Upgrade, Content-Length and Transfer-Encoding, which
     * are seen to here. 0, or an error that counts as HTTP_FAILED_BAD. */
    int (*response)(void *ctx, const struct http_head *head, struct buf *out);
    /* No response could be had, and none was begun: the owner answers by http_conn_reply. */
    void (*failed)(void *ctx, enum http_failure failure, const struct why *why);
    /* What http_conn_send did not take may be tried again. */
    void (*writable)(void *ctx);
    /* It is over: the last event, never from inside a call of the owner. The connection is freed after it. */
    void (*closed)(void *ctx);
};

struct http_conn_config {
    unsigned head_ms; /* a head after the first, from its first byte to its last; 0: 20 s */
    unsigned rest_ms; /* between two requests; 0: 75 s */
    unsigned body_ms; /* without a byte of a request body, or with a half-closed client and no progress; 0: 60 s */
    unsigned take_ms; /* without the client taking a byte of what waits for it; 0: 300 s */
};

/* Takes the client's stream over. The first head must be whole by `deadline` (loop_now's clock, ms). `config` is
 * copied. 0 or SP_ENOMEM (the stream stays the caller's). */
int http_conn_new(struct loop *loop, struct stream *client, uint64_t deadline, const struct http_conn_config *config,
                  const struct http_conn_events *events, void *ctx, struct http_conn **out);
/* Ends it now, in whatever state: `closed` follows, in a later round. May be called from any event and more than once. */
void http_conn_close(struct http_conn *conn);

/* Sends the request on. `head`: the request line and the fields that go on, written as in `response` above; its
 * contents are taken over. `fresh`: not on the stream of the last request, it leads somewhere else. */
void http_conn_forward(struct http_conn *conn, struct buf *head, bool fresh);
/* The stream for `connect`; taken over. */
void http_conn_connected(struct http_conn *conn, struct stream *upstream);

/* Answers by itself: `head` as above, taken over; the body is copied. After a request whose body is not here yet, the
 * connection ends with the answer. `close`: in any case. */
void http_conn_reply(struct http_conn *conn, struct buf *head, const uint8_t *body, size_t n, bool close);
/* Begins an answer without end; http_conn_send follows. */
void http_conn_stream(struct http_conn *conn, struct buf *head);
/* Sends n bytes of such an answer; returns how many were taken, or SP_ECLOSED. Fewer than n: `writable` follows. */
ssize_t http_conn_send(struct http_conn *conn, const uint8_t *bytes, size_t n);

/* Is nothing under way? Then the first request has not come whole, or the last one is answered. */
bool http_conn_is_idle(const struct http_conn *conn);
/* Does it hold a stream upstream, in use or kept for the next request? */
bool http_conn_has_upstream(const struct http_conn *conn);
/* Bytes carried, both ways, heads left out. */
uint64_t http_conn_carried(const struct http_conn *conn);

#endif
