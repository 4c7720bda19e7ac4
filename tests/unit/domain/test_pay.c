/* Does it pay: the sums of a machine, as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "sallyport/domain/pay.h"

#define DAY INT64_C(86400)
#define FIRST 20000 /* a day */
#define HOUR 3600.0
#define KWH 3.6e6

/* A machine whose first GPU (0.50 an hour) was used by user 0 for the same hours on each day, from FIRST up to today. */
struct row {
    const char *name;
    double machine, power_per_kwh, cloud;
    double hours, kwh;                /* a day */
    int days;                         /* with today, which counts as half a day in the pace */
    int64_t since;                    /* days before today; 0: not said */
    double used, cost, energy, saved; /* wanted; NAN: not known */
    int pays_on;                      /* day from FIRST on; -1: none */
};

static const struct row rows[] = {
    {"nothing is known yet", 1000, 0.3, 0.5, 0, 0, 0, 0, NAN, NAN, NAN, NAN, -1},
    {"two days are no pace", 1000, 0.3, 0.5, 20, 10, 2, 0, 40, 20, 6, 14, -1},
    /* 7 a day over 9.5 days: 73.68 a day are saved in 10 days; (1000 - 70) / (70 / 9.5) = 126.2 */
    {"by the pace so far", 1000, 0.3, 0.5, 20, 10, 10, 0, 200, 100, 30, 70, 9 + 127},
    {"paid already, on the day on which it was", 21, 0.3, 0.5, 20, 10, 10, 0, 200, 100, 30, 70, 2},
    {"power costs more than renting", 1000, 3.0, 0.5, 20, 10, 10, 0, 200, 100, 300, -200, -1},
    {"power is free", 1000, 0, 0.5, 20, 10, 10, 0, 200, 100, 0, 100, 9 + 86},
    {"the price of power is not known", 1000, NAN, 0.5, 20, 10, 10, 0, 200, 100, NAN, NAN, -1},
    {"the price of the cloud is not known", 1000, 0.3, NAN, 20, 10, 10, 0, 200, NAN, 30, NAN, -1},
    {"the price of the machine is not known", NAN, 0.3, 0.5, 20, 10, 10, 0, 200, 100, 30, 70, -1},
    {"counted from when", 1000, 0.3, 0.5, 20, 10, 10, 4, 100, 50, 15, 35, 9 + 125},
    {"beyond what anybody knows", 1e9, 0.3, 0.5, 20, 10, 10, 0, 200, 100, 30, 70, -1},
    {"never used, but it was on", 1000, 0.3, 0.5, 0, 10, 10, 0, 0, 0, 30, -30, -1},
};

static void same(const char *name, const char *what, double got, double wanted) {
    if (isnan(wanted) ? !isnan(got) : !(fabs(got - wanted) < 1e-6))
        fail_msg("%s: %s is %g, not %g", name, what, got, wanted);
}

static void check(const struct row *row) {
    struct pay_use uses[16];
    struct pay_day days[16];
    struct pay_gpu gpu = {.cloud_per_hour = row->cloud};
    struct pay_user user;
    struct pay_result result;
    int64_t today = FIRST + (row->days ? row->days - 1 : 0);
    struct pay_question question = {
        .prices = {.machine = row->machine,
                   .power_per_kwh = row->power_per_kwh,
                   .cloud_per_gpu_hour = NAN,
                   .since = row->since ? (today - row->since) * DAY : 0},
        .now = today * DAY + DAY / 2,
        .uses = uses,
        .days = days,
    };
    for (int i = 0; i < row->days; i++) {
        uses[question.use_count++] =
            (struct pay_use){.day = FIRST + i, .busy_s = row->hours * HOUR, .joules = row->kwh / 2 * KWH};
        days[question.day_count++] = (struct pay_day){.day = FIRST + i, .joules = row->kwh * KWH};
    }
    assert_int_equal(pay_reckon(&question, &gpu, 1, &user, 1, &result), 0);
    same(row->name, "used", result.used_gpu_hours, row->used);
    same(row->name, "cost", result.cloud_cost, row->cost);
    same(row->name, "energy", result.energy_cost, row->energy);
    same(row->name, "saved", result.saved, row->saved);
    int64_t wanted = row->pays_on < 0 ? 0 : (FIRST + row->pays_on) * DAY;
    if (result.pays_on != wanted)
        fail_msg("%s: pays on day %lld, not %d", row->name, (long long)(result.pays_on / DAY) - FIRST, row->pays_on);
    if (row->days) {
        same(row->name, "the GPU's hours", gpu.used_hours, row->used);
        same(row->name, "the user's hours", user.gpu_hours, row->used);
        same(row->name, "the user's cost", user.cloud_cost, row->cost);
        same(row->name, "the user's power", user.energy_cost, row->energy / 2);
    }
}

static void the_sums(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

static void users_and_gpus_apart(void **state) {
    const struct pay_use uses[] = {
        {FIRST, 0, 0, 10 * HOUR, KWH},
        {FIRST, 1, 1, 4 * HOUR, 2 * KWH},
        {FIRST + 1, 1, 0, 6 * HOUR, 3 * KWH},
        {FIRST, 7, 0, HOUR, KWH}, /* a GPU that nobody knows */
    };
    struct pay_gpu gpus[] = {{.cloud_per_hour = 1}, {.cloud_per_hour = NAN}};
    struct pay_user users[2];
    struct pay_result result;
    struct pay_question question = {
        .prices = {.machine = NAN, .power_per_kwh = 0.5}, .now = (FIRST + 5) * DAY, .uses = uses, .use_count = 4};
    (void)state;
    assert_int_equal(pay_reckon(&question, gpus, 2, users, 2, &result), 0);
    same("two", "first GPU", gpus[0].used_hours, 10);
    same("two", "second GPU", gpus[1].used_hours, 10);
    same("two", "first user", users[0].gpu_hours, 16);
    same("two", "first user's cost", users[0].cloud_cost, NAN); /* of one of his GPUs no price is known */
    same("two", "second user's power", users[1].energy_cost, 1);
    same("two", "all", result.used_gpu_hours, 20);
    same("two", "energy", result.energy_kwh, 0); /* of the whole machine none is known */
}

/* Days that cannot be: nothing is read or written beyond an array. */
static void wild_days(void **state) {
    const struct pay_use uses[] = {{INT32_MIN, 0, 0, HOUR, 0}, {INT32_MAX, 0, 0, HOUR, 0}, {FIRST, 0, 0, HOUR, 0}};
    const struct pay_day days[] = {{INT32_MIN, KWH}, {INT32_MAX, KWH}};
    struct pay_gpu gpu = {.cloud_per_hour = 1};
    struct pay_user user;
    struct pay_result result;
    struct pay_question question = {.prices = {.machine = 10, .power_per_kwh = 0.5},
                                    .now = (FIRST + 1) * DAY,
                                    .uses = uses,
                                    .use_count = 3,
                                    .days = days,
                                    .day_count = 2};
    (void)state;
    assert_int_equal(pay_reckon(&question, &gpu, 1, &user, 1, &result), 0);
    same("wild", "used", gpu.used_hours, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_sums), cmocka_unit_test(users_and_gpus_apart),
                                       cmocka_unit_test(wild_days)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
