/* What the tests of http_conn share: made-up streams that are as slow, as broken and as sudden as the test wants, and an
 * owner that does what it was told to. */
#ifndef SALLYPORT_TEST_WIRE_HTTP_RIG_H
#define SALLYPORT_TEST_WIRE_HTTP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_conn_local.h"

#define GET(target) "GET " target " HTTP/1.1\r\nHost: relay.example\r\n\r\n"
#define UPGRADE(target) \
    "GET " target " HTTP/1.1\r\nHost: relay.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
#define FORWARDED(target) "GET " target " HTTP/1.1\r\nHost: upstream\r\n\r\n"
#define SWITCH "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"

#define WIRES_MAX 64
/* What a connection may keep for itself: a head each way, and what goes out in one piece with a head. */
#define KEPT_MAX (4 * HTTP_HEAD_MAX)

/* One end of a stream; the test is the peer. */
struct wire {
    struct stream stream;
    struct buf in; /* what the peer sends; `fed` of it was taken */
    size_t fed;
    size_t gate;          /* no more of it is offered than this */
    bool in_end, in_lost; /* and then ends, or is lost */
    bool stopped;         /* bytes were refused, or nobody wanted any yet */
    bool eager;           /* offers from inside resume */
    bool offering, resumed;
    bool told_end, told_closed;
    struct buf out;     /* what was written to the peer */
    size_t room;        /* how much more it takes */
    bool short_of_room; /* a write was short: `writable` is owed */
    bool broken;        /* writes say SP_ECLOSED */
    bool ended, closed; /* by the connection */
    bool calling;       /* inside write, end or close */
};

enum act { ACT_FORWARD, ACT_FORWARD_FRESH, ACT_REPLY, ACT_REPLY_CLOSE, ACT_STREAM, ACT_CLOSE, ACT_LATER };
enum event { ON_REQUEST, ON_CONNECT, ON_RESPONSE, ON_FAILED, ON_WRITABLE, EVENTS };

struct http_rig {
    struct loop *loop;
    struct http_conn *conn; /* NULL after `closed` */
    struct wire *client;
    struct wire *wires[WIRES_MAX]; /* upstream, as they were connected */
    size_t wire_count;
    unsigned seen[EVENTS], closed;
    enum event close_in; /* http_conn_close inside this event (EVENTS: in none) ... */
    unsigned close_at;   /* ... the so-many-th time */
    /* What to do with a request, by its target: NULL: all are forwarded. */
    enum act (*decide)(struct http_rig *rig, const struct http_head *head);
    bool connect_later, connect_fails, fail_later, refuse_response;
    bool asked, wants_stream, has_failed; /* owed by the owner */
    bool keep_later;                      /* of ACT_LATER: the target is in `later` */
    char target[256], method[16];
    enum http_failure failure;
    char why[512];
    bool eager;  /* of new upstream streams */
    size_t room; /* of new upstream streams */
    size_t kept; /* most that the connection kept at any time */
    void *test;
};

static inline struct wire *wire_of(struct stream *stream) {
    return list_item(stream, struct wire, stream);
}

static inline ssize_t wire_write(struct stream *stream, const uint8_t *bytes, size_t n) {
    struct wire *wire = wire_of(stream);
    assert_false(wire->closed);
    assert_false(wire->ended);
    assert_true(n > 0);
    if (wire->broken)
        return SP_ECLOSED;
    size_t take = n < wire->room ? n : wire->room;
    assert_int_equal(buf_append(&wire->out, bytes, take), 0);
    wire->room -= take;
    wire->short_of_room = take < n;
    return (ssize_t)take;
}

static inline void wire_end(struct stream *stream) {
    struct wire *wire = wire_of(stream);
    assert_false(wire->closed);
    assert_false(wire->ended);
    wire->ended = true;
}

static inline size_t wire_ready(const struct wire *wire) {
    return buf_len(&wire->in) < wire->gate ? buf_len(&wire->in) : wire->gate;
}

