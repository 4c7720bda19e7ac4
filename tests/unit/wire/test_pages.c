/* Our own pages over HTTP/1.1: what is served, what is refused, and who is sent away for dawdling. */
#include "loop_thread.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/wire/pages.h"

#define BIG ((size_t)1 << 20)

enum { SHORT_MS = 300, LONG_MS = 60000 };

struct rig {
    struct pages *pages;
    struct loop_thread loop;
    int closed[2];
    int result[2]; /* what pages_accept returned */
    uint64_t patience_ms;
    uint8_t *big;
    unsigned handled;
};

static void on_closed(void *ctx) {
    struct rig *rig = ctx;
    assert_int_equal(write(rig->closed[1], "", 1), 1);
}

static void take(void *ctx, int fd) {
    struct rig *rig = ctx;
    struct sockaddr_storage peer = {0};
    struct sockaddr_in *address = (struct sockaddr_in *)&peer;
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(0xc6336407); /* 198.51.100.7 */
    int rc = pages_accept(rig->pages, fd, &peer, true, loop_now(rig->loop.loop) + rig->patience_ms, on_closed, rig);
    assert_int_equal(write(rig->result[1], &rc, sizeof(rc)), sizeof(rc));
}

static void handle(void *ctx, const struct page_request *request, struct page_response *response) {
    struct rig *rig = ctx;
    const char *cookie = page_request_cookie(request, "b"), *head = page_request_header(request, "x-thing");
    response->status = 200;
    response->type = "text/plain";
    if (request->refused) { /* it may choose the words, no more */
        assert_int_equal(buf_printf(&response->body, "refused: %u", request->refused), 0);
        return;
    }
    rig->handled++;
    if (strcmp(request->path, "/big") == 0) {
        response->fixed = rig->big;
        response->fixed_len = BIG;
        return;
    }
    if (strcmp(request->path, "/bye") == 0) {
        response->close = true;
    }
    assert_int_equal(page_response_header(response, "X-Bad", "%s", "one\r\nSet-Cookie: two"), SP_EINVAL);
    assert_int_equal(page_response_header(response, "X-Good", "%d", 7), 0);
    assert_int_equal(buf_printf(&response->body, "%s %s ? %s @ %s from %s %s cookie=%s thing=%s body=%zu",
                                request->method, request->path, request->query, request->host, request->peer,
                                request->tls ? "tls" : "plain", cookie ? cookie : "-", head ? head : "-",
                                request->body_len),
                     0);
}

static int rig_up_with(void **state, struct pages_config config) {
    struct rig *rig = calloc(1, sizeof(*rig));
    loop_thread_init(&rig->loop, take, rig);
    config.loop = rig->loop.loop;
    config.max_connections = 3;
    config.handle = handle;
    config.ctx = rig;
    rig->patience_ms = LONG_MS;
    rig->big = malloc(BIG);
    memset(rig->big, 'x', BIG);
    assert_int_equal(pipe2(rig->closed, O_CLOEXEC), 0);
    assert_int_equal(pipe2(rig->result, O_CLOEXEC), 0);
    assert_int_equal(pages_new(&config, &rig->pages), 0);
    loop_thread_start(&rig->loop);
    *state = rig;
    return 0;
}

static int rig_up(void **state) {
    return rig_up_with(state, (struct pages_config){.head_ms = LONG_MS, .rest_ms = LONG_MS, .answer_ms = LONG_MS});
}

/* One deadline is short, so that it is the one that ends a connection, however busy this machine is. */
static int short_heads_up(void **state) {
    return rig_up_with(state,
                       (struct pages_config){.head_ms = SHORT_MS, .rest_ms = 60 * LONG_MS, .answer_ms = LONG_MS});
}

static int short_rests_up(void **state) {
    return rig_up_with(state, (struct pages_config){.head_ms = LONG_MS, .rest_ms = SHORT_MS, .answer_ms = LONG_MS});
}

static int short_answers_up(void **state) {
    return rig_up_with(state, (struct pages_config){.head_ms = LONG_MS, .rest_ms = LONG_MS, .answer_ms = SHORT_MS});
}

