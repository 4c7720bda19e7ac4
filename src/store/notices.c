/* The table of messages that are under way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/store/channels.h"
#include "store_impl.h"

#define HOUR_S 3600

/* Inside a transaction: counts it, and says SP_EBUSY when the hour is full. */
static int count_one(struct store *store, int64_t channel_id, int64_t now, bool limited) {
    struct query query;
    int64_t hour = 0, taken = 0;
    query_begin(&query, store, STATEMENT_NOTICE_HOUR, "SELECT hour, hour_count FROM channel WHERE id = ?");
    query_int(&query, channel_id);
    bool found = query_row(&query);
    if (found) {
        hour = query_get_int(&query, 0);
        taken = query_get_int(&query, 1);
    }
    int rc = query_end(&query);
    if (rc || !found)
        return rc ? rc : SP_ENOENT;
    /* An hour begins with its first message; a clock that was set back begins a new one. */
    bool begins = now < hour || now >= hour + HOUR_S;
    bool full = limited && !begins && taken >= STORE_NOTICES_AN_HOUR;
    query_begin(&query, store, STATEMENT_NOTICE_COUNT,
                "UPDATE channel SET hour = ?2, hour_count = ?3, more = more + ?4 WHERE id = ?1");
    query_int(&query, channel_id);
    query_int(&query, begins ? now : hour);
    query_int(&query, begins ? 1 : taken + !full);
    query_int(&query, full);
    rc = query_run(&query);
    return !rc && full ? SP_EBUSY : rc;
}

static int insert(struct store *store, int64_t channel_id, const struct notice *notice, int64_t now) {
    struct query query;
    query_begin(
        &query, store, STATEMENT_NOTICE_ADD,
        "INSERT INTO notice (channel_id, created, due, tries, kind, state, machine, object, text, since, urgent)"
        " VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)");
    query_int(&query, channel_id);
    query_int(&query, now);
    query_int(&query, now);
    query_text(&query, notice->kind);
    query_text(&query, notice->state);
    query_text(&query, notice->machine);
    query_text(&query, notice->object);
    query_text(&query, notice->text);
    query_int(&query, notice->since);
    query_int(&query, notice->urgent);
    return query_run(&query);
}

int store_notice_add(struct store *store, int64_t channel_id, const struct notice *notice, int64_t now) {
    bool limited = strcmp(notice->state, "more") != 0;
    int rc = light_begin(store);
    if (rc)
        return rc;
    rc = count_one(store, channel_id, now, limited);
    /* One that is over the bound leaves its count behind. */
    bool full = rc == SP_EBUSY;
    if (!rc)
        rc = insert(store, channel_id, notice, now);
    rc = light_end(store, full ? 0 : rc);
    return !rc && full ? SP_EBUSY : rc;
}

struct fullness {
    int64_t channel_id, more;
};

static int list_full(struct store *store, int64_t now, struct fullness **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct fullness)};
    struct query query;
    struct fullness *item;
    void *items;
    query_begin(&query, store, STATEMENT_NOTICE_FULL,
                "SELECT id, more FROM channel WHERE more > 0 AND (hour <= ?1 - ?2 OR hour > ?1) LIMIT 64");
    query_int(&query, now);
    query_int(&query, HOUR_S);
    while (query_row(&query) && (item = rows_add(&rows, &query))) {
        item->channel_id = query_get_int(&query, 0);
        item->more = query_get_int(&query, 1);
    }
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}

int store_notice_more(struct store *store, int64_t now) {
    struct fullness *full = NULL;
    size_t count = 0;
    int rc = list_full(store, now, &full, &count);
    for (size_t i = 0; !rc && i < count; i++) {
        struct notice notice = {.kind = "more", .state = "more"};
        struct query query;
        snprintf(notice.text, sizeof(notice.text), "and %lld more in that hour, which the page of alerts shows",
                 (long long)full[i].more);
        query_begin(&query, store, STATEMENT_NOTICE_TOLD, "UPDATE channel SET more = 0 WHERE id = ?");
        query_int(&query, full[i].channel_id);
        rc = query_run(&query);
        if (!rc)
            rc = store_notice_add(store, full[i].channel_id, &notice, now);
    }
    free(full);
    return rc;
}

int store_notice_due(struct store *store, int64_t now, size_t limit, struct notice_row **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct notice_row)};
    struct query query;
    struct notice_row *row;
    void *items;
    query_begin(&query, store, STATEMENT_NOTICE_DUE,
                "SELECT id, channel_id, created, due, tries, kind, state, machine, object, text, since, urgent"
                " FROM notice WHERE due <= ? AND id = (SELECT id FROM notice AS other WHERE other.channel_id ="
                " notice.channel_id ORDER BY urgent DESC, id LIMIT 1) ORDER BY due LIMIT ?");
    query_int(&query, now);
    query_int(&query, (int64_t)limit);
    while (query_row(&query) && (row = rows_add(&rows, &query))) {
        row->id = query_get_int(&query, 0);
        row->channel_id = query_get_int(&query, 1);
        row->created = query_get_int(&query, 2);
        row->due = query_get_int(&query, 3);
        row->tries = query_get_int(&query, 4);
        query_get_text(&query, 5, row->notice.kind, sizeof(row->notice.kind));
        query_get_text(&query, 6, row->notice.state, sizeof(row->notice.state));
        query_get_text(&query, 7, row->notice.machine, sizeof(row->notice.machine));
        query_get_text(&query, 8, row->notice.object, sizeof(row->notice.object));
        query_get_text(&query, 9, row->notice.text, sizeof(row->notice.text));
        row->notice.since = query_get_int(&query, 10);
        row->notice.urgent = query_get_int(&query, 11) != 0;
    }
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}

int store_notice_later(struct store *store, int64_t id, int64_t due, int64_t tries) {
    struct query query;
    int rc = light_begin(store);
    if (rc)
        return rc;
    query_begin(&query, store, STATEMENT_NOTICE_LATER, "UPDATE notice SET due = ?, tries = ? WHERE id = ?");
    query_int(&query, due);
    query_int(&query, tries);
    query_int(&query, id);
    return light_end(store, query_run(&query));
}

int store_notice_remove(struct store *store, int64_t id) {
    struct query query;
    int rc = light_begin(store);
    if (rc)
        return rc;
    query_begin(&query, store, STATEMENT_NOTICE_REMOVE, "DELETE FROM notice WHERE id = ?");
    query_int(&query, id);
    return light_end(store, query_run(&query));
}
