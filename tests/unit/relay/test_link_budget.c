/* What a machine may say on its link in which time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "link_budget.h"

#define BEGIN 1000000u

/* How many lines of that length are taken at that time. */
static unsigned take(struct link_budget *budget, uint64_t now, size_t len, bool logged) {
    unsigned lines = 0;
    for (; lines < 100000 && link_budget_allows(budget, now); lines++)
        link_budget_spend(budget, len, logged);
    return lines;
}

static void a_burst_and_then_so_many_a_second(void **state) {
    struct link_budget budget;
    (void)state;
    link_budget_init(&budget, BEGIN);
    assert_int_equal(take(&budget, BEGIN, 20, false), LINK_BUDGET_LINES);
    assert_int_equal(take(&budget, BEGIN + 1000, 20, false), LINK_BUDGET_LINES_S);
    unsigned lines = 0;
    for (uint64_t ms = 1; ms <= 10000; ms++)
        lines += take(&budget, BEGIN + 1000 + ms, 20, false);
    assert_int_equal(lines, 10 * LINK_BUDGET_LINES_S);
}

/* However long nothing was said, no more than the burst waits. */
static void it_is_never_more_than_full(void **state) {
    struct link_budget budget;
    (void)state;
    link_budget_init(&budget, BEGIN);
    assert_int_equal(take(&budget, UINT64_C(1) << 62, 20, false), LINK_BUDGET_LINES);
    assert_int_equal(take(&budget, UINT64_MAX, 20, false), LINK_BUDGET_LINES);
}

static void an_honest_agent_never_waits(void **state) {
    struct link_budget budget;
    (void)state;
    link_budget_init(&budget, BEGIN);
    for (uint64_t s = 0; s < 1000; s++) {
        for (int line = 0; line < 2; line++) {
            assert_true(link_budget_allows(&budget, BEGIN + s * 1000));
            link_budget_spend(&budget, 65536, false);
        }
    }
}

static void long_and_logged_lines_count_more(void **state) {
    struct link_budget budget;
    (void)state;
    link_budget_init(&budget, BEGIN);
    assert_int_equal(take(&budget, BEGIN, 65536, false), 1 + LINK_BUDGET_LINES / 17);
    /* what was taken above it is paid back first */
    assert_int_equal(take(&budget, BEGIN + 20, 20, false), 0);
    link_budget_init(&budget, BEGIN);
    assert_int_equal(take(&budget, BEGIN, 20, true), 1 + LINK_BUDGET_LINES / (1 + LINK_BUDGET_LOGGED));
}

static void it_is_said_once_an_hour(void **state) {
    struct link_budget budget;
    unsigned said = 0;
    (void)state;
    link_budget_init(&budget, BEGIN);
    for (uint64_t ms = 0; ms < 2 * LINK_BUDGET_TELL_MS; ms += 100)
        said += link_budget_hold(&budget, BEGIN + ms);
    assert_int_equal(said, 2);
    assert_int_equal(budget.held_at, BEGIN + 2 * LINK_BUDGET_TELL_MS - 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_and_then_so_many_a_second), cmocka_unit_test(it_is_never_more_than_full),
        cmocka_unit_test(an_honest_agent_never_waits),       cmocka_unit_test(long_and_logged_lines_count_more),
        cmocka_unit_test(it_is_said_once_an_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
