#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "sallyport/base/loop.h"
#include "sallyport/base/os.h"

#define MANY 10000

static int loop_setup(void **state) {
    return loop_new((struct loop **)state);
}

static int loop_teardown(void **state) {
    loop_free(*state);
    return 0;
}

struct alarm {
    struct loop_timer timer;
    struct loop *loop;
    uint64_t set_us, delay_ms; /* fires at or after set_us + delay_ms */
    int fired;
    int place; /* the how manyth it was */
    int *count, stop_at;
    struct alarm *victim; /* to be stopped when this one fires */
    int again;            /* sets itself again with no delay so many times */
};

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void alarm_set(struct alarm *alarm, uint64_t delay_ms) {
    alarm->set_us = now_us();
    alarm->delay_ms = delay_ms;
    assert_int_equal(loop_timer_set(&alarm->timer, delay_ms), 0);
    assert_true(loop_timer_is_set(&alarm->timer));
}

static void alarm_fire(void *ctx) {
    struct alarm *alarm = ctx;
    assert_false(loop_timer_is_set(&alarm->timer));
    assert_true(now_us() >= alarm->set_us + alarm->delay_ms * 1000);
    alarm->fired++;
    alarm->place = ++*alarm->count;
    if (alarm->victim)
        loop_timer_stop(&alarm->victim->timer);
    if (alarm->again-- > 0)
        alarm_set(alarm, 0);
    if (*alarm->count >= alarm->stop_at)
        loop_stop(alarm->loop);
}

static void alarm_init(struct alarm *alarm, struct loop *loop, int *count, int stop_at) {
    *alarm = (struct alarm){.loop = loop, .count = count, .stop_at = stop_at};
    loop_timer_init(loop, &alarm->timer, alarm_fire, alarm);
}

/* Each fired once, and none before one that was due earlier. */
static void assert_fired_in_order(const struct alarm *alarms, int n) {
    for (int i = 0; i < n; i++) {
        assert_int_equal(alarms[i].fired, 1);
        for (int k = 0; k < n; k++)
            assert_true(alarms[i].timer.due >= alarms[k].timer.due || alarms[i].place < alarms[k].place);
    }
}

static void test_order(void **state) {
    static const uint64_t delays[] = {30, 5, 20, 1, 40, 0, 10};
    struct alarm alarms[7];
    int count = 0;
    for (int i = 0; i < 7; i++) {
        alarm_init(&alarms[i], *state, &count, 7);
        alarm_set(&alarms[i], delays[i]);
    }
    assert_int_equal(count, 0);
    assert_int_equal(loop_run(*state), 0);
    assert_fired_in_order(alarms, 7);
}

static void test_moved_and_stopped(void **state) {
    struct alarm alarms[5];
    int count = 0;
    for (int i = 0; i < 5; i++) {
        alarm_init(&alarms[i], *state, &count, 3);
        loop_timer_stop(&alarms[i].timer);
    }
    do { /* again, when so much time went by that the last one set is not the first one due */
        for (int i = 0; i < 5; i++)
            alarm_set(&alarms[i], (uint64_t)(i + 1) * 100);
        alarm_set(&alarms[0], 450);
        alarm_set(&alarms[4], 20);
    } while (alarms[4].timer.due >= alarms[1].timer.due);
    loop_timer_stop(&alarms[2].timer);
    assert_false(loop_timer_is_set(&alarms[2].timer));
    alarms[1].victim = &alarms[3];
    assert_int_equal(loop_run(*state), 0);
    assert_int_equal(alarms[4].place, 1);
    assert_int_equal(alarms[1].place, 2);
    assert_int_equal(alarms[0].place, 3);
    assert_int_equal(alarms[2].fired + alarms[3].fired, 0);
}

/* Two that are due in the same turn, and the first stops the second. */
static void test_stopped_while_due(void **state) {
    struct alarm first, second;
    int count = 0;
    alarm_init(&first, *state, &count, 1);
    alarm_init(&second, *state, &count, 1);
    alarm_set(&first, 1);
    alarm_set(&second, 3);
    first.victim = &second;
    usleep(10000);
    assert_int_equal(loop_run(*state), 0);
    assert_int_equal(first.fired, 1);
    assert_int_equal(second.fired, 0);
}

static void test_many(void **state) {
    struct alarm *alarms = calloc(MANY, sizeof(*alarms));
    assert_non_null(alarms);
    unsigned seed = 7;
    int count = 0, stopped = 0;
    for (int i = 0; i < MANY; i++)
        alarm_init(&alarms[i], *state, &count, MANY);
    for (int i = 0; i < MANY; i++)
        alarm_set(&alarms[i], (uint64_t)(rand_r(&seed) % 200));
    for (int i = 0; i < MANY; i += 2)
        alarm_set(&alarms[i], (uint64_t)(rand_r(&seed) % 100));
    for (int i = 0; i < MANY; i += 5) {
        loop_timer_stop(&alarms[i].timer);
        stopped++;
    }
    for (int i = 0; i < MANY; i++)
        alarms[i].stop_at = MANY - stopped;
    assert_int_equal(loop_run(*state), 0);
    assert_int_equal(count, MANY - stopped);
    uint64_t *due_by_place = calloc(MANY + 1, sizeof(*due_by_place));
    assert_non_null(due_by_place);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(alarms[i].fired, i % 5 != 0);
        if (alarms[i].fired)
            due_by_place[alarms[i].place] = alarms[i].timer.due;
    }
    for (int place = 2; place <= count; place++)
        assert_true(due_by_place[place - 1] <= due_by_place[place]);
    free(due_by_place);
    free(alarms);
}

static void count_ready(void *ctx, uint32_t events) {
    (void)events;
    ++*(int *)ctx;
}

/* A timer that sets itself again at once shares the loop with descriptors, and with other timers. */
static void test_no_delay_does_not_starve(void **state) {
    struct alarm alarm;
    struct loop_fd watch;
    int count = 0, ready = 0, fd = eventfd(1, EFD_CLOEXEC);
    loop_fd_init(&watch);
    assert_int_equal(loop_fd_add(*state, &watch, fd, EPOLLIN, count_ready, &ready), 0);
    alarm_init(&alarm, *state, &count, 20);
    alarm.again = 1000;
    alarm_set(&alarm, 0);
    assert_int_equal(loop_run(*state), 0);
    assert_int_equal(count, 20);
    assert_true(ready >= 20);
    loop_timer_stop(&alarm.timer);
    loop_fd_remove(&watch);
    close(fd);
}

static void test_clock(void **state) {
    struct alarm alarm;
    int count = 0;
    uint64_t before = loop_now(*state);
    usleep(5000);
    assert_true(loop_now(*state) == before);
    alarm_init(&alarm, *state, &count, 1);
    alarm_set(&alarm, 10);
    assert_int_equal(loop_run(*state), 0);
    assert_true(loop_now(*state) >= before + 15);
    assert_true(loop_now(*state) <= os_monotonic_ms());
}

static void test_far_away(void **state) {
    struct alarm far, near;
    int count = 0;
    alarm_init(&far, *state, &count, 1);
    alarm_init(&near, *state, &count, 1);
    alarm_set(&far, UINT64_MAX);
    alarm_set(&near, 1);
    assert_int_equal(loop_run(*state), 0);
    assert_int_equal(near.fired, 1);
    assert_int_equal(far.fired, 0);
    loop_timer_stop(&far.timer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_moved_and_stopped, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_stopped_while_due, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_many, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_no_delay_does_not_starve, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_clock, loop_setup, loop_teardown),
        cmocka_unit_test_setup_teardown(test_far_away, loop_setup, loop_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
