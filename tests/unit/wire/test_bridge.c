#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/wire/bridge.h"

/* A stream that does what the test says, and remembers what it was asked. */
struct fake {
    struct stream stream;
    uint8_t wrote[4096];
    size_t wrote_len, room; /* how much it takes */
    bool broken;            /* write says SP_ECLOSED */
    unsigned ends, resumes, closes;
};

struct bench {
    struct loop *loop;
    struct fake a, b;
    struct bridge *bridge;
    unsigned done;
};

static ssize_t fake_write(struct stream *stream, const uint8_t *bytes, size_t n) {
    struct fake *fake = list_item(stream, struct fake, stream);
    if (fake->broken)
        return SP_ECLOSED;
    size_t take = n < fake->room ? n : fake->room;
    memcpy(fake->wrote + fake->wrote_len, bytes, take);
    fake->wrote_len += take;
    fake->room -= take;
    return (ssize_t)take;
}

static void fake_end(struct stream *stream) {
    list_item(stream, struct fake, stream)->ends++;
}

static void fake_resume(struct stream *stream) {
    list_item(stream, struct fake, stream)->resumes++;
}

static void fake_close(struct stream *stream) {
    list_item(stream, struct fake, stream)->closes++;
}

static const struct stream_ops fake_ops = {
    .write = fake_write, .end = fake_end, .resume = fake_resume, .close = fake_close};

static size_t gives(struct fake *fake, const char *text) {
    return fake->stream.events->data(fake->stream.ctx, (const uint8_t *)text, strlen(text));
}

static void says_end(struct fake *fake) {
    fake->stream.events->end(fake->stream.ctx);
}

static void says_closed(struct fake *fake) {
    fake->stream.events->closed(fake->stream.ctx);
}

static void says_writable(struct fake *fake) {
    fake->stream.events->writable(fake->stream.ctx);
}

static void bench_done(void *ctx) {
    struct bench *bench = ctx;
    bench->done++;
    bench->bridge = NULL;
}

static int bench_init(void **state) {
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    bench.a.stream.ops = bench.b.stream.ops = &fake_ops;
    bench.a.room = bench.b.room = sizeof bench.a.wrote;
    assert_int_equal(loop_new(&bench.loop), 0);
    assert_int_equal(bridge_new(bench.loop, &bench.a.stream, &bench.b.stream, bench_done, &bench, &bench.bridge), 0);
    assert_int_equal(bench.a.resumes, 1);
    assert_int_equal(bench.b.resumes, 1);
    *state = &bench;
    return 0;
}

/* Over: `done` came once, and both streams were closed once. */
static int bench_fini(void **state) {
    struct bench *bench = *state;
    if (bench->bridge)
        bridge_close(bench->bridge);
    loop_drain(bench->loop);
    assert_int_equal(bench->done, 1);
    assert_int_equal(bench->a.closes, 1);
    assert_int_equal(bench->b.closes, 1);
    loop_free(bench->loop);
    return 0;
}

static void test_bytes_pass(void **state) {
    struct bench *bench = *state;
    uint64_t from_a, from_b;
    assert_int_equal(gives(&bench->a, "hello"), 5);
    assert_int_equal(gives(&bench->b, "you"), 3);
    assert_int_equal(gives(&bench->a, ", b"), 3);
    assert_memory_equal(bench->b.wrote, "hello, b", 8);
    assert_memory_equal(bench->a.wrote, "you", 3);
    bridge_count(bench->bridge, &from_a, &from_b);
    assert_int_equal(from_a, 8);
    assert_int_equal(from_b, 3);
}

static void test_a_full_side_holds_up_the_other(void **state) {
    struct bench *bench = *state;
    bench->b.room = 2;
    assert_int_equal(gives(&bench->a, "hello"), 2);
    assert_int_equal(bench->a.resumes, 1);
    assert_int_equal(gives(&bench->b, "not held up"), 11);
    bench->b.room = 100;
    says_writable(&bench->b);
    assert_int_equal(bench->a.resumes, 2);
    assert_int_equal(gives(&bench->a, "llo"), 3);
    assert_memory_equal(bench->b.wrote, "hello", 5);
}

static void test_half_close(void **state) {
    struct bench *bench = *state;
    says_end(&bench->a);
    assert_int_equal(bench->b.ends, 1);
    loop_drain(bench->loop);
    assert_int_equal(bench->done, 0);
    assert_int_equal(gives(&bench->b, "still here"), 10);
    says_end(&bench->b);
    assert_int_equal(bench->a.ends, 1);
    assert_int_equal(bench->done, 0); /* in a later round */
    loop_drain(bench->loop);
    assert_int_equal(bench->done, 1);
}

static void test_a_lost_side_ends_it(void **state) {
    struct bench *bench = *state;
    says_closed(&bench->b);
    assert_int_equal(bench->done, 0);
    assert_int_equal(bench->b.closes, 0); /* not inside its own event */
    assert_int_equal(gives(&bench->a, "late"), 0);
    says_closed(&bench->a);
    says_end(&bench->a);
    says_writable(&bench->a);
    assert_int_equal(bench->b.ends, 0);
    loop_drain(bench->loop);
    assert_int_equal(bench->done, 1);
}

static void test_a_write_that_fails_ends_it(void **state) {
    struct bench *bench = *state;
    bench->a.broken = true;
    assert_int_equal(gives(&bench->b, "into the void"), 0);
    loop_drain(bench->loop);
    assert_int_equal(bench->done, 1);
}

static void test_close_twice_is_once(void **state) {
    struct bench *bench = *state;
    bridge_close(bench->bridge);
    bridge_close(bench->bridge);
    assert_int_equal(gives(&bench->a, "late"), 0);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_init, bench_fini)

int main(void) {
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_bytes_pass),
        BENCH_TEST(test_a_full_side_holds_up_the_other),
        BENCH_TEST(test_half_close),
        BENCH_TEST(test_a_lost_side_ends_it),
        BENCH_TEST(test_a_write_that_fails_ends_it),
        BENCH_TEST(test_close_twice_is_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
