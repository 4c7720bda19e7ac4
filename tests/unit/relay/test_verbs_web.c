/* key --api, session: what people have to do with the web by ssh. */
#include "verbs_rig.h"

#include "sallyport/store/logins.h"
#include "sallyport/store/tokens.h"

/* Makes one by that line, which must print it; the token's fingerprint. */
static void add_token(struct rig *rig, const struct verb_actor *actor, const char *line, char print[static 64]) {
    char text[SECRET_TOKEN_LEN + 1];
    uint8_t hash[STORE_HASH_SIZE];
    struct api_token token;
    struct user user;
    assert_int_equal(run(rig, actor, line), 0);
    assert_int_equal(sscanf(out(rig), "sallyport_%43[A-Za-z0-9_-]\n", text), 1);
    assert_int_equal(strlen(out(rig)), strlen("sallyport_") + SECRET_TOKEN_LEN + 1);
    assert_null(strstr(err(rig), text));
    assert_int_equal(digest_sha256(text, SECRET_TOKEN_LEN, hash), 0);
    assert_int_equal(store_token_find(rig->verbs.source.store, hash, &token, &user), 0);
    assert_non_null(strstr(err(rig), token.fingerprint));
    snprintf(print, 64, "%s", token.fingerprint);
}

static void test_tokens(void **state) {
    struct rig *rig = *state;
    char mine[64], given[64], wanted[256];
    add_token(rig, &rig->bob, "key add --api 'my script'", mine);
    snprintf(wanted, sizeof(wanted), "bob|key add|bob|ok|%s", mine);
    expect_audit(rig, wanted);
    add_token(rig, &rig->alice, "key add bob --api=cron", given);
    assert_int_equal(rig->changes, 0);
    json_t *list = run_json(rig, &rig->bob, "key list --json");
    assert_int_equal(json_array_size(list), 2);
    json_t *wish = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "owner", "bob", "owner_kind", "user", "fingerprint",
                             mine, "type", "api", "label", "my script", "created", "2026-11-23T10:00:00Z");
    assert_true(json_equal(json_array_get(list, 0), wish));
    json_decref(wish);
    json_decref(list);
    assert_int_equal(run(rig, &rig->operator, "key list"), 0);
    assert_non_null(strstr(out(rig), "alice  " PRINT1));
    snprintf(wanted, sizeof(wanted), "bob    %s ", given);
    assert_non_null(strstr(out(rig), wanted));
    assert_int_equal(run(rig, &rig->alice, "key list"), 0);
    assert_null(strstr(out(rig), "API:"));
    assert_int_equal(run(rig, &rig->alice, "key list box1"), 0);
    assert_null(strstr(out(rig), "API:"));
    snprintf(wanted, sizeof(wanted), "key remove %s", mine);
    expect(rig, &rig->bob, wanted, 0, "of bob");
    assert_int_equal(rig->changes, 1);
    expect(rig, &rig->bob, wanted, 1, "there is no such token");
    snprintf(wanted, sizeof(wanted), "key remove %s", given);
    expect(rig, &rig->alice, wanted, 0, "of bob");
    assert_int_equal(rig->changes, 2);
}

static void test_tokens_refused(void **state) {
    struct rig *rig = *state;
    char print[64], line[128];
    expect(rig, &rig->bob, "key add alice --api x", 1, "for admins only");
    expect_audit(rig, "bob|key add|alice|refused|policy");
    expect(rig, &rig->bob, "key add --api", 2, "a label is wanted");
    expect(rig, &rig->bob, "key add --api ''", 2, "a label is wanted");
    expect(rig, &rig->bob, "key add --api 0123456789012345678901234567890123456789012345678901234567890123", 1,
           "the label is too long");
    expect(rig, &rig->bob, "key add --api x " KEY2, 2, "either a public key");
    expect(rig, &rig->bob, "key add", 1, "a public key is wanted");
    expect(rig, &rig->operator, "key add --api x", 1, "the operator has no account");
    expect(rig, &rig->alice, "key add box1 --api x", 1, "API tokens are for users");
    expect(rig, &rig->alice, "key add nobody --api x", 1, "there is no user or machine 'nobody'");
    expect(rig, &rig->alice, "key list --api x", 2, "there is no option");
    add_token(rig, &rig->alice, "key add --api mine", print);
    snprintf(line, sizeof(line), "key remove %s", print);
    expect(rig, &rig->bob, line, 1, "there is no such token");
    assert_int_equal(rig->changes, 0);
    for (int i = 1; i < STORE_TOKENS_MAX; i++)
        add_token(rig, &rig->alice, "key add --api more", print);
    expect(rig, &rig->alice, "key add --api more", 1, "alice has 32 API tokens already");
}

