#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/os.h"
#include "sallyport/wire/socket_stream.h"

struct bench {
    struct loop *loop;
    struct stream *stream;
    int far; /* the other end; -1 when closed */
    uint8_t got[1 << 20];
    size_t got_len, allowance;
    unsigned ends, closeds, writables;
    struct loop_timer stop;
};

static size_t bench_data(void *ctx, const uint8_t *bytes, size_t n) {
    struct bench *bench = ctx;
    size_t room = bench->allowance - bench->got_len;
    size_t take = n < room ? n : room;
    memcpy(bench->got + bench->got_len, bytes, take);
    bench->got_len += take;
    return take;
}

static void bench_end(void *ctx) {
    struct bench *bench = ctx;
    bench->ends++;
}

static void bench_writable(void *ctx) {
    struct bench *bench = ctx;
    bench->writables++;
}

static void bench_closed(void *ctx) {
    struct bench *bench = ctx;
    bench->closeds++;
}

static const struct stream_events bench_events = {
    .data = bench_data, .end = bench_end, .writable = bench_writable, .closed = bench_closed};

static void bench_stop(void *ctx) {
    struct bench *bench = ctx;
    loop_stop(bench->loop);
}

/* Turns for so long, and returns the processor time it took, in microseconds. */
static long turn(struct bench *bench, uint64_t ms) {
    struct rusage before, after;
    (void)getrusage(RUSAGE_THREAD, &before);
    assert_int_equal(loop_timer_set(&bench->stop, ms), 0);
    assert_int_equal(loop_run(bench->loop), 0);
    (void)getrusage(RUSAGE_THREAD, &after);
    return (after.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_utime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
           after.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_utime.tv_usec - before.ru_stime.tv_usec;
}

/* Loopback TCP: [0] for the stream, [1] for the test, blocking. */
static void tcp_ends(int fds[static 2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[1], (const struct sockaddr *)&address, size), 0);
    fds[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fds[0] >= 0);
    assert_int_equal(close(listener), 0);
}

static int bench_init(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    int fds[2];
    assert_non_null(bench);
    assert_int_equal(loop_new(&bench->loop), 0);
    loop_timer_init(bench->loop, &bench->stop, bench_stop, bench);
    tcp_ends(fds);
    bench->far = fds[1];
    bench->allowance = sizeof bench->got;
    assert_int_equal(socket_stream_new(bench->loop, fds[0], &bench->stream), 0);
    stream_listen(bench->stream, &bench_events, bench);
    *state = bench;
    return 0;
}

static int bench_fini(void **state) {
    struct bench *bench = *state;
    if (bench->stream)
        bench->stream->ops->close(bench->stream);
    if (bench->far >= 0)
        assert_int_equal(close(bench->far), 0);
    loop_free(bench->loop);
    free(bench);
    return 0;
}

