/* The verbs, as the operator, an admin, a member see them, over a real registry and made-up live machines. */
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

#include "sallyport/domain/join_url.h"
#include "sallyport/relay/verbs.h"
#include "sallyport/store/audit.h"
#include "sallyport/store/grants.h"
#include "sallyport/store/invites.h"
#include "sallyport/store/logins.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"
#include "sallyport/wire/digest.h"

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
    struct verbs verbs;
    struct verb_actor operator, alice, bob; /* alice is an admin, bob a member who was granted box1/jupyter */
    int64_t box1, box2;
    unsigned changes;
    char renamed[SP_NAME_SIZE];
    struct buf out, err;
};

static int64_t test_now(void) {
    return NOW;
}

/* box1 is there, with two services; box2 never was. */
static int live_view(void *ctx, int64_t machine_id, struct machine_view *out) {
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

static void count_change(void *ctx) {
    ((struct rig *)ctx)->changes++;
}

static void keep_name(void *ctx, int64_t machine_id, const char *name) {
    struct rig *rig = ctx;
    assert_int_equal(machine_id, rig->box1);
    snprintf(rig->renamed, sizeof(rig->renamed), "%s", name);
}

static int set_up(void **state) {
    struct rig *rig = calloc(1, sizeof(*rig));
    struct store *store;
    struct why why;
    assert_non_null(rig);
    snprintf(rig->dir, sizeof(rig->dir), "/tmp/sallyport-verbs-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(rig->path, sizeof(rig->path), "%s/relay.db", rig->dir);
    assert_int_equal(store_open(rig->path, &store, &why), 0);
    rig->verbs = (struct verbs){
        .source = {.store = store, .view = live_view, .ctx = rig},
        .changed = count_change,
        .renamed = keep_name,
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
    buf_init(&rig->out);
    buf_init(&rig->err);
    *state = rig;
    return 0;
}

static int tear_down(void **state) {
    static const char *const endings[] = {"", "-wal", "-shm"};
    struct rig *rig = *state;
    buf_fini(&rig->out);
    buf_fini(&rig->err);
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

static int run_input(struct rig *rig, const struct verb_actor *actor, const char *line, const char *input) {
    buf_fini(&rig->out);
    buf_fini(&rig->err);
    return verbs_run_line(&rig->verbs, actor, line, input, input ? strlen(input) : 0, &rig->out, &rig->err);
}

static int run(struct rig *rig, const struct verb_actor *actor, const char *line) {
    return run_input(rig, actor, line, NULL);
}

static const char *out(struct rig *rig) {
    return buf_string(&rig->out);
}

static const char *err(struct rig *rig) {
    return buf_string(&rig->err);
}

/* Runs it and wants that status, and that piece in what it said on standard error. */
static void expect(struct rig *rig, const struct verb_actor *actor, const char *line, int status, const char *said) {
    int got = run(rig, actor, line);
    if (got != status || !strstr(err(rig), said))
        fail_msg("%s: %d, out: %s, err: %s", line, got, out(rig), err(rig));
}

static json_t *run_json(struct rig *rig, const struct verb_actor *actor, const char *line) {
    assert_int_equal(run(rig, actor, line), 0);
    assert_string_equal(err(rig), "");
    json_t *value = json_loads(out(rig), 0, NULL);
    if (!value)
        fail_msg("%s: %s", line, out(rig));
    return value;
}

/* The newest line of the audit. */
static void expect_audit(struct rig *rig, const char *wanted) {
    struct audit_row *rows;
    size_t count;
    char got[600];
    assert_int_equal(store_audit_list(rig->verbs.source.store, 1, &rows, &count), 0);
    assert_int_equal(count, 1);
    snprintf(got, sizeof(got), "%s|%s|%s|%s|%s", rows[0].actor, rows[0].action, rows[0].object, rows[0].outcome,
             rows[0].detail);
    assert_string_equal(got, wanted);
    free(rows);
}

static void test_list(void **state) {
    struct rig *rig = *state;
    assert_int_equal(run(rig, &rig->alice, "list"), 0);
    assert_string_equal(out(rig), "NAME  STATE    SINCE  ROUTE    LOAD  MEM  DISK  SERVICES\n"
                                  "box1  online   1 min  relayed  -     -    -     ssh:22 jupyter:8888\n"
                                  "box2  offline  never  -        -     -    -     -\n");
    assert_int_equal(run(rig, &rig->bob, ""), 0);
    assert_string_equal(out(rig), "NAME  STATE   SINCE  ROUTE    LOAD  MEM  DISK  SERVICES\n"
                                  "box1  online  1 min  relayed  -     -    -     jupyter:8888\n");
    assert_non_null(strstr(err(rig), "'help' lists the verbs"));
    json_t *list = run_json(rig, &rig->bob, "list --json");
    assert_int_equal(json_array_size(list), 1);
    json_t *services = json_object_get(json_array_get(list, 0), "services");
    assert_int_equal(json_array_size(services), 1);
    json_decref(list);
    assert_int_equal(store_grant_remove(rig->verbs.source.store, rig->bob.user_id, rig->box1, ""), 0);
    assert_int_equal(run(rig, &rig->bob, "list"), 0);
    assert_string_equal(out(rig), "");
    assert_non_null(strstr(err(rig), "no machine was granted to you"));
    list = run_json(rig, &rig->bob, "list --json");
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
}

/* What a member may not see is answered as what is not there, word for word. */
static void test_status(void **state) {
    struct rig *rig = *state;
    char hidden[200];
    assert_int_equal(run(rig, &rig->bob, "status box2"), 1);
    snprintf(hidden, sizeof(hidden), "%s", err(rig));
    *strchr(hidden, '2') = '3';
    assert_int_equal(run(rig, &rig->bob, "status box3"), 1);
    assert_string_equal(err(rig), hidden);
    assert_int_equal(run(rig, &rig->bob, "status box1"), 0);
    assert_non_null(strstr(out(rig), "box1 is online for 1 min"));
    assert_null(strstr(out(rig), "ssh"));
    json_t *box = run_json(rig, &rig->operator, "status box2 --json");
    assert_string_equal(json_string_value(json_object_get(box, "name")), "box2");
    json_decref(box);
}

static void test_usage(void **state) {
    struct rig *rig = *state;
    expect(rig, &rig->alice, "lsit", 2, "did you mean 'list'?");
    expect(rig, &rig->alice, "statu", 2, "did you mean 'status'?");
    expect(rig, &rig->alice, "mach", 2, "did you mean 'machine'?");
    expect(rig, &rig->alice, "wake box1", 2, "there is no verb 'wake'; there are:\n  help");
    expect(rig, &rig->alice, "user", 2, "usage: user list [--json]\nusage: user add NAME");
    expect(rig, &rig->alice, "user kill bob", 2, "usage: user list");
    expect(rig, &rig->alice, "user add", 2, "usage: user add NAME");
    expect(rig, &rig->alice, "status", 2, "usage: status BOX");
    expect(rig, &rig->alice, "status box1 box2", 2, "usage: status BOX");
    expect(rig, &rig->alice, "list --free", 2, "there is no option '--free' here");
    expect(rig, &rig->alice, "list 'open", 2, "a quote is not closed");
    expect(rig, &rig->alice, "list '\033[2J'", 2, "control characters");
    expect(rig, &rig->alice, "invite machine box3 --for soon", 2, "not 'soon'");
    expect(rig, &rig->alice, "invite machine box3 --for", 2, "not ''");
    expect(rig, &rig->alice, "invite machine box3 --for=31d", 2, "1 minute to 30 days");
    assert_int_equal(run(rig, &rig->alice, "user add --help"), 0);
    assert_non_null(strstr(out(rig), "usage: user add NAME"));
    assert_int_equal(run(rig, &rig->alice, "help"), 0);
    assert_non_null(strstr(out(rig), "invite machine NAME"));
    assert_int_equal(run(rig, &rig->alice, "help user add"), 0);
    assert_non_null(strstr(out(rig), "user add"));
    assert_null(strstr(out(rig), "user list"));
    expect(rig, &rig->alice, "help fly", 2, "no help on 'fly'");
    assert_int_equal(run(rig, &rig->bob, "--help"), 0);
    assert_non_null(strstr(out(rig), "login"));
    assert_null(strstr(out(rig), "invite"));
    assert_int_equal(rig->changes, 0);
}

static void test_policy(void **state) {
    static const char *const for_admins[] = {
        "user list",           "user add carol",      "user remove alice",  "user disable alice",
        "user enable alice",   "machine list",        "machine add box3 -", "machine rename box1 box9",
        "machine remove box1", "invite machine box3", "invite user carol",  "invite list",
        "invite remove 1",     "grant bob box2",      "revoke bob box1",
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof(for_admins) / sizeof(for_admins[0]); i++) {
        expect(rig, &rig->bob, for_admins[i], 1, "is for admins only");
        assert_string_equal(out(rig), "");
    }
    expect_audit(rig, "bob|revoke|bob|refused|policy");
    expect(rig, &rig->bob, "key list alice", 1, "the keys of others are for admins only");
    expect(rig, &rig->bob, "key list nobody", 1, "the keys of others are for admins only");
    expect(rig, &rig->bob, "key add alice '" KEY2 "'", 1, "the keys of others are for admins only");
    expect(rig, &rig->bob, "key remove " PRINT1, 1, "there is no such key");
    expect(rig, &rig->bob, "key remove " PRINT2, 1, "there is no such key");
    expect(rig, &rig->operator, "login", 1, "the operator has no account");
    assert_int_equal(rig->changes, 0);
    assert_int_equal(store_user_set_disabled(rig->verbs.source.store, rig->bob.user_id, true), 0);
    expect(rig, &rig->bob, "list", 1, "this account is disabled");
    assert_int_equal(store_user_remove(rig->verbs.source.store, rig->bob.user_id), 0);
    expect(rig, &rig->bob, "list", 1, "this account is not there any more");
    struct verb_actor machine = {.kind = SUBJECT_MACHINE, .user_id = rig->alice.user_id}, nobody = {0};
    expect(rig, &machine, "list", 1, "this account is not there any more");
    expect(rig, &nobody, "list", 1, "this account is not there any more");
}

static void test_users(void **state) {
    struct rig *rig = *state;
    struct user user;
    expect(rig, &rig->alice, "user add carol --admin '" KEY2 "'", 0, "added the admin carol");
    expect_audit(rig, "alice|user add|carol|ok|admin, " PRINT2);
    expect(rig, &rig->alice, "user add dave " KEY3, 0, "added the member dave");
    expect(rig, &rig->alice, "user add ssh-fan --admin", 0, "without a key yet");
    assert_int_equal(store_user_find(rig->verbs.source.store, "ssh-fan", &user), 0);
    assert_int_equal(user.role, ROLE_ADMIN);
    assert_int_equal(run_input(rig, &rig->operator, "user add erin -", KEY4 "\r\n"), 0);
    expect(rig, &rig->alice, "user add carol", 1, "the name 'carol' is taken already");
    expect_audit(rig, "alice|user add|carol|failed|member");
    expect(rig, &rig->alice, "user add box1", 1, "the name 'box1' is taken already");
    expect(rig, &rig->alice, "user add Frank", 1, "a name begins with a letter a-z");
    expect(rig, &rig->alice, "user add root", 1, "reserved");
    expect(rig, &rig->alice, "user add frank " KEY2, 1, "this key is registered already");
    expect(rig, &rig->alice, "user add '" KEY2 "'", 1, "the name comes first");
    expect(rig, &rig->alice, "user add frank ssh-ed25519 AAAAcut", 1, "");
    expect(rig, &rig->alice, "user disable carol", 0, "carol is disabled now");
    assert_int_equal(rig->changes, 1);
    expect(rig, &rig->alice, "user remove carol", 0, "removed carol");
    assert_int_equal(rig->changes, 2);
    expect(rig, &rig->alice, "user remove carol", 1, "there is no user 'carol'");
    json_t *list = run_json(rig, &rig->alice, "user list --json");
    assert_int_equal(json_array_size(list), 5);
    json_t *bob = json_array_get(list, 1);
    json_t *want = json_loads("{\"name\":\"bob\",\"role\":\"member\",\"disabled\":false,\"keys\":0,"
                              "\"grants\":[\"box1/jupyter\"],\"created\":\"2026-11-23T10:00:00Z\"}",
                              0, NULL);
    assert_true(json_equal(bob, want));
    json_decref(want);
    json_decref(list);
    assert_int_equal(run(rig, &rig->alice, "user list"), 0);
    assert_non_null(strstr(out(rig), "bob      member  enabled  0     2026-11-23T10:00:00Z  box1/jupyter\n"));
}

static void test_last_admin(void **state) {
    struct rig *rig = *state;
    expect(rig, &rig->alice, "user remove alice", 1, "alice is the last admin");
    expect_audit(rig, "alice|user remove|alice|refused|the last admin");
    expect(rig, &rig->alice, "user disable alice", 1, "alice is the last admin");
    expect(rig, &rig->operator, "user add carol --admin", 0, "added");
    expect(rig, &rig->operator, "user disable carol", 0, "disabled");
    expect(rig, &rig->alice, "user disable alice", 1, "alice is the last admin");
    expect(rig, &rig->alice, "user remove carol", 0, "removed"); /* a disabled one is none */
    expect(rig, &rig->operator, "user remove alice", 0, "removed alice");
}

static void test_keys(void **state) {
    struct rig *rig = *state;
    struct key_owner owner;
    expect(rig, &rig->bob, "key add '" KEY2 "'", 0, "added " PRINT2 " for bob");
    expect_audit(rig, "bob|key add|bob|ok|" PRINT2);
    expect(rig, &rig->bob, "key add bob " KEY3, 0, "added " PRINT3 " for bob");
    expect(rig, &rig->bob, "key add '" KEY2 "'", 1, "this key is registered already");
    expect(rig, &rig->alice, "key add box1 " KEY4, 0, "for box1");
    expect(rig, &rig->alice, "key add nobody " KEY4, 1, "there is no user or machine 'nobody'");
    expect(rig, &rig->operator, "key add '" KEY4 "'", 1, "whose key is it?");
    expect(rig, &rig->bob, "key add bob", 1, "a public key is wanted");
    assert_int_equal(run_input(rig, &rig->bob, "key add -", ""), 1);
    assert_non_null(strstr(err(rig), "no key came on standard input"));
    assert_int_equal(run_input(rig, &rig->bob, "key add -", KEY3 "\n" KEY4 "\n"), 1);
    assert_non_null(strstr(err(rig), "one key at a time"));
    json_t *list = run_json(rig, &rig->bob, "key list --json");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "fingerprint")), PRINT2);
    json_decref(list);
    assert_int_equal(run(rig, &rig->operator, "key list"), 0);
    assert_non_null(strstr(out(rig), "box1   SHA256:"));
    assert_non_null(strstr(out(rig), "alice  " PRINT1));
    assert_int_equal(run(rig, &rig->alice, "key list bob"), 0);
    assert_null(strstr(out(rig), "alice"));
    expect(rig, &rig->bob, "key remove " PRINT2, 0, "removed " PRINT2 " of bob");
    assert_int_equal(rig->changes, 1);
    expect(rig, &rig->alice, "key remove " PRINT3, 0, "of bob");
    assert_int_equal(store_key_find(rig->verbs.source.store, PRINT3, &owner), 0);
    assert_int_equal(owner.kind, KEY_OWNER_NONE);
    expect(rig, &rig->alice, "key remove " PRINT3, 1, "there is no such key");
}

static void test_machines(void **state) {
    struct rig *rig = *state;
    struct machine machine;
    expect(rig, &rig->alice, "machine add box3 " KEY2, 0,
           "ssh -N -p 2222 -R ssh:22:localhost:22 box3@relay.example.org");
    expect(rig, &rig->alice, "machine add box4", 2, "usage: machine add");
    expect(rig, &rig->alice, "machine add bob " KEY3, 1, "the name 'bob' is taken already");
    expect(rig, &rig->alice, "machine add box4 " KEY2, 1, "this key is registered already");
    expect(rig, &rig->alice, "machine rename box1 tower", 0, "box1 is called tower now");
    assert_string_equal(rig->renamed, "tower");
    expect_audit(rig, "alice|machine rename|box1|ok|tower");
    expect(rig, &rig->alice, "machine rename tower bob", 1, "the name 'bob' is taken already");
    expect(rig, &rig->alice, "machine rename tower T", 1, "3 to 31");
    expect(rig, &rig->alice, "machine rename box1 other", 1, "there is no machine 'box1'");
    assert_string_equal(rig->renamed, "tower");
    json_t *list = run_json(rig, &rig->alice, "machine list --json");
    assert_int_equal(json_array_size(list), 3);
    json_decref(list);
    assert_int_equal(run(rig, &rig->alice, "machine list"), 0);
    assert_non_null(strstr(out(rig), "tower  2026-11-23T10:00:00Z  -\n"));
    assert_int_equal(rig->changes, 0);
    expect(rig, &rig->alice, "machine remove tower", 0, "removed tower");
    assert_int_equal(rig->changes, 1);
    assert_int_equal(store_machine_find(rig->verbs.source.store, "tower", &machine), SP_ENOENT);
}

static void test_grants(void **state) {
    struct rig *rig = *state;
    expect(rig, &rig->alice, "grant bob box2/ssh", 0, "bob may reach box2/ssh now");
    expect_audit(rig, "alice|grant|bob|ok|box2/ssh");
    expect(rig, &rig->alice, "grant bob box1", 0, "bob may reach box1 now");
    assert_int_equal(run(rig, &rig->bob, "whoami"), 0);
    assert_string_equal(out(rig), "bob (member)\nmay reach box1\nmay reach box1/jupyter\nmay reach box2/ssh\n");
    expect(rig, &rig->alice, "revoke bob box1/ssh", 1, "bob was granted all of box1: 'revoke bob box1'");
    expect(rig, &rig->alice, "revoke bob box1", 0, "took box1 back from bob");
    expect(rig, &rig->alice, "revoke bob box1", 1, "bob has no such grant");
    expect(rig, &rig->alice, "revoke alice box1", 1, "reaches every machine as an admin");
    expect(rig, &rig->alice, "grant carol box1", 1, "there is no user 'carol'");
    expect(rig, &rig->alice, "grant box1 box1", 1, "there is no user 'box1'");
    expect(rig, &rig->alice, "grant bob box9/ssh", 1, "there is no machine 'box9'");
    expect(rig, &rig->alice, "grant bob box1/", 1, "a service name");
    expect(rig, &rig->alice, "grant bob box1/a/b", 1, "a service name");
    expect(rig, &rig->alice,
           "grant bob box1/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1,
           "BOX or BOX/SERVICE is wanted");
    json_t *me = run_json(rig, &rig->bob, "whoami --json");
    json_t *want = json_loads("{\"name\":\"bob\",\"role\":\"member\",\"grants\":[\"box2/ssh\"]}", 0, NULL);
    assert_true(json_equal(me, want));
    json_decref(me);
    json_decref(want);
    assert_int_equal(run(rig, &rig->alice, "whoami"), 0);
    assert_string_equal(out(rig), "alice (admin)\nmay reach every machine\n");
    assert_int_equal(run(rig, &rig->operator, "whoami"), 0);
    assert_string_equal(out(rig), "operator (operator)\nmay reach every machine\n");
}

/* The token in what was printed, between `before` and `after`. */
static void find_token(struct rig *rig, const char *before, const char *after, char token[static 44]) {
    const char *start = strstr(out(rig), before);
    assert_non_null(start);
    start += strlen(before);
    assert_true(strncmp(start + 43, after, strlen(after)) == 0);
    memcpy(token, start, 43);
    token[43] = '\0';
}

static void expect_no_secret(struct rig *rig, const char *token) {
    struct audit_row *rows;
    size_t count;
    assert_int_equal(store_audit_list(rig->verbs.source.store, 100, &rows, &count), 0);
    for (size_t i = 0; i < count; i++)
        assert_null(strstr(rows[i].detail, token) || strstr(rows[i].object, token) ? rows : NULL);
    free(rows);
    assert_null(strstr(err(rig), token));
}

static void test_invite_machine(void **state) {
    struct rig *rig = *state;
    struct key_text key = {"ssh-ed25519", "AAAA", PRINT2, NULL};
    struct invite_result result;
    uint8_t hash[STORE_HASH_SIZE];
    struct join_url url;
    struct why why = {""};
    char line[JOIN_URL_SIZE];
    assert_int_equal(run(rig, &rig->alice, "invite machine box3 --for 2h"), 0);
    assert_int_equal(sscanf(out(rig), "sallyport-agent join '%399[^']'\n", line), 1);
    assert_int_equal(join_url_parse(line, &url, &why), 0);
    assert_string_equal(url.host, "relay.example.org");
    assert_int_equal(url.port, 2222);
    assert_string_equal(url.fingerprint, HOST_PRINT);
    assert_non_null(strstr(err(rig), "good for 2 h, once"));
    expect_no_secret(rig, url.token);
    expect_audit(rig, "alice|invite machine|box3|ok|");
    assert_int_equal(digest_sha256(url.token, 43, hash), 0);
    assert_int_equal(store_invite_redeem(rig->verbs.source.store, hash, &key, NOW + 7200, &result, &why), SP_EEXPIRED);
    assert_int_equal(store_invite_redeem(rig->verbs.source.store, hash, &key, NOW + 7199, &result, &why), 0);
    assert_string_equal(result.name, "box3");
    expect(rig, &rig->alice, "invite machine box3", 0, "joining again replaces its key");
    assert_non_null(strstr(err(rig), "good for 1 d"));
    expect(rig, &rig->alice, "invite machine bob", 1, "the name 'bob' is taken already, by a user");
    expect(rig, &rig->alice, "invite machine b", 1, "3 to 31");
}

static void test_invite_user(void **state) {
    struct rig *rig = *state;
    char token[44];
    assert_int_equal(run(rig, &rig->operator, "invite user carol --admin --for 10m"), 0);
    find_token(rig, "echo ", " | ssh -p 2222 join@relay.example.org\n", token);
    expect_no_secret(rig, token);
    assert_non_null(strstr(err(rig), HOST_PRINT));
    assert_non_null(strstr(err(rig), "good for 10 min, once"));
    expect(rig, &rig->alice, "invite user bob", 0, "this adds one more key");
    expect(rig, &rig->alice, "invite user bob --admin", 1, "--admin is for new users");
    expect(rig, &rig->alice, "invite user box1", 1, "the name 'box1' is taken already, by a machine");
    json_t *list = run_json(rig, &rig->alice, "invite list --json");
    json_t *want = json_loads("[{\"id\":1,\"kind\":\"user\",\"name\":\"carol\",\"role\":\"admin\","
                              "\"created_by\":\"operator\",\"created\":\"2026-11-23T10:00:00Z\","
                              "\"expires\":\"2026-11-23T10:10:00Z\"},"
                              "{\"id\":2,\"kind\":\"user\",\"name\":\"bob\",\"role\":\"member\","
                              "\"created_by\":\"alice\",\"created\":\"2026-11-23T10:00:00Z\","
                              "\"expires\":\"2026-11-24T10:00:00Z\"}]",
                              0, NULL);
    if (!json_equal(list, want))
        fail_msg("%s", out(rig));
    json_decref(list);
    json_decref(want);
    assert_int_equal(run(rig, &rig->alice, "invite list"), 0);
    assert_non_null(strstr(out(rig), "1   user  carol  admin   operator  2026-11-23T10:10:00Z\n"));
    expect(rig, &rig->alice, "invite remove 1", 0, "removed the invite 1");
    expect(rig, &rig->alice, "invite remove 1", 1, "there is no open invite '1'");
    expect(rig, &rig->alice, "invite remove x", 1, "there is no open invite 'x'");
}

static void test_login(void **state) {
    struct rig *rig = *state;
    uint8_t hash[STORE_HASH_SIZE];
    struct why why;
    struct user user;
    char token[44];
    assert_int_equal(run(rig, &rig->bob, "login"), 0);
    find_token(rig, "https://relay.example.org:2222/login/", "\n", token);
    expect_no_secret(rig, token);
    expect_audit(rig, "bob|login|bob|ok|");
    assert_string_equal(err(rig), "good for 10 minutes, once\n");
    assert_int_equal(digest_sha256(token, 43, hash), 0);
    assert_int_equal(store_login_redeem(rig->verbs.source.store, hash, NOW + 600, &user, &why), SP_EEXPIRED);
    assert_int_equal(store_login_redeem(rig->verbs.source.store, hash, NOW + 599, &user, &why), 0);
    assert_string_equal(user.name, "bob");
    rig->verbs.host = "2001:db8::1";
    rig->verbs.port = 443;
    assert_int_equal(run(rig, &rig->bob, "login"), 0);
    find_token(rig, "https://[2001:db8::1]/login/", "\n", token);
}

static void test_wants_input(void **state) {
    (void)state;
    assert_true(verbs_wants_input("key add -"));
    assert_true(verbs_wants_input("user add carol --admin '-'"));
    assert_false(verbs_wants_input("key add 'a - b'"));
    assert_false(verbs_wants_input("list"));
    assert_false(verbs_wants_input(""));
    assert_false(verbs_wants_input("key add '-"));
}

static void test_long(void **state) {
    struct rig *rig = *state;
    char line[20000];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    expect(rig, &rig->alice, line, 2, "that is too long");
    line[8000] = '\0';
    expect(rig, &rig->alice, line, 2, "there is no verb");
    for (size_t i = 1; i < 8000; i += 2)
        line[i] = ' ';
    expect(rig, &rig->alice, line, 2, "that is too long");
    char word[] = "list", *words[100];
    for (size_t i = 0; i < 100; i++)
        words[i] = word;
    buf_fini(&rig->err);
    assert_int_equal(verbs_run(&rig->verbs, &rig->alice, words, 100, NULL, 0, &rig->out, &rig->err), 2);
    assert_non_null(strstr(err(rig), "more than 64 words"));
}

#define rig_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        rig_test(test_list),        rig_test(test_status),         rig_test(test_usage),       rig_test(test_policy),
        rig_test(test_users),       rig_test(test_last_admin),     rig_test(test_keys),        rig_test(test_machines),
        rig_test(test_grants),      rig_test(test_invite_machine), rig_test(test_invite_user), rig_test(test_login),
        rig_test(test_wants_input), rig_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
