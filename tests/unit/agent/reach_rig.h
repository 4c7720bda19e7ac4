/* A router, and a network, that a test of reach plays. */
#ifndef SALLYPORT_TESTS_REACH_RIG_H
#define SALLYPORT_TESTS_REACH_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "own_clock.h"
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
    uint64_t changed_at;            /* loop_now at the last change */
    struct portmap_request request; /* the last one */
    void (*done)(void *ctx, const struct portmap_result *result);
    void *ctx; /* NULL: none is running */
} stand;

static inline int fake_start(struct loop *loop, const struct portmap_request *request, uint64_t deadline_ms,
                             void (*done)(void *ctx, const struct portmap_result *result), void *ctx,
                             struct portmap **out) {
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

static inline void fake_cancel(struct portmap *portmap) {
    assert_ptr_equal(portmap, &stand);
    assert_non_null(stand.ctx);
    stand.cancelled++;
    stand.ctx = NULL;
}

static inline void fake_find(struct portmap_request *request) {
    memcpy(request->gateway4, stand.net.gateway4, sizeof request->gateway4);
    memcpy(request->gateway6, stand.net.gateway6, sizeof request->gateway6);
    memcpy(request->address6, stand.net.address6, sizeof request->address6);
}

static inline int fake_own(struct own_addresses *out) {
    *out = stand.own;
    return 0;
}

static const struct reach_calls fake_calls = {
    .start = fake_start, .cancel = fake_cancel, .find_gateways = fake_find, .own_addresses = fake_own};

static inline void stand_stop(void *ctx) {
    (void)ctx;
    loop_stop(stand.loop);
}

static inline void stand_changed(void *ctx) {
    (void)ctx;
    stand.changes++;
    stand.changed_at = loop_now(stand.loop);
}

static inline void turn(uint64_t ms) {
    assert_int_equal(loop_timer_set(&stand.stop, ms), 0);
    assert_int_equal(loop_run(stand.loop), 0);
}

/* Turns until the router is asked once more. */
static inline void until_asked(enum portmap_op op) {
    unsigned before = stand.asked;
    uint64_t give_up = os_monotonic_ms() + PATIENCE_MS;
    while (!stand.ctx && os_monotonic_ms() < give_up)
        turn(10);
    if (!stand.ctx)
        fail_msg("the router was not asked again (%u times so far)", before);
    assert_int_equal(stand.request.op, op);
}

static inline void nobody_is_asked(void) {
    turn(300);
    assert_null(stand.ctx);
}

static inline void answer(const struct portmap_result *result) {
    void *ctx = stand.ctx;
    assert_non_null(ctx);
    stand.ctx = NULL;
    stand.done(ctx, result);
}

static inline struct portmap_result mapped(uint16_t port) {
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

static inline void answer_outcome(enum portmap_outcome outcome, const char *trouble) {
    struct portmap_result result = {.outcome = outcome, .memory = stand.request.memory};
    (void)snprintf(result.trouble, sizeof result.trouble, "%s", trouble);
    answer(&result);
}

static inline void own_address(const char *text, bool lan) {
    struct own_address *own = &stand.own.list[stand.own.count++];
    (void)snprintf(own->text, sizeof own->text, "%s", text);
    own->lan = lan;
}

static inline void at_home(void) {
    memset(&stand.net, 0, sizeof stand.net);
    memset(&stand.own, 0, sizeof stand.own);
    (void)snprintf(stand.net.gateway4, sizeof stand.net.gateway4, "192.168.1.1");
    own_address("192.168.1.20", true);
    own_address("172.17.0.1", false);
}

static inline void elsewhere(void) {
    memset(&stand.net, 0, sizeof stand.net);
    memset(&stand.own, 0, sizeof stand.own);
    (void)snprintf(stand.net.gateway4, sizeof stand.net.gateway4, "10.0.0.1");
    own_address("10.0.0.77", true);
}

static inline void start(void) {
    assert_int_equal(reach_new(&stand.config, &stand.reach), 0);
}

static inline int open_stand(void **state) {
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

static inline int close_stand(void **state) {
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

static inline void aim(void) {
    struct reach_aim aim = {.door_port = 50000, .world_port = 50000};
    reach_aim(stand.reach, &aim);
}

static inline const struct candidate *find(enum candidate_kind kind) {
    struct reach_view view;
    reach_look(stand.reach, &view);
    for (size_t i = 0; i < view.count; i++)
        if (view.list[i].kind == kind)
            return &view.list[i];
    return NULL;
}

static inline void trouble_says(const char *text) {
    struct reach_view view;
    reach_look(stand.reach, &view);
    if (text[0] ? !strstr(view.trouble, text) : view.trouble[0] != '\0')
        fail_msg("trouble: '%s', not '%s'", view.trouble, text);
}

static inline void map_port(uint16_t port) {
    until_asked(PORTMAP_MAP);
    struct portmap_result result = mapped(port);
    answer(&result);
}

#define reach_test(test) cmocka_unit_test_setup_teardown(test, open_stand, close_stand)

#endif
