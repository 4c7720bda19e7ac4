#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "portmap_local.h"

static int parse_url(const char *text, struct portmap_url *url) {
    return portmap_url_parse(text, strlen(text), url);
}

static void test_urls_that_are_good(void **state) {
    (void)state;
    static const struct {
        const char *text, *written;
    } good[] = {
        {"http://192.168.1.1:5000/rootDesc.xml", "http://192.168.1.1:5000/rootDesc.xml"},
        {"HTTP://192.168.1.1/", "http://192.168.1.1:80/"},
        {"http://192.168.1.1", "http://192.168.1.1:80/"},
        {"http://192.168.1.1:65535", "http://192.168.1.1:65535/"},
        {"http://[2001:DB8:0::1]:80/a?b=c&d", NULL},
        {"http://[2001:DB8:0::1]:81/a?b=c", "http://[2001:db8::1]:81/a?b=c"},
        {"http://10.0.0.1:1/a/../b//c%20", "http://10.0.0.1:1/a/../b//c%20"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct portmap_url url, again;
        char text[PORTMAP_URL_SIZE];
        if (!good[i].written) {
            assert_int_equal(parse_url(good[i].text, &url), SP_EFORMAT); /* & has to be &amp; in XML */
            continue;
        }
        assert_int_equal(parse_url(good[i].text, &url), 0);
        portmap_url_write(&url, text);
        assert_string_equal(text, good[i].written);
        assert_int_equal(parse_url(text, &again), 0);
        assert_string_equal(again.host, url.host);
    }
}

static void test_urls_that_are_bad(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "http:",
        "http://",
        "http:///",
        "https://192.168.1.1/",
        "ftp://192.168.1.1/",
        "file:///etc/passwd",
        "192.168.1.1/",
        "http://router/",
        "http://192.168.1.1.evil/",
        "http://192.168.1/",
        "http://3232235777/",
        "http://0x7f.1/",
        "http://192.168.1.01/",
        "http://192.168.1.256/",
        "http://192.168.1.1@evil/",
        "http://user@192.168.1.1/",
        "http://user:pw@192.168.1.1/",
        "http://192.168.1.1:/",
        "http://192.168.1.1:0/",
        "http://192.168.1.1:65536/",
        "http://192.168.1.1:+80/",
        "http://192.168.1.1:80 /",
        "http://192.168.1.1:80a/",
        "http://192.168.1.1:99999999999999999999/",
        "http://192.168.1.1/a b",
        "http://192.168.1.1/a\r\nX: y",
        "http://192.168.1.1/\x80",
        "http://192.168.1.1/<",
        "http://192.168.1.1/\"",
        "http://192.168.1.1#@evil/",
        "http://192.168.1.1?@evil/",
        "http://192.168.1.1\\@evil/",
        "http://[::1",
        "http://[::1]x/",
        "http://[]/",
        "http://[192.168.1.1]/",
        "http://::1/",
        "http://[fe80::1%eth0]/",
        "http://[fe80::1%25eth0]/",
        " http://1.2.3.4/",
        "http://[1:2:3:4:5:6:7:8:9]/",
        "http://1.2.3.4/\x7f",
        "http://1.2.3.4:80:80/",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct portmap_url url = {.port = 7};
        if (parse_url(bad[i], &url) == 0)
            fail_msg("taken for an URL: %s", bad[i]);
        assert_int_equal(url.port, 7);
    }
}

static void test_urls_have_bounds(void **state) {
    (void)state;
    char text[600] = "http://1.2.3.4/";
    struct portmap_url url;
    memset(text + 15, 'x', 500);
    assert_int_equal(portmap_url_parse(text, 14 + 159, &url), 0);
    assert_int_equal(strlen(url.path), 159);
    assert_int_equal(portmap_url_parse(text, 14 + 160, &url), SP_ETOOBIG);
    assert_int_equal(portmap_url_parse(text, 500, &url), SP_ETOOBIG);
    /* a NUL inside ends nothing */
    assert_int_equal(portmap_url_parse("http://1.2.3.4/\0/x", 18, &url), SP_EFORMAT);
    assert_int_equal(portmap_url_parse("http://1.2.3.4\0.evil/", 21, &url), SP_EFORMAT);
}

