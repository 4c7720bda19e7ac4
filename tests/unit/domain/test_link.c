/* The messages of the link: read and written, bad ones refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/domain/link.h"

static int parse(const char *text, struct link_message *out) {
    struct why why = {""};
    int rc = link_parse(text, strlen(text), out, &why);
    assert_int_equal(why.text[0] != '\0', rc != 0);
    return rc;
}

/* Reads what was formatted, and empties the buf. */
static void parse_back(struct buf *buf, struct link_message *out) {
    const char *text = buf_string(buf);
    assert_non_null(text);
    assert_int_equal(text[buf_len(buf) - 1], '\n');
    assert_null(memchr(text, '\n', buf_len(buf) - 1));
    assert_int_equal(link_parse(text, buf_len(buf), out, NULL), 0);
    buf_fini(buf);
}

static void test_hello(void **state) {
    char key1[] = "ssh-ed25519 AAAA host", key2[] = "ssh-rsa BBBB";
    char *keys[] = {key1, key2};
    struct link_hello hello = {
        .protocol = 1,
        .name = "box1",
        .version = "0.1.0",
        .boot_id = "b-1",
        .hostname = "ws",
        .host_keys = keys,
        .host_key_count = 2,
    };
    struct link_message message;
    struct buf out;
    (void)state;
    buf_init(&out);
    assert_int_equal(link_format_hello(&out, &hello), 0);
    parse_back(&out, &message);
    assert_int_equal(message.kind, LINK_HELLO);
    assert_int_equal(message.hello.protocol, 1);
    assert_string_equal(message.hello.name, "box1");
    assert_string_equal(message.hello.version, "0.1.0");
    assert_string_equal(message.hello.boot_id, "b-1");
    assert_string_equal(message.hello.hostname, "ws");
    assert_int_equal(message.hello.host_key_count, 2);
    assert_string_equal(message.hello.host_keys[1], key2);
    link_message_fini(&message);

    memcpy(hello.hostname, "w\xff", 3);
    assert_int_equal(link_format_hello(&out, &hello), 0);
    parse_back(&out, &message);
    assert_string_equal(message.hello.hostname, "");
    link_message_fini(&message);
}

static void test_hello_lenient(void **state) {
    struct link_message message;
    (void)state;
    assert_int_equal(parse("{\"kind\":\"hello\",\"protocol\":3,\"name\":\"box1\",\"version\":7,\"new\":{\"a\":[]},"
                           "\"hostname\":\"a\\u0007\",\"ssh_host_keys\":[1,\"ok\",\"bad\\n\"]}\n",
                           &message),
                     0);
    assert_int_equal(message.hello.protocol, 3);
    assert_string_equal(message.hello.version, "");
    assert_string_equal(message.hello.hostname, "");
    assert_int_equal(message.hello.host_key_count, 1);
    assert_string_equal(message.hello.host_keys[0], "ok");
    link_message_fini(&message);
}

static void test_services(void **state) {
    static const struct service list[] = {
        {.name = "ssh", .kind = SERVICE_SSH, .port = 22, .up = true},
        {.name = "jupyter",
         .kind = SERVICE_HTTP,
         .port = 65535,
         .path = "/lab",
         .detail = "of \"ann\" \xc3\xa9",
         .token = "a\"b\\c",
         .notebooks =
             {.known = true, .count = 9, .listed = 1, .list = {{.name = "a.ipynb", .kernel = "k", .busy = true}}}},
        {.name = "x", .kind = SERVICE_TCP, .port = 1, .detail = "bytes \xff\xfe"},
    };
    struct link_message message;
    struct buf out;
    (void)state;
    buf_init(&out);
    assert_int_equal(link_format_services(&out, list, 3), 0);
    parse_back(&out, &message);
    assert_int_equal(message.kind, LINK_SERVICES);
    assert_int_equal(message.services.count, 3);
    assert_memory_equal(message.services.list, list, 2 * sizeof(list[0]));
    assert_string_equal(message.services.list[2].detail, "");
    link_message_fini(&message);
    assert_int_equal(link_format_services(&out, NULL, 0), 0);
    parse_back(&out, &message);
    assert_int_equal(message.services.count, 0);
    link_message_fini(&message);
}

