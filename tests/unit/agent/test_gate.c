#include "door_rig.h"

struct spoiled {
    const char *how;
    void (*spoil)(struct rig *rig, struct ticket *ticket);
    int rc;
    const char *says; /* "": nothing */
};

static void no_change(struct rig *rig, struct ticket *ticket) {
    (void)rig;
    (void)ticket;
}

static void other_machine(struct rig *rig, struct ticket *ticket) {
    (void)rig;
    ticket->machine[31] ^= 1;
}

static void other_kind(struct rig *rig, struct ticket *ticket) {
    (void)rig;
    ticket->kind = TICKET_SERVE;
}

static void expired(struct rig *rig, struct ticket *ticket) {
    ticket->expires = rig_now(rig) - 1;
}

static void too_long(struct rig *rig, struct ticket *ticket) {
    ticket->expires = rig_now(rig) + 3600;
}

static void by_this_machines_clock(struct rig *rig, struct ticket *ticket) {
    (void)rig;
    ticket->expires = os_realtime_s() + TICKET_LIFE_S;
}

static const struct spoiled spoiled[] = {
    {"good", no_change, 0, ""},
    {"for another machine", other_machine, SP_ECRYPTO, ""},
    {"of another kind", other_kind, SP_ECRYPTO, ""},
    {"expired", expired, SP_EEXPIRED, "expired"},
    {"for an hour", too_long, SP_EEXPIRED, "expired"},
    {"by another clock", by_this_machines_clock, SP_EEXPIRED, "older than this door"},
};

/* As if the gate had been open for a minute. */
static void age(struct rig *rig) {
    door_free(rig->door);
    rig->door = NULL;
    gate_free(rig->gate);
    assert_int_equal(gate_new(rig->machine, &rig->clock, os_boottime_ms() - 60000, &rig->gate), 0);
    gate_trust(rig->gate, signing_key_public(rig->relay));
}

static int check(struct rig *rig, const char *text, struct ticket *out, struct why *why) {
    why->text[0] = '\0';
    return gate_check(rig->gate, TICKET_STREAM, text, strlen(text), out, why);
}

static void test_what_is_wrong_with_a_ticket(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig);
    age(&rig);
    for (size_t i = 0; i < sizeof spoiled / sizeof spoiled[0]; i++) {
        struct ticket ticket = rig_ticket(&rig, TICKET_STREAM), out = {.expires = -1};
        struct why why;
        spoiled[i].spoil(&rig, &ticket);
        int rc = check(&rig, rig_sign(&rig, &ticket), &out, &why);
        if (rc != spoiled[i].rc || !strstr(why.text, spoiled[i].says) || (!spoiled[i].says[0] && why.text[0]))
            fail_msg("%s: %d, %s", spoiled[i].how, rc, why.text);
        if (rc == 0)
            assert_string_equal(out.user, "alice");
        else
            assert_int_equal(out.expires, -1);
    }
    rig_close(&rig);
}

static void test_each_is_used_once(void **state) {
    (void)state;
    struct rig rig;
    struct ticket out;
    struct why why;
    rig_open(&rig);
    const char *text = rig_good(&rig, TICKET_STREAM);
    assert_int_equal(check(&rig, text, &out, &why), 0);
    assert_int_equal(check(&rig, text, &out, &why), SP_EEXIST);
    assert_non_null(strstr(why.text, "used already"));
    rig_close(&rig);
}

