/* Messages and the channels that they go to: nothing that a machine or a user says gets out of its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/domain/channel.h"
#include "sallyport/domain/notice.h"

static void expect_channel(enum channel_kind kind, const char *address, bool is_private, int wanted) {
    struct why why = {""};
    int rc = channel_check(kind, address, is_private, &why);
    if (rc != wanted)
        fail_msg("%s: %d, %s", address, rc, why.text);
    assert_true(rc == 0 || why.text[0]);
    assert_true(strlen(address) < 16 || !strstr(why.text, address)); /* it may be a secret */
}

static void test_urls(void **state) {
    (void)state;
    static const char *const good[] = {"https://ntfy.sh/topic", "https://hooks.example.org:8443/a/b?c=d%20e",
                                       "https://8.8.8.8/x", "https://[2606:4700::1]/x", "https://example.org"};
    static const char *const inside[] = {"https://127.0.0.1/",
                                         "https://10.1.2.3/",
                                         "https://192.168.1.1:80/",
                                         "https://169.254.169.254/latest",
                                         "https://[::1]/",
                                         "https://[fe80::1]/",
                                         "https://[::ffff:10.0.0.1]/",
                                         "https://100.64.0.1/",
                                         "https://[fd00::1]/",
                                         "https://[64:ff9b::a00:1]/",
                                         "https://198.51.100.1/",
                                         "https://[::]/"};
    static const char *const wrong[] = {"",
                                        "https://",
                                        "https:///x",
                                        "http:/x",
                                        "ftp://example.org/",
                                        "file:///etc/passwd",
                                        "https://u:p@example.org/",
                                        "https://example.org@127.0.0.1/",
                                        "https://e.org/ x",
                                        "https://e.org/\r\nX: y",
                                        "https://e.org/\xc3\xa4",
                                        "https://e.org/#x",
                                        "https://[::1",
                                        "HTTPS://example.org/",
                                        "https://e.org/\\x",
                                        " https://e.org/"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        expect_channel(CHANNEL_WEBHOOK, good[i], false, 0);
    for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
        expect_channel(CHANNEL_NTFY, inside[i], false, SP_EDENIED);
        expect_channel(CHANNEL_NTFY, inside[i], true, 0);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        expect_channel(CHANNEL_NTFY, wrong[i], false, SP_EINVAL);
    expect_channel(CHANNEL_NTFY, "http://example.org/x", false, SP_EINVAL);
    expect_channel(CHANNEL_NTFY, "http://example.org/x", true, 0);
    expect_channel(CHANNEL_NTFY, "file:///etc/passwd", true, SP_EINVAL);
}

static void test_mail_addresses(void **state) {
    (void)state;
    static const char *const good[] = {"ann@example.org", "a.b+c@mail.example.co"};
    static const char *const wrong[] = {"",
                                        "ann",
                                        "@example.org",
                                        "ann@",
                                        "ann@localhost",
                                        "a@b@c.org",
                                        "a b@c.org",
                                        "<a@b.org>",
                                        "a@b.org,c@d.org",
                                        "a@b.org\r\nRCPT TO:<x@y.org>",
                                        "a@.org",
                                        "a@b..org",
                                        "\"a b\"@c.org",
                                        "a@b.org ",
                                        "-a@b.org",
                                        "a@[127.0.0.1]",
                                        "a@b.org."};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        expect_channel(CHANNEL_MAIL, good[i], false, 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        expect_channel(CHANNEL_MAIL, wrong[i], true, SP_EINVAL);
}

static void expect_short(enum channel_kind kind, const char *address, const char *wanted) {
    struct channel channel = {.kind = kind};
    char text[CHANNEL_SHORT_SIZE];
    snprintf(channel.address, sizeof(channel.address), "%s", address);
    channel_short(&channel, text);
    assert_string_equal(text, wanted);
}

static void test_short(void **state) {
    (void)state;
    expect_short(CHANNEL_NTFY, "https://ntfy.sh/my-secret-topic", "https://ntfy.sh/my-...");
    expect_short(CHANNEL_WEBHOOK, "https://e.org/?k=1", "https://e.org...");
    expect_short(CHANNEL_WEBHOOK, "https://e.org", "https://e.org");
    expect_short(CHANNEL_WEBHOOK, "https://e.org?key=12345678", "https://e.org?key...");
    expect_short(CHANNEL_MAIL, "ann@example.org", "ann@example.org");
}

static void test_texts(void **state) {
    (void)state;
    struct alert alert = {.kind = ALERT_GPU_LOST, .object = "gpu0", .since = 1795428000};
    struct notice notice;
    struct buf out;
    snprintf(alert.text, sizeof(alert.text), "GPU 0 fell off its bus \"\xe2\x9c\x93\"");
    notice_of_alert(&notice, "box1", &alert, ALERT_ON);
    assert_true(notice.urgent);
    assert_int_equal(notice_priority(&notice), 5);
    assert_string_equal(notice_tag(&notice), "warning");
    buf_init(&out);
    assert_int_equal(notice_line(&notice, &out), 0);
    assert_string_equal(buf_string(&out), "box1: GPU 0 fell off its bus \"\xe2\x9c\x93\"");
    buf_fini(&out);
    assert_int_equal(notice_json(&notice, "https://relay/machines/box1", &out), 0);
    json_t *got = json_loads(buf_string(&out), 0, NULL);
    json_t *want = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "kind", "gpu_lost", "machine", "box1", "object",
                             "gpu0", "state", "on", "since", "2026-11-23T10:00:00Z", "text", alert.text, "url",
                             "https://relay/machines/box1");
    assert_true(json_equal(got, want));
    json_decref(got);
    json_decref(want);
    buf_fini(&out);
    notice_of_alert(&notice, "box1", &alert, ALERT_OFF);
    assert_int_equal(notice_title(&notice, &out), 0);
    assert_string_equal(buf_string(&out), "box1: resolved: GPU lost");
    assert_int_equal(notice_priority(&notice), 2);
    buf_fini(&out);
}

/* Lines of at most 78 bytes, each ended by CRLF, and nothing of the text outside of its base64. */
static void test_mail(void **state) {
    (void)state;
    struct notice notice = {.kind = "disk_full", .state = "on", .machine = "box1"};
    struct buf out;
    memset(notice.text, 'x', sizeof(notice.text) - 1);
    buf_init(&out);
    assert_int_equal(notice_mail(&notice, "https://relay/", "relay@example.org", "ann@example.org", 1795428000, &out),
                     0);
    const char *text = buf_string(&out), *line = text;
    assert_non_null(strstr(text, "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n"));
    assert_non_null(strstr(text, "Subject: box1: disk nearly full\r\n"));
    assert_non_null(strstr(text, "@example.org>\r\n"));
    assert_null(strstr(text, "xxxx"));
    for (const char *end; *line; line = end + 2) {
        end = strstr(line, "\r\n");
        assert_non_null(end);
        assert_true(end - line <= 98 && !memchr(line, '\n', (size_t)(end - line)));
    }
    buf_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),  cmocka_unit_test(test_mail_addresses), cmocka_unit_test(test_short),
        cmocka_unit_test(test_texts), cmocka_unit_test(test_mail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
