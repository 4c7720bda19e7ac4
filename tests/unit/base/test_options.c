#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options_impl.h"
#include "sallyport/base/options.h"

struct config {
    char *name;
    char *banner;
    uint64_t port;
    uint64_t limit;
    uint64_t wait;
    bool quiet;
    int mode;
    struct option_list listen;
    char services[256]; /* what the section handler saw */
};

static int take_service(void *ctx, const char *name, const char *key, const char *value, struct why *why) {
    struct config *config = ctx;
    if (strcmp(key, "port") != 0 && strcmp(key, "kind") != 0) {
        why_set(why, "unknown key '%s'. Known keys: port, kind", key);
        return SP_EINVAL;
    }
    size_t used = strlen(config->services);
    snprintf(config->services + used, sizeof(config->services) - used, "%s.%s=%s;", name, key, value);
    return 0;
}

static const struct option options[] = {
    {.name = "name", .type = OPTION_TEXT, .help = "Name of this machine", .offset = offsetof(struct config, name)},
    {.name = "banner", .type = OPTION_TEXT, .initial = "hello", .help = "B", .offset = offsetof(struct config, banner)},
    {.name = "port",
     .type = OPTION_NUMBER,
     .initial = "8022",
     .min = 1,
     .max = 65535,
     .help = "Port to listen on",
     .cli = true,
     .offset = offsetof(struct config, port)},
    {.name = "open_limit", .type = OPTION_NUMBER, .min = 2, .help = "L", .offset = offsetof(struct config, limit)},
    {.name = "login_wait",
     .type = OPTION_DURATION,
     .initial = "10m",
     .min = 10,
     .max = 3600,
     .help = "How long a login waits",
     .cli = true,
     .offset = offsetof(struct config, wait)},
    {.name = "quiet", .type = OPTION_FLAG, .initial = "no", .help = "Q", .offset = offsetof(struct config, quiet)},
    {.name = "mode",
     .type = OPTION_CHOICE,
     .initial = "upnp",
     .choices = "auto|upnp|off",
     .help = "How to be found",
     .cli = true,
     .offset = offsetof(struct config, mode)},
    {.name = "listen",
     .type = OPTION_LIST,
     .initial = "0.0.0.0:8022, [::]:8022",
     .help = "Where to listen",
     .metavar = "ADDR:PORT,...",
     .offset = offsetof(struct config, listen)},
    {0},
};

static const struct option_section sections[] = {{"service", take_service}, {0}};
static const struct option_table table = {.options = options, .sections = sections};

static int config_setup(void **state) {
    struct config *config = malloc(sizeof(*config));
    if (!config)
        return -1;
    /* options_init must not believe what was there. */
    memset(config, 0xa5, sizeof(*config));
    config->services[0] = '\0';
    *state = config;
    return options_init(&table, config);
}

static int config_teardown(void **state) {
    options_fini(&table, *state);
    options_fini(&table, *state);
    free(*state);
    return 0;
}

static int parse(struct config *config, const char *text, struct why *why) {
    return options_parse(&table, config, text, strlen(text), "/etc/x.ini", why);
}

static void test_defaults(void **state) {
    struct config *config = *state;
    assert_null(config->name);
    assert_string_equal(config->banner, "hello");
    assert_int_equal(config->port, 8022);
    assert_int_equal(config->limit, 0);
    assert_int_equal(config->wait, 600);
    assert_false(config->quiet);
    assert_int_equal(config->mode, 1);
    assert_int_equal(config->listen.count, 2);
    assert_string_equal(config->listen.items[0], "0.0.0.0:8022");
    assert_string_equal(config->listen.items[1], "[::]:8022");
    options_fini(&table, config);
    assert_null(config->banner);
    assert_int_equal(config->listen.count, 0);
}

