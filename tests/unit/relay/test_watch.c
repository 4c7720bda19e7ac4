/* The watch over machines: claims that end, machines that are missed and those that need not be, what is told to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/loop.h"
#include "sallyport/store/alerts.h"
#include "sallyport/store/channels.h"
#include "sallyport/store/claims.h"
#include "sallyport/store/grants.h"
#include "sallyport/store/homes.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"
#include "watch.h"

#define START INT64_C(1795428000)

struct place {
    char dir[64], path[96];
    struct store *store;
    struct loop *loop;
    struct watch *watch;
    struct policy_subject ann, bob; /* ann is an admin; bob may log in on box1 */
    int64_t box1, box2, woken;
    char packet[64];
    unsigned changes;
};

/* The clock of the test: watch_config has a function without a context. */
static int64_t clock_now;
static int64_t test_now(void) {
    return clock_now;
}

static void count_change(void *ctx) {
    ((struct place *)ctx)->changes++;
}

static int keep_wake(void *ctx, int64_t machine_id, const struct link_network *network) {
    struct place *place = ctx;
    place->woken = machine_id;
    snprintf(place->packet, sizeof(place->packet), "%s in %s", network->mac, network->network);
    return 0;
}

static void begin(struct place *place) {
    struct watch_config config = {.loop = place->loop,
                                  .store = place->store,
                                  .now = test_now,
                                  .page = "https://relay.example",
                                  .changed = count_change,
                                  .wake = keep_wake,
                                  .ctx = place};
    assert_int_equal(watch_new(&config, &place->watch, NULL), 0);
}

static void begin_anew(struct place *place) {
    watch_free(place->watch);
    begin(place);
}

static int set_up(void **state) {
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    clock_now = START;
    snprintf(place->dir, sizeof(place->dir), "/tmp/sallyport-watch-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    snprintf(place->path, sizeof(place->path), "%s/relay.db", place->dir);
    assert_int_equal(store_open(place->path, &place->store, NULL), 0);
    assert_int_equal(loop_new(&place->loop), 0);
    int64_t ann, bob;
    assert_int_equal(store_user_add(place->store, "ann", ROLE_ADMIN, NULL, START, &ann, NULL), 0);
    assert_int_equal(store_user_add(place->store, "bob", ROLE_MEMBER, NULL, START, &bob, NULL), 0);
    assert_int_equal(store_machine_add(place->store, "box1", NULL, START, &place->box1, NULL), 0);
    assert_int_equal(store_machine_add(place->store, "box2", NULL, START, &place->box2, NULL), 0);
    assert_int_equal(store_grant_add(place->store, bob, place->box1, "ssh", START), 0);
    assert_int_equal(store_user_subject(place->store, ann, &place->ann), 0);
    assert_int_equal(store_user_subject(place->store, bob, &place->bob), 0);
    begin(place);
    *state = place;
    return 0;
}

static int tear_down(void **state) {
    static const char *const endings[] = {"", "-wal", "-shm"};
    struct place *place = *state;
    watch_free(place->watch);
    loop_free(place->loop);
    store_close(place->store);
    policy_subject_fini(&place->ann);
    policy_subject_fini(&place->bob);
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s%s", place->path, endings[i]);
        unlink(path);
    }
    rmdir(place->dir);
    free(place);
    return 0;
}

/* A status with one GPU of that temperature. */
static void tell(struct place *place, int64_t machine_id, double celsius, const char *power_state) {
    struct status status;
    status_init(&status);
    struct gpu *gpu = status_add(&status, "gpus");
    assert_non_null(gpu);
    snprintf(gpu->id, sizeof(gpu->id), "GPU-a");
    gpu->index = 0;
    gpu->temperature_celsius = celsius;
    snprintf(status.power_state, sizeof(status.power_state), "%s", power_state);
    watch_status(place->watch, machine_id, &status);
    status_fini(&status);
}

static void expect_alerts(struct place *place, int64_t machine_id, const char *wanted) {
    struct machine_view view = {.machine_id = machine_id};
    char got[256] = "";
    watch_view(place->watch, machine_id, &view);
    for (size_t i = 0; i < view.alert_count; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " " : "", view.alerts[i].kind);
    assert_string_equal(got, wanted);
}

