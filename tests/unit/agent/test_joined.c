#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "joined.h"
#include "sallyport/base/os.h"

#define LONG "SHA256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct joined sample = {.name = "box1",
                                     .host = "2001:db8::1",
                                     .port = 65535,
                                     .fingerprint = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};

static int make_folder(void **state) {
    char *dir = strdup("/tmp/sallyport-test-joined-XXXXXX");
    assert_non_null(dir);
    assert_non_null(mkdtemp(dir));
    *state = dir;
    return 0;
}

static int remove_folder(void **state) {
    (void)joined_remove(*state);
    assert_int_equal(rmdir(*state), 0);
    free(*state);
    return 0;
}

static void test_saved_and_loaded(void **state) {
    struct joined joined;
    struct why why = {""};
    struct stat st;
    char path[128];
    assert_int_equal(joined_load(*state, &joined, &why), SP_ENOENT);
    assert_non_null(strstr(why.text, "join"));
    assert_int_equal(joined_save(*state, &sample, &why), 0);
    assert_int_equal(joined_load(*state, &joined, &why), 0);
    assert_string_equal(joined.name, sample.name);
    assert_string_equal(joined.host, sample.host);
    assert_string_equal(joined.fingerprint, sample.fingerprint);
    assert_int_equal(joined.port, sample.port);
    assert_int_equal(os_path(path, sizeof path, *state, "joined.json"), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_removed_with_the_key(void **state) {
    char path[128];
    struct why why = {""};
    assert_int_equal(joined_remove(*state), SP_ENOENT);
    assert_int_equal(joined_key_path(*state, path, sizeof path), 0);
    assert_int_equal(os_write_file(path, "secret", 6, 0600), 0);
    assert_int_equal(joined_save(*state, &sample, &why), 0);
    assert_int_equal(joined_remove(*state), 0);
    assert_int_equal(access(path, F_OK), -1);
    struct joined joined;
    assert_int_equal(joined_load(*state, &joined, NULL), SP_ENOENT);
}

static void test_damaged(void **state) {
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "{}",
                                      "{\"name\":\"box1\",\"host\":\"h\",\"port\":22}",
                                      "{\"name\":\"box1\",\"host\":\"h\",\"port\":0,\"host_key\":\"SHA256:x\"}",
                                      "{\"name\":\"box1\",\"host\":\"h\",\"port\":65536,\"host_key\":\"SHA256:x\"}",
                                      "{\"name\":\"box1\",\"host\":\"h\",\"port\":\"22\",\"host_key\":\"SHA256:x\"}",
                                      "{\"name\":\"Box 1\",\"host\":\"h\",\"port\":22,\"host_key\":\"SHA256:x\"}",
                                      "{\"name\":7,\"host\":\"h\",\"port\":22,\"host_key\":\"SHA256:x\"}",
                                      ("{\"name\":\"box1\",\"host\":\"h\",\"port\":22,\"host_key\":\"" LONG "\"}")};
    char path[128];
    assert_int_equal(os_path(path, sizeof path, *state, "joined.json"), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct joined joined = {.port = 7};
        struct why why = {""};
        assert_int_equal(os_write_file(path, bad[i], strlen(bad[i]), 0600), 0);
        if (joined_load(*state, &joined, &why) != SP_EFORMAT)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(joined.port, 7);
        assert_non_null(strstr(why.text, "joined.json"));
    }
    char big[8192];
    memset(big, ' ', sizeof big);
    struct joined joined;
    assert_int_equal(os_write_file(path, big, sizeof big, 0600), 0);
    assert_int_equal(joined_load(*state, &joined, NULL), SP_ETOOBIG);
}

static void test_the_state_folder(void **state) {
    char path[128], inner[160], found[256];
    struct why why = {""};
    struct stat st;
    (void)snprintf(inner, sizeof inner, "%s/a", (char *)*state);
    (void)snprintf(path, sizeof path, "%s/a/b", (char *)*state);
    struct agent_config config = {.state = path};
    assert_int_equal(joined_state(&config, found, sizeof found, &why), 0);
    assert_string_equal(found, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(inner), 0);
}

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_saved_and_loaded),
        FOLDER_TEST(test_removed_with_the_key),
        FOLDER_TEST(test_damaged),
        FOLDER_TEST(test_the_state_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