static void test_all_types(void **state) {
    struct config *config = *state;
    struct why why = {""};
    int rc = parse(config,
                   "\xef\xbb\xbf# a comment\n; another\r\n\n"
                   "name = box1\r\n"
                   "banner=it is; 'here' = there # so ; a note\n"
                   "   port: 65535   \n"
                   "[main]\n"
                   "login-wait = 1h\n"
                   "quiet = on\n"
                   "mode = off\n"
                   "listen = a , b,,\n"
                   "\tlisten = c\n"
                   "[service jupyter]\n"
                   "port = 8888\n"
                   "   kind = http\n"
                   "[service  my board ]\n"
                   "port = 1",
                   &why);
    assert_string_equal(why.text, "");
    assert_int_equal(rc, 0);
    assert_string_equal(config->name, "box1");
    assert_string_equal(config->banner, "it is; 'here' = there # so");
    assert_int_equal(config->port, 65535);
    assert_int_equal(config->wait, 3600);
    assert_true(config->quiet);
    assert_int_equal(config->mode, 2);
    assert_int_equal(config->listen.count, 3);
    assert_string_equal(config->listen.items[0], "a");
    assert_string_equal(config->listen.items[1], "b");
    assert_string_equal(config->listen.items[2], "c");
    assert_string_equal(config->services, "jupyter.port=8888;jupyter.kind=http;my board .port=1;");
}

static void test_empty_values(void **state) {
    struct config *config = *state;
    assert_int_equal(parse(config, "", NULL), 0);
    assert_int_equal(parse(config, "banner =\nlisten =\n", NULL), 0);
    assert_string_equal(config->banner, "");
    assert_int_equal(config->listen.count, 0);
}

static void test_flags(void **state) {
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false", "off", "0"};
    struct config *config = *state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(options_set(&table, config, "quiet", yes[i], NULL), 0);
        assert_true(config->quiet);
        assert_int_equal(options_set(&table, config, "quiet", no[i], NULL), 0);
        assert_false(config->quiet);
    }
}

static void test_messages(void **state) {
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"\n\nprot = 1\n", "/etc/x.ini:3: unknown key 'prot': did you mean 'port'? Known keys: name, banner, port, "
                           "open_limit, login_wait, quiet, mode, listen"},
        {"wolkenkuckucksheim = 1", "/etc/x.ini:1: unknown key 'wolkenkuckucksheim'. Known keys: name, banner, port, "
                                   "open_limit, login_wait, quiet, mode, listen"},
        {"[main]\nport = abc", "/etc/x.ini:2: 'port' should be a number from 1 to 65535, not 'abc'; for example "
                               "'port = 8022'"},
        {"port = 0", "/etc/x.ini:1: 'port' should be a number from 1 to 65535, not '0'; for example 'port = 8022'"},
        {"port = 65536", "/etc/x.ini:1: 'port' should be a number from 1 to 65535, not '65536'; for example "
                         "'port = 8022'"},
        {"port =", "/etc/x.ini:1: 'port' should be a number from 1 to 65535, not ''; for example 'port = 8022'"},
        {"open_limit = 1", "/etc/x.ini:1: 'open_limit' should be a number of at least 2, not '1'; for example "
                           "'open_limit = 2'"},
        {"login_wait = soon", "/etc/x.ini:1: 'login_wait' should be a time from 10 to 3600 seconds, written like 90s, "
                              "10m, 24h or 7d, not 'soon'; for example 'login_wait = 10m'"},
        {"login_wait = 2h", "/etc/x.ini:1: 'login_wait' should be a time from 10 to 3600 seconds, written like 90s, "
                            "10m, 24h or 7d, not '2h'; for example 'login_wait = 10m'"},
        {"quiet = maybe", "/etc/x.ini:1: 'quiet' should be yes or no, not 'maybe'; for example 'quiet = no'"},
        {"mode = on", "/etc/x.ini:1: 'mode' should be one of auto, upnp, off, not 'on'; for example 'mode = upnp'"},
        {"mode = auto|upnp", "/etc/x.ini:1: 'mode' should be one of auto, upnp, off, not 'auto|upnp'; for example "
                             "'mode = upnp'"},
        {"port = 1\nport = 2", "/etc/x.ini:2: 'port' is given a second time, first in line 1: keep one of them"},
        {"[service x]\nprt = 2", "/etc/x.ini:2: [service x] unknown key 'prt'. Known keys: port, kind"},
        {"[servce x]\nport = 2", "/etc/x.ini:2: unknown section [servce x]. Known sections: [main], [service NAME]"},
        {"[serv x]\nport = 2", "/etc/x.ini:2: unknown section [serv x]. Known sections: [main], [service NAME]"},
        {"[services]\nport = 2", "/etc/x.ini:2: unknown section [services]. Known sections: [main], [service NAME]"},
        {"[service]\nport = 2", "/etc/x.ini:2: the section [service] wants a name, as in [service NAME]"},
        {"port = 1\n[service x\nport = 2", "/etc/x.ini:2: expected 'key = value', '[section]' or a comment behind '#'"},
        {"\nport\nprot = 1", "/etc/x.ini:2: expected 'key = value', '[section]' or a comment behind '#'"},
        {"prot = 1\nport\n", "/etc/x.ini:1: unknown key 'prot': did you mean 'port'? Known keys: name, banner, port, "
                             "open_limit, login_wait, quiet, mode, listen"},
        {"name = \x1b[31m", "/etc/x.ini:1: there are control characters in it, or it is not UTF-8"},
        {"name = \xff", "/etc/x.ini:1: there are control characters in it, or it is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct why why = {""};
        assert_int_equal(parse(*state, rows[i].text, &why), SP_EFORMAT);
        assert_string_equal(why.text, rows[i].message);
        assert_int_equal(parse(*state, rows[i].text, NULL), SP_EFORMAT);
    }
}

