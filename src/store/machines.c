/* The table of machines. */
#include "sallyport/store/machines.h"

#include <stdlib.h>

#include "store_impl.h"

#define COLUMNS "id, name, created, last_seen"

static void read_machine(struct query *query, struct machine *machine) {
    machine->id = query_get_int(query, 0);
    query_get_text(query, 1, machine->name, sizeof(machine->name));
    machine->created = query_get_int(query, 2);
    machine->last_seen = query_get_int(query, 3);
}

/* Ends the query. */
static int read_one(struct query *query, struct machine *out) {
    struct machine machine;
    bool found = query_row(query);
    if (found)
        read_machine(query, &machine);
    int rc = query_end(query);
    if (rc)
        return rc;
    if (!found)
        return SP_ENOENT;
    *out = machine;
    return 0;
}

int store_machine_find(struct store *store, const char *name, struct machine *out) {
    struct query query;
    query_begin(&query, store, STATEMENT_MACHINE_FIND, "SELECT " COLUMNS " FROM machine WHERE name = ?");
    query_text(&query, name);
    return read_one(&query, out);
}

int store_machine_get(struct store *store, int64_t id, struct machine *out) {
    struct query query;
    query_begin(&query, store, STATEMENT_MACHINE_GET, "SELECT " COLUMNS " FROM machine WHERE id = ?");
    query_int(&query, id);
    return read_one(&query, out);
}

int store_machine_list(struct store *store, struct machine **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct machine)};
    struct query query;
    struct machine *machine;
    void *items;
    query_begin(&query, store, STATEMENT_MACHINE_LIST, "SELECT " COLUMNS " FROM machine ORDER BY name");
    while (query_row(&query) && (machine = rows_add(&rows, &query)))
        read_machine(&query, machine);
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}

int machine_insert(struct store *store, const char *name, const struct key_text *key, int64_t now, int64_t *id,
                   struct why *why) {
    struct query query;
    query_begin(&query, store, STATEMENT_MACHINE_ADD, "INSERT INTO machine (name, created) VALUES (?, ?)");
    query_text(&query, name);
    query_int(&query, now);
    int rc = query_run(&query);
    if (rc == SP_EEXIST)
        why_set(why, "the name '%s' is taken already", name);
    if (rc)
        return rc;
    int64_t added = sqlite3_last_insert_rowid(store->db);
    if (key)
        rc = key_insert(store, KEY_OWNER_MACHINE, added, key, now, why);
    if (!rc)
        *id = added;
    return rc;
}

int store_machine_add(struct store *store, const char *name, const struct key_text *key, int64_t now, int64_t *id,
                      struct why *why) {
    int64_t added = 0;
    int rc = transaction_begin(store);
    if (rc)
        return rc;
    rc = transaction_end(store, machine_insert(store, name, key, now, &added, why));
    if (!rc)
        *id = added;
    return rc;
}

int store_machine_rename(struct store *store, int64_t id, const char *name, struct why *why) {
    struct query query;
    struct machine machine;
    int rc = transaction_begin(store);
    if (rc)
        return rc;
    rc = store_machine_get(store, id, &machine);
    if (!rc) {
        query_begin(&query, store, STATEMENT_MACHINE_RENAME, "UPDATE machine SET name = ? WHERE id = ?");
        query_text(&query, name);
        query_int(&query, id);
        rc = query_run(&query);
    }
    if (rc == SP_EEXIST)
        why_set(why, "the name '%s' is taken already", name);
    if (!rc)
        rc = invite_rename(store, machine.name, name);
    return transaction_end(store, rc);
}

int store_machine_remove(struct store *store, int64_t id) {
    struct query query;
    struct machine machine;
    int rc = transaction_begin(store);
    if (rc)
        return rc;
    rc = store_machine_get(store, id, &machine);
    if (!rc)
        rc = invite_remove_name(store, machine.name);
    if (!rc) {
        query_begin(&query, store, STATEMENT_MACHINE_REMOVE, "DELETE FROM machine WHERE id = ?");
        query_int(&query, id);
        rc = query_run(&query);
    }
    return transaction_end(store, rc);
}

int store_machine_seen(struct store *store, const int64_t *ids, size_t count, int64_t now) {
    struct query query;
    if (count == 0)
        return 0;
    int rc = light_begin(store);
    if (rc)
        return rc;
    for (size_t i = 0; i < count && !rc; i++) {
        query_begin(&query, store, STATEMENT_MACHINE_SEEN,
                    "UPDATE machine SET last_seen = max(last_seen, ?) WHERE id = ?");
        query_int(&query, now);
        query_int(&query, ids[i]);
        rc = query_run(&query);
    }
    return light_end(store, rc);
}
