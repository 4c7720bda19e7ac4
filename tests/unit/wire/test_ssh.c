#include "ssh_pair.h"

#include <malloc.h>

static void test_login(void **state) {
    struct pair *pair = *state;
    pair_up(pair);
    assert_int_equal(pair->proven, 1);
    assert_string_equal(ssh_conn_peer(pair->there), "192.0.2.1");
    assert_string_equal(ssh_conn_peer(pair->here), "192.0.2.2");
    assert_true(str_starts(ssh_conn_banner(pair->there), "SSH-2.0-"));
    assert_int_equal(ssh_conn_channels(pair->there), 0);
}

static void test_login_refused(void **state) {
    struct pair *pair = *state;
    pair->deny_login = true;
    pair_connect(pair);
    assert_true(pair_wait(pair, pair_is_over, 8000));
    assert_false(pair->ready);
    assert_int_equal(pair->here_rc, SP_EDENIED);
    assert_non_null(strstr(pair->here_reason, keypair_public(pair->key)->fingerprint));
    assert_non_null(strstr(pair->here_reason, "box1"));
}

static void test_wrong_host_key(void **state) {
    struct pair *pair = *state;
    pair->fingerprint = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    pair_connect(pair);
    assert_true(pair_wait(pair, pair_is_over, 8000));
    assert_int_equal(pair->here_rc, SP_ECRYPTO);
    assert_non_null(strstr(pair->here_reason, pair->fingerprint));
    assert_non_null(strstr(pair->here_reason, pair->host_print));
    /* Nothing of ours was shown to the impostor. */
    assert_int_equal(pair->asked + pair->proven, 0);
}

static bool both_listened(struct pair *pair) {
    return pair->listened == 2;
}

static bool was_unforwarded(struct pair *pair) {
    return pair->unforwards == 1;
}

static void test_forwards_are_answered_in_order(void **state) {
    struct pair *pair = *state;
    pair_up(pair);
    assert_int_equal(ssh_client_listen(pair->here, "ssh", 22), 0);
    assert_int_equal(ssh_client_listen(pair->here, "jupyter", 8888), 0);
    assert_true(pair_wait(pair, both_listened, 8000));
    assert_string_equal(pair->listened_bind[0], "ssh");
    assert_string_equal(pair->listened_bind[1], "jupyter");
    assert_int_equal(pair->listened_rc[0], 0);
    assert_int_equal(pair->listened_rc[1], 0);
    assert_int_equal(ssh_client_unlisten(pair->here, "ssh", 22), 0);
    assert_true(pair_wait(pair, was_unforwarded, 8000));
    pair->deny_forward = true;
    pair->listened = 0;
    assert_int_equal(ssh_client_listen(pair->here, "a", 1), 0);
    assert_int_equal(ssh_client_listen(pair->here, "b", 2), 0);
    assert_true(pair_wait(pair, both_listened, 8000));
    assert_int_equal(pair->listened_rc[0], SP_EDENIED);
    assert_int_equal(pair->listened_rc[1], SP_EDENIED);
}

static bool all_passed(struct pair *pair) {
    if (pair->tap_count != pair->server_tap_count)
        return false;
    for (size_t i = 0; i < pair->tap_count; i++) {
        const struct tap *a = &pair->taps[i], *b = &pair->server_taps[i];
        if (a->got < b->to_send || b->got < a->to_send)
            return false;
        if (pair->fill_end && (!a->ended || !b->ended))
            return false;
    }
    return true;
}

static void check_taps(const struct pair *pair) {
    for (size_t i = 0; i < pair->tap_count; i++) {
        assert_false(pair->taps[i].wrong);
        assert_false(pair->server_taps[i].wrong);
    }
}

static void test_8_mib_each_way_at_once(void **state) {
    struct pair *pair = *state;
    pair->fill = 8 << 20;
    pair->fill_end = true;
    pair_up(pair);
    (void)pair_open(pair);
    assert_true(pair_wait(pair, all_passed, 60000));
    check_taps(pair);
    assert_string_equal(pair->bind, "ssh");
    assert_int_equal(pair->taps[0].got, 8 << 20);
    assert_true(pair->taps[0].short_write || pair->server_taps[0].short_write);
}

