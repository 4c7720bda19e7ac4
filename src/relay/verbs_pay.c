/* pay, price: what a machine costs, and what it saves. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pay.h"
#include "sallyport/base/str.h"
#include "sallyport/store/prices.h"
#include "verbs_local.h"

/* "12.50 EUR"; "" for what is not known. */
static const char *money(double value, const char *currency, char *to, size_t size) {
    to[0] = '\0';
    if (isfinite(value))
        snprintf(to, size, "%.2f %s", value, currency);
    return to;
}

static const char *price(double value, const char *currency, const char *otherwise, char *to, size_t size) {
    return isfinite(value) ? money(value, currency, to, size) : otherwise;
}

static const char *figure(double value, const char *unit, char *to, size_t size) {
    to[0] = '\0';
    if (isfinite(value))
        snprintf(to, size, "%.1f%s", value, unit);
    return to;
}

static int print_gpus(const struct verb_call *call, const struct pay_report *report) {
    static const char *const headings[] = {"GPU", "NAME", "USED", "RENTED", "FROM"};
    struct table table;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < report->gpu_count; i++) {
        const struct pay_report_gpu *gpu = &report->gpus[i];
        char index[24] = "", used[32], rented[48], from[224] = "";
        if (gpu->index >= 0)
            snprintf(index, sizeof(index), "%lld", (long long)gpu->index);
        if (gpu->price.source[0])
            snprintf(from, sizeof(from), "%s, %s", gpu->price.source, gpu->price.date);
        money(gpu->price.per_hour, report->prices.currency, rented, sizeof(rented));
        if (rented[0])
            strncat(rented, "/h", sizeof(rented) - strlen(rented) - 1);
        table_row(&table,
                  (const char *[]){index, gpu->name, figure(report->gpu_sums[i].used_hours, " h", used, sizeof(used)),
                                   rented, from});
    }
    return verb_print(call, &table);
}

static int print_users(const struct verb_call *call, const struct pay_report *report) {
    static const char *const headings[] = {"USER", "GPU", "ENERGY", "RENTED", "POWER"};
    const char *currency = report->prices.currency;
    struct table table;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < report->user_count; i++) {
        const struct pay_user *sums = &report->user_sums[i];
        char hours[32], energy[32], cloud[48], power[48];
        table_row(&table, (const char *[]){report->users[i].name[0] ? report->users[i].name : "(nobody)",
                                           figure(sums->gpu_hours, " h", hours, sizeof(hours)),
                                           figure(sums->joules / 3.6e6, " kWh", energy, sizeof(energy)),
                                           money(sums->cloud_cost, currency, cloud, sizeof(cloud)),
                                           money(sums->energy_cost, currency, power, sizeof(power))});
    }
    return verb_print(call, &table);
}

/* The sums, a line each; what is not known has none. */
static int print_sums(const struct verb_call *call, const struct pay_report *report) {
    const struct pay_result *result = &report->result;
    const char *currency = report->prices.currency;
    char text[64], day[21];
    int rc = 0;
    if (money(report->prices.machine, currency, text, sizeof(text))[0])
        rc = buf_printf(call->out, "machine   %s\n", text);
    if (rc == 0 && figure(result->used_gpu_hours, " GPU-hours", text, sizeof(text))[0])
        rc = buf_printf(call->out, "used      %s\n", text);
    if (rc == 0 && figure(result->energy_kwh, " kWh", text, sizeof(text))[0])
        rc = buf_printf(call->out, "energy    %s\n", text);
    if (rc == 0 && money(result->energy_cost, currency, text, sizeof(text))[0])
        rc = buf_printf(call->out, "power     %s\n", text);
    if (rc == 0 && money(result->cloud_cost, currency, text, sizeof(text))[0])
        rc = buf_printf(call->out, "rented    %s\n", text);
    if (rc == 0 && money(result->saved, currency, text, sizeof(text))[0])
        rc = buf_printf(call->out, "saved     %s\n", text);
    if (rc == 0 && result->pays_on > 0) {
        str_time(day, result->pays_on);
        rc = buf_printf(call->out, "%-9s %.10s\n", result->pays_on <= call->now ? "paid on" : "pays on", day);
    }
    return verb_end(call, rc);
}

