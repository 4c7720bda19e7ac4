#include "folder.h"

#include <sys/stat.h>

#include "client.h"

#define KEY "HdTzBzdkEj1UZpPlMcv9GvVdRD4LfLrcKBVuAnnIPaw"

static const struct client sample = {.host = "2001:db8::1",
                                     .port = 65535,
                                     .user = "alice",
                                     .fingerprint = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                     .identity = "/home/alice/.ssh/id_ed25519",
                                     .key = KEY,
                                     .ssh_config = "/home/alice/.ssh/sallyport_config"};

static void test_saved_and_loaded(void **state) {
    struct client client;
    struct why why = {""};
    struct stat st;
    char path[128];
    assert_int_equal(client_load(*state, &client, &why), SP_ENOENT);
    assert_non_null(strstr(why.text, "sallyport join"));
    assert_int_equal(client_save(*state, &sample, &why), 0);
    assert_int_equal(client_load(*state, &client, &why), 0);
    assert_string_equal(client.host, sample.host);
    assert_string_equal(client.user, sample.user);
    assert_string_equal(client.fingerprint, sample.fingerprint);
    assert_string_equal(client.identity, sample.identity);
    assert_string_equal(client.key, sample.key);
    assert_string_equal(client.ssh_config, sample.ssh_config);
    assert_int_equal(client.port, sample.port);
    (void)snprintf(path, sizeof path, "%s/client.json", (const char *)*state);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_what_may_be_missing(void **state) {
    struct client client, less = sample;
    less.identity[0] = less.ssh_config[0] = '\0';
    assert_int_equal(client_save(*state, &less, NULL), 0);
    assert_int_equal(client_load(*state, &client, NULL), 0);
    assert_string_equal(client.identity, "");
    assert_string_equal(client.ssh_config, "");
}

#define ED_PRINT "SHA256:xcb6EjaOfSEZahp6iWfmtsX10J1I777mKNXTS3zcSpQ"
#define ED_ID "xcb6EjaOfSEZahp6iWfmtsX10J1I777mKNXTS3zcSpQ"
#define REST "\"port\":22,\"host_key\":\"SHA256:A\",\"key\":\"" KEY "\"}"

static void test_damaged(void **state) {
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"host\":\"a\",\"user\":\"alice\",\"port\":0,\"host_key\":\"SHA256:A\",\"key\":\"" KEY "\"}",
        "{\"host\":\"a\",\"user\":\"alice\",\"port\":65536,\"host_key\":\"SHA256:A\",\"key\":\"" KEY "\"}",
        "{\"user\":\"alice\"," REST,
        "{\"host\":\"-oProxyCommand=x\",\"user\":\"alice\"," REST,
        "{\"host\":\"a\",\"user\":\"-oX\"," REST,
        "{\"host\":\"a\",\"user\":\"Alice\"," REST,
        "{\"host\":\"a\\nb\",\"user\":\"alice\"," REST,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct client client = {.port = 7};
        struct why why = {""};
        folder_write(state, "client.json", texts[i]);
        assert_int_equal(client_load(*state, &client, &why), SP_EFORMAT);
        assert_non_null(strstr(why.text, "damaged"));
        assert_int_equal(client.port, 7);
    }
}

static void test_removed(void **state) {
    struct client client;
    assert_int_equal(client_remove(*state, NULL), 0);
    assert_int_equal(client_save(*state, &sample, NULL), 0);
    folder_write(state, "ask_key", "secret");
    folder_write(state, "id_ed25519", "secret");
    folder_write(state, "routes.json", "{}");
    assert_int_equal(client_remove(*state, NULL), 0);
    assert_int_equal(client_load(*state, &client, NULL), SP_ENOENT);
    assert_int_equal(rmdir(*state), 0); /* nothing is left */
    assert_int_equal(mkdir(*state, 0700), 0);
}

/* The fingerprints are those that ssh-keygen -l prints. */
static void test_key_ids(void **state) {
    (void)state;
    static const struct {
        const char *line, *id, *print;
    } good[] = {
        {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAf+BCSolFUCjazO3ePM32Up6sU24cwWrUFmSkTH+d8N", ED_ID, ED_PRINT},
        {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAf+BCSolFUCjazO3ePM32Up6sU24cwWrUFmSkTH+d8N me@here\n", ED_ID, ED_PRINT},
    };
    static const char *const bad[] = {"",         "ssh-ed25519", "ssh-ed25519 ", "ssh-ed25519 AAAA*", "ssh-ed25519 A",
                                      "\xff \xff"};
    char id[44], print[51];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(client_key_id(good[i].line, id, print), 0);
        assert_string_equal(id, good[i].id);
        assert_string_equal(print, good[i].print);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(client_key_id(bad[i], id, print), SP_EFORMAT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_saved_and_loaded, folder_set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_what_may_be_missing, folder_set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_damaged, folder_set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_removed, folder_set_up, folder_tear_down),
        cmocka_unit_test(test_key_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
