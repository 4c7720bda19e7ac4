#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handover_fd.h"
#include "pump.h"
#include "sallyport/base/err.h"

enum { MUCH = 8 << 20 };

/* A pump in a child: we are at the far end of its socket, and behind its standard input and output. */
struct rig {
    pid_t pid;
    int far, in, out;
};

static void start(struct rig *rig, bool one_socket) {
    int far[2], in[2], out[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, far), 0);
    if (one_socket) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, in), 0);
        out[0] = dup(in[1]);
        out[1] = dup(in[0]);
    } else {
        assert_int_equal(pipe(in), 0);
        assert_int_equal(pipe(out), 0);
    }
    rig->pid = fork();
    assert_true(rig->pid >= 0);
    if (rig->pid == 0) {
        (void)signal(SIGPIPE, SIG_IGN);
        (void)dup2(in[0], STDIN_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)close(far[0]);
        (void)close(in[0]);
        (void)close(in[1]);
        (void)close(out[0]);
        (void)close(out[1]);
        _exit(pump_run(far[1]) ? 1 : 0);
    }
    (void)close(far[1]);
    (void)close(in[0]);
    (void)close(out[1]);
    *rig = (struct rig){.pid = rig->pid, .far = far[0], .in = in[1], .out = out[0]};
}

static void finish(struct rig *rig) {
    int status;
    assert_int_equal(waitpid(rig->pid, &status, 0), rig->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    (void)close(rig->far);
    (void)close(rig->in);
    (void)close(rig->out);
}

struct flood {
    int fd;
    uint8_t seed;
};

static uint8_t byte_at(size_t i, uint8_t seed) {
    return (uint8_t)(i * 31 + (i >> 11) + seed);
}

static void *write_flood(void *ctx) {
    const struct flood *flood = ctx;
    uint8_t block[5000];
    for (size_t at = 0; at < MUCH;) {
        size_t n = MUCH - at < sizeof block ? MUCH - at : sizeof block;
        for (size_t i = 0; i < n; i++)
            block[i] = byte_at(at + i, flood->seed);
        ssize_t done = write(flood->fd, block, n);
        if (done <= 0)
            return NULL;
        at += (size_t)done;
    }
    if (shutdown(flood->fd, SHUT_WR))
        (void)close(flood->fd);
    return NULL;
}

static void read_flood(int fd, uint8_t seed) {
    uint8_t block[7000];
    size_t at = 0;
    for (;;) {
        ssize_t n = read(fd, block, sizeof block);
        assert_true(n >= 0);
        if (n == 0)
            break;
        for (ssize_t i = 0; i < n; i++) {
            if (block[i] != byte_at(at + (size_t)i, seed))
                fail_msg("byte %zu is wrong", at + (size_t)i);
        }
        at += (size_t)n;
    }
    assert_int_equal(at, MUCH);
}

static void *read_other(void *ctx) {
    const struct flood *flood = ctx;
    read_flood(flood->fd, flood->seed);
    return NULL;
}

static void both_ways(bool one_socket) {
    struct rig rig;
    pthread_t writers[2], reader;
    start(&rig, one_socket);
    struct flood up = {.fd = rig.in, .seed = 1}, down = {.fd = rig.far, .seed = 2}, back = {.fd = rig.out, .seed = 2};
    assert_int_equal(pthread_create(&writers[0], NULL, write_flood, &up), 0);
    assert_int_equal(pthread_create(&writers[1], NULL, write_flood, &down), 0);
    assert_int_equal(pthread_create(&reader, NULL, read_other, &back), 0);
    read_flood(rig.far, 1);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(writers[i], NULL), 0);
    assert_int_equal(pthread_join(reader, NULL), 0);
    if (!one_socket)
        rig.in = dup(rig.out); /* the writer has closed it */
    finish(&rig);
}

static void test_both_ways_through_pipes(void **state) {
    (void)state;
    both_ways(false);
}

static void test_both_ways_through_one_socket(void **state) {
    (void)state;
    both_ways(true);
}

static void test_half_close(void **state) {
    (void)state;
    struct rig rig;
    char text[8];
    start(&rig, true);
    assert_int_equal(write(rig.in, "ask", 3), 3);
    assert_int_equal(shutdown(rig.in, SHUT_WR), 0);
    assert_int_equal(recv(rig.far, text, 3, MSG_WAITALL), 3);
    assert_int_equal(read(rig.far, text, 1), 0); /* the end has come through, the other direction is open */
    assert_int_equal(write(rig.far, "answer", 6), 6);
    assert_int_equal(recv(rig.out, text, 6, MSG_WAITALL), 6);
    assert_memory_equal(text, "answer", 6);
    assert_int_equal(shutdown(rig.far, SHUT_WR), 0);
    assert_int_equal(read(rig.out, text, 1), 0);
    finish(&rig);
}

static void test_the_reader_of_our_output_is_gone(void **state) {
    (void)state;
    struct rig rig;
    static const uint8_t block[1 << 16];
    start(&rig, false);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)close(rig.out);
    ssize_t n;
    do
        n = send(rig.far, block, sizeof block, MSG_NOSIGNAL);
    while (n > 0);
    rig.out = dup(rig.in);
    finish(&rig);
}

static void test_descriptors_go_over(void **state) {
    (void)state;
    int road[2], cargo[2], got = -1;
    char byte = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, road), 0);
    assert_int_equal(pipe(cargo), 0);
    assert_int_equal(handover_fd_send(road[0], cargo[1]), 0);
    assert_int_equal(handover_fd_receive(road[1], &got), 0);
    assert_int_not_equal(got, cargo[1]);
    assert_int_equal(write(got, "x", 1), 1);
    assert_int_equal(read(cargo[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    assert_int_equal(handover_fd_send(cargo[1], road[0]), SP_ESYS);
    assert_int_equal(write(road[0], "y", 1), 1); /* a byte alone brings none */
    assert_int_equal(handover_fd_receive(road[1], &got), SP_ECLOSED);
    (void)close(road[0]);
    assert_int_equal(handover_fd_receive(road[1], &got), SP_ECLOSED);
    (void)close(road[1]);
    (void)close(cargo[0]);
    (void)close(cargo[1]);
    (void)close(got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways_through_pipes),
        cmocka_unit_test(test_both_ways_through_one_socket),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_the_reader_of_our_output_is_gone),
        cmocka_unit_test(test_descriptors_go_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
