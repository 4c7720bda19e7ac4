#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "watch.h"

enum { LONG_S = 60 };

static pid_t start(struct watch *watch, const char *script) {
    struct words words;
    words_init(&words);
    words_add(&words, "sh");
    words_add(&words, "-c");
    words_add(&words, script);
    pid_t pid = watch_start(watch, &words);
    words_fini(&words);
    assert_true(pid > 0);
    return pid;
}

static void an_end_is_told_with_its_status(void **state) {
    (void)state;
    struct watch watch;
    pid_t ended = 0;
    int status = 0;
    watch_init(&watch);
    pid_t stays = start(&watch, "exec sleep 1000"), ends = start(&watch, "exit 7");
    assert_int_equal(watch_next(&watch, LONG_S, &ended, &status), WATCH_ENDED);
    assert_int_equal(ended, ends);
    assert_int_equal(WEXITSTATUS(status), 7);
    watch_fini(&watch);
    assert_int_equal(waitpid(stays, NULL, 0), -1);
    assert_int_equal(errno, ECHILD);
}

static void two_that_end_at_once_are_two(void **state) {
    (void)state;
    struct watch watch;
    pid_t ended[2] = {0, 0};
    int status = 0;
    watch_init(&watch);
    pid_t first = start(&watch, "exit 0"), second = start(&watch, "exit 0");
    /* Both have ended before anybody asks: their signals are one. */
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)first, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(waitid(P_PID, (id_t)second, &info, WEXITED | WNOWAIT), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(watch_next(&watch, LONG_S, &ended[i], &status), WATCH_ENDED);
    assert_int_equal(ended[0] + ended[1], first + second);
    watch_fini(&watch);
}

static void ready_late_and_stopped(void **state) {
    (void)state;
    struct watch watch;
    pid_t ended = 0;
    int status = 0;
    watch_init(&watch);
    (void)start(&watch, "kill -USR1 $PPID; exec sleep 1000");
    assert_int_equal(watch_next(&watch, LONG_S, &ended, &status), WATCH_IS_READY);
    assert_int_equal(watch_next(&watch, 1, &ended, &status), WATCH_LATE);
    (void)kill(getpid(), SIGTERM);
    assert_int_equal(watch_next(&watch, LONG_S, &ended, &status), WATCH_STOPPED);
    assert_int_equal(watch_next(&watch, LONG_S, &ended, &status), WATCH_STOPPED);
    watch_fini(&watch);
}

static void ctrl_c_is_no_loss(void **state) {
    (void)state;
    struct watch watch;
    siginfo_t info;
    pid_t ended = 0;
    int status = 0;
    watch_init(&watch);
    pid_t pid = start(&watch, "kill -INT $PPID; kill -INT $$");
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(watch_next(&watch, LONG_S, &ended, &status), WATCH_STOPPED);
    watch_fini(&watch);
}

static void a_group_is_ended_with_all_that_it_started(void **state) {
    (void)state;
    struct watch watch;
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    watch_init(&watch);
    pid_t pid = watch_fork(&watch, true);
    if (pid == 0) {
        /* The grandchild holds the pipe's writing end, too. */
        (void)close(ends[0]);
        if (fork() == 0)
            (void)write(ends[1], "x", 1);
        for (;;)
            (void)pause();
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    watch_end(&watch, pid);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    (void)close(ends[0]);
    watch_fini(&watch);
}

static void a_stopped_program_can_be_ended(void **state) {
    (void)state;
    struct watch watch;
    siginfo_t info;
    watch_init(&watch);
    pid_t pid = start(&watch, "kill -STOP $$");
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
    watch_end(&watch, pid);
    assert_int_equal(waitpid(pid, NULL, 0), -1);
    watch_fini(&watch);
}

static void there_is_a_bound(void **state) {
    (void)state;
    struct watch watch;
    watch_init(&watch);
    for (int i = 0; i < WATCH_MAX; i++)
        (void)start(&watch, "exec sleep 1000");
    assert_int_equal(watch_fork(&watch, false), SP_EBUSY);
    watch_fini(&watch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_is_told_with_its_status),
        cmocka_unit_test(two_that_end_at_once_are_two),
        cmocka_unit_test(ready_late_and_stopped),
        cmocka_unit_test(ctrl_c_is_no_loss),
        cmocka_unit_test(a_group_is_ended_with_all_that_it_started),
        cmocka_unit_test(a_stopped_program_can_be_ended),
        cmocka_unit_test(there_is_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
