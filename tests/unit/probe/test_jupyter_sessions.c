/* The watch on notebooks: servers that answer, refuse, keep silent, or become others. */
#include "fake_server.h"
#include "patient_ask.h"

#include "sallyport/base/str.h"
#include "sallyport/probe/jupyter_sessions.h"

#define QUESTION "GET /lab/api/sessions?no_track_activity=1 HTTP/1.0\r\nHost: 127.0.0.1:"
#define ROUND_MS 300
#define OK "HTTP/1.1 200 OK\r\n\r\n"

static const struct fake_page one_page[] = {
    {QUESTION, OK "[{\"path\": \"a.ipynb\", \"kernel\": {\"name\": \"python3\", \"execution_state\": \"busy\"}}]"},
    {NULL, NULL}};
static const struct fake_page none_page[] = {{QUESTION, OK "[]"}, {NULL, NULL}};
static const struct fake_page refusing_page[] = {{QUESTION, "HTTP/1.1 403 Forbidden\r\n\r\n"}, {NULL, NULL}};
static const struct fake_page closing_page[] = {{NULL, NULL}};

struct bench {
    struct loop *loop;
    struct jupyter_sessions *sessions;
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
    assert_int_equal(loop_new(&bench->loop), 0);
    assert_int_equal(jupyter_sessions_new(bench->loop, ROUND_MS, changed, bench, &bench->sessions), 0);
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    jupyter_sessions_free(bench->sessions);
    loop_free(bench->loop);
    free(bench);
    return 0;
}

static struct jupyter_place place_of(const struct fake *fake, const char *token) {
    struct jupyter_place place = {.inode = fake->inode, .port = fake->port, .host = "127.0.0.1", .base_url = "/lab/"};
    assert_int_equal(str_copy(place.token, sizeof place.token, token), 0);
    return place;
}

static void follow(struct bench *bench, const struct fake *fake, const char *token) {
    struct jupyter_place place = place_of(fake, token);
    assert_int_equal(jupyter_sessions_follow(bench->sessions, &place, 1), 0);
}

static void a_change_is_noticed_in_the_next_round(void **state) {
    struct bench *bench = *state;
    struct fake fake;
    fake_start(&fake, 0, one_page);
    follow(bench, &fake, "");
    assert_null(jupyter_sessions_find(bench->sessions, fake.port));
    run_within(bench->loop, 60000);
    const struct notebooks *got = jupyter_sessions_find(bench->sessions, fake.port);
    assert_non_null(got);
    assert_int_equal(got->count, 1);
    assert_string_equal(got->list[0].name, "a.ipynb");
    assert_true(got->list[0].busy);
    assert_null(jupyter_sessions_find(bench->sessions, (uint16_t)(fake.port + 1)));

    /* the notebook is shut down, by the same server as far as the watch can tell */
    uint16_t port = fake.port;
    uint64_t inode = fake.inode;
    fake_stop(&fake);
    fake_start(&fake, port, none_page);
    fake.inode = inode;
    follow(bench, &fake, "");
    assert_non_null(jupyter_sessions_find(bench->sessions, port)); /* and what was known stays until then */
    run_within(bench->loop, 60000);
    assert_int_equal(jupyter_sessions_find(bench->sessions, port)->count, 0);
    assert_int_equal(bench->changes, 2);
    run_for(bench->loop, 3 * ROUND_MS);
    assert_int_equal(bench->changes, 2);
    fake_stop(&fake);
}

/* Answers with its question's Authorization header as the name of a notebook, and the count of connections so far in
 * front of it. */
static void echo_serve(int listening) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int count = 1;; count++) {
        char request[1024] = "", answer[1200], rest[64];
        int fd = accept(listening, NULL, NULL);
        if (fd < 0 || read(fd, request, sizeof request - 1) <= 0)
            _exit(1);
        const char *said = strstr(request, "Authorization: ");
        (void)snprintf(answer, sizeof answer, OK "[{\"path\": \"%d %.*s\"}]", count,
                       said == NULL ? 0 : (int)strcspn(said, "\r\n"), said == NULL ? "" : said);
        fake_say(fd, answer);
        (void)shutdown(fd, SHUT_WR);
        while (read(fd, rest, sizeof rest) > 0)
            continue;
        close(fd);
    }
}

