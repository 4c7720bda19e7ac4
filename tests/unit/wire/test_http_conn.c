/* One HTTP connection, scenario by scenario. What happens at random is in test_http_conn_random.c. */
#include "http_rig.h"

#define GET(target) "GET " target " HTTP/1.1\r\nHost: relay.example\r\n\r\n"
#define UPGRADE(target) \
    "GET " target " HTTP/1.1\r\nHost: relay.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
#define FORWARDED(target) "GET " target " HTTP/1.1\r\nHost: upstream\r\n\r\n"
#define SWITCH "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"

static int rig_up(void **state) {
    struct http_rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    http_rig_init(rig, NULL);
    *state = rig;
    return 0;
}

static int rig_down(void **state) {
    http_rig_fini(*state);
    free(*state);
    return 0;
}

/* What the client got since the last call. */
static const char *got(struct http_rig *rig) {
    static char text[65536];
    size_t n = buf_len(&rig->client->out);
    assert_true(n < sizeof text);
    if (n)
        memcpy(text, buf_head(&rig->client->out), n);
    text[n] = '\0';
    buf_fini(&rig->client->out);
    return text;
}

static const char *asked(struct http_rig *rig) {
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

static void assert_begins(const char *text, const char *beginning) {
    if (strncmp(text, beginning, strlen(beginning)) != 0)
        fail_msg("not \"%s\" but \"%.200s\"", beginning, text);
}

static void assert_ends(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    if (n < m || strcmp(text + n - m, end) != 0)
        fail_msg("it does not end with \"%s\": \"%.500s\"", end, text);
}

static void test_requests_one_after_the_other(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, GET("/1"));
    assert_string_equal(asked(rig), FORWARDED("/1"));
    assert_false(http_conn_is_idle(rig->conn));
    upstream_says(rig, "HTTP/1.1 200 OK\r\nX-Id: 1\r\nContent-Length: 5\r\n\r\nhello");
    assert_string_equal(got(rig), "HTTP/1.1 200 OK\r\nX-Id: 1\r\nContent-Length: 5\r\n\r\nhello");
    assert_true(http_conn_is_idle(rig->conn));
    client_says(rig, GET("/2"));
    assert_string_equal(asked(rig), FORWARDED("/2"));
    upstream_says(rig, "HTTP/1.1 304 Same\r\n\r\n");
    assert_string_equal(got(rig), "HTTP/1.1 304 Same\r\n\r\n");
    assert_int_equal(rig->wire_count, 1);
    assert_int_equal(rig->seen[ON_CONNECT], 1);
}

static void test_pipelined_requests(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, GET("/1")
                         GET("/2") "POST /3 HTTP/1.1\r\nHost: relay.example\r\nContent-Length: 3\r\n\r\nabc" GET("/4"));
    assert_int_equal(rig->seen[ON_REQUEST], 1);
    upstream_says(rig, "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na");
    upstream_says(rig, "HTTP/1.1 200 B\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n");
    assert_int_equal(rig->seen[ON_REQUEST], 3);
    upstream_says(rig, "HTTP/1.1 204 C\r\n\r\n");
    assert_string_equal(asked(rig),
                        FORWARDED("/1") FORWARDED(
                            "/2") "POST /3 HTTP/1.1\r\nHost: upstream\r\nContent-Length: 3\r\n\r\nabc" FORWARDED("/4"));
    upstream_says(rig, "HTTP/1.1 200 D\r\n\r\nto the end");
    rig->wires[0]->in_end = true;
    rig_settle(rig);
    assert_string_equal(got(rig), "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na"
                                  "HTTP/1.1 200 B\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n"
                                  "HTTP/1.1 204 C\r\n\r\n"
                                  "HTTP/1.1 200 D\r\nTransfer-Encoding: chunked\r\n\r\na\r\nto the end\r\n0\r\n\r\n");
    assert_int_equal(rig->closed, 0);
}

static enum act act_later(struct http_rig *rig, const struct http_head *head) {
    (void)rig, (void)head;
    return ACT_LATER;
}

