/* A child that is this program: what it is given, and what not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/helper.h"

/* In the child: says what it has, and waits to be let go. */
static int child_main(int argc, char **argv) {
    char said[256], bytes[8];
    sigset_t blocked;
    int open_fds = 0;
    for (int fd = 3; fd < 256; fd++)
        open_fds += write(fd, "", 0) == 0 || errno != EBADF;
    if (sigprocmask(SIG_SETMASK, NULL, &blocked) != 0)
        return 1;
    const char *test = getenv("HELPER_TEST");
    int n = snprintf(said, sizeof said, "%s|%s|%s|%d|%d|%d", argv[0], argc > 2 ? argv[2] : "-", test ? test : "-",
                     open_fds, sigismember(&blocked, SIGUSR1), write(2, "x", 1) == 1);
    if (n < 0 || send(1, said, (size_t)n, MSG_NOSIGNAL) != n)
        return 1;
    return recv(0, bytes, sizeof bytes, 0) == 0 ? 7 : 1; /* ends with our end of the pair */
}

static void check(const char *argument, char *const environment[], const char *expected) {
    char said[256] = "";
    struct helper helper;
    int status = 0;
    assert_int_equal(helper_start("test-helper", argument, environment, &helper), 0);
    assert_in_range(recv(helper.socket, said, sizeof said - 1, 0), 1, sizeof said - 1);
    assert_string_equal(said, expected);
    assert_int_equal(close(helper.socket), 0);
    struct pollfd ended = {.fd = helper.pidfd, .events = POLLIN};
    assert_int_equal(poll(&ended, 1, 60000), 1);
    assert_int_equal(waitpid(helper.pid, &status, 0), helper.pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(close(helper.pidfd), 0);
}

static void test_what_it_is_given(void **state) {
    char entry[] = "HELPER_TEST=yes";
    char *const environment[] = {entry, NULL};
    sigset_t set;
    (void)state;
    assert_int_equal(sigemptyset(&set), 0);
    assert_int_equal(sigaddset(&set, SIGUSR1), 0);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    int inherited = dup(2); /* not close-on-exec */
    assert_true(inherited > 2);
    check(NULL, NULL, "sallyport-agent|-|-|0|0|1");
    check("", NULL, "sallyport-agent||-|0|0|1");
    check("an argument", environment, "sallyport-agent|an argument|yes|0|0|1");
    assert_int_equal(close(inherited), 0);
    assert_int_equal(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
}

static void test_bounds(void **state) {
    char longest[1024];
    struct helper helper = {.pid = 42};
    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(helper_start("test-helper", longest, NULL, &helper), SP_ETOOBIG);
    assert_int_equal(helper_start(longest, NULL, NULL, &helper), SP_ETOOBIG);
    assert_int_equal(helper.pid, 42);
}

static void test_stop(void **state) {
    struct helper helper;
    (void)state;
    assert_int_equal(helper_start("test-helper", NULL, NULL, &helper), 0);
    helper_stop(&helper);
    assert_int_equal(waitpid(helper.pid, NULL, 0), -1);
    assert_int_equal(errno, ECHILD);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "test-helper") == 0)
        return child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_is_given),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