static void test_urls_of_a_description(void **state) {
    (void)state;
    static const struct {
        const char *reference, *written;
        int rc;
    } cases[] = {
        {"/ctl", "http://192.168.1.1:5000/ctl", 0},
        {"ctl/x", "http://192.168.1.1:5000/ctl/x", 0},
        {"http://192.168.1.1:49152/ctl", "http://192.168.1.1:49152/ctl", 0},
        {"http://192.168.1.1:49152", "http://192.168.1.1:49152/", 0},
        {"@evil/", "http://192.168.1.1:5000/@evil/", 0},
        {"http://192.168.1.2:5000/ctl", NULL, SP_EDENIED},
        {"http://[2001:db8::1]/ctl", NULL, SP_EDENIED},
        {"http://evil/ctl", NULL, SP_EFORMAT},
        {"http:/ctl", NULL, SP_EFORMAT},
        {"HTTP://evil/ctl", NULL, SP_EFORMAT},
        {"//evil/ctl", NULL, SP_EFORMAT},
        {"///evil", NULL, SP_EFORMAT},
        {"", NULL, SP_EFORMAT},
        {"/a b", NULL, SP_EFORMAT},
        {"/a\r\nHost: evil", NULL, SP_EFORMAT},
    };
    struct portmap_url base;
    assert_int_equal(parse_url("http://192.168.1.1:5000/rootDesc.xml", &base), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct portmap_url url;
        char text[PORTMAP_URL_SIZE];
        assert_int_equal(portmap_url_resolve(&base, cases[i].reference, &url), cases[i].rc);
        if (cases[i].rc == 0) {
            portmap_url_write(&url, text);
            assert_string_equal(text, cases[i].written);
        }
    }
    char longest[400];
    struct portmap_url url;
    memset(longest, 'x', sizeof longest);
    longest[399] = '\0';
    assert_int_equal(portmap_url_resolve(&base, longest, &url), SP_ETOOBIG);
}

#define ROUTER "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
#define PLACE "LOCATION: http://192.168.1.1:5000/d.xml\r\n"

static void test_ssdp(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n" ROUTER PLACE "SERVER: x\x1b[2J y  \r\n\r\n", 0},
        {"HTTP/1.0 200\r\n" PLACE "st:urn:schemas-upnp-org:service:WANIPConnection:2\r\n", 0},
        {"HTTP/1.1 200 OK\n" ROUTER "location:\t http://192.168.1.1:5000/d.xml \n", 0},
        {"HTTP/1.1 200 OK\r\n" PLACE "ST: urn:schemas-upnp-org:service:WANPPPConnection:1\r\n\r\n", 0},
        {"", SP_EFORMAT},
        {"\r\n", SP_EFORMAT},
        {"HTTP/1.1 200 OK\r\n" ROUTER, SP_EFORMAT},
        {"HTTP/1.1 200 OK\r\n" PLACE, SP_EFORMAT},
        {"HTTP/1.1 404 OK\r\n" ROUTER PLACE, SP_EFORMAT},
        {"NOTIFY * HTTP/1.1\r\n" ROUTER PLACE, SP_EFORMAT},
        {"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n" PLACE, SP_EFORMAT},
        {"HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:\r\n" PLACE, SP_EFORMAT},
        {"HTTP/1.1 200 OK\r\n" ROUTER "LOCATION: http://router/d.xml\r\n", SP_EFORMAT},
        {"HTTP/1.1 200 OK\r\n" ROUTER PLACE "LOCATION: http://router/d.xml\r\n", SP_EFORMAT},
        {"HTTP/1.1 200 OK\r\n" ROUTER "XLOCATION: http://192.168.1.1:5000/d.xml\r\n", SP_EFORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct portmap_ssdp found;
        assert_int_equal(portmap_ssdp_parse(cases[i].text, strlen(cases[i].text), &found), cases[i].rc);
        if (cases[i].rc == 0)
            assert_string_equal(found.url.host, "192.168.1.1");
        if (i == 0)
            assert_string_equal(found.server, "x[2J y");
    }
    char text[300];
    size_t n = portmap_ssdp_question(text, sizeof text, "239.255.255.250", 1);
    assert_int_equal(n, strlen(text));
    assert_non_null(strstr(text, "HOST: 239.255.255.250:1900\r\n"));
    assert_non_null(strstr(text, "InternetGatewayDevice:1\r\n\r\n"));
    assert_int_equal(portmap_ssdp_question(text, 20, "x", 0), 0);
}

static void test_pcp_question(void **state) {
    (void)state;
    struct portmap_pcp_ask ask = {
        .nonce = "twelve bytes", .internal_port = 0x1234, .external_port = 0x5678, .lifetime_s = 3600};
    uint8_t bytes[PCP_MAP_SIZE];
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &ask.client), 1);
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &ask.external), 1);
    portmap_pcp_write_map(bytes, &ask);
    static const uint8_t expected[PCP_MAP_SIZE] = {
        2,   1,  0,  0,   0,   0,   14,  16,  0,   0,   0,   0,   0,   0,   0,   0,   0, 0, 255, 255,
        192, 0,  2,  1,   't', 'w', 'e', 'l', 'v', 'e', ' ', 'b', 'y', 't', 'e', 's', 6, 0, 0,   0,
        18,  52, 86, 120, 32,  1,   13,  184, 0,   0,   0,   0,   0,   0,   0,   0,   0, 0, 0,   1};
    assert_memory_equal(bytes, expected, sizeof expected);
}

