/* What one HTTP connection carries without knowing it: upgrades, answers without end, bodies larger than its memory;
 * and how long it waits. */
#include "http_conn_local.h"
#include "http_rig.h"

static void test_an_upgrade(void **state) {
    struct http_rig *rig = *state;
    uint64_t before = http_conn_carried(rig->conn);
    client_says(rig, UPGRADE("/w") "early words");
    assert_false(rig->conn->upgraded);
    assert_string_equal(asked(rig), "GET /w HTTP/1.1\r\nHost: upstream\r\nConnection: Upgrade\r\n"
                                    "Upgrade: websocket\r\n\r\n");
    upstream_says(rig, SWITCH "\r\nand the answer");
    assert_true(rig->conn->upgraded);
    assert_string_equal(asked(rig), "early words");
    assert_string_equal(got(rig), "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nand the answer");
    client_says(rig, GET("/raw"));
    assert_string_equal(asked(rig), GET("/raw"));
    assert_int_equal(http_conn_carried(rig->conn) - before, 25 + strlen(GET("/raw")));
    rig->client->in_end = true;
    rig_settle(rig);
    assert_true(rig->wires[0]->ended);
    assert_int_equal(rig->closed, 0);
    upstream_says(rig, "last words");
    assert_string_equal(got(rig), "last words");
    rig->wires[0]->in_end = true;
    rig_settle(rig);
    assert_int_equal(rig->closed, 1);
}

static void test_an_upgrade_that_upstream_ends(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, UPGRADE("/w"));
    rig->wires[0]->in_end = true;
    upstream_says(rig, SWITCH "\r\nbye");
    assert_ends(got(rig), "\r\n\r\nbye");
    assert_true(rig->client->ended);
    assert_int_equal(rig->closed, 0);
    client_says(rig, "bye");
    rig->client->in_end = true;
    rig_settle(rig);
    assert_ends(asked(rig), "bye");
    assert_int_equal(rig->closed, 1);
}

static void test_an_upgrade_that_is_refused(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, UPGRADE("/w"));
    upstream_says(rig, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
    assert_string_equal(got(rig), "HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    assert_int_equal(rig->closed, 1); /* what follows the wish is of no known protocol */
}

/* The client is slow: what is left of the head goes out before the end does. */
static void test_an_upgrade_that_ends_before_its_head_is_taken(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, UPGRADE("/w"));
    rig->client->room = 5;
    wire_say(rig->wires[0], SWITCH "\r\nbye", strlen(SWITCH "\r\nbye"));
    rig->wires[0]->in_end = true;
    (void)wire_feed(rig->wires[0], SIZE_MAX);
    (void)wire_finish(rig->wires[0]);
    assert_false(rig->client->ended);
    rig_settle(rig);
    assert_string_equal(got(rig), "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nbye");
    assert_true(rig->client->ended);
    assert_int_equal(rig->closed, 0);
}

/* The same with a client that has said all. */
static void test_an_upgrade_that_both_end(void **state) {
    struct http_rig *rig = *state;
    rig->client->in_end = true;
    client_says(rig, UPGRADE("/w"));
    assert_false(rig->wires[0]->ended);
    rig->client->room = 5;
    wire_say(rig->wires[0], SWITCH "\r\nbye", strlen(SWITCH "\r\nbye"));
    rig->wires[0]->in_end = true;
    (void)wire_feed(rig->wires[0], SIZE_MAX);
    assert_true(rig->wires[0]->ended);
    (void)wire_finish(rig->wires[0]);
    rig_settle(rig);
    assert_string_equal(got(rig), "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nbye");
    assert_int_equal(rig->closed, 1);
}

static enum act act_stream(struct http_rig *rig, const struct http_head *head) {
    (void)rig, (void)head;
    return ACT_STREAM;
}

static void test_an_answer_without_end(void **state) {
    struct http_rig *rig = *state;
    rig->decide = act_stream;
    client_says(rig, GET("/1"));
    assert_string_equal(got(rig), "HTTP/1.1 200 Stream\r\nX-Own: /1\r\nConnection: close\r\n\r\n");
    rig->client->room = 3;
    assert_int_equal(http_conn_send(rig->conn, (const uint8_t *)"hello", 5), 3);
    assert_int_equal(http_conn_send(rig->conn, (const uint8_t *)"lo", 2), 0);
    assert_int_equal(rig->seen[ON_WRITABLE], 0);
    (void)wire_room(rig->client, 1);
    assert_int_equal(rig->seen[ON_WRITABLE], 1);
    assert_int_equal(http_conn_send(rig->conn, (const uint8_t *)"lo", 2), 1);
    (void)wire_room(rig->client, SIZE_MAX);
    assert_int_equal(http_conn_send(rig->conn, (const uint8_t *)"o", 1), 1);
    assert_string_equal(got(rig), "hello");
    rig->client->in_end = true;
    rig_settle(rig);
    assert_int_equal(rig->closed, 1);
}

