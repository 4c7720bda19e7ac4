/* What the tests of the verbs share: a real registry, made-up live machines, and who asks. */
#ifndef SALLYPORT_TEST_RELAY_VERBS_RIG_H
#define SALLYPORT_TEST_RELAY_VERBS_RIG_H

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
#include "sallyport/domain/join_url.h"
#include "sallyport/relay/verbs.h"
#include "sallyport/store/audit.h"
#include "sallyport/store/grants.h"
#include "sallyport/store/invites.h"
#include "sallyport/store/logins.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"
#include "sallyport/wire/digest.h"
#include "watch.h"

#define NOW INT64_C(1795428000) /* 2026-11-23T10:00:00Z */
#define KEY1 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuCkShA17D3LHaCwrgrcXqwImz7+w52uKBNld749+do key1"
#define PRINT1 "SHA256:p87QMU4YdD638Ha9rFlpxmGsiTebOAJLBr0RPrca4r0"
#define KEY2 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINOTylWyrmxFj4lmO5bAZ5y7v4GiwQuKLUDfnvGpBlHb key2"
#define PRINT2 "SHA256:XYRr9YfrRyFuRMLsaBaIi2x+04FCjwtqhhP9NMIhA8I"
#define KEY3 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILI1RbWbB7nVIYpjDUatK05uniYX/+7oI/kCSKdgWo5f key3"
#define PRINT3 "SHA256:m3KVc79pu5faSG3EETRNhMCOKUd7zbjMO8/B4Htr1fY"
#define KEY4 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOa2zEcJK05cgzgeIxzmnTcI3STXb19zR9u36mySL6zV key4"
#define HOST_PRINT "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN+/1"

struct rig {
    char dir[64], path[96];
    struct loop *loop;
    struct watch *watch;
    struct verbs verbs;
    struct verb_actor operator, alice, bob; /* alice is an admin, bob a member who was granted box1/jupyter */
    int64_t box1, box2;
    unsigned changes;
    char renamed[SP_NAME_SIZE];
    char lost[64];    /* "bob" or "bob all" */
    char ordered[96]; /* "box1 tensorboard" or "box1 not tensorboard" */
    struct buf out, err;
};

static inline int64_t test_now(void) {
    return NOW;
}

/* box1 is there, with two services; box2 never was. */
static inline int live_view(void *ctx, int64_t machine_id, struct machine_view *out) {
    static const struct service services[] = {
        {.name = "ssh", .kind = SERVICE_SSH, .port = 22, .up = true},
        {.name = "jupyter", .kind = SERVICE_HTTP, .port = 8888, .up = true},
    };
    const struct rig *rig = ctx;
    if (machine_id != rig->box1)
        return SP_ENOENT;
    out->online = true;
    out->since = NOW - 60;
    out->route = ROUTE_RELAYED;
    out->services = services;
    out->service_count = 2;
    return 0;
}

static inline void count_change(void *ctx) {
    ((struct rig *)ctx)->changes++;
}

static inline void keep_name(void *ctx, int64_t machine_id, const char *name) {
    struct rig *rig = ctx;
    assert_int_equal(machine_id, rig->box1);
    snprintf(rig->renamed, sizeof(rig->renamed), "%s", name);
}

static inline void keep_loss(void *ctx, int64_t user_id, const char *name, bool all) {
    struct rig *rig = ctx;
    assert_int_not_equal(user_id, 0);
    snprintf(rig->lost, sizeof(rig->lost), "%s%s", name, all ? " all" : "");
}

static inline int fake_ticket(void *ctx, const struct verb_actor *actor, const char *name,
                              const struct policy_subject *subject, const char *box, const char *service,
                              struct buf *out, struct why *why) {
    (void)ctx;
    (void)actor;
    (void)subject;
    if (strcmp(box, "box1") != 0) {
        why_set(why, "no %s", box);
        return SP_ENOENT;
    }
    return buf_printf(out, "%s/%s for %s\n", box, service, name);
}

static inline int keep_order(void *ctx, const struct machine *machine, const char *service, bool published,
                             struct why *why) {
    struct rig *rig = ctx;
    if (strcmp(service, "nix") == 0) {
        why_set(why, "%s has no nix", machine->name);
        return SP_ENOENT;
    }
    snprintf(rig->ordered, sizeof(rig->ordered), "%s%s %s", machine->name, published ? "" : " not", service);
    return 0;
}