static void test_services_bad_token(void **state) {
    static const char *const bad[] = {"\"\"", "\"a b\"", "\"a\\r\\nX: y\"", "\"\xc3\xa9\"", "7", "null"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct link_message message;
        char text[256];
        snprintf(text, sizeof(text),
                 "{\"kind\":\"services\",\"services\":[{\"name\":\"j\",\"kind\":\"http\",\"port\":1,\"state\":\"up\","
                 "\"token\":%s}]}",
                 bad[i]);
        assert_int_equal(parse(text, &message), 0);
        assert_int_equal(message.services.count, 1);
        assert_string_equal(message.services.list[0].token, "");
        link_message_fini(&message);
    }
}

/* As much as there can be: what matters gets through. */
static void test_services_largest(void **state) {
    struct service *list = calloc(SERVICES_MAX, sizeof(*list));
    struct link_message message;
    struct buf out;
    (void)state;
    buf_init(&out);
    assert_non_null(list);
    for (size_t i = 0; i < SERVICES_MAX; i++) {
        struct service *service = &list[i];
        snprintf(service->name, sizeof(service->name), "s%zu", i);
        service->kind = SERVICE_HTTP;
        service->port = (uint16_t)(i + 1);
        memcpy(service->detail, "kept", 5);
        service->notebooks = (struct notebooks){.known = true, .count = 1000, .listed = NOTEBOOKS_MAX};
        for (size_t j = 0; j < NOTEBOOKS_MAX; j++)
            memset(service->notebooks.list[j].name, '"', sizeof(service->notebooks.list[j].name) - 1);
    }
    assert_int_equal(link_format_services(&out, list, SERVICES_MAX), 0);
    parse_back(&out, &message);
    assert_int_equal(message.services.count, SERVICES_MAX);
    assert_int_equal(message.services.list[63].notebooks.count, 1000);
    assert_int_equal(message.services.list[63].notebooks.listed, 0);
    assert_string_equal(message.services.list[63].detail, "kept");
    link_message_fini(&message);
    for (size_t i = 0; i < SERVICES_MAX; i++) {
        memset(list[i].token, '\\', sizeof(list[i].token) - 1);
        memset(list[i].path, '"', sizeof(list[i].path) - 1);
        list[i].path[0] = '/';
        memset(list[i].detail, '"', sizeof(list[i].detail) - 1);
    }
    assert_int_equal(link_format_services(&out, list, SERVICES_MAX), 0);
    parse_back(&out, &message);
    assert_int_equal(message.services.count, SERVICES_MAX);
    assert_string_equal(message.services.list[63].token, list[63].token);
    assert_string_equal(message.services.list[63].path, list[63].path);
    assert_string_equal(message.services.list[63].detail, "");
    link_message_fini(&message);
    service_free_list(list, SERVICES_MAX);
}

static void test_services_newer(void **state) {
    struct link_message message;
    (void)state;
    assert_int_equal(parse("{\"kind\":\"services\",\"services\":["
                           "{\"name\":\"dns\",\"kind\":\"udp\",\"port\":53,\"state\":\"up\"},"
                           "{\"name\":\"ssh\",\"kind\":\"ssh\",\"port\":22,\"state\":\"starting\",\"path\":\"x\"}]}",
                           &message),
                     0);
    assert_int_equal(message.services.count, 1);
    assert_string_equal(message.services.list[0].name, "ssh");
    assert_string_equal(message.services.list[0].path, "");
    assert_false(message.services.list[0].up);
    link_message_fini(&message);
}

static void test_services_twice(void **state) {
    struct link_message message;
    (void)state;
    assert_int_equal(parse("{\"kind\":\"services\",\"services\":["
                           "{\"name\":\"a\",\"kind\":\"tcp\",\"port\":1,\"state\":\"up\"},"
                           "{\"name\":\"a\",\"kind\":\"tcp\",\"port\":2,\"state\":\"up\"}]}",
                           &message),
                     SP_EFORMAT);
}