static int take(struct place *place, const struct policy_subject *who, const char *user, uint64_t for_s,
                struct why *why) {
    const struct claim *claim;
    struct watch_order order = {.machine_id = place->box1, .who = who, .user = user, .for_s = for_s, .note = "run"};
    return watch_claim(place->watch, &order, &claim, why);
}

static void test_claims_end(void **state) {
    struct place *place = *state;
    struct why why = {""};
    struct claim *claims;
    size_t count;
    assert_int_equal(take(place, &place->bob, "bob", 3600, &why), SP_ENOENT); /* it is offline */
    watch_arrived(place->watch, place->box1, "box1", "203.0.113.7");
    tell(place, place->box1, 40, "");
    assert_int_equal(take(place, &place->bob, "bob", 3600, &why), 0);
    assert_int_equal(take(place, &place->ann, "ann", 3600, &why), SP_EBUSY);
    assert_non_null(strstr(why.text, "bob has claimed GPU 0 of box1 until 2026-11-23T11:00:00Z"));
    begin_anew(place);
    clock_now += 3599;
    watch_tick(place->watch);
    struct machine_view view = {.machine_id = place->box1};
    watch_view(place->watch, place->box1, &view);
    assert_int_equal(view.claim_count, 1);
    clock_now++;
    place->changes = 0;
    watch_tick(place->watch);
    watch_view(place->watch, place->box1, &view);
    assert_int_equal(view.claim_count, 0);
    assert_true(place->changes > 0);
    assert_int_equal(store_claim_list(place->store, &claims, &count), 0);
    assert_int_equal(count, 0);
    free(claims);
}

static void test_removed(void **state) {
    struct place *place = *state;
    struct why why;
    watch_arrived(place->watch, place->box1, "box1", "203.0.113.7");
    tell(place, place->box1, 99, "");
    assert_int_equal(take(place, &place->bob, "bob", 3600, &why), 0);
    assert_int_equal(store_machine_remove(place->store, place->box1), 0);
    watch_rights_changed(place->watch);
    expect_alerts(place, place->box1, "");
    assert_int_equal(take(place, &place->bob, "bob", 3600, &why), SP_ENOENT);
    tell(place, place->box1, 99, ""); /* one that comes too late */
    watch_left(place->watch, place->box1);
    watch_tick(place->watch);
}

static void test_missed(void **state) {
    struct place *place = *state;
    watch_arrived(place->watch, place->box1, "box1", "203.0.113.7");
    assert_int_equal(store_machine_seen(place->store, &place->box1, 1, START), 0);
    watch_left(place->watch, place->box1);
    clock_now += 299;
    watch_tick(place->watch);
    expect_alerts(place, place->box1, "");
    clock_now++;
    watch_tick(place->watch);
    expect_alerts(place, place->box1, "offline");
    expect_alerts(place, place->box2, ""); /* it was never there */
    begin_anew(place);
    expect_alerts(place, place->box1, "offline");
    watch_arrived(place->watch, place->box1, "box1", "203.0.113.7");
    expect_alerts(place, place->box1, "");
}

/* A relay that was just started gives machines five minutes, however soon they are missed else. */
static void test_grace(void **state) {
    struct place *place = *state;
    assert_int_equal(watch_set(place->watch, place->box1, "offline_after_s", "10", NULL), 0);
    assert_int_equal(store_machine_seen(place->store, &place->box1, 1, START - 7200), 0);
    begin_anew(place);
    clock_now += 299;
    watch_tick(place->watch);
    expect_alerts(place, place->box1, "");
    clock_now++;
    watch_tick(place->watch);
    expect_alerts(place, place->box1, "offline");
    assert_int_equal(watch_set(place->watch, place->box1, "offline", "off", NULL), 0);
    clock_now++;
    watch_tick(place->watch);
    expect_alerts(place, place->box1, "");
}

static void test_asleep(void **state) {
    struct place *place = *state;
    struct machine_view view = {.machine_id = place->box1};
    watch_arrived(place->watch, place->box1, "box1", "203.0.113.7");
    tell(place, place->box1, 40, "sleeping");
    watch_view(place->watch, place->box1, &view);
    assert_false(view.asleep); /* it is still there */
    watch_left(place->watch, place->box1);
    assert_int_equal(store_machine_seen(place->store, &place->box1, 1, START), 0);
    begin_anew(place);
    watch_view(place->watch, place->box1, &view);
    assert_true(view.asleep);
    clock_now += 86400;
    watch_tick(place->watch);
    expect_alerts(place, place->box1, "");
    watch_arrived(place->watch, place->box1, "box1", "203.0.113.7");
    watch_view(place->watch, place->box1, &view);
    assert_false(view.asleep);
}