static void echo_start(struct fake *fake) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *fake = (struct fake){.port = ntohs(address.sin_port), .inode = 1, .pid = fork()};
    assert_true(fake->pid >= 0);
    if (fake->pid == 0)
        echo_serve(fd);
    close(fd);
}

static const char *only_name(const struct bench *bench, const struct fake *fake) {
    const struct notebooks *got = jupyter_sessions_find(bench->sessions, fake->port);
    assert_non_null(got);
    assert_int_equal(got->listed, 1);
    return got->list[0].name;
}

static void the_token_goes_along(void **state) {
    struct bench *bench = *state;
    struct fake fake;
    echo_start(&fake);
    follow(bench, &fake, "");
    run_within(bench->loop, 60000);
    assert_string_equal(only_name(bench, &fake), "1 ");
    follow(bench, &fake, "secret-1"); /* another server, then: asked at once */
    assert_null(jupyter_sessions_find(bench->sessions, fake.port));
    run_within(bench->loop, 60000);
    assert_string_equal(only_name(bench, &fake), "2 Authorization: token secret-1");
    follow(bench, &fake, "secret-1"); /* the same: what is known stays */
    assert_string_equal(only_name(bench, &fake), "2 Authorization: token secret-1");
    assert_int_equal(jupyter_sessions_follow(bench->sessions, NULL, 0), 0);
    assert_null(jupyter_sessions_find(bench->sessions, fake.port));
    fake_stop(&fake);
}

static void one_that_refuses_is_left_alone(void **state) {
    struct bench *bench = *state;
    struct fake fake;
    fake_start(&fake, 0, refusing_page);
    unsigned before = patient_ask_over;
    follow(bench, &fake, "");
    while (patient_ask_over == before)
        run_for(bench->loop, 10);
    uint16_t port = fake.port;
    uint64_t inode = fake.inode;
    fake_stop(&fake);
    fake_start(&fake, port, none_page);
    fake.inode = inode;
    run_for(bench->loop, 3 * ROUND_MS); /* it would have told now */
    assert_null(jupyter_sessions_find(bench->sessions, port));
    assert_int_equal(bench->changes, 0);
    fake.inode++; /* but another server is asked */
    follow(bench, &fake, "");
    run_within(bench->loop, 60000);
    assert_int_equal(jupyter_sessions_find(bench->sessions, port)->count, 0);
    fake_stop(&fake);
}

static void one_that_says_nothing_of_use_is_forgotten_after_a_while(void **state) {
    struct bench *bench = *state;
    struct fake fake;
    fake_start(&fake, 0, one_page);
    follow(bench, &fake, "");
    run_within(bench->loop, 60000);
    uint16_t port = fake.port;
    fake_stop(&fake);
    fake_start(&fake, port, closing_page);
    run_for(bench->loop, 3 * ROUND_MS / 2); /* time for two rounds at most */
    assert_non_null(jupyter_sessions_find(bench->sessions, port));
    run_within(bench->loop, 60000);
    assert_null(jupyter_sessions_find(bench->sessions, port));
    assert_int_equal(bench->changes, 2);
    fake_stop(&fake);
}

static void a_watch_can_be_dropped_at_any_moment(void **state) {
    struct bench *bench = *state;
    struct fake first, second;
    fake_start(&first, 0, one_page);
    fake_start(&second, 0, none_page);
    struct jupyter_place places[] = {place_of(&first, ""), place_of(&second, "t")};
    assert_int_equal(jupyter_sessions_follow(bench->sessions, places, 2), 0);
    assert_int_equal(jupyter_sessions_follow(bench->sessions, &places[1], 1), 0); /* while the first is asked */
    run_within(bench->loop, 60000);
    assert_null(jupyter_sessions_find(bench->sessions, first.port));
    assert_int_equal(jupyter_sessions_find(bench->sessions, second.port)->count, 0);
    assert_int_equal(jupyter_sessions_follow(bench->sessions, places, 2), 0);
    jupyter_sessions_free(bench->sessions); /* and while it is asked again */
    bench->sessions = NULL;
    run_for(bench->loop, 300);
    assert_int_equal(bench->changes, 1);
    fake_stop(&first);
    fake_stop(&second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_is_noticed_in_the_next_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_token_goes_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_refuses_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_says_nothing_of_use_is_forgotten_after_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_watch_can_be_dropped_at_any_moment, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
