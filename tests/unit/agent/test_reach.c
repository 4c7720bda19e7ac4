/* The life of a mapping, with a router and a network that the test plays. */
#include "reach_rig.h"

static void test_a_port_is_mapped_and_told(void **state) {
    (void)state;
    nobody_is_asked(); /* before it is known where to */
    aim();
    assert_null(find(CANDIDATE_MAPPED));
    until_asked(PORTMAP_MAP);
    assert_int_equal(stand.request.internal_port, 50000);
    assert_int_equal(stand.request.wanted_port, 0);
    assert_int_equal(stand.request.lease_s, 3600);
    assert_string_equal(stand.request.gateway4, "192.168.1.1");
    struct portmap_result result = mapped(40022);
    answer(&result);
    const struct candidate *candidate = find(CANDIDATE_MAPPED);
    assert_non_null(candidate);
    assert_string_equal(candidate->address, "8.8.4.4");
    assert_int_equal(candidate->port, 40022);
    assert_string_equal(candidate->by, "pcp");
    assert_false(candidate->to_sshd);
    candidate = find(CANDIDATE_LAN);
    assert_string_equal(candidate->address, "192.168.1.20");
    assert_int_equal(candidate->port, 50000);
    trouble_says("");
    while (stand.changes < 2)
        turn(10);
    struct link_reach message = {.can_fetch = true};
    reach_fill(stand.reach, &message);
    assert_int_equal(message.count, 2);
    assert_true(message.can_fetch);
    struct reach_view view;
    reach_look(stand.reach, &view);
    assert_string_equal(view.router, "Box");
    assert_in_range(view.lease_until, os_realtime_s() + 3590, os_realtime_s() + 3601);
    turn(1200);
    assert_int_equal(stand.changes, 2); /* nothing new */
}

static void test_what_was_known_is_used_at_the_next_start(void **state) {
    (void)state;
    aim();
    map_port(40022);
    assert_int_equal(reach_door_port(stand.reach), 50000);
    reach_free(stand.reach);
    start();
    assert_int_equal(reach_door_port(stand.reach), 50000);
    aim();
    until_asked(PORTMAP_MAP);
    assert_int_equal(stand.request.wanted_port, 40022);
    assert_int_equal(stand.request.memory.external_port, 40022);
    assert_string_equal(stand.request.memory.gateway, "192.168.1.1");
    assert_null(find(CANDIDATE_MAPPED)); /* it may be gone */
    reach_free(stand.reach);
    /* Elsewhere that router is nobody's business. */
    elsewhere();
    start();
    aim();
    until_asked(PORTMAP_MAP);
    assert_string_equal(stand.request.gateway4, "10.0.0.1");
    assert_string_equal(stand.request.memory.gateway, "");
    assert_int_equal(stand.request.memory.external_port, 0);
    assert_int_equal(stand.request.wanted_port, 40022);
}

static void test_a_mapping_that_was_left_over_is_taken_away(void **state) {
    (void)state;
    aim();
    map_port(40022);
    reach_free(stand.reach); /* no clean end */
    stand.config.mapping = false;
    start();
    aim();
    until_asked(PORTMAP_UNMAP);
    assert_int_equal(stand.request.internal_port, 50000);
    struct portmap_result result = {.outcome = PORTMAP_OK};
    answer(&result);
    nobody_is_asked();
    reach_free(stand.reach);
    start();
    aim();
    nobody_is_asked(); /* once is enough */
}

static void test_a_lost_mapping_is_made_anew(void **state) {
    (void)state;
    aim();
    map_port(40022);
    reach_network(stand.reach); /* nothing has changed: a look is enough */
    until_asked(PORTMAP_CHECK);
    assert_non_null(find(CANDIDATE_MAPPED));
    answer_outcome(PORTMAP_LOST, "");
    assert_null(find(CANDIDATE_MAPPED));
    map_port(40023);
    assert_int_equal(find(CANDIDATE_MAPPED)->port, 40023);
    reach_network(stand.reach);
    until_asked(PORTMAP_CHECK);
    reach_network(stand.reach); /* while it runs: once more after it, and not only when it is time again */
    struct portmap_result result = mapped(40023);
    answer(&result);
    uint64_t began = os_monotonic_ms();
    until_asked(PORTMAP_CHECK);
    assert_true(os_monotonic_ms() - began < 15000);
}

static void test_the_20_seconds_look(void **state) {
    (void)state;
    aim();
    uint64_t began = os_monotonic_ms();
    map_port(40022);
    until_asked(PORTMAP_CHECK);
    assert_true(os_monotonic_ms() - began >= 19000);
    /* One answer that got lost takes nothing away; two do. */
    answer_outcome(PORTMAP_NO_ROUTER, "");
    assert_non_null(find(CANDIDATE_MAPPED));
    until_asked(PORTMAP_CHECK);
    answer_outcome(PORTMAP_BROKEN, "");
    assert_null(find(CANDIDATE_MAPPED));
    trouble_says("makes no sense");
    map_port(40022); /* soon: it had been there */
    assert_non_null(find(CANDIDATE_MAPPED));
    assert_true(os_monotonic_ms() - began < 60000);
}

