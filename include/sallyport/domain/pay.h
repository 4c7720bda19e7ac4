/* Does owning a machine pay against renting its GPUs? */
#ifndef SALLYPORT_DOMAIN_PAY_H
#define SALLYPORT_DOMAIN_PAY_H

#include <stddef.h>
#include <stdint.h>

/* Reals that are not known are NAN, times 0, texts "". */

/* What was paid, and what renting would cost; money in `currency`. */
struct pay_prices {
    double machine;            /* the whole machine */
    double power_per_kwh;      /* a kWh at home */
    double cloud_per_gpu_hour; /* the hour of a GPU that it replaces, of any of its GPUs; NAN: by the GPU's name */
    int64_t since;             /* UTC seconds of a day's beginning: counted from then on */
    char currency[8];          /* "EUR" */
};

/* What one GPU was used by one user on one day. */
struct pay_use {
    int32_t day; /* since 1970-01-01, UTC */
    size_t gpu;  /* its place in the list of GPUs */
    size_t user; /* in the list of users */
    double busy_s, joules;
};

struct pay_gpu {
    double cloud_per_hour; /* in the currency above */
    double used_hours;     /* filled in */
};

struct pay_user {
    double gpu_hours, joules,
        cloud_cost; /* filled in; the cost is not known when the price of one of his GPUs is not */
    double energy_cost;
};

struct pay_day {
    int32_t day;
    double joules; /* of the whole machine */
};

struct pay_question {
    struct pay_prices prices;
    int64_t now;
    const struct pay_use *uses; /* in any order */
    size_t use_count;
    const struct pay_day *days; /* by day */
    size_t day_count;
};

struct pay_result {
    double used_gpu_hours, cloud_cost, energy_kwh, energy_cost;
    double saved;    /* cloud minus energy: what stands against the machine's price */
    int64_t pays_on; /* UTC seconds of the day on which that is reached: it was, or will be at the pace until now */
};

/* Less than so many days are no pace, and beyond so many nobody knows. */
#define PAY_DAYS_LEAST 3
#define PAY_DAYS_MOST (365 * 50)

/* Fills `result` and what is to be filled of GPUs and users. Uses before prices.since do not count. 0 or SP_ENOMEM. */
int pay_reckon(const struct pay_question *question, struct pay_gpu *gpus, size_t gpu_count, struct pay_user *users,
               size_t user_count, struct pay_result *result);

#endif
