/* The server against a stock ssh, whose channels are numbered from 0, unlike libssh's. */
#include "ssh_pair.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/wait.h>

static int listen_somewhere(uint16_t *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static pid_t run_ssh(const struct pair *pair, uint16_t port, const char *good, const char *bad) {
    char port_text[8], key[128];
    (void)snprintf(port_text, sizeof port_text, "%u", port);
    assert_int_equal(os_path(key, sizeof key, pair->dir, "key"), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    int null = open("/dev/null", O_RDWR);
    (void)dup2(null, 0);
    (void)dup2(null, 1);
    (void)dup2(null, 2);
    execlp("ssh", "ssh", "-F", "none", "-N", "-p", port_text, "-i", key, "-o", "IdentitiesOnly=yes", "-o",
           "IdentityAgent=none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
           "BatchMode=yes", "-R", good, "-R", bad, "box1@127.0.0.1", (char *)NULL);
    _exit(127);
}

static bool two_forwards(struct pair *pair) {
    return pair->forwards == 2 || pair->there_over;
}

static bool last_answered(struct pair *pair) {
    return pair->server_taps[pair->server_tap_count - 1].opened != 1;
}

static bool got_something(struct pair *pair) {
    return pair->server_taps[0].got > 0 || pair->there_over;
}

static bool there_is_over(struct pair *pair) {
    return pair->there_over;
}

static struct tap *open_to(struct pair *pair, const char *name) {
    struct ssh_chan *unused;
    if (pair->there_over)
        fail_msg("the connection is over: %s", pair->there_reason);
    struct tap *tap = tap_init(pair, &pair->server_taps[pair->server_tap_count++]);
    assert_int_equal(ssh_conn_open_forwarded(pair->there, name, 22, "192.0.2.9", 1, tap_opened, tap, &unused), 0);
    assert_true(pair_wait(pair, last_answered, 8000));
    return tap;
}

/* A stream that a machine refuses must leave the others alone. */
static void test_a_refusal_touches_nobody_else(void **state) {
    struct pair *pair = *state;
    uint16_t port, service_port, closed_port;
    char good[64], bad[64];
    pair->here_over = true;
    int listener = listen_somewhere(&port), service = listen_somewhere(&service_port);
    assert_int_equal(close(listen_somewhere(&closed_port)), 0);
    (void)snprintf(good, sizeof good, "good:22:127.0.0.1:%u", service_port);
    (void)snprintf(bad, sizeof bad, "bad:22:127.0.0.1:%u", closed_port);
    pid_t pid = run_ssh(pair, port, good, bad);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ssh_server_accept(pair->server, fd, "127.0.0.1", "SSH-2.0-OpenSSH_9", &pair->there), 0);
    ssh_conn_set_context(pair->there, pair);
    assert_true(pair_wait(pair, two_forwards, 10000));
    if (pair->there_over)
        fail_msg("the connection is over: %s", pair->there_reason);

    struct tap *first = open_to(pair, "good");
    assert_int_equal(first->opened, 0);
    int end = accept4(service, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; i < 3; i++)
        assert_int_equal(open_to(pair, "bad")->opened, SP_EDENIED);
    (void)pair_wait(pair, NULL, 200);
    if (pair->there_over)
        fail_msg("the connection is over: %s", pair->there_reason);
    assert_false(first->ended);
    assert_false(first->closed);
    uint8_t byte = pattern(0);
    assert_int_equal(send(end, &byte, 1, MSG_NOSIGNAL), 1);
    assert_true(pair_wait(pair, got_something, 20000));
    assert_int_equal(first->got, 1);

    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(pair_wait(pair, there_is_over, 8000));
    (void)close(end);
    (void)close(service);
    (void)close(listener);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_refusal_touches_nobody_else, pair_setup, pair_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