static void test_pcp_answers(void **state) {
    (void)state;
    uint8_t bytes[PCP_MAX + 8] = {2, 0x81, 0, 0, 0, 0, 14, 16, 0, 0, 1, 0};
    struct portmap_pcp_answer answer = {.opcode = 99};
    bytes[24] = 'n';
    bytes[36] = 6;
    bytes[41] = 22;
    bytes[43] = 80;
    bytes[59] = 9;
    for (size_t n = 0; n <= sizeof bytes; n++) {
        int rc = portmap_pcp_parse(bytes, n, &answer);
        assert_int_equal(rc, n >= PCP_MAP_SIZE && n <= PCP_MAX && n % 4 == 0 ? 0 : SP_EFORMAT);
    }
    assert_int_equal(portmap_pcp_parse(bytes, PCP_MAP_SIZE, &answer), 0);
    assert_int_equal(answer.lifetime_s, 3600);
    assert_int_equal(answer.epoch, 256);
    assert_int_equal(answer.internal_port, 22);
    assert_int_equal(answer.external_port, 80);
    assert_int_equal(answer.nonce[0], 'n');
    assert_int_equal(answer.external.s6_addr[15], 9);
    bytes[3] = 8;
    assert_int_equal(portmap_pcp_parse(bytes, PCP_MAP_SIZE, &answer), 0);
    assert_int_equal(answer.result, 8);
    bytes[36] = 17;
    assert_int_equal(portmap_pcp_parse(bytes, PCP_MAP_SIZE, &answer), SP_EFORMAT);
    bytes[1] = 0x80; /* ANNOUNCE */
    assert_int_equal(portmap_pcp_parse(bytes, PCP_ANNOUNCE_SIZE, &answer), 0);
    assert_int_equal(answer.opcode, PCP_ANNOUNCE);
    bytes[1] = 0x82;
    assert_int_equal(portmap_pcp_parse(bytes, PCP_MAP_SIZE, &answer), SP_EFORMAT);
    bytes[1] = 1; /* a question */
    assert_int_equal(portmap_pcp_parse(bytes, PCP_MAP_SIZE, &answer), SP_EFORMAT);
    bytes[0] = 3;
    bytes[1] = 0x81;
    assert_int_equal(portmap_pcp_parse(bytes, PCP_MAP_SIZE, &answer), SP_EFORMAT);
    static const uint8_t natpmp[8] = {0, 0x80, 0, 1};
    assert_int_equal(portmap_pcp_parse(natpmp, sizeof natpmp, &answer), SP_EVERSION);
}

static void test_epochs(void **state) {
    (void)state;
    static const struct {
        uint32_t before, now;
        uint64_t elapsed_s;
        bool pcp, natpmp;
    } cases[] = {
        {1000, 1020, 20, true, true},       {1000, 1000, 0, true, true},
        {1000, 999, 0, true, true},  /* a rounding */
        {1000, 998, 0, false, true}, /* RFC 6887: more than one second back */
        {1000, 0, 20, false, false}, /* started anew */
        {1000, 5, 600, false, false},       {1000, 1600, 600, true, true},
        {1000, 1570, 600, true, true},  /* a slow clock */
        {1000, 1550, 600, false, true}, /* too slow for PCP (1/16), not for NAT-PMP (1/8) */
        {1000, 1520, 600, false, false},    {1000, 1650, 600, false, true}, /* it may not run ahead either, in PCP */
        {1000, 1635, 600, true, true},      {0, 20, 20, true, true},
        {UINT32_MAX, 20, 20, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t elapsed_ms = cases[i].elapsed_s * 1000;
        if (portmap_pcp_epoch_goes_on(cases[i].before, cases[i].now, elapsed_ms) != cases[i].pcp ||
            portmap_natpmp_epoch_goes_on(cases[i].before, cases[i].now, elapsed_ms) != cases[i].natpmp)
            fail_msg("case %zu", i);
    }
}

static void test_clean_text(void **state) {
    (void)state;
    struct portmap_result result = {.trouble = "x"};
    char text[8];
    portmap_clean(text, sizeof text, "  a\x1b\n\x80 b  ", 10);
    assert_string_equal(text, "a b");
    portmap_clean(text, sizeof text, "0123456789", 10);
    assert_string_equal(text, "0123456");
    portmap_clean(text, sizeof text, "", 0);
    assert_string_equal(text, "");
    portmap_say(&result, "%0500d", 1);
    assert_int_equal(strlen(result.trouble), sizeof result.trouble - 1);
    portmap_say(&result, "caf\xc3\xa9 %s", "x\n");
    assert_string_equal(result.trouble, "caf x");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls_that_are_good),
        cmocka_unit_test(test_urls_that_are_bad),
        cmocka_unit_test(test_urls_have_bounds),
        cmocka_unit_test(test_urls_of_a_description),
        cmocka_unit_test(test_ssdp),
        cmocka_unit_test(test_pcp_question),
        cmocka_unit_test(test_pcp_answers),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_clean_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
