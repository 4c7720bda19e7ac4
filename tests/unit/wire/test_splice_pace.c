/* When a splice's sockets are left to gather, and that nobody is forgotten meanwhile. The milliseconds it counts are the
 * test's own (the linker puts __wrap_loop_now in loop_now's place): how busy this machine is shall not matter. */
#include "loop_thread.h"

#include <stdbool.h>
#include <sys/resource.h>

#include "splice_pace.h"

enum { MIB = 1 << 20, LONG_MS = 60000 };

static uint64_t counted_ms;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
uint64_t __wrap_loop_now(const struct loop *loop);
uint64_t __real_loop_now(const struct loop *loop);

uint64_t __wrap_loop_now(const struct loop *loop) {
    (void)loop;
    return counted_ms;
}
/* NOLINTEND(bugprone-reserved-identifier) */

struct stand {
    struct loop *loop;
    struct splice_pace pace;
    int a[2], b[2];          /* [0] the peer's, [1] ours */
    uint64_t carried, flood; /* bytes; bytes a millisecond */
    unsigned due, stop_after;
    bool flows, closes;
    struct loop_timer timer;
    bool late;
};

static void stand_stop(void *ctx) {
    struct stand *stand = ctx;
    stand->late = true;
    loop_stop(stand->loop);
}

static void stand_due(void *ctx) {
    struct stand *stand = ctx;
    stand->due++;
    counted_ms++;
    if (stand->flows)
        splice_pace_note(&stand->pace, stand->carried += MIB);
    if (stand->closes)
        splice_pace_fini(&stand->pace);
    if (stand->due == stand->stop_after || !splice_pace_gathers(&stand->pace))
        loop_stop(stand->loop);
}

/* Until the loop is stopped by something else; false when that took so long. */
static bool stand_run(struct stand *stand, uint64_t limit_ms) {
    stand->late = false;
    assert_int_equal(loop_timer_set(&stand->timer, limit_ms), 0);
    assert_int_equal(loop_run(stand->loop), 0);
    loop_timer_stop(&stand->timer);
    return !stand->late;
}

static void stand_init(struct stand *stand) {
    *stand = (struct stand){.flood = MIB};
    assert_int_equal(loop_new(&stand->loop), 0);
    tcp_pair(stand->a);
    tcp_pair(stand->b);
    loop_timer_init(stand->loop, &stand->timer, stand_stop, stand);
    splice_pace_init(&stand->pace, stand->loop, stand->a[1], stand->b[1], stand_due, stand);
}

static void stand_fini(struct stand *stand) {
    splice_pace_fini(&stand->pace);
    loop_free(stand->loop);
    for (int i = 0; i < 2; i++) {
        close(stand->a[i]);
        close(stand->b[i]);
    }
}

/* Much, for long enough: as it is before anything is gathered. */
static void stand_flood(struct stand *stand) {
    for (int i = 0; i < 2; i++) {
        splice_pace_note(&stand->pace, stand->carried);
        counted_ms += 20;
    }
    splice_pace_note(&stand->pace, stand->carried += 20 * stand->flood);
}

static int mark_of(int fd) {
    int mark = 0;
    socklen_t size = sizeof mark;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, &size), 0);
    return mark;
}

static bool shows(int fd, int wait_ms) {
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return poll(&one, 1, wait_ms) == 1;
}

static void test_much_is_gathered(void **state) {
    struct stand stand;
    (void)state;
    stand_init(&stand);
    assert_false(splice_pace_gathers(&stand.pace));
    stand_flood(&stand);
    assert_true(splice_pace_gathers(&stand.pace));
    assert_in_range(mark_of(stand.a[1]), 65536, MIB);
    assert_in_range(mark_of(stand.b[1]), 65536, MIB);
    stand.flows = true;
    stand.stop_after = 30;
    uint64_t began = __real_loop_now(stand.loop);
    assert_true(stand_run(&stand, LONG_MS));
    assert_true(__real_loop_now(stand.loop) - began >= 15); /* it ticks, it does not spin */
    assert_true(splice_pace_gathers(&stand.pace));
    assert_int_equal(send(stand.a[0], "a little", 8, 0), 8);
    assert_false(shows(stand.a[1], 20)); /* that is for the ticks */
    stand_fini(&stand);
}

