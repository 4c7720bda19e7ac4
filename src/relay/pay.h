/* Does a machine pay: its prices and its use put together, for people and programs. */
#ifndef SALLYPORT_RELAY_PAY_H
#define SALLYPORT_RELAY_PAY_H

#include "prices.h"
#include "sallyport/domain/pay.h"

struct json_t;
struct recorder;
struct store;

struct pay_report_gpu {
    char id[64];
    char name[96];
    int64_t index; /* -1: not known */
    struct price_found price;
};
struct pay_report_user {
    char name[64]; /* "": nobody */
};

struct pay_report {
    struct pay_prices prices; /* with a currency in any case */
    struct pay_report_gpu *gpus;
    struct pay_gpu *gpu_sums; /* one each */
    size_t gpu_count;
    struct pay_report_user *users;
    struct pay_user *user_sums;
    size_t user_count;
    struct pay_result result;
};

/* What it is built from. */
struct pay_source {
    struct recorder *recorder;
    struct store *store;
    const struct prices *prices;
    int64_t now;
};

/* pay_report_fini frees. Without a history only the prices are known. 0, SP_ENOMEM, SP_ESYS. */
int pay_report(const struct pay_source *source, int64_t machine_id, struct pay_report *out);
void pay_report_fini(struct pay_report *report);
/* docs/PROTOCOL.md section 8; NULL: out of memory. */
struct json_t *pay_report_json(const struct pay_report *report);

/* Takes the members that a JSON object has into `prices` (others stay); null makes one unknown. SP_EFORMAT with why. */
int pay_prices_read(const struct json_t *object, struct pay_prices *prices, struct why *why);
/* One of them as somebody types it; `off` makes it unknown. `name` is as in JSON. */
int pay_prices_set(struct pay_prices *prices, const char *name, const char *value, struct why *why);

#endif
