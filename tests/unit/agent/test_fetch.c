/* Against a relay's door that the test plays. */
#include "door_rig.h"
#include "fetch.h"

struct stand {
    struct rig rig;
    int relay; /* listens */
    struct sockaddr_storage at;
    struct fetches *fetches;
};

static void stand_open(struct stand *stand) {
    uint16_t port;
    rig_open(&stand->rig);
    stand->relay = rig_listen(&port);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memset(&stand->at, 0, sizeof stand->at);
    memcpy(&stand->at, &at, sizeof at);
    assert_int_equal(fetches_new(stand->rig.loop, stand->rig.visits, &stand->fetches), 0);
}

static void stand_close(struct stand *stand) {
    fetches_free(stand->fetches);
    (void)close(stand->relay);
    rig_close(&stand->rig);
}

static struct link_call call_for(const char *service) {
    struct link_call call = {.ticket = "TICKET"};
    (void)snprintf(call.user, sizeof call.user, "alice");
    (void)snprintf(call.service, sizeof call.service, "%s", service);
    return call;
}

static int stand_accept(struct stand *stand) {
    uint64_t give_up = os_monotonic_ms() + RIG_PATIENCE_MS;
    while (os_monotonic_ms() < give_up) {
        int fd = accept4(stand->relay, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            return fd;
        rig_turn(&stand->rig);
    }
    fail_msg("nobody came to the relay");
    return -1;
}

static int stand_asked(struct stand *stand, const char *service) {
    struct link_call call = call_for(service);
    fetch_start(stand->fetches, &call, &stand->at);
    int fd = stand_accept(stand);
    rig_hears(&stand->rig, fd, "SALLY1 serve TICKET\n");
    return fd;
}

static void stand_settles(struct stand *stand) {
    for (int i = 0; i < 200 && (fetches_count(stand->fetches) || visits_count(stand->rig.visits)); i++)
        rig_turn(&stand->rig);
    assert_int_equal(fetches_count(stand->fetches), 0);
    assert_int_equal(visits_count(stand->rig.visits), 0);
}

static void test_a_stream_is_fetched(void **state) {
    (void)state;
    struct stand stand;
    stand_open(&stand);
    int fd = stand_asked(&stand, "ssh");
    rig_nobody_came(&stand.rig); /* not before the relay has agreed */
    rig_say(fd, "SALLY1 ok\nfrom the user");
    int service = rig_accept(&stand.rig);
    rig_hears(&stand.rig, service, "from the user");
    rig_say(service, "from the service");
    rig_hears(&stand.rig, fd, "from the service");
    assert_int_equal(fetches_count(stand.fetches), 0);
    assert_int_equal(visits_count(stand.rig.visits), 1);
    assert_int_equal(close(service), 0);
    rig_ends_after(&stand.rig, fd, "");
    stand_settles(&stand);
    stand_close(&stand);
}

static void test_what_the_relay_may_answer_else(void **state) {
    (void)state;
    static const char *const answers[] = {"SALLY1 no nobody waits\n", "SSH-2.0-sshd\r\n", "SALLY1 okay\n", "\n", ""};
    struct stand stand;
    stand_open(&stand);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        int fd = stand_asked(&stand, "ssh");
        rig_say(fd, answers[i]);
        if (!answers[i][0])
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
        rig_ends_after(&stand.rig, fd, "");
        stand_settles(&stand);
    }
    int fd = stand_asked(&stand, "ssh");
    char endless[2000];
    memset(endless, 'x', sizeof endless - 1);
    memcpy(endless, "SALLY1 ok ", 10);
    endless[sizeof endless - 1] = '\0';
    rig_say(fd, endless);
    char none[8];
    (void)rig_read(&stand.rig, fd, none, sizeof none, 0);
    assert_int_equal(close(fd), 0);
    stand_settles(&stand);
    rig_nobody_came(&stand.rig);
    stand_close(&stand);
}

static void test_only_published_ssh(void **state) {
    (void)state;
    struct stand stand;
    stand_open(&stand);
    int fd = stand_asked(&stand, "jupyter");
    rig_say(fd, "SALLY1 ok\n");
    rig_ends_after(&stand.rig, fd, "");
    stand_settles(&stand);
    rig_nobody_came(&stand.rig);
    stand_close(&stand);
}

static void test_no_more_than_64_at_once(void **state) {
    (void)state;
    struct stand stand;
    struct link_call call = call_for("ssh");
    stand_open(&stand);
    for (int i = 0; i < 70; i++)
        fetch_start(stand.fetches, &call, &stand.at);
    assert_int_equal(fetches_count(stand.fetches), 64);
    (void)close(stand.relay);
    stand_settles(&stand);
    fetch_start(stand.fetches, &call, &stand.at); /* nobody listens there any more */
    stand_settles(&stand);
    stand.relay = rig_listen(&(uint16_t){0});
    stand_close(&stand);
}

static void test_ended_while_it_waits(void **state) {
    (void)state;
    struct stand stand;
    stand_open(&stand);
    int fd = stand_asked(&stand, "ssh");
    fetches_free(stand.fetches);
    rig_ends_after(&stand.rig, fd, "");
    stand.fetches = NULL;
    stand_close(&stand);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stream_is_fetched),  cmocka_unit_test(test_what_the_relay_may_answer_else),
        cmocka_unit_test(test_only_published_ssh),   cmocka_unit_test(test_no_more_than_64_at_once),
        cmocka_unit_test(test_ended_while_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
