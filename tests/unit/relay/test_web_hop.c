/* Codes for the way to a service's host: each works once, for its time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "web_conn.h"

struct rig {
    struct loop *loop;
    struct web_hops *hops;
};

static int set_up(struct rig *rig, unsigned life_ms) {
    return loop_new(&rig->loop) || web_hops_new(rig->loop, life_ms, &rig->hops);
}

static void tear_down(struct rig *rig) {
    web_hops_free(rig->hops);
    loop_free(rig->loop);
}

static void a_code_works_once(void **state) {
    struct rig rig;
    struct web_hop hop = {.session_id = 0};
    char code[SECRET_TOKEN_LEN + 1];
    (void)state;
    assert_int_equal(set_up(&rig, 30000), 0);
    assert_int_equal(web_hop_make(rig.hops, 7, 3, "jupyter", code), 0);
    assert_int_equal(web_hop_redeem(rig.hops, code, &hop), 0);
    assert_int_equal(hop.session_id, 7);
    assert_int_equal(hop.machine_id, 3);
    assert_string_equal(hop.service, "jupyter");
    assert_int_equal(web_hop_redeem(rig.hops, code, &hop), SP_ENOENT);
    tear_down(&rig);
}

static void a_code_has_its_time(void **state) {
    struct rig rig;
    struct web_hop hop = {.session_id = 0};
    char code[SECRET_TOKEN_LEN + 1];
    (void)state;
    assert_int_equal(set_up(&rig, 0), 0);
    assert_int_equal(web_hop_make(rig.hops, 7, 3, "jupyter", code), 0);
    assert_int_equal(web_hop_redeem(rig.hops, code, &hop), SP_EEXPIRED);
    assert_int_equal(web_hop_redeem(rig.hops, code, &hop), SP_ENOENT);
    assert_int_equal(hop.session_id, 0);
    tear_down(&rig);
}

static void what_is_no_code_is_refused(void **state) {
    static const char *const codes[] = {"", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    struct rig rig;
    struct web_hop hop;
    char code[SECRET_TOKEN_LEN + 1];
    (void)state;
    assert_int_equal(set_up(&rig, 30000), 0);
    assert_int_equal(web_hop_make(rig.hops, 7, 3, "jupyter", code), 0);
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        assert_int_equal(web_hop_redeem(rig.hops, codes[i], &hop), SP_ENOENT);
    tear_down(&rig);
}

static void the_oldest_gives_way(void **state) {
    struct rig rig;
    struct web_hop hop;
    char first[SECRET_TOKEN_LEN + 1], second[SECRET_TOKEN_LEN + 1], code[SECRET_TOKEN_LEN + 1];
    (void)state;
    assert_int_equal(set_up(&rig, 30000), 0);
    assert_int_equal(web_hop_make(rig.hops, 1, 3, "jupyter", first), 0);
    assert_int_equal(web_hop_make(rig.hops, 2, 3, "jupyter", second), 0);
    for (int i = 0; i < WEB_HOPS_MAX - 1; i++)
        assert_int_equal(web_hop_make(rig.hops, 3 + i / WEB_HOPS_EACH, 3, "jupyter", code), 0);
    assert_int_equal(web_hop_redeem(rig.hops, first, &hop), SP_ENOENT);
    assert_int_equal(web_hop_redeem(rig.hops, second, &hop), 0);
    assert_int_equal(hop.session_id, 2);
    tear_down(&rig);
}

static void who_asks_for_many_uses_up_his_own(void **state) {
    struct rig rig;
    struct web_hop hop;
    char first[SECRET_TOKEN_LEN + 1], code[SECRET_TOKEN_LEN + 1];
    (void)state;
    assert_int_equal(set_up(&rig, 30000), 0);
    assert_int_equal(web_hop_make(rig.hops, 1, 3, "jupyter", first), 0);
    for (int i = 0; i < WEB_HOPS_MAX; i++)
        assert_int_equal(web_hop_make(rig.hops, 2, 3, "jupyter", code), 0);
    assert_int_equal(web_hop_redeem(rig.hops, first, &hop), 0);
    assert_int_equal(hop.session_id, 1);
    assert_int_equal(web_hop_redeem(rig.hops, code, &hop), 0);
    assert_int_equal(hop.session_id, 2);
    tear_down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_works_once),
        cmocka_unit_test(a_code_has_its_time),
        cmocka_unit_test(what_is_no_code_is_refused),
        cmocka_unit_test(the_oldest_gives_way),
        cmocka_unit_test(who_asks_for_many_uses_up_his_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