static void test_small_ones(void **state) {
    struct link_welcome welcome = {.protocol = 1,
                                   .version = "0.1.0",
                                   .observed_address = "198.51.100.7",
                                   .name = "box1",
                                   .server_time = INT64_C(1795428000)};
    struct link_message message;
    struct status status;
    struct buf out;
    (void)state;
    buf_init(&out);
    assert_int_equal(link_format_ping(&out, INT64_MAX), 0);
    parse_back(&out, &message);
    assert_int_equal(message.kind, LINK_PING);
    assert_int_equal(message.n, INT64_MAX);
    assert_int_equal(link_format_pong(&out, &(struct link_pong){.n = 0}), 0);
    parse_back(&out, &message);
    assert_int_equal(message.kind, LINK_PONG);
    assert_int_equal(link_format_error(&out, "why \"not\""), 0);
    parse_back(&out, &message);
    assert_int_equal(message.kind, LINK_ERROR);
    assert_string_equal(message.text, "why \"not\"");
    assert_int_equal(link_format_unknown(&out, "fly"), 0);
    parse_back(&out, &message);
    assert_int_equal(message.kind, LINK_UNKNOWN);
    assert_string_equal(message.of, "fly");
    assert_int_equal(link_format_welcome(&out, &welcome), 0);
    parse_back(&out, &message);
    assert_int_equal(message.kind, LINK_WELCOME);
    assert_string_equal(message.welcome.observed_address, "198.51.100.7");
    assert_int_equal(message.welcome.server_time, INT64_C(1795428000));
    assert_string_equal(message.welcome.name, "box1");
    assert_int_equal(parse("{\"kind\":\"welcome\",\"protocol\":1,\"name\":\"../x\"}", &message), 0);
    assert_string_equal(message.welcome.name, "");
    status_init(&status);
    status.cpu_count = 16;
    assert_int_equal(link_format_status(&out, &status), 0);
    parse_back(&out, &message);
    assert_int_equal(message.kind, LINK_STATUS);
    assert_int_equal(message.status.cpu_count, 16);
    link_message_fini(&message);
    assert_int_equal(parse("{\"kind\":\"fly\",\"ticket\":\"...\"}", &message), 0);
    assert_int_equal(message.kind, LINK_OTHER);
    assert_string_equal(message.of, "fly");
    assert_string_equal(link_kind_name(LINK_HELLO), "hello");
    assert_string_equal(link_kind_name(LINK_OTHER), "other");
}

static void test_bad(void **state) {
    static const char *const bad[] = {
        "",
        "\n",
        "hello",
        "[]",
        "{}",
        "{\"kind\":7}",
        "{\"kind\":\"a\\u0001b\"}",
        "{\"kind\":\"0123456789012345678901234567890123456789012345678901234567890123\"}",
        "{\"kind\":\"hello\",\"name\":\"box1\"}",
        "{\"kind\":\"hello\",\"protocol\":0,\"name\":\"box1\"}",
        "{\"kind\":\"hello\",\"protocol\":\"1\",\"name\":\"box1\"}",
        "{\"kind\":\"hello\",\"protocol\":1}",
        "{\"kind\":\"hello\",\"protocol\":1,\"name\":\"Box\"}",
        "{\"kind\":\"hello\",\"protocol\":1,\"name\":\"0123456789012345678901234567890123456789\"}",
        "{\"kind\":\"services\"}",
        "{\"kind\":\"services\",\"services\":{}}",
        "{\"kind\":\"services\",\"services\":[7]}",
        "{\"kind\":\"services\",\"services\":[{\"name\":\"a b\",\"kind\":\"tcp\",\"port\":1,\"state\":\"up\"}]}",
        "{\"kind\":\"services\",\"services\":[{\"name\":\"a\",\"kind\":\"tcp\",\"port\":0,\"state\":\"up\"}]}",
        "{\"kind\":\"services\",\"services\":[{\"name\":\"a\",\"kind\":\"tcp\",\"port\":65536,\"state\":\"up\"}]}",
        "{\"kind\":\"services\",\"services\":[{\"name\":\"a\",\"kind\":\"tcp\",\"port\":1}]}",
        "{\"kind\":\"services\",\"services\":[{\"name\":\"a\",\"kind\":6,\"port\":1,\"state\":\"up\"}]}",
        "{\"kind\":\"ping\"}",
        "{\"kind\":\"ping\",\"n\":-1}",
        "{\"kind\":\"ping\",\"n\":1.0}",
        "{\"kind\":\"ping\",\"n\":9223372036854775808}",
        "{\"kind\":\"pong\",\"n\":\"1\"}",
        "{\"kind\":\"welcome\"}",
        "{\"kind\":\"error\"}",
        "{\"kind\":\"unknown\"}",
        "{\"kind\":\"status\",\"load_1m\":1e999}",
        "{\"kind\":\"ping\",\"n\":1}{\"kind\":\"ping\",\"n\":2}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct link_message message = {.kind = LINK_PONG, .n = 4242};
        if (parse(bad[i], &message) != SP_EFORMAT)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(message.kind, LINK_PONG);
        assert_int_equal(message.n, 4242);
    }
}

