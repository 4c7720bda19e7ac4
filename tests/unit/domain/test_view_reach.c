/* The ways past the relay, as people and programs see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/domain/view.h"

#define NOW INT64_C(1795428000) /* 2026-11-23T10:00:00Z */

struct fixture {
    struct candidate list[CANDIDATES_MAX];
    struct machine_view view;
    struct buf out;
};

static char *const host_keys[] = {(char[]){"ssh-ed25519 AAAA root@box1"}, (char[]){"ssh-rsa \xff"}};

static void add(struct fixture *f, enum candidate_kind kind, const char *address, enum candidate_state state,
                const char *text) {
    struct candidate *candidate = &f->list[f->view.reach.count++];
    *candidate = (struct candidate){.kind = kind, .port = 40022, .state = state};
    if (state != CANDIDATE_UNCHECKED)
        candidate->checked = NOW - 200;
    (void)snprintf(candidate->address, sizeof(candidate->address), "%s", address);
    (void)snprintf(candidate->text, sizeof(candidate->text), "%s", text);
}

static int set_up(void **state) {
    static struct fixture fixture;
    static const struct machine machine = {1, "box1", 100, NOW - 60};
    struct fixture *f = &fixture;
    *f = (struct fixture){.view.name = NULL};
    view_init(&f->view, &machine);
    f->view.online = true;
    f->view.route = ROUTE_RELAYED;
    f->view.has_reach = true;
    f->view.reach = (struct view_reach){.candidates = f->list, .can_fetch = true};
    buf_init(&f->out);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    buf_fini(&f->out);
    return 0;
}

static const char *detail_of(struct fixture *f) {
    buf_fini(&f->out);
    assert_int_equal(view_detail(&f->view, &f->out, NOW), 0);
    return buf_string(&f->out);
}

static void assert_json(struct fixture *f, const char *wanted) {
    buf_fini(&f->out);
    assert_int_equal(view_json(&f->view, &f->out), 0);
    json_t *got = json_loads(buf_string(&f->out), 0, NULL), *want = json_loads(wanted, 0, NULL);
    assert_non_null(want);
    if (!json_equal(got, want))
        fail_msg("%s", buf_string(&f->out));
    json_decref(got);
    json_decref(want);
}

static void test_proved(void **state) {
    struct fixture *f = *state;
    add(f, CANDIDATE_LAN, "192.168.1.20", CANDIDATE_UNCHECKED, "");
    add(f, CANDIDATE_IPV6, "2001:db8::20", CANDIDATE_VERIFIED, "");
    add(f, CANDIDATE_MAPPED, "203.0.113.7", CANDIDATE_VERIFIED, "");
    f->list[1].to_sshd = true;
    (void)snprintf(f->list[2].by, sizeof(f->list[2].by), "nat-pmp");
    f->view.reach.trouble = "the router is slow"; /* of no interest any more */
    assert_int_equal(view_route(&f->view), ROUTE_DIRECT);
    assert_ptr_equal(view_reach_proved(&f->view.reach), &f->list[2]);
    assert_string_equal(view_reach_reason(&f->view.reach), "");
    assert_string_equal(detail_of(f),
                        "box1 is online for 1 min, since 2026-11-23T09:59:00Z, direct\n"
                        "\n"
                        "  Direct way: yes, 203.0.113.7 port 40022 (mapped by NAT-PMP, proved 3 min ago)\n"
                        "  ADDRESS       PORT   WHAT               STATE   CHECKED    WHY\n"
                        "  192.168.1.20  40022  own network        -       -          -\n"
                        "  2001:db8::20  40022  IPv6, sshd itself  proved  3 min ago  -\n"
                        "  203.0.113.7   40022  mapped by NAT-PMP  proved  3 min ago  -\n");
    assert_json(f, "{\"name\":\"box1\",\"online\":true,\"since\":\"2026-11-23T09:59:00Z\",\"route\":\"direct\","
                   "\"services\":[],\"reach\":{\"direct\":true,\"fetch\":true,\"candidates\":["
                   "{\"kind\":\"lan\",\"address\":\"192.168.1.20\",\"port\":40022,\"to\":\"door\","
                   "\"state\":\"unchecked\"},"
                   "{\"kind\":\"ipv6\",\"address\":\"2001:db8::20\",\"port\":40022,\"to\":\"sshd\","
                   "\"state\":\"verified\",\"checked\":\"2026-11-23T09:56:40Z\"},"
                   "{\"kind\":\"mapped\",\"address\":\"203.0.113.7\",\"port\":40022,\"by\":\"nat-pmp\",\"to\":\"door\","
                   "\"state\":\"verified\",\"checked\":\"2026-11-23T09:56:40Z\"}]}}");
    assert_int_equal(view_table(&f->view, 1, &f->out, NOW), 0);
    assert_non_null(strstr(buf_string(&f->out), "  direct  "));
}

