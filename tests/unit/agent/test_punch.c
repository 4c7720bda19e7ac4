/* Against a relay's door that the test plays, and a client that meets the agent there. */
#include "door_rig.h"
#include "punch.h"

struct stand {
    struct rig rig;
    int relay; /* listens */
    struct sockaddr_storage at;
    struct punches *punches;
};

static void stand_met(void *ctx, int fd, const char *from) {
    struct stand *stand = ctx;
    door_adopt(stand->rig.door, fd, from);
}

static void stand_open(struct stand *stand) {
    uint16_t port;
    rig_open(&stand->rig);
    stand->relay = rig_listen(&port);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memset(&stand->at, 0, sizeof stand->at);
    memcpy(&stand->at, &at, sizeof at);
    assert_int_equal(punches_new(stand->rig.loop, stand_met, stand, &stand->punches), 0);
}

static void stand_close(struct stand *stand) {
    punches_free(stand->punches);
    (void)close(stand->relay);
    rig_close(&stand->rig);
}

static void settle(struct stand *stand) {
    uint64_t give_up = os_monotonic_ms() + RIG_PATIENCE_MS;
    while (punches_count(stand->punches) && os_monotonic_ms() < give_up)
        rig_turn(&stand->rig);
    assert_int_equal(punches_count(stand->punches), 0);
}

/* The agent's question at the relay's door, and the port that it comes from. */
static int asked(struct stand *stand, uint16_t *port) {
    struct link_call call = {.ticket = "TICKET", .user = "alice"};
    assert_int_equal(punch_start(stand->punches, &call, &stand->at), 0);
    struct sockaddr_in from = {0};
    socklen_t size = sizeof from;
    int fd = -1;
    while (fd < 0) {
        rig_turn(&stand->rig);
        fd = accept4(stand->relay, (struct sockaddr *)&from, &size, SOCK_CLOEXEC);
    }
    *port = ntohs(from.sin_port);
    rig_hears(&stand->rig, fd, "SALLY1 punch TICKET\n");
    return fd;
}

static void test_a_connection_is_made_from_the_same_port(void **state) {
    (void)state;
    struct stand stand;
    char line[64];
    uint16_t port, ours;
    stand_open(&stand);
    int relay = asked(&stand, &port);
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof local;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(client, (const struct sockaddr *)&local, size), 0);
    assert_int_equal(getsockname(client, (struct sockaddr *)&local, &size), 0);
    ours = ntohs(local.sin_port);
    (void)snprintf(line, sizeof line, "SALLY1 ok 127.0.0.1 %u\n", ours);
    rig_say(relay, line);
    uint64_t give_up = os_monotonic_ms() + RIG_PATIENCE_MS;
    /* Where no router is between them, somebody has to listen. */
    assert_int_equal(listen(client, 1), 0);
    int met = -1;
    struct sockaddr_in from = {0};
    size = sizeof from;
    while (met < 0 && os_monotonic_ms() < give_up) {
        rig_turn(&stand.rig);
        met = accept4(client, (struct sockaddr *)&from, &size, SOCK_CLOEXEC);
    }
    assert_true(met >= 0);
    assert_int_equal(ntohs(from.sin_port), port); /* the same that the relay saw */
    rig_ask(met, "knock", door_knock(stand.rig.door), "");
    rig_hears(&stand.rig, met, "SALLY1 ok\n");
    rig_ask(met, "raw", rig_good(&stand.rig, TICKET_STREAM), "through the hole");
    int service = rig_accept(&stand.rig);
    rig_hears(&stand.rig, service, "through the hole");
    rig_hears(&stand.rig, met, "SALLY1 ok\n");
    assert_int_equal(punches_count(stand.punches), 0);
    assert_int_equal(close(relay), 0);
    assert_int_equal(close(met), 0);
    assert_int_equal(close(client), 0);
    assert_int_equal(close(service), 0);
    stand_close(&stand);
}

static void test_it_gives_up_after_two_seconds(void **state) {
    (void)state;
    struct stand stand;
    char line[64];
    uint16_t port, dead;
    stand_open(&stand);
    int other = rig_listen(&dead);
    assert_int_equal(close(other), 0);
    int relay = asked(&stand, &port);
    (void)snprintf(line, sizeof line, "SALLY1 ok 127.0.0.1 %u\n", dead);
    rig_say(relay, line);
    uint64_t began = os_monotonic_ms();
    settle(&stand);
    assert_in_range(os_monotonic_ms() - began, 1900, RIG_PATIENCE_MS);
    assert_int_equal(door_waiting(stand.rig.door), 0);
    assert_int_equal(close(relay), 0);
    stand_close(&stand);
}

static void test_it_keeps_trying(void **state) {
    (void)state;
    struct stand stand;
    char line[64];
    uint16_t port, late;
    stand_open(&stand);
    int other = rig_listen(&late);
    assert_int_equal(close(other), 0);
    int relay = asked(&stand, &port);
    (void)snprintf(line, sizeof line, "SALLY1 ok 127.0.0.1 %u\n", late);
    rig_say(relay, line);
    for (int i = 0; i < 30; i++)
        rig_turn(&stand.rig); /* refused a few times */
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(late), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, opened = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(opened, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(opened, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(opened, 1), 0);
    settle(&stand);
    assert_int_equal(door_waiting(stand.rig.door), 1);
    assert_int_equal(close(relay), 0);
    assert_int_equal(close(opened), 0);
    stand_close(&stand);
}

/* With a relay elsewhere these would all be refused; what it may send us to is judged before anything is sent. */
static void test_where_it_does_not_go(void **state) {
    (void)state;
    static const char *const answers[] = {
        "SALLY1 ok 192.168.1.1 80\n",     "SALLY1 ok 10.0.0.1 22\n",
        "SALLY1 ok 169.254.169.254 80\n", "SALLY1 ok 0.0.0.0 80\n",
        "SALLY1 ok 224.0.0.1 80\n",       "SALLY1 ok ::1 80\n",
        "SALLY1 ok 127.0.0.1 0\n",        "SALLY1 ok 127.0.0.1 65536\n",
        "SALLY1 ok 127.0.0.1\n",          "SALLY1 ok\n",
        "SALLY1 ok localhost 80\n",       "SALLY1 no nobody is there\n",
        "SALLY1 ok 127.0.0.1 80 81\n",    "HTTP/1.1 400 Bad Request\r\n",
    };
    struct stand stand;
    stand_open(&stand);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        uint16_t port;
        int relay = asked(&stand, &port);
        rig_say(relay, answers[i]);
        uint64_t began = os_monotonic_ms();
        settle(&stand);
        if (os_monotonic_ms() - began > 1900)
            fail_msg("it tries: %s", answers[i]);
        assert_int_equal(close(relay), 0);
    }
    stand_close(&stand);
}

static void test_no_more_than_16_at_once(void **state) {
    (void)state;
    struct stand stand;
    struct link_call call = {.ticket = "TICKET", .user = "alice"};
    stand_open(&stand);
    for (int i = 0; i < 16; i++)
        assert_int_equal(punch_start(stand.punches, &call, &stand.at), 0);
    assert_int_equal(punch_start(stand.punches, &call, &stand.at), SP_EBUSY);
    assert_int_equal(punches_count(stand.punches), 16);
    stand_close(&stand);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_connection_is_made_from_the_same_port),
        cmocka_unit_test(test_it_gives_up_after_two_seconds),
        cmocka_unit_test(test_it_keeps_trying),
        cmocka_unit_test(test_where_it_does_not_go),
        cmocka_unit_test(test_no_more_than_16_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
