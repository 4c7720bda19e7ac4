#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sallyport/agent/agent.h"

#define PRINT "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static int read_text(struct agent_config *config, const char *text, struct why *why) {
    memset(config, 0, sizeof *config);
    assert_int_equal(options_init(&agent_options, config), 0);
    int rc = options_parse(&agent_options, config, text, strlen(text), "agent.ini", why);
    return rc < 0 ? rc : agent_config_check(config, why);
}

static void config_fini(struct agent_config *config) {
    agent_config_fini(config);
    options_fini(&agent_options, config);
}

static void test_defaults(void **state) {
    (void)state;
    struct agent_config config;
    struct why why = {""};
    assert_int_equal(read_text(&config, "", &why), 0);
    assert_int_equal(config.mode, AGENT_RELAY);
    assert_null(config.state);
    assert_int_equal(config.direct, AGENT_DIRECT_DOOR);
    assert_int_equal(config.port_mapping, AGENT_MAPPING_AUTO);
    assert_int_equal(config.door_port, 0);
    assert_int_equal(config.external_port, 0);
    assert_int_equal(config.sample_interval, 10);
    assert_null(config.docker_socket);
    assert_int_equal(config.accounts.count, 0);
    assert_int_equal(config.keep_awake, AGENT_KEEP_OFF);
    assert_int_equal(config.publish, AGENT_PUBLISH_ALLOW);
    config_fini(&config);
}

static void test_own_state(void **state) {
    (void)state;
    struct agent_config config;
    struct why why = {""};
    assert_int_equal(read_text(&config,
                               "sample_interval = 1\ndocker_socket = /var/run/docker.sock\n"
                               "accounts = ann:alice, bob:robert\nkeep_awake = both\npublish = config\n",
                               &why),
                     0);
    assert_int_equal(config.sample_interval, 1);
    assert_string_equal(config.docker_socket, "/var/run/docker.sock");
    assert_int_equal(config.accounts.count, 2);
    assert_string_equal(config.accounts.items[1], "bob:robert");
    assert_int_equal(config.keep_awake, AGENT_KEEP_BOTH);
    assert_int_equal(config.publish, AGENT_PUBLISH_CONFIG);
    config_fini(&config);
}

static void test_ways_in(void **state) {
    (void)state;
    struct agent_config config;
    struct why why = {""};
    assert_int_equal(
        read_text(&config, "direct = sshd\nport_mapping = pcp\nexternal_port = 40022\ndoor_port = 65535\n", &why), 0);
    assert_int_equal(config.direct, AGENT_DIRECT_SSHD);
    assert_int_equal(config.port_mapping, AGENT_MAPPING_PCP);
    assert_int_equal(config.external_port, 40022);
    assert_int_equal(config.door_port, 65535);
    config_fini(&config);
    assert_int_equal(read_text(&config, "direct = off\nport_mapping = off\n", &why), 0);
    assert_int_equal(config.direct, AGENT_DIRECT_OFF);
    assert_int_equal(config.port_mapping, AGENT_MAPPING_OFF);
    config_fini(&config);
}

static void test_plain(void **state) {
    (void)state;
    struct agent_config config;
    struct why why = {""};
    assert_int_equal(read_text(&config,
                               "mode = plain\nserver = me@[::1]:2222\nserver_key = " PRINT "\nidentity = /root/key\n"
                               "[service ssh]\nport = 22\nremote_port = 2201\n",
                               &why),
                     0);
    assert_int_equal(config.mode, AGENT_PLAIN);
    assert_string_equal(config.server, "me@[::1]:2222");
    assert_string_equal(config.identity, "/root/key");
    config_fini(&config);
}

static void test_what_is_wrong_is_said(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {{"mode = plain", "server = USER@HOST"},
               {"mode = plain\nserver = me@host", "server_key"},
               {"mode = plain\nserver_key = " PRINT, "server = USER@HOST"},
               {"mode = plain\nserver = me@host\nserver_key = MD5:00", "fingerprint"},
               {"mode = plain\nserver = me@host\nserver_key = SHA256:short", "fingerprint"},
               {"mode = plain\nserver = host\nserver_key = " PRINT, "USER@HOST"},
               {"mode = other", "mode"},
               {"direct = yes", "direct"},
               {"port_mapping = natpmp", "port_mapping"},
               {"external_port = 65536", "external_port"},
               {"door_port = -1", "door_port"},
               {"sample_interval = 0", "sample_interval"},
               {"sample_interval = 61", "sample_interval"},
               {"sample_interval = 1h", "sample_interval"},
               {"docker_socket = docker.sock", "docker_socket"},
               {"accounts = ann", "ACCOUNT:USER"},
               {"accounts = :alice", "ACCOUNT:USER"},
               {"accounts = ann:Alice!", "ACCOUNT:USER"},
               {"accounts = ann:", "ACCOUNT:USER"},
               {"keep_awake = always", "keep_awake"},
               {"publish = yes", "publish"},
               {"servre = me@host", "server"},
               {"[service ssh]\nprot = 22\n", "port"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct agent_config config;
        struct why why = {""};
        if (read_text(&config, bad[i].text, &why) == 0 || !strstr(why.text, bad[i].says))
            fail_msg("%s: %s", bad[i].text, why.text);
        config_fini(&config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_ways_in),
        cmocka_unit_test(test_own_state),
        cmocka_unit_test(test_what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