/* Offers at most n bytes; says whether anything happened. */
static inline bool wire_feed(struct wire *wire, size_t n) {
    bool moved = false;
    while (!wire->closed && !wire->stopped && !wire->offering && !wire->told_end && !wire->told_closed &&
           wire->fed < wire_ready(wire) && n) {
        size_t left = wire_ready(wire) - wire->fed, give = n < left ? n : left;
        wire->offering = true;
        wire->resumed = false;
        uint8_t *copy = malloc(give); /* so that a look beyond its end is seen */
        assert_non_null(copy);
        memcpy(copy, buf_head(&wire->in) + wire->fed, give);
        size_t took = wire->stream.events->data(wire->stream.ctx, copy, give);
        free(copy);
        assert_true(took <= give);
        wire->offering = false;
        wire->fed += took;
        n -= took;
        moved |= took > 0;
        if (took < give)
            wire->stopped = !wire->resumed;
        if (took == 0)
            break;
    }
    return moved;
}

/* Says that it ends, or is lost, when it is time for that. */
static inline bool wire_finish(struct wire *wire) {
    bool all = wire->fed == buf_len(&wire->in) && !wire->stopped;
    if (wire->closed || wire->told_closed || !wire->stream.events || wire->offering)
        return false;
    if (wire->in_lost) {
        wire->told_closed = true;
        wire->stream.events->closed(wire->stream.ctx);
        return true;
    }
    if (wire->in_end && all && !wire->told_end) {
        wire->told_end = true;
        wire->stream.events->end(wire->stream.ctx);
        return true;
    }
    return false;
}

static inline void wire_resume(struct stream *stream) {
    struct wire *wire = wire_of(stream);
    assert_false(wire->closed);
    wire->stopped = false;
    wire->resumed = true;
    if (wire->eager && !wire->offering)
        (void)wire_feed(wire, SIZE_MAX);
}

static inline void wire_close(struct stream *stream) {
    struct wire *wire = wire_of(stream);
    assert_false(wire->closed);
    wire->closed = true;
}

static inline struct wire *wire_new(size_t room, bool eager) {
    static const struct stream_ops ops = {wire_write, wire_end, wire_resume, wire_close};
    struct wire *wire = calloc(1, sizeof(*wire));
    assert_non_null(wire);
    wire->stream.ops = &ops;
    wire->stopped = true;
    wire->gate = SIZE_MAX;
    wire->room = room;
    wire->eager = eager;
    return wire;
}

static inline void wire_free(struct wire *wire) {
    buf_fini(&wire->in);
    buf_fini(&wire->out);
    free(wire);
}

static inline void wire_say(struct wire *wire, const void *bytes, size_t n) {
    assert_int_equal(buf_append(&wire->in, bytes, n), 0);
}

/* Room for n more bytes, and `writable` when that is owed. */
static inline bool wire_room(struct wire *wire, size_t n) {
    wire->room = n > SIZE_MAX - wire->room ? SIZE_MAX : wire->room + n;
    if (!wire->short_of_room || !wire->room || wire->closed || wire->told_closed)
        return false;
    wire->short_of_room = false;
    wire->stream.events->writable(wire->stream.ctx);
    return true;
}

static inline void rig_watch(struct http_rig *rig) {
    const struct http_conn *conn = rig->conn;
    if (!conn)
        return;
    size_t kept = buf_len(&conn->client.head) + buf_len(&conn->upstream.head) + buf_len(&conn->to_client) +
                  buf_len(&conn->to_upstream);
    rig->kept = kept > rig->kept ? kept : rig->kept;
    assert_true(kept <= KEPT_MAX);
}

static inline bool rig_event(struct http_rig *rig, enum event event) {
    assert_int_equal(rig->closed, 0);
    rig->seen[event]++;
    if (rig->close_in != event || rig->seen[event] != rig->close_at)
        return false;
    http_conn_close(rig->conn);
    return true;
}

static inline void rig_reply(struct http_rig *rig, unsigned status, bool close) {
    struct buf head;
    char body[512];
    int n = snprintf(body, sizeof body, "own answer to %s %s\n", rig->method, rig->target);
    buf_init(&head);
    assert_int_equal(buf_printf(&head, "HTTP/1.1 %u Own\r\nX-Own: %s\r\n", status, rig->target), 0);
    http_conn_reply(rig->conn, &head, (const uint8_t *)body, (size_t)n, close);
    assert_int_equal(buf_len(&head), 0);
}