static void far_says(struct bench *bench, const char *text) {
    assert_int_equal(send(bench->far, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void far_closes(struct bench *bench, bool reset) {
    struct linger linger = {.l_onoff = 1};
    if (reset)
        assert_int_equal(setsockopt(bench->far, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    assert_int_equal(close(bench->far), 0);
    bench->far = -1;
}

static void test_nothing_before_resume(void **state) {
    struct bench *bench = *state;
    far_says(bench, "early");
    assert_true(turn(bench, 50) < 20000);
    assert_int_equal(bench->got_len, 0);
    bench->stream->ops->resume(bench->stream);
    (void)turn(bench, 20);
    assert_int_equal(bench->got_len, 5);
    assert_memory_equal(bench->got, "early", 5);
}

static void test_refused_bytes_come_again(void **state) {
    struct bench *bench = *state;
    bench->allowance = 3;
    bench->stream->ops->resume(bench->stream);
    far_says(bench, "abcdef");
    (void)turn(bench, 20);
    assert_int_equal(bench->got_len, 3);
    far_says(bench, "ghi");
    assert_int_equal(shutdown(bench->far, SHUT_WR), 0);
    assert_true(turn(bench, 50) < 20000);
    assert_int_equal(bench->got_len, 3);
    assert_int_equal(bench->ends, 0);
    bench->allowance = 4;
    bench->stream->ops->resume(bench->stream);
    (void)turn(bench, 20);
    assert_int_equal(bench->got_len, 4);
    bench->allowance = sizeof bench->got;
    bench->stream->ops->resume(bench->stream);
    (void)turn(bench, 20);
    assert_int_equal(bench->got_len, 9);
    assert_memory_equal(bench->got, "abcdefghi", 9);
    assert_int_equal(bench->ends, 1);
    assert_int_equal(bench->closeds, 0);
}

static void test_end_leaves_reading(void **state) {
    struct bench *bench = *state;
    char byte;
    bench->stream->ops->resume(bench->stream);
    assert_int_equal(bench->stream->ops->write(bench->stream, (const uint8_t *)"x", 1), 1);
    bench->stream->ops->end(bench->stream);
    assert_int_equal(bench->stream->ops->write(bench->stream, (const uint8_t *)"y", 1), SP_ECLOSED);
    assert_int_equal(recv(bench->far, &byte, 1, 0), 1);
    assert_int_equal(recv(bench->far, &byte, 1, 0), 0);
    far_says(bench, "more");
    (void)turn(bench, 20);
    assert_int_equal(bench->got_len, 4);
    assert_int_equal(bench->ends, 0);
}

static void test_a_full_socket_tells_when_there_is_room(void **state) {
    struct bench *bench = *state;
    static uint8_t bytes[1 << 16];
    ssize_t n;
    size_t wrote = 0;
    while ((n = bench->stream->ops->write(bench->stream, bytes, sizeof bytes)) == (ssize_t)sizeof bytes)
        wrote += (size_t)n;
    assert_true(n >= 0);
    wrote += (size_t)n;
    assert_true(turn(bench, 50) < 20000);
    assert_int_equal(bench->writables, 0);
    for (size_t got = 0; got < wrote; got += (size_t)n) {
        n = recv(bench->far, bytes, sizeof bytes, 0);
        assert_true(n > 0);
    }
    (void)turn(bench, 50);
    assert_int_equal(bench->writables, 1);
}

static void test_a_reset_is_closed(void **state) {
    struct bench *bench = *state;
    bench->stream->ops->resume(bench->stream);
    far_closes(bench, true);
    assert_true(turn(bench, 50) < 20000);
    assert_int_equal(bench->closeds, 1);
    assert_int_equal(bench->ends, 0);
    assert_int_equal(bench->stream->ops->write(bench->stream, (const uint8_t *)"x", 1), SP_ECLOSED);
}

/* Nobody reads, and the peer goes: the loop must not be kept busy by what cannot be masked. */
static void test_a_reset_while_stopped(void **state) {
    struct bench *bench = *state;
    bench->allowance = 1;
    bench->stream->ops->resume(bench->stream);
    far_says(bench, "ab");
    (void)turn(bench, 20);
    far_closes(bench, true);
    assert_true(turn(bench, 100) < 20000);
    bench->allowance = sizeof bench->got;
    bench->stream->ops->resume(bench->stream);
    (void)turn(bench, 20);
    assert_int_equal(bench->closeds, 1);
}

/* What was written before close arrives, even though we leave bytes unread, which would make the kernel reset. */
static void test_close_lets_the_last_words_out(void **state) {
    struct bench *bench = *state;
    char text[64] = "";
    far_says(bench, "you will never read this");
    assert_int_equal(bench->stream->ops->write(bench->stream, (const uint8_t *)"goodbye", 7), 7);
    bench->stream->ops->close(bench->stream);
    bench->stream = NULL;
    (void)turn(bench, 50);
    far_says(bench, "nor this");
    (void)turn(bench, 50);
    assert_int_equal(recv(bench->far, text, sizeof text, MSG_WAITALL), 7);
    assert_string_equal(text, "goodbye");
    far_closes(bench, false);
    (void)turn(bench, 20);
    assert_int_equal(bench->got_len + bench->ends + bench->closeds, 0);
}

static void test_a_connect_that_fails(void **state) {
    struct bench *bench = *state;
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int gone = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(gone, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(gone, (struct sockaddr *)&address, &size), 0);
    (void)connect(fd, (const struct sockaddr *)&address, size);
    assert_int_equal(close(gone), 0);
    bench->stream->ops->close(bench->stream);
    assert_int_equal(socket_stream_new(bench->loop, fd, &bench->stream), 0);
    stream_listen(bench->stream, &bench_events, bench);
    bench->stream->ops->resume(bench->stream);
    (void)turn(bench, 50);
    assert_int_equal(bench->closeds, 1);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_init, bench_fini)

int main(void) {
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_nothing_before_resume),
        BENCH_TEST(test_refused_bytes_come_again),
        BENCH_TEST(test_end_leaves_reading),
        BENCH_TEST(test_a_full_socket_tells_when_there_is_room),
        BENCH_TEST(test_a_reset_is_closed),
        BENCH_TEST(test_a_reset_while_stopped),
        BENCH_TEST(test_close_lets_the_last_words_out),
        BENCH_TEST(test_a_connect_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
