/* What the tests of live events share: a registry with made-up machines, and browsers that listen. */
#ifndef SALLYPORT_TEST_RELAY_WEB_EVENTS_RIG_H
#define SALLYPORT_TEST_RELAY_WEB_EVENTS_RIG_H

#include "../store/place.h"

#include <jansson.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/view.h"
#include "sallyport/store/grants.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/tokens.h"
#include "sallyport/store/users.h"
#include "sallyport/wire/http_conn.h"
#include "web_events_local.h"

#define DAY 86400
#define MACHINES 6

/* A browser's end of a connection: it takes so many bytes as the test allows. */
struct browser {
    struct stream stream;
    struct rig *rig;
    struct http_conn *http;
    struct web_viewer viewer;
    struct web_listener *listener;
    int joined; /* what web_events_join said */
    size_t room;
    struct buf got;
    size_t read; /* of `got`, by the test */
    bool closed; /* by the relay */
    json_t *machines;
    unsigned wholes, byes;
};

struct rig {
    struct place *place;
    struct web web;
    struct web_events *events;
    int64_t ada, bob, box[MACHINES];
    bool there[MACHINES]; /* connected */
    bool broken;          /* the live part cannot be had */
    bool reach;           /* they say how they are reached, but offer no services */
    struct service services[MACHINES][2];
    struct status status[MACHINES];
    unsigned looks;
};

static int64_t test_clock; /* UTC seconds */

static inline int64_t test_now(void) {
    return test_clock;
}

static inline int view(void *ctx, int64_t machine_id, struct machine_view *out) {
    struct rig *rig = ctx;
    if (rig->broken)
        return SP_ENOMEM;
    for (size_t i = 0; i < MACHINES; i++) {
        if (rig->box[i] != machine_id || !rig->there[i])
            continue;
        out->online = true;
        out->since = 1800000000;
        out->route = ROUTE_RELAYED;
        out->services = rig->services[i];
        out->service_count = rig->reach ? 0 : 2;
        out->status = &rig->status[i];
        out->has_clock = out->has_reach = rig->reach;
        rig->looks += i == 0;
        return 0;
    }
    return SP_ENOENT;
}

static inline int64_t machine_add(struct rig *rig, const char *name) {
    struct why why = {""};
    int64_t id;
    assert_int_equal(store_machine_add(rig->place->store, name, NULL, test_clock, &id, &why), 0);
    return id;
}

/* Two machines, the first is connected; ada is an admin, bob was granted box1/jupyter. */
static inline int rig_up(void **state) {
    struct rig *rig = calloc(1, sizeof(*rig));
    struct why why = {""};
    void *place;
    assert_int_equal(place_set_up(&place), 0);
    test_clock = 1800000000;
    rig->place = place;
    for (size_t i = 0; i < MACHINES; i++) {
        rig->services[i][0] = (struct service){.name = "ssh", .kind = SERVICE_SSH, .port = 22, .up = true};
        rig->services[i][1] = (struct service){.name = "jupyter", .kind = SERVICE_HTTP, .port = 8888, .up = true};
        status_init(&rig->status[i]);
    }
    assert_int_equal(store_user_add(rig->place->store, "ada", ROLE_ADMIN, NULL, test_clock, &rig->ada, &why), 0);
    assert_int_equal(store_user_add(rig->place->store, "bob", ROLE_MEMBER, NULL, test_clock, &rig->bob, &why), 0);
    rig->box[0] = machine_add(rig, "box1");
    rig->box[1] = machine_add(rig, "box2");
    rig->there[0] = true;
    assert_int_equal(store_grant_add(rig->place->store, rig->bob, rig->box[0], "jupyter", test_clock), 0);
    assert_int_equal(loop_new(&rig->web.loop), 0);
    rig->web.source = (struct overview_source){rig->place->store, view, rig};
    rig->web.now = test_now;
    rig->web.hsts = true;
    assert_int_equal(web_events_new(&rig->web, &rig->events), 0);
    *state = rig;
    return 0;
}

static inline int rig_down(void **state) {
    struct rig *rig = *state;
    void *place = rig->place;
    assert_int_equal(web_events_count(rig->events), 0);
    web_events_free(rig->events);
    loop_free(rig->web.loop);
    place_tear_down(&place);
    free(rig);
    return 0;
}

static inline ssize_t browser_write(struct stream *stream, const uint8_t *bytes, size_t n) {
    struct browser *browser = list_item(stream, struct browser, stream);
    size_t take = n < browser->room ? n : browser->room;
    assert_false(browser->closed);
    assert_int_equal(buf_append(&browser->got, bytes, take), 0);
    browser->room -= take;
    return (ssize_t)take;
}

static inline void browser_nothing(struct stream *stream) {
    (void)stream;
}