static void test_wake(void **state) {
    struct place *place = *state;
    struct link_lan lan = {.count = 1, .list = {{.mac = "02:00:00:00:00:01", .network = "192.168.1.0/24"}}};
    struct link_lan other = {.count = 1, .list = {{.mac = "02:00:00:00:00:02", .network = "192.168.1.0/24"}}};
    char through[SP_NAME_SIZE];
    struct why why = {""};
    watch_arrived(place->watch, place->box1, "box1", "203.0.113.7");
    watch_lan(place->watch, place->box1, &lan);
    assert_int_equal(watch_wake(place->watch, place->box1, through, &why), SP_EEXIST);
    watch_left(place->watch, place->box1);
    begin_anew(place);
    /* The same numbers, but another home. */
    watch_arrived(place->watch, place->box2, "box2", "198.51.100.9");
    watch_lan(place->watch, place->box2, &other);
    assert_int_equal(watch_wake(place->watch, place->box1, through, &why), SP_ENOENT);
    assert_non_null(strstr(why.text, "no other machine is online in its network"));
    watch_arrived(place->watch, place->box2, "box2", "203.0.113.7");
    assert_int_equal(watch_wake(place->watch, place->box1, through, &why), 0);
    assert_string_equal(through, "box2");
    assert_int_equal(place->woken, place->box2);
    assert_string_equal(place->packet, "02:00:00:00:00:01 in 192.168.1.0/24");
    assert_int_equal(watch_wake(place->watch, place->box2 + 7, through, &why), SP_ENOENT);
}

static int64_t add_channel(struct place *place, int64_t user_id, const char *address) {
    struct channel channel = {.user_id = user_id, .kind = CHANNEL_WEBHOOK, .created = START};
    snprintf(channel.address, sizeof(channel.address), "%s", address);
    assert_int_equal(store_channel_add(place->store, &channel), 0);
    return channel.id;
}

static int64_t waiting(struct place *place, int64_t channel_id) {
    struct channel channel;
    assert_int_equal(store_channel_get(place->store, channel_id, &channel), 0);
    return channel.waiting;
}

/* The loop does not turn here: messages stay where they are put. */
static void test_told(void **state) {
    struct place *place = *state;
    int64_t ann = add_channel(place, place->ann.id, "https://a.example/"),
            bob = add_channel(place, place->bob.id, "https://b.example/");
    watch_arrived(place->watch, place->box1, "box1", "203.0.113.7");
    watch_arrived(place->watch, place->box2, "box2", "203.0.113.8");
    tell(place, place->box2, 99, "");
    assert_int_equal(waiting(place, ann), 1);
    assert_int_equal(waiting(place, bob), 0); /* he does not see box2 */
    tell(place, place->box1, 99, "");
    tell(place, place->box1, 99, "");
    begin_anew(place);
    watch_arrived(place->watch, place->box1, "box1", "203.0.113.7");
    tell(place, place->box1, 99, "");
    assert_int_equal(waiting(place, ann), 2);
    assert_int_equal(waiting(place, bob), 1);
    assert_int_equal(take(place, &place->bob, "bob", 3600, NULL), 0);
    clock_now += 3000;
    watch_tick(place->watch);
    assert_int_equal(waiting(place, ann), 2); /* whose claim ends is his own affair */
    assert_int_equal(waiting(place, bob), 2);
    json_t *seen = watch_alerts_json(place->watch, 0, &place->bob);
    assert_int_equal(json_array_size(json_object_get(seen, "on")), 2);
    json_decref(seen);
    seen = watch_alerts_json(place->watch, 0, &place->ann);
    assert_int_equal(json_array_size(json_object_get(seen, "on")), 3);
    json_decref(seen);
}

#define place_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        place_test(test_claims_end), place_test(test_removed), place_test(test_missed), place_test(test_grace),
        place_test(test_asleep),     place_test(test_wake),    place_test(test_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
