/* With a real dbus-daemon on a socket of its own, and a stand-in for logind (tests/stand/logind_stand.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sallyport/base/log.h"
#include "sallyport/wire/logind.h"

enum { PATIENCE_MS = 30000 };

struct rig {
    struct loop *loop;
    struct logind *logind;
    struct loop_timer late, poll;
    char folder[64], address[128];
    pid_t bus, stand;
    int to_stand, from_stand; /* -1: not started */
    char said[4096];          /* by the stand, since rig_forget */
    size_t said_len;
    const char *wanted; /* what rig_wait waits for it to say; NULL: for a change of `sleeps` and `wakes` */
    int sleeps, wakes, sleeps_wanted, wakes_wanted;
    bool let_sleep; /* at once */
};

static void on_sleeping(void *ctx) {
    struct rig *rig = ctx;
    rig->sleeps++;
    if (rig->let_sleep)
        logind_let_sleep(rig->logind);
}

static void on_awake(void *ctx) {
    struct rig *rig = ctx;
    rig->wakes++;
}

static const struct logind_events events = {.sleeping = on_sleeping, .awake = on_awake};

static bool rig_has(struct rig *rig) {
    ssize_t n;
    while (rig->from_stand >= 0 && rig->said_len < sizeof rig->said - 1 &&
           (n = read(rig->from_stand, rig->said + rig->said_len, sizeof rig->said - 1 - rig->said_len)) > 0)
        rig->said_len += (size_t)n;
    rig->said[rig->said_len] = '\0';
    return rig->wanted ? strstr(rig->said, rig->wanted) != NULL
                       : rig->sleeps >= rig->sleeps_wanted && rig->wakes >= rig->wakes_wanted;
}

static void rig_look(void *ctx) {
    struct rig *rig = ctx;
    if (rig_has(rig))
        loop_stop(rig->loop);
    else
        (void)loop_timer_set(&rig->poll, 2);
}

static void rig_late(void *ctx) {
    struct rig *rig = ctx;
    fail_msg("waited in vain for \"%s\" (asleep %d, awake %d); the stand-in said: %s",
             rig->wanted ? rig->wanted : "a signal", rig->sleeps, rig->wakes, rig->said);
}

static void rig_turn(struct rig *rig) {
    assert_int_equal(loop_timer_set(&rig->late, PATIENCE_MS), 0);
    assert_int_equal(loop_timer_set(&rig->poll, 0), 0);
    assert_int_equal(loop_run(rig->loop), 0);
    loop_timer_stop(&rig->late);
}

static void rig_wait(struct rig *rig, const char *text) {
    rig->wanted = text;
    rig_turn(rig);
}

static void rig_wait_signals(struct rig *rig, int sleeps, int wakes) {
    rig->wanted = NULL;
    rig->sleeps_wanted = sleeps;
    rig->wakes_wanted = wakes;
    rig_turn(rig);
}

static void rig_forget(struct rig *rig) {
    (void)rig_has(rig);
    rig->said_len = 0;
    rig->said[0] = '\0';
}

static pid_t start(char *const argv[], int in, int out) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int waste = open("/dev/null", O_RDWR);
    (void)dup2(in >= 0 ? in : waste, 0);
    (void)dup2(out >= 0 ? out : waste, 1);
    (void)dup2(waste, 2);
    (void)execvp(argv[0], argv);
    _exit(127);
}

static void stop(pid_t *pid) {
    if (*pid <= 0)
        return;
    (void)kill(*pid, SIGKILL);
    (void)waitpid(*pid, NULL, 0);
    *pid = 0;
}

static void rig_start_bus(struct rig *rig) {
    char address[160], config[] = "--config-file=" STAND_DIR "/bus.conf";
    char program[] = "dbus-daemon", nofork[] = "--nofork", nopidfile[] = "--nopidfile";
    (void)snprintf(address, sizeof address, "--address=%s", rig->address);
    char *argv[] = {program, config, address, nofork, nopidfile, NULL};
    rig->bus = start(argv, -1, -1);
    const char *path = strchr(rig->address, '/');
    for (int i = 0; i < PATIENCE_MS && access(path, F_OK) < 0; i++)
        (void)usleep(1000);
    assert_int_equal(access(path, F_OK), 0);
}

static void rig_start_stand(struct rig *rig) {
    char program[] = LOGIND_STAND;
    char *argv[] = {program, NULL};
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    rig->stand = start(argv, in[0], out[1]);
    (void)close(in[0]);
    (void)close(out[1]);
    rig->to_stand = in[1];
    rig->from_stand = out[0];
    assert_int_equal(fcntl(rig->from_stand, F_SETFL, O_NONBLOCK), 0);
    rig_wait(rig, "ready\n");
}

static void rig_order(const struct rig *rig, const char *word) {
    assert_int_equal(write(rig->to_stand, word, strlen(word)), (ssize_t)strlen(word));
}

static void rig_new_logind(struct rig *rig) {
    assert_int_equal(logind_new(rig->loop, &events, rig, &rig->logind), 0);
}

