#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/local.h"

enum { TRIES = 2000, PAUSE_US = 10000 }; /* to wait for what happens in another thread */

struct bench {
    char dir[64], path[96];
    struct loop *loop;
    struct local_server *server;
    struct loop_timer stop;
    pthread_t thread;
    int ends[2];
    struct loop_fd wake;
    unsigned runs;
    char said[256];
    size_t input_len;
    size_t answer_len;
};

static int bench_run(void *ctx, char **words, size_t count, const char *input, size_t input_len, struct buf *out,
                     struct buf *err) {
    struct bench *bench = ctx;
    bench->runs++;
    bench->said[0] = '\0';
    for (size_t i = 0; i < count; i++)
        (void)snprintf(bench->said + strlen(bench->said), sizeof bench->said - strlen(bench->said), "<%s>", words[i]);
    bench->input_len = input_len;
    if (bench->answer_len) {
        uint8_t *tail;
        assert_int_equal(buf_reserve(out, bench->answer_len, &tail), 0);
        memset(tail, 'y', bench->answer_len);
        buf_commit(out, bench->answer_len);
        return 0;
    }
    (void)buf_append(out, input, input_len);
    if (count && strcmp(words[0], "fail") == 0)
        (void)buf_printf(err, "no: \"%s\"\n", words[0]);
    return count && strcmp(words[0], "fail") == 0 ? 3 : 0;
}

static void bench_wake(void *ctx, uint32_t events) {
    struct bench *bench = ctx;
    (void)events;
    loop_stop(bench->loop);
}

static void *bench_thread(void *ctx) {
    struct bench *bench = ctx;
    (void)loop_run(bench->loop);
    return NULL;
}

static int bench_init(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    struct why why = {""};
    assert_non_null(bench);
    (void)snprintf(bench->dir, sizeof bench->dir, "/tmp/sallyport-test-local-XXXXXX");
    assert_non_null(mkdtemp(bench->dir));
    assert_int_equal(os_path(bench->path, sizeof bench->path, bench->dir, "ctl.sock"), 0);
    assert_int_equal(loop_new(&bench->loop), 0);
    struct local_handler handler = {.run = bench_run, .ctx = bench};
    assert_int_equal(local_server_new(bench->loop, bench->path, &handler, &bench->server, &why), 0);
    assert_int_equal(pipe(bench->ends), 0);
    loop_fd_init(&bench->wake);
    assert_int_equal(loop_fd_add(bench->loop, &bench->wake, bench->ends[0], EPOLLIN, bench_wake, bench), 0);
    assert_int_equal(pthread_create(&bench->thread, NULL, bench_thread, bench), 0);
    *state = bench;
    return 0;
}

static int bench_fini(void **state) {
    struct bench *bench = *state;
    assert_int_equal(write(bench->ends[1], "x", 1), 1);
    assert_int_equal(pthread_join(bench->thread, NULL), 0);
    loop_fd_remove(&bench->wake);
    (void)close(bench->ends[0]);
    (void)close(bench->ends[1]);
    local_server_free(bench->server);
    loop_free(bench->loop);
    assert_int_equal(access(bench->path, F_OK), -1);
    assert_int_equal(rmdir(bench->dir), 0);
    free(bench);
    return 0;
}

struct reply {
    struct buf out, err;
    int status;
    struct why why;
};

static int ask(const char *path, const char *word, const char *input, size_t input_len, struct reply *reply) {
    char first[64], second[] = "--json \"quoted\"";
    char *words[] = {first, second};
    assert_int_equal(str_copy(first, sizeof first, word), 0);
    memset(reply, 0, sizeof *reply);
    reply->status = -1;
    buf_init(&reply->out);
    buf_init(&reply->err);
    return local_call(path, words, 2, input, input_len, &reply->out, &reply->err, &reply->status, &reply->why);
}

static void reply_fini(struct reply *reply) {
    buf_fini(&reply->out);
    buf_fini(&reply->err);
}

