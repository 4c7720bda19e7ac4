#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay_clock.h"

static void test_it_goes_on_by_itself(void **state) {
    (void)state;
    struct relay_clock clock = {0};
    assert_int_equal(relay_clock_at(&clock, 5000), 0);
    assert_int_equal(relay_clock_lead(&clock, 1000, 5000), 0);
    relay_clock_hear(&clock, 0, 5000);
    relay_clock_hear(&clock, -7, 5000);
    relay_clock_hear(&clock, INT64_MAX, 5000);
    assert_false(clock.known);
    relay_clock_hear(&clock, 1000, 5000);
    assert_int_equal(relay_clock_at(&clock, 5000), 1000);
    assert_int_equal(relay_clock_at(&clock, 65999), 1060);
    assert_int_equal(relay_clock_lead(&clock, 4660, 65000), 3600);
    assert_int_equal(relay_clock_lead(&clock, 1000, 65000), -60);
}

static void test_late_messages_do_not_set_it_back(void **state) {
    (void)state;
    struct relay_clock clock = {0};
    relay_clock_hear(&clock, 1000, 5000);
    relay_clock_hear(&clock, 1005, 20000); /* ten seconds late */
    assert_in_range(relay_clock_at(&clock, 20200), 1014, 1015);
    relay_clock_hear(&clock, 1016, 20100); /* closer to the truth */
    assert_int_equal(relay_clock_at(&clock, 20100), 1016);
}

/* A month in which this machine's clock runs faster or slower than the relay's by a few seconds a day, as without NTP. */
static void test_clocks_that_run_differently(void **state) {
    (void)state;
    static const double rates[] = {1.0, 1.00005, 0.99995, 1.0005, 0.9995};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct relay_clock clock = {0};
        for (int64_t t = 0; t < 30 * 86400; t += 7) {
            uint64_t ours = (uint64_t)((double)(t * 1000 + 300) * rates[i]) + 100;
            relay_clock_hear(&clock, 2000000000 + t, ours);
            int64_t off = relay_clock_at(&clock, ours) - (2000000000 + t);
            if (off < -2 || off > 2)
                fail_msg("rate %f, day %d: %d s off", rates[i], (int)(t / 86400), (int)off);
        }
    }
}

static void test_the_relays_own_clock_may_be_set(void **state) {
    (void)state;
    struct relay_clock clock = {0};
    relay_clock_hear(&clock, 100000, 5000);
    relay_clock_hear(&clock, 200000, 6000);
    assert_int_equal(relay_clock_at(&clock, 6000), 200000);
    relay_clock_hear(&clock, 100002, 7000);
    assert_int_equal(relay_clock_at(&clock, 7000), 100002);
    relay_clock_hear(&clock, 99972, 7000); /* less than a ticket's life */
    assert_int_equal(relay_clock_at(&clock, 7000), 99972);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_goes_on_by_itself),
        cmocka_unit_test(test_late_messages_do_not_set_it_back),
        cmocka_unit_test(test_clocks_that_run_differently),
        cmocka_unit_test(test_the_relays_own_clock_may_be_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