static int rig_down(void **state) {
    struct rig *rig = *state;
    loop_thread_join(&rig->loop);
    pages_free(rig->pages);
    loop_thread_fini(&rig->loop);
    close(rig->closed[0]);
    close(rig->closed[1]);
    close(rig->result[0]);
    close(rig->result[1]);
    free(rig->big);
    free(rig);
    return 0;
}

static int visit_rc(struct rig *rig, int *rc) {
    int ends[2];
    tcp_pair(ends);
    loop_thread_give(&rig->loop, ends[1]);
    assert_int_equal(read(rig->result[0], rc, sizeof(*rc)), sizeof(*rc));
    return ends[0];
}

static int visit(struct rig *rig) {
    int rc;
    int fd = visit_rc(rig, &rc);
    assert_int_equal(rc, 0);
    return fd;
}

static void send_bytes(int fd, const char *bytes, size_t n) {
    assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

static void send_text(int fd, const char *text) {
    send_bytes(fd, text, strlen(text));
}

/* Until the peer closes, or `n` bytes. */
static size_t receive(int fd, char *to, size_t n) {
    size_t have = 0;
    ssize_t r;
    while (have < n && (r = recv(fd, to + have, n - have, 0)) > 0) {
        have += (size_t)r;
    }
    return have;
}

/* One answer with a Content-Length: its head and body as a string; false when the peer closed instead. */
static bool receive_answer(int fd, char *to, size_t size) {
    size_t have = 0;
    to[0] = '\0';
    while (have + 1 < size) {
        ssize_t r = recv(fd, to + have, 1, 0);
        if (r <= 0) {
            return false;
        }
        to[++have] = '\0';
        if (have >= 4 && strcmp(to + have - 4, "\r\n\r\n") == 0) {
            break;
        }
    }
    const char *length = strcasestr(to, "content-length: ");
    size_t body = length ? strtoul(length + 16, NULL, 10) : 0;
    assert_true(have + body < size);
    size_t got = receive(fd, to + have, body);
    to[have + got] = '\0';
    return got == body;
}

static void assert_closed(struct rig *rig) {
    struct pollfd wait = {.fd = rig->closed[0], .events = POLLIN};
    char byte;
    assert_int_equal(poll(&wait, 1, LONG_MS), 1);
    assert_int_equal(read(rig->closed[0], &byte, 1), 1);
}

static void request_reaches_the_handler_whole(void **state) {
    char got[4096];
    int fd = visit(*state);
    for (int i = 0; i < 3; i++) {
        send_text(fd,
                  "GET /a%20b?c=%41&d HTTP/1.1\r\nHost: relay.example:1\r\nCookie: a=1; b=two\r\nX-Thing: t\r\n\r\n");
        assert_true(receive_answer(fd, got, sizeof(got)));
        assert_true(str_starts(got, "HTTP/1.1 200 "));
        assert_non_null(strstr(got, "GET /a%20b ? c=%41&d @ relay.example:1 from 198.51.100.7 tls cookie=two thing=t "
                                    "body=0"));
        assert_non_null(strstr(got, "X-Good: 7\r\n"));
        assert_null(strstr(got, "X-Bad"));
    }
    close(fd);
    assert_closed(*state);
}

static void requests_in_one_packet_are_all_answered(void **state) {
    char got[4096];
    int fd = visit(*state);
    send_text(fd, "GET /one HTTP/1.1\r\nHost: h\r\n\r\nHEAD /two HTTP/1.1\r\nHost: h\r\n\r\nGET /bye HTTP/1.1\r\nHost: "
                  "h\r\n\r\n");
    size_t n = receive(fd, got, sizeof(got) - 1);
    got[n] = '\0';
    assert_non_null(strstr(got, "GET /one"));
    assert_null(strstr(got, "HEAD /two"));
    assert_non_null(strstr(got, "GET /bye"));
    assert_closed(*state);
    close(fd);
}

static void big_answer_arrives_at_a_slow_reader(void **state) {
    char *got = malloc(BIG + 4096);
    struct rig *rig = *state;
    int fd = visit(rig), small = 65536;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    send_text(fd, "GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    usleep(200000);
    size_t n = receive(fd, got, BIG + 4096);
    assert_true(n > BIG);
    assert_memory_equal(got + n - BIG, rig->big, BIG);
    free(got);
    close(fd);
}

static void body_is_taken_up_to_its_bound(void **state) {
    static const struct {
        size_t size;
        bool chunked;
        const char *wanted;
    } cases[] = {
        {0, false, "body=0"},
        {PAGES_BODY_MAX, false, "body=65536"},
        {PAGES_BODY_MAX + 1, false, "HTTP/1.1 413 "},
        {PAGES_BODY_MAX, true, "body=65536"},
        {PAGES_BODY_MAX + 1, true, "HTTP/1.1 413 "},
    };
    char *body = calloc(1, PAGES_BODY_MAX + 1), got[4096], head[256];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = visit(*state);
        if (cases[i].chunked) {
            snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n",
                     cases[i].size);
        } else {
            snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", cases[i].size);
        }
        send_text(fd, head);
        if (cases[i].size <= PAGES_BODY_MAX || cases[i].chunked) {
            send_bytes(fd, body, cases[i].size);
        }
        if (cases[i].chunked) {
            send_text(fd, "\r\n0\r\n\r\n");
        }
        assert_true(receive_answer(fd, got, sizeof(got)));
        assert_non_null(strstr(got, cases[i].wanted));
        close(fd);
        assert_closed(*state);
    }
    free(body);
}