static void test_strange_files(void **state) {
    struct why why;
    assert_int_equal(options_parse(&table, *state, "name = a\0b\n", 11, "x", &why), SP_EFORMAT);
    assert_string_equal(why.text, "x:1: there is a zero byte in it: is this a text file?");

    char line[400] = "# short\nlisten = ";
    memset(line + strlen(line), 'a', 300);
    assert_int_equal(options_parse(&table, *state, line, strlen(line), "x", &why), SP_EFORMAT);
    assert_non_null(strstr(why.text, "x:2: the line is longer than "));
    /* Just at the bound: 198 bytes and the line's end. */
    snprintf(line, sizeof(line), "name = %0192d", 1);
    line[198] = '\n';
    assert_int_equal(options_parse(&table, *state, line, 199, "x", &why), 0);
    assert_int_equal(strlen(((struct config *)*state)->name), 191);
    line[198] = '1';
    assert_int_equal(options_parse(&table, *state, line, 199, "x", &why), 0);
    assert_int_equal(strlen(((struct config *)*state)->name), 192);
    assert_int_equal(options_parse(&table, *state, line, 200, "x", &why), SP_EFORMAT);
    assert_string_equal(why.text, "x:1: the line is longer than 198 bytes: give a key with many values several times");
    /* What is beyond len does not count. */
    assert_int_equal(options_parse(&table, *state, "port = 12345", 9, "x", &why), 0);
    assert_int_equal(((struct config *)*state)->port, 12);
}