static void test_ask_and_answer(void **state) {
    struct bench *bench = *state;
    struct reply reply;
    struct stat st;
    assert_int_equal(stat(bench->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(ask(bench->path, "list", "a\nb\t\xc3\xa9", 6, &reply), 0);
    assert_string_equal(bench->said, "<list><--json \"quoted\">");
    assert_int_equal(reply.status, 0);
    assert_string_equal(buf_string(&reply.out), "a\nb\t\xc3\xa9");
    assert_int_equal(buf_len(&reply.err), 0);
    reply_fini(&reply);
    assert_int_equal(ask(bench->path, "fail", NULL, 0, &reply), 0);
    assert_int_equal(reply.status, 3);
    assert_int_equal(buf_len(&reply.out), 0);
    assert_string_equal(buf_string(&reply.err), "no: \"fail\"\n");
    reply_fini(&reply);
}

static void test_much(void **state) {
    struct bench *bench = *state;
    struct reply reply;
    char *input = malloc(1000000);
    assert_non_null(input);
    memset(input, 'x', 1000000);
    assert_int_equal(ask(bench->path, "list", input, 1000000, &reply), 0);
    assert_int_equal(buf_len(&reply.out), 1000000);
    reply_fini(&reply);
    free(input);
    bench->answer_len = 20 << 20;
    assert_int_equal(ask(bench->path, "list", NULL, 0, &reply), 0);
    assert_int_equal(buf_len(&reply.out), 20 << 20);
    reply_fini(&reply);
}

static void test_too_much(void **state) {
    struct bench *bench = *state;
    struct reply reply;
    char *input = malloc(3 << 20);
    assert_non_null(input);
    memset(input, 'x', 3 << 20);
    assert_true(ask(bench->path, "list", input, 3 << 20, &reply) < 0);
    assert_true(reply.why.text[0]);
    assert_int_equal(bench->runs, 0);
    reply_fini(&reply);
    free(input);
}

static int dial(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 5};
    assert_int_equal(str_copy(address.sun_path, sizeof address.sun_path, path), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return fd;
}

/* Sends that line as it is, and gets a whole answer or the end. */
static void raw(const char *path, const char *line, char *answer, size_t size) {
    int fd = dial(path);
    size_t len = 0;
    assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
    for (ssize_t n; len < size - 1 && (n = recv(fd, answer + len, size - 1 - len, 0)) > 0;)
        len += (size_t)n;
    answer[len] = '\0';
    (void)close(fd);
}

static void test_not_a_request(void **state) {
    struct bench *bench = *state;
    static const char *const lines[] = {"\n",
                                        "hello\n",
                                        "{}\n",
                                        "[]\n",
                                        "{\"args\":\"list\"}\n",
                                        "{\"args\":[1]}\n",
                                        "{\"args\":[\"a\",null]}\n",
                                        "{\"args\":[\"a\\u0000b\"]}\n",
                                        "{\"args\":[]} x\n",
                                        "\xff\n"};
    char answer[512];
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        raw(bench->path, lines[i], answer, sizeof answer);
        assert_non_null(strstr(answer, "\"exit\":2"));
    }
    assert_int_equal(bench->runs, 0);
    char many[1024];
    int len = snprintf(many, sizeof many, "{\"args\":[\"a\"");
    for (int i = 0; i < 64; i++)
        len += snprintf(many + len, sizeof many - (size_t)len, ",\"a\"");
    (void)snprintf(many + len, sizeof many - (size_t)len, "]}\n");
    raw(bench->path, many, answer, sizeof answer);
    assert_non_null(strstr(answer, "\"exit\":2"));
    raw(bench->path, "{\"args\":[]}\n{\"args\":[\"again\"]}\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "\"exit\":0"));
    assert_int_equal(bench->runs, 1);
}

static void test_callers_that_leave(void **state) {
    struct bench *bench = *state;
    struct reply reply;
    bench->answer_len = 4 << 20;
    for (int i = 0; i < 100; i++) {
        int fd = dial(bench->path);
        if (i % 3)
            (void)send(fd, i % 3 == 1 ? "{\"args" : "{\"args\":[]}\n", i % 3 == 1 ? 6 : 12, MSG_NOSIGNAL);
        (void)close(fd);
    }
    /* While those are being looked at, all places may be taken. */
    int rc = ask(bench->path, "list", NULL, 0, &reply);
    for (int i = 0; rc && i < TRIES; i++) {
        reply_fini(&reply);
        (void)usleep(PAUSE_US);
        rc = ask(bench->path, "list", NULL, 0, &reply);
    }
    assert_int_equal(rc, 0);
    reply_fini(&reply);
}

/* Beyond 32 at once callers are turned away, and the others keep their place. */
static void test_many_callers(void **state) {
    struct bench *bench = *state;
    int fds[40];
    char byte;
    unsigned refused = 0;
    for (int i = 0; i < 40; i++)
        fds[i] = dial(bench->path);
    for (int tries = 0; refused < 8 && tries < TRIES; tries++) {
        (void)usleep(PAUSE_US);
        refused = 0;
        for (int i = 0; i < 40; i++)
            if (recv(fds[i], &byte, 1, MSG_DONTWAIT) == 0)
                refused++;
    }
    assert_int_equal(refused, 8);
    for (int i = 0; i < 40; i++)
        (void)close(fds[i]);
}

static void test_nobody_there(void **state) {
    struct bench *bench = *state;
    char path[128];
    struct reply reply;
    assert_int_equal(os_path(path, sizeof path, bench->dir, "other.sock"), 0);
    assert_int_equal(ask(path, "list", NULL, 0, &reply), SP_ENOENT);
    assert_non_null(strstr(reply.why.text, "other.sock"));
    reply_fini(&reply);
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(ask(path, "list", NULL, 0, &reply), SP_ETOOBIG);
    reply_fini(&reply);
}

/* A dead daemon's socket file is in nobody's way. */
static void test_a_stale_socket(void **state) {
    struct bench *bench = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct local_server *server = NULL;
    struct loop *loop;
    struct why why = {""};
    struct reply reply;
    assert_int_equal(os_path(address.sun_path, sizeof address.sun_path, bench->dir, "stale.sock"), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(ask(address.sun_path, "list", NULL, 0, &reply), SP_ENOENT);
    reply_fini(&reply);
    assert_int_equal(loop_new(&loop), 0);
    struct local_handler handler = {.run = bench_run, .ctx = bench};
    assert_int_equal(local_server_new(loop, address.sun_path, &handler, &server, &why), 0);
    local_server_free(server);
    local_server_free(NULL);
    loop_free(loop);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_init, bench_fini)

int main(void) {
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_ask_and_answer),     BENCH_TEST(test_much),
        BENCH_TEST(test_too_much),           BENCH_TEST(test_not_a_request),
        BENCH_TEST(test_callers_that_leave), BENCH_TEST(test_many_callers),
        BENCH_TEST(test_nobody_there),       BENCH_TEST(test_a_stale_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
