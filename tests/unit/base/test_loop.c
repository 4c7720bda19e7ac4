#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"

static int loop_setup(void **state) {
    return loop_new((struct loop **)state);
}

static int loop_teardown(void **state) {
    loop_free(*state);
    return 0;
}

static void stop_loop(void *ctx) {
    loop_stop(ctx);
}

/* Turns the loop until everything that is ready now was served. */
static void loop_settle(struct loop *loop) {
    struct loop_timer timer;
    loop_timer_init(loop, &timer, stop_loop, loop);
    assert_int_equal(loop_timer_set(&timer, 20), 0);
    assert_int_equal(loop_run(loop), 0);
}

/* An eventfd under watch that counts its calls and can be told to do something in them. */
struct probe {
    struct loop *loop;
    struct loop_fd watch;
    int fd;
    int calls;
    uint32_t events;
    void (*act)(struct probe *probe);
    struct probe *other;
};

static void probe_ready(void *ctx, uint32_t events) {
    struct probe *probe = ctx;
    eventfd_t value;
    probe->calls++;
    probe->events = events;
    if (probe->act)
        probe->act(probe);
    else
        eventfd_read(probe->fd, &value);
}

static void probe_init(struct probe *probe, struct loop *loop, eventfd_t value) {
    *probe = (struct probe){.loop = loop, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    assert_true(probe->fd >= 0);
    if (value)
        assert_int_equal(eventfd_write(probe->fd, value), 0);
    loop_fd_init(&probe->watch);
    assert_int_equal(loop_fd_add(loop, &probe->watch, probe->fd, EPOLLIN, probe_ready, probe), 0);
}

static void probe_fini(struct probe *probe) {
    loop_fd_remove(&probe->watch);
    close(probe->fd);
}

static void test_readiness(void **state) {
    struct loop *loop = *state;
    struct probe probe;
    probe_init(&probe, loop, 0);
    loop_settle(loop);
    assert_int_equal(probe.calls, 0);
    assert_int_equal(eventfd_write(probe.fd, 1), 0);
    loop_settle(loop);
    assert_int_equal(probe.calls, 1);
    assert_int_equal(probe.events, EPOLLIN);
    assert_int_equal(loop_fd_set(&probe.watch, 0), 0);
    assert_int_equal(loop_fd_set(&probe.watch, 0), 0);
    assert_int_equal(eventfd_write(probe.fd, 1), 0);
    loop_settle(loop);
    assert_int_equal(probe.calls, 1);
    assert_int_equal(loop_fd_set(&probe.watch, EPOLLIN), 0);
    loop_settle(loop);
    assert_int_equal(probe.calls, 2);
    loop_fd_remove(&probe.watch);
    loop_fd_remove(&probe.watch);
    assert_int_equal(probe.watch.fd, -1);
    assert_int_equal(eventfd_write(probe.fd, 1), 0);
    loop_settle(loop);
    assert_int_equal(probe.calls, 2);
    probe_fini(&probe);
}

static void test_bad_descriptors(void **state) {
    struct loop *loop = *state;
    struct probe probe;
    struct loop_fd watch;
    loop_fd_init(&watch);
    assert_int_equal(loop_fd_add(loop, &watch, -1, EPOLLIN, probe_ready, NULL), SP_EINVAL);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(loop_fd_add(loop, &watch, file, EPOLLIN, probe_ready, NULL), SP_ESYS);
    assert_int_equal(errno, EPERM);
    assert_int_equal(watch.fd, -1);
    assert_int_equal(loop_fd_set(&watch, EPOLLIN), SP_EINVAL);
    close(file);
    probe_init(&probe, loop, 0);
    assert_int_equal(loop_fd_add(loop, &probe.watch, probe.fd, EPOLLIN, probe_ready, NULL), SP_EINVAL);
    assert_int_equal(loop_fd_add(loop, &watch, probe.fd, EPOLLIN, probe_ready, NULL), SP_ESYS);
    assert_int_equal(eventfd_write(probe.fd, 1), 0);
    loop_settle(loop);
    assert_int_equal(probe.calls, 1);
    probe_fini(&probe);
}

/* Ends the other watch and gives its number to a new descriptor that is not ready. */
static void replace_other(struct probe *probe) {
    struct probe *other = probe->other;
    eventfd_t value;
    eventfd_read(probe->fd, &value);
    if (!other)
        return;
    probe->other = NULL;
    other->other = NULL;
    int number = other->fd;
    probe_fini(other);
    probe_init(other, probe->loop, 0);
    assert_int_equal(other->fd, number);
    other->calls = -100;
}

static void test_number_reused_in_one_turn(void **state) {
    struct loop *loop = *state;
    struct probe a, b;
    probe_init(&a, loop, 1);
    probe_init(&b, loop, 1);
    a.act = b.act = replace_other;
    a.other = &b;
    b.other = &a;
    loop_settle(loop);
    /* Whichever came first was called once; the other's event is stale, and its new descriptor was never ready. */
    assert_int_equal(a.calls + b.calls, 1 - 100);
    struct probe *fresh = a.calls < 0 ? &a : &b;
    assert_int_equal(eventfd_write(fresh->fd, 1), 0);
    loop_settle(loop);
    assert_int_equal(fresh->calls, 1 - 100);
    probe_fini(&a);
    probe_fini(&b);
}

static void free_other(struct probe *probe) {
    struct probe *other = probe->other;
    eventfd_t value;
    eventfd_read(probe->fd, &value);
    if (other) {
        probe_fini(other);
        free(other);
        probe->other = NULL;
    }
}

static void test_owner_freed_in_one_turn(void **state) {
    struct loop *loop = *state;
    struct probe *victims[2], keeper[2];
    for (int i = 0; i < 2; i++) {
        victims[i] = malloc(sizeof(*victims[i]));
        assert_non_null(victims[i]);
    }
    /* One victim before its keeper, one behind: in whatever order they come, one event is for freed memory. */
    probe_init(victims[0], loop, 1);
    probe_init(&keeper[0], loop, 1);
    probe_init(&keeper[1], loop, 1);
    probe_init(victims[1], loop, 1);
    for (int i = 0; i < 2; i++) {
        keeper[i].act = free_other;
        keeper[i].other = victims[i];
    }
    loop_settle(loop);
    assert_int_equal(keeper[0].calls, 1);
    assert_int_equal(keeper[1].calls, 1);
    probe_fini(&keeper[0]);
    probe_fini(&keeper[1]);
}

static void mute_other(struct probe *probe) {
    eventfd_t value;
    eventfd_read(probe->fd, &value);
    assert_int_equal(loop_fd_set(&probe->other->watch, 0), 0);
}

static void test_no_longer_wanted(void **state) {
    struct loop *loop = *state;
    struct probe a, b;
    probe_init(&a, loop, 1);
    probe_init(&b, loop, 1);
    a.act = b.act = mute_other;
    a.other = &b;
    b.other = &a;
    loop_settle(loop);
    assert_int_equal(a.calls + b.calls, 1);
    probe_fini(&a);
    probe_fini(&b);
}

/* Some libraries close a socket that we watch. The number then belongs to whoever gets it next. */
static void test_closed_under_the_watch(void **state) {
    struct loop *loop = *state;
    struct probe old, fresh;
    probe_init(&old, loop, 0);
    close(old.fd);
    probe_init(&fresh, loop, 0);
    assert_int_equal(fresh.fd, old.fd);
    assert_int_equal(loop_fd_set(&old.watch, EPOLLOUT), SP_EINVAL);
    loop_fd_remove(&old.watch);
    assert_int_equal(eventfd_write(fresh.fd, 1), 0);
    loop_settle(loop);
    assert_int_equal(fresh.calls, 1);
    assert_int_equal(old.calls, 0);
    probe_fini(&fresh);
}

struct chore {
    struct loop_task task;
    struct chore *other;
    int runs, again;
    struct loop *stop; /* when it has run for the last time */
    const struct probe *probe;
    int calls_seen;
};

static void chore_run(void *ctx) {
    struct chore *chore = ctx;
    chore->runs++;
    if (chore->probe)
        chore->calls_seen = chore->probe->calls;
    if (chore->other)
        loop_task_cancel(&chore->other->task);
    if (chore->again-- > 0) {
        loop_task_post(&chore->task);
        loop_task_post(&chore->task);
    } else if (chore->stop) {
        loop_stop(chore->stop);
    }
}

static void test_tasks(void **state) {
    struct loop *loop = *state;
    struct chore once = {0}, twice = {0}, cancelled = {0}, peers[2] = {{.runs = 0}, {.runs = 0}};
    loop_task_init(loop, &once.task, chore_run, &once);
    loop_task_init(loop, &twice.task, chore_run, &twice);
    loop_task_init(loop, &cancelled.task, chore_run, &cancelled);
    loop_task_cancel(&cancelled.task);
    loop_task_post(&once.task);
    loop_task_post(&twice.task);
    loop_task_post(&twice.task);
    loop_task_post(&cancelled.task);
    loop_task_cancel(&cancelled.task);
    for (int i = 0; i < 2; i++) {
        loop_task_init(loop, &peers[i].task, chore_run, &peers[i]);
        peers[i].other = &peers[1 - i];
        loop_task_post(&peers[i].task);
    }
    loop_settle(loop);
    assert_int_equal(once.runs, 1);
    assert_int_equal(twice.runs, 1);
    assert_int_equal(cancelled.runs, 0);
    assert_int_equal(peers[0].runs, 1);
    assert_int_equal(peers[1].runs, 0);
    loop_task_post(&twice.task);
    loop_settle(loop);
    assert_int_equal(twice.runs, 2);
}

static void leave_unread(struct probe *probe) {
    (void)probe;
}

/* A task that posts itself comes once a turn: descriptors and timers are served between, and the loop does
 * not sleep. */
static void test_tasks_take_turns(void **state) {
    struct loop *loop = *state;
    struct probe probe;
    struct chore chore = {.again = 49, .probe = &probe, .stop = loop};
    probe_init(&probe, loop, 1);
    probe.act = leave_unread;
    loop_task_init(loop, &chore.task, chore_run, &chore);
    loop_task_post(&chore.task);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(chore.runs, 50);
    assert_true(chore.calls_seen >= 50);
    probe_fini(&probe);

    /* Nothing else would wake it for a minute. */
    struct loop_timer timer;
    loop_timer_init(loop, &timer, stop_loop, loop);
    assert_int_equal(loop_timer_set(&timer, 60000), 0);
    chore = (struct chore){.again = 2, .stop = loop};
    loop_task_init(loop, &chore.task, chore_run, &chore);
    loop_task_post(&chore.task);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(chore.runs, 3);
    loop_timer_stop(&timer);

    chore = (struct chore){.again = 1 << 30};
    loop_task_init(loop, &chore.task, chore_run, &chore);
    loop_task_post(&chore.task);
    loop_settle(loop);
    assert_true(chore.runs > 0);
    loop_task_cancel(&chore.task);
}

struct catcher {
    int count, last;
};

static void caught(void *ctx, int signo) {
    struct catcher *catcher = ctx;
    catcher->count++;
    catcher->last = signo;
}

static void test_signals(void **state) {
    struct loop *loop = *state;
    struct catcher one = {0}, two = {0};
    assert_int_equal(loop_signal(loop, SIGUSR1, caught, &one), 0);
    assert_int_equal(loop_signal(loop, SIGUSR2, caught, &two), 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(one.count, 0);
    loop_settle(loop);
    assert_int_equal(one.count, 1);
    assert_int_equal(one.last, SIGUSR1);
    assert_int_equal(two.count, 0);
    assert_int_equal(kill(getpid(), SIGUSR2), 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    loop_settle(loop);
    assert_int_equal(one.count, 2);
    assert_int_equal(two.count, 1);
    assert_int_equal(loop_signal(loop, 0, caught, &one), SP_EINVAL);
    assert_int_equal(loop_signal(loop, 10000, caught, &one), SP_EINVAL);
}

static void test_stop_before_run(void **state) {
    struct loop *loop = *state;
    struct chore chore = {0};
    loop_task_init(loop, &chore.task, chore_run, &chore);
    loop_task_post(&chore.task);
    loop_stop(loop);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(chore.runs, 0);
    loop_settle(loop);
    assert_int_equal(chore.runs, 1);
    loop_free(NULL);
}

static void test_nests(void **state) {
    struct loop *loop = *state, *inner;
    struct probe outer = {0}, probe;
    assert_int_equal(loop_new(&inner), 0);
    probe_init(&probe, inner, 0);
    loop_fd_init(&outer.watch);
    outer.act = leave_unread;
    assert_int_equal(loop_fd_add(loop, &outer.watch, loop_epoll_fd(inner), EPOLLIN | EPOLLET, probe_ready, &outer), 0);
    loop_settle(loop);
    assert_int_equal(outer.calls, 0);
    assert_int_equal(eventfd_write(probe.fd, 1), 0);
    loop_settle(loop);
    assert_int_equal(outer.calls, 1);
    loop_fd_remove(&outer.watch);
    probe_fini(&probe);
    loop_free(inner);
}

static void note_end(void *ctx) {
    unsigned *place = ctx;
    static unsigned ended;
    *place = ++ended;
}

/* With descriptors for 16, there may be three. */
static void test_those_who_leave_have_a_bound(void **state) {
    struct loop *loop = *state;
    struct loop_ending endings[6];
    unsigned ended[6] = {0};
    struct rlimit limit, narrow;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (size_t i = 0; i < 6; i++)
        loop_ending_add(loop, &endings[i], note_end, &ended[i]);
    narrow = (struct rlimit){16, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &narrow), 0);
    loop_ending_leave(loop, &endings[4]);
    loop_ending_leave(loop, &endings[1]);
    loop_ending_leave(loop, &endings[1]);
    loop_ending_leave(loop, &endings[2]);
    assert_int_equal(ended[4] + ended[1] + ended[2], 0);
    loop_ending_leave(loop, &endings[0]);
    assert_int_equal(ended[4], 1);
    loop_ending_remove(&endings[1]);
    loop_ending_leave(loop, &endings[3]);
    assert_int_equal(ended[0] + ended[1] + ended[2] + ended[3], 0);
    loop_ending_leave(loop, &endings[5]);
    assert_int_equal(ended[2], 2);
    assert_int_equal(ended[0] + ended[1] + ended[3] + ended[5], 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    loop_free(loop);
    assert_true(ended[0] && ended[3] && ended[5]);
    assert_int_equal(ended[1], 0);
    assert_int_equal(loop_setup(state), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_readiness, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_bad_descriptors, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_number_reused_in_one_turn, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_owner_freed_in_one_turn, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_no_longer_wanted, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_closed_under_the_watch, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_tasks, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_tasks_take_turns, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_signals, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_stop_before_run, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_nests, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_those_who_leave_have_a_bound, loop_setup, loop_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
