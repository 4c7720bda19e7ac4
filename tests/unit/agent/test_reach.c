/* With a router, and a network, that the test plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reach.h"
#include "reach_memory.h"
#include "sallyport/base/os.h"

enum { PATIENCE_MS = 30000 };

/* The one thing that the calls of struct reach_calls can find: they have no context for us but the loop's. */
static struct stand {
    struct loop *loop;
    struct loop_timer stop;
    char state[64];
    struct reach_config config;
    struct reach *reach;
    struct portmap_request net; /* what the kernel says */
    struct own_addresses own;
    unsigned asked, cancelled, changes;
    struct portmap_request request; /* the last one */
    void (*done)(void *ctx, const struct portmap_result *result);
    void *ctx; /* NULL: none is running */
} stand;

static int fake_start(struct loop *loop, const struct portmap_request *request, uint64_t deadline_ms,
                      void (*done)(void *ctx, const struct portmap_result *result), void *ctx, struct portmap **out) {
    assert_ptr_equal(loop, stand.loop);
    assert_in_range(deadline_ms, 1000, 20000);
    assert_null(stand.ctx); /* one at a time */
    stand.asked++;
    stand.request = *request;
    stand.done = done;
    stand.ctx = ctx;
    *out = (struct portmap *)(void *)&stand;
    return 0;
}

static void fake_cancel(struct portmap *portmap) {
    assert_ptr_equal(portmap, &stand);
    assert_non_null(stand.ctx);
    stand.cancelled++;
    stand.ctx = NULL;
}

static void fake_find(struct portmap_request *request) {
    memcpy(request->gateway4, stand.net.gateway4, sizeof request->gateway4);
    memcpy(request->gateway6, stand.net.gateway6, sizeof request->gateway6);
    memcpy(request->address6, stand.net.address6, sizeof request->address6);
}

static int fake_own(struct own_addresses *out) {
    *out = stand.own;
    return 0;
}

static const struct reach_calls fake_calls = {
    .start = fake_start, .cancel = fake_cancel, .find_gateways = fake_find, .own_addresses = fake_own};

static void stand_stop(void *ctx) {
    (void)ctx;
    loop_stop(stand.loop);
}

static void stand_changed(void *ctx) {
    (void)ctx;
    stand.changes++;
}

static void turn(uint64_t ms) {
    assert_int_equal(loop_timer_set(&stand.stop, ms), 0);
    assert_int_equal(loop_run(stand.loop), 0);
}

/* Turns until the router is asked once more. */
static void until_asked(enum portmap_op op) {
    unsigned before = stand.asked;
    uint64_t give_up = os_monotonic_ms() + PATIENCE_MS;
    while (!stand.ctx && os_monotonic_ms() < give_up)
        turn(10);
    if (!stand.ctx)
        fail_msg("the router was not asked again (%u times so far)", before);
    assert_int_equal(stand.request.op, op);
}

static void nobody_is_asked(void) {
    turn(300);
    assert_null(stand.ctx);
}

static void answer(const struct portmap_result *result) {
    void *ctx = stand.ctx;
    assert_non_null(ctx);
    stand.ctx = NULL;
    stand.done(ctx, result);
}

static struct portmap_result mapped(uint16_t port) {
    struct portmap_result result = {.outcome = PORTMAP_OK, .lease_s = 3600, .router = "Box"};
    result.memory = stand.request.memory;
    result.memory.protocol = PORTMAP_BY_PCP;
    result.memory.internal_port = stand.request.internal_port;
    result.memory.external_port = port;
    (void)snprintf(result.memory.gateway, sizeof result.memory.gateway, "192.168.1.1");
    (void)snprintf(result.memory.internal_address, sizeof result.memory.internal_address, "192.168.1.20");
    (void)snprintf(result.memory.external_address, sizeof result.memory.external_address, "8.8.4.4");
    return result;
}

static void answer_outcome(enum portmap_outcome outcome, const char *trouble) {
    struct portmap_result result = {.outcome = outcome, .memory = stand.request.memory};
    (void)snprintf(result.trouble, sizeof result.trouble, "%s", trouble);
    answer(&result);
}

static void own_address(const char *text, bool lan) {
    struct own_address *own = &stand.own.list[stand.own.count++];
    (void)snprintf(own->text, sizeof own->text, "%s", text);
    own->lan = lan;
}

static void at_home(void) {
    memset(&stand.net, 0, sizeof stand.net);
    memset(&stand.own, 0, sizeof stand.own);
    (void)snprintf(stand.net.gateway4, sizeof stand.net.gateway4, "192.168.1.1");
    own_address("192.168.1.20", true);
    own_address("172.17.0.1", false);
}

static void elsewhere(void) {
    memset(&stand.net, 0, sizeof stand.net);
    memset(&stand.own, 0, sizeof stand.own);
    (void)snprintf(stand.net.gateway4, sizeof stand.net.gateway4, "10.0.0.1");
    own_address("10.0.0.77", true);
}