static inline void browser_closed(struct stream *stream) {
    list_item(stream, struct browser, stream)->closed = true;
}

static inline void on_request(void *ctx, const struct http_head *head) {
    struct browser *browser = ctx;
    struct buf refusal;
    assert_true(http_text_equal(head->target, "/api/v1/events"));
    browser->joined = web_events_join(browser->rig->events, browser->http, &browser->viewer, &browser->listener);
    if (browser->joined) {
        buf_init(&refusal);
        assert_int_equal(buf_printf(&refusal, "HTTP/1.1 400 No\r\n"), 0);
        http_conn_reply(browser->http, &refusal, NULL, 0, true);
    }
}

static inline void on_connect(void *ctx) {
    (void)ctx;
    fail();
}

static inline int on_response(void *ctx, const struct http_head *head, struct buf *out) {
    (void)ctx, (void)head, (void)out;
    fail();
    return SP_EINVAL;
}

static inline void on_failed(void *ctx, enum http_failure failure, const struct why *why) {
    (void)ctx, (void)failure, (void)why;
    fail();
}

static inline void on_writable(void *ctx) {
    struct browser *browser = ctx;
    web_listener_writable(browser->listener);
}

static inline void on_closed(void *ctx) {
    struct browser *browser = ctx;
    web_listener_leave(browser->listener);
    browser->listener = NULL;
    browser->http = NULL;
}

/* Asks for the events. `room`: bytes that it takes at once. */
static inline void browser_come(struct browser *browser, struct rig *rig, const struct web_viewer *viewer,
                                size_t room) {
    static const struct stream_ops ops = {browser_write, browser_nothing, browser_nothing, browser_closed};
    static const struct http_conn_events events = {on_request, on_connect,  on_response,
                                                   on_failed,  on_writable, on_closed};
    static const char request[] = "GET /api/v1/events HTTP/1.1\r\nHost: relay.example\r\n\r\n";
    const struct http_conn_config config = {.head_ms = 0};
    *browser = (struct browser){.stream = {.ops = &ops}, .rig = rig, .viewer = *viewer, .room = room, .joined = 1};
    browser->machines = json_object();
    assert_int_equal(
        http_conn_new(rig->web.loop, &browser->stream, UINT64_MAX, &config, &events, browser, &browser->http), 0);
    loop_drain(rig->web.loop);
    browser->stream.events->data(browser->stream.ctx, (const uint8_t *)request, sizeof(request) - 1);
}

/* It goes away, when it was not sent away before. */
static inline void browser_go(struct browser *browser) {
    if (browser->http)
        browser->stream.events->closed(browser->stream.ctx);
    loop_drain(browser->rig->web.loop);
    assert_null(browser->http);
    assert_null(browser->listener);
    assert_true(browser->closed);
    json_decref(browser->machines);
    buf_fini(&browser->got);
}

static inline void browser_drain(struct browser *browser) {
    browser->room = SIZE_MAX;
    if (browser->http)
        browser->stream.events->writable(browser->stream.ctx);
}

/* What came and was not looked at yet. */
static inline const char *news(struct browser *browser) {
    const char *text = buf_string(&browser->got) + browser->read;
    browser->read = buf_len(&browser->got);
    return text;
}

static inline void assert_begins(const char *text, const char *beginning) {
    if (!str_starts(text, beginning))
        fail_msg("not \"%s\" but \"%.60s\"", beginning, text);
}

static inline struct web_viewer session_of(struct rig *rig, int64_t user_id) {
    static uint8_t hash[STORE_HASH_SIZE];
    struct web_viewer viewer = {.user_id = user_id};
    hash[0]++;
    hash[1] = (uint8_t)(hash[1] + !hash[0]);
    assert_int_equal(store_session_add(rig->place->store, hash, user_id, test_clock, test_clock + 30 * DAY, "", "",
                                       &viewer.session_id),
                     0);
    return viewer;
}

/* What `list --json` says to that user, on one line. */
static inline void list_json(struct rig *rig, int64_t user_id, struct buf *out) {
    struct policy_subject viewer;
    struct overview overview;
    assert_int_equal(store_user_subject(rig->place->store, user_id, &viewer), 0);
    assert_int_equal(overview_load(&rig->web.source, &viewer, &overview), 0);
    assert_int_equal(view_list_json(overview.views, overview.count, out), 0);
    overview_fini(&overview);
    policy_subject_fini(&viewer);
}

static inline void look_now(struct rig *rig) {
    assert_true(loop_timer_is_set(&rig->events->look_timer));
    loop_timer_stop(&rig->events->look_timer);
    rig->events->look_timer.fire(rig->events->look_timer.ctx);
}

static inline void change(struct rig *rig, size_t box, int64_t cpus) {
    rig->status[box].cpu_count = cpus;
    web_events_touch(rig->events);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)

#endif
