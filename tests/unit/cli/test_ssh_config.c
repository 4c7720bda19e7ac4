#include "folder.h"

#include "ssh_config.h"

#define OURS "sallyport_config"

static void test_added_on_top_and_taken_away_again(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "Host *\n    Compression yes",
                                        "# mine\r\nHost a\r\n\tUser b\r\n",
                                        "\n\n\nHost x\n",
                                        "Include other_config\nHost a\n",
                                        "Host a\n    Include sallyport_config_of_mine\n",
                                        "# Include sallyport_config\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buf with, without;
        size_t len = strlen(texts[i]);
        buf_init(&with);
        buf_init(&without);
        assert_true(ssh_config_with(texts[i], len, OURS, &with));
        assert_int_equal(strncmp(buf_string(&with), "Include " OURS "\n", 9 + strlen(OURS)), 0);
        assert_int_equal(buf_len(&with), len + 9 + strlen(OURS));
        assert_false(ssh_config_with(buf_string(&with), buf_len(&with), OURS, &without));
        assert_int_equal(buf_len(&without), 0);
        assert_true(ssh_config_without(buf_string(&with), buf_len(&with), OURS, &without));
        assert_int_equal(buf_len(&without), len);
        assert_memory_equal(len ? (const char *)buf_head(&without) : "", texts[i], len);
        buf_fini(&with);
        buf_fini(&without);
    }
}

static void test_is_there_already(void **state) {
    (void)state;
    static const char *const texts[] = {"Include " OURS "\n", "  include\t" OURS "  \r\nHost a\n", "# x\nInclude " OURS,
                                        "Hostage a\nInclude " OURS "\n"};
    struct buf out;
    buf_init(&out);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(ssh_config_with(texts[i], strlen(texts[i]), OURS, &out));
    assert_int_equal(buf_len(&out), 0);
}

/* Within a Host block it counts for that host alone. */
static void test_within_a_block_it_is_not_there(void **state) {
    (void)state;
    static const char *const texts[] = {"Host a\n    Include " OURS "\n", "match all\nInclude " OURS "\n",
                                        "\tHOST\ta\nInclude " OURS, "Host=a\nInclude " OURS};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buf out;
        buf_init(&out);
        assert_true(ssh_config_with(texts[i], strlen(texts[i]), OURS, &out));
        assert_int_equal(strncmp(buf_string(&out), "Include", 7), 0);
        buf_fini(&out);
    }
}

static void test_nothing_to_take_away(void **state) {
    (void)state;
    static const char *const texts[] = {
        "", "Host a\n", "Include other\n", "# Include " OURS "\n", "Include " OURS "2\n", "Include\n"};
    struct buf out;
    buf_init(&out);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(ssh_config_without(texts[i], strlen(texts[i]), OURS, &out));
    assert_int_equal(buf_len(&out), 0);
}

static void test_the_user_s_own_hosts(void **state) {
    (void)state;
    static const char text[] = "Include x\n# Host not\nHost a nas\n  HostName git\nHOST=\"quoted\"\r\n\tHost\tlast";
    static const char *const there[] = {"a", "nas", "quoted", "last"};
    static const char *const not_there[] = {"x", "not", "git", "na", "nass", "host", "Host", "HostName", "la"};
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++)
        assert_true(ssh_config_names(text, strlen(text), there[i]));
    for (size_t i = 0; i < sizeof not_there / sizeof not_there[0]; i++)
        assert_false(ssh_config_names(text, strlen(text), not_there[i]));
    assert_false(ssh_config_names("", 0, "a"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_added_on_top_and_taken_away_again),
        cmocka_unit_test(test_is_there_already),
        cmocka_unit_test(test_within_a_block_it_is_not_there),
        cmocka_unit_test(test_nothing_to_take_away),
        cmocka_unit_test(test_the_user_s_own_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
