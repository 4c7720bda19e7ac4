/* Messages to other servers: where they may not go, and what ends them. What they say there, test_alerts.py sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/loop.h"
#include "sallyport/wire/post.h"

struct place {
    struct loop *loop;
    struct posts *posts;
    int listener; /* a server that takes connections and says nothing */
    char url[64];
    bool done;
    int rc;
    struct why why;
};

static void on_done(void *ctx, int rc, const struct why *why) {
    struct place *place = ctx;
    place->done = true;
    place->rc = rc;
    place->why = *why;
    loop_stop(place->loop);
}

static int set_up(void **state) {
    struct place *place = calloc(1, sizeof(*place));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    assert_non_null(place);
    assert_int_equal(loop_new(&place->loop), 0);
    assert_int_equal(posts_new(place->loop, &place->posts), 0);
    place->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(place->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(place->listener, 8), 0);
    assert_int_equal(getsockname(place->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(place->url, sizeof(place->url), "http://127.0.0.1:%u/x", ntohs(address.sin_port));
    *state = place;
    return 0;
}

static int tear_down(void **state) {
    struct place *place = *state;
    posts_free(place->posts);
    loop_free(place->loop);
    close(place->listener);
    free(place);
    return 0;
}

static bool no_address(const char *address) {
    assert_string_equal(address, "127.0.0.1");
    return false;
}

static void send_and_wait(struct place *place, const struct post *post) {
    place->done = false;
    assert_int_equal(posts_send(place->posts, post, on_done, place), 0);
    assert_false(place->done); /* never from inside */
    assert_int_equal(loop_run(place->loop), 0);
    assert_true(place->done);
}

static void test_refused_address(void **state) {
    struct place *place = *state;
    struct post post = {.url = place->url, .body = "x", .body_len = 1, .allows = no_address, .timeout_s = 100};
    send_and_wait(place, &post);
    assert_int_equal(place->rc, SP_EDENIED);
    assert_non_null(strstr(place->why.text, "not public"));
    assert_int_equal(accept(place->listener, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
}

static void test_other_protocols(void **state) {
    struct place *place = *state;
    static const char *const urls[] = {"file:///etc/hostname", "gopher://127.0.0.1/", "smtp://127.0.0.1/", "",
                                       "http://"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct post post = {.url = urls[i], .body = "x", .body_len = 1, .timeout_s = 100};
        send_and_wait(place, &post);
        assert_int_equal(place->rc, SP_ECLOSED);
    }
    struct post mail = {
        .url = place->url, .from = "a@b.org", .to = "c@d.org", .body = "x", .body_len = 1, .timeout_s = 9};
    send_and_wait(place, &mail);
    assert_int_equal(place->rc, SP_ECLOSED);
    assert_int_equal(accept(place->listener, NULL, NULL), -1);
}

static void test_not_sent(void **state) {
    struct place *place = *state;
    static const char big[POST_BODY_MAX + 1];
    struct post post = {.url = place->url, .fields = {"Title: a\r\nX: b"}, .body = "x", .body_len = 1, .timeout_s = 9};
    assert_int_equal(posts_send(place->posts, &post, on_done, place), SP_EINVAL);
    post = (struct post){.url = place->url, .body = big, .body_len = sizeof(big), .timeout_s = 9};
    assert_int_equal(posts_send(place->posts, &post, on_done, place), SP_ETOOBIG);
    post = (struct post){.url = place->url, .from = "a@b.org>\r\nRCPT TO:<e@f.org", .to = "c@d.org", .timeout_s = 9};
    assert_int_equal(posts_send(place->posts, &post, on_done, place), SP_EINVAL);
    loop_drain(place->loop);
    assert_false(place->done);
}

/* A server that never answers does not hold up the end: without this the test takes an hour. */
static void test_end(void **state) {
    struct place *place = *state;
    struct post post = {.url = place->url, .body = "x", .body_len = 1, .timeout_s = 3600};
    for (int i = 0; i < 4; i++)
        assert_int_equal(posts_send(place->posts, &post, on_done, place), 0);
    struct pollfd watch = {.fd = place->listener, .events = POLLIN};
    assert_int_equal(poll(&watch, 1, 60000), 1); /* one is there */
    posts_free(place->posts);
    place->posts = NULL;
    assert_false(place->done);
}

#define place_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        place_test(test_refused_address),
        place_test(test_other_protocols),
        place_test(test_not_sent),
        place_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