static bool server_got_end(struct pair *pair) {
    return pair->server_taps[0].ended;
}

static bool client_got_end(struct pair *pair) {
    return pair->tap_count && pair->taps[0].ended;
}

static bool client_got_all(struct pair *pair) {
    return pair->taps[0].got == pair->server_taps[0].to_send && pair->taps[0].ended;
}

static bool server_got_all(struct pair *pair) {
    return pair->server_taps[0].got == pair->taps[0].to_send && pair->server_taps[0].ended;
}

static bool client_has_stream(struct pair *pair) {
    return pair->tap_count == 1 && pair->server_taps[0].opened == 0;
}

static void say(struct tap *tap, uint64_t more, bool end) {
    tap->to_send += more;
    tap->end_after = end;
    tap_push(tap);
}

static void test_half_close(void **state) {
    struct pair *pair = *state;
    pair_up(pair);
    struct tap *server = pair_open(pair), *client = &pair->taps[0];
    assert_true(pair_wait(pair, client_has_stream, 8000));
    say(client, 100, true);
    assert_true(pair_wait(pair, server_got_end, 8000));
    assert_int_equal(server->got, 100);
    assert_false(client->ended);
    assert_false(client->closed);
    say(server, 3 << 20, true);
    assert_true(pair_wait(pair, client_got_all, 20000));
    tap_close(server);
    tap_close(client);

    memset(pair->taps, 0, sizeof pair->taps);
    pair->tap_count = pair->server_tap_count = 0;
    server = pair_open(pair);
    assert_true(pair_wait(pair, client_has_stream, 8000));
    say(server, 100, true);
    assert_true(pair_wait(pair, client_got_end, 8000));
    assert_int_equal(client->got, 100);
    say(client, 3 << 20, true);
    assert_true(pair_wait(pair, server_got_all, 20000));
    assert_false(server->wrong || client->wrong);
}

/* A reader that takes nothing holds up its own stream, within two windows, and nobody else's. */
static void stall(struct pair *pair, struct tap *from, struct tap *to) {
    struct mallinfo2 before = mallinfo2();
    say(from, 64 << 20, true);
    (void)pair_wait(pair, NULL, 700);
    assert_int_equal(to->got, 0);
    struct mallinfo2 after = mallinfo2();
    assert_true(from->sent < 6 << 20);
    assert_true(after.uordblks + after.hblkhd < before.uordblks + before.hblkhd + (16u << 20));
}

static bool last_passed(struct pair *pair) {
    return pair->tap_count == pair->server_tap_count && pair->taps[pair->tap_count - 1].got == 300000;
}

static void pass_one_more(struct pair *pair) {
    pair->fill = 300000;
    (void)pair_open(pair);
    assert_true(pair_wait(pair, last_passed, 10000));
    pair->fill = 0;
}

static void test_a_stalled_reader_is_bounded(void **state) {
    struct pair *pair = *state;
    pair->allowance = 0;
    pair_up(pair);
    struct tap *server = pair_open(pair), *client = &pair->taps[0];
    assert_true(pair_wait(pair, client_has_stream, 8000));
    pair->allowance = UINT64_MAX;
    stall(pair, server, client);
    pass_one_more(pair);
    client->allowance = UINT64_MAX;
    client->stream->ops->resume(client->stream);
    assert_true(pair_wait(pair, client_got_all, 60000));
    stall(pair, client, server);
}

