/* In a network namespace of its own, so that addresses can come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netwatch.h"
#include "sallyport/base/err.h"

struct bench {
    struct loop *loop;
    struct netwatch *watch;
    struct loop_timer stop;
    unsigned changes, slept;
};

static void bench_stop(void *ctx) {
    struct bench *bench = ctx;
    loop_stop(bench->loop);
}

static void bench_changed(void *ctx, enum netwatch_cause cause) {
    struct bench *bench = ctx;
    cause == NETWATCH_SLEPT ? bench->slept++ : bench->changes++;
}

static void turn(struct bench *bench, uint64_t ms) {
    assert_int_equal(loop_timer_set(&bench->stop, ms), 0);
    assert_int_equal(loop_run(bench->loop), 0);
}

static void loopback_set(bool up) {
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    if (up)
        request.ifr_flags |= IFF_UP;
    else
        request.ifr_flags &= (short)~IFF_UP;
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    assert_int_equal(close(fd), 0);
}

static void test_changes_come_bundled(void **state) {
    (void)state;
    struct bench bench = {0};
    if (unshare(CLONE_NEWNET) < 0)
        skip();
    assert_int_equal(loop_new(&bench.loop), 0);
    loop_timer_init(bench.loop, &bench.stop, bench_stop, &bench);
    assert_int_equal(netwatch_new(bench.loop, bench_changed, &bench, &bench.watch), 0);
    turn(&bench, 400);
    assert_int_equal(bench.changes, 0);
    for (int i = 0; i < 20; i++)
        loopback_set(i % 2 == 0);
    while (bench.changes < 1)
        turn(&bench, 10);
    turn(&bench, 600);
    assert_int_equal(bench.changes, 1);
    loopback_set(true);
    while (bench.changes < 2)
        turn(&bench, 10);
    turn(&bench, 2200); /* a look at the clocks finds no sleep */
    assert_int_equal(bench.changes, 2);
    assert_int_equal(bench.slept, 0);
    loopback_set(false);
    turn(&bench, 50);
    unsigned seen = bench.changes;
    netwatch_free(bench.watch); /* with a change in the air, unless 50 ms took long */
    netwatch_free(NULL);
    turn(&bench, 400);
    assert_int_equal(bench.changes, seen);
    loop_free(bench.loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes_come_bundled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
