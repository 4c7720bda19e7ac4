#include "pay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "recorder.h"
#include "sallyport/base/str.h"
#include "sallyport/store/prices.h"

/* Names come from outside: so many at most. */
enum { USERS_MAX = 1000, GPUS_MAX = 256, DAY_S = 86400 };

/* What is read of the history for it. */
struct gathering {
    struct history_use *rows;
    size_t row_count;
    struct pay_use *uses;
    size_t use_count;
    struct pay_day *days;
    size_t day_count;
};

static int find_gpu(struct pay_report *report, const char *id, size_t *out) {
    size_t i = 0;
    while (i < report->gpu_count && strcmp(report->gpus[i].id, id) != 0)
        i++;
    if (i == GPUS_MAX)
        return SP_ETOOBIG;
    if (i == report->gpu_count) {
        struct pay_report_gpu *grown = reallocarray(report->gpus, i + 1, sizeof(*grown));
        if (!grown)
            return SP_ENOMEM;
        report->gpus = grown;
        grown[i] = (struct pay_report_gpu){.index = -1, .price = {NAN, "", ""}};
        (void)str_copy(grown[i].id, sizeof(grown[i].id), id);
        report->gpu_count++;
    }
    *out = i;
    return 0;
}

static int find_user(struct pay_report *report, const char *name, size_t *out) {
    size_t i = 0;
    while (i < report->user_count && strcmp(report->users[i].name, name) != 0)
        i++;
    if (i == report->user_count && i >= USERS_MAX && name[0])
        return find_user(report, "", out);
    if (i == report->user_count) {
        struct pay_report_user *grown = reallocarray(report->users, i + 1, sizeof(*grown));
        if (!grown)
            return SP_ENOMEM;
        report->users = grown;
        (void)str_copy(grown[i].name, sizeof(grown[i].name), name);
        report->user_count++;
    }
    *out = i;
    return 0;
}

static void name_gpu(struct pay_report_gpu *gpu, const struct history_subject *subject) {
    gpu->index = subject->gpu;
    (void)str_copy(gpu->name, sizeof(gpu->name), subject->label);
}

/* GPUs that are there now, and the names of those that were. */
static int take_subjects(struct pay_report *report, struct history *history, int64_t machine_id, int64_t now) {
    struct history_subject *subjects = NULL;
    size_t count = 0, at;
    int rc = history_subjects(history, machine_id, &subjects, &count);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct history_subject *subject = &subjects[i];
        enum series_kind kind;
        bool used = false;
        for (size_t k = 0; k < report->gpu_count; k++)
            used |= strcmp(report->gpus[k].id, subject->name) == 0;
        if (!series_kind_of(subject->id, &kind) || kind != SERIES_GPU || (!used && subject->seen < now - 2 * DAY_S))
            continue;
        rc = find_gpu(report, subject->name, &at);
        if (rc == SP_ETOOBIG)
            rc = 0;
        else if (rc == 0)
            name_gpu(&report->gpus[at], subject);
    }
    free(subjects);
    return rc;
}

static int sort_rows(struct pay_report *report, struct gathering *gathering) {
    gathering->uses = calloc(gathering->row_count + 1, sizeof(*gathering->uses));
    gathering->days = calloc(gathering->row_count + 1, sizeof(*gathering->days));
    if (!gathering->uses || !gathering->days)
        return SP_ENOMEM;
    for (size_t i = 0; i < gathering->row_count; i++) {
        const struct history_use *row = &gathering->rows[i];
        if (!row->gpu[0]) {
            gathering->days[gathering->day_count++] = (struct pay_day){row->day, row->joules};
            continue;
        }
        struct pay_use *use = &gathering->uses[gathering->use_count];
        *use = (struct pay_use){.day = row->day, .busy_s = row->busy_s, .joules = row->joules};
        int rc = find_gpu(report, row->gpu, &use->gpu);
        if (rc == SP_ETOOBIG)
            continue;
        if (rc == 0)
            rc = find_user(report, row->user, &use->user);
        if (rc < 0)
            return rc;
        gathering->use_count++;
    }
    return 0;
}

static void find_prices(struct pay_report *report, const struct prices *prices) {
    for (size_t i = 0; i < report->gpu_count; i++) {
        struct price_found *price = &report->gpus[i].price;
        if (isfinite(report->prices.cloud_per_gpu_hour))
            *price = (struct price_found){report->prices.cloud_per_gpu_hour, "", ""};
        else if (prices)
            (void)prices_find(prices, report->gpus[i].name, report->prices.currency, price);
        report->gpu_sums[i].cloud_per_hour = price->per_hour;
    }
}

static int gather(const struct pay_source *source, int64_t machine_id, struct pay_report *report,
                  struct gathering *gathering) {
    struct history *history = recorder_history(source->recorder);
    int rc = 0;
    if (history)
        rc = history_uses(history, machine_id, (int32_t)(report->prices.since / DAY_S), &gathering->rows,
                          &gathering->row_count);
    if (rc == 0)
        rc = sort_rows(report, gathering);
    if (rc == 0 && history)
        rc = take_subjects(report, history, machine_id, source->now);
    if (rc == SP_EFORMAT) {
        recorder_damaged(source->recorder);
        rc = SP_ESYS;
    }
    return rc;
}

int pay_report(const struct pay_source *source, int64_t machine_id, struct pay_report *out) {
    struct pay_report report = {.gpus = NULL};
    struct gathering gathering = {.rows = NULL};
    int rc = store_price_get(source->store, machine_id, &report.prices);
    if (rc < 0)
        return rc;
    if (!report.prices.currency[0])
        (void)str_copy(report.prices.currency, sizeof(report.prices.currency), "USD");
    rc = gather(source, machine_id, &report, &gathering);
    report.gpu_sums = calloc(report.gpu_count + 1, sizeof(*report.gpu_sums));
    report.user_sums = calloc(report.user_count + 1, sizeof(*report.user_sums));
    if (!report.gpu_sums || !report.user_sums)
        rc = SP_ENOMEM;
    if (rc == 0) {
        struct pay_question question = {.prices = report.prices,
                                        .now = source->now,
                                        .uses = gathering.uses,
                                        .use_count = gathering.use_count,
                                        .days = gathering.days,
                                        .day_count = gathering.day_count};
        find_prices(&report, source->prices);
        rc = pay_reckon(&question, report.gpu_sums, report.gpu_count, report.user_sums, report.user_count,
                        &report.result);
    }
    free(gathering.rows);
    free(gathering.uses);
    free(gathering.days);
    if (rc < 0) {
        pay_report_fini(&report);
        return rc;
    }
    *out = report;
    return 0;
}

void pay_report_fini(struct pay_report *report) {
    free(report->gpus);
    free(report->gpu_sums);
    free(report->users);
    free(report->user_sums);
    *report = (struct pay_report){.gpus = NULL};
}