/* An address at home may be called verified by whoever fills the list in wrongly: it is no direct way all the same. */
static void test_home_is_no_direct_way(void **state) {
    struct fixture *f = *state;
    add(f, CANDIDATE_LAN, "192.168.1.20", CANDIDATE_VERIFIED, "");
    assert_int_equal(view_route(&f->view), ROUTE_RELAYED);
    assert_null(view_reach_proved(&f->view.reach));
}

static void test_reasons(void **state) {
    struct fixture *f = *state;
    const struct view_reach *reach = &f->view.reach;
    assert_string_equal(view_reach_reason(reach), "its agent offers none");
    add(f, CANDIDATE_LAN, "192.168.1.20", CANDIDATE_UNCHECKED, "");
    assert_string_equal(view_reach_reason(reach), "its agent offers none");
    add(f, CANDIDATE_IPV6, "2001:db8::20", CANDIDATE_FAILED, "");
    assert_string_equal(view_reach_reason(reach), "the relay does not get through to it");
    f->list[1].state = CANDIDATE_UNCHECKED;
    assert_string_equal(view_reach_reason(reach), "the relay has not proved one yet");
    f->list[1].state = CANDIDATE_FAILED;
    (void)snprintf(f->list[1].text, sizeof(f->list[1].text), "a firewall");
    assert_string_equal(view_reach_reason(reach), "a firewall");
    f->view.reach.trouble = "no router answers";
    assert_string_equal(view_reach_reason(reach), "no router answers");
    add(f, CANDIDATE_OBSERVED, "198.51.100.7", CANDIDATE_FAILED, "it refuses");
    assert_string_equal(view_reach_reason(reach), "it refuses");
    add(f, CANDIDATE_MAPPED, "203.0.113.7", CANDIDATE_FAILED, "the ISP blocks inbound");
    assert_string_equal(view_reach_reason(reach), "the ISP blocks inbound");
    f->list[1].state = CANDIDATE_VERIFIED;
    assert_string_equal(view_reach_reason(reach), "");
}

static void test_none(void **state) {
    struct fixture *f = *state;
    assert_string_equal(detail_of(f), "box1 is online for 1 min, since 2026-11-23T09:59:00Z, relayed\n"
                                      "\n"
                                      "  Direct way: none: its agent offers none. Streams go through the relay.\n");
    add(f, CANDIDATE_MAPPED, "100.64.23.2", CANDIDATE_FAILED, "carrier NAT");
    f->view.reach.can_fetch = false;
    assert_string_equal(detail_of(f), "box1 is online for 1 min, since 2026-11-23T09:59:00Z, relayed\n"
                                      "\n"
                                      "  Direct way: none: carrier NAT. Streams go through the relay's SSH tunnel.\n"
                                      "  ADDRESS      PORT   WHAT    STATE   CHECKED    WHY\n"
                                      "  100.64.23.2  40022  mapped  failed  3 min ago  carrier NAT\n");
    assert_json(f, "{\"name\":\"box1\",\"online\":true,\"since\":\"2026-11-23T09:59:00Z\",\"route\":\"relayed\","
                   "\"services\":[],\"reach\":{\"direct\":false,\"fetch\":false,\"reason\":\"carrier NAT\","
                   "\"candidates\":[{\"kind\":\"mapped\",\"address\":\"100.64.23.2\",\"port\":40022,\"to\":\"door\","
                   "\"state\":\"failed\",\"checked\":\"2026-11-23T09:56:40Z\",\"text\":\"carrier NAT\"}]}}");
}

