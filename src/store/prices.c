/* The table of prices. */
#include "sallyport/store/prices.h"

#include <math.h>

#include "store_impl.h"

static double real_of(struct query *query, int column) {
    return query_is_null(query, column) ? (double)NAN : query_get_real(query, column);
}

int store_price_get(struct store *store, int64_t machine_id, struct pay_prices *out) {
    struct pay_prices prices = {.machine = NAN, .power_per_kwh = NAN, .cloud_per_gpu_hour = NAN};
    struct query query;
    query_begin(&query, store, STATEMENT_PRICE_GET,
                "SELECT machine, power_per_kwh, cloud_per_gpu_hour, since, currency FROM price WHERE machine_id = ?");
    query_int(&query, machine_id);
    if (query_row(&query)) {
        prices.machine = real_of(&query, 0);
        prices.power_per_kwh = real_of(&query, 1);
        prices.cloud_per_gpu_hour = real_of(&query, 2);
        prices.since = query_get_int(&query, 3);
        query_get_text(&query, 4, prices.currency, sizeof(prices.currency));
    }
    int rc = query_end(&query);
    if (!rc)
        *out = prices;
    return rc;
}

int store_price_put(struct store *store, int64_t machine_id, const struct pay_prices *prices) {
    struct query query;
    query_begin(&query, store, STATEMENT_PRICE_PUT,
                "INSERT OR REPLACE INTO price (machine_id, machine, power_per_kwh, cloud_per_gpu_hour, since, currency)"
                " VALUES (?, ?, ?, ?, ?, ?)");
    query_int(&query, machine_id);
    query_real(&query, prices->machine);
    query_real(&query, prices->power_per_kwh);
    query_real(&query, prices->cloud_per_gpu_hour);
    query_int(&query, prices->since);
    query_text(&query, prices->currency);
    return query_run(&query);
}
