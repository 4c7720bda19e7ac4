/* Conversations over HTTP, made up at random, and servers that hold their side of them and look that nothing but the
 * right requests comes. */
#ifndef SALLYPORT_TEST_WIRE_HTTP_WORLD_H
#define SALLYPORT_TEST_WIRE_HTTP_WORLD_H

#include "http_rig.h"

#define PLANS_MAX 6

enum framing { NONE, LENGTH, CHUNKED, END };

/* A request and its answer, as they are meant. */
struct plan {
    bool head, post, get, old, says_close, upgrade, granted;
    enum framing framing;
    struct buf body; /* of the request; what is said after an upgrade */
    enum act act;
    bool asked_later;
    unsigned interims, status;
    int pad; /* bytes that the head of the answer has more */
    enum framing answer_framing;
    struct buf answer; /* its body */
    bool answer_close, early, silent_close, babble;
    /* What happened. */
    unsigned asked;       /* times that a server got it */
    bool whole;           /* a server got all of it */
    bool left;            /* a server closed without saying so */
    bool answered;        /* a server said all of its answer */
    size_t answer_starts; /* in that server's words */
};

/* Speaks as the other side of one stream upstream. */
struct server {
    struct wire *wire;
    size_t at;         /* of what it got */
    struct plan *plan; /* under way, or NULL */
    size_t body_at;
    bool said;   /* the answer */
    bool leaves; /* and takes no further request */
    size_t echoed;
};

struct world {
    uint64_t seed;
    struct http_rig rig;
    struct plan plans[PLANS_MAX];
    size_t count;
    struct server servers[WIRES_MAX];
    size_t server_count;
    bool hostile;
    bool disturbed; /* something happened that the plans do not know of */
};

static inline uint32_t dice(struct world *world, uint32_t sides) {
    world->seed = world->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(world->seed >> 33) % sides;
}

static inline bool one_in(struct world *world, uint32_t sides) {
    return dice(world, sides) == 0;
}

static inline void put(struct buf *to, const char *text) {
    assert_int_equal(buf_append(to, text, strlen(text)), 0);
}

static inline void make_body(struct world *world, struct buf *body) {
    size_t n = one_in(world, 12) ? dice(world, 90000) : one_in(world, 2) ? dice(world, 30) : dice(world, 3000);
    for (size_t i = 0; i <= n; i++) {
        /* Bodies look like heads and chunks where they can. */
        static const char letters[] = "\r\n0aHT1;: ";
        uint8_t byte = (uint8_t)letters[dice(world, sizeof letters - 1)];
        assert_int_equal(buf_append(body, &byte, 1), 0);
    }
}

static inline void make_plan(struct world *world, struct plan *plan) {
    plan->old = one_in(world, 12);
    plan->says_close = one_in(world, 10);
    plan->upgrade = !plan->old && one_in(world, 12);
    plan->head = !plan->upgrade && one_in(world, 8);
    plan->post = !plan->upgrade && !plan->head && !plan->old && one_in(world, 2);
    plan->get = !plan->post && !plan->head;
    plan->framing = plan->post ? (enum framing)dice(world, 3) : NONE;
    if (plan->framing != NONE)
        make_body(world, &plan->body);
    static const enum act acts[] = {ACT_FORWARD, ACT_FORWARD, ACT_FORWARD, ACT_FORWARD_FRESH, ACT_REPLY,
                                    ACT_FORWARD, ACT_FORWARD, ACT_FORWARD, ACT_REPLY_CLOSE};
    plan->act = acts[dice(world, sizeof acts / sizeof acts[0] - (one_in(world, 3) ? 0 : 1))];
    plan->asked_later = one_in(world, 3);
    plan->interims = one_in(world, 4) ? dice(world, 5) : 0;
    plan->pad = one_in(world, 8) ? (int)dice(world, 32000) : 0;
    static const unsigned statuses[] = {200, 200, 200, 200, 204, 304, 404, 500};
    plan->status = statuses[dice(world, 8)];
    plan->answer_framing = plan->status == 204 || plan->status == 304 ? NONE : (enum framing)(1 + dice(world, 2));
    if (plan->answer_framing != NONE && one_in(world, 12))
        plan->answer_framing = END;
    if (plan->answer_framing != NONE)
        make_body(world, &plan->answer);
    plan->answer_close = one_in(world, 10);
    plan->early = one_in(world, 6);
    plan->silent_close = one_in(world, 12);
    plan->babble = world->hostile && one_in(world, 20);
    world->disturbed |= plan->babble;
    plan->granted = plan->upgrade && !one_in(world, 4) && (plan->act == ACT_FORWARD || plan->act == ACT_FORWARD_FRESH);
    if (plan->granted)
        make_body(world, &plan->body);
}

