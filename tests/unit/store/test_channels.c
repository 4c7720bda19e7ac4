/* Claims, alerts, channels and the messages under way, as they are stored. */
#include "place.h"

#include "sallyport/store/alerts.h"
#include "sallyport/store/channels.h"
#include "sallyport/store/claims.h"
#include "sallyport/store/homes.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"

#define HOUR 1000000

struct people {
    int64_t ann, bob, box;
};

static struct people fill(struct store *store) {
    struct people people;
    assert_int_equal(store_user_add(store, "ann", ROLE_MEMBER, NULL, 100, &people.ann, NULL), 0);
    assert_int_equal(store_user_add(store, "bob", ROLE_MEMBER, NULL, 100, &people.bob, NULL), 0);
    assert_int_equal(store_machine_add(store, "box1", NULL, 100, &people.box, NULL), 0);
    return people;
}

static int64_t add(struct store *store, int64_t user_id, const char *address, int wanted) {
    struct channel channel = {.user_id = user_id, .kind = CHANNEL_NTFY, .created = 100};
    snprintf(channel.address, sizeof(channel.address), "%s", address);
    assert_int_equal(store_channel_add(store, &channel), wanted);
    return channel.id;
}

static void test_channels(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct people people = fill(store);
    struct channel *list, channel;
    size_t count;
    int64_t first = add(store, people.ann, "https://a/1", 0);
    add(store, people.ann, "https://a/1", SP_EEXIST);
    add(store, people.ann + 70, "https://a/1", SP_ENOENT);
    add(store, people.bob, "https://a/1", 0);
    for (char address[] = "https://a/a"; address[10] < 'a' + CHANNELS_MAX - 1; address[10]++)
        add(store, people.ann, address, 0);
    add(store, people.ann, "https://a/more", SP_ETOOBIG);
    assert_int_equal(store_channel_list(store, people.ann, &list, &count), 0);
    assert_int_equal(count, CHANNELS_MAX);
    assert_string_equal(list[0].user, "ann");
    free(list);
    assert_int_equal(store_channel_went(store, first, 500, false, "no"), 0);
    assert_int_equal(store_channel_went(store, first, 600, true, ""), 0);
    assert_int_equal(store_channel_get(store, first, &channel), 0);
    assert_int_equal(channel.sent, 600);
    assert_int_equal(channel.tested, 600);
    assert_true(channel.test_ok && channel.trouble[0] == '\0');
    assert_int_equal(store_channel_went(store, first, 700, false, "no"), 0);
    assert_int_equal(store_channel_get(store, first, &channel), 0);
    assert_int_equal(channel.sent, 600);
    assert_string_equal(channel.trouble, "no");
    assert_int_equal(store_user_remove(store, people.ann), 0);
    assert_int_equal(store_channel_get(store, first, &channel), SP_ENOENT);
    assert_int_equal(store_channel_remove(store, first), SP_ENOENT);
}

static size_t due(struct store *store, int64_t now, struct notice_row *first) {
    struct notice_row *rows;
    size_t count;
    assert_int_equal(store_notice_due(store, now, 100, &rows, &count), 0);
    if (count && first)
        *first = rows[0];
    free(rows);
    return count;
}

static void test_line(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct people people = fill(store);
    struct notice_row row = {.id = 0};
    int64_t channel = add(store, people.ann, "https://a/1", 0), other = add(store, people.bob, "https://b/1", 0);
    struct notice notice = {.kind = "gpu_hot", .state = "on", .machine = "box1", .text = "first"};
    struct notice urgent = {.kind = "gpu_lost", .state = "on", .machine = "box1", .text = "urgent", .urgent = true};
    assert_int_equal(store_notice_add(store, channel, &notice, 1000), 0);
    assert_int_equal(store_notice_add(store, channel, &notice, 1001), 0);
    assert_int_equal(store_notice_add(store, other, &notice, 1002), 0);
    assert_int_equal(store_notice_add(store, other + 70, &notice, 1002), SP_ENOENT);
    assert_int_equal(due(store, 999, NULL), 0);
    assert_int_equal(due(store, 1002, &row), 2); /* one of each */
    assert_string_equal(row.notice.text, "first");
    assert_int_equal(row.channel_id, channel);
    assert_int_equal(store_notice_later(store, row.id, 1060, 1), 0);
    assert_int_equal(due(store, 1059, &row), 1); /* the next one of that channel waits behind it */
    assert_int_equal(row.channel_id, other);
    assert_int_equal(store_notice_add(store, channel, &urgent, 1003), 0);
    assert_int_equal(due(store, 1003, &row), 2);
    assert_int_equal(store_notice_remove(store, row.id), 0);
    assert_int_equal(store_channel_remove(store, other), 0);
    assert_int_equal(due(store, 1003, &row), 1);
    assert_string_equal(row.notice.text, "urgent");
}