static void test_clock(void **state) {
    struct fixture *f = *state;
    f->view.has_reach = false;
    f->view.has_clock = true;
    static const struct {
        int64_t offset;
        const char *said;
    } rows[] = {
        {0, NULL},
        {60, NULL},
        {-60, NULL},
        {61, "\n  clock     wrong: 1 min ahead of the relay's\n"},
        {3600, "\n  clock     wrong: 1 h ahead of the relay's\n"},
        {-90000, "\n  clock     wrong: 1 d 1 h behind the relay's\n"},
        {INT64_MIN, "behind the relay's\n"},
        {INT64_MAX, "ahead of the relay's\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        f->view.clock_offset_s = rows[i].offset;
        const char *text = detail_of(f);
        if (rows[i].said)
            assert_non_null(strstr(text, rows[i].said));
        else
            assert_null(strstr(text, "clock"));
    }
    f->view.clock_offset_s = -3;
    assert_json(f, "{\"name\":\"box1\",\"online\":true,\"since\":\"2026-11-23T09:59:00Z\",\"route\":\"relayed\","
                   "\"services\":[],\"clock_offset_s\":-3}");
    f->view.has_clock = false;
    f->view.clock_offset_s = 3600;
    assert_null(strstr(detail_of(f), "clock"));
}

/* The addresses of a home are for those who may use ssh there, and nothing of it is left in what others see. */
static void test_not_for_everybody(void **state) {
    struct fixture *f = *state;
    static const struct service services[] = {
        {.name = "jupyter", .kind = SERVICE_HTTP, .port = 8888, .up = true},
    };
    struct grant grants[] = {{1, "jupyter"}};
    struct policy_subject viewer = {.kind = SUBJECT_USER, .grants = grants, .grant_count = 1};
    const char *const less = "{\"name\":\"box1\",\"online\":true,\"since\":\"2026-11-23T09:59:00Z\","
                             "\"route\":\"relayed\",\"services\":[{\"name\":\"jupyter\",\"kind\":\"http\","
                             "\"port\":8888,\"state\":\"up\"}]}";
    add(f, CANDIDATE_MAPPED, "203.0.113.7", CANDIDATE_VERIFIED, "");
    f->view.services = services;
    f->view.service_count = 1;
    f->view.host_keys = host_keys;
    f->view.host_key_count = 2;
    assert_true(view_narrow(&f->view, &viewer));
    assert_true(f->view.home_hidden);
    assert_int_equal(f->view.hidden, 0);
    assert_json(f, less);
    assert_null(strstr(detail_of(f), "203"));
    assert_null(strstr(detail_of(f), "direct"));
    (void)snprintf(grants[0].service, sizeof(grants[0].service), "ssh");
    assert_true(view_narrow(&f->view, &viewer));
    assert_int_equal(f->view.hidden, 1);
    assert_non_null(strstr(detail_of(f), "203.0.113.7"));
    /* A key that is no text is left out. */
    assert_json(f, "{\"name\":\"box1\",\"online\":true,\"since\":\"2026-11-23T09:59:00Z\",\"route\":\"direct\","
                   "\"services\":[],\"reach\":{\"direct\":true,\"fetch\":true,\"candidates\":["
                   "{\"kind\":\"mapped\",\"address\":\"203.0.113.7\",\"port\":40022,\"to\":\"door\","
                   "\"state\":\"verified\",\"checked\":\"2026-11-23T09:56:40Z\"}]},"
                   "\"ssh_host_keys\":[\"ssh-ed25519 AAAA root@box1\"]}");
}

static void test_offline_says_nothing(void **state) {
    struct fixture *f = *state;
    add(f, CANDIDATE_MAPPED, "203.0.113.7", CANDIDATE_VERIFIED, "");
    f->view.online = false;
    f->view.route = ROUTE_NONE;
    f->view.has_clock = true;
    f->view.clock_offset_s = 3600;
    assert_json(f, "{\"name\":\"box1\",\"online\":false,\"since\":\"2026-11-23T09:59:00Z\",\"services\":[]}");
    assert_string_equal(detail_of(f), "box1 is offline for 1 min, since 2026-11-23T09:59:00Z\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_proved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_home_is_no_direct_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reasons, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_for_everybody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_offline_says_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