static int setup(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    (void)snprintf(rig->folder, sizeof rig->folder, "/tmp/sallyport-logind-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    (void)snprintf(rig->address, sizeof rig->address, "unix:path=%s/bus", rig->folder);
    assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", rig->address, 1), 0);
    assert_int_equal(loop_new(&rig->loop), 0);
    loop_timer_init(rig->loop, &rig->late, rig_late, rig);
    loop_timer_init(rig->loop, &rig->poll, rig_look, rig);
    rig->to_stand = rig->from_stand = -1;
    *state = rig;
    return 0;
}

static int teardown(void **state) {
    struct rig *rig = *state;
    char path[96];
    logind_free(rig->logind);
    loop_timer_stop(&rig->late);
    loop_timer_stop(&rig->poll);
    loop_free(rig->loop);
    stop(&rig->stand);
    stop(&rig->bus);
    if (rig->to_stand >= 0) {
        (void)close(rig->to_stand);
        (void)close(rig->from_stand);
    }
    (void)snprintf(path, sizeof path, "%s/bus", rig->folder);
    (void)unlink(path);
    (void)rmdir(rig->folder);
    free(rig);
    return 0;
}

static void test_sleep_waits_for_us(void **state) {
    struct rig *rig = *state;
    rig_start_bus(rig);
    rig_start_stand(rig);
    rig_new_logind(rig);
    rig_wait(rig, "inhibit sleep delay Sallyport: ");
    rig_forget(rig);
    rig_order(rig, "sleep\n");
    rig_wait_signals(rig, 1, 0);
    assert_null(strstr(rig->said, "release"));
    logind_let_sleep(rig->logind);
    rig_wait(rig, "release sleep delay\n");
    rig_forget(rig);
    rig_order(rig, "wake\n");
    rig_wait_signals(rig, 1, 1);
    rig_wait(rig, "inhibit sleep delay Sallyport: "); /* ready for the next time */
    rig->let_sleep = true;
    rig_order(rig, "sleep\n");
    rig_wait(rig, "release sleep delay\n");
    assert_int_equal(rig->sleeps, 2);
}

static void test_a_reason_to_stay_awake(void **state) {
    struct rig *rig = *state;
    rig_start_bus(rig);
    rig_start_stand(rig);
    rig_new_logind(rig);
    logind_keep_awake(rig->logind, "a GPU is at work"); /* before the bus has said anything */
    assert_false(logind_keeps_awake(rig->logind));
    rig_wait(rig, "inhibit sleep:idle block Sallyport: a GPU is at work\n");
    rig_wait(rig, "inhibit sleep delay");
    rig_forget(rig);
    for (int i = 0; i < 100; i++) /* the same again is nothing new */
        logind_keep_awake(rig->logind, "a GPU is at work");
    logind_keep_awake(rig->logind, "somebody is connected");
    rig_wait(rig, "inhibit sleep:idle block Sallyport: somebody is connected\n");
    rig_wait(rig, "release sleep:idle block\n");
    assert_null(strstr(rig->said, "at work"));
    for (int i = 0; i < PATIENCE_MS && !logind_keeps_awake(rig->logind); i++)
        rig_wait(rig, ""); /* a turn of the loop */
    assert_true(logind_keeps_awake(rig->logind));
    rig_forget(rig);
    logind_keep_awake(rig->logind, NULL);
    assert_false(logind_keeps_awake(rig->logind));
    rig_wait(rig, "release sleep:idle block\n");
    logind_keep_awake(rig->logind, "a GPU is at work"); /* the answer comes when nobody wants it any more */
    logind_keep_awake(rig->logind, NULL);
    rig_order(rig, "sleep\n");
    rig_wait_signals(rig, 1, 0);
    assert_false(logind_keeps_awake(rig->logind));
}

static void test_refused(void **state) {
    struct rig *rig = *state;
    rig_start_bus(rig);
    rig_start_stand(rig);
    rig_order(rig, "refuse\n");
    rig_wait(rig, "refusing\n");
    rig_new_logind(rig);
    logind_keep_awake(rig->logind, "a GPU is at work");
    for (int i = 0; i < PATIENCE_MS / 100 && rig->sleeps == 0; i++) { /* it may come before we listen */
        rig_order(rig, "sleep\n");
        (void)usleep(10000);
        rig_wait(rig, "");
    }
    assert_true(rig->sleeps > 0);
    assert_false(logind_keeps_awake(rig->logind));
    assert_null(strstr(rig->said, "inhibit"));
    logind_let_sleep(rig->logind);
    logind_keep_awake(rig->logind, NULL);
}

static void test_without_a_bus(void **state) {
    struct rig *rig = *state;
    rig_new_logind(rig);
    logind_keep_awake(rig->logind, "a GPU is at work");
    logind_let_sleep(rig->logind);
    rig_wait(rig, "");
    assert_false(logind_keeps_awake(rig->logind));
    logind_free(rig->logind);
    /* A bus without a logind. */
    rig_start_bus(rig);
    rig_new_logind(rig);
    for (int i = 0; i < 20; i++) {
        (void)usleep(5000);
        rig_wait(rig, "");
    }
    assert_false(logind_keeps_awake(rig->logind));
}

static void test_the_bus_ends(void **state) {
    struct rig *rig = *state;
    rig_start_bus(rig);
    rig_start_stand(rig);
    rig_new_logind(rig);
    logind_keep_awake(rig->logind, "a GPU is at work");
    rig_wait(rig, "block Sallyport");
    stop(&rig->bus);
    for (int i = 0; i < 20; i++) {
        (void)usleep(5000);
        rig_wait(rig, "");
    }
    assert_false(logind_keeps_awake(rig->logind));
    logind_keep_awake(rig->logind, NULL);
    logind_let_sleep(rig->logind);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sleep_waits_for_us, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reason_to_stay_awake, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_a_bus, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_bus_ends, setup, teardown),
    };
    log_setup(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
