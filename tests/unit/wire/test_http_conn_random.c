/* HTTP connections at random: conversations are made up, cut into pieces, slowed down and broken off; what arrives is
 * compared with what was meant. Fixed seeds: a failure says its own, and comes again. */
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

static uint32_t dice(struct world *world, uint32_t sides) {
    world->seed = world->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(world->seed >> 33) % sides;
}

static bool one_in(struct world *world, uint32_t sides) {
    return dice(world, sides) == 0;
}

static void put(struct buf *to, const char *text) {
    assert_int_equal(buf_append(to, text, strlen(text)), 0);
}

static void make_body(struct world *world, struct buf *body) {
    size_t n = one_in(world, 12) ? dice(world, 90000) : one_in(world, 2) ? dice(world, 30) : dice(world, 3000);
    for (size_t i = 0; i <= n; i++) {
        /* Bodies look like heads and chunks where they can. */
        static const char letters[] = "\r\n0aHT1;: ";
        uint8_t byte = (uint8_t)letters[dice(world, sizeof letters - 1)];
        assert_int_equal(buf_append(body, &byte, 1), 0);
    }
}

static void make_plan(struct world *world, struct plan *plan) {
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
static void frame_body(struct world *world, enum framing framing, const struct buf *body, struct buf *to) {
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

static void say_request(struct world *world, size_t i) {
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

static void say_answer(struct world *world, struct server *server) {
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
static size_t unchunk(const uint8_t *bytes, size_t n, struct buf *body) {
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
static void assert_part(const struct buf *part, const struct buf *whole, bool all) {
    assert_true(buf_len(part) <= buf_len(whole));
    if (buf_len(part))
        assert_memory_equal(buf_head(part), buf_head(whole), buf_len(part));
    if (all)
        assert_int_equal(buf_len(part), buf_len(whole));
}

/* Does the server have the body of its request? What it has must be right in any case. */
static bool server_has_body(struct server *server) {
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
static bool server_takes_head(struct world *world, struct server *server) {
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

static void server_echo(struct server *server) {
    size_t n = buf_len(&server->wire->out) - server->body_at;
    for (; server->echoed < n && !server->wire->in_end; server->echoed++) {
        uint8_t byte = buf_head(&server->wire->out)[server->body_at + server->echoed] ^ 0x55;
        wire_say(server->wire, &byte, 1);
    }
    server->wire->in_end |= server->wire->ended;
}

static void server_step(struct world *world, struct server *server) {
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

static void servers_step(struct world *world) {
    for (; world->server_count < world->rig.wire_count; world->server_count++) {
        struct server *server = &world->servers[world->server_count];
        *server = (struct server){.wire = world->rig.wires[world->server_count]};
        server->wire->eager = one_in(world, 3);
        server->wire->room = one_in(world, 2) ? SIZE_MAX : dice(world, 300);
    }
    for (size_t i = 0; i < world->server_count; i++)
        server_step(world, &world->servers[i]);
}

static enum act decide(struct http_rig *rig, const struct http_head *head) {
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
static bool owner_step(struct world *world) {
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

static void disturb(struct world *world) {
    struct http_rig *rig = &world->rig;
    struct wire *up = rig_upstream(rig);
    struct wire *wire = up && one_in(world, 2) ? up : rig->client;
    world->disturbed = true;
    switch (dice(world, 8)) {
    case 0:
        wire->in_end = true;
        break;
    case 1:
        wire->in_lost = true;
        break;
    case 2:
        wire->broken = true;
        break;
    case 3:
        if (!wire->in_end && !world->plans[world->count - 1].granted)
            put(&wire->in, "Evil\n");
        break;
    case 4: /* cut short */
        wire->in.len = wire->fed + dice(world, (uint32_t)(wire->in.len - wire->fed + 1));
        wire->in_end = true;
        break;
    case 5:
        if (rig->conn)
            http_conn_close(rig->conn);
        break;
    case 6:
        rig->refuse_response = true;
        break;
    default:
        rig->connect_fails = true;
    }
}

static void world_step(struct world *world) {
    struct http_rig *rig = &world->rig;
    struct wire *wire =
        rig->wire_count && one_in(world, 2) ? rig->wires[dice(world, (uint32_t)rig->wire_count)] : rig->client;
    size_t n = one_in(world, 3) ? 1 + dice(world, 3) : one_in(world, 2) ? 1 + dice(world, 400) : 1 + dice(world, 70000);
    rig->connect_later = one_in(world, 2);
    rig->fail_later = one_in(world, 2);
    switch (dice(world, 8)) {
    case 0:
    case 1:
    case 2:
        (void)wire_feed(wire, n);
        break;
    case 3:
        (void)wire_finish(wire);
        break;
    case 4:
        (void)wire_room(wire, n);
        break;
    case 5:
        loop_drain(rig->loop);
        break;
    case 6:
        (void)owner_step(world);
        break;
    default:
        servers_step(world);
    }
    rig_watch(rig);
    if (world->hostile && one_in(world, 40))
        disturb(world);
}

/* Until nothing moves any more. */
static void world_settle(struct world *world) {
    for (int quiet = 0; quiet < 3; quiet++) {
        size_t before = world->rig.seen[ON_REQUEST] + world->rig.seen[ON_RESPONSE] + world->rig.wire_count;
        size_t sizes = buf_len(&world->rig.client->out);
        rig_settle(&world->rig);
        servers_step(world);
        bool moved = owner_step(world);
        for (size_t i = 0; i < world->rig.wire_count; i++)
            sizes += buf_len(&world->rig.wires[i]->in);
        rig_settle(&world->rig);
        size_t now = buf_len(&world->rig.client->out);
        for (size_t i = 0; i < world->rig.wire_count; i++)
            now += buf_len(&world->rig.wires[i]->in);
        if (moved || now != sizes ||
            before != world->rig.seen[ON_REQUEST] + world->rig.seen[ON_RESPONSE] + world->rig.wire_count)
            quiet = -1;
    }
}

/* One answer as the client reads it. */
struct answer {
    unsigned status;
    size_t id;
    bool own, close, whole;
    enum framing framing;
    size_t length, size; /* size: with its head */
    struct buf body;
};

static const char *field(const char *head, const char *end, const char *name) {
    const char *at = strstr(head, name);
    return at && at < end ? at + strlen(name) : NULL;
}

/* What the client makes of its answer to `plan`; false: its head is not whole. */
static bool read_answer(const struct world *world, size_t from, struct answer *out) {
    const uint8_t *bytes = buf_head(&world->rig.client->out);
    const char *text = (const char *)bytes + from, *value;
    size_t n = buf_len(&world->rig.client->out) - from;
    *out = (struct answer){.framing = END};
    const char *end = n ? strstr(text, "\r\n\r\n") : NULL;
    if (!end)
        return false;
    end += 2;
    assert_int_equal(sscanf(text, "HTTP/1.1 %3u ", &out->status), 1);
    out->own = (value = field(text, end, "\r\nX-Own: /")) != NULL;
    value = value ? value : field(text, end, "\r\nX-Id: ");
    out->id = value ? strtoul(value, NULL, 10) : SIZE_MAX;
    out->close = field(text, end, "\r\nConnection: close\r\n") != NULL;
    if ((value = field(text, end, "\r\nContent-Length: "))) {
        out->framing = LENGTH;
        out->length = strtoul(value, NULL, 10);
    }
    if (field(text, end, "\r\nTransfer-Encoding: chunked\r\n")) {
        assert_int_equal(out->framing, END);
        out->framing = CHUNKED;
    }
    bool head = out->id < world->count && world->plans[out->id].head;
    if (head || out->status < 200 || out->status == 204 || out->status == 304)
        out->framing = NONE;
    size_t at = from + (size_t)(end - text) + 2, rest = buf_len(&world->rig.client->out) - at, frame = 0;
    out->whole = out->framing == NONE;
    if (out->framing == LENGTH) {
        frame = rest < out->length ? rest : out->length;
        assert_int_equal(buf_append(&out->body, bytes + at, frame), 0);
        out->whole = frame == out->length;
    } else if (out->framing == CHUNKED) {
        frame = unchunk(bytes + at, rest, &out->body);
        out->whole = frame > 0;
        frame = out->whole ? frame : rest;
    } else if (out->framing == END) {
        frame = rest;
        assert_int_equal(buf_append(&out->body, bytes + at, frame), 0);
        out->whole = world->rig.closed > 0;
    }
    out->size = at + frame - from;
    return true;
}

/* The answer, if it is whole, or the part of it, is the one that was meant for this request. */
static void check_answer(const struct world *world, size_t i, const struct answer *answer) {
    const struct plan *plan = &world->plans[i];
    assert_int_equal(answer->id, i);
    if (answer->own) {
        bool planned = plan->act == ACT_REPLY || plan->act == ACT_REPLY_CLOSE;
        bool failed = plan->old && plan->answer_framing == CHUNKED;
        /* A server that leaves without a word may take a request with it that must not be repeated. */
        bool lost = false;
        for (size_t j = 0; j < i; j++)
            lost |= world->plans[j].silent_close || (world->plans[j].head && world->plans[j].answer_framing == END);
        if (answer->status != 200)
            assert_true(failed || lost || world->disturbed);
        else
            assert_true(planned);
        return;
    }
    assert_int_equal(answer->status, plan->status);
    if (answer->framing == NONE)
        return;
    /* Of an answer without a frame nobody can tell whether all of it came; but its end is told from a break. */
    if (plan->answer_framing == END)
        assert_int_equal(answer->framing, plan->old ? END : CHUNKED);
    assert_part(&answer->body, &plan->answer, answer->whole && (plan->answer_framing != END || !world->disturbed));
    if (!world->disturbed)
        assert_true(answer->whole);
}

/* Was there a reason to end the connection after this answer? */
static bool may_close(const struct world *world, size_t i, const struct answer *answer) {
    const struct plan *plan = &world->plans[i];
    if (plan->old || plan->says_close || plan->upgrade || plan->act == ACT_REPLY_CLOSE || answer->framing == END)
        return true;
    if (world->rig.client->told_end && i + 1 == world->count)
        return true;
    return plan->framing != NONE && (answer->own || plan->early);
}

static size_t check_upgraded(const struct world *world, size_t i, size_t at) {
    const struct plan *plan = &world->plans[i];
    size_t n = buf_len(&world->rig.client->out) - at, want = buf_len(&plan->body);
    assert_true(world->disturbed ? n <= want : n == want);
    for (size_t j = 0; j < n; j++)
        assert_int_equal(buf_head(&world->rig.client->out)[at + j] ^ 0x55, buf_head(&plan->body)[j]);
    return n;
}

static void check_client(struct world *world) {
    size_t at = 0, i = 0, total;
    struct answer answer = {.close = false};
    bool closing = false;
    assert_non_null(wire_text(world->rig.client));
    total = buf_len(&world->rig.client->out);
    while (at < total && !closing) {
        if (!read_answer(world, at, &answer)) {
            assert_true(world->disturbed);
            return;
        }
        if (answer.id == SIZE_MAX) { /* the connection's own refusal */
            assert_true(world->disturbed);
            assert_true(answer.status == 400 && answer.close);
            assert_int_equal(at + answer.size, total);
            buf_fini(&answer.body);
            return;
        }
        assert_true(i < world->count);
        if (answer.status == 101) {
            assert_true(world->plans[i].granted);
            at += answer.size;
            at += check_upgraded(world, i, at);
            assert_int_equal(at, total);
            return;
        }
        at += answer.size;
        if (answer.status < 200) {
            assert_int_equal(answer.id, i);
            assert_false(world->plans[i].old);
            continue;
        }
        check_answer(world, i, &answer);
        closing = answer.close || !answer.whole;
        if (answer.close && !world->disturbed)
            assert_true(may_close(world, i, &answer));
        buf_fini(&answer.body);
        i++;
    }
    assert_int_equal(at, total); /* nothing behind the last one */
    if (world->disturbed)
        return;
    if (closing)
        assert_int_equal(world->rig.closed, 1);
    else
        assert_int_equal(i, world->count);
}

static void world_free(struct world *world) {
    http_rig_fini(&world->rig);
    for (size_t i = 0; i < PLANS_MAX; i++) {
        buf_fini(&world->plans[i].body);
        buf_fini(&world->plans[i].answer);
    }
    free(world);
}

static void round_with(uint64_t seed, bool hostile) {
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    world->hostile = hostile;
    http_rig_init(&world->rig, NULL);
    world->rig.test = world;
    world->rig.decide = decide;
    world->count = 1 + dice(world, PLANS_MAX);
    if (hostile && one_in(world, 3)) {
        world->rig.close_in = (enum event)dice(world, EVENTS);
        world->rig.close_at = 1 + dice(world, 3);
        world->disturbed = true;
    }
    for (size_t i = 0; i < world->count; i++) {
        make_plan(world, &world->plans[i]);
        say_request(world, i);
        if (world->plans[i].granted) { /* raw from here on */
            world->count = i + 1;
            world->rig.client->in_end = true;
        }
    }
    world->rig.client->in_end |= one_in(world, 5);
    world->rig.client->eager = one_in(world, 2);
    world->rig.client->room = one_in(world, 2) ? SIZE_MAX : dice(world, 200);
    unsigned steps = dice(world, 1500);
    for (unsigned i = 0; i < steps && world->rig.conn; i++)
        world_step(world);
    world->rig.connect_later = world->rig.fail_later = false;
    world_settle(world);
    check_client(world);
    world_free(world);
}

#define ROUNDS 4000

static void rounds(bool hostile) {
    const char *only = getenv("SEED"), *many = getenv("ROUNDS");
    uint64_t first = only ? strtoull(only, NULL, 10) : 0, count = many ? strtoull(many, NULL, 10) : ROUNDS;
    for (uint64_t seed = first; seed < first + (only ? 1 : count); seed++) {
        if (getenv("SAY"))
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        round_with(seed, hostile);
    }
}

static void test_honest_rounds(void **state) {
    (void)state;
    rounds(false);
}

static void test_hostile_rounds(void **state) {
    (void)state;
    rounds(true);
}

/* Two requests; the frames of the first one vary, the second one shows what the first one left behind. */
static struct world *small_world(enum framing framing, enum framing answer_framing, bool upgrade) {
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->seed = 1;
    http_rig_init(&world->rig, NULL);
    world->rig.test = world;
    world->rig.decide = decide;
    world->count = upgrade ? 1 : 2;
    for (size_t i = 0; i < world->count; i++) {
        struct plan *plan = &world->plans[i];
        plan->post = framing != NONE;
        plan->framing = i ? NONE : framing;
        plan->upgrade = plan->granted = upgrade;
        plan->status = 200;
        plan->interims = 1;
        plan->answer_framing = i ? LENGTH : answer_framing;
        put(&plan->body, "HTTP/1.1 2\r\n");
        put(&plan->answer, "0\r\n\r\nhello");
        say_request(world, i);
    }
    world->rig.client->in_end = upgrade;
    return world;
}

/* Everything up to byte `at` of the client, or of the server, has come and was dealt with. Then `what`. False: there
 * are not so many bytes. */
static bool broken_at(struct world *world, bool client, size_t at, unsigned what) {
    struct http_rig *rig = &world->rig;
    struct wire *wire = rig->client;
    if (!client) {
        wire->gate = buf_len(&wire->in); /* so that it does not end yet */
        rig_settle(rig);
        wire = rig->wires[0];
    }
    wire->gate = at;
    world_settle(world);
    bool enough = at < buf_len(&wire->in);
    world->disturbed = what > 0;
    switch (what) {
    case 1:
        wire->gate = wire->fed;
        wire->in.len = wire->fed;
        wire->in_end = true;
        break;
    case 2:
        wire->in_lost = true;
        break;
    case 3:
        wire->broken = true;
        break;
    case 4:
        if (rig->conn)
            http_conn_close(rig->conn);
        break;
    default:
        break;
    }
    wire->gate = SIZE_MAX;
    world_settle(world);
    check_client(world);
    return enough;
}

static void break_everywhere(enum framing framing, enum framing answer_framing, bool upgrade) {
    for (unsigned what = 0; what < 5; what++) {
        for (int client = 0; client < 2; client++) {
            bool more = true;
            for (size_t at = 0; more; at++) {
                struct world *world = small_world(framing, answer_framing, upgrade);
                more = broken_at(world, client, at, what);
                world_free(world);
            }
        }
    }
}

static void test_a_break_at_each_byte(void **state) {
    (void)state;
    break_everywhere(NONE, LENGTH, false);
    break_everywhere(LENGTH, CHUNKED, false);
    break_everywhere(CHUNKED, END, false);
    break_everywhere(NONE, NONE, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_break_at_each_byte),
        cmocka_unit_test(test_honest_rounds),
        cmocka_unit_test(test_hostile_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