static void test_forged_ones_get_no_word(void **state) {
    (void)state;
    struct rig rig;
    struct ticket out;
    struct why why;
    char text[TICKET_TEXT_SIZE];
    rig_open(&rig);
    (void)snprintf(text, sizeof text, "%s", rig_good(&rig, TICKET_STREAM));
    for (size_t i = 0; i < strlen(text); i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(check(&rig, text, &out, &why), SP_ECRYPTO);
        assert_string_equal(why.text, "");
        text[i] = was;
    }
    assert_int_equal(check(&rig, "", &out, &why), SP_ECRYPTO);
    assert_int_equal(check(&rig, "A", &out, &why), SP_ECRYPTO);
    char endless[1000];
    memset(endless, 'A', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    assert_int_equal(check(&rig, endless, &out, &why), SP_ECRYPTO);
    /* None of this has used it up. */
    assert_int_equal(check(&rig, text, &out, &why), 0);
    rig_close(&rig);
}

static void test_nobody_is_trusted_at_first(void **state) {
    (void)state;
    struct rig rig;
    struct ticket out;
    struct why why;
    rig_open(&rig);
    struct gate *gate;
    struct relay_clock clock = {0};
    const char *text = rig_good(&rig, TICKET_STREAM);
    assert_int_equal(gate_new(rig.machine, &clock, os_boottime_ms(), &gate), 0);
    assert_int_equal(gate_check(gate, TICKET_STREAM, text, strlen(text), &out, &why), SP_ECRYPTO);
    gate_trust(gate, signing_key_public(rig.relay));
    assert_int_equal(gate_check(gate, TICKET_STREAM, text, strlen(text), &out, &why), SP_ECRYPTO); /* no clock yet */
    clock = rig.clock;
    assert_int_equal(gate_check(gate, TICKET_STREAM, text, strlen(text), &out, &why), 0);
    uint8_t other[32] = {1};
    gate_trust(gate, other);
    text = rig_good(&rig, TICKET_STREAM);
    assert_int_equal(gate_check(gate, TICKET_STREAM, text, strlen(text), &out, &why), SP_ECRYPTO);
    gate_free(gate);
    rig_close(&rig);
}

static void test_what_another_start_may_have_used_is_refused(void **state) {
    (void)state;
    struct rig rig;
    struct ticket out;
    struct why why;
    rig_open(&rig);
    struct ticket ticket = rig_ticket(&rig, TICKET_STREAM);
    ticket.expires -= 2;
    assert_int_equal(check(&rig, rig_sign(&rig, &ticket), &out, &why), SP_EEXPIRED);
    assert_non_null(strstr(why.text, "older than this door"));
    age(&rig);
    assert_int_equal(check(&rig, rig_sign(&rig, &ticket), &out, &why), 0);
    rig_close(&rig);
}

static void test_a_right_that_ended_takes_its_tickets_along(void **state) {
    (void)state;
    struct rig rig;
    struct ticket out;
    struct why why;
    rig_open(&rig);
    age(&rig);
    gate_end(rig.gate, "alice", "ssh");
    struct ticket ticket = rig_ticket(&rig, TICKET_STREAM);
    assert_int_equal(check(&rig, rig_sign(&rig, &ticket), &out, &why), SP_EDENIED);
    assert_non_null(strstr(why.text, "ended"));
    ticket.expires += 2; /* made after the right was given again */
    assert_int_equal(check(&rig, rig_sign(&rig, &ticket), &out, &why), 0);
    struct ticket other = rig_ticket(&rig, TICKET_STREAM);
    (void)snprintf(other.user, sizeof other.user, "bobby");
    assert_int_equal(check(&rig, rig_sign(&rig, &other), &out, &why), 0);
    other = rig_ticket(&rig, TICKET_STREAM);
    (void)snprintf(other.service, sizeof other.service, "ssh-two");
    assert_int_equal(check(&rig, rig_sign(&rig, &other), &out, &why), 0);
    gate_end(rig.gate, "alice", "");
    other.id[0] ^= 1;
    assert_int_equal(check(&rig, rig_sign(&rig, &other), &out, &why), SP_EDENIED);
    rig_close(&rig);
}

static void test_more_ends_than_fit_are_ends_for_all(void **state) {
    (void)state;
    struct rig rig;
    struct ticket out;
    struct why why;
    rig_open(&rig);
    age(&rig);
    for (int i = 0; i < 64; i++) {
        char name[SP_NAME_SIZE];
        (void)snprintf(name, sizeof name, "user-%d", i);
        gate_end(rig.gate, name, "ssh");
    }
    assert_int_equal(check(&rig, rig_good(&rig, TICKET_STREAM), &out, &why), 0);
    gate_end(rig.gate, "one-more", "ssh");
    assert_int_equal(check(&rig, rig_good(&rig, TICKET_STREAM), &out, &why), SP_EDENIED);
    /* They are forgotten when no ticket can be about any more. */
    rig.clock.ahead_ms += 60000;
    gate_end(rig.gate, "bobby", "ssh");
    assert_int_equal(check(&rig, rig_good(&rig, TICKET_STREAM), &out, &why), 0);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_wrong_with_a_ticket),
        cmocka_unit_test(test_each_is_used_once),
        cmocka_unit_test(test_forged_ones_get_no_word),
        cmocka_unit_test(test_nobody_is_trusted_at_first),
        cmocka_unit_test(test_what_another_start_may_have_used_is_refused),
        cmocka_unit_test(test_a_right_that_ended_takes_its_tickets_along),
        cmocka_unit_test(test_more_ends_than_fit_are_ends_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
