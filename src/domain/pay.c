/* The sums of a machine that is to pay for itself. */
#include "sallyport/domain/pay.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/err.h"

#define DAY_S 86400
#define JOULES_PER_KWH 3.6e6

/* What was saved on each day from the first one on, of which anything is known. */
struct course {
    int32_t first, last;
    double *saved;
};

static int32_t day_of(int64_t when) {
    return (int32_t)(when / DAY_S);
}

/* The first day that counts and is known of, up to today; false: there is none. */
static bool course_bounds(const struct pay_question *question, struct course *course) {
    int32_t first = INT32_MAX, today = day_of(question->now);
    int32_t since = question->prices.since > 0 ? day_of(question->prices.since) : 0;
    if (since < today - PAY_DAYS_MOST)
        since = today - PAY_DAYS_MOST;
    for (size_t i = 0; i < question->use_count; i++) {
        int32_t day = question->uses[i].day;
        if (day >= since && day <= today && day < first)
            first = day;
    }
    for (size_t i = 0; i < question->day_count; i++) {
        int32_t day = question->days[i].day;
        if (day >= since && day <= today && day < first)
            first = day;
    }
    course->first = first;
    course->last = today;
    return first != INT32_MAX;
}

static void add_use(const struct pay_question *question, const struct pay_use *use, struct pay_gpu *gpus,
                    struct pay_user *users, struct pay_result *result, struct course *course) {
    double hours = use->busy_s / 3600;
    double cost = hours > 0 ? hours * gpus[use->gpu].cloud_per_hour : 0;
    struct pay_user *user = &users[use->user];
    gpus[use->gpu].used_hours += hours;
    user->gpu_hours += hours;
    user->joules += use->joules;
    user->cloud_cost += cost;
    user->energy_cost += use->joules / JOULES_PER_KWH * question->prices.power_per_kwh;
    result->used_gpu_hours += hours;
    result->cloud_cost += cost;
    course->saved[use->day - course->first] += cost;
}

static int64_t to_seconds(double day) {
    return (int64_t)day * DAY_S;
}

/* The day on which what was saved covers the price. */
static int64_t pays_on(const struct course *course, double price, double saved_in_all) {
    double saved = 0;
    if (!isfinite(price) || !isfinite(saved_in_all) || price <= 0)
        return 0;
    for (int32_t day = course->first; day <= course->last; day++) {
        saved += course->saved[day - course->first];
        if (saved >= price)
            return to_seconds(day);
    }
    /* Today is not over: it counts in what was saved, and as half a day in the pace. */
    double days = course->last - course->first + 0.5;
    if (days < PAY_DAYS_LEAST || saved_in_all <= 0)
        return 0;
    double more = (price - saved_in_all) / (saved_in_all / days);
    return more > PAY_DAYS_MOST ? 0 : to_seconds(course->last + ceil(more));
}

int pay_reckon(const struct pay_question *question, struct pay_gpu *gpus, size_t gpu_count, struct pay_user *users,
               size_t user_count, struct pay_result *result) {
    const struct pay_prices *prices = &question->prices;
    struct course course;
    for (size_t i = 0; i < gpu_count; i++)
        gpus[i].used_hours = 0;
    memset(users, 0, user_count * sizeof(*users));
    *result = (struct pay_result){0};
    if (!course_bounds(question, &course)) {
        *result = (struct pay_result){NAN, NAN, NAN, NAN, NAN, 0};
        return 0;
    }
    course.saved = calloc((size_t)(course.last - course.first) + 1, sizeof(double));
    if (!course.saved)
        return SP_ENOMEM;
    for (size_t i = 0; i < question->use_count; i++) {
        const struct pay_use *use = &question->uses[i];
        if (use->day >= course.first && use->day <= course.last && use->gpu < gpu_count && use->user < user_count)
            add_use(question, use, gpus, users, result, &course);
    }
    for (size_t i = 0; i < question->day_count; i++) {
        const struct pay_day *day = &question->days[i];
        if (day->day < course.first || day->day > course.last)
            continue;
        result->energy_kwh += day->joules / JOULES_PER_KWH;
        course.saved[day->day - course.first] -= day->joules / JOULES_PER_KWH * prices->power_per_kwh;
    }
    result->energy_cost = result->energy_kwh * prices->power_per_kwh;
    result->saved = result->cloud_cost - result->energy_cost;
    result->pays_on = pays_on(&course, prices->machine, result->saved);
    free(course.saved);
    return 0;
}