/* Its body waits in the client's stream until it is known where it goes. */
static void test_an_owner_that_takes_its_time(void **state) {
    struct http_rig *rig = *state;
    rig->decide = act_later;
    rig->connect_later = true;
    client_says(rig, "PUT /1 HTTP/1.1\r\nHost: relay.example\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "3;x=y\r\nabc\r\n0\r\nX-Trailer: z\r\n\r\n" GET("/2"));
    assert_true(rig->asked);
    assert_true(rig->client->stopped);
    rig_act(rig, ACT_FORWARD);
    rig_settle(rig);
    assert_true(rig->wants_stream);
    rig_connected(rig);
    rig_settle(rig);
    assert_string_equal(asked(rig), "PUT /1 HTTP/1.1\r\nHost: upstream\r\nTransfer-Encoding: chunked\r\n\r\n"
                                    "3\r\nabc\r\n0\r\n\r\n");
    upstream_says(rig, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;q\r\nhi\r\n0\r\nX-T: 1\r\n\r\n");
    assert_string_equal(got(rig), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
    assert_true(rig->asked);
    rig_act(rig, ACT_REPLY);
    rig_settle(rig);
    assert_string_equal(got(rig), "HTTP/1.1 200 Own\r\nX-Own: /2\r\nContent-Length: 21\r\n\r\nown answer to GET /2\n");
    assert_int_equal(rig->closed, 0);
}

static void test_expect_and_other_announcements(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, "POST /1 HTTP/1.1\r\nHost: relay.example\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_int_equal(rig->seen[ON_REQUEST], 1);
    upstream_says(rig, "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Hints\r\nX-Id: 7\r\n\r\n");
    assert_string_equal(got(rig), "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Hints\r\nX-Id: 7\r\n\r\n");
    client_says(rig, "ok");
    assert_string_equal(asked(rig), "POST /1 HTTP/1.1\r\nHost: upstream\r\nContent-Length: 2\r\n\r\nok");
    upstream_says(rig, "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n");
    assert_string_equal(got(rig), "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n");
    assert_true(http_conn_is_idle(rig->conn));
}

static void test_announcements_without_end(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, GET("/1"));
    for (int i = 0; i < 40 && !rig->seen[ON_FAILED]; i++)
        upstream_says(rig, "HTTP/1.1 102 Wait\r\n\r\n");
    assert_int_equal(rig->seen[ON_FAILED], 1);
    assert_int_equal(rig->failure, HTTP_FAILED_BAD);
}

static void test_an_early_answer(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, "POST /1 HTTP/1.1\r\nHost: relay.example\r\nContent-Length: 10\r\n\r\n12345");
    upstream_says(rig, "HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno");
    assert_string_equal(got(rig), "HTTP/1.1 413 Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    assert_int_equal(rig->closed, 1);
}

/* The upstream has closed its ear, but what it said before counts. */
static void test_an_answer_of_one_that_takes_no_more(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, "POST /1 HTTP/1.1\r\nHost: relay.example\r\nContent-Length: 10\r\n\r\n123");
    rig->wires[0]->broken = true;
    client_says(rig, "45");
    assert_int_equal(rig->closed, 0);
    upstream_says(rig, "HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno");
    assert_string_equal(got(rig), "HTTP/1.1 413 Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    assert_int_equal(rig->closed, 1);
}

static void test_a_client_that_has_said_all(void **state) {
    struct http_rig *rig = *state;
    rig->client->in_end = true;
    client_says(rig, GET("/1"));
    assert_int_equal(rig->closed, 0);
    upstream_says(rig, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_begins(got(rig), "HTTP/1.1 200 OK\r\n");
    assert_int_equal(rig->closed, 1);
}

static void test_two_requests_and_an_end(void **state) {
    struct http_rig *rig = *state;
    rig->client->in_end = true;
    client_says(rig, GET("/1") GET("/2"));
    upstream_says(rig, "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na");
    upstream_says(rig, "HTTP/1.1 200 B\r\nContent-Length: 1\r\n\r\nb");
    assert_string_equal(got(rig), "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na"
                                  "HTTP/1.1 200 B\r\nContent-Length: 1\r\n\r\nb");
    assert_int_equal(rig->closed, 1);
}

static void test_a_client_that_breaks_off(void **state) {
    struct http_rig *rig = *state;
    rig->client->in_end = true;
    client_says(rig, "POST /1 HTTP/1.1\r\nHost: relay.example\r\nContent-Length: 10\r\n\r\n123");
    assert_int_equal(rig->closed, 1);
    assert_string_equal(got(rig), "");
}

static void test_bad_heads(void **state) {
    static const char *const bad[][2] = {
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\nHost: a\n\n", "HTTP/1.1 400 "},
        {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505 "},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400 "},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 400 "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct http_rig rig;
        http_rig_init(&rig, NULL);
        client_says(&rig, bad[i][0]);
        assert_begins(got(&rig), bad[i][1]);
        assert_int_equal(rig.closed, 1);
        assert_int_equal(rig.seen[ON_REQUEST], 0);
        http_rig_fini(&rig);
    }
}

static void test_heads_that_are_too_long(void **state) {
    struct http_rig *rig = *state;
    wire_say(rig->client, "GET / HTTP/1.1\r\nX: ", 19);
    for (int i = 0; i < 40; i++) {
        char part[1024];
        memset(part, 'a', sizeof part);
        wire_say(rig->client, part, sizeof part);
        (void)wire_feed(rig->client, SIZE_MAX);
        rig_watch(rig);
    }
    rig_settle(rig);
    assert_begins(got(rig), "HTTP/1.1 431 ");
    assert_int_equal(rig->closed, 1);
}

static void test_a_bad_chunk(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, "POST /1 HTTP/1.1\r\nHost: relay.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx");
    const char *text = got(rig);
    assert_begins(text, "HTTP/1.1 400 ");
    assert_int_equal(rig->closed, 1);
    assert_string_equal(asked(rig), "POST /1 HTTP/1.1\r\nHost: upstream\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_true(rig->wires[0]->closed);
}

static void test_bad_answers(void **state) {
    static const char *const bad[] = {
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        SWITCH "\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 100 Go\r\nContent-Length: 3\r\n\r\nabc",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct http_rig rig;
        http_rig_init(&rig, NULL);
        client_says(&rig, GET("/1"));
        upstream_says(&rig, bad[i]);
        assert_int_equal(rig.seen[ON_FAILED], 1);
        assert_int_equal(rig.failure, HTTP_FAILED_BAD);
        assert_true(strlen(rig.why) > 5);
        assert_begins(got(&rig), "HTTP/1.1 503 ");
        assert_true(rig.wires[0]->closed);
        assert_int_equal(rig.closed, 0);
        client_says(&rig, GET("/2")); /* it goes on */
        upstream_says(&rig, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert_string_equal(got(&rig), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        http_rig_fini(&rig);
    }
}

static void test_an_answer_that_may_not_pass(void **state) {
    struct http_rig *rig = *state;
    rig->refuse_response = true;
    client_says(rig, GET("/1"));
    upstream_says(rig, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(rig->failure, HTTP_FAILED_BAD);
    assert_begins(got(rig), "HTTP/1.1 503 Own\r\n");
}

/* Bytes after an answer belong to nobody: they must not become the answer to the next request. */
static void test_words_that_nobody_asked_for(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, GET("/1"));
    upstream_says(rig, "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 EVIL\r\nContent-Length: 1\r\n\r\nb");
    assert_begins(got(rig), "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na");
    assert_true(rig->wires[0]->closed);
    client_says(rig, GET("/2"));
    assert_int_equal(rig->wire_count, 2);
    upstream_says(rig, "HTTP/1.1 200 B\r\nContent-Length: 0\r\n\r\n");
    assert_string_equal(got(rig), "HTTP/1.1 200 B\r\nContent-Length: 0\r\n\r\n");
    /* Between two requests. */
    upstream_says(rig, "HTTP/1.1 200 EVIL\r\nContent-Length: 1\r\n\r\nb");
    assert_true(rig->wires[1]->closed);
    client_says(rig, GET("/3"));
    assert_int_equal(rig->wire_count, 3);
    upstream_says(rig, "HTTP/1.1 200 C\r\nContent-Length: 0\r\n\r\n");
    assert_string_equal(got(rig), "HTTP/1.1 200 C\r\nContent-Length: 0\r\n\r\n");
}

/* The next request is here already, and the words were there before it was sent on: in one packet with the answer. */
static void test_words_before_the_question(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, GET("/1") GET("/2"));
    upstream_says(rig, "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 EVIL\r\nContent-Length: 1\r\n\r\nb");
    assert_null(strstr(got(rig), "EVIL"));
    assert_int_equal(rig->wire_count, 2);
    upstream_says(rig, "HTTP/1.1 200 B\r\nContent-Length: 0\r\n\r\n");
    assert_string_equal(got(rig), "HTTP/1.1 200 B\r\nContent-Length: 0\r\n\r\n");
}

static void test_a_resting_upstream_that_closed(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, GET("/1"));
    upstream_says(rig, "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na");
    got(rig);
    /* It closes as the next request is on its way: that goes to a new one. */
    wire_say(rig->client, GET("/2"), strlen(GET("/2")));
    (void)wire_feed(rig->client, SIZE_MAX);
    rig->wires[0]->in_end = true;
    rig_settle(rig);
    assert_int_equal(rig->wire_count, 2);
    assert_string_equal(asked(rig), FORWARDED("/2"));
    upstream_says(rig, "HTTP/1.1 200 B\r\nContent-Length: 1\r\n\r\nb");
    assert_string_equal(got(rig), "HTTP/1.1 200 B\r\nContent-Length: 1\r\n\r\nb");
    /* The new one does the same at once: that is no accident any more. */
    client_says(rig, "POST /3 HTTP/1.1\r\nHost: relay.example\r\nContent-Length: 1\r\n\r\nx");
    assert_int_equal(rig->wire_count, 2);
    rig->wires[1]->in_end = true;
    rig_settle(rig);
    assert_int_equal(rig->wire_count, 2);
    assert_int_equal(rig->failure, HTTP_FAILED_CLOSED);
    assert_begins(got(rig), "HTTP/1.1 502 Own\r\n");
}

static void test_what_cannot_be_repeated_goes_by_a_fresh_stream(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, GET("/1"));
    upstream_says(rig, "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na");
    rig->conn->rested -= 3000;
    client_says(rig, "POST /2 HTTP/1.1\r\nHost: relay.example\r\nContent-Length: 1\r\n\r\nx");
    assert_int_equal(rig->wire_count, 2);
    upstream_says(rig, "HTTP/1.1 200 B\r\nContent-Length: 1\r\n\r\nb");
    rig->conn->rested -= 3000;
    client_says(rig, GET("/3"));
    assert_int_equal(rig->wire_count, 2);
}

static enum act act_fresh(struct http_rig *rig, const struct http_head *head) {
    (void)rig, (void)head;
    return ACT_FORWARD_FRESH;
}

static void test_another_place_another_stream(void **state) {
    struct http_rig *rig = *state;
    rig->decide = act_fresh;
    for (size_t i = 1; i <= 3; i++) {
        client_says(rig, GET("/1"));
        assert_int_equal(rig->wire_count, i);
        upstream_says(rig, "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na");
    }
    assert_true(rig->wires[0]->closed && rig->wires[1]->closed);
}

static void test_an_upgrade(void **state) {
    struct http_rig *rig = *state;
    uint64_t before = http_conn_carried(rig->conn);
    client_says(rig, UPGRADE("/w") "early words");
    assert_false(http_conn_is_upgraded(rig->conn));
    assert_string_equal(asked(rig), "GET /w HTTP/1.1\r\nHost: upstream\r\nConnection: Upgrade\r\n"
                                    "Upgrade: websocket\r\n\r\n");
    upstream_says(rig, SWITCH "\r\nand the answer");
    assert_true(http_conn_is_upgraded(rig->conn));
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
    rig->client->room = 5;
    wire_say(rig->wires[0], SWITCH "\r\nbye", strlen(SWITCH "\r\nbye"));
    rig->wires[0]->in_end = true;
    (void)wire_feed(rig->wires[0], SIZE_MAX);
    (void)wire_finish(rig->wires[0]);
    rig_settle(rig);
    assert_string_equal(got(rig), "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nbye");
    assert_int_equal(rig->closed, 1);
}

/* Larger than what goes out in one piece with a body. */
static void test_a_long_head_and_a_body(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, GET("/1"));
    struct buf *in = &rig->wires[0]->in;
    assert_int_equal(buf_printf(in, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Id: "), 0);
    for (int i = 0; i < 30000; i++)
        assert_int_equal(buf_append(in, "x", 1), 0);
    upstream_says(rig, "\r\n\r\nhello");
    assert_ends(got(rig), "\r\n\r\nhello");
    assert_true(http_conn_is_idle(rig->conn));
}

/* The client has taken a part of the announcement when the answer turns out to be one that may not pass. */
static void test_a_refused_answer_after_an_announcement(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, GET("/1"));
    rig->client->room = 5;
    wire_say(rig->wires[0], "HTTP/1.1 103 Hints\r\n\r\n", 22);
    (void)wire_feed(rig->wires[0], SIZE_MAX);
    rig->refuse_response = true;
    upstream_says(rig, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_begins(got(rig), "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 503 Own\r\n");
}

/* Nobody takes them: they wait where they came from. */
static void test_long_announcements(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, GET("/1"));
    rig->client->room = 1;
    for (int i = 0; i < 10; i++) {
        struct buf *in = &rig->wires[0]->in;
        assert_int_equal(buf_printf(in, "HTTP/1.1 103 Hints\r\nX-Id: "), 0);
        for (int j = 0; j < 30000; j++)
            assert_int_equal(buf_append(in, "x", 1), 0);
        assert_int_equal(buf_printf(in, "\r\n\r\n"), 0);
        (void)wire_feed(rig->wires[0], SIZE_MAX);
    }
    rig_watch(rig);
    upstream_says(rig, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_true(rig->kept < 70000);
    assert_int_equal(buf_len(&rig->client->out), 10 * 30030 + 40);
}

static void test_heads_of_head(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, "HEAD /1 HTTP/1.1\r\nHost: relay.example\r\n\r\n");
    upstream_says(rig, "HTTP/1.1 200 A\r\nContent-Length: 1000\r\n\r\n");
    assert_string_equal(got(rig), "HTTP/1.1 200 A\r\nContent-Length: 1000\r\n\r\n");
    assert_true(http_conn_is_idle(rig->conn));
    rig->decide = act_later;
    client_says(rig, "HEAD /2 HTTP/1.1\r\nHost: relay.example\r\n\r\n");
    rig_act(rig, ACT_REPLY);
    rig_settle(rig);
    assert_ends(got(rig), "Content-Length: 22\r\n\r\n");
    assert_true(http_conn_is_idle(rig->conn));
}

static void test_an_old_client(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, "GET /1 HTTP/1.0\r\nHost: relay.example\r\n\r\n");
    upstream_says(rig, "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    assert_string_equal(got(rig), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na");
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
    while (rig->client->fed < buf_len(&rig->client->in)) {
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
    while (up->fed < buf_len(&up->in)) {
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

static void test_patience(void **state) {
    static const struct http_conn_config all = {.head_ms = 60000, .rest_ms = 60000, .body_ms = 60000, .take_ms = 60000};
    struct http_conn_config config = all;
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
    config = all;
    config.rest_ms = 30;
    http_rig_init(&rig, &config);
    client_says(&rig, GET("/1"));
    upstream_says(&rig, "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na");
    wait_closed(&rig);
    http_rig_fini(&rig);
    /* A body that does not go on. */
    config = all;
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
    /* A client that does not take its answer. */
    config = all;
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
#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_requests_one_after_the_other),
        WITH_RIG(test_pipelined_requests),
        WITH_RIG(test_an_owner_that_takes_its_time),
        WITH_RIG(test_expect_and_other_announcements),
        WITH_RIG(test_announcements_without_end),
        WITH_RIG(test_an_early_answer),
        WITH_RIG(test_an_answer_of_one_that_takes_no_more),
        WITH_RIG(test_a_client_that_has_said_all),
        WITH_RIG(test_two_requests_and_an_end),
        WITH_RIG(test_a_client_that_breaks_off),
        TEST(test_bad_heads),
        WITH_RIG(test_heads_that_are_too_long),
        WITH_RIG(test_a_bad_chunk),
        TEST(test_bad_answers),
        WITH_RIG(test_an_answer_that_may_not_pass),
        WITH_RIG(test_words_that_nobody_asked_for),
        WITH_RIG(test_words_before_the_question),
        WITH_RIG(test_a_resting_upstream_that_closed),
        WITH_RIG(test_what_cannot_be_repeated_goes_by_a_fresh_stream),
        WITH_RIG(test_another_place_another_stream),
        WITH_RIG(test_an_upgrade),
        WITH_RIG(test_an_upgrade_that_upstream_ends),
        WITH_RIG(test_an_upgrade_that_is_refused),
        WITH_RIG(test_an_upgrade_that_ends_before_its_head_is_taken),
        WITH_RIG(test_an_upgrade_that_both_end),
        WITH_RIG(test_a_long_head_and_a_body),
        WITH_RIG(test_a_refused_answer_after_an_announcement),
        WITH_RIG(test_long_announcements),
        WITH_RIG(test_heads_of_head),
        WITH_RIG(test_an_old_client),
        WITH_RIG(test_an_answer_without_end),
        WITH_RIG(test_an_answer_without_end_and_no_room),
        WITH_RIG(test_readers_that_stand_still),
        TEST(test_patience),
        TEST(test_patience_that_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