static void test_ends_when_little_flows(void **state) {
    struct stand stand;
    (void)state;
    stand_init(&stand);
    stand_flood(&stand);
    assert_int_equal(send(stand.a[0], "a little", 8, 0), 8);
    assert_true(stand_run(&stand, LONG_MS));
    assert_false(splice_pace_gathers(&stand.pace));
    assert_true(stand.due > 1); /* the last call finds it ended: what is left is read then */
    assert_int_equal(mark_of(stand.a[1]), 1);
    assert_int_equal(mark_of(stand.b[1]), 1);
    assert_true(shows(stand.a[1], 0));
    stand_fini(&stand);
}

/* Who waits for answers, and is slowed down by gathering, is left alone for a while, and then for longer; what he sends
 * meanwhile does not count. */
static void test_slowed_down(void **state) {
    struct stand stand;
    (void)state;
    stand_init(&stand);
    stand.flood = 3 * MIB; /* a tick carries 1 MiB at most: much, but less than before */
    stand.flows = true;
    for (uint64_t rest = 100; rest <= 200; rest *= 2) {
        assert_int_equal(stand.pace.rest_ms, rest);
        stand_flood(&stand);
        assert_true(splice_pace_gathers(&stand.pace));
        assert_true(stand_run(&stand, LONG_MS));
        assert_false(splice_pace_gathers(&stand.pace));
        splice_pace_note(&stand.pace, stand.carried += 1000 * (uint64_t)MIB);
        counted_ms += rest / 2;
        splice_pace_note(&stand.pace, stand.carried += 1000 * (uint64_t)MIB);
        assert_false(splice_pace_gathers(&stand.pace));
        counted_ms += rest;
    }
    stand.flood = MIB / 2; /* as fast as before: nobody is slowed down */
    stand.stop_after = stand.due + 40;
    stand_flood(&stand);
    assert_true(stand_run(&stand, LONG_MS));
    assert_true(splice_pace_gathers(&stand.pace));
    assert_int_equal(stand.pace.rest_ms, 100);
    stand_fini(&stand);
}

static void test_slow_is_not_gathered(void **state) {
    struct stand stand;
    (void)state;
    stand_init(&stand);
    for (int i = 0; i < 4; i++) {
        splice_pace_note(&stand.pace, stand.carried += MIB);
        counted_ms += 20;
        assert_false(splice_pace_gathers(&stand.pace));
    }
    stand_fini(&stand);
}

/* An end, or an error, is no matter of how much lies there. */
static void test_ends_are_seen(void **state) {
    struct linger now = {.l_onoff = 1};
    struct stand stand;
    (void)state;
    stand_init(&stand);
    stand_flood(&stand);
    assert_int_equal(send(stand.a[0], "last", 4, 0), 4);
    assert_int_equal(shutdown(stand.a[0], SHUT_WR), 0);
    assert_true(shows(stand.a[1], LONG_MS));
    assert_int_equal(setsockopt(stand.b[0], SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(stand.b[0]);
    assert_true(shows(stand.b[1], LONG_MS));
    stand.b[0] = dup(stand.b[1]);
    stand_fini(&stand);
}

static void test_closed_by_its_owner(void **state) {
    struct stand stand;
    (void)state;
    stand_init(&stand);
    stand_flood(&stand);
    stand.closes = true;
    assert_true(stand_run(&stand, LONG_MS));
    assert_int_equal(stand.due, 1);
    assert_false(stand_run(&stand, 20));
    assert_int_equal(stand.due, 1);
    stand_fini(&stand);
}

/* Without a descriptor for the clock all goes on as before. */
static void test_no_descriptors(void **state) {
    struct rlimit before, few;
    struct stand stand;
    (void)state;
    stand_init(&stand);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    stand_flood(&stand);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(splice_pace_gathers(&stand.pace));
    assert_int_equal(mark_of(stand.a[1]), 1);
    stand_fini(&stand);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_much_is_gathered),     cmocka_unit_test(test_ends_when_little_flows),
        cmocka_unit_test(test_slow_is_not_gathered), cmocka_unit_test(test_ends_are_seen),
        cmocka_unit_test(test_closed_by_its_owner),  cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_slowed_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
