/* Which ways are told, with a router and a network that the test plays. */
#include "reach_rig.h"

static void test_private_addresses_of_routers_are_no_way_in(void **state) {
    (void)state;
    static const char *const useless[] = {"100.64.23.2", "192.168.0.10", "10.9.9.9", "203.0.113.7"};
    aim();
    until_asked(PORTMAP_MAP);
    for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++) {
        struct portmap_result result = mapped(40022);
        (void)snprintf(result.memory.external_address, sizeof result.memory.external_address, "%s", useless[i]);
        answer(&result);
        assert_null(find(CANDIDATE_MAPPED));
        trouble_says(useless[i]);
        reach_network(stand.reach);
        until_asked(PORTMAP_CHECK);
        answer_outcome(PORTMAP_LOST, "");
        until_asked(PORTMAP_MAP);
    }
    struct portmap_result result = mapped(40022);
    result.memory.external_address[0] = '\0'; /* it does not say */
    answer(&result);
    assert_null(find(CANDIDATE_MAPPED));
    reach_observed(stand.reach, "8.8.8.8");
    assert_string_equal(find(CANDIDATE_MAPPED)->address, "8.8.8.8");
}

static void test_refusals(void **state) {
    (void)state;
    aim();
    until_asked(PORTMAP_MAP);
    answer_outcome(PORTMAP_REFUSED, "the router says 606: not allowed");
    trouble_says("606");
    nobody_is_asked();
    reach_network(stand.reach); /* somebody did something */
    until_asked(PORTMAP_MAP);
    answer_outcome(PORTMAP_REFUSED, "");
    trouble_says("refuses");
}

static void test_forwarded_by_hand(void **state) {
    (void)state;
    reach_free(stand.reach);
    stand.config.external_port = 40100;
    start();
    aim();
    reach_observed(stand.reach, "8.8.8.8");
    until_asked(PORTMAP_MAP);
    assert_int_equal(stand.request.wanted_port, 40100);
    assert_null(find(CANDIDATE_MAPPED)); /* a router may answer yet */
    answer_outcome(PORTMAP_REFUSED, "the port is somebody else's");
    assert_null(find(CANDIDATE_MAPPED));
    reach_network(stand.reach);
    until_asked(PORTMAP_MAP);
    answer_outcome(PORTMAP_NO_ROUTER, "");
    const struct candidate *candidate = find(CANDIDATE_MAPPED);
    assert_non_null(candidate);
    assert_string_equal(candidate->address, "8.8.8.8");
    assert_int_equal(candidate->port, 40100);
    assert_string_equal(candidate->by, "hand");
    trouble_says("");
    assert_null(find(CANDIDATE_OBSERVED)); /* that address is not ours */
    reach_free(stand.reach);
    stand.config.mapping = false;
    stand.ctx = NULL;
    start();
    aim();
    nobody_is_asked();
    trouble_says("port_mapping = off");
    reach_observed(stand.reach, "8.8.8.8");
    assert_int_equal(find(CANDIDATE_MAPPED)->port, 40100);
    trouble_says("");
}

static void test_a_machine_without_a_router(void **state) {
    (void)state;
    own_address("9.9.9.9", true);
    aim();
    reach_observed(stand.reach, "::ffff:9.9.9.9");
    const struct candidate *candidate = find(CANDIDATE_OBSERVED);
    assert_non_null(candidate);
    assert_string_equal(candidate->address, "9.9.9.9");
    assert_int_equal(candidate->port, 50000);
    until_asked(PORTMAP_MAP);
    answer_outcome(PORTMAP_NO_ROUTER, "");
    trouble_says("");
    reach_observed(stand.reach, "");
    assert_null(find(CANDIDATE_OBSERVED));
    trouble_says("no router answers");
    reach_observed(stand.reach, "192.168.1.20"); /* ours, but nobody comes from there */
    assert_null(find(CANDIDATE_OBSERVED));
}

static void test_ipv6_and_its_pinhole(void **state) {
    (void)state;
    (void)snprintf(stand.net.address6, sizeof stand.net.address6, "2600::20");
    (void)snprintf(stand.net.gateway6, sizeof stand.net.gateway6, "fe80::1%%eth0");
    own_address("2600::20", true);
    aim();
    const struct candidate *candidate = find(CANDIDATE_IPV6);
    assert_non_null(candidate);
    assert_int_equal(candidate->port, 50000);
    assert_string_equal(candidate->by, "");
    reach_observed(stand.reach, "2600::20");
    assert_null(find(CANDIDATE_OBSERVED)); /* the same way is told once */
    until_asked(PORTMAP_MAP);
    assert_true(stand.request.ipv6);
    struct portmap_result result = mapped(0);
    result.memory.internal_port = 0;
    (void)snprintf(result.memory.pinhole, sizeof result.memory.pinhole, "2600::20");
    (void)snprintf(result.trouble, sizeof result.trouble, "no IPv4 here");
    answer(&result);
    assert_string_equal(find(CANDIDATE_IPV6)->by, "pcp");
    reach_network(stand.reach);
    until_asked(PORTMAP_CHECK); /* a pinhole alone is something, too */
    answer(&result);
    assert_null(find(CANDIDATE_MAPPED));
    trouble_says("no IPv4 here");
    /* Another address wants another pinhole. */
    (void)snprintf(stand.net.address6, sizeof stand.net.address6, "2600::99");
    reach_network(stand.reach);
    assert_string_equal(find(CANDIDATE_IPV6)->address, "2600::99");
    assert_string_equal(find(CANDIDATE_IPV6)->by, "");
    until_asked(PORTMAP_MAP);
    assert_string_equal(stand.request.address6, "2600::99");
}

