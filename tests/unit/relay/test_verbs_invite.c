/* machine, invite, login: how machines and people come in; no secret is left lying about. */
#include "verbs_rig.h"

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
    assert_int_equal(store_audit_list(rig->verbs.source.store, NULL, 100, &rows, &count), 0);
    for (size_t i = 0; i < count; i++)
        assert_null(strstr(rows[i].detail, token) || strstr(rows[i].object, token) ? rows : NULL);
    free(rows);
    assert_null(strstr(err(rig), token));
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
    char token[44], client[256];
    assert_int_equal(run(rig, &rig->operator, "invite user carol --admin --for 10m"), 0);
    find_token(rig, "echo ", " | ssh -p 2222 join@relay.example.org\n", token);
    expect_no_secret(rig, token);
    (void)snprintf(client, sizeof(client), "sallyport join 'sallyport://relay.example.org:2222/%s#" HOST_PRINT "'\n",
                   token);
    assert_non_null(strstr(out(rig), client));
    assert_non_null(strstr(err(rig), "ssh must show " HOST_PRINT));
    assert_non_null(strstr(err(rig), "good for 10 min, once"));
    expect(rig, &rig->alice, "invite user bob", 0, "this adds one more key");
    expect(rig, &rig->alice, "invite user bob --admin", 1, "only new users can be invited as admins");
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

int main(void) {
    const struct CMUnitTest tests[] = {
        rig_test(test_machines),
        rig_test(test_invite_machine),
        rig_test(test_invite_user),
        rig_test(test_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
