/* What a machine cost, and its power. */
#ifndef SALLYPORT_STORE_PRICES_H
#define SALLYPORT_STORE_PRICES_H

#include "sallyport/domain/pay.h"
#include "sallyport/store/store.h"

/* 0; nothing is known of a machine whose prices were never put. SP_ESYS. */
int store_price_get(struct store *store, int64_t machine_id, struct pay_prices *out);
/* All of them. 0, SP_ENOENT (no such machine), SP_ESYS. */
int store_price_put(struct store *store, int64_t machine_id, const struct pay_prices *prices);

#endif
