#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"
#include "sallyport/base/work.h"
#include "work_impl.h"

static atomic_bool waits;         /* a thread waits for a job, or is about to, with the mutex in hand */
static atomic_bool *cleared_once; /* by the next broadcast: there is one, at the end */

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __wrap_pthread_cond_timedwait(pthread_cond_t *wake, pthread_mutex_t *mutex, const struct timespec *deadline);
int __real_pthread_cond_timedwait(pthread_cond_t *wake, pthread_mutex_t *mutex, const struct timespec *deadline);
int __wrap_pthread_cond_broadcast(pthread_cond_t *wake);
int __real_pthread_cond_broadcast(pthread_cond_t *wake);

int __wrap_pthread_cond_timedwait(pthread_cond_t *wake, pthread_mutex_t *mutex, const struct timespec *deadline) {
    atomic_store(&waits, true);
    int rc = __real_pthread_cond_timedwait(wake, mutex, deadline);
    atomic_store(&waits, false);
    return rc;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *wake) {
    int rc = __real_pthread_cond_broadcast(wake);
    if (cleared_once)
        atomic_store(cleared_once, false);
    cleared_once = NULL;
    return rc;
}
/* NOLINTEND(bugprone-reserved-identifier) */

struct bench {
    struct loop *loop;
    struct work *work;
    pthread_t loop_thread;
    atomic_int running, most, ran;
    int done, dropped, stop_at;
    atomic_bool hold; /* jobs stay in `run` while it is set */
};

static void bench_open(struct bench *bench, unsigned threads) {
    *bench = (struct bench){.loop_thread = pthread_self()};
    assert_int_equal(loop_new(&bench->loop), 0);
    assert_int_equal(work_new(bench->loop, threads, &bench->work), 0);
}

static void bench_close(struct bench *bench) {
    work_free(bench->work);
    loop_free(bench->loop);
}

static void job_run(void *ctx) {
    struct bench *bench = ctx;
    sigset_t blocked;
    int running = atomic_fetch_add(&bench->running, 1) + 1, most = atomic_load(&bench->most);
    while (running > most && !atomic_compare_exchange_weak(&bench->most, &most, running))
        continue;
    /* Signals belong to the loop's thread. */
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (!sigismember(&blocked, SIGTERM) || pthread_equal(pthread_self(), bench->loop_thread))
        abort();
    usleep(1000);
    while (atomic_load(&bench->hold))
        usleep(1000);
    atomic_fetch_sub(&bench->running, 1);
    atomic_fetch_add(&bench->ran, 1);
}

static void job_done(void *ctx) {
    struct bench *bench = ctx;
    assert_true(pthread_equal(pthread_self(), bench->loop_thread));
    if (++bench->done == bench->stop_at)
        loop_stop(bench->loop);
}

static void job_drop(void *ctx) {
    struct bench *bench = ctx;
    bench->dropped++;
}

static int bench_submit(struct bench *bench) {
    return work_submit(bench->work, job_run, job_done, job_drop, bench);
}

static void test_many_jobs(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 4);
    bench.stop_at = 200;
    assert_int_equal(work_count_threads(bench.work), 0);
    bench.hold = true;
    for (int i = 0; i < 200; i++)
        assert_int_equal(bench_submit(&bench), 0);
    while (atomic_load(&bench.running) < 4)
        usleep(1000);
    bench.hold = false;
    assert_int_equal(loop_run(bench.loop), 0);
    assert_int_equal(bench.done, 200);
    assert_int_equal(bench.ran, 200);
    assert_int_equal(bench.most, 4);
    assert_int_equal(bench.dropped, 0);
    bench_close(&bench);
}

static void test_one_job_one_thread(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 4);
    for (int i = 1; i <= 3; i++) {
        bench.stop_at = i;
        assert_int_equal(bench_submit(&bench), 0);
        assert_int_equal(loop_run(bench.loop), 0);
        /* The thread is on its way back to wait for the next one. */
        while (!atomic_load(&waits))
            usleep(1000);
    }
    assert_int_equal(work_count_threads(bench.work), 1);
    /* What was reported does not wake the loop again. */
    struct pollfd quiet = {.fd = loop_epoll_fd(bench.loop), .events = POLLIN};
    assert_int_equal(poll(&quiet, 1, 0), 0);
    bench_close(&bench);
}

static void test_full_line(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 2);
    bench.hold = true;
    for (int i = 0; i < 2 + WORK_WAITING_MAX; i++)
        assert_int_equal(bench_submit(&bench), 0);
    assert_int_equal(bench_submit(&bench), SP_EBUSY);
    bench.hold = false;
    bench.stop_at = 2 + WORK_WAITING_MAX;
    assert_int_equal(loop_run(bench.loop), 0);
    assert_int_equal(bench_submit(&bench), 0);
    bench_close(&bench);
    assert_int_equal(bench.done + bench.dropped, 2 + WORK_WAITING_MAX + 1);
}

/* One job has finished, one runs, eight wait: all ten are dropped, and only two were run. */
static void test_dropped_at_the_end(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 1);
    assert_int_equal(bench_submit(&bench), 0);
    while (atomic_load(&bench.ran) == 0)
        usleep(1000);
    bench.hold = true;
    for (int i = 0; i < 9; i++)
        assert_int_equal(bench_submit(&bench), 0);
    while (atomic_load(&bench.running) == 0)
        usleep(1000);
    cleared_once = &bench.hold; /* the job ends when the end has begun, no sooner */
    work_free(bench.work);
    assert_int_equal(bench.ran, 2);
    assert_int_equal(bench.dropped, 10);
    assert_int_equal(bench.done, 0);
    loop_free(bench.loop);
}

static void test_idle_threads_end(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 3);
    work_set_idle_ms(bench.work, 30);
    for (int round = 1; round <= 3; round++) {
        bench.stop_at = round * 10;
        for (int i = 0; i < 10; i++)
            assert_int_equal(bench_submit(&bench), 0);
        assert_int_equal(loop_run(bench.loop), 0);
        while (work_count_threads(bench.work) > 0)
            usleep(1000);
    }
    bench_close(&bench);
}

static void test_nothing_to_do(void **state) {
    (void)state;
    struct bench bench;
    work_free(NULL);
    bench_open(&bench, 0);
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_jobs),        cmocka_unit_test(test_one_job_one_thread),
        cmocka_unit_test(test_full_line),        cmocka_unit_test(test_dropped_at_the_end),
        cmocka_unit_test(test_idle_threads_end), cmocka_unit_test(test_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