static inline int set_up(void **state) {
    struct rig *rig = calloc(1, sizeof(*rig));
    struct store *store;
    struct why why;
    assert_non_null(rig);
    snprintf(rig->dir, sizeof(rig->dir), "/tmp/sallyport-verbs-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(rig->path, sizeof(rig->path), "%s/relay.db", rig->dir);
    assert_int_equal(store_open(rig->path, &store, &why), 0);
    assert_int_equal(loop_new(&rig->loop), 0);
    rig->verbs = (struct verbs){
        .source = {.store = store, .view = live_view, .ctx = rig},
        .changed = count_change,
        .renamed = keep_name,
        .lost = keep_loss,
        .ticket = fake_ticket,
        .publish = keep_order,
        .ctx = rig,
        .now = test_now,
        .host = "relay.example.org",
        .port = 2222,
        .fingerprint = HOST_PRINT,
    };
    struct key_text key = {"ssh-ed25519", "AAAA", PRINT1, "key1"};
    rig->operator.kind = SUBJECT_OPERATOR;
    rig->alice.kind = rig->bob.kind = SUBJECT_USER;
    assert_int_equal(store_user_add(store, "alice", ROLE_ADMIN, &key, NOW, &rig->alice.user_id, NULL), 0);
    assert_int_equal(store_user_add(store, "bob", ROLE_MEMBER, NULL, NOW, &rig->bob.user_id, NULL), 0);
    assert_int_equal(store_machine_add(store, "box1", NULL, NOW, &rig->box1, NULL), 0);
    assert_int_equal(store_machine_add(store, "box2", NULL, NOW, &rig->box2, NULL), 0);
    assert_int_equal(store_grant_add(store, rig->bob.user_id, rig->box1, "jupyter", NOW), 0);
    struct watch_config watch = {
        .loop = rig->loop, .store = store, .now = test_now, .page = "https://relay.example.org:2222"};
    assert_int_equal(watch_new(&watch, &rig->watch, &why), 0);
    rig->verbs.watch = rig->watch;
    buf_init(&rig->out);
    buf_init(&rig->err);
    *state = rig;
    return 0;
}

static inline int tear_down(void **state) {
    static const char *const endings[] = {"", "-wal", "-shm"};
    struct rig *rig = *state;
    buf_fini(&rig->out);
    buf_fini(&rig->err);
    watch_free(rig->watch);
    loop_free(rig->loop);
    store_close(rig->verbs.source.store);
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s%s", rig->path, endings[i]);
        unlink(path);
    }
    rmdir(rig->dir);
    free(rig);
    return 0;
}

static inline int run_input(struct rig *rig, const struct verb_actor *actor, const char *line, const char *input) {
    buf_fini(&rig->out);
    buf_fini(&rig->err);
    return verbs_run_line(&rig->verbs, actor, line, input, input ? strlen(input) : 0, &rig->out, &rig->err);
}

static inline int run(struct rig *rig, const struct verb_actor *actor, const char *line) {
    return run_input(rig, actor, line, NULL);
}

static const char *out(struct rig *rig) {
    return buf_string(&rig->out);
}

static const char *err(struct rig *rig) {
    return buf_string(&rig->err);
}

/* Runs it and wants that status, and that piece in what it said on standard error. */
static inline void expect(struct rig *rig, const struct verb_actor *actor, const char *line, int status,
                          const char *said) {
    int got = run(rig, actor, line);
    if (got != status || !strstr(err(rig), said))
        fail_msg("%s: %d, out: %s, err: %s", line, got, out(rig), err(rig));
}

static inline json_t *run_json(struct rig *rig, const struct verb_actor *actor, const char *line) {
    assert_int_equal(run(rig, actor, line), 0);
    assert_string_equal(err(rig), "");
    json_t *value = json_loads(out(rig), 0, NULL);
    if (!value)
        fail_msg("%s: %s", line, out(rig));
    return value;
}

/* The newest line of the audit. */
static inline void expect_audit(struct rig *rig, const char *wanted) {
    struct audit_row *rows;
    size_t count;
    char got[600];
    assert_int_equal(store_audit_list(rig->verbs.source.store, NULL, 1, &rows, &count), 0);
    assert_int_equal(count, 1);
    snprintf(got, sizeof(got), "%s|%s|%s|%s|%s", rows[0].actor, rows[0].action, rows[0].object, rows[0].outcome,
             rows[0].detail);
    assert_string_equal(got, wanted);
    free(rows);
}

#define rig_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