/* A '#' in the item becomes its number. */
static char *repeat(const char *head, const char *item, size_t n, const char *tail) {
    const char *mark = strchr(item, '#');
    struct buf buf;
    buf_init(&buf);
    buf_printf(&buf, "%s", head);
    for (size_t i = 0; i < n; i++) {
        if (mark)
            buf_printf(&buf, "%.*s%zu%s", (int)(mark - item), item, i, mark + 1);
        else
            buf_printf(&buf, "%s", item);
    }
    buf_printf(&buf, "%s", tail);
    char *text = strdup(buf_string(&buf));
    buf_fini(&buf);
    assert_non_null(text);
    return text;
}

static int parse_repeated(const char *head, const char *item, size_t n, const char *tail) {
    struct link_message message = {.kind = LINK_OTHER};
    char *text = repeat(head, item, n, tail);
    int rc = parse(text, &message);
    link_message_fini(&message);
    free(text);
    return rc;
}

static void test_bounds(void **state) {
    static const char services[] = "{\"kind\":\"services\",\"services\":[{\"name\":\"s\",\"kind\":\"tcp\",\"port\":9,"
                                   "\"state\":\"up\"}";
    static const char service[] = ",{\"name\":\"s#\",\"kind\":\"tcp\",\"port\":9,\"state\":\"up\"}";
    (void)state;
    assert_int_equal(parse_repeated(services, service, SERVICES_MAX - 1, "]}"), 0);
    assert_int_equal(parse_repeated(services, service, SERVICES_MAX, "]}"), SP_ETOOBIG);
    assert_int_equal(parse_repeated("{\"kind\":\"status\",\"filesystems\":[{}", ",{}", 64, "]}"), 0);
    assert_int_equal(parse_repeated("{\"kind\":\"hello\",\"protocol\":1,\"name\":\"box1\",\"ssh_host_keys\":[\"k\"",
                                    ",\"k\"", LINK_HOST_KEYS_MAX, "]}"),
                     SP_ETOOBIG);
    assert_int_equal(parse_repeated("{\"kind\":\"x\",\"a\":", "[", LINK_DEPTH_MAX, ""), SP_ETOOBIG);
    assert_int_equal(parse_repeated("{\"kind\":\"x\",\"a\":", "[", LINK_DEPTH_MAX - 1, "]]]]]]]]]]]]]]]}"), 0);
    /* 21 bytes around the padding */
    assert_int_equal(parse_repeated("{\"kind\":\"x\",\"pad\":\"", "p", LINK_LINE_MAX - 1 - 21, "\"}"), 0);
    assert_int_equal(parse_repeated("{\"kind\":\"x\",\"pad\":\"", "p", LINK_LINE_MAX - 1 - 21, "\"}\n"), 0);
    assert_int_equal(parse_repeated("{\"kind\":\"x\",\"pad\":\"", "p", LINK_LINE_MAX - 21, "\"}"), SP_ETOOBIG);
    assert_int_equal(parse_repeated("{\"kind\":\"x\",\"pad\":\"", "p", LINK_LINE_MAX - 21, "\"}\n"), SP_ETOOBIG);
}

static void test_long_error(void **state) {
    struct link_message message;
    char *text = repeat("{\"kind\":\"error\",\"text\":\"", "\xc3\xa9", 400, "\"}");
    (void)state;
    assert_int_equal(parse(text, &message), 0);
    assert_int_equal(strlen(message.text), 510); /* 255 characters of two bytes: none cut in half */
    free(text);
    assert_int_equal(parse("{\"kind\":\"error\",\"text\":\"a\\u001b[31m\"}", &message), 0);
    assert_string_equal(message.text, "");
}

static void test_format_refuses(void **state) {
    struct buf out;
    char *text = repeat("", "x", LINK_LINE_MAX, "");
    (void)state;
    buf_init(&out);
    assert_int_equal(link_format_error(&out, "bad \xff"), SP_EFORMAT);
    assert_int_equal(link_format_error(&out, text), SP_ETOOBIG);
    assert_int_equal(buf_len(&out), 0);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_hello_lenient),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_services_bad_token),
        cmocka_unit_test(test_services_largest),
        cmocka_unit_test(test_services_newer),
        cmocka_unit_test(test_services_twice),
        cmocka_unit_test(test_small_ones),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_long_error),
        cmocka_unit_test(test_format_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