static void start(void) {
    assert_int_equal(reach_new(&stand.config, &stand.reach), 0);
}

static int open_stand(void **state) {
    (void)state;
    memset(&stand, 0, sizeof stand);
    (void)snprintf(stand.state, sizeof stand.state, "/tmp/sallyport-reach-XXXXXX");
    assert_non_null(mkdtemp(stand.state));
    assert_int_equal(loop_new(&stand.loop), 0);
    loop_timer_init(stand.loop, &stand.stop, stand_stop, NULL);
    stand.config = (struct reach_config){.loop = stand.loop,
                                         .state = stand.state,
                                         .boot_id = "boot",
                                         .calls = &fake_calls,
                                         .mapping = true,
                                         .changed = stand_changed};
    at_home();
    start();
    return 0;
}

static int close_stand(void **state) {
    char path[96];
    (void)state;
    reach_free(stand.reach);
    loop_timer_stop(&stand.stop);
    loop_free(stand.loop);
    (void)snprintf(path, sizeof path, "%s/reach.json", stand.state);
    (void)unlink(path);
    assert_int_equal(rmdir(stand.state), 0);
    return 0;
}

static void aim(void) {
    struct reach_aim aim = {.door_port = 50000, .world_port = 50000};
    reach_aim(stand.reach, &aim);
}

static const struct candidate *find(enum candidate_kind kind) {
    struct reach_view view;
    reach_look(stand.reach, &view);
    for (size_t i = 0; i < view.count; i++)
        if (view.list[i].kind == kind)
            return &view.list[i];
    return NULL;
}

static void trouble_says(const char *text) {
    struct reach_view view;
    reach_look(stand.reach, &view);
    if (text[0] ? !strstr(view.trouble, text) : view.trouble[0] != '\0')
        fail_msg("trouble: '%s', not '%s'", view.trouble, text);
}

static void map_port(uint16_t port) {
    until_asked(PORTMAP_MAP);
    struct portmap_result result = mapped(port);
    answer(&result);
}

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
    reach_network(stand.reach); /* while it runs: once more after it */
    struct portmap_result result = mapped(40023);
    answer(&result);
    until_asked(PORTMAP_CHECK);
}

static void test_the_20_seconds_look(void **state) {
    (void)state;
    aim();
    map_port(40022);
    uint64_t began = os_monotonic_ms();
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
    (void)snprintf(result.memory.pinhole, sizeof result.memory.pinhole, "2600::20");
    (void)snprintf(result.trouble, sizeof result.trouble, "no IPv4 here");
    answer(&result);
    assert_string_equal(find(CANDIDATE_IPV6)->by, "pcp");
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

static void test_sshd_in_place_of_the_door(void **state) {
    (void)state;
    struct reach_aim aim = {.door_port = 50000, .to_sshd = true, .trouble = "passwords"};
    reach_aim(stand.reach, &aim);
    nobody_is_asked();
    trouble_says("passwords");
    aim.world_port = 22;
    aim.trouble = "";
    reach_aim(stand.reach, &aim);
    until_asked(PORTMAP_MAP);
    assert_int_equal(stand.request.internal_port, 22);
    struct portmap_result result = mapped(40022);
    answer(&result);
    assert_true(find(CANDIDATE_MAPPED)->to_sshd);
    assert_false(find(CANDIDATE_LAN)->to_sshd); /* the neighbours come to the door */
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
    trouble_says("passwords again");
    nobody_is_asked();
}

static void test_news_come_a_second_apart(void **state) {
    (void)state;
    aim();
    while (stand.changes < 1)
        turn(10);
    uint64_t began = os_monotonic_ms();
    for (int i = 0; i < 20; i++) {
        reach_observed(stand.reach, i % 2 ? "8.8.8.8" : "8.8.8.4");
        stand.own.count = 2;
        own_address(i % 2 ? "192.168.1.30" : "192.168.1.31", true);
        reach_network(stand.reach);
    }
    while (stand.changes < 2)
        turn(10);
    assert_true(os_monotonic_ms() - began >= 900);
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

#define reach_test(test) cmocka_unit_test_setup_teardown(test, open_stand, close_stand)

int main(void) {
    const struct CMUnitTest tests[] = {
        reach_test(test_a_port_is_mapped_and_told),
        reach_test(test_what_was_known_is_used_at_the_next_start),
        reach_test(test_a_lost_mapping_is_made_anew),
        reach_test(test_the_20_seconds_look),
        reach_test(test_a_short_lease_is_renewed_at_half),
        reach_test(test_another_network_forgets_the_old_one_at_once),
        reach_test(test_a_network_that_looks_the_same),
        reach_test(test_private_addresses_of_routers_are_no_way_in),
        reach_test(test_refusals),
        reach_test(test_forwarded_by_hand),
        reach_test(test_a_machine_without_a_router),
        reach_test(test_ipv6_and_its_pinhole),
        reach_test(test_what_the_relay_found),
        reach_test(test_sshd_in_place_of_the_door),
        reach_test(test_news_come_a_second_apart),
        reach_test(test_leaving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