static void doubtful_heads_are_refused(void **state) {
    struct rig *rig = *state;
    static const char *const heads[] = {
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
        "nonsense\r\n\r\n",
    };
    char got[4096];
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        int fd = visit(rig);
        send_text(fd, heads[i]);
        size_t n = receive(fd, got, sizeof(got) - 1);
        got[n] = '\0';
        if (n && !strstr(got, " 400 ")) {
            fail_msg("case %zu: %s", i, got);
        }
        close(fd);
        assert_closed(rig);
    }
    assert_int_equal(rig->handled, 0);
}

static void long_addresses_and_heads_are_refused(void **state) {
    struct rig *rig = *state;
    char path[PAGES_PATH_MAX + 2], got[4096], line[128];
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[PAGES_PATH_MAX + 1] = '\0';
    int fd = visit(rig);
    send_text(fd, "GET ");
    send_text(fd, path);
    send_text(fd, " HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(receive_answer(fd, got, sizeof(got)));
    assert_non_null(strstr(got, " 414 "));
    assert_non_null(strstr(got, "refused: 414"));
    close(fd);
    assert_closed(rig);
    fd = visit(rig);
    send_text(fd, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof(line), "X-%d: %060d\r\n", i, i);
        if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0) {
            break;
        }
    }
    receive(fd, got, sizeof(got));
    close(fd);
    assert_closed(rig);
    assert_int_equal(rig->handled, 0);
}

/* A byte now and then does not help: the connection ends while they come. */
static void ends_while_it_dribbles(int fd) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    for (int left = LONG_MS / 20; poll(&wait, 1, 20) == 0 && left > 0; left--) {
        (void)send(fd, "X: y\r\n", 6, MSG_NOSIGNAL);
    }
    char byte;
    assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
}

