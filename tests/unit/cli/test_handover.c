#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handover.h"
#include "sallyport/base/str.h"
#include "socket_owner.h"

#define SECRET_FIELD "Set-Cookie: username-127-0-0-1-8888=very-secret; Path=/\r\n"

enum { LONG_S = 60 };

struct bench {
    struct handover handover;
    pid_t server;
};

/* Another process serves, as it does in the program. Its status: what handover_serve returned, as a positive number. */
static int setup(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    struct why why;
    if (!bench || handover_init(&bench->handover, &why))
        return -1;
    bench->server = fork();
    if (bench->server == 0)
        _exit(-handover_serve(&bench->handover, "http://127.0.0.1:8888/tree", SECRET_FIELD, LONG_S));
    *state = bench;
    return 0;
}

static int teardown(void **state) {
    struct bench *bench = *state;
    if (bench->server > 0) {
        (void)kill(bench->server, SIGKILL);
        (void)waitpid(bench->server, NULL, 0);
    }
    handover_fini(&bench->handover);
    free(bench);
    return 0;
}

static int dial(const struct bench *bench) {
    struct sockaddr_in there = {
        .sin_family = AF_INET, .sin_port = htons(bench->handover.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&there, sizeof there), 0);
    return fd;
}

static void hear(int fd, char *answer, size_t size) {
    size_t n = 0;
    ssize_t got;
    while ((got = recv(fd, answer + n, size - 1 - n, 0)) > 0)
        n += (size_t)got;
    answer[n] = '\0';
    (void)close(fd);
}

static void ask(const struct bench *bench, const char *request, char *answer, size_t size) {
    int fd = dial(bench);
    assert_int_equal(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
    hear(fd, answer, size);
}

static void ask_code(const struct bench *bench, const char *method, const char *fields, char *answer, size_t size) {
    char request[512];
    (void)snprintf(request, sizeof request, "%s /%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s\r\n", method,
                   bench->handover.code, (unsigned)bench->handover.port, fields);
    ask(bench, request, answer, size);
}

static int served(struct bench *bench) {
    int status = 0;
    assert_int_equal(waitpid(bench->server, &status, 0), bench->server);
    bench->server = 0;
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static void the_browser_is_sent_on_once(void **state) {
    struct bench *bench = *state;
    char answer[2048], url[HANDOVER_URL_SIZE], expected[HANDOVER_URL_SIZE];
    handover_url(&bench->handover, url);
    (void)snprintf(expected, sizeof expected, "http://127.0.0.1:%u/%s", (unsigned)bench->handover.port,
                   bench->handover.code);
    assert_string_equal(url, expected);
    ask_code(bench, "GET", "", answer, sizeof answer);
    assert_true(str_starts(answer, "HTTP/1.1 302 "));
    assert_non_null(strstr(answer, "\r\nLocation: http://127.0.0.1:8888/tree\r\n"));
    assert_non_null(strstr(answer, SECRET_FIELD));
    assert_non_null(strstr(answer, "\r\nReferrer-Policy: no-referrer\r\n"));
    assert_int_equal(served(bench), 0);
}

static void others_get_nothing_and_use_nothing_up(void **state) {
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /favicon.ico HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "\x16\x03\x01 garbage \r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
    };
    struct bench *bench = *state;
    char answer[2048];
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        ask(bench, requests[i], answer, sizeof answer);
        assert_null(strstr(answer, "secret"));
        assert_null(strstr(answer, " 302 "));
    }
    ask_code(bench, "HEAD", "", answer, sizeof answer);
    assert_true(str_starts(answer, "HTTP/1.1 404 "));
    ask_code(bench, "GET", "Sec-Purpose: prefetch\r\n", answer, sizeof answer);
    assert_true(str_starts(answer, "HTTP/1.1 503 "));
    ask_code(bench, "GET", "", answer, sizeof answer);
    assert_true(str_starts(answer, "HTTP/1.1 302 "));
    assert_int_equal(served(bench), 0);
}

static void silent_ones_do_not_keep_the_browser_out(void **state) {
    struct bench *bench = *state;
    char answer[2048];
    int silent[20];
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
        silent[i] = dial(bench);
    ask_code(bench, "GET", "", answer, sizeof answer);
    assert_true(str_starts(answer, "HTTP/1.1 302 "));
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
        (void)close(silent[i]);
}

static void a_request_in_pieces_is_heard(void **state) {
    struct bench *bench = *state;
    char request[512], answer[2048];
    int fd = dial(bench);
    (void)snprintf(request, sizeof request, "GET /%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", bench->handover.code);
    for (const char *at = request; *at; at++)
        assert_int_equal(send(fd, at, 1, 0), 1);
    hear(fd, answer, sizeof answer);
    assert_true(str_starts(answer, "HTTP/1.1 302 "));
}

/* Only root can be somebody else. */
static void another_user_is_refused(void **state) {
    struct bench *bench = *state;
    int status = 0;
    if (getuid() != 0)
        skip();
    pid_t other = fork();
    if (other == 0) {
        char answer[2048];
        if (setuid(65534) != 0)
            _exit(2);
        ask_code(bench, "GET", "", answer, sizeof answer);
        _exit(str_starts(answer, "HTTP/1.1 403 ") && !strstr(answer, "secret") ? 0 : 1);
    }
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    char answer[2048];
    ask_code(bench, "GET", "", answer, sizeof answer);
    assert_true(str_starts(answer, "HTTP/1.1 302 "));
}

static void nobody_comes(void **state) {
    (void)state;
    struct handover handover;
    struct why why;
    assert_int_equal(handover_init(&handover, &why), 0);
    assert_int_equal(handover_serve(&handover, "http://127.0.0.1/", "", 0), SP_ETIMEOUT);
    handover_fini(&handover);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_browser_is_sent_on_once, setup, teardown),
        cmocka_unit_test_setup_teardown(others_get_nothing_and_use_nothing_up, setup, teardown),
        cmocka_unit_test_setup_teardown(silent_ones_do_not_keep_the_browser_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_in_pieces_is_heard, setup, teardown),
        cmocka_unit_test_setup_teardown(another_user_is_refused, setup, teardown),
        cmocka_unit_test(nobody_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
