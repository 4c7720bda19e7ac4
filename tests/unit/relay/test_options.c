#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sallyport/relay/relay.h"

static int read_text(struct relay_config *config, const char *text, struct why *why) {
    assert_int_equal(options_init(&relay_options, config), 0);
    int rc = options_parse(&relay_options, config, text, strlen(text), "relay.ini", why);
    return rc < 0 ? rc : relay_config_check(config, why);
}

static void test_defaults(void **state) {
    (void)state;
    struct relay_config config;
    struct why why = {""};
    assert_int_equal(read_text(&config, "", &why), 0);
    assert_null(config.state);
    assert_null(config.name);
    assert_int_equal(config.listen.count, 1);
    assert_string_equal(config.listen.items[0], "*:2222");
    assert_int_equal(config.public_port, 0);
    assert_int_equal(config.max_guests, 1024);
    options_fini(&relay_options, &config);
}

static void test_everything(void **state) {
    (void)state;
    struct relay_config config;
    struct why why = {""};
    assert_int_equal(read_text(&config,
                               "state = /srv/relay\nlisten = 127.0.0.1:2200, [::1]:2200\nname = relay.example.org\n"
                               "public_port = 443\ncertificate = c.pem\ncertificate_key = k.pem\nmax_guests = 16\n",
                               &why),
                     0);
    assert_string_equal(config.state, "/srv/relay");
    assert_int_equal(config.listen.count, 2);
    assert_string_equal(config.listen.items[1], "[::1]:2200");
    assert_string_equal(config.name, "relay.example.org");
    assert_int_equal(config.public_port, 443);
    assert_string_equal(config.certificate_key, "k.pem");
    assert_int_equal(config.max_guests, 16);
    options_fini(&relay_options, &config);
}

static void test_names(void **state) {
    (void)state;
    static const struct {
        const char *line;
        int rc;
    } cases[] = {{"name = 192.0.2.1", 0},
                 {"name = 2001:db8::1", 0},
                 {"name = relay", 0},
                 {"name = relay.example.org:22", SP_EINVAL},
                 {"name = https://relay.example.org", SP_EINVAL},
                 {"name = [::1]", SP_EINVAL},
                 {"name = me@relay", SP_EINVAL},
                 {"name = two words", SP_EINVAL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct relay_config config;
        struct why why = {""};
        if (read_text(&config, cases[i].line, &why) != cases[i].rc)
            fail_msg("%s: %s", cases[i].line, why.text);
        options_fini(&relay_options, &config);
    }
}

static void test_what_is_wrong_is_said(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {{"listen = relay.example.org:22", "figures"},
               {"listen = 127.0.0.1:2200, nonsense", "nonsense"},
               {"certificate = c.pem", "belong together"},
               {"certificate_key = k.pem", "belong together"},
               {"max_guests = 15", "max_guests"},
               {"public_port = 65536", "public_port"},
               {"log_level = loud", "log_level"},
               {"nmae = relay", "name"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct relay_config config;
        struct why why = {""};
        if (read_text(&config, bad[i].text, &why) == 0 || !strstr(why.text, bad[i].says))
            fail_msg("%s: %s", bad[i].text, why.text);
        options_fini(&relay_options, &config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