/* The body in its frame: chunks of any size, with what may stand around them. */
static inline void frame_body(struct world *world, enum framing framing, const struct buf *body, struct buf *to) {
    if (framing != CHUNKED) {
        assert_int_equal(buf_append(to, buf_head(body), framing == NONE ? 0 : buf_len(body)), 0);
        return;
    }
    for (size_t at = 0; at < buf_len(body);) {
        size_t left = buf_len(body) - at, n = 1 + dice(world, one_in(world, 3) ? 4 : 5000);
        n = n < left ? n : left;
        assert_int_equal(buf_printf(to, one_in(world, 2) ? "%zx" : "%04zX", n), 0);
        put(to, one_in(world, 4) ? ";name=\"va;lue\"\r\n" : "\r\n");
        assert_int_equal(buf_append(to, buf_head(body) + at, n), 0);
        put(to, "\r\n");
        at += n;
    }
    put(to, one_in(world, 4) ? "000;x\r\n" : "0\r\n");
    put(to, one_in(world, 4) ? "X-Trailer: 1\r\nHost: evil\r\n\r\n" : "\r\n");
}

static inline void say_request(struct world *world, size_t i) {
    struct plan *plan = &world->plans[i];
    struct buf *to = &world->rig.client->in;
    assert_int_equal(buf_printf(to, "%s /%zu HTTP/1.%d\r\nHost: relay.example\r\n",
                                plan->head   ? "HEAD"
                                : plan->post ? "POST"
                                             : "GET",
                                i, !plan->old),
                     0);
    if (plan->says_close && !plan->upgrade)
        put(to, "Connection: close\r\n");
    if (plan->upgrade)
        put(to, "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: x\r\n");
    if (plan->framing == LENGTH)
        assert_int_equal(buf_printf(to, "Content-Length: %zu\r\n", buf_len(&plan->body)), 0);
    put(to, plan->framing == CHUNKED ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    frame_body(world, plan->granted ? LENGTH : plan->framing, &plan->body, to);
}

static inline void say_answer(struct world *world, struct server *server) {
    struct plan *plan = server->plan;
    struct buf *to = &server->wire->in;
    size_t id = (size_t)(plan - world->plans);
    plan->answer_starts = buf_len(to);
    server->said = true;
    for (unsigned i = 0; i < plan->interims; i++)
        assert_int_equal(buf_printf(to, "HTTP/1.1 %d Wait\r\nX-Id: %zu\r\n\r\n", i % 2 ? 100 : 103, id), 0);
    if (plan->granted) {
        assert_int_equal(buf_printf(to,
                                    "HTTP/1.1 101 Go\r\nX-Id: %zu\r\nUpgrade: websocket\r\n"
                                    "Connection: Upgrade\r\n\r\n",
                                    id),
                         0);
        plan->answered = true;
        return;
    }
    assert_int_equal(buf_printf(to, "HTTP/1.1 %u What\r\nX-Id: %zu\r\nX-Pad: %0*d\r\n", plan->status, id, plan->pad, 0),
                     0);
    if (plan->answer_framing == LENGTH)
        assert_int_equal(buf_printf(to, "Content-Length: %zu\r\n", buf_len(&plan->answer)), 0);
    if (plan->answer_framing == CHUNKED)
        put(to, "Transfer-Encoding: chunked\r\n");
    put(to, plan->answer_close ? "Connection: close\r\n\r\n" : "\r\n");
    if (!plan->head)
        frame_body(world, plan->answer_framing, &plan->answer, to);
    if (plan->babble && plan->answer_framing != END)
        put(to, "Evil\n");
    server->leaves = plan->answer_close || plan->silent_close || plan->babble || plan->answer_framing == END;
    server->wire->in_end = server->leaves;
    plan->answered = true;
}

/* Takes a chunked body apart: how long it is in its frame, or 0 when it is not whole; what is there is appended. It
 * must have nothing but chunks. */
static inline size_t unchunk(const uint8_t *bytes, size_t n, struct buf *body) {
    size_t at = 0;
    for (;;) {
        size_t size = 0, digits = 0;
        while (at < n && strchr("0123456789abcdefABCDEF", bytes[at]) && bytes[at]) {
            char digit[2] = {(char)bytes[at++], '\0'};
            size = size * 16 + strtoul(digit, NULL, 16);
            digits++;
        }
        if (n - at < 2)
            return 0;
        assert_true(digits > 0);
        assert_memory_equal(bytes + at, "\r\n", 2);
        at += 2;
        size_t have = n - at < size ? n - at : size;
        assert_int_equal(buf_append(body, bytes + at, have), 0);
        at += have;
        if (n - at < 2)
            return 0;
        assert_memory_equal(bytes + at, "\r\n", 2);
        at += 2;
        if (size == 0)
            return at;
    }
}

/* `part` is `whole`, or at least how it begins. */
static inline void assert_part(const struct buf *part, const struct buf *whole, bool all) {
    assert_true(buf_len(part) <= buf_len(whole));
    if (buf_len(part))
        assert_memory_equal(buf_head(part), buf_head(whole), buf_len(part));
    if (all)
        assert_int_equal(buf_len(part), buf_len(whole));
}

/* Does the server have the body of its request? What it has must be right in any case. */
static inline bool server_has_body(struct server *server) {
    struct plan *plan = server->plan;
    const uint8_t *bytes = buf_len(&server->wire->out) ? buf_head(&server->wire->out) + server->body_at : NULL;
    size_t n = buf_len(&server->wire->out) - server->body_at, frame = 0;
    struct buf body;
    buf_init(&body);
    bool whole = plan->framing == NONE;
    if (plan->framing == LENGTH) {
        frame = n < buf_len(&plan->body) ? n : buf_len(&plan->body);
        assert_int_equal(buf_append(&body, bytes, frame), 0);
        whole = frame == buf_len(&plan->body);
    } else if (plan->framing == CHUNKED) {
        frame = unchunk(bytes, n, &body);
        whole = frame > 0;
    }
    if (!whole || plan->framing != NONE)
        assert_part(&body, &plan->body, whole);
    buf_fini(&body);
    if (whole)
        server->at = server->body_at + frame;
    return whole;
}

/* A request's head must be what the owner wrote, with the frame, and nothing else. */
static inline bool server_takes_head(struct world *world, struct server *server) {
    char want[256];
    const char *text = wire_text(server->wire) + server->at;
    const char *end = strstr(text, "\r\n\r\n");
    if (!end)
        return false;
    const char *slash = strstr(text, " /");
    assert_non_null(slash);
    size_t id = strtoul(slash + 2, NULL, 10);
    assert_true(id < world->count);
    struct plan *plan = &world->plans[id];
    int n = snprintf(want, sizeof want, "%s /%zu HTTP/1.1\r\nHost: upstream\r\n",
                     plan->head   ? "HEAD"
                     : plan->post ? "POST"
                                  : "GET",
                     id);
    if (plan->upgrade)
        n += snprintf(want + n, sizeof want - (size_t)n, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    if (plan->framing == LENGTH)
        n += snprintf(want + n, sizeof want - (size_t)n, "Content-Length: %zu\r\n", buf_len(&plan->body));
    if (plan->framing == CHUNKED)
        n += snprintf(want + n, sizeof want - (size_t)n, "Transfer-Encoding: chunked\r\n");
    n += snprintf(want + n, sizeof want - (size_t)n, "\r\n");
    assert_memory_equal(text, want, (size_t)n);
    server->plan = plan;
    server->said = false;
    server->body_at = server->at + (size_t)n;
    plan->asked++;
    assert_true(plan->asked <= (plan->framing == NONE && !plan->post ? 2 : 1));
    return true;
}

static inline void server_echo(struct server *server) {
    size_t n = buf_len(&server->wire->out) - server->body_at;
    for (; server->echoed < n && !server->wire->in_end; server->echoed++) {
        uint8_t byte = buf_head(&server->wire->out)[server->body_at + server->echoed] ^ 0x55;
        wire_say(server->wire, &byte, 1);
    }
    server->wire->in_end |= server->wire->ended;
}

static inline void server_step(struct world *world, struct server *server) {
    if (server->wire->closed)
        return;
    if (server->leaves) {
        struct plan *late = server->plan;
        /* What comes now is for nobody; the one who asks is to learn that from our end. */
        if (late && late->answered && buf_len(&server->wire->out) > server->at)
            server->plan = NULL;
        return;
    }
    if (!server->plan && !server_takes_head(world, server))
        return;
    struct plan *plan = server->plan;
    bool whole = plan->granted || server_has_body(server);
    plan->whole |= whole;
    if (!server->said && (whole || (plan->early && one_in(world, 3))))
        say_answer(world, server);
    if (plan->granted)
        server_echo(server);
    else if (server->said && whole && !server->leaves)
        server->plan = NULL;
}

static inline void servers_step(struct world *world) {
    for (; world->server_count < world->rig.wire_count; world->server_count++) {
        struct server *server = &world->servers[world->server_count];
        *server = (struct server){.wire = world->rig.wires[world->server_count]};
        server->wire->eager = one_in(world, 3);
        server->wire->room = one_in(world, 2) ? SIZE_MAX : dice(world, 300);
    }
    for (size_t i = 0; i < world->server_count; i++)
        server_step(world, &world->servers[i]);
}

static inline enum act decide(struct http_rig *rig, const struct http_head *head) {
    struct world *world = rig->test;
    char target[16] = "";
    (void)snprintf(target, sizeof target, "%.*s", (int)head->target.len, head->target.at);
    assert_int_equal(target[0], '/');
    size_t id = strtoul(target + 1, NULL, 10);
    assert_true(id < world->count);
    rig->eager = one_in(world, 3);
    rig->room = one_in(world, 3) ? dice(world, 100) : SIZE_MAX;
    return world->plans[id].asked_later ? ACT_LATER : world->plans[id].act;
}

/* What the owner still owes. */
static inline bool owner_step(struct world *world) {
    struct http_rig *rig = &world->rig;
    if (!rig->conn)
        return false;
    if (rig->asked)
        rig_act(rig, world->plans[strtoul(rig->target + 1, NULL, 10)].act);
    else if (rig->wants_stream)
        rig_connected(rig);
    else if (rig->has_failed)
        rig_failed_reply(rig);
    else
        return false;
    return true;
}

#endif
