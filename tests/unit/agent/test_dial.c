#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dial.h"
#include "sallyport/base/err.h"

enum { LONG_MS = 60000 };

struct bench {
    struct loop *loop;
    struct work *work;
    struct dial *dial;
    struct loop_timer stop;
    unsigned done;
    int rc, fd;
    char address[64], reason[512];
};

static void bench_stop(void *ctx) {
    struct bench *bench = ctx;
    loop_stop(bench->loop);
}

static void bench_done(void *ctx, int rc, int fd, const char *address, const char *reason) {
    struct bench *bench = ctx;
    bench->done++;
    bench->rc = rc;
    bench->fd = fd;
    bench->dial = NULL;
    (void)snprintf(bench->address, sizeof bench->address, "%s", address);
    (void)snprintf(bench->reason, sizeof bench->reason, "%s", reason);
    loop_stop(bench->loop);
}

static int bench_init(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->fd = -1;
    assert_int_equal(loop_new(&bench->loop), 0);
    assert_int_equal(work_new(bench->loop, 2, &bench->work), 0);
    loop_timer_init(bench->loop, &bench->stop, bench_stop, bench);
    *state = bench;
    return 0;
}

static int bench_fini(void **state) {
    struct bench *bench = *state;
    dial_cancel(bench->dial);
    if (bench->fd >= 0)
        assert_int_equal(close(bench->fd), 0);
    work_free(bench->work);
    loop_timer_stop(&bench->stop);
    loop_free(bench->loop);
    free(bench);
    return 0;
}

static int listen_on(uint16_t *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void turn(struct bench *bench, uint64_t ms) {
    assert_int_equal(loop_timer_set(&bench->stop, ms), 0);
    assert_int_equal(loop_run(bench->loop), 0);
    loop_timer_stop(&bench->stop);
}

static void dial(struct bench *bench, const char *host, uint16_t port) {
    assert_int_equal(dial_new(bench->loop, bench->work, host, port, bench_done, bench, &bench->dial), 0);
    assert_int_equal(bench->done, 0);
}

static void test_a_number(void **state) {
    struct bench *bench = *state;
    uint16_t port;
    int listener = listen_on(&port);
    dial(bench, "127.0.0.1", port);
    turn(bench, LONG_MS);
    assert_int_equal(bench->done, 1);
    assert_int_equal(bench->rc, 0);
    assert_string_equal(bench->address, "127.0.0.1");
    assert_true(fcntl(bench->fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(bench->fd, F_GETFD) & FD_CLOEXEC);
    int far = accept(listener, NULL, NULL);
    assert_int_equal(send(bench->fd, "x", 1, MSG_NOSIGNAL), 1);
    (void)close(far);
    (void)close(listener);
}

/* The name has an IPv6 address as well, where nobody listens: the next one is tried. */
static void test_a_name(void **state) {
    struct bench *bench = *state;
    uint16_t port;
    int listener = listen_on(&port);
    dial(bench, "localhost", port);
    turn(bench, LONG_MS);
    assert_int_equal(bench->done, 1);
    assert_int_equal(bench->rc, 0);
    assert_string_equal(bench->address, "127.0.0.1");
    (void)close(listener);
}

static void test_nobody_listens(void **state) {
    struct bench *bench = *state;
    uint16_t port;
    assert_int_equal(close(listen_on(&port)), 0);
    dial(bench, "localhost", port);
    turn(bench, LONG_MS);
    assert_int_equal(bench->done, 1);
    assert_int_equal(bench->rc, SP_ECLOSED);
    assert_int_equal(bench->fd, -1);
    assert_non_null(strstr(bench->reason, "refused"));
}

static void test_no_such_name(void **state) {
    struct bench *bench = *state;
    dial(bench, "no such name.invalid", 22);
    turn(bench, LONG_MS);
    assert_int_equal(bench->done, 1);
    assert_int_equal(bench->rc, SP_ENOENT);
    assert_non_null(strstr(bench->reason, "no such name.invalid"));
}

static void test_cancel(void **state) {
    struct bench *bench = *state;
    uint16_t port;
    int listener = listen_on(&port);
    dial(bench, "localhost", port);
    dial_cancel(bench->dial); /* while the name is looked up */
    bench->dial = NULL;
    turn(bench, 200);
    dial(bench, "127.0.0.1", port);
    dial_cancel(bench->dial);
    bench->dial = NULL;
    dial_cancel(NULL);
    turn(bench, 50);
    assert_int_equal(bench->done, 0);
    (void)close(listener);
}

static void test_a_host_too_long(void **state) {
    struct bench *bench = *state;
    char host[300];
    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = '\0';
    assert_true(dial_new(bench->loop, bench->work, host, 1, bench_done, bench, &bench->dial) < 0);
    assert_null(bench->dial);
    turn(bench, 20);
    assert_int_equal(bench->done, 0);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_init, bench_fini)

int main(void) {
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_a_number),     BENCH_TEST(test_a_name), BENCH_TEST(test_nobody_listens),
        BENCH_TEST(test_no_such_name), BENCH_TEST(test_cancel), BENCH_TEST(test_a_host_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
