/* Live events: what each viewer is told, when, and when it ends; over a real connection on a made-up stream. */
#include "web_events_rig.h"

static void test_the_whole_comes_first(void **state) {
    struct rig *rig = *state;
    struct browser ada, bob;
    struct buf all, want;
    const struct web_viewer by_ada = session_of(rig, rig->ada), by_bob = session_of(rig, rig->bob);
    buf_init(&all);
    buf_init(&want);
    browser_come(&ada, rig, &by_ada, SIZE_MAX);
    assert_int_equal(ada.joined, 0);
    list_json(rig, rig->ada, &all);
    assert_int_equal(buf_printf(&want, "retry: 2000\nevent: machines\ndata: %s\n", buf_string(&all)), 0);
    const char *body = strstr(news(&ada), "\r\n\r\n");
    assert_non_null(body);
    assert_string_equal(body + 4, buf_string(&want));
    const char *head = buf_string(&ada.got);
    assert_begins(head, "HTTP/1.1 200 OK\r\n");
    assert_non_null(strstr(head, "\r\nContent-Type: text/event-stream\r\n"));
    assert_non_null(strstr(head, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(head, "\r\nX-Accel-Buffering: no\r\n"));
    assert_non_null(strstr(head, "\r\nX-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(head, "\r\nStrict-Transport-Security: "));
    /* bob was granted one service of one machine. */
    browser_come(&bob, rig, &by_bob, SIZE_MAX);
    const char *text = news(&bob);
    assert_non_null(strstr(text, "\"jupyter\""));
    assert_null(strstr(text, "\"ssh\""));
    assert_null(strstr(text, "box2"));
    assert_int_equal(web_events_count(rig->events), 2);
    browser_go(&ada);
    browser_go(&bob);
    buf_fini(&all);
    buf_fini(&want);
}

static void test_only_changes_are_told(void **state) {
    struct rig *rig = *state;
    struct browser ada, bob;
    const struct web_viewer by_ada = session_of(rig, rig->ada), by_bob = session_of(rig, rig->bob);
    browser_come(&ada, rig, &by_ada, SIZE_MAX);
    browser_come(&bob, rig, &by_bob, SIZE_MAX);
    news(&ada), news(&bob);
    web_events_touch(rig->events);
    look_now(rig);
    assert_string_equal(news(&ada), "");
    assert_string_equal(news(&bob), "");
    rig->services[0][1].up = false;
    web_events_touch(rig->events);
    look_now(rig);
    assert_string_equal(news(&ada), "event: machine\n"
                                    "data: {\"name\":\"box1\",\"online\":true,\"since\":\"2027-01-15T08:00:00Z\","
                                    "\"route\":\"relayed\",\"services\":["
                                    "{\"name\":\"ssh\",\"kind\":\"ssh\",\"port\":22,\"state\":\"up\"},"
                                    "{\"name\":\"jupyter\",\"kind\":\"http\",\"port\":8888,\"state\":\"down\"}]}\n\n");
    assert_string_equal(news(&bob), "event: machine\n"
                                    "data: {\"name\":\"box1\",\"online\":true,\"since\":\"2027-01-15T08:00:00Z\","
                                    "\"route\":\"relayed\",\"services\":["
                                    "{\"name\":\"jupyter\",\"kind\":\"http\",\"port\":8888,\"state\":\"down\"}]}\n\n");
    /* What bob may not see does not even make a sound. */
    rig->services[0][0].up = false;
    web_events_touch(rig->events);
    look_now(rig);
    assert_non_null(strstr(news(&ada), "event: machine\n"));
    assert_string_equal(news(&bob), "");
    browser_go(&ada);
    browser_go(&bob);
}

/* Not the services alone make a difference: bob may not use ssh there, so that the home's addresses are not for him. */
static void test_homes_are_not_told_to_everybody(void **state) {
    struct rig *rig = *state;
    struct browser ada, bob;
    const struct web_viewer by_ada = session_of(rig, rig->ada), by_bob = session_of(rig, rig->bob);
    rig->reach = true;
    browser_come(&ada, rig, &by_ada, SIZE_MAX);
    browser_come(&bob, rig, &by_bob, SIZE_MAX);
    assert_non_null(strstr(news(&ada), "\"reach\":{"));
    assert_null(strstr(news(&bob), "\"reach\":{"));
    rig->there[0] = false;
    web_events_touch(rig->events);
    look_now(rig);
    assert_null(strstr(news(&ada), "\"reach\":{"));
    rig->there[0] = true;
    web_events_touch(rig->events);
    look_now(rig);
    const char *text = news(&bob);
    assert_non_null(strstr(text, "\"online\":true"));
    assert_null(strstr(text, "\"reach\":{"));
    assert_non_null(strstr(news(&ada), "\"reach\":{"));
    browser_go(&ada);
    browser_go(&bob);
}

static void test_machines_come_and_go(void **state) {
    struct rig *rig = *state;
    struct browser ada;
    struct why why;
    const struct web_viewer by_ada = session_of(rig, rig->ada);
    browser_come(&ada, rig, &by_ada, SIZE_MAX);
    news(&ada);
    rig->box[2] = machine_add(rig, "alpha");
    web_events_touch(rig->events);
    look_now(rig);
    assert_string_equal(news(&ada), "event: machine\ndata: {\"name\":\"alpha\",\"online\":false,\"services\":[]}\n\n");
    assert_int_equal(store_machine_rename(rig->place->store, rig->box[2], "zulu", &why), 0);
    web_events_touch(rig->events);
    look_now(rig);
    assert_string_equal(news(&ada), "event: gone\ndata: {\"name\":\"alpha\"}\n\n"
                                    "event: machine\ndata: {\"name\":\"zulu\",\"online\":false,\"services\":[]}\n\n");
    assert_int_equal(store_machine_remove(rig->place->store, rig->box[2]), 0);
    web_events_touch(rig->events);
    look_now(rig);
    assert_string_equal(news(&ada), "event: gone\ndata: {\"name\":\"zulu\"}\n\n");
    browser_go(&ada);
}

static void stop(void *ctx) {
    loop_stop(ctx);
}

static void test_changes_are_told_together(void **state) {
    struct rig *rig = *state;
    struct browser ada, other;
    struct loop_timer end;
    const struct web_viewer by_ada = session_of(rig, rig->ada);
    web_events_touch(rig->events); /* nobody listens: nothing to do */
    assert_false(loop_timer_is_set(&rig->events->look_timer));
    browser_come(&ada, rig, &by_ada, SIZE_MAX);
    browser_come(&other, rig, &by_ada, SIZE_MAX);
    news(&ada), news(&other);
    rig->looks = 0;
    for (int i = 1; i <= 100; i++)
        change(rig, 0, i);
    assert_string_equal(news(&ada), "");
    loop_timer_init(rig->web.loop, &end, stop, rig->web.loop);
    assert_int_equal(loop_timer_set(&end, 600), 0);
    assert_int_equal(loop_run(rig->web.loop), 0);
    assert_int_equal(rig->looks, 1); /* for both listeners */
    const char *text = news(&ada);
    assert_non_null(strstr(text, "\"cpu_count\":100"));
    assert_null(strstr(text + 1, "event:"));
    assert_string_equal(news(&other), text);
    browser_go(&ada);
    browser_go(&other);
    assert_false(loop_timer_is_set(&rig->events->look_timer));
    assert_false(loop_timer_is_set(&rig->events->beat_timer));
}

static void test_a_slow_reader_gets_everything_anew(void **state) {
    struct rig *rig = *state;
    struct browser ada;
    struct buf all;
    const struct web_viewer by_ada = session_of(rig, rig->ada);
    buf_init(&all);
    browser_come(&ada, rig, &by_ada, SIZE_MAX);
    news(&ada);
    ada.room = 10; /* "event: mac" */
    change(rig, 0, 1);
    look_now(rig);
    for (int i = 2; i < 1000; i++) {
        change(rig, 0, i);
        look_now(rig);
        rig->events->beat_timer.fire(rig->events->beat_timer.ctx);
    }
    assert_string_equal(news(&ada), "event: mac");
    browser_drain(&ada);
    list_json(rig, rig->ada, &all);
    const char *text = news(&ada);
    assert_begins(text, "hine\ndata: {");
    assert_non_null(strstr(text, "\"cpu_count\":1}"));
    text = strstr(text, "\n\n");
    assert_begins(text, "\n\nretry: 2000\nevent: machines\ndata: ");
    assert_memory_equal(strstr(text, "data: ") + 6, buf_head(&all), buf_len(&all));
    assert_null(strstr(text + 30, "event:"));
    change(rig, 0, 1000);
    look_now(rig);
    assert_begins(news(&ada), "event: machine\n");
    browser_go(&ada);
    buf_fini(&all);
}

static void test_a_beat(void **state) {
    struct rig *rig = *state;
    struct browser ada;
    const struct web_viewer by_ada = session_of(rig, rig->ada);
    browser_come(&ada, rig, &by_ada, SIZE_MAX);
    news(&ada);
    assert_true(loop_timer_is_set(&rig->events->beat_timer));
    rig->events->beat_timer.fire(rig->events->beat_timer.ctx);
    assert_string_equal(news(&ada), ":\n\n");
    assert_true(loop_timer_is_set(&rig->events->beat_timer));
    loop_drain(rig->web.loop);
    assert_string_equal(news(&ada), "");
    /* One that is left out is not missed. */
    ada.room = 10;
    change(rig, 0, 1);
    look_now(rig);
    rig->events->beat_timer.fire(rig->events->beat_timer.ctx);
    browser_drain(&ada);
    const char *text = news(&ada);
    assert_begins(text, "event: machine\n");
    assert_null(strstr(text, "event: machines"));
    browser_go(&ada);
}

static void check_now(struct rig *rig) {
    web_events_check(rig->events);
    loop_drain(rig->web.loop);
}

static void assert_sent_away(struct browser *browser) {
    assert_string_equal(news(browser), "event: bye\ndata: {}\n\n");
    assert_null(browser->http);
    assert_true(browser->closed);
}

static void test_a_session_that_ends(void **state) {
    struct rig *rig = *state;
    struct browser one, two, slow;
    const struct web_viewer first = session_of(rig, rig->ada), second = session_of(rig, rig->ada);
    browser_come(&one, rig, &first, SIZE_MAX);
    browser_come(&two, rig, &second, SIZE_MAX);
    browser_come(&slow, rig, &first, 300);
    news(&one), news(&two);
    check_now(rig);
    assert_string_equal(news(&one), "");
    assert_int_equal(store_session_remove(rig->place->store, first.session_id), 0);
    check_now(rig);
    assert_sent_away(&one);
    assert_null(slow.http); /* that one cannot be told */
    assert_string_equal(news(&two), "");
    assert_non_null(two.http);
    /* Nobody says when a session is over for its age: the beat looks. */
    test_clock += WEB_SESSION_IDLE_S;
    rig->events->beat_timer.fire(rig->events->beat_timer.ctx);
    loop_drain(rig->web.loop);
    assert_string_equal(news(&two), ":\n\nevent: bye\ndata: {}\n\n");
    assert_null(two.http);
    browser_go(&one);
    browser_go(&two);
    browser_go(&slow);
}

static void test_a_token_that_ends(void **state) {
    static const uint8_t hash[STORE_HASH_SIZE] = {1}, other[STORE_HASH_SIZE] = {2};
    struct rig *rig = *state;
    struct browser one, two;
    struct api_token token, kept;
    assert_int_equal(store_token_add(rig->place->store, hash, rig->bob, "script", test_clock, &token), 0);
    assert_int_equal(store_token_add(rig->place->store, other, rig->bob, "kept", test_clock, &kept), 0);
    const struct web_viewer first = {.user_id = rig->bob, .token_id = token.id};
    const struct web_viewer second = {.user_id = rig->bob, .token_id = kept.id};
    browser_come(&one, rig, &first, SIZE_MAX);
    browser_come(&two, rig, &second, SIZE_MAX);
    news(&one), news(&two);
    check_now(rig);
    assert_non_null(one.http);
    assert_int_equal(store_token_remove(rig->place->store, token.id), 0);
    check_now(rig);
    assert_sent_away(&one);
    assert_non_null(two.http);
    assert_int_equal(store_user_set_disabled(rig->place->store, rig->bob, true), 0);
    check_now(rig);
    assert_sent_away(&two);
    browser_go(&one);
    browser_go(&two);
}

static void test_grants_and_users_that_end(void **state) {
    struct rig *rig = *state;
    struct browser ada, bob;
    const struct web_viewer by_ada = session_of(rig, rig->ada), by_bob = session_of(rig, rig->bob);
    browser_come(&ada, rig, &by_ada, SIZE_MAX);
    browser_come(&bob, rig, &by_bob, SIZE_MAX);
    news(&ada), news(&bob);
    assert_int_equal(store_grant_add(rig->place->store, rig->bob, rig->box[1], "", test_clock), 0);
    check_now(rig);
    assert_begins(news(&bob), "event: machine\ndata: {\"name\":\"box2\"");
    assert_int_equal(store_grant_remove(rig->place->store, rig->bob, rig->box[0], ""), 0);
    check_now(rig);
    assert_string_equal(news(&bob), "event: gone\ndata: {\"name\":\"box1\"}\n\n");
    assert_int_equal(store_user_remove(rig->place->store, rig->bob), 0);
    check_now(rig);
    assert_sent_away(&bob);
    assert_string_equal(news(&ada), "");
    browser_go(&ada);
    browser_go(&bob);
}

static void test_so_many_listeners(void **state) {
    enum { USER = 64, ALL = 1024 };
    struct rig *rig = *state;
    struct browser *crowd = calloc(ALL + 1, sizeof(*crowd));
    struct why why;
    struct web_viewer viewer = {.user_id = rig->ada, .token_id = 1};
    for (size_t i = 0; i < ALL; i++) {
        if (i && i % USER == 0) {
            char name[16];
            browser_come(&crowd[ALL], rig, &viewer, SIZE_MAX);
            assert_int_equal(crowd[ALL].joined, SP_EBUSY);
            browser_go(&crowd[ALL]);
            snprintf(name, sizeof(name), "user%zu", i);
            assert_int_equal(store_user_add(rig->place->store, name, ROLE_MEMBER, NULL, 1, &viewer.user_id, &why), 0);
        }
        browser_come(&crowd[i], rig, &viewer, SIZE_MAX);
        assert_int_equal(crowd[i].joined, 0);
    }
    viewer.user_id = rig->bob;
    browser_come(&crowd[ALL], rig, &viewer, SIZE_MAX);
    assert_int_equal(crowd[ALL].joined, SP_EBUSY);
    browser_go(&crowd[ALL]);
    browser_go(&crowd[7]);
    browser_come(&crowd[ALL], rig, &viewer, SIZE_MAX);
    assert_int_equal(crowd[ALL].joined, 0);
    for (size_t i = 0; i <= ALL; i++) {
        if (i != 7)
            browser_go(&crowd[i]);
    }
    free(crowd);
}

static void test_what_cannot_be_had(void **state) {
    struct rig *rig = *state;
    struct browser ada, nobody;
    const struct web_viewer by_ada = session_of(rig, rig->ada);
    const struct web_viewer by_nobody = {.user_id = 999, .session_id = 1};
    browser_come(&nobody, rig, &by_nobody, SIZE_MAX);
    assert_int_equal(nobody.joined, SP_ENOENT);
    browser_go(&nobody);
    rig->broken = true;
    browser_come(&ada, rig, &by_ada, SIZE_MAX);
    assert_int_equal(ada.joined, SP_ENOMEM);
    browser_go(&ada);
    assert_false(loop_timer_is_set(&rig->events->beat_timer));
    rig->broken = false;
    browser_come(&ada, rig, &by_ada, SIZE_MAX);
    news(&ada);
    rig->broken = true;
    change(rig, 0, 8);
    look_now(rig);
    rig->broken = false;
    look_now(rig); /* it tries again */
    assert_non_null(strstr(news(&ada), "\"cpu_count\":8"));
    browser_go(&ada);
}

static void test_freed_with_listeners(void **state) {
    struct rig *rig = *state;
    struct browser crowd[4];
    const struct web_viewer by_ada = session_of(rig, rig->ada), by_bob = session_of(rig, rig->bob);
    for (size_t i = 0; i < 4; i++)
        browser_come(&crowd[i], rig, i % 2 ? &by_ada : &by_bob, i < 2 ? 300 : SIZE_MAX);
    change(rig, 0, 4);
    web_events_check(rig->events);
    web_events_free(rig->events);
    for (size_t i = 0; i < 4; i++) {
        crowd[i].listener = NULL;
        browser_go(&crowd[i]);
    }
    assert_int_equal(web_events_new(&rig->web, &rig->events), 0);
}

/* What a page makes of the events that have come whole. */
static void browser_follow(struct browser *browser) {
    const char *text = buf_string(&browser->got);
    if (browser->read == 0) {
        const char *body = strstr(text, "\r\n\r\n");
        if (!body)
            return;
        browser->read = (size_t)(body + 4 - text);
    }
    for (const char *end; (end = strstr(text + browser->read, "\n\n")) != NULL;) {
        const char *event = text + browser->read;
        char kind[16] = "";
        browser->read = (size_t)(end + 2 - text);
        if (event[0] == ':')
            continue;
        if (str_starts(event, "retry: 2000\n"))
            event += 12;
        assert_int_equal(sscanf(event, "event: %15s", kind), 1);
        const char *data = strstr(event, "\ndata: ");
        assert_non_null(data);
        data += 7;
        json_t *value = json_loadb(data, (size_t)(end - data), 0, NULL);
        assert_non_null(value);
        if (strcmp(kind, "machines") == 0) {
            size_t i;
            json_t *machine;
            json_object_clear(browser->machines);
            json_array_foreach(value, i, machine)
                json_object_set(browser->machines, json_string_value(json_object_get(machine, "name")), machine);
            browser->wholes++;
        } else if (strcmp(kind, "machine") == 0) {
            json_object_set(browser->machines, json_string_value(json_object_get(value, "name")), value);
        } else if (strcmp(kind, "gone") == 0) {
            assert_int_equal(json_object_del(browser->machines, json_string_value(json_object_get(value, "name"))), 0);
        } else {
            assert_string_equal(kind, "bye");
            browser->byes++;
        }
        json_decref(value);
    }
}

/* What it shows is what it may see. */
static void assert_up_to_date(struct rig *rig, struct browser *browser) {
    struct buf all;
    json_t *machine, *want = json_object();
    size_t i;
    buf_init(&all);
    list_json(rig, browser->viewer.user_id, &all);
    json_t *list = json_loadb((const char *)buf_head(&all), buf_len(&all), 0, NULL);
    json_array_foreach(list, i, machine)
        json_object_set(want, json_string_value(json_object_get(machine, "name")), machine);
    assert_true(json_equal(want, browser->machines));
    json_decref(list);
    json_decref(want);
    buf_fini(&all);
}

static uint32_t dice(uint64_t *seed, uint32_t sides) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % sides;
}

static void random_change(struct rig *rig, uint64_t *seed) {
    size_t box = dice(seed, MACHINES);
    char name[24];
    struct why why;
    switch (dice(seed, 7)) {
    case 0:
        rig->there[box] = !rig->there[box];
        break;
    case 1:
        rig->services[box][dice(seed, 2)].up = dice(seed, 2);
        break;
    case 2:
        if (rig->box[box] && dice(seed, 2)) {
            assert_int_equal(store_machine_remove(rig->place->store, rig->box[box]), 0);
            rig->box[box] = 0;
        } else if (!rig->box[box]) {
            snprintf(name, sizeof(name), "box%zu", box + 1);
            rig->box[box] = machine_add(rig, name);
        }
        break;
    case 3:
        snprintf(name, sizeof(name), "%c%02u", 'a' + (int)dice(seed, 26), dice(seed, 100));
        if (rig->box[box])
            (void)store_machine_rename(rig->place->store, rig->box[box], name, &why);
        break;
    case 4:
        (void)store_grant_remove(rig->place->store, rig->bob, rig->box[box], "");
        web_events_check(rig->events);
        break;
    case 5:
        (void)store_grant_add(rig->place->store, rig->bob, rig->box[box], dice(seed, 2) ? "" : "ssh", 1);
        web_events_check(rig->events);
        break;
    default:
        rig->status[box].cpu_count = dice(seed, 4);
    }
    web_events_touch(rig->events);
}

/* Whatever happens, and however slowly it reads: in the end a page shows what there is. */
static void test_pages_follow(void **state) {
    enum { CROWD = 8 };
    struct rig *rig = *state;
    struct browser crowd[CROWD] = {0};
    const struct web_viewer viewers[] = {session_of(rig, rig->ada), session_of(rig, rig->bob)};
    uint64_t seed = 7;
    unsigned wholes = 0;
    for (unsigned round = 0; round < 4000; round++) {
        struct browser *browser = &crowd[dice(&seed, CROWD)];
        if (!browser->http) {
            browser_come(browser, rig, &viewers[dice(&seed, 2)], dice(&seed, 3) ? SIZE_MAX : dice(&seed, 2000));
        } else if (dice(&seed, 20) == 0) {
            browser_go(browser);
            *browser = (struct browser){.http = NULL};
        } else {
            browser->room = dice(&seed, 3) ? dice(&seed, 700) : SIZE_MAX;
            browser->stream.events->writable(browser->stream.ctx);
        }
        random_change(rig, &seed);
        loop_drain(rig->web.loop);
        if (dice(&seed, 2) && loop_timer_is_set(&rig->events->look_timer))
            look_now(rig);
        if (dice(&seed, 10) == 0 && web_events_count(rig->events))
            rig->events->beat_timer.fire(rig->events->beat_timer.ctx);
        if (round % 50 == 49) {
            if (loop_timer_is_set(&rig->events->look_timer))
                look_now(rig);
            for (size_t i = 0; i < CROWD; i++) {
                if (!crowd[i].http)
                    continue;
                browser_drain(&crowd[i]);
                browser_follow(&crowd[i]);
                assert_up_to_date(rig, &crowd[i]);
                wholes += crowd[i].wholes;
            }
        }
    }
    assert_true(wholes > 100); /* there were slow ones */
    for (size_t i = 0; i < CROWD; i++) {
        if (crowd[i].http)
            browser_go(&crowd[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_the_whole_comes_first),
        WITH_RIG(test_only_changes_are_told),
        WITH_RIG(test_homes_are_not_told_to_everybody),
        WITH_RIG(test_machines_come_and_go),
        WITH_RIG(test_changes_are_told_together),
        WITH_RIG(test_a_slow_reader_gets_everything_anew),
        WITH_RIG(test_a_beat),
        WITH_RIG(test_a_session_that_ends),
        WITH_RIG(test_a_token_that_ends),
        WITH_RIG(test_grants_and_users_that_end),
        WITH_RIG(test_so_many_listeners),
        WITH_RIG(test_what_cannot_be_had),
        WITH_RIG(test_freed_with_listeners),
        WITH_RIG(test_pages_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