static void test_hour(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct people people = fill(store);
    struct notice_row row = {.id = 0};
    int64_t channel = add(store, people.ann, "https://a/1", 0);
    struct notice notice = {.kind = "gpu_hot", .state = "on", .machine = "box1"};
    for (int i = 0; i < STORE_NOTICES_AN_HOUR; i++)
        assert_int_equal(store_notice_add(store, channel, &notice, HOUR + i), 0);
    for (int i = 0; i < 7; i++)
        assert_int_equal(store_notice_add(store, channel, &notice, HOUR + 500), SP_EBUSY);
    assert_int_equal(store_notice_more(store, HOUR + 3599), 0);
    while (due(store, HOUR + 3599, &row)) {
        assert_string_equal(row.notice.state, "on");
        assert_int_equal(store_notice_remove(store, row.id), 0);
    }
    assert_int_equal(store_notice_more(store, HOUR + 3600), 0);
    assert_int_equal(store_notice_more(store, HOUR + 3600), 0); /* once */
    assert_int_equal(due(store, HOUR + 3600, &row), 1);
    assert_string_equal(row.notice.text, "and 7 more in that hour, which the page of alerts shows");
    assert_int_equal(store_notice_remove(store, row.id), 0);
    assert_int_equal(due(store, HOUR + 9999, NULL), 0);
    assert_int_equal(store_notice_add(store, channel, &notice, HOUR + 3601), 0);
}

static void test_quiet(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct people people = fill(store);
    struct quiet quiet = {.from = 1320, .to = 420, .offset = -60}, got = {.from = 7};
    struct notice notice = {.kind = "gpu_hot", .state = "on"};
    struct notice_row row = {.id = 0};
    int64_t channel = add(store, people.ann, "https://a/1", 0);
    assert_int_equal(store_quiet_get(store, people.ann, &got), SP_ENOENT);
    assert_int_equal(store_quiet_put(store, people.ann, &quiet), 0);
    assert_int_equal(store_notice_add(store, channel, &notice, 1000), 0);
    assert_int_equal(due(store, 1000, &row), 1);
    assert_int_equal(store_notice_later(store, row.id, 30000, 0), 0);
    assert_int_equal(due(store, 1000, NULL), 0);
    quiet.to = 430;
    assert_int_equal(store_quiet_put(store, people.ann, &quiet), 0);
    assert_int_equal(due(store, 1000, NULL), 1);
    assert_int_equal(store_quiet_get(store, people.ann, &got), 0);
    assert_int_equal(got.from, 1320);
    assert_int_equal(got.to, 430);
    assert_int_equal(got.offset, -60);
    assert_int_equal(store_quiet_put(store, people.ann, &(struct quiet){.from = 0}), 0);
    assert_int_equal(store_quiet_get(store, people.ann, &got), SP_ENOENT);
}

static struct alert make_alert(enum alert_kind kind, const char *key, int64_t since) {
    struct alert alert = {.kind = kind, .since = since};
    snprintf(alert.key, sizeof(alert.key), "%s", key);
    snprintf(alert.text, sizeof(alert.text), "text of %s", key);
    return alert;
}

static void test_alerts(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct people people = fill(store);
    struct alert_row *rows;
    size_t count;
    struct alert hot = make_alert(ALERT_GPU_HOT, "a", 1000), full = make_alert(ALERT_DISK_FULL, "/", 1001);
    assert_int_equal(store_alert_on(store, people.box, &hot), 0);
    assert_int_equal(store_alert_on(store, people.box, &hot), SP_EEXIST);
    assert_int_equal(store_alert_on(store, people.box + 70, &hot), SP_ENOENT);
    assert_int_equal(store_alert_on(store, people.box, &full), 0);
    assert_int_equal(store_alert_off(store, people.box, &hot, 2000), 0);
    assert_int_equal(store_alert_list_on(store, &rows, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].alert.kind, ALERT_DISK_FULL);
    assert_string_equal(rows[0].alert.key, "/");
    free(rows);
    hot.since = 3000;
    assert_int_equal(store_alert_on(store, people.box, &hot), 0); /* again */
    assert_int_equal(store_alert_list_past(store, people.box, 10, &rows, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].until, 2000);
    assert_string_equal(rows[0].alert.text, "text of a");
    free(rows);
    for (int i = 0; i < STORE_ALERTS_MAX + 5; i++) {
        struct alert job = make_alert(ALERT_JOB_ENDED, "1", 4000 + i);
        assert_int_equal(store_alert_past(store, people.box, &job), 0);
    }
    assert_int_equal(store_alert_tidy(store, 5000), 0);
    assert_int_equal(store_alert_list_past(store, 0, 5000, &rows, &count), 0);
    assert_int_equal(count, STORE_ALERTS_MAX);
    assert_int_equal(rows[0].until, 4000 + STORE_ALERTS_MAX + 4);
    free(rows);
    assert_int_equal(store_alert_tidy(store, 10000 + STORE_ALERTS_KEEP_S), 0);
    assert_int_equal(store_alert_list_past(store, 0, 5000, &rows, &count), 0);
    assert_int_equal(count, 0);
    free(rows);
    assert_int_equal(store_alert_list_on(store, &rows, &count), 0);
    assert_int_equal(count, 2); /* what is on stays, however old */
    free(rows);
}

