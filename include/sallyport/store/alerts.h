/* Alerts in the registry: those that are on, those of the last 30 days, and the settings that differ from the defaults. */
#ifndef SALLYPORT_STORE_ALERTS_H
#define SALLYPORT_STORE_ALERTS_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/alert.h"
#include "sallyport/store/store.h"

#define STORE_ALERTS_KEEP_S (30 * 86400)
#define STORE_ALERTS_MAX 1000 /* past ones of one machine */

struct alert_row {
    int64_t machine_id;
    int64_t until; /* UTC seconds; 0: it is on */
    struct alert alert;
};

/* It is on, from now on. SP_EEXIST: it is already; SP_ENOENT: no such machine; SP_ESYS. */
int store_alert_on(struct store *store, int64_t machine_id, const struct alert *alert);
/* It is over; the text stays that of its beginning. 0 or SP_ESYS. */
int store_alert_off(struct store *store, int64_t machine_id, const struct alert *alert, int64_t now);
/* One that was over at once. */
int store_alert_past(struct store *store, int64_t machine_id, const struct alert *alert);
/* Those that are on, of all machines; *out is the caller's to free. */
int store_alert_list_on(struct store *store, struct alert_row **out, size_t *count);
/* Those that are over, of that machine (0: of all), the newest first. */
int store_alert_list_past(struct store *store, int64_t machine_id, size_t limit, struct alert_row **out, size_t *count);
/* Drops what is over for 30 days, and what is over a machine's bound. */
int store_alert_tidy(struct store *store, int64_t now);

struct setting_row {
    int64_t machine_id; /* 0: for all machines */
    char name[32];
    double value;
};
/* machine_id 0: for all that have none of their own. 0, SP_ENOENT, SP_ESYS. */
int store_setting_put(struct store *store, int64_t machine_id, const char *name, double value);
/* Also when there was none. */
int store_setting_remove(struct store *store, int64_t machine_id, const char *name);
int store_setting_list(struct store *store, struct setting_row **out, size_t *count);

#endif