static void test_what_the_relay_found(void **state) {
    (void)state;
    aim();
    map_port(40022);
    struct link_verify verify = {.count = 2};
    verify.list[0] = *find(CANDIDATE_MAPPED);
    verify.list[0].state = CANDIDATE_FAILED;
    verify.list[0].checked = 1234;
    (void)snprintf(verify.list[0].text, sizeof verify.list[0].text, "nothing arrives");
    verify.list[1] = verify.list[0];
    verify.list[1].port = 1; /* not one of ours: left aside */
    reach_verified(stand.reach, &verify);
    assert_int_equal(find(CANDIDATE_MAPPED)->state, CANDIDATE_FAILED);
    assert_string_equal(find(CANDIDATE_MAPPED)->text, "nothing arrives");
    assert_int_equal(find(CANDIDATE_MAPPED)->checked, 1234);
    until_asked(PORTMAP_CHECK); /* is it there at all? */
    struct portmap_result result = mapped(40022);
    answer(&result);
    assert_int_equal(find(CANDIDATE_MAPPED)->state, CANDIDATE_FAILED); /* kept, for it is the same one */
    reach_verified(stand.reach, &verify);
    nobody_is_asked(); /* no news */
    verify.list[0].state = CANDIDATE_VERIFIED;
    verify.list[0].text[0] = '\0';
    reach_verified(stand.reach, &verify);
    assert_int_equal(find(CANDIDATE_MAPPED)->state, CANDIDATE_VERIFIED);
    nobody_is_asked();
    reach_network(stand.reach);
    until_asked(PORTMAP_CHECK);
    answer_outcome(PORTMAP_LOST, "");
    map_port(40023);
    assert_int_equal(find(CANDIDATE_MAPPED)->state, CANDIDATE_UNCHECKED);
}

static bool door_for_neighbours(void) {
    struct link_reach now;
    reach_fill(stand.reach, &now);
    for (size_t i = 0; i < now.count; i++)
        if (now.list[i].kind == CANDIDATE_LAN && !now.list[i].to_sshd && now.list[i].port == 50000)
            return true;
    return false;
}

static void test_sshd_in_place_of_the_door(void **state) {
    (void)state;
    struct reach_aim aim = {.door_port = 50000, .to_sshd = true, .trouble = "passwords"};
    reach_aim(stand.reach, &aim);
    nobody_is_asked();
    trouble_says("passwords");
    assert_false(find(CANDIDATE_LAN)->to_sshd);
    aim.world_port = 22;
    aim.trouble = "";
    reach_aim(stand.reach, &aim);
    until_asked(PORTMAP_MAP);
    assert_int_equal(stand.request.internal_port, 22);
    struct portmap_result result = mapped(40022);
    answer(&result);
    assert_true(find(CANDIDATE_MAPPED)->to_sshd);
    assert_true(find(CANDIDATE_LAN)->to_sshd);
    assert_int_equal(find(CANDIDATE_LAN)->port, 22);
    assert_true(door_for_neighbours()); /* in case sshd does not listen there */
    /* It moves: the old mapping goes, a new one comes. */
    aim.world_port = 2222;
    reach_aim(stand.reach, &aim);
    until_asked(PORTMAP_UNMAP);
    assert_int_equal(stand.request.internal_port, 22);
    answer_outcome(PORTMAP_OK, "");
    until_asked(PORTMAP_MAP);
    assert_int_equal(stand.request.internal_port, 2222);
    result = mapped(40022);
    answer(&result);
    /* It begins to offer passwords. */
    aim.world_port = 0;
    aim.trouble = "passwords again";
    reach_aim(stand.reach, &aim);
    until_asked(PORTMAP_UNMAP);
    assert_int_equal(stand.request.internal_port, 2222);
    answer_outcome(PORTMAP_OK, "");
    assert_null(find(CANDIDATE_MAPPED));
    assert_false(find(CANDIDATE_LAN)->to_sshd);
    trouble_says("passwords again");
    nobody_is_asked();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        reach_test(test_private_addresses_of_routers_are_no_way_in),
        reach_test(test_refusals),
        reach_test(test_forwarded_by_hand),
        reach_test(test_a_machine_without_a_router),
        reach_test(test_ipv6_and_its_pinhole),
        reach_test(test_what_the_relay_found),
        reach_test(test_sshd_in_place_of_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
