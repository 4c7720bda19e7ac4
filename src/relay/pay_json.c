/* What a machine pays, as JSON, and its prices as somebody says them. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pay.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

#define PRICE_MAX 1e12
#define JOULES_PER_KWH 3.6e6

/* The prices that are numbers: what they are called, and where they are. */
static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    {"machine_price", offsetof(struct pay_prices, machine)},
    {"power_price_per_kwh", offsetof(struct pay_prices, power_per_kwh)},
    {"cloud_price_per_gpu_hour", offsetof(struct pay_prices, cloud_per_gpu_hour)},
};
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static bool put_real(json_t *object, const char *name, double value) {
    return !isfinite(value) || json_object_set_new(object, name, json_real(value)) == 0;
}

static bool put_day(json_t *object, const char *name, int64_t when) {
    char text[21];
    if (when <= 0)
        return true;
    str_time(text, when);
    text[10] = '\0';
    return json_object_set_new(object, name, json_string(text)) == 0;
}

static json_t *gpu_json(const struct pay_report_gpu *gpu, const struct pay_gpu *sums) {
    json_t *object = json_object();
    bool good =
        object && (gpu->index < 0 || json_object_set_new(object, "index", json_integer(gpu->index)) == 0) &&
        jsonline_set_text(object, "name", gpu->name) && put_real(object, "cloud_price_per_hour", gpu->price.per_hour) &&
        jsonline_set_text(object, "price_source", gpu->price.source) &&
        jsonline_set_text(object, "price_date", gpu->price.date) && put_real(object, "used_hours", sums->used_hours);
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *user_json(const struct pay_report_user *user, const struct pay_user *sums) {
    json_t *object = json_pack("{s:s}", "user", str_is_clean(user->name, strlen(user->name)) ? user->name : "?");
    bool good = object && put_real(object, "gpu_hours", sums->gpu_hours) &&
                put_real(object, "energy_kwh", sums->joules / JOULES_PER_KWH) &&
                put_real(object, "cloud_cost", sums->cloud_cost) && put_real(object, "energy_cost", sums->energy_cost);
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

static bool put_lists(json_t *object, const struct pay_report *report) {
    json_t *gpus = json_array(), *users = json_array();
    bool good = true;
    for (size_t i = 0; i < report->gpu_count && good; i++)
        good = json_array_append_new(gpus, gpu_json(&report->gpus[i], &report->gpu_sums[i])) == 0;
    for (size_t i = 0; i < report->user_count && good; i++)
        good = json_array_append_new(users, user_json(&report->users[i], &report->user_sums[i])) == 0;
    good &= json_object_set_new(object, "gpus", gpus) == 0;
    return json_object_set_new(object, "users", users) == 0 && good;
}

struct json_t *pay_report_json(const struct pay_report *report) {
    const struct pay_result *result = &report->result;
    json_t *object = json_object();
    bool good = object != NULL;
    for (size_t i = 0; i < NUMBERS && good; i++)
        good = put_real(object, numbers[i].name, *(const double *)((const char *)&report->prices + numbers[i].offset));
    good = good && put_day(object, "since", report->prices.since) &&
           jsonline_set_text(object, "currency", report->prices.currency) && put_lists(object, report) &&
           put_real(object, "used_gpu_hours", result->used_gpu_hours) &&
           put_real(object, "cloud_cost", result->cloud_cost) && put_real(object, "energy_kwh", result->energy_kwh) &&
           put_real(object, "energy_cost", result->energy_cost) && put_real(object, "saved", result->saved) &&
           put_day(object, "pays_on", result->pays_on);
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

static double *number_of(struct pay_prices *prices, const char *name) {
    for (size_t i = 0; i < NUMBERS; i++) {
        if (strcmp(numbers[i].name, name) == 0)
            return (double *)(void *)((char *)prices + numbers[i].offset);
    }
    return NULL;
}

int pay_prices_set(struct pay_prices *prices, const char *name, const char *value, struct why *why) {
    double *number = number_of(prices, name);
    bool off = strcmp(value, "off") == 0;
    char *end = NULL;
    if (number) {
        double read = off ? (double)NAN : strtod(value, &end);
        if (!off && (strspn(value, "0123456789.") != strlen(value) || end == value || *end || !(read <= PRICE_MAX))) {
            why_set(why, "'%.40s' is no price: write it as 0.30, or off", value);
            return SP_EFORMAT;
        }
        *number = read;
        return 0;
    }
    if (strcmp(name, "since") == 0) {
        int64_t when = 0;
        if (!off && (strlen(value) != 10 || str_time_read(value, &when))) {
            why_set(why, "'%.40s' is no date: write it as 2026-01-31, or off", value);
            return SP_EFORMAT;
        }
        prices->since = when;
        return 0;
    }
    if (!off && !prices_is_currency(value)) {
        why_set(why, "'%.40s' is no currency: write it as EUR, or off", value);
        return SP_EFORMAT;
    }
    return str_copy(prices->currency, sizeof(prices->currency), off ? "" : value);
}

int pay_prices_read(const struct json_t *object, struct pay_prices *prices, struct why *why) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        double *number = number_of(prices, key);
        if (number && json_is_number(value) && json_number_value(value) >= 0 && json_number_value(value) <= PRICE_MAX) {
            *number = json_number_value(value);
            continue;
        }
        bool text = strcmp(key, "since") == 0 || strcmp(key, "currency") == 0;
        if ((!number && !text) || !(json_is_null(value) || (text && json_is_string(value)))) {
            why_set(why, "'%.32s' is no price, or has a value that makes no sense", key);
            return SP_EFORMAT;
        }
        int rc = pay_prices_set(prices, key, json_is_null(value) ? "off" : json_string_value(value), why);
        if (rc)
            return rc;
    }
    return 0;
}