static void test_a_stalled_writer_from_the_client(void **state) {
    struct pair *pair = *state;
    pair->allowance = 0;
    pair_up(pair);
    struct tap *server = pair_open(pair), *client = &pair->taps[0];
    assert_true(pair_wait(pair, client_has_stream, 8000));
    pair->allowance = UINT64_MAX;
    stall(pair, client, server);
    pass_one_more(pair);
    /* A sip at a time must not make the window grow. */
    for (int i = 0; i < 200; i++) {
        server->allowance += 1000;
        server->stream->ops->resume(server->stream);
        (void)pair_wait(pair, NULL, 1);
    }
    assert_int_equal(server->got, 200000);
    assert_true(client->sent < 8 << 20);
    server->allowance = UINT64_MAX;
    server->stream->ops->resume(server->stream);
    assert_true(pair_wait(pair, server_got_all, 60000));
}

static bool all_open(struct pair *pair) {
    size_t open = 0;
    for (size_t i = 0; i < pair->server_tap_count; i++)
        open += pair->server_taps[i].opened == 0;
    return open == pair->server_tap_count;
}

static bool none_left(struct pair *pair) {
    if (!pair->there || !pair->here)
        fail_msg("over: %s / %s", pair->there_reason, pair->here_reason);
    return ssh_conn_channels(pair->there) == 0 && ssh_conn_channels(pair->here) == 0;
}

static void test_many_channels(void **state) {
    struct pair *pair = *state;
    pair->fill = 50000;
    pair->fill_end = true;
    pair_up(pair);
    for (int i = 0; i < 512; i++)
        (void)pair_open(pair);
    struct ssh_chan *unused;
    assert_int_equal(ssh_conn_open_forwarded(pair->there, "ssh", 22, "", 0, tap_opened, NULL, &unused), SP_ETOOBIG);
    assert_true(pair_wait(pair, all_open, 20000));
    assert_true(pair_wait(pair, all_passed, 60000));
    check_taps(pair);
    for (size_t i = 0; i < pair->tap_count; i++) {
        tap_close(&pair->taps[i]);
        tap_close(&pair->server_taps[i]);
    }
    assert_true(pair_wait(pair, none_left, 10000));
    pair->server_tap_count = pair->tap_count = 0;
    (void)pair_open(pair);
    assert_true(pair_wait(pair, all_passed, 10000));
}

static bool both_gone(struct pair *pair) {
    return !pair->taps[0].stream && !pair->server_taps[0].stream && none_left(pair);
}

static void test_channels_come_and_go(void **state) {
    struct pair *pair = *state;
    pair_up(pair);
    for (int i = 0; i < 600; i++) {
        pair->server_tap_count = pair->tap_count = 0;
        struct tap *server = pair_open(pair), *client = &pair->taps[0];
        assert_true(pair_wait(pair, client_has_stream, 8000));
        tap_close(i % 2 ? server : client);
        assert_true(pair_wait(pair, both_gone, 8000));
        assert_true((i % 2 ? client : server)->closed);
    }
}

static bool opened_or_not(struct pair *pair) {
    return pair->server_taps[pair->server_tap_count - 1].opened != 1;
}

static void test_refused_forwarded(void **state) {
    struct pair *pair = *state;
    pair_up(pair);
    struct tap *first = pair_open(pair);
    assert_true(pair_wait(pair, client_has_stream, 8000));
    pair->deny_forwarded = true;
    for (int i = 0; i < 20; i++) {
        struct tap *refused = pair_open(pair);
        assert_true(pair_wait(pair, opened_or_not, 8000));
        (void)pair_wait(pair, NULL, 5);
        assert_true(refused->opened < 0 || refused->closed);
    }
    say(first, 1000, true);
    assert_true(pair_wait(pair, client_got_all, 8000));
    assert_int_equal(ssh_conn_channels(pair->there), 1);
}

static bool session_answered(struct pair *pair) {
    return pair->taps[0].opened != 1;
}

static struct tap *run(struct pair *pair, const char *subsystem, const char *command) {
    struct ssh_chan *unused;
    pair->tap_count = 1;
    struct tap *tap = tap_init(pair, &pair->taps[0]);
    assert_int_equal(ssh_conn_open_session(pair->here, subsystem, command, tap_opened, tap, &unused), 0);
    assert_true(pair_wait(pair, session_answered, 8000));
    return tap;
}

