/* HTTP connections at random: conversations are made up, cut into pieces, slowed down and broken off; what arrives is
 * compared with what was meant. Fixed seeds: a failure says its own, and comes again. */
#include "http_world.h"

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
    assert_begins(text, "HTTP/1.1 ");
    out->status = (unsigned)strtoul(text + 9, NULL, 10);
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

#define ROUNDS 2000

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