static inline void rig_forward(struct http_rig *rig, bool fresh) {
    struct buf head;
    buf_init(&head);
    assert_int_equal(buf_printf(&head, "%s %s HTTP/1.1\r\nHost: upstream\r\n", rig->method, rig->target), 0);
    http_conn_forward(rig->conn, &head, fresh);
    assert_int_equal(buf_len(&head), 0);
}

/* What the owner was asked for a moment ago. */
static inline void rig_act(struct http_rig *rig, enum act act) {
    struct buf head;
    rig->asked = act == ACT_LATER;
    switch (act) {
    case ACT_FORWARD:
    case ACT_FORWARD_FRESH:
        rig_forward(rig, act == ACT_FORWARD_FRESH);
        break;
    case ACT_REPLY:
    case ACT_REPLY_CLOSE:
        rig_reply(rig, 200, act == ACT_REPLY_CLOSE);
        break;
    case ACT_STREAM:
        buf_init(&head);
        assert_int_equal(buf_printf(&head, "HTTP/1.1 200 Stream\r\nX-Own: %s\r\n", rig->target), 0);
        http_conn_stream(rig->conn, &head);
        break;
    case ACT_CLOSE:
        http_conn_close(rig->conn);
        break;
    case ACT_LATER:
        break;
    }
}

static inline void rig_request(void *ctx, const struct http_head *head) {
    struct http_rig *rig = ctx;
    assert_false(rig->asked || rig->wants_stream || rig->has_failed);
    (void)snprintf(rig->target, sizeof rig->target, "%.*s", (int)head->target.len, head->target.at);
    (void)snprintf(rig->method, sizeof rig->method, "%.*s", (int)head->method.len, head->method.at);
    enum act act = rig->decide ? rig->decide(rig, head) : ACT_FORWARD;
    if (rig_event(rig, ON_REQUEST))
        return;
    rig_act(rig, act);
}

static inline void rig_connected(struct http_rig *rig) {
    rig->wants_stream = false;
    if (rig->connect_fails) {
        rig_reply(rig, 502, false);
        return;
    }
    assert_true(rig->wire_count < WIRES_MAX);
    struct wire *wire = wire_new(rig->room, rig->eager);
    rig->wires[rig->wire_count++] = wire;
    http_conn_connected(rig->conn, &wire->stream);
}

static inline void rig_connect(void *ctx) {
    struct http_rig *rig = ctx;
    bool ending = rig_event(rig, ON_CONNECT);
    assert_false(rig->asked || rig->wants_stream || rig->has_failed);
    rig->wants_stream = true;
    if (!ending && !rig->connect_later)
        rig_connected(rig);
}

/* Passes on the status and the fields of the test's server. */
static inline int rig_response(void *ctx, const struct http_head *head, struct buf *out) {
    struct http_rig *rig = ctx;
    (void)rig_event(rig, ON_RESPONSE);
    if (rig->refuse_response)
        return SP_EFORMAT;
    assert_int_equal(buf_printf(out, "HTTP/1.1 %u %.*s\r\n", head->status, (int)head->reason.len, head->reason.at), 0);
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        if (http_text_starts(field->name, "X-"))
            assert_int_equal(buf_printf(out, "%.*s: %.*s\r\n", (int)field->name.len, field->name.at,
                                        (int)field->value.len, field->value.at),
                             0);
    }
    return 0;
}

static inline void rig_failed_reply(struct http_rig *rig) {
    rig->has_failed = false;
    rig_reply(rig, rig->failure == HTTP_FAILED_CLOSED ? 502 : 503, false);
}

static inline void rig_failed(void *ctx, enum http_failure failure, const struct why *why) {
    struct http_rig *rig = ctx;
    bool ending = rig_event(rig, ON_FAILED);
    assert_false(rig->asked || rig->wants_stream || rig->has_failed);
    rig->failure = failure;
    (void)snprintf(rig->why, sizeof rig->why, "%s", why->text);
    rig->has_failed = true;
    if (!ending && !rig->fail_later)
        rig_failed_reply(rig);
}

static inline void rig_writable(void *ctx) {
    (void)rig_event(ctx, ON_WRITABLE);
}

static inline void rig_closed(void *ctx) {
    struct http_rig *rig = ctx;
    rig->closed++;
    assert_int_equal(rig->closed, 1);
    assert_true(rig->client->closed);
    for (size_t i = 0; i < rig->wire_count; i++)
        assert_true(rig->wires[i]->closed);
    rig->conn = NULL;
}