static bool session_over(struct pair *pair) {
    return pair->taps[0].closed;
}

static bool client_took_2_mib(struct pair *pair) {
    return pair->taps[0].got == 2 << 20;
}

static void test_exec_session(void **state) {
    struct pair *pair = *state;
    pair_up(pair);
    struct tap *client = run(pair, NULL, "list --json");
    assert_int_equal(client->opened, 0);
    assert_string_equal(pair->command, "list --json");
    struct tap *server = pair->server_tap;
    say(client, 5000, true);
    assert_true(pair_wait(pair, server_got_end, 8000));
    assert_int_equal(server->got, 5000);
    say(server, 2 << 20, false);
    ssh_chan_complain(server->chan, "a word\n");
    assert_true(pair_wait(pair, client_took_2_mib, 20000));
    ssh_chan_exit(server->chan, 3);
    say(server, 0, true);
    tap_close(server);
    assert_true(pair_wait(pair, session_over, 8000));
    assert_int_equal(client->got, 2 << 20);
    assert_true(client->ended);
    assert_false(client->wrong);
    assert_true(pair_wait(pair, none_left, 8000));
}

static void test_refused_session(void **state) {
    struct pair *pair = *state;
    pair->deny_session = true;
    pair_up(pair);
    assert_int_equal(run(pair, "sallyport", NULL)->opened, SP_EDENIED);
    assert_string_equal(pair->command, "sallyport");
    assert_true(pair_wait(pair, none_left, 8000));
}

static void test_killed_in_the_middle(void **state) {
    struct pair *pair = *state;
    pair->fill = 64 << 20;
    pair_up(pair);
    for (int i = 0; i < 20; i++)
        (void)pair_open(pair);
    assert_true(pair_wait(pair, all_open, 8000));
    struct tap *opening = pair_open(pair);
    assert_int_equal(shutdown(ssh_conn_fd(pair->there), SHUT_RDWR), 0);
    assert_true(pair_wait(pair, pair_is_over, 8000));
    assert_int_equal(opening->opened, SP_ECLOSED);
    for (int i = 0; i < 20; i++) {
        assert_true(pair->taps[i].closed);
        assert_true(pair->server_taps[i].closed);
    }
    assert_true(pair->here_reason[0] && pair->there_reason[0]);
}

/* A listener that keeps its stream after the connection is over may still call everything. */
static void test_streams_outlive_the_connection(void **state) {
    struct pair *pair = *state;
    pair_up(pair);
    struct tap *server = pair_open(pair), *client = &pair->taps[0];
    assert_true(pair_wait(pair, client_has_stream, 8000));
    struct stream *kept = server->stream;
    stream_listen(kept, NULL, NULL);
    server->stream = NULL;
    ssh_conn_close(pair->there, "going");
    assert_true(pair_wait(pair, pair_is_over, 8000));
    assert_true(client->closed);
    assert_int_equal(kept->ops->write(kept, (const uint8_t *)"x", 1), SP_ECLOSED);
    kept->ops->end(kept);
    server->stream = kept;
    stream_listen(kept, &tap_events, server);
    kept->ops->resume(kept);
    assert_false(server->closed);
    (void)pair_wait(pair, NULL, 20);
    assert_true(server->closed);
}

static void test_close_says_why(void **state) {
    struct pair *pair = *state;
    pair_up(pair);
    ssh_conn_close(pair->there, "replaced by a newer connection of this machine");
    ssh_conn_close(pair->there, "twice is once");
    assert_true(pair_wait(pair, pair_is_over, 8000));
    assert_non_null(strstr(pair->here_reason, "replaced by a newer connection of this machine"));
    assert_int_equal(pair->here_rc, SP_ECLOSED);
}

static void test_close_says_why_amid_traffic(void **state) {
    struct pair *pair = *state;
    pair->fill = 64 << 20;
    pair_up(pair);
    (void)pair_open(pair);
    (void)pair_wait(pair, NULL, 100);
    ssh_conn_close(pair->there, "that is enough");
    assert_true(pair_wait(pair, pair_is_over, 8000));
    assert_non_null(strstr(pair->here_reason, "that is enough"));
}

