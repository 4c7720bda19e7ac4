/* The search for applications: ports that answer, or not, or with too much. */
#include "fake_server.h"
#include "patient_ask.h"

#include "sallyport/probe/recognize.h"

#define OK "HTTP/1.1 200 OK\r\n\r\n"
#define NO "HTTP/1.1 404 Not Found\r\n\r\n"

static const struct fake_page ollama[] = {{"GET / HTTP/1.0\r\nHost: 127.0.0.1:", OK "Ollama is running"},
                                          {"GET /api/version ", OK "{\"version\":\"0.5.1\"}"},
                                          {"GET /api/ps ", OK "{\"models\":[{\"name\":\"llama3:8b\"}]}"},
                                          {NULL, NULL}};
static const struct fake_page ollama_later[] = {
    {"GET /api/ps ", OK "{\"models\":[{\"name\":\"qwen2\"}]}"}, {"GET ", OK "not now"}, {NULL, NULL}};
static const struct fake_page locked_vllm[] = {{"GET / ", NO},
                                               {"GET /v2 ", NO},
                                               {"GET /v1/models ", "HTTP/1.1 401 Unauthorized\r\n\r\n{}"},
                                               {"GET /version ", OK "{\"version\":\"0.6.1\"}"},
                                               {NULL, NULL}};
static const struct fake_page silent[] = {{"GET ", NULL}, {NULL, NULL}};
/* Were it asked more, it would be one of them: but what does not speak HTTP is left alone. */
static const struct fake_page other_tongue[] = {
    {"GET / ", "+OK hello\r\n\r\n"}, {"GET /v1/models ", OK "{\"object\":\"list\",\"data\":[]}"}, {NULL, NULL}};

struct bench {
    char root[FIXTURE_PATH];
    struct loop *loop;
    struct recognizer *recognizer;
    struct listeners listeners;
    struct listener rows[24];
    int changes;
};

static void changed(void *ctx) {
    struct bench *bench = ctx;
    bench->changes++;
    loop_stop(bench->loop);
}

static int set_up(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    fixture_new(bench->root);
    assert_int_equal(loop_new(&bench->loop), 0);
    assert_int_equal(recognizer_new(bench->loop, bench->root, 200, changed, bench, &bench->recognizer), 0);
    bench->listeners.items = bench->rows;
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    recognizer_free(bench->recognizer);
    loop_free(bench->loop);
    fixture_remove(bench->root);
    free(bench);
    return 0;
}

/* In the order of their ports, as listeners_read sorts them. */
static void listens(struct bench *bench, const struct fake *fake) {
    size_t at = bench->listeners.count++;
    for (; at > 0 && bench->rows[at - 1].port > fake->port; at--)
        bench->rows[at] = bench->rows[at - 1];
    bench->rows[at] = (struct listener){.port = fake->port,
                                        .inode = fake->inode,
                                        .family = 4,
                                        .address_class = LISTEN_LOOPBACK,
                                        .address = {127, 0, 0, 1}};
}

static void look(struct bench *bench) {
    assert_int_equal(recognizer_look(bench->recognizer, &bench->listeners), 0);
}

static void expect(const struct bench *bench, size_t at, const char *name, const char *detail) {
    size_t count;
    const struct recognized *list = recognizer_list(bench->recognizer, &count);
    assert_in_range(count, at + 1, RECOGNIZED_MAX);
    assert_string_equal(list[at].name, name);
    assert_string_equal(list[at].detail, detail);
}

static size_t count_of(const struct bench *bench) {
    size_t count;
    (void)recognizer_list(bench->recognizer, &count);
    return count;
}

static void a_life(void **state) {
    struct bench *bench = *state;
    struct fake app;
    fake_start(&app, 0, ollama);
    fixture_process(bench->root, 100, "docker-proxy", 1, "docker-proxy", app.inode);
    listens(bench, &app);
    look(bench);
    assert_int_equal(count_of(bench), 0);
    run_within(bench->loop, 60000);
    expect(bench, 0, "ollama", "Ollama 0.5.1 (docker-proxy): llama3:8b");
    assert_int_equal(bench->changes, 1);

    uint64_t inode = app.inode; /* its models are asked for again, and nothing else */
    uint16_t port = app.port;
    fake_stop(&app);
    fake_start(&app, port, ollama_later);
    while (bench->changes == 1) {
        look(bench);
        run_for(bench->loop, 50);
    }
    expect(bench, 0, "ollama", "Ollama 0.5.1 (docker-proxy): qwen2");
    assert_int_equal(bench->rows[0].inode, inode);

    bench->rows[0].inode++; /* another program on that port, which is none of them */
    look(bench);
    assert_int_equal(count_of(bench), 0);
    run_for(bench->loop, 100);
    assert_int_equal(count_of(bench), 0);
    bench->listeners.count = 0;
    look(bench);
    fake_stop(&app);
}

static void one_that_wants_a_key(void **state) {
    struct bench *bench = *state;
    struct fake app;
    fake_start(&app, 0, locked_vllm);
    listens(bench, &app);
    look(bench);
    run_within(bench->loop, 60000);
    expect(bench, 0, "vllm", "vLLM 0.6.1");
    fake_stop(&app);
}

/* Beside those that say nothing, or too much, or something else, one that is known is found all the same. */
static void bad_company(void **state) {
    struct bench *bench = *state;
    static char endless[300000] = OK;
    static const struct fake_page pour[] = {{"GET ", endless}, {NULL, NULL}};
    struct fake bad[4], good;
    memset(endless + strlen(endless), '{', sizeof endless - strlen(endless) - 1);
    fake_start(&bad[0], 0, silent);
    patient_ask_silent = bad[0].port;
    fake_start(&bad[1], 0, other_tongue);
    fake_start(&bad[2], 0, pour);
    fake_start(&bad[3], 0, (const struct fake_page[]){{"", "HTTP/1.1 200 OK\r\n"}, {NULL, NULL}});
    fake_start(&good, 0, ollama);
    for (size_t i = 0; i < 4; i++)
        listens(bench, &bad[i]);
    listens(bench, &good);
    look(bench);
    run_within(bench->loop, 60000);
    expect(bench, 0, "ollama", "Ollama 0.5.1: llama3:8b");
    run_for(bench->loop, 520); /* all have had their time */
    look(bench);
    assert_int_equal(count_of(bench), 1);
    for (size_t i = 0; i < 4; i++)
        fake_stop(&bad[i]);
    fake_stop(&good);
}

static void more_than_are_asked_at_once(void **state) {
    struct bench *bench = *state;
    struct fake apps[20];
    for (size_t i = 0; i < 20; i++) {
        fake_start(&apps[i], 0, ollama);
        listens(bench, &apps[i]);
    }
    look(bench);
    for (int i = 0; i < 20 && count_of(bench) < 20; i++)
        run_within(bench->loop, 60000);
    assert_int_equal(count_of(bench), 20);
    for (size_t i = 0; i < 20; i++)
        fake_stop(&apps[i]);
}

static void gone_while_it_is_asked(void **state) {
    struct bench *bench = *state;
    struct fake app;
    fake_start(&app, 0, ollama);
    listens(bench, &app);
    look(bench);
    bench->listeners.count = 0;
    look(bench);
    run_for(bench->loop, 100);
    assert_int_equal(count_of(bench), 0);
    assert_int_equal(bench->changes, 0);
    fake_stop(&app);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_life, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_wants_a_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_company, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_are_asked_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gone_while_it_is_asked, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
