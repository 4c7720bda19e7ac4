/* The tables of channels and of quiet hours. */
#include "sallyport/store/channels.h"

#include <stdlib.h>

#include "store_impl.h"

#define COLUMNS \
    "channel.id, user_id, user.name, kind, address, private, channel.created, sent, tested, test_ok, trouble," \
    " (SELECT count(*) FROM notice WHERE channel_id = channel.id)"

static int count_channels(struct store *store, int64_t user_id) {
    struct query query;
    int64_t count = 0;
    query_begin(&query, store, STATEMENT_CHANNEL_COUNT, "SELECT count(*) FROM channel WHERE user_id = ?");
    query_int(&query, user_id);
    if (query_row(&query))
        count = query_get_int(&query, 0);
    int rc = query_end(&query);
    return !rc && count >= CHANNELS_MAX ? SP_ETOOBIG : rc;
}

int store_channel_add(struct store *store, struct channel *channel) {
    struct query query;
    int64_t id = 0;
    int rc = transaction_begin(store);
    if (rc)
        return rc;
    rc = count_channels(store, channel->user_id);
    if (!rc) {
        query_begin(&query, store, STATEMENT_CHANNEL_ADD,
                    "INSERT INTO channel (user_id, kind, address, private, created) VALUES (?, ?, ?, ?, ?)");
        query_int(&query, channel->user_id);
        query_text(&query, channel_kind_name(channel->kind));
        query_text(&query, channel->address);
        query_int(&query, channel->is_private);
        query_int(&query, channel->created);
        rc = query_run(&query);
        id = sqlite3_last_insert_rowid(store->db);
    }
    rc = transaction_end(store, rc);
    if (!rc)
        channel->id = id;
    return rc;
}

static void read_channel(struct query *query, struct channel *channel) {
    char kind[16];
    channel->id = query_get_int(query, 0);
    channel->user_id = query_get_int(query, 1);
    query_get_text(query, 2, channel->user, sizeof(channel->user));
    query_get_text(query, 3, kind, sizeof(kind));
    (void)channel_kind_parse(kind, &channel->kind);
    query_get_text(query, 4, channel->address, sizeof(channel->address));
    channel->is_private = query_get_int(query, 5) != 0;
    channel->created = query_get_int(query, 6);
    channel->sent = query_get_int(query, 7);
    channel->tested = query_get_int(query, 8);
    channel->test_ok = query_get_int(query, 9) != 0;
    query_get_text(query, 10, channel->trouble, sizeof(channel->trouble));
    channel->waiting = query_get_int(query, 11);
}

int store_channel_get(struct store *store, int64_t id, struct channel *out) {
    struct channel channel = {.id = 0};
    struct query query;
    query_begin(&query, store, STATEMENT_CHANNEL_GET,
                "SELECT " COLUMNS " FROM channel JOIN user ON user.id = user_id WHERE channel.id = ?");
    query_int(&query, id);
    bool found = query_row(&query);
    if (found)
        read_channel(&query, &channel);
    int rc = query_end(&query);
    if (!rc && !found)
        rc = SP_ENOENT;
    if (!rc)
        *out = channel;
    return rc;
}

int store_channel_list(struct store *store, int64_t user_id, struct channel **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct channel)};
    struct query query;
    struct channel *channel;
    void *items;
    query_begin(&query, store, STATEMENT_CHANNEL_LIST,
                "SELECT " COLUMNS " FROM channel JOIN user ON user.id = user_id WHERE ?1 = 0 OR user_id = ?1"
                " ORDER BY channel.id");
    query_int(&query, user_id);
    while (query_row(&query) && (channel = rows_add(&rows, &query)))
        read_channel(&query, channel);
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}

int store_channel_remove(struct store *store, int64_t id) {
    struct query query;
    query_begin(&query, store, STATEMENT_CHANNEL_REMOVE, "DELETE FROM channel WHERE id = ?");
    query_int(&query, id);
    return query_run_changed(&query);
}

int store_channel_went(struct store *store, int64_t id, int64_t now, bool tested, const char *trouble) {
    struct query query;
    int rc = light_begin(store);
    if (rc)
        return rc;
    query_begin(&query, store, STATEMENT_CHANNEL_WENT,
                "UPDATE channel SET trouble = ?2, sent = iif(?2 = '', ?3, sent), tested = iif(?4, ?3, tested),"
                " test_ok = iif(?4, ?2 = '', test_ok) WHERE id = ?1");
    query_int(&query, id);
    query_text(&query, trouble);
    query_int(&query, now);
    query_int(&query, tested);
    return light_end(store, query_run(&query));
}

int store_quiet_get(struct store *store, int64_t user_id, struct quiet *out) {
    struct quiet quiet = {.from = 0};
    struct query query;
    query_begin(&query, store, STATEMENT_QUIET_GET,
                "SELECT from_minute, to_minute, offset_minutes FROM quiet WHERE user_id = ?");
    query_int(&query, user_id);
    bool found = query_row(&query);
    if (found) {
        quiet.from = (int)query_get_int(&query, 0);
        quiet.to = (int)query_get_int(&query, 1);
        quiet.offset = (int)query_get_int(&query, 2);
    }
    int rc = query_end(&query);
    if (!rc && !found)
        rc = SP_ENOENT;
    if (!rc)
        *out = quiet;
    return rc;
}

static int put_quiet(struct store *store, int64_t user_id, const struct quiet *quiet) {
    struct query query;
    if (quiet->from == quiet->to) {
        query_begin(&query, store, STATEMENT_QUIET_REMOVE, "DELETE FROM quiet WHERE user_id = ?");
        query_int(&query, user_id);
        return query_run(&query);
    }
    query_begin(&query, store, STATEMENT_QUIET_PUT,
                "INSERT INTO quiet (user_id, from_minute, to_minute, offset_minutes) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (user_id) DO UPDATE SET from_minute = excluded.from_minute,"
                " to_minute = excluded.to_minute, offset_minutes = excluded.offset_minutes");
    query_int(&query, user_id);
    query_int(&query, quiet->from);
    query_int(&query, quiet->to);
    query_int(&query, quiet->offset);
    return query_run(&query);
}

/* Those that wait for quiet hours to end are looked at anew. */
static int hold_no_more(struct store *store, int64_t user_id) {
    struct query query;
    query_begin(&query, store, STATEMENT_QUIET_CHANGED,
                "UPDATE notice SET due = created WHERE tries = 0 AND channel_id IN"
                " (SELECT id FROM channel WHERE user_id = ?)");
    query_int(&query, user_id);
    return query_run(&query);
}

int store_quiet_put(struct store *store, int64_t user_id, const struct quiet *quiet) {
    int rc = transaction_begin(store);
    if (rc)
        return rc;
    rc = put_quiet(store, user_id, quiet);
    if (!rc)
        rc = hold_no_more(store, user_id);
    return transaction_end(store, rc);
}
