/* The tables of alerts and of their settings. */
#include "sallyport/store/alerts.h"

#include "store_impl.h"

#define COLUMNS "machine_id, kind, key, object, since, until, text, who, other"

static int add(struct store *store, int64_t machine_id, const struct alert *alert, int64_t until) {
    struct query query;
    int rc = light_begin(store);
    if (rc)
        return rc;
    query_begin(&query, store, STATEMENT_ALERT_ADD,
                "INSERT INTO alert (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    query_int(&query, machine_id);
    query_text(&query, alert_kind_name(alert->kind));
    query_text(&query, alert->key);
    query_text(&query, alert->object);
    query_int(&query, alert->since);
    query_int(&query, until);
    query_text(&query, alert->text);
    query_text(&query, alert->who);
    query_text(&query, alert->other);
    return light_end(store, query_run(&query));
}

int store_alert_on(struct store *store, int64_t machine_id, const struct alert *alert) {
    return add(store, machine_id, alert, 0);
}

int store_alert_past(struct store *store, int64_t machine_id, const struct alert *alert) {
    return add(store, machine_id, alert, alert->since);
}

int store_alert_off(struct store *store, int64_t machine_id, const struct alert *alert, int64_t now) {
    struct query query;
    int rc = light_begin(store);
    if (rc)
        return rc;
    query_begin(&query, store, STATEMENT_ALERT_OFF,
                "UPDATE alert SET until = max(?, since) WHERE machine_id = ? AND kind = ? AND key = ? AND until = 0");
    query_int(&query, now);
    query_int(&query, machine_id);
    query_text(&query, alert_kind_name(alert->kind));
    query_text(&query, alert->key);
    return light_end(store, query_run(&query));
}

/* Ends the query. A kind that a newer version wrote is passed over. */
static int read_all(struct query *query, struct alert_row **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct alert_row)};
    struct alert_row *row;
    void *items;
    while (query_row(query)) {
        char kind[32];
        enum alert_kind parsed;
        query_get_text(query, 1, kind, sizeof(kind));
        if (alert_kind_parse(kind, &parsed))
            continue;
        row = rows_add(&rows, query);
        if (!row)
            break;
        row->machine_id = query_get_int(query, 0);
        row->alert.kind = parsed;
        query_get_text(query, 2, row->alert.key, sizeof(row->alert.key));
        query_get_text(query, 3, row->alert.object, sizeof(row->alert.object));
        row->alert.since = query_get_int(query, 4);
        row->until = query_get_int(query, 5);
        query_get_text(query, 6, row->alert.text, sizeof(row->alert.text));
        query_get_text(query, 7, row->alert.who, sizeof(row->alert.who));
        query_get_text(query, 8, row->alert.other, sizeof(row->alert.other));
    }
    int rc = rows_end(&rows, query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}

int store_alert_list_on(struct store *store, struct alert_row **out, size_t *count) {
    struct query query;
    query_begin(&query, store, STATEMENT_ALERT_LIST_ON, "SELECT " COLUMNS " FROM alert WHERE until = 0 ORDER BY id");
    return read_all(&query, out, count);
}

int store_alert_list_past(struct store *store, int64_t machine_id, size_t limit, struct alert_row **out,
                          size_t *count) {
    struct query query;
    query_begin(&query, store, STATEMENT_ALERT_LIST_PAST,
                "SELECT " COLUMNS " FROM alert WHERE until > 0 AND (?1 = 0 OR machine_id = ?1)"
                " ORDER BY until DESC, id DESC LIMIT ?2");
    query_int(&query, machine_id);
    query_int(&query, (int64_t)limit);
    return read_all(&query, out, count);
}

static int tidy_bound(struct store *store) {
    struct query query;
    query_begin(&query, store, STATEMENT_ALERT_BOUND,
                "DELETE FROM alert WHERE until > 0 AND id IN (SELECT id FROM (SELECT id, row_number() OVER"
                " (PARTITION BY machine_id ORDER BY id DESC) AS place FROM alert WHERE until > 0) WHERE place > ?)");
    query_int(&query, STORE_ALERTS_MAX);
    return query_run(&query);
}

int store_alert_tidy(struct store *store, int64_t now) {
    struct query query;
    query_begin(&query, store, STATEMENT_ALERT_TIDY, "DELETE FROM alert WHERE until > 0 AND until < ?");
    query_int(&query, now - STORE_ALERTS_KEEP_S);
    int rc = query_run(&query);
    return rc ? rc : tidy_bound(store);
}

int store_setting_put(struct store *store, int64_t machine_id, const char *name, double value) {
    struct query query;
    query_begin(&query, store, STATEMENT_SETTING_PUT,
                "INSERT INTO alert_setting (machine_id, name, value) VALUES (nullif(?, 0), ?, ?)"
                " ON CONFLICT (coalesce(machine_id, 0), name) DO UPDATE SET value = excluded.value");
    query_int(&query, machine_id);
    query_text(&query, name);
    query_real(&query, value);
    return query_run(&query);
}

int store_setting_remove(struct store *store, int64_t machine_id, const char *name) {
    struct query query;
    query_begin(&query, store, STATEMENT_SETTING_REMOVE,
                "DELETE FROM alert_setting WHERE coalesce(machine_id, 0) = ? AND name = ?");
    query_int(&query, machine_id);
    query_text(&query, name);
    return query_run(&query);
}

int store_setting_list(struct store *store, struct setting_row **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct setting_row)};
    struct query query;
    struct setting_row *row;
    void *items;
    query_begin(&query, store, STATEMENT_SETTING_LIST,
                "SELECT coalesce(machine_id, 0), name, value FROM alert_setting ORDER BY 1, 2");
    while (query_row(&query) && (row = rows_add(&rows, &query))) {
        row->machine_id = query_get_int(&query, 0);
        query_get_text(&query, 1, row->name, sizeof(row->name));
        row->value = query_get_real(&query, 2);
    }
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}