static int find_machine(const struct verb_call *call, struct overview *overview) {
    int rc = overview_load_one(&call->verbs->source, &call->subject, call->args[0], overview);
    if (rc == SP_ENOENT)
        return verb_fail(call, "there is no machine '%s': 'list' shows those that you may see", call->args[0]);
    return verb_end(call, rc);
}

static int print_report(const struct verb_call *call, int64_t machine_id) {
    const struct verbs *verbs = call->verbs;
    struct pay_source source = {.recorder = verbs->recorder,
                                .store = call->store,
                                .prices = verbs->prices ? *verbs->prices : NULL,
                                .now = call->now};
    struct pay_report report;
    int rc = pay_report(&source, machine_id, &report);
    if (rc)
        return verb_end(call, rc);
    int status;
    if (call->json) {
        status = verb_print_json(call, pay_report_json(&report));
    } else {
        status = report.gpu_count > 0 ? print_gpus(call, &report) : VERB_DONE;
        if (!status && report.user_count > 0)
            status = print_users(call, &report);
        if (!status)
            status = print_sums(call, &report);
        if (!status && !isfinite(report.prices.machine))
            verb_say(call,
                     "what it cost was not said yet: an admin says it with 'price %s --machine 3200 --power 0.30'",
                     call->args[0]);
    }
    pay_report_fini(&report);
    return status;
}

int verb_pay(struct verb_call *call) {
    struct overview overview;
    int status = find_machine(call, &overview);
    if (status)
        return status;
    status = print_report(call, overview.views[0].machine_id);
    overview_fini(&overview);
    return status;
}

/* What was given over what is there. */
static int change(const struct verb_call *call, int64_t machine_id, const char *name) {
    const struct {
        const char *member, *value;
    } given[] = {
        {"machine_price", call->prices.machine},
        {"power_price_per_kwh", call->prices.power},
        {"cloud_price_per_gpu_hour", call->prices.cloud},
        {"since", call->prices.since},
        {"currency", call->prices.currency},
    };
    struct pay_prices prices;
    struct why why = {""};
    bool any = false;
    int rc = store_price_get(call->store, machine_id, &prices);
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]) && !rc; i++) {
        if (!given[i].value)
            continue;
        any = true;
        if (pay_prices_set(&prices, given[i].member, given[i].value, &why)) {
            verb_say(call, "%s", why.text);
            return VERB_USAGE;
        }
    }
    if (rc || !any)
        return verb_end(call, rc);
    return verb_changed(call, store_price_put(call->store, machine_id, &prices), name, NULL, NULL);
}

static int print_prices(const struct verb_call *call, int64_t machine_id) {
    struct pay_prices prices;
    char text[64], day[21] = "-";
    int rc = store_price_get(call->store, machine_id, &prices);
    if (rc)
        return verb_end(call, rc);
    const char *currency = prices.currency[0] ? prices.currency : "USD";
    if (prices.since > 0)
        str_time(day, prices.since);
    rc = buf_printf(call->out, "machine   %s\n", price(prices.machine, currency, "-", text, sizeof(text)));
    if (rc == 0)
        rc = buf_printf(call->out, "kWh       %s\n", price(prices.power_per_kwh, currency, "-", text, sizeof(text)));
    if (rc == 0)
        rc = buf_printf(call->out, "GPU-hour  %s\n",
                        price(prices.cloud_per_gpu_hour, currency, "by name", text, sizeof(text)));
    return rc ? verb_end(call, rc) : verb_end(call, buf_printf(call->out, "since     %.10s\n", day));
}

int verb_price(struct verb_call *call) {
    struct overview overview;
    int status = find_machine(call, &overview);
    if (status)
        return status;
    int64_t id = overview.views[0].machine_id;
    status = change(call, id, overview.views[0].name);
    if (!status)
        status = call->json ? print_report(call, id) : print_prices(call, id);
    overview_fini(&overview);
    return status;
}
