/* Questions to ports that answer, keep silent, refuse, or talk too much. */
#include "fake_server.h"

#include "sallyport/base/err.h"
#include "sallyport/probe/ask.h"

struct heard {
    struct loop *loop;
    struct ask *ask;
    char text[64];
    size_t len;
    bool timed_out;
    int times;
};

static void heard(void *ctx, const char *answer, size_t len, bool timed_out) {
    struct heard *heard = ctx;
    heard->len = len;
    heard->timed_out = timed_out;
    heard->times++;
    (void)snprintf(heard->text, sizeof heard->text, "%.*s", (int)(len < 63 ? len : 63), answer);
    ask_free(heard->ask);
    heard->ask = NULL;
    loop_stop(heard->loop);
}

static bool first_four(const char *answer, size_t len) {
    (void)answer;
    return len >= 4;
}

static void put(struct heard *heard_here, struct ask_question question) {
    struct loop *loop;
    assert_int_equal(loop_new(&loop), 0);
    *heard_here = (struct heard){.loop = loop};
    assert_int_equal(ask_new(loop, &question, heard, heard_here, &heard_here->ask), 0);
    assert_int_equal(heard_here->times, 0);
    run_within(loop, 60000);
    assert_int_equal(heard_here->times, 1);
    loop_free(loop);
}

static void an_answer_to_its_end(void **state) {
    static const struct fake_page pages[] = {{"hello", "world"}, {NULL, NULL}};
    struct fake fake;
    struct heard result;
    (void)state;
    fake_start(&fake, 0, pages);
    put(&result, (struct ask_question){.host = "127.0.0.1", .port = fake.port, .request = "hello", .timeout_ms = 3000});
    assert_string_equal(result.text, "world");
    assert_false(result.timed_out);
    fake_stop(&fake);
}

static void a_greeting_that_is_enough(void **state) {
    static const struct fake_page pages[] = {{"", "SSH-2.0-x\r\n"}, {NULL, NULL}};
    struct fake fake;
    struct heard result;
    (void)state;
    fake_start(&fake, 0, pages);
    put(&result,
        (struct ask_question){.host = "127.0.0.1", .port = fake.port, .timeout_ms = 3000, .enough = first_four});
    assert_string_equal(result.text, "SSH-2.0-x\r\n");
    assert_false(result.timed_out);
    fake_stop(&fake);
}

static void silence(void **state) {
    static const struct fake_page pages[] = {{"hello", NULL}, {NULL, NULL}};
    struct fake fake;
    struct heard result;
    (void)state;
    fake_start(&fake, 0, pages);
    put(&result, (struct ask_question){.host = "127.0.0.1", .port = fake.port, .request = "hello", .timeout_ms = 100});
    assert_true(result.timed_out);
    assert_int_equal(result.len, 0);
    fake_stop(&fake);
}

static void nobody_listens(void **state) {
    static const struct fake_page pages[] = {{NULL, NULL}};
    struct fake fake;
    struct heard result;
    (void)state;
    fake_start(&fake, 0, pages);
    fake_stop(&fake);
    put(&result, (struct ask_question){.host = "127.0.0.1", .port = fake.port, .request = "x", .timeout_ms = 3000});
    assert_false(result.timed_out);
    assert_int_equal(result.len, 0);
    /* the kernel refuses this one at once, and sends nothing */
    put(&result, (struct ask_question){.host = "224.0.0.1", .port = 9, .request = "x", .timeout_ms = 3000});
    assert_false(result.timed_out);
    assert_int_equal(result.len, 0);
}

static void too_long_an_answer_is_cut_off(void **state) {
    static char longer[ASK_MAX * 2];
    const struct fake_page pages[] = {{"x", longer}, {NULL, NULL}};
    struct fake fake;
    struct heard result;
    (void)state;
    memset(longer, 'a', sizeof longer - 1);
    fake_start(&fake, 0, pages);
    put(&result, (struct ask_question){.host = "127.0.0.1", .port = fake.port, .request = "x", .timeout_ms = 3000});
    assert_int_equal(result.len, ASK_MAX);
    assert_false(result.timed_out);
    for (size_t max = ASK_MAX - 100; max < ASK_MAX * 3; max += ASK_MAX) {
        put(&result,
            (struct ask_question){
                .host = "127.0.0.1", .port = fake.port, .request = "x", .timeout_ms = 3000, .answer_max = max});
        assert_int_equal(result.len, max < sizeof longer - 1 ? max : sizeof longer - 1);
    }
    fake_stop(&fake);
}

static void an_ask_can_be_dropped(void **state) {
    static const struct fake_page pages[] = {{"x", NULL}, {NULL, NULL}};
    struct fake fake;
    struct loop *loop;
    struct heard result = {0};
    (void)state;
    fake_start(&fake, 0, pages);
    assert_int_equal(loop_new(&loop), 0);
    struct ask_question question = {.host = "127.0.0.1", .port = fake.port, .request = "x", .timeout_ms = 50};
    assert_int_equal(ask_new(loop, &question, heard, &result, &result.ask), 0);
    ask_free(result.ask);
    run_for(loop, 150);
    assert_int_equal(result.times, 0);
    question.host = "localhost";
    assert_int_equal(ask_new(loop, &question, heard, &result, &result.ask), SP_EINVAL);
    loop_free(loop);
    fake_stop(&fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_to_its_end),
        cmocka_unit_test(a_greeting_that_is_enough),
        cmocka_unit_test(silence),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(too_long_an_answer_is_cut_off),
        cmocka_unit_test(an_ask_can_be_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
