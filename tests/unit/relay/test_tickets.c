#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/wire/signing.h"
#include "tickets.h"

#define NOW INT64_C(1795428000)
#define PRINT "SHA256:p87QMU4YdD638Ha9rFlpxmGsiTebOAJLBr0RPrca4r0"

struct rig {
    char dir[64], path[96];
    struct tickets *tickets;
};

static int set_up(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    struct why why;
    assert_non_null(rig);
    (void)snprintf(rig->dir, sizeof rig->dir, "/tmp/sallyport-tickets-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    (void)snprintf(rig->path, sizeof rig->path, "%s/ticket_key", rig->dir);
    assert_int_equal(tickets_open(rig->dir, &rig->tickets, &why), 0);
    *state = rig;
    return 0;
}

static int tear_down(void **state) {
    struct rig *rig = *state;
    tickets_free(rig->tickets);
    (void)unlink(rig->path);
    (void)rmdir(rig->dir);
    free(rig);
    return 0;
}

static struct ticket a_ticket(void) {
    struct ticket ticket = {.kind = TICKET_STREAM, .user = "alice", .service = "ssh"};
    memset(ticket.machine, 7, sizeof ticket.machine);
    return ticket;
}

static void issue(struct rig *rig, char text[static TICKET_TEXT_SIZE]) {
    struct ticket ticket = a_ticket();
    assert_int_equal(tickets_issue(rig->tickets, TICKET_OF_USER, &ticket, NOW, text), 0);
}

static int redeem(struct rig *rig, const char *text, enum ticket_kind kind, int64_t now) {
    struct ticket out;
    struct why why = {""};
    int rc = tickets_redeem(rig->tickets, text, kind, now, &out, &why);
    assert_true(rc == 0 || why.text[0]);
    return rc;
}

static void test_issue_and_redeem(void **state) {
    struct rig *rig = *state;
    struct ticket wanted = a_ticket(), got;
    char text[TICKET_TEXT_SIZE], again[TICKET_TEXT_SIZE];
    struct why why;
    assert_int_equal(tickets_issue(rig->tickets, TICKET_OF_USER, &wanted, NOW, text), 0);
    issue(rig, again);
    assert_string_not_equal(text, again);
    assert_int_equal(tickets_redeem(rig->tickets, text, TICKET_STREAM, NOW + 5, &got, &why), 0);
    assert_int_equal(got.expires, NOW + TICKET_LIFE_S);
    assert_string_equal(got.user, "alice");
    assert_string_equal(got.service, "ssh");
    assert_memory_equal(got.machine, wanted.machine, sizeof got.machine);
    assert_memory_equal(got.id, wanted.id, sizeof got.id);
}

static void test_once_in_time_and_for_its_kind(void **state) {
    struct rig *rig = *state;
    char text[TICKET_TEXT_SIZE];
    issue(rig, text);
    assert_int_equal(redeem(rig, text, TICKET_SERVE, NOW), SP_EDENIED);
    assert_int_equal(redeem(rig, text, TICKET_STREAM, NOW + TICKET_LIFE_S + 1), SP_EEXPIRED);
    assert_int_equal(redeem(rig, text, TICKET_STREAM, NOW - 3600), SP_EEXPIRED);
    assert_int_equal(redeem(rig, text, TICKET_STREAM, NOW + TICKET_LIFE_S - 1), 0);
    assert_int_equal(redeem(rig, text, TICKET_STREAM, NOW + TICKET_LIFE_S - 1), SP_EEXIST);
}

static void test_whose_it_is(void **state) {
    struct rig *rig = *state;
    struct ticket ticket = a_ticket(), got;
    char text[TICKET_TEXT_SIZE];
    struct why why;
    for (int i = 0; i < 64; i++) {
        enum ticket_side side = i % 2 ? TICKET_OF_MACHINE : TICKET_OF_USER;
        assert_int_equal(tickets_issue(rig->tickets, side, &ticket, NOW, text), 0);
        assert_int_equal(ticket_side(&ticket), side);
        assert_int_equal(tickets_redeem(rig->tickets, text, TICKET_STREAM, NOW, &got, &why), 0);
        assert_int_equal(ticket_side(&got), side);
    }
}

/* No letter of it can be another one. */
static void test_forged(void **state) {
    struct rig *rig = *state;
    char text[TICKET_TEXT_SIZE];
    issue(rig, text);
    for (size_t i = 0; i < strlen(text); i++) {
        char kept = text[i];
        text[i] = kept == 'A' ? 'B' : 'A';
        int rc = redeem(rig, text, TICKET_STREAM, NOW);
        assert_true(rc == SP_ECRYPTO || rc == SP_EFORMAT);
        text[i] = kept;
    }
    assert_int_equal(redeem(rig, text, TICKET_STREAM, NOW), 0);
}

static void test_of_another_relay(void **state) {
    struct rig *rig = *state, *other;
    char text[TICKET_TEXT_SIZE];
    void *there;
    assert_int_equal(set_up(&there), 0);
    other = there;
    issue(other, text);
    assert_int_equal(redeem(rig, text, TICKET_STREAM, NOW), SP_ECRYPTO);
    assert_int_equal(redeem(other, text, TICKET_STREAM, NOW), 0);
    assert_int_equal(tear_down(&there), 0);
}

static void test_the_key_is_kept(void **state) {
    struct rig *rig = *state;
    uint8_t before[SIGNING_PUBLIC_SIZE];
    char text[TICKET_TEXT_SIZE];
    struct stat info;
    struct why why;
    issue(rig, text);
    memcpy(before, tickets_public(rig->tickets), sizeof before);
    assert_int_equal(stat(rig->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_size, SIGNING_SEED_SIZE);
    tickets_free(rig->tickets);
    assert_int_equal(tickets_open(rig->dir, &rig->tickets, &why), 0);
    assert_memory_equal(before, tickets_public(rig->tickets), sizeof before);
    assert_int_equal(redeem(rig, text, TICKET_STREAM, NOW), 0);
}

static void test_a_damaged_key(void **state) {
    struct rig *rig = *state;
    uint8_t bytes[40] = {1};
    static const size_t sizes[] = {0, 31, 33, 40};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct tickets *tickets = NULL;
        struct why why = {""};
        assert_int_equal(os_write_file(rig->path, bytes, sizes[i], 0600), 0);
        assert_int_equal(tickets_open(rig->dir, &tickets, &why), SP_EFORMAT);
        assert_null(tickets);
        assert_non_null(strstr(why.text, "ticket_key is damaged"));
    }
}

static void test_ask_keys(void **state) {
    struct rig *rig = *state;
    uint8_t a[SEALED_KEY_SIZE], b[SEALED_KEY_SIZE];
    assert_int_equal(tickets_ask_key(rig->tickets, 1, PRINT, a), 0);
    assert_int_equal(tickets_ask_key(rig->tickets, 1, PRINT, b), 0);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(tickets_ask_key(rig->tickets, 2, PRINT, b), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(tickets_ask_key(rig->tickets, INT64_C(1) << 40 | 1, PRINT, b), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(tickets_ask_key(rig->tickets, 1, "SHA256:another", b), 0);
    assert_memory_not_equal(a, b, sizeof a);
}

#define rig_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        rig_test(test_issue_and_redeem), rig_test(test_once_in_time_and_for_its_kind),
        rig_test(test_whose_it_is),      rig_test(test_forged),
        rig_test(test_of_another_relay), rig_test(test_the_key_is_kept),
        rig_test(test_a_damaged_key),    rig_test(test_ask_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