static void test_read(void **state) {
    struct config *config = *state;
    struct why why;
    char path[] = "/tmp/sallyport-test-options-XXXXXX", expected[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(options_read(&table, config, path, &why), 0);
    assert_int_equal(write(fd, "port = 22\nx = 1\n", 16), 16);
    assert_int_equal(options_read(&table, config, path, &why), SP_EFORMAT);
    snprintf(expected, sizeof(expected), "%s:2: unknown key 'x'. Known keys: name,", path);
    assert_memory_equal(why.text, expected, strlen(expected));
    assert_int_equal(ftruncate(fd, (1 << 20) + 1), 0);
    assert_int_equal(options_read(&table, config, path, &why), SP_EFORMAT);
    assert_non_null(strstr(why.text, "larger than 1 MiB"));
    close(fd);
    unlink(path);
    assert_int_equal(options_read(&table, config, path, &why), SP_ENOENT);
    assert_non_null(strstr(why.text, path));
    assert_int_equal(options_read(&table, config, "/tmp", &why), SP_ESYS);
    assert_string_equal(why.text, "cannot read the configuration file /tmp: Is a directory");
}

static void test_command_line(void **state) {
    struct config *config = *state;
    struct why why;
    assert_int_equal(options_set(&table, config, "login-wait", "90s", &why), 0);
    assert_int_equal(config->wait, 90);
    assert_int_equal(options_set(&table, config, "login_wait", "91s", &why), 0);
    assert_int_equal(config->wait, 91);
    assert_int_equal(options_set(&table, config, "listen", "x,y,z", &why), 0);
    assert_int_equal(config->listen.count, 3);
    assert_string_equal(config->listen.items[2], "z");
    assert_int_equal(options_set(&table, config, "listen", "more", &why), 0);
    assert_int_equal(config->listen.count, 4);
    assert_string_equal(config->listen.items[3], "more");
    assert_int_equal(options_set(&table, config, "name", "box1", &why), 0);
    assert_int_equal(options_set(&table, config, "name", "box2", &why), 0);
    assert_string_equal(config->name, "box2");

    assert_int_equal(options_set(&table, config, "login-wiat", "90s", &why), SP_ENOENT);
    assert_string_equal(why.text, "unknown option --login-wiat: did you mean --login-wait?");
    assert_int_equal(options_set(&table, config, "zzzzzz", "90s", &why), SP_ENOENT);
    assert_string_equal(why.text, "unknown option --zzzzzz: --help lists them");
    assert_int_equal(options_set(&table, config, "", "90s", &why), SP_ENOENT);
    assert_int_equal(options_set(&table, config, "login-wait", "9", &why), SP_EFORMAT);
    assert_string_equal(why.text, "--login-wait should be a time from 10 to 3600 seconds, written like 90s, 10m, 24h "
                                  "or 7d, not '9'; for example --login-wait 10m");
    assert_int_equal(options_set(&table, config, "name", "a\nb", &why), SP_EFORMAT);
    assert_string_equal(why.text, "--name: there are control characters in the value, or it is not UTF-8");
    assert_string_equal(config->name, "box2");
    assert_int_equal(options_set(&table, config, "port", "x", NULL), SP_EFORMAT);
}

static void test_nearest(void **state) {
    (void)state;
    assert_int_equal(options_distance("", ""), 0);
    assert_int_equal(options_distance("port", "port"), 0);
    assert_int_equal(options_distance("prot", "port"), 1);
    assert_int_equal(options_distance("prt", "port"), 1);
    assert_int_equal(options_distance("poort", "port"), 1);
    assert_int_equal(options_distance("pork", "port"), 1);
    assert_int_equal(options_distance("", "port"), 4);
    assert_int_equal(options_distance("port", ""), 4);
    assert_int_equal(options_distance("kitten", "sitting"), 3);
    assert_string_equal(options_nearest(&table, "listn"), "listen");
    assert_null(options_nearest(&table, "xyz"));
    assert_null(options_nearest(&table, ""));
    char huge[200];
    memset(huge, 'a', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    assert_null(options_nearest(&table, huge));
}

static void test_help_and_example(void **state) {
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    options_help(&table, to);
    fclose(to);
    assert_string_equal(text, "  --port N              Port to listen on (default: 8022)\n"
                              "  --login-wait TIME     How long a login waits (default: 10m)\n"
                              "  --mode auto|upnp|off  How to be found (default: upnp)\n");
    free(text);

    to = open_memstream(&text, &len);
    options_example(&table, to);
    fclose(to);
    assert_memory_equal(text, "# Name of this machine (a text).\n#name =\n\n# B (a text).\n", 55);
    assert_non_null(strstr(text, "\n# Port to listen on (a number from 1 to 65535).\n#port = 8022\n"));
    assert_non_null(strstr(text, "\n# How to be found (one of auto, upnp, off).\n#mode = upnp\n"));
    /* The example is itself a file that can be read, as it is and with each default put to use. */
    assert_int_equal(parse(*state, text, NULL), 0);
    for (char *at = text; (at = strstr(at, "\n#")); at++) {
        if (at[2] != ' ' && strchr(at, '=')[1] == ' ')
            at[1] = ' ';
    }
    struct why why = {""};
    assert_int_equal(parse(*state, text, &why), 0);
    assert_string_equal(why.text, "");
    assert_int_equal(((struct config *)*state)->listen.count, 2);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, config_setup, config_teardown),
        cmocka_unit_test_setup_teardown(test_all_types, config_setup, config_teardown),
        cmocka_unit_test_setup_teardown(test_empty_values, config_setup, config_teardown),
        cmocka_unit_test_setup_teardown(test_flags, config_setup, config_teardown),
        cmocka_unit_test_setup_teardown(test_messages, config_setup, config_teardown),
        cmocka_unit_test_setup_teardown(test_strange_files, config_setup, config_teardown),
        cmocka_unit_test_setup_teardown(test_read, config_setup, config_teardown),
        cmocka_unit_test_setup_teardown(test_command_line, config_setup, config_teardown),
        cmocka_unit_test_setup_teardown(test_nearest, config_setup, config_teardown),
        cmocka_unit_test_setup_teardown(test_help_and_example, config_setup, config_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