static void dawdlers_are_sent_away(void **state) {
    struct rig *rig = *state;
    char byte;
    rig->patience_ms = SHORT_MS;
    int silent = visit(rig), slow = visit(rig), bodiless = visit(rig);
    send_text(slow, "GET / HTTP/1.1\r\nHost: a\r\n");
    send_text(bodiless, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    ends_while_it_dribbles(slow);
    for (int i = 0; i < 3; i++) {
        assert_closed(rig);
    }
    assert_true(recv(silent, &byte, 1, 0) <= 0);
    assert_int_equal(rig->handled, 0);
    close(silent);
    close(slow);
    close(bodiless);
}

static void later_heads_have_a_deadline(void **state) {
    struct rig *rig = *state;
    char got[4096];
    int slow = visit(rig);
    send_text(slow, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(receive_answer(slow, got, sizeof(got)));
    uint64_t start = os_monotonic_ms();
    send_text(slow, "GET / HTTP/1.1\r\n");
    ends_while_it_dribbles(slow);
    assert_true(os_monotonic_ms() - start >= SHORT_MS - 100);
    assert_closed(rig);
    close(slow);
}

static void rests_have_a_deadline(void **state) {
    struct rig *rig = *state;
    char got[4096];
    int idle = visit(rig);
    uint64_t start = os_monotonic_ms();
    send_text(idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(receive_answer(idle, got, sizeof(got)));
    assert_closed(rig);
    assert_true(os_monotonic_ms() - start >= SHORT_MS - 100);
    assert_true(recv(idle, got, 1, 0) <= 0);
    close(idle);
}

static void answers_have_a_deadline(void **state) {
    struct rig *rig = *state;
    int stalled = visit(rig), small = 4096;
    setsockopt(stalled, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    for (int i = 0; i < 6; i++) {
        send_text(stalled, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    assert_closed(rig);
    close(stalled);
}

static void one_too_many_is_refused_and_room_comes_back(void **state) {
    struct rig *rig = *state;
    char got[4096];
    int fds[3], rc = 0;
    for (size_t i = 0; i < 3; i++) {
        fds[i] = visit(rig);
        send_text(fds[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_true(receive_answer(fds[i], got, sizeof(got)));
    }
    int extra = visit_rc(rig, &rc);
    assert_int_equal(rc, SP_EBUSY);
    assert_true(recv(extra, got, 1, 0) <= 0);
    close(extra);
    close(fds[0]);
    assert_closed(rig);
    fds[0] = visit(rig);
    send_text(fds[0], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(receive_answer(fds[0], got, sizeof(got)));
    for (size_t i = 0; i < 3; i++) {
        close(fds[i]);
    }
}

static void leaving_in_the_middle_leaks_nothing(void **state) {
    struct rig *rig = *state;
    static const char *const parts[] = {"",
                                        "GET",
                                        "GET / HTTP/1.1\r\n",
                                        "GET / HTTP/1.1\r\nHost: a\r\n",
                                        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
                                        "GET /big HTTP/1.1\r\nHost: a\r\n\r\n"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        int fd = visit(rig);
        send_text(fd, parts[i]);
        usleep(50000);
        close(fd);
        assert_closed(rig);
    }
}

static void end_of_the_pages_reports_every_connection(void **state) {
    struct rig *rig = *state;
    char got[4096];
    int used = visit(rig), fresh = visit(rig), ends[2];
    send_text(used, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(receive_answer(used, got, sizeof(got)));
    loop_thread_join(&rig->loop);
    /* One more that nobody has looked at yet. */
    tcp_pair(ends);
    take(rig, ends[1]);
    pages_free(rig->pages);
    rig->pages = NULL;
    for (int i = 0; i < 3; i++) {
        assert_closed(rig);
    }
    assert_true(recv(ends[0], got, 1, 0) <= 0);
    close(ends[0]);
    assert_true(recv(used, got, 1, 0) <= 0);
    assert_true(recv(fresh, got, 1, 0) <= 0);
    close(used);
    close(fresh);
    loop_thread_start(&rig->loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(request_reaches_the_handler_whole, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(requests_in_one_packet_are_all_answered, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(big_answer_arrives_at_a_slow_reader, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(body_is_taken_up_to_its_bound, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(doubtful_heads_are_refused, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(long_addresses_and_heads_are_refused, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(dawdlers_are_sent_away, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(later_heads_have_a_deadline, short_heads_up, rig_down),
        cmocka_unit_test_setup_teardown(rests_have_a_deadline, short_rests_up, rig_down),
        cmocka_unit_test_setup_teardown(answers_have_a_deadline, short_answers_up, rig_down),
        cmocka_unit_test_setup_teardown(one_too_many_is_refused_and_room_comes_back, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(leaving_in_the_middle_leaks_nothing, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(end_of_the_pages_reports_every_connection, rig_up, rig_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