/* The head itself is not taken at once, byte by byte. */
static void test_an_answer_without_end_and_no_room(void **state) {
    struct http_rig *rig = *state;
    rig->decide = act_stream;
    rig->client->room = 1;
    wire_say(rig->client, GET("/1"), strlen(GET("/1")));
    (void)wire_feed(rig->client, SIZE_MAX);
    assert_int_equal(http_conn_send(rig->conn, (const uint8_t *)"x", 1), 0);
    for (int i = 0; i < 500 && !rig->seen[ON_WRITABLE]; i++)
        (void)wire_room(rig->client, 1);
    assert_int_equal(rig->seen[ON_WRITABLE], 1);
    rig->client->room = 10;
    assert_int_equal(http_conn_send(rig->conn, (const uint8_t *)"x", 1), 1);
    assert_string_equal(got(rig), "HTTP/1.1 200 Stream\r\nX-Own: /1\r\nConnection: close\r\n\r\nx");
}

/* What waits for a reader stays where it came from. */
static void test_readers_that_stand_still(void **state) {
    struct http_rig *rig = *state;
    enum { SIZE = 4 << 20 };
    char *block = malloc(SIZE), head[128];
    assert_non_null(block);
    for (size_t i = 0; i < SIZE; i++)
        block[i] = (char)(i * 31 >> 3);
    int n = snprintf(head, sizeof head, "POST /1 HTTP/1.1\r\nHost: relay.example\r\nContent-Length: %d\r\n\r\n", SIZE);
    rig->room = 100;
    wire_say(rig->client, head, (size_t)n);
    wire_say(rig->client, block, SIZE);
    (void)wire_feed(rig->client, SIZE_MAX);
    loop_drain(rig->loop);
    rig_watch(rig);
    struct wire *up = rig_upstream(rig);
    assert_non_null(up);
    assert_true(rig->client->fed < 1000);
    for (int i = 0; i < 1000 && rig->client->fed < buf_len(&rig->client->in); i++) {
        (void)wire_room(up, 70001);
        loop_drain(rig->loop);
        (void)wire_feed(rig->client, SIZE_MAX);
        rig_watch(rig);
    }
    assert_true(buf_len(&up->out) > SIZE);
    assert_memory_equal(buf_head(&up->out) + buf_len(&up->out) - SIZE, block, SIZE);
    /* And back. */
    rig->client->room = 10;
    n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE);
    wire_say(up, head, (size_t)n);
    wire_say(up, block, SIZE);
    (void)wire_feed(up, SIZE_MAX);
    rig_watch(rig);
    assert_true(up->fed < 50000);
    for (int i = 0; i < 1000 && up->fed < buf_len(&up->in); i++) {
        (void)wire_room(rig->client, 70001);
        (void)wire_feed(up, SIZE_MAX);
        rig_watch(rig);
    }
    rig_settle(rig);
    assert_memory_equal(buf_head(&rig->client->out) + buf_len(&rig->client->out) - SIZE, block, SIZE);
    assert_true(rig->kept < 40000);
    assert_true(http_conn_is_idle(rig->conn));
    free(block);
}

/* It goes on in chunks, no faster than they are taken. */
static void test_an_answer_without_a_frame(void **state) {
    struct http_rig *rig = *state;
    char block[1024];
    memset(block, 'x', sizeof block);
    client_says(rig, GET("/1"));
    rig->client->room = 10;
    wire_say(rig->wires[0], "HTTP/1.1 200 OK\r\n\r\n", 19);
    for (int i = 0; i < 1024; i++)
        wire_say(rig->wires[0], block, sizeof block);
    (void)wire_feed(rig->wires[0], SIZE_MAX);
    rig_watch(rig);
    assert_true(rig->kept < 40000);
    rig_settle(rig);
    rig->wires[0]->in_end = true;
    rig_settle(rig);
    size_t n = buf_len(&rig->client->out);
    assert_true(n > 1024 * 1024);
    assert_memory_equal(buf_head(&rig->client->out) + n - 8, "x\r\n0\r\n\r\n", 8);
    assert_true(http_conn_is_idle(rig->conn));
}

/* It is not taken for one that has ended. */
static void test_an_answer_without_a_frame_that_is_lost(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, GET("/1"));
    upstream_says(rig, "HTTP/1.1 200 OK\r\n\r\nhello");
    rig->wires[0]->in_lost = true;
    rig_settle(rig);
    assert_int_equal(rig->closed, 1);
    assert_ends(got(rig), "\r\n\r\n5\r\nhello\r\n");
}

/* Turns the loop until the connection is closed, for 20 s at most. */
static void stop_when_closed(void *ctx) {
    struct http_rig *rig = ctx;
    loop_stop(rig->loop);
}

static void wait_closed(struct http_rig *rig) {
    struct loop_timer timer;
    loop_timer_init(rig->loop, &timer, stop_when_closed, rig);
    for (int i = 0; i < 2000 && !rig->closed; i++) {
        assert_int_equal(loop_timer_set(&timer, 10), 0);
        assert_int_equal(loop_run(rig->loop), 0);
    }
    assert_int_equal(rig->closed, 1);
}

static const struct http_conn_config endless = {.head_ms = 60000, .rest_ms = 60000, .body_ms = 60000, .take_ms = 60000};