static void test_settings(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct people people = fill(store);
    struct setting_row *rows;
    size_t count;
    assert_int_equal(store_setting_put(store, 0, "gpu_hot", 0), 0);
    assert_int_equal(store_setting_put(store, people.box, "gpu_hot", 1), 0);
    assert_int_equal(store_setting_put(store, 0, "gpu_hot", 0.25), 0);
    assert_int_equal(store_setting_put(store, people.box + 70, "gpu_hot", 1), SP_ENOENT);
    assert_int_equal(store_setting_list(store, &rows, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].machine_id, 0);
    assert_float_equal(rows[0].value, 0.25, 0);
    assert_int_equal(rows[1].machine_id, people.box);
    free(rows);
    assert_int_equal(store_setting_remove(store, 0, "gpu_hot"), 0);
    assert_int_equal(store_machine_remove(store, people.box), 0);
    assert_int_equal(store_setting_list(store, &rows, &count), 0);
    assert_int_equal(count, 0);
    free(rows);
}

static void test_claims(void **state) {
    struct place *place = *state;
    struct people people = fill(place->store);
    struct claim *list, claim = {.machine_id = people.box,
                                 .user_id = people.ann,
                                 .gpu_id = "GPU-a",
                                 .gpu = 1,
                                 .since = 100,
                                 .until = 200,
                                 .note = "run"};
    size_t count;
    assert_int_equal(store_claim_put(place->store, &claim), 0);
    claim.until = 300;
    claim.user_id = people.bob;
    assert_int_equal(store_claim_put(place->store, &claim), 0);
    place_close(place);
    place_open(place);
    assert_int_equal(store_claim_list(place->store, &list, &count), 0);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].user, "bob");
    assert_string_equal(list[0].note, "run");
    assert_int_equal(list[0].until, 300);
    free(list);
    assert_int_equal(store_claim_remove(place->store, people.box, "GPU-b"), SP_ENOENT);
    assert_int_equal(store_user_remove(place->store, people.bob), 0);
    assert_int_equal(store_claim_list(place->store, &list, &count), 0);
    assert_int_equal(count, 0);
    free(list);
    claim.user_id = people.bob;
    assert_int_equal(store_claim_put(place->store, &claim), SP_ENOENT);
}

static void test_homes(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct people people = fill(store);
    struct home *list, home = {.machine_id = people.box, .asleep = true, .observed = "203.0.113.7"};
    size_t count;
    assert_int_equal(store_home_put(store, &home), 0);
    home.lan = (struct link_lan){
        .count = 2, .list = {{"02:00:00:00:00:01", "192.168.1.0/24"}, {"02:00:00:00:00:02", "10.0.0.0/8"}}};
    assert_int_equal(store_home_put(store, &home), 0);
    assert_int_equal(store_home_list(store, &list, &count), 0);
    assert_int_equal(count, 1);
    assert_true(list[0].asleep);
    assert_string_equal(list[0].observed, "203.0.113.7");
    assert_int_equal(list[0].lan.count, 2);
    assert_string_equal(list[0].lan.list[1].network, "10.0.0.0/8");
    free(list);
    home.lan.count = 0;
    home.asleep = false;
    assert_int_equal(store_home_put(store, &home), 0);
    assert_int_equal(store_home_list(store, &list, &count), 0);
    assert_false(list[0].asleep);
    assert_int_equal(list[0].lan.count, 0);
    free(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        place_test(test_channels), place_test(test_line),     place_test(test_hour),   place_test(test_quiet),
        place_test(test_alerts),   place_test(test_settings), place_test(test_claims), place_test(test_homes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
