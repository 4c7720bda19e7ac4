/* One HTTP connection, scenario by scenario. What happens at random is in test_http_conn_random.c. */
#include "http_rig.h"

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

/* Some servers want to hear that there is no body. */
static void test_a_body_that_is_empty(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, "POST /1 HTTP/1.1\r\nHost: relay.example\r\nContent-Length: 0\r\n\r\n");
    assert_string_equal(asked(rig), "POST /1 HTTP/1.1\r\nHost: upstream\r\nContent-Length: 0\r\n\r\n");
    upstream_says(rig, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_string_equal(got(rig), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
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

/* It waits for the client to take it, and the rest of the body has nowhere to go. */
static void test_an_early_answer_that_waits(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, "POST /1 HTTP/1.1\r\nHost: relay.example\r\nContent-Length: 10\r\n\r\n12345");
    rig->client->room = 5;
    static const char answer[] = "HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno";
    wire_say(rig->wires[0], answer, sizeof answer - 1);
    (void)wire_feed(rig->wires[0], SIZE_MAX);
    wire_say(rig->client, "67890", 5);
    (void)wire_feed(rig->client, SIZE_MAX);
    assert_int_equal(rig->closed, 0);
    rig_settle(rig);
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
    static const char unasked[] = SWITCH "\r\n";
    static const char *const bad[] = {
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        unasked,
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

/* One that has never answered does not get a second try, nor one that has begun to. */
static void test_an_upstream_that_only_closes(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, GET("/1"));
    rig->wires[0]->in_end = true;
    rig_settle(rig);
    assert_int_equal(rig->failure, HTTP_FAILED_CLOSED);
    assert_int_equal(rig->wire_count, 1);
    client_says(rig, GET("/2"));
    upstream_says(rig, "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na");
    client_says(rig, GET("/3"));
    rig->wires[1]->in_end = true;
    upstream_says(rig, "HTTP/1.1 103 Hints\r\n\r\n");
    assert_int_equal(rig->seen[ON_FAILED], 2);
    assert_int_equal(rig->wire_count, 2);
}

static void test_announcements_are_counted_for_each_request(void **state) {
    struct http_rig *rig = *state;
    for (int i = 0; i < 5; i++) {
        client_says(rig, GET("/1"));
        for (int j = 0; j < 10; j++)
            upstream_says(rig, "HTTP/1.1 102 Wait\r\n\r\n");
        upstream_says(rig, "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na");
    }
    assert_int_equal(rig->seen[ON_RESPONSE], 55);
    assert_int_equal(rig->seen[ON_FAILED], 0);
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

static void test_chunks_for_an_old_client(void **state) {
    struct http_rig *rig = *state;
    client_says(rig, "GET /1 HTTP/1.0\r\nHost: relay.example\r\n\r\n");
    upstream_says(rig, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
    assert_int_equal(rig->failure, HTTP_FAILED_BAD);
    assert_begins(got(rig), "HTTP/1.1 503 Own\r\n");
    assert_int_equal(rig->closed, 1);
}

#define TEST(test) cmocka_unit_test(test)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_requests_one_after_the_other),
        WITH_RIG(test_pipelined_requests),
        WITH_RIG(test_an_owner_that_takes_its_time),
        WITH_RIG(test_a_body_that_is_empty),
        WITH_RIG(test_expect_and_other_announcements),
        WITH_RIG(test_announcements_without_end),
        WITH_RIG(test_an_early_answer),
        WITH_RIG(test_an_early_answer_that_waits),
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
        WITH_RIG(test_an_upstream_that_only_closes),
        WITH_RIG(test_announcements_are_counted_for_each_request),
        WITH_RIG(test_what_cannot_be_repeated_goes_by_a_fresh_stream),
        WITH_RIG(test_another_place_another_stream),
        WITH_RIG(test_a_long_head_and_a_body),
        WITH_RIG(test_a_refused_answer_after_an_announcement),
        WITH_RIG(test_long_announcements),
        WITH_RIG(test_heads_of_head),
        WITH_RIG(test_an_old_client),
        WITH_RIG(test_chunks_for_an_old_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