static int64_t add_session(struct rig *rig, const struct verb_actor *user, uint8_t fill) {
    uint8_t hash[STORE_HASH_SIZE];
    int64_t id = 0;
    memset(hash, fill, sizeof(hash));
    assert_int_equal(store_session_add(rig->verbs.source.store, hash, user->user_id, NOW - fill, NOW + 1000,
                                       "198.51.100.7", "Browser", &id),
                     0);
    return id;
}

static size_t count_sessions(struct rig *rig, const struct verb_actor *user) {
    struct session_row *rows;
    size_t count;
    assert_int_equal(store_session_list(rig->verbs.source.store, user->user_id, NOW, 7 * 86400, &rows, &count), 0);
    free(rows);
    return count;
}

static void test_sessions(void **state) {
    struct rig *rig = *state;
    char line[64];
    int64_t first = add_session(rig, &rig->bob, 1), alices = add_session(rig, &rig->alice, 2);
    add_session(rig, &rig->bob, 3);
    json_t *list = run_json(rig, &rig->bob, "session list --json");
    json_t *wish = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "id", (json_int_t)first, "address", "198.51.100.7",
                             "agent", "Browser", "created", "2026-11-23T09:59:59Z", "last_used", "2026-11-23T09:59:59Z",
                             "expires", "2026-11-23T10:16:40Z");
    assert_int_equal(json_array_size(list), 2);
    assert_true(json_equal(json_array_get(list, 0), wish));
    json_decref(wish);
    json_decref(list);
    assert_int_equal(run(rig, &rig->alice, "session list bob"), 0);
    assert_non_null(strstr(out(rig), "198.51.100.7  Browser\n"));
    expect(rig, &rig->bob, "session list alice", 1, "for admins only");
    expect(rig, &rig->operator, "session list", 1, "Name a user");
    expect(rig, &rig->alice, "session list box1", 1, "is a machine");
    snprintf(line, sizeof(line), "session remove %lld", (long long)alices);
    expect(rig, &rig->bob, line, 1, "there is no such session");
    expect(rig, &rig->bob, "session remove 0", 1, "there is no such session");
    expect(rig, &rig->bob, "session remove x", 1, "there is no such session");
    expect(rig, &rig->bob, "session remove", 2, "which one?");
    expect(rig, &rig->bob, "session remove alice --all", 1, "for admins only");
    assert_int_equal(rig->changes, 0);
    snprintf(line, sizeof(line), "session remove %lld", (long long)first);
    expect(rig, &rig->bob, line, 0, "of bob out");
    assert_int_equal(rig->changes, 1);
    assert_int_equal(count_sessions(rig, &rig->bob), 1);
    expect(rig, &rig->bob, "session remove --all", 0, "logged all browsers of bob out");
    expect_audit(rig, "bob|session remove|bob|ok|all");
    assert_int_equal(rig->changes, 2);
    assert_int_equal(count_sessions(rig, &rig->bob), 0);
    assert_int_equal(count_sessions(rig, &rig->alice), 1);
    expect(rig, &rig->operator, "session remove --all alice", 0, "of alice out");
    assert_int_equal(count_sessions(rig, &rig->alice), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        rig_test(test_tokens),
        rig_test(test_tokens_refused),
        rig_test(test_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
