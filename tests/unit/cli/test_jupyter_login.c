#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "jupyter_login.h"

static void parse(const char *text, struct jupyter_list *list) {
    jupyter_list_parse(text, strlen(text), 8888, list);
}

static void what_jupyters_wrote_down(void **state) {
    (void)state;
    struct jupyter_list list;
    parse("{\n  \"base_url\": \"/\",\n  \"port\": 8888,\n  \"secure\": false,\n  \"token\": \"abc\"\n}\n--\n"
          "{\"base_url\": \"/\", \"port\": 8889, \"token\": \"another\"}\n--\n"
          "{\"base_url\": \"/user/ann/\", \"port\": 8888, \"secure\": true, \"token\": \"\"}\n--\n",
          &list);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].base_url, "/");
    assert_string_equal(list.items[0].token, "abc");
    assert_false(list.items[0].secure);
    assert_string_equal(list.items[1].base_url, "/user/ann/");
    assert_string_equal(list.items[1].token, "");
    assert_true(list.items[1].secure);
}

static void what_makes_no_sense_is_left_out(void **state) {
    static const char *const texts[] = {
        "",
        "--\n",
        "\n--\n\n--\n",
        "Welcome to box1!\n",
        "[]\n--\n",
        "{}\n--\n",
        "{\"base_url\": \"/\", \"port\": 8888, \"token\": \"cut off",
        "{\"base_url\": \"/\", \"port\": 8888, \"token\": \"no end\"}",
        "{\"base_url\": \"/\", \"port\": \"8888\", \"token\": \"abc\"}\n--\n",
        "{\"base_url\": \"/\", \"port\": 8888}\n--\n",
        "{\"base_url\": \"/\", \"port\": 8888, \"token\": \"a b\"}\n--\n",
        "{\"base_url\": \"/\", \"port\": 8888, \"token\": \"a\\r\\nX: y\"}\n--\n",
        "{\"base_url\": \"/\", \"port\": 8888, \"token\": 7}\n--\n",
        "{\"base_url\": \"\", \"port\": 8888, \"token\": \"abc\"}\n--\n",
        "{\"base_url\": \"x/\", \"port\": 8888, \"token\": \"abc\"}\n--\n",
        "{\"base_url\": \"//evil.example/\", \"port\": 8888, \"token\": \"abc\"}\n--\n",
        "{\"base_url\": \"/a b/\", \"port\": 8888, \"token\": \"abc\"}\n--\n",
        "{\"base_url\": \"/lab\", \"port\": 8888, \"token\": \"abc\"}\n--\n",
        "{\"base_url\": \"/\\r\\nX:/\", \"port\": 8888, \"token\": \"abc\"}\n--\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct jupyter_list list;
        parse(texts[i], &list);
        assert_int_equal(list.count, 0);
    }
}

static void garbage_before_one_does_not_hide_it(void **state) {
    (void)state;
    struct jupyter_list list;
    parse("{\"port\": 8888\n--\n{\"base_url\": \"/\", \"port\": 8888, \"token\": \"abc\"}\n--\n", &list);
    assert_int_equal(list.count, 1);
}

static void there_is_a_bound(void **state) {
    (void)state;
    struct jupyter_list list;
    struct buf text;
    buf_init(&text);
    for (int i = 0; i < 100; i++)
        assert_int_equal(buf_printf(&text, "{\"base_url\":\"/\",\"port\":8888,\"token\":\"t%d\"}\n--\n", i), 0);
    jupyter_list_parse((const char *)buf_head(&text), buf_len(&text), 8888, &list);
    assert_int_equal(list.count, JUPYTER_FOUND_MAX);
    buf_fini(&text);
}

static int answer(const char *text, struct buf *fields) {
    return jupyter_login_answer((const uint8_t *)text, strlen(text), fields);
}

static void its_cookies_are_handed_on(void **state) {
    (void)state;
    struct buf fields;
    buf_init(&fields);
    assert_int_equal(answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nset-cookie: a=b; Path=/\r\nX-Other: c\r\n"
                            "Set-Cookie: d=e; HttpOnly\r\n\r\n{}",
                            &fields),
                     0);
    assert_string_equal(buf_string(&fields), "Set-Cookie: a=b; Path=/\r\nSet-Cookie: d=e; HttpOnly\r\n");
    buf_fini(&fields);
}

static void a_refusal_is_no_login(void **state) {
    static const struct {
        const char *text;
        int rc;
    } answers[] = {
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nSet-Cookie: a=b\r\n\r\n", SP_EDENIED},
        {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", SP_EDENIED},
        {"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /login\r\nSet-Cookie: a=b\r\n\r\n", SP_EDENIED},
        {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", SP_EFORMAT},
        {"HTTP/1.1 200 OK\r\nContent-Le", SP_EAGAIN},
        {"SSH-2.0-OpenSSH_9.2\r\n", SP_EFORMAT},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: a=b\r\nSet-Cookie: a=b\r\nSet-Cookie: a=b\r\n"
         "Set-Cookie: a=b\r\nSet-Cookie: a=b\r\n\r\n",
         SP_ETOOBIG},
    };
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct buf fields;
        buf_init(&fields);
        assert_int_equal(answer(answers[i].text, &fields), answers[i].rc);
        buf_fini(&fields);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_jupyters_wrote_down),
        cmocka_unit_test(what_makes_no_sense_is_left_out),
        cmocka_unit_test(garbage_before_one_does_not_hide_it),
        cmocka_unit_test(there_is_a_bound),
        cmocka_unit_test(its_cookies_are_handed_on),
        cmocka_unit_test(a_refusal_is_no_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
