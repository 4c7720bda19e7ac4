/* The settings of alerts and quiet hours: what people may write, and what they may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sallyport/domain/alert_settings.h"
#include "sallyport/domain/quiet.h"

#define MIDNIGHT INT64_C(1795392000) /* 2026-11-23T00:00:00Z */

static void test_names(void **state) {
    (void)state;
    for (unsigned i = 0; i < ALERT_SETTINGS; i++) {
        char text[ALERT_VALUE_SIZE];
        unsigned found;
        double value = -1;
        assert_int_equal(alert_setting_find(alert_setting_name(i), &found, NULL), 0);
        assert_int_equal(found, i);
        alert_setting_format(i, alert_setting_default(i), text);
        assert_int_equal(alert_setting_parse(i, text, &value, NULL), 0);
        assert_true(value == alert_setting_default(i));
    }
    for (unsigned kind = 0; kind < ALERT_KINDS; kind++) {
        enum alert_kind parsed;
        assert_int_equal(alert_kind_parse(alert_kind_name(kind), &parsed), 0);
        assert_int_equal(parsed, kind);
    }
    struct why why = {""};
    unsigned found = 77;
    assert_int_equal(alert_setting_find("gpu_temperature", &found, &why), SP_ENOENT);
    assert_int_equal(found, 77);
    assert_non_null(strstr(why.text, "gpu_temperature"));
}

static void expect(unsigned setting, const char *text, double wanted) {
    double value = -1;
    struct why why = {""};
    int rc = alert_setting_parse(setting, text, &value, &why);
    if (wanted < 0) {
        assert_int_equal(rc, SP_EINVAL);
        assert_true(value < 0 && why.text[0]);
    } else {
        assert_int_equal(rc, 0);
        assert_float_equal(value, wanted, 1e-9);
    }
}

static void test_values(void **state) {
    (void)state;
    expect(SETTING_GPU_TEMPERATURE_CELSIUS, "90", 90);
    expect(SETTING_GPU_TEMPERATURE_CELSIUS, "87.5", 87.5);
    expect(SETTING_DISK_USED_SHARE, "0.9", 0.9);
    expect(SETTING_DISK_USED_SHARE, "97%", 0.97);
    expect(SETTING_OFFLINE_AFTER_S, "5m", 300);
    expect(SETTING_OFFLINE_AFTER_S, "300", 300);
    expect(SETTING_OF_KINDS, "on", 1);
    expect(SETTING_OF_KINDS, "off", 0);
    static const char *const wrong[] = {"",    "-1",  "+90", "0x50",  "1e2",  "nan",
                                        "inf", " 90", "90 ", "1.2.3", "9999", "90C",
                                        "off", "90%", "%",   ".",     "1",    "99999999999999999999"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        expect(SETTING_GPU_TEMPERATURE_CELSIUS, wrong[i], -1);
    expect(SETTING_DISK_USED_SHARE, "101%", -1);
    expect(SETTING_DISK_USED_SHARE, "5%%", -1);
    expect(SETTING_OFFLINE_AFTER_S, "1", -1);
    expect(SETTING_OFFLINE_AFTER_S, "1y", -1);
    expect(SETTING_OF_KINDS, "1", -1);
}

static void test_quiet_text(void **state) {
    (void)state;
    struct quiet quiet = {.offset = 5};
    char text[QUIET_TEXT_SIZE];
    assert_int_equal(quiet_parse_span("22:00-07:30", &quiet, NULL), 0);
    assert_int_equal(quiet.from, 1320);
    assert_int_equal(quiet.to, 450);
    assert_int_equal(quiet.offset, 5);
    static const char *const wrong[] = {"",
                                        "22:00",
                                        "22:00-",
                                        "-07:00",
                                        "24:00-07:00",
                                        "2:00-7:00",
                                        "22:60-07:00",
                                        "22:00-07:00-08:00",
                                        "22.00-07.00",
                                        "aa:bb-cc:dd"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(quiet_parse_span(wrong[i], &quiet, NULL), SP_EINVAL);
    assert_int_equal(quiet.to, 450);
    int offset = 0;
    assert_int_equal(quiet_parse_offset("-05:30", &offset, NULL), 0);
    assert_int_equal(offset, -330);
    quiet_format_offset(offset, text);
    assert_string_equal(text, "-05:30");
    quiet_format_time(1320, text);
    assert_string_equal(text, "22:00");
    assert_int_equal(quiet_parse_offset("Z", &offset, NULL), 0);
    assert_int_equal(offset, 0);
    assert_int_equal(quiet_parse_offset("+15:00", &offset, NULL), SP_EINVAL);
    assert_int_equal(quiet_parse_offset("01:00", &offset, NULL), SP_EINVAL);
    assert_int_equal(quiet_parse_offset("CET", &offset, NULL), SP_EINVAL);
}

static void test_quiet_hours(void **state) {
    (void)state;
    const struct quiet night = {.from = 1320, .to = 420, .offset = 60};
    assert_int_equal(quiet_until(&night, MIDNIGHT), MIDNIGHT + 6 * 3600);                /* it is 01:00 there */
    assert_int_equal(quiet_until(&night, MIDNIGHT + 6 * 3600 - 1), MIDNIGHT + 6 * 3600); /* 06:59:59 */
    assert_int_equal(quiet_until(&night, MIDNIGHT + 6 * 3600), 0);                       /* 07:00 */
    assert_int_equal(quiet_until(&night, MIDNIGHT + 21 * 3600 - 1), 0);                  /* 21:59:59 */
    assert_int_equal(quiet_until(&night, MIDNIGHT + 21 * 3600), MIDNIGHT + 30 * 3600);   /* 22:00 */
    const struct quiet noon = {.from = 720, .to = 780, .offset = -300};
    assert_int_equal(quiet_until(&noon, MIDNIGHT + 17 * 3600 + 60), MIDNIGHT + 18 * 3600); /* 12:01 there */
    assert_int_equal(quiet_until(&noon, MIDNIGHT + 12 * 3600 + 60), 0);
    const struct quiet none = {.from = 60, .to = 60};
    assert_int_equal(quiet_until(&none, MIDNIGHT + 3600), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_quiet_text),
        cmocka_unit_test(test_quiet_hours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