static void test_a_short_lease_is_renewed_at_half(void **state) {
    (void)state;
    aim();
    until_asked(PORTMAP_MAP);
    struct portmap_result result = mapped(40022);
    result.lease_s = 1;
    answer(&result);
    turn(600);
    reach_network(stand.reach);
    until_asked(PORTMAP_MAP);
    result.lease_s = 0; /* without an end */
    answer(&result);
    reach_network(stand.reach);
    until_asked(PORTMAP_CHECK);
}

static void test_another_network_forgets_the_old_one_at_once(void **state) {
    (void)state;
    aim();
    map_port(40022);
    reach_network(stand.reach);
    until_asked(PORTMAP_CHECK);
    elsewhere();
    reach_network(stand.reach);
    assert_int_equal(stand.cancelled, 1);
    assert_null(find(CANDIDATE_MAPPED));
    assert_string_equal(find(CANDIDATE_LAN)->address, "10.0.0.77");
    until_asked(PORTMAP_MAP);
    assert_string_equal(stand.request.gateway4, "10.0.0.1");
    assert_string_equal(stand.request.memory.gateway, "");
    answer_outcome(PORTMAP_NO_ROUTER, "");
    trouble_says("no router answers");
    /* No network at all: nobody to ask. */
    memset(&stand.net, 0, sizeof stand.net);
    memset(&stand.own, 0, sizeof stand.own);
    reach_network(stand.reach);
    trouble_says("no default route");
    nobody_is_asked();
    at_home();
    reach_network(stand.reach);
    map_port(40022);
    assert_non_null(find(CANDIDATE_MAPPED));
    /* The same router, but the mapping leads to an address that is not ours any more. */
    stand.own.count = 0;
    own_address("192.168.1.55", true);
    reach_network(stand.reach);
    assert_null(find(CANDIDATE_MAPPED));
    map_port(40022);
    /* Another router, though the address is the same. */
    stand.own.count = 0;
    own_address("192.168.1.20", true);
    (void)snprintf(stand.net.gateway4, sizeof stand.net.gateway4, "192.168.1.254");
    reach_network(stand.reach);
    assert_null(find(CANDIDATE_MAPPED));
    until_asked(PORTMAP_MAP);
}

static void test_a_network_that_looks_the_same(void **state) {
    (void)state;
    aim();
    map_port(40022);
    reach_network(stand.reach);
    until_asked(PORTMAP_CHECK);
    answer_outcome(PORTMAP_NO_ROUTER, "");
    assert_null(find(CANDIDATE_MAPPED)); /* after a change once is enough */
}

static void test_news_come_a_second_apart(void **state) {
    (void)state;
    aim();
    while (stand.changes < 1)
        turn(10);
    uint64_t first = stand.changed_at;
    for (int i = 0; i < 20; i++) {
        reach_observed(stand.reach, i % 2 ? "8.8.8.8" : "8.8.8.4");
        stand.own.count = 2;
        own_address(i % 2 ? "192.168.1.30" : "192.168.1.31", true);
        reach_network(stand.reach);
    }
    while (stand.changes < 2)
        turn(10);
    assert_true(stand.changed_at - first >= 1000);
}

static void router_answers_leave(void *ctx) {
    (void)ctx;
    assert_int_equal(stand.request.op, PORTMAP_UNMAP);
    answer_outcome(PORTMAP_OK, "");
}

static void test_leaving(void **state) {
    (void)state;
    struct loop_timer later;
    loop_timer_init(stand.loop, &later, router_answers_leave, NULL);
    reach_leave(stand.reach); /* nothing to take away */
    assert_int_equal(stand.asked, 0);
    reach_free(stand.reach);
    start();
    aim();
    map_port(40022);
    reach_network(stand.reach);
    until_asked(PORTMAP_CHECK); /* which is given up for it */
    assert_int_equal(loop_timer_set(&later, 50), 0);
    uint64_t began = os_monotonic_ms();
    reach_leave(stand.reach);
    assert_true(os_monotonic_ms() - began < 1900);
    assert_null(find(CANDIDATE_MAPPED));
    assert_null(stand.ctx);
    reach_free(stand.reach);
    start();
    aim();
    map_port(40022);
    began = os_monotonic_ms();
    reach_leave(stand.reach); /* a router that does not answer holds nobody up */
    assert_in_range(os_monotonic_ms() - began, 1900, PATIENCE_MS);
    loop_timer_stop(&later);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        reach_test(test_a_port_is_mapped_and_told),
        reach_test(test_what_was_known_is_used_at_the_next_start),
        reach_test(test_a_mapping_that_was_left_over_is_taken_away),
        reach_test(test_a_lost_mapping_is_made_anew),
        reach_test(test_the_20_seconds_look),
        reach_test(test_a_short_lease_is_renewed_at_half),
        reach_test(test_another_network_forgets_the_old_one_at_once),
        reach_test(test_a_network_that_looks_the_same),
        reach_test(test_news_come_a_second_apart),
        reach_test(test_leaving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