static void test_patience_with_who_says_nothing(void **state) {
    struct http_conn_config config = endless;
    struct http_rig rig;
    (void)state;
    /* A head that does not go on. */
    config.head_ms = 30;
    http_rig_init(&rig, &config);
    client_says(&rig, GET("/1"));
    upstream_says(&rig, "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na");
    client_says(&rig, "GET /2 HT");
    wait_closed(&rig);
    http_rig_fini(&rig);
    /* Nothing any more. */
    config = endless;
    config.rest_ms = 30;
    http_rig_init(&rig, &config);
    client_says(&rig, GET("/1"));
    upstream_says(&rig, "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na");
    wait_closed(&rig);
    http_rig_fini(&rig);
    /* A body that does not go on. */
    config = endless;
    config.body_ms = 30;
    http_rig_init(&rig, &config);
    client_says(&rig, "POST /1 HTTP/1.1\r\nHost: relay.example\r\nContent-Length: 10\r\n\r\n123");
    wait_closed(&rig);
    http_rig_fini(&rig);
    /* A client that has said all, and an upstream that says nothing. */
    http_rig_init(&rig, &config);
    rig.client->in_end = true;
    client_says(&rig, GET("/1"));
    wait_closed(&rig);
    http_rig_fini(&rig);
}

/* Bytes that go nowhere do not count as going on. */
static void test_patience_with_trailers(void **state) {
    static const char head[] = "POST /1 HTTP/1.1\r\nHost: relay.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ";
    struct http_conn_config config = endless;
    struct http_rig rig;
    struct loop_timer timer;
    (void)state;
    config.body_ms = 1000;
    http_rig_init(&rig, &config);
    client_says(&rig, head);
    loop_timer_init(rig.loop, &timer, stop_when_closed, &rig);
    for (int i = 0; i < 2000 && !rig.closed; i++) {
        assert_int_equal(loop_timer_set(&timer, 10), 0);
        assert_int_equal(loop_run(rig.loop), 0);
        if (!rig.closed)
            client_says(&rig, "x");
    }
    assert_int_equal(rig.closed, 1);
    http_rig_fini(&rig);
}

static void test_patience_with_who_takes_nothing(void **state) {
    struct http_conn_config config = endless;
    struct http_rig rig;
    (void)state;
    /* A client that does not take its answer. */
    config.take_ms = 30;
    http_rig_init(&rig, &config);
    client_says(&rig, GET("/1"));
    rig.client->room = 5;
    wire_say(rig.wires[0], "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na", 38);
    (void)wire_feed(rig.wires[0], SIZE_MAX);
    wait_closed(&rig);
    http_rig_fini(&rig);
    /* One that does not take an answer without end. */
    http_rig_init(&rig, &config);
    rig.decide = act_stream;
    client_says(&rig, GET("/1"));
    rig.client->room = 1;
    assert_int_equal(http_conn_send(rig.conn, (const uint8_t *)"abc", 3), 1);
    wait_closed(&rig);
    http_rig_fini(&rig);
    /* One that does not take what comes by a WebSocket. */
    http_rig_init(&rig, &config);
    client_says(&rig, UPGRADE("/w"));
    upstream_says(&rig, SWITCH "\r\n");
    rig.client->room = 1;
    wire_say(rig.wires[0], "abc", 3);
    (void)wire_feed(rig.wires[0], SIZE_MAX);
    wait_closed(&rig);
    http_rig_fini(&rig);
}

/* All patience is short, but none of it counts here: an upstream that thinks, a WebSocket and a stream at rest. */
static void test_patience_that_does_not_count(void **state) {
    static const struct http_conn_config config = {.head_ms = 20, .rest_ms = 20000, .body_ms = 20, .take_ms = 20};
    struct loop_timer timer;
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct http_rig rig;
        http_rig_init(&rig, &config);
        rig.decide = i == 2 ? act_stream : NULL;
        client_says(&rig, i == 1 ? UPGRADE("/w") : GET("/1"));
        if (i == 1)
            upstream_says(&rig, SWITCH "\r\n");
        loop_timer_init(rig.loop, &timer, stop_when_closed, &rig);
        assert_int_equal(loop_timer_set(&timer, 200), 0);
        assert_int_equal(loop_run(rig.loop), 0);
        assert_int_equal(rig.closed, 0);
        http_rig_fini(&rig);
    }
}

#define TEST(test) cmocka_unit_test(test)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_an_upgrade),
        WITH_RIG(test_an_upgrade_that_upstream_ends),
        WITH_RIG(test_an_upgrade_that_is_refused),
        WITH_RIG(test_an_upgrade_that_ends_before_its_head_is_taken),
        WITH_RIG(test_an_upgrade_that_both_end),
        WITH_RIG(test_an_answer_without_end),
        WITH_RIG(test_an_answer_without_end_and_no_room),
        WITH_RIG(test_readers_that_stand_still),
        WITH_RIG(test_an_answer_without_a_frame),
        WITH_RIG(test_an_answer_without_a_frame_that_is_lost),
        TEST(test_patience_with_who_says_nothing),
        TEST(test_patience_with_trailers),
        TEST(test_patience_with_who_takes_nothing),
        TEST(test_patience_that_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
