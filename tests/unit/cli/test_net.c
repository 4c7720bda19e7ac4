#include "folder.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "net.h"
#include "process.h"

static int listen_at(const char *address, uint16_t *port) {
    struct net_address at;
    struct sockaddr_storage own = {0};
    struct sockaddr_in v4;
    socklen_t len = sizeof own;
    int fd;
    assert_int_equal(net_parse(address, *port, &at), 0);
    assert_int_equal(net_socket(at.at.ss_family, &fd), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at.at, at.len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &len), 0);
    memcpy(&v4, &own, sizeof v4); /* the port is in the same place for both families */
    *port = ntohs(v4.sin_port);
    return fd;
}

static int dial(const char *host, uint16_t port, const char *hint, char reached[static INET6_ADDRSTRLEN],
                char why[static 128]) {
    struct dialer dialer;
    struct net_address address;
    int fd = -1, rc;
    dialer_init(&dialer, host, port, hint);
    while ((rc = dialer_step(&dialer, &fd, &address)) == SP_EAGAIN) {
        struct net_waits waits;
        net_waits_init(&waits, os_monotonic_ms() + 60000);
        dialer_wait(&dialer, &waits);
        net_wait(&waits);
    }
    if (rc == 0)
        os_address_text(&address.at, reached);
    else
        (void)snprintf(why, 128, "%s", dialer_reason(&dialer));
    dialer_fini(&dialer);
    net_close(&fd);
    return rc;
}

static void test_by_figures_and_by_name(void **state) {
    (void)state;
    uint16_t port = 0;
    char at[INET6_ADDRSTRLEN] = "", why[128] = "";
    int fd = listen_at("127.0.0.1", &port);
    assert_int_equal(dial("127.0.0.1", port, "", at, why), 0);
    assert_string_equal(at, "127.0.0.1");
    assert_int_equal(dial("localhost", port, "", at, why), 0); /* ::1 refuses, if it is there at all */
    assert_string_equal(at, "127.0.0.1");
    net_close(&fd);
    assert_int_equal(dial("127.0.0.1", port, "", at, why), SP_ECLOSED);
    assert_non_null(strstr(why, "refused"));
}

/* The name is not known, but where the relay was last time it still is. */
static void test_the_hint_stands_in(void **state) {
    (void)state;
    uint16_t port = 0;
    char at[INET6_ADDRSTRLEN] = "", why[128] = "";
    int fd = listen_at("127.0.0.1", &port);
    assert_int_equal(dial("relay.invalid", port, "127.0.0.1", at, why), 0);
    net_close(&fd);
    assert_int_not_equal(dial("relay.invalid", port, "", at, why), 0);
    assert_true(why[0]);
}

static void test_addresses(void **state) {
    (void)state;
    static const char *const bad[] = {"", "localhost", "1.2.3", "1.2.3.4.5", "::g", "127.0.0.1 ", "[::1]"};
    struct net_address address;
    char own[INET6_ADDRSTRLEN];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(net_parse(bad[i], 1, &address), SP_EFORMAT);
    assert_int_equal(net_parse("127.0.0.1", 22, &address), 0);
    assert_int_equal(net_own_address(&address, own), 0);
    assert_string_equal(own, "127.0.0.1");
    assert_int_equal(net_parse("::1", 22, &address), 0);
}

static void test_stale(void **state) {
    (void)state;
    int pair[2];
    assert_int_equal(os_socket_pair(pair), 0);
    assert_false(net_is_stale(pair[0]));
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_true(net_is_stale(pair[0]));
    char byte;
    assert_int_equal(read(pair[0], &byte, 1), 1);
    assert_false(net_is_stale(pair[0]));
    net_close(&pair[1]);
    assert_true(net_is_stale(pair[0]));
    net_close(&pair[0]);
    assert_int_equal(pair[0], -1);
}

static int run(const char *script, const char *input, size_t max, uint64_t ms, struct buf *out, struct buf *err,
               int *status) {
    struct words words;
    words_init(&words);
    words_add(&words, "sh");
    words_add(&words, "-c");
    words_add(&words, script);
    struct process_talk talk = {
        .input = input, .n = input ? strlen(input) : 0, .out = out, .err = err, .max = max, .deadline_ms = ms};
    int rc = process_talk(&words, &talk, status);
    words_fini(&words);
    return rc;
}

static void test_other_programs(void **state) {
    (void)state;
    struct buf out, err;
    int status = -1;
    buf_init(&out);
    buf_init(&err);
    assert_int_equal(run("cat; echo wrong >&2; exit 3", "hello", 100, 60000, &out, &err, &status), 0);
    assert_int_equal(status, 3);
    assert_string_equal(buf_string(&out), "hello");
    assert_string_equal(buf_string(&err), "wrong\n");
    buf_fini(&out);
    assert_int_equal(run("cat /dev/zero", NULL, 100000, 60000, &out, &err, &status), SP_ETOOBIG);
    assert_int_equal(run("sleep 1000", NULL, 100, 50, &out, &err, &status), SP_ETIMEOUT);
    assert_int_equal(run("exec <&-; echo x", "a program that reads nothing", 1000000, 60000, &out, &err, &status), 0);
    assert_int_equal(run("kill -9 $$", NULL, 1000000, 60000, &out, &err, &status), 0);
    assert_int_equal(status, 128 + 9);
    /* What we ignore, it does not. */
    assert_int_equal(run("trap - PIPE; kill -PIPE $$; exit 0", NULL, 1000000, 60000, &out, &err, &status), 0);
    assert_int_equal(status, 128 + 13);
    struct words words;
    words_init(&words);
    words_add(&words, "/there/is/no/such/program");
    assert_int_equal(process_run(&words, &status), 0);
    assert_int_equal(status, 127);
    assert_int_equal(process_exec(&words), SP_ESYS);
    words_fini(&words);
    buf_fini(&out);
    buf_fini(&err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_figures_and_by_name),
        cmocka_unit_test(test_the_hint_stands_in),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_other_programs),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