static inline void http_rig_init(struct http_rig *rig, const struct http_conn_config *config) {
    static const struct http_conn_events events = {rig_request, rig_connect,  rig_response,
                                                   rig_failed,  rig_writable, rig_closed};
    static const struct http_conn_config standard = {.head_ms = 0};
    *rig = (struct http_rig){.room = SIZE_MAX, .close_in = EVENTS};
    assert_int_equal(loop_new(&rig->loop), 0);
    rig->client = wire_new(SIZE_MAX, false);
    assert_int_equal(http_conn_new(rig->loop, &rig->client->stream, loop_now(rig->loop) + 60000,
                                   config ? config : &standard, &events, rig, &rig->conn),
                     0);
    loop_drain(rig->loop);
    assert_false(rig->client->stopped);
}

/* Ends it, if it has not ended by itself, and looks that nothing is left. */
static inline void http_rig_fini(struct http_rig *rig) {
    if (rig->conn)
        http_conn_close(rig->conn);
    loop_drain(rig->loop);
    assert_int_equal(rig->closed, 1);
    loop_free(rig->loop);
    wire_free(rig->client);
    for (size_t i = 0; i < rig->wire_count; i++)
        wire_free(rig->wires[i]);
}

/* The wire upstream that is in use, or NULL. */
static inline struct wire *rig_upstream(const struct http_rig *rig) {
    struct wire *last = rig->wire_count ? rig->wires[rig->wire_count - 1] : NULL;
    return last && !last->closed ? last : NULL;
}

/* Lets everything move until nothing does. */
static inline void rig_settle(struct http_rig *rig) {
    for (int quiet = 0; quiet < 2; quiet++) { /* a task at the end of a round may call for another one */
        bool moved = false;
        for (size_t i = 0; i <= rig->wire_count; i++) {
            struct wire *wire = i < rig->wire_count ? rig->wires[i] : rig->client;
            if (wire->closed)
                continue;
            moved |= wire_room(wire, SIZE_MAX);
            rig_watch(rig);
            moved |= wire_feed(wire, SIZE_MAX);
            rig_watch(rig);
            moved |= wire_finish(wire);
        }
        loop_drain(rig->loop);
        rig_watch(rig);
        if (moved)
            quiet = -1;
    }
}

static inline const char *wire_text(struct wire *wire) {
    const char *text = buf_string(&wire->out);
    assert_non_null(text);
    return text;
}

static inline void client_says(struct http_rig *rig, const char *text) {
    wire_say(rig->client, text, strlen(text));
    rig_settle(rig);
}

static inline void upstream_says(struct http_rig *rig, const char *text) {
    struct wire *wire = rig_upstream(rig);
    assert_non_null(wire);
    wire_say(wire, text, strlen(text));
    rig_settle(rig);
}

static inline int http_rig_up(void **state) {
    struct http_rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    http_rig_init(rig, NULL);
    *state = rig;
    return 0;
}

static inline int http_rig_down(void **state) {
    http_rig_fini(*state);
    free(*state);
    return 0;
}

/* What the client got since the last call. */
static inline const char *got(struct http_rig *rig) {
    static char text[65536];
    size_t n = buf_len(&rig->client->out);
    assert_true(n < sizeof text);
    if (n)
        memcpy(text, buf_head(&rig->client->out), n);
    text[n] = '\0';
    buf_fini(&rig->client->out);
    return text;
}

static inline const char *asked(struct http_rig *rig) {
    static char text[65536];
    struct wire *wire = rig->wires[rig->wire_count - 1];
    size_t n = buf_len(&wire->out);
    assert_true(n < sizeof text);
    if (n)
        memcpy(text, buf_head(&wire->out), n);
    text[n] = '\0';
    buf_fini(&wire->out);
    return text;
}

static inline void assert_begins(const char *text, const char *beginning) {
    if (strncmp(text, beginning, strlen(beginning)) != 0)
        fail_msg("not \"%s\" but \"%.200s\"", beginning, text);
}

static inline void assert_ends(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    if (n < m || strcmp(text + n - m, end) != 0)
        fail_msg("it does not end with \"%s\": \"%.500s\"", end, text);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, http_rig_up, http_rig_down)

#endif