static void test_close_from_inside_events(void **state) {
    struct pair *pair = *state;
    pair_up(pair);
    struct tap *server = pair_open(pair), *client = &pair->taps[0];
    assert_true(pair_wait(pair, client_has_stream, 8000));
    client->close_on_data = true;
    say(server, 1 << 20, false);
    assert_true(pair_wait(pair, both_gone, 8000));
    pair->server_tap_count = pair->tap_count = 0;
    server = pair_open(pair);
    assert_true(pair_wait(pair, client_has_stream, 8000));
    client->hang_up_on_data = true;
    say(server, 1 << 20, false);
    assert_true(pair_wait(pair, pair_is_over, 8000));
    assert_true(client->closed && server->closed);
    assert_non_null(strstr(pair->there_reason, "enough of you"));
}

static void test_close_from_ready(void **state) {
    struct pair *pair = *state;
    pair->hang_up_on_ready = true;
    pair_connect(pair);
    assert_true(pair_wait(pair, pair_is_over, 8000));
}

static void test_close_from_login(void **state) {
    struct pair *pair = *state;
    pair->hang_up_on_login = true;
    pair_connect(pair);
    assert_true(pair_wait(pair, pair_is_over, 8000));
    assert_non_null(strstr(pair->here_reason, "not today"));
}

static bool login_asked(struct pair *pair) {
    return pair->asked + pair->proven > 0;
}

static void test_close_before_login(void **state) {
    struct pair *pair = *state;
    pair_connect(pair);
    ssh_conn_close(pair->here, NULL);
    assert_true(pair_wait(pair, pair_is_over, 8000));
    pair->here_over = false;
    pair_connect(pair);
    (void)pair_wait(pair, login_asked, 5000);
    ssh_conn_close(pair->here, "no");
    assert_true(pair_wait(pair, pair_is_over, 8000));
}

static void test_the_login_has_a_time(void **state) {
    struct pair *pair = *state;
    int fds[2];
    assert_int_equal(os_socket_pair(fds), 0);
    struct ssh_client_config config = {.loop = pair->loop,
                                       .fd = fds[0],
                                       .peer = "192.0.2.2",
                                       .user = "box1",
                                       .key = pair->key,
                                       .host_fingerprint = pair->host_print,
                                       .login_timeout_ms = 100,
                                       .events = &pair_client_events,
                                       .ctx = pair};
    assert_int_equal(ssh_client_new(&config, &pair->here), 0);
    pair->there_over = true;
    assert_true(pair_wait(pair, pair_is_over, 8000));
    assert_int_equal(pair->here_rc, SP_ETIMEOUT);
    assert_int_equal(close(fds[1]), 0);
}

#define PAIR_TEST(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_login),
        PAIR_TEST(test_login_refused),
        PAIR_TEST(test_wrong_host_key),
        PAIR_TEST(test_forwards_are_answered_in_order),
        PAIR_TEST(test_8_mib_each_way_at_once),
        PAIR_TEST(test_half_close),
        PAIR_TEST(test_a_stalled_reader_is_bounded),
        PAIR_TEST(test_a_stalled_writer_from_the_client),
        PAIR_TEST(test_many_channels),
        PAIR_TEST(test_channels_come_and_go),
        PAIR_TEST(test_refused_forwarded),
        PAIR_TEST(test_exec_session),
        PAIR_TEST(test_refused_session),
        PAIR_TEST(test_killed_in_the_middle),
        PAIR_TEST(test_streams_outlive_the_connection),
        PAIR_TEST(test_close_says_why),
        PAIR_TEST(test_close_says_why_amid_traffic),
        PAIR_TEST(test_close_from_inside_events),
        PAIR_TEST(test_close_from_ready),
        PAIR_TEST(test_close_from_login),
        PAIR_TEST(test_close_before_login),
        PAIR_TEST(test_the_login_has_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
